"""Who runs: our two classes, their peers, and httpx with nothing on top as the floor.

A contestant is imported when it is made: fresh processes measure one alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import httpx
from pydantic_core import from_json

PROMPT = "Say hello."
FLOOR = "raw httpx"
AIOHTTP = " + aiohttp"
"""Added to a contestant's name: the same with its requests sent by aiohttp."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """A class of a framework, how it is made, and what its options are called."""

    name: str
    framework: str
    module: str
    options: Mapping[str, Any] = field(default_factory=dict)
    url_option: str = "base_url"
    client_option: str = "http_async_client"
    model_option: str = "model"

    def arguments(self, url: str, model: str) -> dict[str, Any]:
        """Give what it is made with, for one model of the server."""
        chosen = {self.url_option: url, self.model_option: model}
        return {**chosen, "api_key": "bench", **self.options}

    def make(self, url: str, model: str, client: httpx.AsyncClient | None = None) -> Any:
        """Import its class and make it; a *client* is what it sends with in asyncio."""
        kind: type[Any] = getattr(import_module(self.module), self.name)
        injected = {} if client is None else {self.client_option: client}
        return kind(**self.arguments(url, model), **injected)


ALL = (
    Contestant("ChatDoubao", "langchain", "langchain_doubao"),
    Contestant("ChatOpenAI", "langchain", "langchain_openai", {"stream_usage": True}),
    Contestant("ChatDeepSeek", "langchain", "langchain_deepseek", {"stream_usage": True}),
    Contestant("Doubao", "llamaindex", "llamaindex_doubao"),
    Contestant(
        "OpenAILike",
        "llamaindex",
        "llama_index.llms.openai_like",
        {"is_chat_model": True, "is_function_calling_model": True},
        url_option="api_base",
        client_option="async_http_client",
    ),
)
PEERS = {
    "ChatOpenAI": "ChatDoubao",
    "ChatDeepSeek": "ChatDoubao",
    "OpenAILike": "Doubao",
    "OpenAIEmbeddings": "DoubaoEmbeddings",
    "OpenAILikeEmbedding": "DoubaoEmbedding",
}
"""With which of ours each peer is compared."""
OURS = tuple(each for each in ALL if each.name not in PEERS)


def question(framework: str, prompt: str = PROMPT, count: int = 1) -> Any:
    """Give what a framework's models are asked: the prompt as *count* messages of the user."""
    if framework == "langchain":
        return [("user", prompt)] * count
    message = import_module("llama_index.core.llms").ChatMessage
    return [message(role="user", content=prompt)] * count


def call(contestant: Contestant, model: Any, asked: Any) -> object:
    """Ask once, blocking."""
    return model.invoke(asked) if contestant.framework == "langchain" else model.chat(asked)


async def acall(contestant: Contestant, model: Any, asked: Any) -> object:
    """Ask once."""
    if contestant.framework == "langchain":
        return await model.ainvoke(asked)
    return await model.achat(asked)


def chunks(contestant: Contestant, model: Any, asked: Any) -> Any:
    """Give an iterator of the chunks of one stream."""
    if contestant.framework == "langchain":
        return model.stream(asked)
    return model.stream_chat(asked)


async def achunks(contestant: Contestant, model: Any, asked: Any) -> Any:
    """Give an asynchronous iterator of the chunks of one stream."""
    if contestant.framework == "langchain":
        return model.astream(asked)
    return await model.astream_chat(asked)


@contextmanager
def aiohttp_client(runner: asyncio.Runner) -> Generator[httpx.AsyncClient]:
    """Make a client of httpx whose requests aiohttp sends; its own limit is 100 connections."""
    client: httpx.AsyncClient = import_module("httpx_aiohttp").HttpxAiohttpClient(timeout=60)
    try:
        yield client
    finally:
        runner.run(client.aclose())


def _body(model: str, prompt: str, count: int, *, stream: bool) -> dict[str, Any]:
    messages = [{"role": "user", "content": prompt}] * count
    return {"model": model, "messages": messages, "stream": stream}


class Events:
    """Counts the events of a stream from its raw blocks, reading the JSON of each."""

    def __init__(self) -> None:
        self.count = 0
        self._pending = b""

    def feed(self, block: bytes) -> None:
        """Take one block."""
        *events, self._pending = (self._pending + block).split(b"\n\n")
        for event in events:
            if event != b"data: [DONE]":
                from_json(event[6:])
                self.count += 1


def floor_stream(url: str, model: str) -> Callable[[], int]:
    """Make what httpx and JSON cost alone, for a stream."""
    client = httpx.Client(timeout=60)
    body = _body(model, PROMPT, 1, stream=True)

    def run() -> int:
        events = Events()
        with client.stream("POST", f"{url}/chat/completions", json=body) as response:
            for block in response.iter_raw():
                events.feed(block)
        return events.count

    return run


async def afloor_stream(client: httpx.AsyncClient, url: str, model: str) -> int:
    """Read one stream with httpx and JSON alone."""
    events = Events()
    body = _body(model, PROMPT, 1, stream=True)
    async with client.stream("POST", f"{url}/chat/completions", json=body) as response:
        async for block in response.aiter_raw():
            events.feed(block)
    return events.count


def floor_call(url: str, model: str, prompt: str = PROMPT, count: int = 1) -> Callable[[], object]:
    """Make what httpx and JSON cost alone, for a call with *count* messages."""
    client = httpx.Client(timeout=60)
    body = _body(model, prompt, count, stream=False)
    return lambda: from_json(client.post(f"{url}/chat/completions", json=body).content)


async def gathered(one: Callable[[], Any], count: int) -> int:
    """Add up what *count* concurrent coroutines give."""
    return sum(await asyncio.gather(*(one() for _ in range(count))))
