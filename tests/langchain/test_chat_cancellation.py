"""Whoever stops listening closes the connection at once, so that the server stops, too."""

from __future__ import annotations

import asyncio
import gc
import time
from contextlib import aclosing, closing
from typing import TYPE_CHECKING, Any

import pytest

from langchain_doubao import ChatDoubao

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from doubao_emulator import Emulator

MORE = {"choices": [{"index": 0, "delta": {"content": "more "}}]}
# Far less than any timeout, far more than a loopback connection needs.
AT_ONCE_S = 1.0


@pytest.fixture
def server() -> Iterator[Emulator]:
    """A server whose connections are this test's only; its first answer takes minutes."""
    from doubao_emulator import Emulator

    with Emulator() as emulator:
        emulator.answer(events=[MORE] * 10_000, interval=0.01)
        yield emulator


@pytest.fixture
def model(server: Emulator) -> ChatDoubao:
    return ChatDoubao(
        model="doubao-seed-2-0-lite-260428", base_url=server.base_url, api_key="k", max_retries=0
    )


def in_time(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + AT_ONCE_S
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.002)
    return condition()


def left(server: Emulator) -> bool:
    """Whether the server sees, soon, that nobody is connected any more."""
    return in_time(lambda: server.connections == 0)


async def aleft(server: Emulator) -> bool:
    return await asyncio.to_thread(left, server)


async def answering(server: Emulator) -> bool:
    """Whether a request has arrived whose answer is under way."""
    return await asyncio.to_thread(in_time, lambda: server.requests and server.connections == 1)


# Blocking.


def test_breaking_out_of_a_stream_closes_its_connection(
    server: Emulator, model: ChatDoubao
) -> None:
    """Nobody calls ``close``: the generator is collected as soon as nothing refers to it."""
    for _ in model.stream("Go"):
        assert server.connections == 1
        break
    assert left(server)
    assert model.invoke("Hi").text


def test_closing_a_stream_closes_its_connection(server: Emulator, model: ChatDoubao) -> None:
    with closing(model.stream("Go")) as stream:
        next(stream)
        assert server.connections == 1
    assert left(server)
    assert model.invoke("Hi").text


def test_an_error_of_the_reader_closes_the_connection(server: Emulator, model: ChatDoubao) -> None:
    def read() -> None:
        for _ in model.stream("Go"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read()
    assert left(server)
    assert model.invoke("Hi").text


@pytest.mark.filterwarnings("ignore:.*is in beta")
def test_dropping_v3_events_closes_their_connection(server: Emulator, model: ChatDoubao) -> None:
    """LangChain's stream refers to itself, so that the collector has to find it."""
    stream = model.stream_events("Go", version="v3")
    next(iter(stream.text))
    assert server.connections == 1
    del stream
    gc.collect()
    assert left(server)
    assert model.invoke("Hi").text


# Asyncio: by the way of leaving, and by what was being awaited.


async def read(stream: AsyncIterator[Any], begun: asyncio.Event | None = None) -> None:
    async for _ in stream:
        if begun is not None:
            begun.set()


async def test_breaking_out_of_an_async_stream_closes_its_connection(
    server: Emulator, model: ChatDoubao
) -> None:
    """Nobody calls ``aclose``: the event loop does, for the generators that it lost."""
    async for _ in model.astream("Go"):
        assert server.connections == 1
        break
    assert await aleft(server)
    assert (await model.ainvoke("Hi")).text


def test_a_stream_left_open_is_closed_with_its_event_loop(
    server: Emulator, model: ChatDoubao
) -> None:
    """The loop closes all generators at the same time, and complains if one waits for another."""
    complaints: list[Any] = []

    async def leave() -> Any:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, complaint: complaints.append(complaint))
        stream = model.astream("Go")
        await anext(stream)
        return stream

    assert asyncio.run(leave()) is not None
    assert left(server)
    assert complaints == []


