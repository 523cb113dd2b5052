"""The events of one streamed answer to chunks that any consumer merges to the same message.

Three consumers add up the same chunks: ``+``, content blocks (v1) and protocol events (v3). They
concatenate equal strings and add equal numbers, so whatever describes the whole answer (usage,
model, finish reason) is said once, by the last chunk; and ids, names and indices of tool calls are
made plain, whatever dialect they came in (ark.md 4.4).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from langchain_core.messages import AIMessageChunk
from langchain_core.messages.tool import ToolCallChunk, tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk

from doubao_core import ChatDelta, Usage
from langchain_doubao.blocks import PROVIDER, REASONING, SEAL
from langchain_doubao.responses import fragment_chunk, made_up_id, metadata, text_chunk, usage

JSON: TypeAlias = dict[str, Any]


class ChunkStream:
    """Turns the events of one answer into chunks: ``feed`` each, then ``close`` once."""

    def __init__(self) -> None:
        self._calls = _Calls()
        self._usage: JSON | None = None
        self._ending: JSON | None = None
        self._latest: JSON = {}
        self._logprobs: list[JSON] = []
        self._seal = ""

    def feed(self, delta: ChatDelta) -> ChatGenerationChunk | None:
        """Take an event; gives the chunk for it if it brings something new."""
        if delta.usage:
            # It may come on every event, each time as the sum so far.
            self._usage = delta.usage
        self._latest = raw = delta.raw
        if delta.finish_reason and self._ending is None:
            self._ending = raw
        if "logprobs" in (choice := raw["choices"][0] if raw.get("choices") else raw):
            self._logprobs += (choice["logprobs"] or {}).get("content") or ()
        if delta.tool_calls or delta.encrypted_content:
            return self._mixed(delta)
        if delta.reasoning_content:
            return text_chunk(delta.content, {REASONING: delta.reasoning_content})
        return text_chunk(delta.content) if delta.content else None

    def close(self) -> list[ChatGenerationChunk]:
        """Give the last chunks: ids that never came, then what describes the whole answer."""
        described = metadata(self._ending or self._latest)
        if self._logprobs:
            described["logprobs"] = {"content": self._logprobs}
        last = AIMessageChunk(
            content="",
            response_metadata=described,
            usage_metadata=usage(Usage.parse(self._usage)) if self._usage else None,
            chunk_position="last",
        )
        chunks = [ChatGenerationChunk(message=last)]
        if missing := self._calls.missing_ids(described.get("id") or ""):
            chunks.insert(0, _chunk("", {}, missing))
        return chunks

    def _mixed(self, delta: ChatDelta) -> ChatGenerationChunk | None:
        """Handle an event with tool calls or a seal, whatever else is in it."""
        kwargs: JSON = {}
        if delta.reasoning_content:
            kwargs[REASONING] = delta.reasoning_content
        if delta.encrypted_content != self._seal and delta.encrypted_content:
            # It comes whole (ark.md 4.4); a repeated one would be added to itself.
            self._seal = kwargs[SEAL] = delta.encrypted_content
        fragments = [self._calls.place(fragment) for fragment in delta.tool_calls or ()]
        if len(fragments) == 1 and not delta.content and not kwargs:
            only = fragments[0]
            text, index = only["args"] or "", only["index"]
            opens = only["id"] is not None or only["name"] is not None
            if not opens and text and index is not None and text.lstrip()[:1] != "{":
                return fragment_chunk(text, index)
        if not fragments and not kwargs and not delta.content:
            return None
        return _chunk(delta.content, kwargs, fragments)


def _chunk(content: str, kwargs: JSON, fragments: list[ToolCallChunk]) -> ChatGenerationChunk:
    return ChatGenerationChunk(
        message=AIMessageChunk(
            content=content,
            additional_kwargs=kwargs,
            tool_call_chunks=fragments,
            response_metadata={"model_provider": PROVIDER},
        )
    )


@dataclass(slots=True)
class _Call:
    """What has been told of one call so far."""

    index: int
    id: str | None = None
    name: str | None = None


class _Calls:
    """Gives each fragment the index of its call, and tells ids and names only once."""

    def __init__(self) -> None:
        self._all: list[_Call] = []
        self._at: dict[int, _Call] = {}

    def place(self, fragment: Mapping[str, Any]) -> ToolCallChunk:
        """Convert a fragment; empty ids and names are none, repeated ones were told."""
        function = fragment.get("function") or {}
        id_, name = fragment.get("id") or None, function.get("name") or None
        call = self._call(fragment.get("index"), id_, name)
        told_id = id_ if call.id is None else None
        told_name = name if call.name is None else None
        call.id, call.name = call.id or id_, call.name or name
        return tool_call_chunk(
            name=told_name, args=function.get("arguments") or "", id=told_id, index=call.index
        )

    def _call(self, index: Any, id_: str | None, name: str | None) -> _Call:
        if isinstance(index, int):
            known = self._at.get(index)
            # Some servers give every call the index 0: a new id with a name is a new call.
            if known is None or (id_ and name and known.id not in {None, id_}):
                known = self._at[index] = self._opened()
            return known
        for call in self._all:
            if id_ is not None and call.id == id_:
                return call
        if id_ is not None or not self._all:
            return self._opened()
        return self._all[-1]

    def _opened(self) -> _Call:
        self._all.append(_Call(index=len(self._all)))
        return self._all[-1]

    def missing_ids(self, answer: str) -> list[ToolCallChunk]:
        """Fragments that bring the ids which the service never gave."""
        return [
            tool_call_chunk(name=None, args="", id=made_up_id(answer, call.index), index=call.index)
            for call in self._all
            if call.id is None
        ]
