"""Streamed answers, chunk by chunk as the service cuts them (ark.md 4.4)."""

from __future__ import annotations

import itertools
import unicodedata
from typing import TYPE_CHECKING

from doubao_emulator import chat_answer, tokens, words
from doubao_emulator.sse import DONE
from doubao_emulator.wire import JSON, encode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from doubao_emulator.chat_answer import Answer, Call

# Characters per fragment, in turn. They split words, as the service's fragments do.
_LATIN_SIZES = (4, 7, 3, 9, 6, 5, 11)
_CJK_SIZES = (2, 1, 3, 2)
_ARGUMENT_SIZES = (9, 6, 12, 7)
_REASONING_SIZES = (14, 22, 9, 17)
_JOINER = "\u200d"


def frames(answer: Answer, *, usage_chunk: bool, usage_everywhere: bool) -> Iterator[bytes]:
    """Yield the framed events of an answer, the terminator last.

    Args:
        answer: What to send.
        usage_chunk: End with a chunk that has usage and no choices.
        usage_everywhere: Put the usage so far into each chunk.
    """
    chunks = _Chunks(answer, usage_everywhere=usage_everywhere)
    for fragment in fragments(answer.reasoning, _REASONING_SIZES):
        chunks.spend(fragment)
        yield chunks.frame({"content": "", "reasoning_content": fragment, "role": "assistant"})
    if answer.sealed:
        delta = {"content": "", "encrypted_content": answer.sealed, "reasoning_content": ""}
        yield chunks.frame({**delta, "role": "assistant"})
    sizes = _CJK_SIZES if words.has_cjk(answer.content) else _LATIN_SIZES
    for fragment in fragments(answer.content, sizes):
        chunks.spend(fragment)
        yield chunks.frame({"content": fragment, "role": "assistant"}, said=fragment)
    for index, call in enumerate(answer.calls):
        for entry in _call_fragments(index, call):
            chunks.spend(entry["function"]["arguments"])
            yield chunks.frame({"content": "", "role": "assistant", "tool_calls": [entry]})
    yield chunks.last()
    if usage_chunk:
        yield chunks.usage()
    yield DONE


def fragments(text: str, sizes: Sequence[int]) -> Iterator[str]:
    """Cut text into pieces of the given sizes in turn, never inside one visible character."""
    start = 0
    for size in itertools.cycle(sizes):
        if start >= len(text):
            return
        end = start + size
        while end < len(text) and _joins(text[end - 1], text[end]):
            end += 1
        yield text[start:end]
        start = end


def _joins(before: str, after: str) -> bool:
    return _JOINER in {before, after} or unicodedata.category(after) in {"Mn", "Me"}


def _call_fragments(index: int, call: Call) -> Iterator[dict[str, JSON]]:
    yield {
        "function": {"arguments": "", "name": call.name},
        "id": call.id,
        "index": index,
        "type": "function",
    }
    for fragment in fragments(call.arguments, _ARGUMENT_SIZES):
        yield {"function": {"arguments": fragment}, "index": index}


class _Chunks:
    """Frames deltas of one answer; what never changes between chunks is encoded once."""

    def __init__(self, answer: Answer, *, usage_everywhere: bool) -> None:
        self._answer = answer
        self._usage_everywhere = usage_everywhere
        self._spent = 0
        common = {
            "created": answer.created,
            "id": answer.id,
            "model": answer.model,
            "service_tier": answer.tier,
            "object": "chat.completion.chunk",
        }
        self._common = encode(common)[1:-1]

    def spend(self, text: str) -> None:
        self._spent += tokens.count(text)

    def frame(self, delta: dict[str, JSON], *, said: str | None = None) -> bytes:
        choice: dict[str, JSON] = {"delta": delta, "index": 0}
        if said is not None and self._answer.top_logprobs is not None:
            choice["logprobs"] = chat_answer.logprobs(self._answer, said)
        return self._chunk(encode([choice]))

    def last(self) -> bytes:
        choice = {
            "delta": {"content": "", "role": "assistant"},
            "finish_reason": self._answer.finish_reason,
            "index": 0,
        }
        return self._chunk(encode([choice]))

    def usage(self) -> bytes:
        return b'data: {"choices":[],%s,"usage":%s}\n\n' % (
            self._common,
            encode(self._answer.usage),
        )

    def _chunk(self, choices: bytes) -> bytes:
        usage = encode(self._usage_so_far()) if self._usage_everywhere else b"null"
        return b'data: {"choices":%s,%s,"usage":%s}\n\n' % (choices, self._common, usage)

    def _usage_so_far(self) -> dict[str, JSON]:
        final = self._answer.usage
        completion = min(self._spent, final["completion_tokens"])
        return {
            **final,
            "completion_tokens": completion,
            "total_tokens": final["prompt_tokens"] + completion,
        }
