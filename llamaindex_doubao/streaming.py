"""Events of a streamed answer to cumulative responses, each a snapshot of its moment. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import inf
from typing import NamedTuple

from llama_index.core.base.llms.types import ChatMessage, ChatResponse

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
    """One tool call while it comes in."""

    __slots__ = ("arguments", "id", "index", "name")

    def __init__(self, index: int | None) -> None:
        self.index = index
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
        return _CallSoFar(self.id, self.name, self.arguments, len(self.arguments.pieces))


class _CallSoFar(NamedTuple):
    id: str
    name: str
    arguments: GrowingText
    pieces: int


class _Rest(NamedTuple):
    """What a snapshot holds beside its texts; replaced, never changed, so snapshots share it."""

    encrypted: str = ""
    calls: tuple[_CallSoFar, ...] = ()
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
        self._rest = _Rest()
        self._id = ""
        self._finish_reason: str | None = None
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
            self._id = event.raw.get("id") or self._id
            self._merge(event.tool_calls)
            self._rest = self._rest._replace(calls=tuple(c.snapshot() for c in self._calls))
        if event.encrypted_content:
            self._rest = self._rest._replace(encrypted=event.encrypted_content)
        if event.finish_reason or event.usage:
            extra.update(self._ending(event))
        return self._response(event.raw, event.content, extra)

    def closing(self) -> ChatResponse | None:
        """Give what must still be said when the events are over, or ``None``.

        The last response has to carry the usage, and there has to be one.
        """
        last = self._last
        if last is not None and (last.usage or not self._usage):
            return None
        raw = {**(last.raw if last else {}), "choices": [], "usage": self._usage}
        return self._response(raw, "", self._facts(raw))

    def _response(self, raw: JSON, delta: str, extra: JSON) -> ChatResponse:
        texts, thoughts = len(self._text.pieces), len(self._reasoning.pieces)
        return LazyChatResponse.of(
            partial(self._message, texts, thoughts, self._rest),
            raw=raw,
            delta=delta,
            logprobs=log_probabilities(raw) if self._reading.logprobs else None,
            additional_kwargs=extra,
        )

    def _message(self, texts: int, thoughts: int, rest: _Rest) -> ChatMessage:
        thinking = None
        if thoughts or rest.encrypted:
            thinking = thinking_block(
                self._reasoning.upto(thoughts), rest.encrypted, rest.reasoning_tokens
            )
        calls = [
            Call(
                call.id or missing_id(self._id, position),
                call.name,
                call.arguments.upto(call.pieces),
            )
            for position, call in enumerate(rest.calls)
        ]
        return message(
            thinking,
            self._text.upto(texts),
            self._reading.calls(calls),
            complete=rest.complete,
        )

    def _ending(self, event: ChatDelta) -> JSON:
        if event.finish_reason:
            self._finish_reason = event.finish_reason
            self._rest = self._rest._replace(complete=True)
        if event.usage:
            self._usage = event.usage
            tokens = Usage.parse(event.usage).reasoning_tokens
            self._rest = self._rest._replace(reasoning_tokens=tokens)
        return self._facts(event.raw)

    def _facts(self, raw: JSON) -> JSON:
        usage = Usage.parse(self._usage) if self._usage else None
        return facts(usage, raw, self._finish_reason)

    def _merge(self, fragments: Sequence[JSON]) -> None:
        for fragment in fragments:
            call = self._call(fragment.get("index"), fragment.get("id"))
            call.add(fragment)

    def _call(self, index: int | None, call_id: str | None) -> _Fragments:
        """Find the call that a fragment belongs to, or begin one."""
        for call in reversed(self._calls):
            if index is None or call.index == index:
                if call_id and call.id and call_id != call.id:
                    # The same index with another id is another call.
                    break
                return call
        call = _Fragments(index)
        self._calls.append(call)
        # Their order is that of the indices, in whatever order they begin.
        self._calls.sort(key=lambda each: inf if each.index is None else each.index)
        return call