@pytest.mark.parametrize("kind", ["astream", "events v2"])
async def test_closing_an_async_stream_closes_its_connection(
    kind: str, server: Emulator, model: ChatDoubao
) -> None:
    stream = model.astream("Go") if kind == "astream" else model.astream_events("Go", version="v2")
    async with aclosing(stream):
        async for each in stream:
            if kind == "astream" or each["event"] == "on_chat_model_stream":
                break
        assert server.connections == 1
    assert await aleft(server)
    assert (await model.ainvoke("Hi")).text


@pytest.mark.filterwarnings("ignore:.*is in beta")
async def test_closing_async_v3_events_closes_their_connection(
    server: Emulator, model: ChatDoubao
) -> None:
    async with await model.astream_events("Go", version="v3") as stream:
        async for _ in stream.text:
            assert server.connections == 1
            break
    assert await aleft(server)
    assert (await model.ainvoke("Hi")).text


async def test_cancelling_the_task_of_a_stream_closes_its_connection(
    server: Emulator, model: ChatDoubao
) -> None:
    begun = asyncio.Event()
    task = asyncio.create_task(read(model.astream("Go"), begun))
    await begun.wait()
    assert server.connections == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await aleft(server)
    assert (await model.ainvoke("Hi")).text


async def test_a_time_limit_on_a_stream_closes_its_connection(
    server: Emulator, model: ChatDoubao
) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await read(model.astream("Go"))
    assert server.requests
    assert await aleft(server)
    assert (await model.ainvoke("Hi")).text


@pytest.mark.parametrize("way", ["ainvoke", "astream", "silent in the middle"])
async def test_cancelling_a_call_that_waits_for_bytes_closes_its_connection(
    way: str, server: Emulator, model: ChatDoubao
) -> None:
    """A server that says nothing gives no occasion to look around."""
    after = 3 if way == "silent in the middle" else 0
    with server.fault("stall", times=1, after_events=after):
        call = model.ainvoke("Hi") if way == "ainvoke" else read(model.astream("Hi"))
        task = asyncio.create_task(call)
        assert await answering(server)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await aleft(server)
    server.reset()
    assert (await model.ainvoke("Hi")).text


async def test_a_time_limit_on_a_call_closes_its_connection(
    server: Emulator, model: ChatDoubao
) -> None:
    with server.fault("stall", times=1):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await model.ainvoke("Hi")
        assert server.requests
        assert await aleft(server)
    server.reset()
    assert (await model.ainvoke("Hi")).text


async def test_one_cancelled_call_leaves_the_others_alone(
    server: Emulator, model: ChatDoubao
) -> None:
    endless = asyncio.create_task(read(model.astream("Go")))
    assert await answering(server)
    others = [asyncio.create_task(model.ainvoke(f"What is {n}+1?")) for n in range(8)]
    endless.cancel()
    with pytest.raises(asyncio.CancelledError):
        await endless
    answers = await asyncio.gather(*others)
    assert [str(n + 1) in answer.text for n, answer in enumerate(answers)] == [True] * 8


async def test_leaving_an_agents_stream_closes_its_connection(
    server: Emulator, model: ChatDoubao
) -> None:
    """LangGraph runs the model in a task of its own and cancels that."""
    from langchain.agents import create_agent

    agent = create_agent(model, [])
    question = {"messages": [("user", "Go")]}
    async with aclosing(agent.astream(question, stream_mode="messages")) as stream:
        await anext(stream)
        assert server.connections == 1
    assert await aleft(server)
    assert (await model.ainvoke("Hi")).text


async def test_breaking_out_of_an_agents_stream_closes_its_connection(
    server: Emulator, model: ChatDoubao
) -> None:
    from langchain.agents import create_agent

    agent = create_agent(model, [])
    async for _ in agent.astream({"messages": [("user", "Go")]}, stream_mode="messages"):
        assert server.connections == 1
        break
    assert await aleft(server)
    assert (await model.ainvoke("Hi")).text
