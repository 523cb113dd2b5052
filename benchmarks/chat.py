"""Chat: what a streamed chunk and a call cost, beside ChatOpenAI and OpenAILike, in one run.

    python benchmarks/chat.py [--rounds 15]

Prints CPU microseconds of the client process (median, quartiles) and ratios of paired rounds.
Trust the ratios, not the digits. ``raw httpx`` is the floor: bytes, split, JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.metadata
import os
import time
from collections.abc import Callable
from typing import Any

from measure import compare, local_server, report

# No contestant may ask the network for anything or trace to anywhere.
os.environ.update(LANGSMITH_TRACING="false", LANGCHAIN_TRACING_V2="false")

import httpx
from langchain_openai import ChatOpenAI
from llama_index.core.llms import ChatMessage
from llama_index.llms.openai_like import OpenAILike
from pydantic_core import from_json

from langchain_doubao import ChatDoubao
from llamaindex_doubao import Doubao

Contestants = dict[str, Callable[[], int]]
PAIRS = {"ChatDoubao": "ChatOpenAI", "Doubao": "OpenAILike"}
PROMPT = "Say hello."


def langchain_models(url: str, model: str) -> dict[str, Any]:
    """Make both LangChain contestants for one model of the server."""
    return {
        "ChatDoubao": ChatDoubao(model=model, api_key="bench", base_url=url),
        "ChatOpenAI": ChatOpenAI(model=model, api_key="bench", base_url=url, stream_usage=True),
    }


def llamaindex_models(url: str, model: str) -> dict[str, Any]:
    """Make both LlamaIndex contestants for one model of the server."""
    return {
        "Doubao": Doubao(model=model, api_key="bench", base_url=url),
        "OpenAILike": OpenAILike(
            model=model,
            api_key="bench",
            api_base=url,
            is_chat_model=True,
            is_function_calling_model=True,
        ),
    }


def raw_stream(url: str, model: str) -> Callable[[], int]:
    """Make the floor: what httpx and JSON cost alone."""
    client = httpx.Client(timeout=60)
    body = {"model": model, "messages": [{"role": "user", "content": PROMPT}], "stream": True}

    def run() -> int:
        count, pending = 0, b""
        with client.stream("POST", f"{url}/chat/completions", json=body) as response:
            for block in response.iter_raw():
                *events, pending = (pending + block).split(b"\n\n")
                for event in events:
                    if event != b"data: [DONE]":
                        from_json(event[6:])
                        count += 1
        return count

    return run


def streams(url: str, model: str) -> Contestants:
    """One stream of *model* each, blocking."""
    message = [ChatMessage(role="user", content=PROMPT)]
    runs: Contestants = {"raw httpx": raw_stream(url, model)}
    for name, llm in langchain_models(url, model).items():
        runs[name] = lambda llm=llm: sum(1 for _ in llm.stream(PROMPT))
    for name, llm in llamaindex_models(url, model).items():
        runs[name] = lambda llm=llm: sum(1 for _ in llm.stream_chat(message))
    return runs


def looked_at(url: str, model: str) -> Contestants:
    """One LlamaIndex stream of *model* each, every chunk's message read, as agents do."""
    message = [ChatMessage(role="user", content=PROMPT)]
    return {
        name: lambda llm=llm: sum(bool(each.message.blocks) for each in llm.stream_chat(message))
        for name, llm in llamaindex_models(url, model).items()
    }


def async_streams(url: str, model: str, runner: asyncio.Runner) -> Contestants:
    """One stream of *model* each, on one event loop."""
    message = [ChatMessage(role="user", content=PROMPT)]

    async def langchain(llm: Any) -> int:
        return sum([1 async for _ in llm.astream(PROMPT)])

    async def llamaindex(llm: Any) -> int:
        return sum([1 async for _ in await llm.astream_chat(message)])

    runs: Contestants = {}
    for name, llm in langchain_models(url, model).items():
        runs[name] = lambda llm=llm: runner.run(langchain(llm))
    for name, llm in llamaindex_models(url, model).items():
        runs[name] = lambda llm=llm: runner.run(llamaindex(llm))
    return runs


def calls(url: str, prompt: str, count: int = 40) -> Contestants:
    """*count* calls each, one after the other."""
    messages = (
        [ChatMessage(role="user", content=prompt)] * 10
        if len(prompt) > 100
        else [ChatMessage(role="user", content=prompt)]
    )
    inputs = [("user", prompt)] * len(messages)
    client = httpx.Client(timeout=60)
    body = {"model": "call", "messages": [{"role": "user", "content": prompt}] * len(messages)}

    def raw() -> int:
        for _ in range(count):
            from_json(client.post(f"{url}/chat/completions", json=body).content)
        return count

    def repeat(call: Callable[[], object]) -> Callable[[], int]:
        def run() -> int:
            for _ in range(count):
                call()
            return count

        return run

    runs: Contestants = {"raw httpx": raw}
    for name, llm in langchain_models(url, "call").items():
        runs[name] = repeat(lambda llm=llm: llm.invoke(inputs))
    for name, llm in llamaindex_models(url, "call").items():
        runs[name] = repeat(lambda llm=llm: llm.chat(messages))
    return runs


def concurrent(url: str, in_flight: int, runner: asyncio.Runner) -> Contestants:
    """Three calls each for *in_flight* tasks, on a server that takes 200 ms."""
    message = [ChatMessage(role="user", content=PROMPT)]

    async def together(call: Callable[[], Any]) -> int:
        async def one() -> None:
            for _ in range(3):
                await call()

        await asyncio.gather(*(one() for _ in range(in_flight)))
        return 3 * in_flight

    model = "call-delay-200"
    runs: Contestants = {}
    for name, llm in langchain_models(url, model).items():
        runs[name] = lambda llm=llm: runner.run(together(lambda: llm.ainvoke(PROMPT)))
    for name, llm in llamaindex_models(url, model).items():
        runs[name] = lambda llm=llm: runner.run(together(lambda: llm.achat(message)))
    return runs


def main() -> None:
    """Run every comparison and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15, help="measured rounds of each")
    rounds = parser.parse_args().rounds
    named = ["httpx", "openai", "langchain-core", "langchain-openai", "llama-index-core"]
    print(", ".join(f"{each} {importlib.metadata.version(each)}" for each in named))
    print(f"CPU of the client process, {rounds} rounds: median [quartiles]")
    with local_server() as url, asyncio.Runner() as runner:
        text, tools = "text-2000", "tools-500"
        for title, runs in {
            "Streamed text chunk, blocking (2,000 at once)": streams(url, text),
            "Streamed text chunk, asyncio (2,000 at once)": async_streams(url, text, runner),
            "Streamed text chunk, blocking, its message read": looked_at(url, text),
            "Streamed tool-call fragment, blocking (500 at once)": streams(url, tools),
            "Short call, blocking": calls(url, PROMPT),
            "Call with 10 messages of 4 KB, blocking": calls(url, "word " * 800),
        }.items():
            report(title, compare(runs, rounds=rounds), PAIRS)
        for in_flight in (16, 64, 256):
            few = max(3, rounds // 4)
            title = f"Call, asyncio, {in_flight} in flight, server takes 200 ms"
            runs = concurrent(url, in_flight, runner)
            report(f"{title}: CPU", compare(runs, rounds=few), PAIRS)
            wall = compare(runs, rounds=few, clock=time.perf_counter)
            report(f"{title}: wall (ideal {200_000 / in_flight:,.0f} µs)", wall, PAIRS)


if __name__ == "__main__":
    main()
