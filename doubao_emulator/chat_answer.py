"""From what the model says to what the service returns: limits, usage, body (ark.md 4.3)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from doubao_emulator import chat_thinking, tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

    from doubao_emulator.answering.spoken import Reply
    from doubao_emulator.chat_model import ChatRequest
    from doubao_emulator.state import World
    from doubao_emulator.wire import JSON

# A summary stands for a longer chain of thought, and usage counts that one (ark.md 4.3).
_RAW_THOUGHT_FACTOR = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A tool call in the answer; `arguments` is JSON text with Ark's leading blank."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A finished answer, ready to be framed whole or as a stream."""

    id: str
    created: int
    model: str
    tier: str
    content: str
    reasoning: str = ""
    sealed: str = ""
    calls: tuple[Call, ...] = ()
    finish_reason: str = "stop"
    usage: dict[str, JSON] = field(default_factory=dict)
    top_logprobs: int | None = None


def finish(
    reply: Reply, request: ChatRequest, world: World, *, answer_id: str, cached_tokens: int
) -> Answer:
    """Apply limits to what the model says and account for it."""
    calls = tuple(
        Call(id=world.ids.tool_call(), name=name, arguments=_argument_text(arguments))
        for name, arguments in reply.calls
    )
    reasoning = reply.reasoning if request.thinks else ""
    answer = Answer(
        id=answer_id,
        created=int(world.clock.now()),
        model=request.model.id,
        tier=request.tier,
        content=_stopped(reply.content, request.stops),
        reasoning=reasoning,
        sealed=chat_thinking.seal(reasoning) if reasoning and request.model.summary else "",
        calls=calls,
        finish_reason="tool_calls" if calls else "stop",
        top_logprobs=request.top_logprobs if request.logprobs else None,
    )
    answer = _limited(answer, request)
    if reply.finish_reason:
        answer = replace(answer, finish_reason=reply.finish_reason)
    usage = _usage(answer, request, cached_tokens)
    return replace(answer, usage=_overridden(usage, reply.usage))


def body(answer: Answer) -> dict[str, JSON]:
    """Return the body of an answer that is not streamed."""
    message: dict[str, JSON] = {"role": "assistant", "content": answer.content}
    if answer.reasoning:
        message["reasoning_content"] = answer.reasoning
    if answer.sealed:
        message["encrypted_content"] = answer.sealed
    if answer.calls:
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in answer.calls
        ]
    choice: dict[str, JSON] = {
        "index": 0,
        "finish_reason": answer.finish_reason,
        "logprobs": None if answer.top_logprobs is None else logprobs(answer, answer.content),
        "message": message,
    }
    return {
        "choices": [choice],
        "created": answer.created,
        "id": answer.id,
        "model": answer.model,
        "service_tier": answer.tier,
        "object": "chat.completion",
        "usage": answer.usage,
    }


def logprobs(answer: Answer, text: str) -> dict[str, JSON]:
    """Return log probabilities of a piece of the answer: plausible, and the same each time."""
    return {
        "content": [_token_logprob(piece, answer.top_logprobs or 0) for piece in tokens.split(text)]
    }


def _token_logprob(piece: str, top: int) -> dict[str, JSON]:
    certainty = -(tokens.token_id(piece) % 100) / 100
    entry = {"token": piece, "bytes": list(piece.encode()), "logprob": certainty}
    others = [
        {
            "token": f"{piece}{rank}" if rank else piece,
            "bytes": list((f"{piece}{rank}" if rank else piece).encode()),
            "logprob": certainty - rank,
        }
        for rank in range(top)
    ]
    return {**entry, "top_logprobs": others}


def _argument_text(arguments: JSON) -> str:
    if isinstance(arguments, str):
        return arguments
    return " " + json.dumps(arguments, ensure_ascii=False)


def _stopped(content: str, stops: tuple[str, ...]) -> str:
    cuts = [position for stop in stops if (position := content.find(stop)) >= 0]
    return content[: min(cuts)] if cuts else content


def _limited(answer: Answer, request: ChatRequest) -> Answer:
    """Cut the answer where its token budget ends, with finish reason ``length``."""
    left = request.answer_limit
    if request.total_limit is not None:
        thought = _thought_tokens(answer, request)
        if thought >= request.total_limit:
            share = request.total_limit // (_RAW_THOUGHT_FACTOR if answer.sealed else 1)
            reasoning = tokens.cut(answer.reasoning, share)
            sealed = chat_thinking.seal(reasoning) if answer.sealed else ""
            return replace(
                answer,
                content="",
                reasoning=reasoning,
                sealed=sealed,
                calls=(),
                finish_reason="length",
            )
        left = min(left, request.total_limit - thought)
    spoken = tokens.count(answer.content)
    if spoken > left:
        content = tokens.cut(answer.content, left)
        return replace(answer, content=content, calls=(), finish_reason="length")
    return _limited_calls(answer, left - spoken)


def _limited_calls(answer: Answer, left: int) -> Answer:
    kept: list[Call] = []
    for call in answer.calls:
        cost = tokens.count(call.arguments)
        if cost > left:
            # As on the real service, the last call may end in half an argument.
            kept.append(replace(call, arguments=tokens.cut(call.arguments, left)))
            return replace(answer, calls=tuple(kept), finish_reason="length")
        left -= cost
        kept.append(call)
    return answer


def _thought_tokens(answer: Answer, request: ChatRequest) -> int:
    counted = tokens.count(answer.reasoning)
    return counted * (_RAW_THOUGHT_FACTOR if request.model.summary else 1)


def _usage(answer: Answer, request: ChatRequest, cached_tokens: int) -> dict[str, JSON]:
    thought = _thought_tokens(answer, request)
    called = sum(tokens.count(call.name + call.arguments) for call in answer.calls)
    completion = thought + tokens.count(answer.content) + called
    prompt_details: dict[str, JSON] = {"cached_tokens": cached_tokens}
    if request.media_tokens:
        seen = request.media_tokens
        heard = seen.get("audio", 0)
        prompt_details["image_tokens"] = sum(seen.values()) - heard
        prompt_details["text_tokens"] = request.prompt_tokens - sum(seen.values())
        if heard:
            prompt_details["audio_tokens"] = heard
    return {
        "prompt_tokens": request.prompt_tokens,
        "completion_tokens": completion,
        "total_tokens": request.prompt_tokens + completion,
        "prompt_tokens_details": prompt_details,
        "completion_tokens_details": {"reasoning_tokens": thought},
    }


def _overridden(usage: dict[str, JSON], scripted: Mapping[str, JSON] | None) -> dict[str, JSON]:
    return {**usage, **(scripted or {})}
