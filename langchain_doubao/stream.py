"""The events of one streamed answer to chunks that any consumer merges to the same message.

Three consumers add up the same chunks: ``+``, content blocks (v1) and protocol events (v3). They
concatenate equal strings and add equal numbers, so whatever describes the whole answer (usage,
model, finish reason) is said once, by the last chunk; and tool calls are made plain, whatever
dialect they came in (``fragments``).
"""

from __future__ import annotations

from typing import Any, TypeAlias

from langchain_core.messages import AIMessageChunk
from langchain_core.messages.tool import ToolCallChunk

from doubao_core import ChatDelta, Usage
from langchain_doubao.blocks import PROVIDER, REASONING, SEAL
from langchain_doubao.fragments import Calls
from langchain_doubao.responses import fragment_chunk, metadata, text_chunk, usage

JSON: TypeAlias = dict[str, Any]


class ChunkStream:
    """Turns the events of one answer into chunks: ``feed`` each, then ``close`` once.

    Args:
        id_: Id of the message; core gives one to the chunks that have none.
    """

    def __init__(self, id_: str | None = None) -> None:
        self._id = id_
        self._calls = Calls()
        self._usage: JSON | None = None
        self._described: JSON = {}
        self._logprobs: list[JSON] = []
        self._seal = ""

    def feed(self, delta: ChatDelta) -> AIMessageChunk | None:
        """Take an event; gives the chunk for it if it brings something new."""
        if delta.usage:
            # It may come on every event, each time as the sum so far.
            self._usage = delta.usage
        if delta.finish_reason and not self._described:
            self._described = metadata(delta.raw, delta.choice, delta.request_id)
        if "logprobs" in delta.choice:
            self._logprobs += (delta.choice["logprobs"] or {}).get("content") or ()
        if delta.tool_calls or delta.encrypted_content:
            return self._mixed(delta)
        if delta.reasoning_content:
            return text_chunk(delta.content, {REASONING: delta.reasoning_content}, self._id)
        return text_chunk(delta.content, None, self._id) if delta.content else None

    def close(self) -> list[AIMessageChunk]:
        """Give the last chunks: what calls still lack, then what describes the whole answer."""
        described = self._described
        if self._logprobs:
            described["logprobs"] = {"content": self._logprobs}
        last = AIMessageChunk(
            content="",
            response_metadata=described,
            usage_metadata=usage(Usage.parse(self._usage)) if self._usage else None,
            chunk_position="last",
            **self._named(),
        )
        chunks = [last]
        if missing := self._calls.endings(described.get("id") or ""):
            chunks.insert(0, self._chunk("", {}, missing))
        return chunks

    def _mixed(self, delta: ChatDelta) -> AIMessageChunk | None:
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
                return fragment_chunk(text, index, self._id)
        if not fragments and not kwargs and not delta.content:
            return None
        return self._chunk(delta.content, kwargs, fragments)

    def _chunk(self, content: str, kwargs: JSON, fragments: list[ToolCallChunk]) -> AIMessageChunk:
        return AIMessageChunk(
            content=content,
            additional_kwargs=kwargs,
            tool_call_chunks=fragments,
            response_metadata={"model_provider": PROVIDER},
            **self._named(),
        )

    def _named(self) -> JSON:
        """Say the id, if there is one: as a field that is set only when it was given."""
        return {} if self._id is None else {"id": self._id}
