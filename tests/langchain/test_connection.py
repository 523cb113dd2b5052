"""What chat models, embeddings and tools have in common: how they are made, changed and copied."""

from __future__ import annotations

import asyncio
import copy
import operator
import os
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, get_args

import httpx
import pytest
from langchain_core.exceptions import ModelTimeoutError
from pydantic import SecretStr, ValidationError

from langchain_doubao import (
    ChatDoubao,
    DoubaoEmbeddings,
    DoubaoToolkit,
    SeedanceTaskTool,
    SeedanceVideoTool,
    SeedreamImageTool,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from doubao_emulator import Emulator
    from langchain_doubao.connection import Connection

KEY = "sk-live-9f8e7d6c5b4a3210"
CLASSES: dict[type[Any], dict[str, Any]] = {
    ChatDoubao: {"model": "doubao-seed-2-0-lite-260428"},
    DoubaoEmbeddings: {"model": "doubao-embedding-vision-251215"},
    SeedanceTaskTool: {},
}
made_of = pytest.mark.parametrize("kind", CLASSES)


def use(thing: Connection) -> Any:
    """Send one request."""
    if isinstance(thing, ChatDoubao):
        return thing.invoke("Hi")
    if isinstance(thing, DoubaoEmbeddings):
        return thing.embed_query("Hi")
    # No such task, which the tool says in words.
    return thing.invoke({"task_id": "cgt-20260101000000-abcde"})


async def ause(thing: Connection) -> Any:
    if isinstance(thing, ChatDoubao):
        return await thing.ainvoke("Hi")
    if isinstance(thing, DoubaoEmbeddings):
        return await thing.aembed_query("Hi")
    return await thing.ainvoke({"task_id": "cgt-20260101000000-abcde"})


@pytest.fixture
def make(emulator: Emulator) -> Callable[..., Connection]:
    """Make one of any class, on the emulator."""

    def make(kind: type[Connection], **fields: Any) -> Connection:
        given = {"base_url": emulator.base_url, "api_key": KEY, "max_retries": 0, **fields}
        return kind(**CLASSES[kind], **given)

    return make


def sent(emulator: Emulator, header: str) -> list[str | None]:
    return [request.headers.get(header) for request in emulator.requests]


CHEAP = """
import socket, ssl, sys
from langchain_doubao import ChatDoubao, DoubaoEmbeddings, DoubaoToolkit

def make():
    ChatDoubao(model="doubao-seed-2-0-lite-260428", api_key="k")
    DoubaoEmbeddings(model="doubao-embedding-vision-251215", api_key="k")
    DoubaoToolkit(api_key="k").get_tools()

def heard(event, args):
    if event.startswith(("socket.", "open", "os.", "subprocess.")):
        seen.append(event)

def forbidden(*args, **options):
    seen.append("tls")
    raise AssertionError

seen = []
make()
ssl.SSLContext.__new__ = forbidden
sys.addaudithook(heard)
before = set(sys.modules)
make()
print(seen, set(sys.modules) - before)
"""


def test_making_one_opens_nothing_and_loads_nothing() -> None:
    """No file, no socket, no TLS context; what the first one had to load is loaded."""
    done = subprocess.run(
        [sys.executable, "-c", CHEAP], capture_output=True, text=True, check=True, timeout=50
    )
    assert done.stdout.splitlines() == ["[] set()"]


@pytest.mark.parametrize("kind", [*CLASSES, DoubaoToolkit])
@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"base_url": "ftp://x"}, "must start with https"),
        ({"timeout": -1}, "timeout must be more than 0"),
        ({"max_retries": -1}, "max_retries must be 0 or more"),
        ({"default_headers": {"X": "a\nb"}}, "cannot be sent"),
        ({"provider": "nobody"}, "nobody"),
        ({"timeuot": 1}, "timeuot"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_argument_is_refused_when_it_is_made(
    kind: type[Connection], wrong: dict[str, Any], match: str
) -> None:
    with pytest.raises(ValidationError, match=match) as caught:
        kind(**CLASSES.get(kind, {}), api_key=KEY, **wrong)
    assert KEY not in str(caught.value)


@made_of
@pytest.mark.parametrize("how", ["set", "copy"])
async def test_a_changed_field_counts_from_the_next_request(
    kind: type[Connection], how: str, make: Callable[..., Connection], emulator: Emulator
) -> None:
    """Also after clients were made of the old ones; a copy leaves its original alone."""
    thing = make(kind, default_headers={"x-mine": "old"})
    use(thing)
    await ause(thing)
    await thing.aclose()
    for name, value in {
        "api_key": "another",
        "default_headers": {"x-mine": "new"},
        "base_url": emulator.base_url.replace("127.0.0.1", "localhost"),
    }.items():
        if how == "set":
            setattr(thing, name, value)
            changed = thing
        else:
            changed = thing.model_copy(update={name: value})
        emulator.requests.clear()
        use(changed)
        await ause(changed)
        await changed.aclose()
        header = {"api_key": "authorization", "default_headers": "x-mine", "base_url": "host"}
        got = sent(emulator, header[name])
        expected = {"api_key": "Bearer another", "default_headers": "new", "base_url": "localhost"}
        assert [value.split(":")[0] for value in got if value] == [expected[name]] * 2
    emulator.requests.clear()
    if how == "copy":
        use(thing)
        assert sent(emulator, "x-mine") == ["old"]


@made_of
def test_a_header_that_is_added_counts_too(
    kind: type[Connection], make: Callable[..., Connection], emulator: Emulator
) -> None:
    thing = make(kind, default_headers={})
    use(thing)
    assert thing.default_headers is not None
    thing.default_headers["x-mine"] = "new"
    use(thing)
    assert sent(emulator, "x-mine") == [None, "new"]


@pytest.mark.parametrize("kind", [ChatDoubao, DoubaoEmbeddings])
def test_a_changed_time_limit_counts(
    kind: type[Connection], make: Callable[..., Connection], emulator: Emulator
) -> None:
    thing = make(kind)
    use(thing)
    thing.timeout = 0.05
    with emulator.fault("stall"), pytest.raises(ModelTimeoutError):
        use(thing)


@made_of
def test_what_did_not_change_is_not_made_again(
    kind: type[Connection], make: Callable[..., Connection]
) -> None:
    """A new client would open new connections; many threads at once get the same one, too."""
    thing = make(kind)
    ready = threading.Barrier(32)

    def first(_: int) -> int:
        ready.wait()
        return id(thing._blocking())

    with ThreadPoolExecutor(32) as pool:
        assert len(set(pool.map(first, range(32)))) == 1
    assert thing._awaiting() is thing._awaiting()


@made_of
def test_a_key_is_asked_for_each_request(
    kind: type[Connection], make: Callable[..., Connection], emulator: Emulator
) -> None:
    numbers = iter(range(9))
    thing = make(kind, api_key=lambda: f"key-{next(numbers)}")
    use(thing)
    use(thing)
    asyncio.run(ause(thing))
    assert sent(emulator, "authorization") == [f"Bearer key-{number}" for number in range(3)]


@made_of
def test_a_string_may_be_the_key_and_is_kept_as_a_secret(
    kind: type[Connection], make: Callable[..., Connection]
) -> None:
    """The annotation is what type checkers without pydantic's plugin go by."""
    thing = make(kind)
    assert thing.api_key == SecretStr(KEY)
    assert str in get_args(kind.model_fields["api_key"].annotation)
    thing.api_key = KEY
    assert KEY not in f"{thing!r} {thing} {thing.model_dump()}"


def test_folders_may_be_strings(tmp_path: Any) -> None:
    tool = SeedreamImageTool(output_dir=str(tmp_path), allowed_folders=[str(tmp_path)])
    assert (tool.output_dir, list(tool.allowed_folders)) == (tmp_path, [tmp_path])


@made_of
def test_copied_after_use(
    kind: type[Connection], make: Callable[..., Connection], emulator: Emulator
) -> None:
    thing = make(kind)
    use(thing)
    asyncio.run(ause(thing))
    for twin in (copy.deepcopy(thing), copy.copy(thing), thing.model_copy(deep=True)):
        use(twin)
        asyncio.run(ause(twin))
    assert sent(emulator, "authorization") == [f"Bearer {KEY}"] * 8


@made_of
def test_pickled_after_use(
    kind: type[Connection],
    make: Callable[..., Connection],
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A pickle travels: no key and no header that looks like one is in it."""
    thing = make(kind, default_headers={"X-Api-Token": "header-secret", "X-Trace": "me"})
    use(thing)
    asyncio.run(ause(thing))
    written = pickle.dumps(thing)
    assert KEY.encode() not in written
    assert b"header-secret" not in written
    monkeypatch.setenv("ARK_API_KEY", "of-the-other-process")
    emulator.requests.clear()
    # Made above.
    twin = pickle.loads(written)  # noqa: S301
    use(twin)
    asyncio.run(ause(twin))
    assert sent(emulator, "authorization") == ["Bearer of-the-other-process"] * 2
    assert sent(emulator, "x-trace") == ["me"] * 2
    assert sent(emulator, "x-api-token") == [None] * 2


@made_of
def test_a_callable_key_is_pickled_by_its_name(
    kind: type[Connection], make: Callable[..., Connection], emulator: Emulator
) -> None:
    """Dropping it would bill another account; one without a name cannot be pickled at all."""
    # Made here.
    use(pickle.loads(pickle.dumps(make(kind, api_key=os.getcwd))))  # noqa: S301
    assert sent(emulator, "authorization") == [f"Bearer {os.getcwd()}"]  # noqa: PTH109
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(make(kind, api_key=lambda: KEY))


def test_used_in_a_spawned_process(
    make: Callable[..., Any], emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make(ChatDoubao)
    use(model)
    monkeypatch.setenv("ARK_API_KEY", "of-the-child")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        answer = pool.submit(operator.methodcaller("invoke", "Hi"), model).result(timeout=50)
    assert answer.text
    assert sent(emulator, "authorization") == [f"Bearer {KEY}", "Bearer of-the-child"]


@made_of
def test_injected_clients_are_used_shared_by_copies_and_left_open(
    kind: type[Connection], make: Callable[..., Connection], emulator: Emulator
) -> None:
    with httpx.Client(headers={"X-Mine": "yes"}) as client:
        thing = make(kind, http_client=client)
        use(thing)
        use(copy.deepcopy(thing))
        use(thing.model_copy(update={"api_key": "another"}))
        thing.close()
        assert not client.is_closed
        with pytest.raises(TypeError, match=rf"{kind.__name__} with an injected http client"):
            pickle.dumps(thing)
    assert sent(emulator, "x-mine") == ["yes"] * 3


@made_of
def test_closing_comes_before_and_after_use(
    kind: type[Connection], make: Callable[..., Connection], emulator: Emulator
) -> None:
    async def closed(thing: Connection) -> None:
        await thing.aclose()
        await ause(thing)
        await thing.aclose()
        await ause(thing)
        await thing.aclose()

    thing = make(kind)
    thing.close()
    use(thing)
    thing.close()
    use(thing)
    thing.close()
    asyncio.run(closed(thing))
    assert len(emulator.requests) == 4


def test_tools_of_a_toolkit_share_clients_until_they_are_set_up_otherwise(
    emulator: Emulator,
) -> None:
    toolkit = DoubaoToolkit(
        base_url=emulator.base_url, api_key=KEY, video_options={"max_retries": 7}
    )
    image, video, task = toolkit.get_tools()
    assert image._blocking() is task._blocking() is toolkit._blocking()
    assert image._awaiting() is task._awaiting() is toolkit._awaiting()
    assert video._blocking() is not toolkit._blocking()
    task.api_key = "another"
    use(task)
    assert sent(emulator, "authorization") == ["Bearer another"]
    assert image._blocking() is toolkit._blocking()


@pytest.mark.parametrize("how", ["deepcopy", "pickle"])
def test_the_tools_of_a_copied_toolkit_share_its_clients(how: str) -> None:
    """So that closing the copy closes all of its connections."""
    toolkit = DoubaoToolkit(api_key=KEY)
    # Made here.
    twin = copy.deepcopy(toolkit) if how == "deepcopy" else pickle.loads(pickle.dumps(toolkit))  # noqa: S301
    assert {tool._blocking() for tool in twin.get_tools()} == {twin._blocking()}
    assert {tool._awaiting() for tool in twin.get_tools()} == {twin._awaiting()}
    assert twin._blocking() is not toolkit._blocking()


def test_a_toolkit_finds_the_key_for_its_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARK_API_KEY", KEY)
    toolkit = DoubaoToolkit()
    assert {tool._blocking() for tool in toolkit.get_tools()} == {toolkit._blocking()}


def test_a_video_tool_follows_its_fields(emulator: Emulator, tmp_path: Any) -> None:
    tool = SeedanceVideoTool(
        base_url=emulator.base_url, api_key=KEY, output_dir=tmp_path / "a", poll_interval=0.01
    )
    tool.output_dir = tmp_path / "b"
    tool.invoke({"prompt": "tea", "duration": 4, "resolution": "480p", "ratio": "16:9"})
    assert [path.parent.name for path in tmp_path.rglob("*.mp4")] == ["b"]


def test_embeddings_keep_their_limit_for_all_threads(make: Callable[..., Any]) -> None:
    """The object that counts requests in flight is made once, and again with another limit."""
    embeddings = make(DoubaoEmbeddings, max_concurrency=2)
    use(embeddings)
    first = embeddings._threads
    use(embeddings)
    assert embeddings._threads is first
    embeddings.max_concurrency = 3
    use(embeddings)
    assert embeddings._threads is not first
    assert embeddings.usage.requests == 3
