"""A stream that no callback handler listens to goes a way of its own; its chunks are the same.

``test_chat_views`` compares them, ``test_chat_messages`` most requests.
Whoever does listen, by whatever means, hears every token and the end.
"""

from __future__ import annotations

import asyncio
import functools
import weakref
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler, get_usage_metadata_callback
from langchain_core.globals import set_debug
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, HumanMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.rate_limiters import BaseRateLimiter
from langchain_core.runnables import RunnableLambda

from doubao_core import DoubaoError, RateLimited
from langchain_doubao import ChatDoubao

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from doubao_emulator import Emulator

WORDS = [{"choices": [{"index": 0, "delta": {"content": f"w{n} "}}]} for n in range(20)]
MODEL = "doubao-seed-2-0-lite-260428"
USAGE = {"prompt_tokens": 10, "completion_tokens": 7, "total_tokens": 17}
COUNTED = {"choices": [], "usage": USAGE, "model": MODEL}
END = {"model": MODEL, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
LAST_WORD = "w19 "
BOTH = pytest.mark.parametrize("way", ["stream", "astream"])


class Listener(BaseCallbackHandler):
    """Notes what it hears."""

    def __init__(self) -> None:
        self.tokens: list[Any] = []
        self.ended: list[Any] = []
        self.failed: list[BaseException] = []

    def on_llm_new_token(self, token: Any, **_: Any) -> None:
        self.tokens.append(token)

    def on_llm_end(self, response: Any, **_: Any) -> None:
        self.ended.append(response)

    def on_llm_error(self, error: BaseException, **_: Any) -> None:
        self.failed.append(error)


async def streamed(way: str, model: Any, *arguments: Any, **kwargs: Any) -> list[Any]:
    if way == "stream":
        return await asyncio.to_thread(lambda: list(model.stream(*arguments, **kwargs)))
    return [chunk async for chunk in model.astream(*arguments, **kwargs)]


@BOTH
async def test_nothing_is_kept_of_chunks_that_were_passed_on(
    way: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    """Core would keep them all to the end, which is why this way is there."""
    emulator.answer(events=[*WORDS, END, "[DONE]"])
    model, seen = chat(), []
    alive = []

    def note(chunk: AIMessageChunk) -> None:
        seen.append(weakref.ref(chunk))
        alive.append(sum(ref() is not None for ref in seen))

    if way == "stream":
        for chunk in model.stream("Go"):
            note(chunk)
    else:
        async for chunk in model.astream("Go"):
            note(chunk)
    assert len(seen) == len(WORDS) + 1
    # This chunk, and the one before it that the loop's variable still held.
    assert max(alive) <= 2
    await model.aclose()


@BOTH
@pytest.mark.parametrize("means", ["config", "constructor", "chain", "calling runnable"])
async def test_whoever_listens_hears_every_token_and_the_end(
    way: str, means: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    emulator.answer(events=[*WORDS, END, "[DONE]"])
    listener = Listener()
    model = chat(callbacks=[listener] if means == "constructor" else None)
    runnable: Any = model
    if means == "chain":
        runnable = model | StrOutputParser()
    elif means == "calling runnable":
        # The config comes through a context variable, not through an argument.
        runnable = RunnableLambda(lambda _: "".join(c.text for c in model.stream("Go")))
        if way == "astream":

            async def called(_: Any) -> str:
                return "".join([chunk.text async for chunk in model.astream("Go")])

            runnable = RunnableLambda(called)
    config = {} if means == "constructor" else {"callbacks": [listener]}
    await streamed(way, runnable, "Go", config)
    assert listener.tokens == [*(f"w{n} " for n in range(20)), ""]
    (response,) = listener.ended
    assert response.generations[0][0].text == "".join(listener.tokens)
    await model.aclose()


@BOTH
@pytest.mark.parametrize("switch", ["debug", "usage callback"])
async def test_switches_that_add_a_listener_are_seen(
    way: str,
    switch: str,
    emulator: Emulator,
    chat: Callable[..., ChatDoubao],
    capsys: pytest.CaptureFixture[str],
) -> None:
    emulator.answer(events=[*WORDS, END, COUNTED, "[DONE]"])
    model = chat()
    counting: Any = get_usage_metadata_callback() if switch == "usage callback" else nullcontext()
    set_debug(switch == "debug")
    try:
        with counting as counted:
            await streamed(way, model, "Go")
    finally:
        set_debug(False)
    if switch == "usage callback":
        (usage,) = counted.usage_metadata.values()
        assert usage["total_tokens"] == 17
    else:
        assert LAST_WORD in capsys.readouterr().out
    await model.aclose()


@BOTH
@pytest.mark.parametrize("wraps", [True, False])
async def test_a_tracer_in_the_place_of_cores_method_is_called(
    way: str,
    wraps: bool,
    emulator: Emulator,
    chat: Callable[..., ChatDoubao],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Some tracers wrap the methods of core's class instead of adding a handler."""
    emulator.answer(events=[*WORDS, END, "[DONE]"])
    original, called = getattr(BaseChatModel, way), []

    def traced(*arguments: Any, **kwargs: Any) -> Any:
        called.append(arguments)
        return original(*arguments, **kwargs)

    monkeypatch.setattr(BaseChatModel, way, functools.wraps(original)(traced) if wraps else traced)
    model = chat()
    await streamed(way, model, "Go")
    assert len(called) == 1
    await model.aclose()


@BOTH
async def test_a_tracer_need_not_give_a_generator(
    way: str,
    emulator: Emulator,
    chat: Callable[..., ChatDoubao],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Some give an object that can only be iterated over; nothing else is asked of it."""
    emulator.answer(events=[*WORDS, END, "[DONE]"])
    original = getattr(BaseChatModel, way)
    traced = Traced if way == "stream" else AsyncTraced
    monkeypatch.setattr(BaseChatModel, way, lambda *given, **kwargs: traced(original, given))
    model = chat()
    chunks = await streamed(way, model, "Go")
    assert len(chunks) == len(WORDS) + 1
    await model.aclose()


class Traced:
    """What a tracer gives in the place of a generator."""

    def __init__(self, original: Callable[..., Any], given: Any) -> None:
        self._chunks = original(*given)

    def __iter__(self) -> Traced:
        return self

    def __next__(self) -> Any:
        return next(self._chunks)


class AsyncTraced(Traced):
    """The same for asyncio."""

    def __aiter__(self) -> AsyncTraced:
        return self

    async def __anext__(self) -> Any:
        return await anext(self._chunks)


@BOTH
@pytest.mark.parametrize("thrown", [RateLimited("of the reader"), KeyError("of the reader")])
async def test_what_is_thrown_into_a_stream_comes_out_of_it_as_it_is(
    way: str, thrown: Exception, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    """It is the reader's, not the service's, whatever its class; handlers hear of it, too."""
    emulator.answer(events=[*WORDS, END, "[DONE]"], times=2)
    listener, model = Listener(), chat()
    for config in ({}, {"callbacks": [listener]}):
        stream = getattr(model, way)("Go", config)
        caught = None
        try:
            if way == "stream":
                next(stream)
                stream.throw(thrown)
            else:
                await anext(stream)
                await stream.athrow(thrown)
        except type(thrown) as error:
            caught = error
        assert caught is thrown
    assert listener.failed == [thrown]
    await model.aclose()


@BOTH
async def test_handlers_hear_at_once_that_a_stream_was_closed(
    way: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    emulator.answer(events=[*WORDS, END, "[DONE]"])
    listener, model = Listener(), chat()
    stream = getattr(model, way)("Go", {"callbacks": [listener]})
    if way == "stream":
        next(stream)
        stream.close()
    else:
        await anext(stream)
        await stream.aclose()
    (heard,) = listener.failed
    assert isinstance(heard, GeneratorExit)
    await model.aclose()


@BOTH
async def test_an_error_is_heard_and_raised_the_same(
    way: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    listener, model = Listener(), chat()
    raised = []
    for config in ({}, {"callbacks": [listener]}):
        with emulator.fault("model_not_open", times=1), pytest.raises(DoubaoError) as caught:
            await streamed(way, model, "Go", config)
        raised.append(caught.value)
    assert type(raised[0]) is type(raised[1])
    assert listener.failed == [raised[1]]
    await model.aclose()


# What core rewrites before the model sees it, and what of it is sent.
OLD: dict[str, tuple[Any, Any]] = {
    "pdf without a name": (
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,QUJD"}},
        {"file_data": "data:application/pdf;base64,QUJD", "filename": "document.pdf"},
    ),
    "file id with a name": (
        {"type": "file", "file": {"file_id": "file-1", "filename": "a.pdf"}},
        {"file_id": "file-1"},
    ),
    "pdf named in its metadata": (
        {
            "type": "file",
            "source_type": "base64",
            "data": "QUJD",
            "mime_type": "application/pdf",
            "metadata": {"filename": "a.pdf"},
        },
        {"file_data": "data:application/pdf;base64,QUJD", "filename": "a.pdf"},
    ),
    "sound": (
        {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "mpeg"}},
        {"data": "QUJD", "format": "mp3"},
    ),
    "image with metadata": (
        {"type": "image", "source_type": "url", "url": "https://example.com/a", "metadata": {}},
        {"url": "https://example.com/a"},
    ),
    "image of the files api": (
        {"type": "image", "source_type": "id", "id": "file-1", "mime_type": "image/png"},
        {"file_id": "file-1"},
    ),
}


@BOTH
@pytest.mark.parametrize("name", OLD)
async def test_streams_send_old_blocks_as_calls_do(
    way: str, name: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    block, wanted = OLD[name]
    question, model = [HumanMessage([block])], chat(check_parameters=False)
    # The server has no such files, which is all the same here.
    with suppress(DoubaoError):
        await model.ainvoke(question)
    for config in ({}, {"callbacks": [Listener()]}):
        with suppress(DoubaoError):
            await streamed(way, model, question, config)
    assert len(emulator.requests) == 3
    for request in emulator.requests:
        (sent,) = request.body["messages"][0]["content"]
        assert sent[sent["type"]] == wanted
    await model.aclose()


@BOTH
async def test_streams_that_are_turned_off_are_calls(
    way: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    choice = {"index": 0, "finish_reason": "stop", "message": {"content": "Whole"}}
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    for fields, call in (
        ({"disable_streaming": True}, {}),
        ({"streaming": False}, {}),
        ({"disable_streaming": "tool_calling"}, {"tools": tools}),
    ):
        emulator.answer(body={"id": "1", "choices": [choice]})
        model = chat(**fields)
        (chunk,) = await streamed(way, model, "Go", **call)
        assert chunk.text == "Whole"
        assert not emulator.requests[-1].body.get("stream")
        await model.aclose()


class Counting(BaseRateLimiter):
    """Lets everything pass and counts."""

    def __init__(self) -> None:
        self.passed = 0

    def acquire(self, *, blocking: bool = True) -> bool:
        self.passed += blocking
        return True

    async def aacquire(self, *, blocking: bool = True) -> bool:
        return self.acquire(blocking=blocking)


@BOTH
async def test_the_rate_limiter_is_asked_once_a_stream(
    way: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    emulator.answer(events=[*WORDS, END, "[DONE]"], times=2)
    limiter = Counting()
    model = chat(rate_limiter=limiter)
    await streamed(way, model, "Go")
    assert limiter.passed == 1
    await streamed(way, model, "Go", {"callbacks": [Listener()]})
    assert limiter.passed == 2
    await model.aclose()


class Shouting(ChatDoubao):
    """A subclass with a hook of its own."""

    def _stream(self, *arguments: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        for chunk in super()._stream(*arguments, **kwargs):
            chunk.message.content = chunk.text.upper()
            yield chunk


def test_hooks_of_subclasses_are_used(emulator: Emulator) -> None:
    emulator.answer(events=[*WORDS, END, "[DONE]"])
    model = Shouting(model=MODEL, api_key="k", base_url=emulator.base_url)
    assert "".join(chunk.text for chunk in model.stream("Go")).endswith(LAST_WORD.upper())
    model.close()


@BOTH
async def test_what_only_tracing_wants_is_not_sent(
    way: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    emulator.answer(events=[*WORDS, END, "[DONE]"])
    model = chat()
    await streamed(way, model, "Go", ls_structured_output_format={"kwargs": {}, "schema": {}})
    assert "ls_structured_output_format" not in emulator.requests[-1].body
    await model.aclose()
