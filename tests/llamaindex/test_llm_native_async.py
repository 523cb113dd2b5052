"""The async methods are async down to the socket: no thread, no blocking client."""

from __future__ import annotations

import asyncio
import threading
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel

if TYPE_CHECKING:
    from llamaindex_doubao import Doubao

HI = [ChatMessage(content="hi")]
PROMPT = PromptTemplate("City?")


class City(BaseModel):
    name: str


async def clock() -> str:
    """Time of day."""
    return "noon"


CLOCK = FunctionTool.from_defaults(async_fn=clock)


async def last(stream: Any) -> Any:
    return [each async for each in await stream][-1]


CALLS = {
    "achat": lambda llm: llm.achat(HI),
    "acomplete": lambda llm: llm.acomplete("hi"),
    "astream_chat": lambda llm: last(llm.astream_chat(HI)),
    "astream_complete": lambda llm: last(llm.astream_complete("hi")),
    "achat_with_tools": lambda llm: llm.achat_with_tools([CLOCK], user_msg="hi"),
    "astream_chat_with_tools": lambda llm: last(
        llm.astream_chat_with_tools([CLOCK], user_msg="hi")
    ),
    "apredict_and_call": lambda llm: llm.apredict_and_call([CLOCK], user_msg="hi"),
    "astructured_predict": lambda llm: llm.astructured_predict(City, PROMPT),
    "astream_structured_predict": lambda llm: last(llm.astream_structured_predict(City, PROMPT)),
}


@pytest.fixture
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: Any, **__: Any) -> None:
        raise AssertionError("an async method must not use a thread")

    monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "run_in_executor", forbidden)
    monkeypatch.setattr(threading.Thread, "start", forbidden)


@pytest.mark.usefixtures("no_threads")
@pytest.mark.parametrize("call", CALLS)
async def test_no_thread_and_no_blocking_client_is_used(emulator, make_llm, call):
    def forbidden(_: httpx.Request) -> httpx.Response:
        raise AssertionError("an async method must not block")

    called = [] if "structured" in call else [("clock", {})]
    emulator.answer('{"name": "Paris"}', tool_calls=called)
    with httpx.Client(transport=httpx.MockTransport(forbidden)) as blocking:
        llm: Doubao = make_llm(http_client=blocking, structured_output="prompt")
        assert await CALLS[call](llm)
    assert len(emulator.requests) == 1


async def test_streams_are_read_side_by_side(emulator, llm):
    emulator.answer("Tea is green.", times=2)
    both_begun = asyncio.Barrier(2)

    async def read() -> str:
        async with aclosing(await llm.astream_chat(HI)) as responses:
            first = await anext(responses)
            await both_begun.wait()
            return first.delta + "".join([each.delta async for each in responses])

    async with asyncio.timeout(5):
        assert await asyncio.gather(read(), read()) == ["Tea is green."] * 2
