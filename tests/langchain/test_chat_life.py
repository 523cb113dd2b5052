"""One object through its life: made, copied, pickled, shared, cancelled; its secrets stay in."""

from __future__ import annotations

import asyncio
import json
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.load import dumpd, dumps, load
from langchain_core.rate_limiters import InMemoryRateLimiter
from pydantic import ValidationError

from doubao_core import ConnectionFailed
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


SPARE = "doubao-seed-2-1-pro-260915"
TOOL = {"title": "look", "description": "Look.", "type": "object", "properties": {}}
DIFFERENT: list[dict[str, Any]] = [
    {},
    {"temperature": 0.5},
    {"max_tokens": 100},
    {"stop": ["."], "thinking": "disabled"},
    {"thinking": "disabled"},
    {"thinking": "enabled"},
    {"reasoning_effort": "low"},
    {"service_tier": "flex"},
    {"seed": 7},
    {"extra_body": {"user": "me"}},
    {"extra_body": {"user": "you"}},
    {"model_kwargs": {"user": "you"}},
    {"model": SPARE},
    {"send_reasoning": False},
    {"provider": "byteplus"},
    {"base_url": "other"},
]


@pytest.fixture
def cached(emulator: Emulator) -> tuple[InMemoryCache, Callable[..., ChatDoubao]]:
    """Give a cache, and models that use it."""
    cache = InMemoryCache()
    urls = {"other": emulator.base_url.replace("127.0.0.1", "localhost")}

    def make(**fields: Any) -> ChatDoubao:
        given = {"model": "doubao-seed-2-0-lite-260428", "api_key": KEY, **fields}
        given["base_url"] = urls.get(given.get("base_url", ""), emulator.base_url)
        return ChatDoubao(cache=cache, **given)

    return cache, make


def test_cached_answers_are_those_of_the_same_settings(
    emulator: Emulator, cached: tuple[InMemoryCache, Callable[..., ChatDoubao]]
) -> None:
    """What cannot change the answer, the key above all, is no difference and in no cache key."""
    cache, make = cached
    for fields in DIFFERENT:
        make(**fields).invoke("Hi")
    assert len(emulator.requests) == len(DIFFERENT)
    for fields in DIFFERENT:
        make(**fields, default_headers={"X-Trace": "header-secret"}).invoke("Hi")
        make(**{**fields, "api_key": lambda: KEY}).invoke("Hi")
    assert len(emulator.requests) == len(DIFFERENT)
    strings = [llm for _, llm in cache._cache]
    assert not [text for text in strings if KEY in text or "header-secret" in text]


def test_cached_answers_are_those_of_the_same_environment(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = InMemoryCache()
    for provider in ("ark", "byteplus", "ark"):
        monkeypatch.setenv("DOUBAO_PROVIDER", provider)
        monkeypatch.setenv("DOUBAO_BASE_URL", emulator.base_url)
        ChatDoubao(model=SPARE, api_key=KEY, cache=cache).invoke("Hi")
    monkeypatch.setenv("DOUBAO_BASE_URL", emulator.base_url.replace("127.0.0.1", "localhost"))
    ChatDoubao(model=SPARE, api_key=KEY, cache=cache).invoke("Hi")
    assert len(emulator.requests) == 3


def test_cached_answers_are_those_of_the_same_call(
    emulator: Emulator, cached: tuple[InMemoryCache, Callable[..., ChatDoubao]]
) -> None:
    _, make = cached
    model = make()
    calls = [
        model,
        model.bind_tools([TOOL]),
        model.bind_tools([{**TOOL, "title": "listen"}]),
        model.bind_tools([TOOL], tool_choice="none"),
        model.bind(temperature=0.1),
        model.bind(stop=["."], thinking="disabled"),
        model.bind(thinking="disabled"),
        model.bind(model=SPARE),
        model.bind(send_reasoning=False),
    ]
    for call in [*calls, *calls]:
        call.invoke("Hi")
    assert len(emulator.requests) == len(calls)


class Counting(InMemoryRateLimiter):
    """A limiter that says how often it was asked."""

    def __init__(self) -> None:
        super().__init__(requests_per_second=1000, check_every_n_seconds=0.001, max_bucket_size=9)
        self.asked: list[str] = []

    def acquire(self, *, blocking: bool = True) -> bool:
        self.asked.append("sync")
        return super().acquire(blocking=blocking)

    async def aacquire(self, *, blocking: bool = True) -> bool:
        self.asked.append("async")
        return await super().aacquire(blocking=blocking)


async def test_a_rate_limiter_is_asked_once_for_each_call(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    limiter = Counting()
    model = chat(rate_limiter=limiter)
    model.invoke("Hi")
    list(model.stream("Hi"))
    assert limiter.asked == ["sync"] * 2
    await model.ainvoke("Hi")
    [_ async for _ in model.astream("Hi")]
    assert limiter.asked == ["sync"] * 2 + ["async"] * 2
    assert len(emulator.requests) == 4


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


def test_no_proxy_excepts_hosts(
    proxy: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, asked = proxy
    monkeypatch.setenv("HTTP_PROXY", address)
    monkeypatch.setenv("NO_PROXY", "ark.test")

    def nowhere(*_: Any, **__: Any) -> None:
        raise OSError("no such host")

    monkeypatch.setattr("socket.getaddrinfo", nowhere)
    model = ChatDoubao(model="ep-1", api_key="k", base_url="http://ark.test/api/v3", max_retries=0)
    with pytest.raises(ConnectionFailed, match="no such host"):
        model.invoke("Hi")
    assert asked == []


@pytest.mark.parametrize(
    ("made", "model"),
    [
        (ChatDoubao, "doubao-seed-2-1-lite-260915"),
        (DoubaoEmbeddings, "doubao-embedding-vision-251215"),
        (SeedreamImageTool, "doubao-seedream-5-0-260128"),
    ],
)
def test_empty_variables_are_as_good_as_none(
    made: type[Any], model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOUBAO_PROVIDER", "")
    monkeypatch.setenv("DOUBAO_BASE_URL", "")
    assert made(model=model).provider == "ark"
