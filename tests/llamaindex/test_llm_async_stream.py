"""An asynchronous stream ends as a generator would, whoever ends it."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncGenerator

import pytest
from llama_index.core.base.llms.types import ChatMessage

from llamaindex_doubao.responses import Reading
from llamaindex_doubao.streaming import AsyncResponses

READING = Reading(names={})
HI = [ChatMessage(content="hi")]


@pytest.fixture
async def responses(make_llm):
    """Return the responses of a stream as they are before LlamaIndex wraps them."""
    async with make_llm() as llm:
        request = {"model": llm.model, "messages": [{"role": "user", "content": "hi"}]}
        events = llm._async_client.stream_chat(**request)
        yield AsyncResponses(events, READING, lambda response: response.delta)


def test_it_counts_as_a_generator():
    """LlamaIndex reports the end of nothing else."""
    assert issubclass(AsyncResponses, AsyncGenerator)


async def test_after_the_end_nothing_comes(responses):
    assert "".join([delta async for delta in responses])
    assert [delta async for delta in responses] == []


async def test_after_closing_nothing_comes(responses):
    assert await anext(responses) is not None
    await responses.aclose()
    assert [delta async for delta in responses] == []
    await responses.aclose()


async def test_what_is_thrown_into_it_comes_out_and_closes_it(responses):
    await anext(responses)
    with pytest.raises(KeyError):
        await responses.athrow(KeyError("k"))
    assert [delta async for delta in responses] == []


async def test_after_an_error_nothing_comes():
    async def events():
        raise OSError
        yield

    broken = AsyncResponses(events(), READING, lambda response: response.delta)
    with pytest.raises(OSError):
        await anext(broken)
    assert [delta async for delta in broken] == []


@pytest.mark.parametrize("held", [False, True], ids=["dropped", "held"])
@pytest.mark.parametrize("method", ["astream_chat", "astream_complete"])
def test_a_stream_that_is_left_as_its_loop_ends_says_nothing(
    make_llm, emulator, caplog, method, held
):
    """The loop closes all asynchronous generators at once, with those that close each other."""
    emulator.answer(events=['{"choices":[{"delta":{"content":"a"}}]}'] * 1000, interval=0.01)
    llm, streams = make_llm(), []

    async def main() -> None:
        stream = await getattr(llm, method)(HI if method == "astream_chat" else "hi")
        await anext(stream)
        if held:
            streams.append(stream)

    asyncio.run(main())
    gc.collect()
    # The emulator, in the same process, may warn that nobody reads the rest.
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
