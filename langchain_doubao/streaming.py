"""Streaming of ``ChatDoubao``: the hooks that core calls, and a way for streams nobody listens to.

Core's ``stream`` keeps every chunk of an answer until its end, since a callback handler may want
the sum of them. With no handler the sum is made for nobody, and yet thousands of live chunks cost
more than making them: the garbage collector visits each again and again. So a stream without
handlers goes a way of its own here, which gives each chunk and forgets it. Its chunks are the same
(``tests/langchain/test_chat_unheard.py``, ``test_chat_views.py``).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, closing
from types import FunctionType
from typing import Any, TypeAlias

from langchain_core.callbacks import (
    AsyncCallbackManager,
    AsyncCallbackManagerForLLMRun,
    CallbackManager,
    CallbackManagerForLLMRun,
)
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.runnables import RunnableConfig, ensure_config
from langchain_core.utils.utils import LC_ID_PREFIX
from langchain_core.utils.uuid import uuid7
from typing_extensions import Generator, override

from langchain_doubao.errors import translated
from langchain_doubao.messages import to_wire
from langchain_doubao.responses import generation_chunk
from langchain_doubao.settings import ChatSettings
from langchain_doubao.stream import ChunkStream

JSON: TypeAlias = dict[str, Any]
_Chunks: TypeAlias = AsyncGenerator[AIMessageChunk, None]


class StreamingChat(ChatSettings):
    """A chat model's request and its streams; blocking and awaiting differ in ``await`` alone."""

    def _request(
        self, messages: list[BaseMessage], stop: list[str] | None, call: JSON, *, stream: bool
    ) -> JSON:
        send_reasoning = call.pop("send_reasoning", self.send_reasoning)
        stream_usage = call.pop("stream_usage", self.stream_usage)
        check_parameters = call.pop("check_parameters", self.check_parameters)
        request = {"model": self.model, **self.request_options(stop, call)}
        request["messages"] = to_wire(messages, send_reasoning=send_reasoning)
        request["check_parameters"] = check_parameters
        if stream and stream_usage:
            request.setdefault("stream_options", {"include_usage": True})
        elif not stream:
            request.pop("stream_options", None)
        return request

    def _chunks(
        self, messages: list[BaseMessage], stop: list[str] | None, call: JSON, id_: str | None
    ) -> Generator[AIMessageChunk]:
        stream = ChunkStream(id_)
        with translated():
            request = self._request(messages, stop, call, stream=True)
            with closing(self._blocking().stream_chat(**request)) as deltas:
                for delta in deltas:
                    if (chunk := stream.feed(delta)) is not None:
                        yield chunk
        yield from stream.close()

    async def _achunks(
        self, messages: list[BaseMessage], stop: list[str] | None, call: JSON, id_: str | None
    ) -> _Chunks:
        stream = ChunkStream(id_)
        with translated():
            request = self._request(messages, stop, call, stream=True)
            async with aclosing(self._awaiting().stream_chat(**request)) as deltas:
                async for delta in deltas:
                    if (chunk := stream.feed(delta)) is not None:
                        yield chunk
        for chunk in stream.close():
            yield chunk

    @override
    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        with closing(self._chunks(messages, stop, kwargs, None)) as chunks:
            for chunk in chunks:
                generation = generation_chunk(chunk)
                if run_manager:
                    run_manager.on_llm_new_token(generation.text, chunk=generation)
                yield generation

    @override
    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        async with aclosing(self._achunks(messages, stop, kwargs, None)) as chunks:
            async for chunk in chunks:
                generation = generation_chunk(chunk)
                if run_manager:
                    await run_manager.on_llm_new_token(generation.text, chunk=generation)
                yield generation

    @override
    def stream(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> Iterator[AIMessageChunk]:
        """Stream an answer (ark.md 4.4); see ``BaseChatModel.stream``."""
        if (unheard := self._unheard(input, config, kwargs, CallbackManager)) is None:
            yield from super().stream(input, config, stop=stop, **kwargs)
            return
        messages, id_ = unheard
        if self.rate_limiter:
            self.rate_limiter.acquire(blocking=True)
        with closing(self._chunks(messages, stop, kwargs, id_)) as chunks:
            # Not ``yield from``: what is thrown in here is not to be taken for the service's error.
            for chunk in chunks:  # noqa: UP028
                yield chunk

    @override
    async def astream(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[AIMessageChunk]:
        """Stream an answer (ark.md 4.4); see ``BaseChatModel.astream``."""
        if (unheard := self._unheard(input, config, kwargs, AsyncCallbackManager)) is None:
            heard = super().astream(input, config, stop=stop, **kwargs)
            async for chunk in heard:
                try:
                    yield chunk
                except BaseException as error:
                    # What is thrown in here, by ``aclose``, too, is core's to tell the handlers.
                    # A tracer in the place of core's method need not give a generator.
                    if isinstance(heard, AsyncGenerator):
                        await heard.athrow(error)
                    raise
            return
        messages, id_ = unheard
        if self.rate_limiter:
            await self.rate_limiter.aacquire(blocking=True)
        async with aclosing(self._achunks(messages, stop, kwargs, id_)) as chunks:
            async for chunk in chunks:
                yield chunk

    def _unheard(
        self,
        given: LanguageModelInput,
        config: RunnableConfig | None,
        call: JSON,
        manager: type[CallbackManager | AsyncCallbackManager],
    ) -> tuple[list[BaseMessage], str] | None:
        """Give the messages, and the answer's id, of a stream that only its caller listens to.

        ``None`` if a callback handler does, or somebody stands in the place of core's method, or if
        core does more than to pass messages and chunks on: it rewrites content blocks, makes blocks
        of the chunks (``output_version="v1"``) or calls ``invoke`` since streaming is disabled; or
        if a subclass has hooks of its own.
        """
        async_api = manager is AsyncCallbackManager
        kind = type(self)
        hooks = (kind._stream, kind._astream)  # noqa: SLF001 - of this class
        if (
            self.output_version == "v1"
            or hooks != (StreamingChat._stream, StreamingChat._astream)
            or not self._should_stream(async_api=async_api, **{**call, "stream": True})
            or not _original(BaseChatModel.astream if async_api else BaseChatModel.stream)
        ):
            return None
        config = ensure_config(config)
        # Core's own list, with what the environment, contexts and global switches add to it.
        listeners = manager.configure(config.get("callbacks"), self.callbacks, verbose=self.verbose)
        if listeners.handlers:
            return None
        messages = self._convert_input(given).to_messages()
        if any(map(_may_be_rewritten, messages)):
            return None
        return messages, f"{LC_ID_PREFIX}-{config.get('run_id') or uuid7()}"


def _original(method: Any) -> bool:
    """Whether a method is core's own: some tracers put a wrapper in its place."""
    plain = isinstance(method, FunctionType) and not hasattr(method, "__wrapped__")
    return plain and method.__module__ == BaseChatModel.__module__


def _may_be_rewritten(message: BaseMessage) -> bool:
    """Whether core may rewrite a block of a message: sound, a file, or one as before v1."""
    return isinstance(message.content, list) and any(
        isinstance(block, dict)
        and ("source_type" in block or block.get("type") in {"input_audio", "file"})
        for block in message.content
    )
