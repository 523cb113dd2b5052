"""Events of a streamed answer to cumulative responses, each a snapshot of its moment."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from functools import partial
from math import inf
from typing import Any, Generic, NamedTuple, TypeVar

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, LogProb

from doubao_core import ChatDelta, Usage
from llamaindex_doubao.lazy_response import LazyChatResponse
from llamaindex_doubao.parts import JSON
from llamaindex_doubao.responses import (
    Call,
    Reading,
    facts,
    log_probabilities,
    message,
    missing_id,
    thinking_block,
)

R = TypeVar("R")


class GrowingText:
    """Text that grows by pieces and can be read as it was after any of them.

    Pieces are only ever added, so a reader in another thread sees each prefix whole.
    """

    __slots__ = ("_joined", "pieces")

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self._joined = (0, "")

    def upto(self, count: int) -> str:
        """Give the text of the first *count* pieces; cheap in the order in which they came."""
        known, text = self._joined
        if count < known:
            return "".join(self.pieces[:count])
        if count > known:
            text += "".join(self.pieces[known:count])
            self._joined = (count, text)
        return text


class _Fragments:
    """One tool call while it comes in; *substitute* goes for its id until it has one."""

    __slots__ = ("_substitute", "arguments", "id", "index", "name")

    def __init__(self, index: int | None, substitute: str) -> None:
        self.index = index
        self._substitute = substitute
        self.id = ""
        self.name = ""
        self.arguments = GrowingText()

    def add(self, fragment: JSON) -> None:
        function = fragment.get("function") or {}
        # A later fragment may repeat id and name, or have them empty (ark.md 4.4).
        self.id = self.id or fragment.get("id") or ""
        self.name = self.name or function.get("name") or ""
        if text := function.get("arguments"):
            self.arguments.pieces.append(text)

    def snapshot(self) -> _CallSoFar:
        call_id = self.id or self._substitute
        return _CallSoFar(call_id, self.name, self.arguments, len(self.arguments.pieces))


class _CallSoFar(NamedTuple):
    id: str
    name: str
    arguments: GrowingText
    pieces: int


class _Rest(NamedTuple):
    """What changes once in a stream, if at all; replaced, never changed: snapshots share it."""

    encrypted: str = ""
    complete: bool = False
    reasoning_tokens: int | None = None


class StreamedAnswer:
    """Takes the events of one stream and gives a response for each.

    Args:
        reading: How the answer is read.
    """

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._text = GrowingText()
        self._reasoning = GrowingText()
        self._calls: list[_Fragments] = []
        self._called: tuple[_CallSoFar, ...] = ()
        self._rest = _Rest()
        self._finish_reason: str | None = None
        self._request_id: str | None = None
        self._usage: JSON | None = None
        self._last: ChatDelta | None = None

    def add(self, event: ChatDelta) -> ChatResponse:
        """Take the next event and give the response so far."""
        self._last = event
        extra: JSON = {}
        if event.content:
            self._text.pieces.append(event.content)
        if event.reasoning_content:
            self._reasoning.pieces.append(event.reasoning_content)
            # Agents look for it here, and nowhere else.
            extra["thinking_delta"] = event.reasoning_content
        if event.tool_calls:
            self._merge(event)
            self._called = tuple([call.snapshot() for call in self._calls])
        if event.encrypted_content:
            self._rest = self._rest._replace(encrypted=event.encrypted_content)
        if event.finish_reason or event.usage:
            extra.update(self._ending(event))
        logprobs = log_probabilities(event.choice) if self._reading.logprobs else None
        return self._response(event.raw, event.content, extra, logprobs)

    def closing(self) -> ChatResponse | None:
        """Give what must still be said when the events are over, or ``None``.

        The last response has to carry the usage.
        """
        last = self._last
        if last is None or last.usage or not self._usage:
            return None
        raw = {**last.raw, "choices": [], "usage": self._usage}
        return self._response(raw, "", self._facts(raw))

    def _response(
        self,
        raw: JSON,
        delta: str,
        extra: JSON,
        logprobs: list[list[LogProb]] | None = None,
    ) -> ChatResponse:
        texts, thoughts = len(self._text.pieces), len(self._reasoning.pieces)
        return LazyChatResponse.of(
            partial(self._message, texts, thoughts, self._called, self._rest),
            raw=raw,
            delta=delta,
            logprobs=logprobs,
            additional_kwargs=extra,
        )

    def _message(
        self, texts: int, thoughts: int, called: tuple[_CallSoFar, ...], rest: _Rest
    ) -> ChatMessage:
        thinking = None
        if thoughts or rest.encrypted:
            thinking = thinking_block(
                self._reasoning.upto(thoughts), rest.encrypted, rest.reasoning_tokens
            )
        calls = self._given(called) if called else ()
        return message(thinking, self._text.upto(texts), calls, complete=rest.complete)

    def _given(self, called: tuple[_CallSoFar, ...]) -> Sequence[Call]:
        return self._reading.calls(
            [Call(call.id, call.name, call.arguments.upto(call.pieces)) for call in called]
        )

    def _ending(self, event: ChatDelta) -> JSON:
        if event.finish_reason:
            # Some servers send a second one, which says less.
            self._finish_reason = self._finish_reason or event.finish_reason
            self._request_id = self._request_id or event.request_id
            self._rest = self._rest._replace(complete=True)
        if event.usage:
            self._usage = event.usage
            tokens = Usage.parse(event.usage).reasoning_tokens
            self._rest = self._rest._replace(reasoning_tokens=tokens)
        return self._facts(event.raw)

    def _facts(self, raw: JSON) -> JSON:
        usage = Usage.parse(self._usage) if self._usage else None
        return facts(usage, raw, self._finish_reason, self._request_id)

    def _merge(self, event: ChatDelta) -> None:
        for fragment in event.tool_calls or ():
            index = fragment.get("index")
            call = self._known(fragment)
            if call is None:
                substitute = missing_id(event.raw.get("id") or "", len(self._calls))
                call = _Fragments(index, substitute)
                self._calls.append(call)
                # Their order is that of the indices, in whatever order they begin.
                self._calls.sort(key=lambda each: inf if each.index is None else each.index)
            call.add(fragment)

    def _known(self, fragment: JSON) -> _Fragments | None:
        """Find the call that a fragment belongs to."""
        index, call_id = fragment.get("index"), fragment.get("id")
        there = [call for call in self._calls if index is None or call.index == index]
        last = there[-1] if there else None
        if last is None or not call_id or last.id in ("", call_id):
            return last
        named = next((call for call in there if call.id == call_id), None)
        # The same index with another id is another call; but some servers make an id for each
        # fragment, and only a call that begins has a name.
        begins = index is None or (fragment.get("function") or {}).get("name")
        return named or (None if begins else last)


class AsyncResponses(AsyncGenerator[R], Generic[R]):
    """The responses of a stream, to be used like an asynchronous generator.

    It is none, so that *events* are the only one: LlamaIndex drops what it reads from without
    closing it, and an event loop that ends closes all generators at once, those that are about to
    close each other, too.

    Args:
        events: Events of the stream.
        reading: How the answer is read.
        shape: Makes a response for a chat into what is to be given.
    """

    def __init__(
        self,
        events: AsyncGenerator[ChatDelta],
        reading: Reading,
        shape: Callable[[ChatResponse], R],
    ) -> None:
        self._events = events
        self._answer = StreamedAnswer(reading)
        self._shape = shape
        self._over = False

    def __anext__(self) -> Coroutine[Any, Any, R]:
        return self.asend(None)

    async def asend(self, _value: None) -> R:
        """Give the next response."""
        try:
            event = await anext(self._events)
        except StopAsyncIteration:
            rest = None if self._over else self._answer.closing()
            self._over = True
            if rest is None:
                raise
            return self._shape(rest)
        except BaseException:
            self._over = True
            raise
        return self._shape(self._answer.add(event))

    async def athrow(self, typ: Any, val: Any = None, tb: Any = None) -> R:
        """Close the stream and raise."""
        await self.aclose()
        return await super().athrow(typ, val, tb)

    async def aclose(self) -> None:
        """Close the stream, which frees its connection."""
        self._over = True
        await self._events.aclose()
