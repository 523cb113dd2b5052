"""Who leaves an answer frees its connection at once, as the server sees (llamaindex.md 5)."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, closing
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core.agent.workflow import AgentStream, FunctionAgent
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.prompts import PromptTemplate
from pydantic import BaseModel
from workflows.errors import WorkflowCancelledByUser

from doubao_emulator import Emulator

if TYPE_CHECKING:
    from llamaindex_doubao import Doubao

HI = [ChatMessage(content="hi")]


class City(BaseModel):
    name: str
    people: int


def event(text: str) -> dict[str, Any]:
    return {"choices": [{"delta": {"content": text}, "index": 0}], "id": "0217"}


@pytest.fixture
def endless():
    """An emulator of its own, for counting connections, that streams for ten seconds."""
    with Emulator() as emulator:
        events = [event('{"name": "'), *[event("x")] * 1000]
        emulator.answer(events=events, interval=0.01)
        yield emulator


@pytest.fixture
def reader(endless, make_llm) -> Doubao:
    return make_llm(base_url=endless.base_url)


async def none_open(emulator: Emulator) -> None:
    for _ in range(200):
        if emulator.connections == 0:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the connection of an answer that was left is still open")


BLOCKING = {
    "stream_chat": lambda llm: llm.stream_chat(HI),
    "stream_complete": lambda llm: llm.stream_complete("hi"),
    "stream_chat_with_tools": lambda llm: llm.stream_chat_with_tools([], user_msg="hi"),
    "stream_structured_predict": lambda llm: llm.stream_structured_predict(
        City, PromptTemplate("hi")
    ),
}
AWAITED = {
    "astream_chat": lambda llm: llm.astream_chat(HI),
    "astream_complete": lambda llm: llm.astream_complete("hi"),
    "astream_chat_with_tools": lambda llm: llm.astream_chat_with_tools([], user_msg="hi"),
    "astream_structured_predict": lambda llm: llm.astream_structured_predict(
        City, PromptTemplate("hi")
    ),
}


@pytest.mark.parametrize("method", BLOCKING)
async def test_closing_a_blocking_stream(endless, reader, method):
    """Invariant 12."""
    with closing(BLOCKING[method](reader)) as responses:
        next(responses)
        assert endless.connections == 1
    await none_open(endless)


@pytest.mark.parametrize("method", AWAITED)
async def test_closing_an_async_stream(endless, reader, method):
    """Invariant 12."""
    async with aclosing(await AWAITED[method](reader)) as responses:
        await anext(responses)
        assert endless.connections == 1
    await none_open(endless)


@pytest.mark.parametrize("method", AWAITED)
async def test_cancelling_the_reader_of_a_stream(endless, reader, method):
    """Invariant 12."""
    begun = asyncio.Event()

    async def read() -> None:
        async for _ in await AWAITED[method](reader):
            begun.set()

    task = asyncio.create_task(read())
    await begun.wait()
    assert endless.connections == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await none_open(endless)


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda llm: llm.achat(HI), id="achat"),
        pytest.param(lambda llm: llm.acomplete("hi"), id="acomplete"),
        pytest.param(
            lambda llm: llm.astructured_predict(City, PromptTemplate("hi")),
            id="astructured_predict",
        ),
    ],
)
async def test_cancelling_a_call(make_llm, ask):
    with Emulator() as emulator, emulator.fault("stall"):
        task = asyncio.create_task(ask(make_llm(base_url=emulator.base_url)))
        while not emulator.requests:  # noqa: ASYNC110 - nothing there to wait for
            await asyncio.sleep(0.005)
        assert emulator.connections == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await none_open(emulator)


@pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")
async def test_cancelling_an_agent(endless, reader):
    handler = FunctionAgent(llm=reader).run("hi", memory=ChatMemoryBuffer.from_defaults())
    async for each in handler.stream_events():
        if isinstance(each, AgentStream):
            break
    assert endless.connections == 1
    await handler.cancel_run()
    with pytest.raises(WorkflowCancelledByUser):
        await handler
    await none_open(endless)
