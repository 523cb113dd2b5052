"""One object through its life: made, copied, pickled, shared, cancelled; its secrets stay in."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.load import dumpd, dumps, load
from langchain_core.rate_limiters import InMemoryRateLimiter
from pydantic import SecretStr, ValidationError

from langchain_doubao import ChatDoubao, DoubaoEmbeddings, SeedreamImageTool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from doubao_emulator import Emulator

KEY = "ark-3f1c-very-secret"


def keys(emulator: Emulator) -> list[str]:
    return [request.headers["authorization"] for request in emulator.requests]


def test_making_one_does_no_io_and_needs_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: Any, **__: Any) -> None:
        raise AssertionError("a client was made")

    monkeypatch.setattr(httpx.Client, "__init__", forbidden)
    monkeypatch.setattr(httpx.AsyncClient, "__init__", forbidden)
    monkeypatch.setattr("socket.getaddrinfo", forbidden)
    assert ChatDoubao(model="ep-20260101000000-abcde").api_key is None


@pytest.mark.parametrize("name", ["model", "model_name"])
def test_the_model_has_two_names(name: str) -> None:
    model = ChatDoubao(**{name: "ep-1"})
    assert (model.model, model.model_name) == ("ep-1", "ep-1")


@pytest.mark.parametrize(
    "fields",
    [
        {"tempurature": 1},
        {"provider": "nobody"},
        {"reasoning_effort": "enormous"},
        {"thinking": "maybe"},
        {"max_tokens": 1, "max_completion_tokens": 1},
    ],
)
def test_wrong_fields_are_refused_when_it_is_made(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="|".join(fields)):
        ChatDoubao(model="ep-1", **fields)


@pytest.mark.parametrize(
    ("provider", "variable"), [("ark", "ARK_API_KEY"), ("byteplus", "BYTEPLUS_API_KEY")]
)
def test_the_key_comes_from_the_providers_variable(
    provider: str, variable: str, monkeypatch: pytest.MonkeyPatch, emulator: Emulator
) -> None:
    monkeypatch.setenv(variable, KEY)
    model = ChatDoubao(
        model="doubao-seed-2-0-lite-260428", provider=provider, base_url=emulator.base_url
    )
    assert model.api_key.get_secret_value() == KEY
    assert model.invoke("Hi").text
    assert keys(emulator) == [f"Bearer {KEY}"]


def test_a_callable_key_is_asked_for_every_call(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    fresh = iter(["first", "second"])
    model = chat(api_key=lambda: next(fresh))
    model.invoke("Hi")
    list(model.stream("Hi"))
    assert keys(emulator) == ["Bearer first", "Bearer second"]


@pytest.fixture
def secretive(emulator: Emulator) -> ChatDoubao:
    return ChatDoubao(
        model="doubao-seed-2-0-lite-260428",
        base_url=emulator.base_url,
        api_key=KEY,
        default_headers={"X-Trace": "header-secret"},
        temperature=0.5,
        thinking="disabled",
        stop=[],
    )


def test_no_secret_is_in_any_text(secretive: ChatDoubao) -> None:
    secretive.invoke("Hi")
    texts = [
        repr(secretive),
        str(secretive),
        str(secretive.model_dump()),
        secretive.model_dump_json(),
        dumps(secretive),
        str(dumpd(secretive)),
        str(secretive._identifying_params),
        str(secretive._get_ls_params()),
        secretive._get_llm_string(),
        repr(secretive.bind_tools([{"title": "f", "type": "object", "properties": {}}])),
    ]
    assert not [text for text in texts if KEY in text or "header-secret" in text]
    assert KEY.encode() not in pickle.dumps(secretive)


@pytest.mark.parametrize(
    "fields", [{"api_key": KEY, "max_tokens": 1, "max_completion_tokens": 1}, {"apikey": KEY}]
)
def test_no_secret_is_in_the_error_for_wrong_fields(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        ChatDoubao(model="ep-1", **fields)
    assert KEY not in str(caught.value)


def test_a_callable_key_can_be_dumped_and_does_not_show(chat: Callable[..., ChatDoubao]) -> None:
    model = chat(api_key=lambda: KEY)
    assert "api_key" not in model.model_dump_json()
    assert dumpd(model)["kwargs"]["api_key"] == {"lc": 1, "type": "secret", "id": ["ARK_API_KEY"]}


@pytest.mark.filterwarnings("ignore:.*is in beta")
def test_dumped_and_loaded(secretive: ChatDoubao, emulator: Emulator) -> None:
    """As the standard suite's test would, were classes of other packages let in by itself."""
    loaded = load(
        dumpd(secretive),
        secrets_map={"ARK_API_KEY": "new-key"},
        allowed_objects=[ChatDoubao],
        valid_namespaces=["langchain_doubao"],
    )
    assert loaded._identifying_params == secretive._identifying_params
    assert loaded.invoke("Hi").text
    assert keys(emulator) == ["Bearer new-key"]


def test_pickled_after_use(
    secretive: ChatDoubao, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pickle travels, so the key does not; the copy takes its environment's."""
    secretive.invoke("Hi")
    # Made here.
    copied = pickle.loads(pickle.dumps(secretive))  # noqa: S301
    assert copied._identifying_params == secretive._identifying_params
    monkeypatch.setenv("ARK_API_KEY", "of-the-other-process")
    assert copied.invoke("Hi").text
    assert asyncio.run(copied.ainvoke("Hi")).text
    assert keys(emulator)[1:] == ["Bearer of-the-other-process"] * 2


def test_copied_after_use(secretive: ChatDoubao, emulator: Emulator) -> None:
    secretive.invoke("Hi")
    asyncio.run(secretive.ainvoke("Hi"))
    assert copy.deepcopy(secretive).invoke("Hi").text
    assert copy.copy(secretive).invoke("Hi").text
    rekeyed = secretive.model_copy(update={"api_key": SecretStr("other")})
    assert rekeyed.invoke("Hi").text
    assert keys(emulator) == [*([f"Bearer {KEY}"] * 4), "Bearer other"]


def test_an_injected_client_is_used_and_left_open(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    seen = []
    hooks = {"request": [lambda request: seen.append(request.url.path)]}
    with httpx.Client(event_hooks=hooks) as client:
        model = chat(http_client=client)
        model.invoke("Hi")
        model.close()
        copy.deepcopy(model).invoke("Hi")
        assert not client.is_closed
        with pytest.raises(TypeError, match="http client"):
            pickle.dumps(model)
    assert seen == ["/api/v3/chat/completions"] * 2


async def test_an_injected_async_client_is_used_and_left_open(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    async with httpx.AsyncClient(headers={"X-Mine": "yes"}) as client:
        model = chat(http_async_client=client)
        await model.ainvoke("Hi")
        await model.aclose()
        assert not client.is_closed
    assert emulator.requests[0].headers["x-mine"] == "yes"


def test_default_headers_are_sent(secretive: ChatDoubao, emulator: Emulator) -> None:
    secretive.invoke("Hi")
    assert emulator.requests[0].headers["x-trace"] == "header-secret"


def test_three_event_loops_in_a_row(chat: Callable[..., ChatDoubao]) -> None:
    model = chat()

    async def both() -> int:
        return len((await model.ainvoke("Hi")).text) + len([c async for c in model.astream("Hi")])

    assert all(asyncio.run(both()) for _ in range(3))


def test_thirty_two_threads_on_one_object(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    model = chat()
    ready = threading.Barrier(32)

    def ask(number: int) -> str:
        ready.wait()
        return model.invoke(f"What is {number}+1?").text

    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(ask, range(32)))
    assert [f"{number + 1}" in answer for number, answer in enumerate(answers)] == [True] * 32


def endless() -> Iterator[dict[str, Any]]:
    for _ in range(10_000):
        yield {"choices": [{"index": 0, "delta": {"content": "more "}}]}


def wait_until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 5
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return condition()


@pytest.fixture
def alone() -> Iterator[Emulator]:
    """A server whose connections are this test's only, in the middle of a long answer."""
    from doubao_emulator import Emulator

    with Emulator() as emulator:
        emulator.answer(events=list(endless()), interval=0.01)
        yield emulator


def asking(emulator: Emulator) -> ChatDoubao:
    return ChatDoubao(model="doubao-seed-2-0-lite-260428", base_url=emulator.base_url, api_key="k")


def test_leaving_a_stream_closes_its_connection(alone: Emulator) -> None:
    for _ in asking(alone).stream("Go"):
        assert alone.connections == 1
        break
    assert wait_until(lambda: alone.connections == 0)


async def test_cancelling_a_task_closes_its_connection(alone: Emulator) -> None:
    begun = asyncio.Event()

    async def read() -> None:
        async for _ in asking(alone).astream("Go"):
            begun.set()

    task = asyncio.create_task(read())
    await begun.wait()
    assert alone.connections == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(wait_until, lambda: alone.connections == 0)


async def test_closing_an_async_stream_closes_its_connection(alone: Emulator) -> None:
    stream = asking(alone).astream("Go")
    await anext(stream)
    assert alone.connections == 1
    await stream.aclose()
    assert await asyncio.to_thread(wait_until, lambda: alone.connections == 0)


DIFFERENT = [
    {},
    {"temperature": 0.5},
    {"thinking": "disabled"},
    {"reasoning_effort": "low"},
    {"service_tier": "flex"},
    {"seed": 7},
    {"extra_body": {"user": "me"}},
    {"model_kwargs": {"user": "you"}},
    {"model": "doubao-seed-2-1-pro-260915"},
    {"send_reasoning": False},
]


def test_cached_answers_are_those_of_the_same_settings(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    cache = InMemoryCache()
    for fields in DIFFERENT:
        chat(cache=cache, **fields).invoke("Hi")
    assert len(emulator.requests) == len(DIFFERENT)
    for fields in DIFFERENT:
        chat(cache=cache, **{**fields, "api_key": "another"}).invoke("Hi")
    assert len(emulator.requests) == len(DIFFERENT)
    strings = [llm for _, llm in cache._cache]
    assert not [text for text in strings if "test-key" in text or "another" in text]


def test_a_rate_limiter_is_asked(emulator: Emulator, chat: Callable[..., ChatDoubao]) -> None:
    limiter = InMemoryRateLimiter(
        requests_per_second=20, check_every_n_seconds=0.005, max_bucket_size=1
    )
    model = chat(rate_limiter=limiter)
    started = time.monotonic()
    model.invoke("Hi")
    model.invoke("Hi")
    assert time.monotonic() - started >= 0.05


@pytest.fixture
def proxy() -> Iterator[tuple[str, list[str]]]:
    """A proxy that answers by itself, and what it was asked for."""
    asked: list[str] = []
    reply = json.dumps({"choices": [{"finish_reason": "stop", "message": {"content": "Hi"}}]})

    class Proxy(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply.encode())

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def test_the_environments_proxy_is_used(
    proxy: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, asked = proxy
    monkeypatch.setenv("HTTP_PROXY", address)
    for name in ("NO_PROXY", "no_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    model = ChatDoubao(model="ep-1", api_key="k", base_url="http://ark.test/api/v3")
    assert model.invoke("Hi").text == "Hi"
    assert asyncio.run(model.ainvoke("Hi")).text == "Hi"
    assert asked == ["http://ark.test/api/v3/chat/completions"] * 2
    model.close()


@pytest.mark.parametrize("made", [ChatDoubao, DoubaoEmbeddings, SeedreamImageTool])
def test_empty_variables_are_as_good_as_none(
    made: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOUBAO_PROVIDER", "")
    monkeypatch.setenv("DOUBAO_BASE_URL", "")
    assert made(model="doubao-embedding-vision-251215").provider == "ark"
