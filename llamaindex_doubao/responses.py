"""Answers of the wire to LlamaIndex responses (ark.md 4.3, 4.4). Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    CompletionResponse,
    LogProb,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)

from doubao_core import ChatCompletion, Usage
from llamaindex_doubao.lazy_response import LazyCompletionResponse
from llamaindex_doubao.parts import JSON
from llamaindex_doubao.unchecked import build


class Call(NamedTuple):
    """A tool call; ``arguments`` is the JSON text as the model wrote it, so far."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How the answer to one request is read.

    Attributes:
        names: Names of tools that the wire cannot carry, by what it carries instead.
        one_call: Keep the first tool call only, as ``parallel_tool_calls=False`` asks.
        logprobs: Whether log probabilities were asked for.
    """

    names: Mapping[str, str]
    one_call: bool = False
    logprobs: bool = False

    def calls(self, calls: Sequence[Call]) -> Sequence[Call]:
        """Give the calls to show: under the caller's names, and only as many as it allows."""
        kept = calls[:1] if self.one_call else calls
        if not self.names:
            return kept
        return [call._replace(name=self.names.get(call.name, call.name)) for call in kept]


def chat_response(answer: ChatCompletion, reading: Reading) -> ChatResponse:
    """Turn a whole answer into a response; ``raw`` is the wire's JSON as it came."""
    usage = answer.usage
    calls = [
        Call(call.id or missing_id(answer.id, position), call.name, call.arguments)
        for position, call in enumerate(answer.tool_calls)
    ]
    thinking = None
    if answer.reasoning_content or answer.encrypted_content:
        thinking = thinking_block(
            answer.reasoning_content,
            answer.encrypted_content,
            usage.reasoning_tokens if usage else None,
        )
    return ChatResponse(
        message=message(thinking, answer.content, reading.calls(calls), complete=True),
        raw=answer.raw,
        logprobs=log_probabilities(answer.choice) if reading.logprobs else None,
        additional_kwargs=facts(usage, answer.raw, answer.finish_reason, answer.request_id),
    )


def message(
    thinking: ThinkingBlock | None, text: str, calls: Sequence[Call], *, complete: bool
) -> ChatMessage:
    """Put an assistant message together: reasoning, text, tool calls.

    ``additional_kwargs["tool_calls"]`` repeats the calls as plain dicts and is absent without any:
    LlamaIndex's streaming programs and chat engines look there, not at the blocks.

    Args:
        thinking: The reasoning, if any.
        text: What the model says; without any, and with calls, there is no text block.
        calls: Tool calls.
        complete: Whether arguments are all there; until then they stay the text that has come.
    """
    blocks: list[Any] = [] if thinking is None else [thinking]
    if text or not calls:
        blocks.append(build(TextBlock, {"block_type": "text", "text": text}, {"text"}))
    extra: JSON = {}
    if calls:
        blocks.extend(_call_block(call, complete=complete) for call in calls)
        extra["tool_calls"] = [_call_dict(call) for call in calls]
    fields = {"role": MessageRole.ASSISTANT, "additional_kwargs": extra, "blocks": blocks}
    return build(ChatMessage, fields, {"role", "additional_kwargs", "blocks"})


def thinking_block(text: str, encrypted: str, tokens: int | None) -> ThinkingBlock:
    """Keep the reasoning, and its sealed form, which has to go back unchanged (ark.md 4.6)."""
    fields = {
        "block_type": "thinking",
        "content": text,
        "num_tokens": tokens,
        "additional_information": {"encrypted_content": encrypted} if encrypted else {},
    }
    return build(ThinkingBlock, fields, {"content", "num_tokens", "additional_information"})


def facts(
    usage: Usage | None, raw: JSON, finish_reason: str | None, request_id: str | None
) -> JSON:
    """Give what LlamaIndex and its users look for beside the message, as far as it is known."""
    known = {
        "prompt_tokens": usage and usage.prompt_tokens,
        "completion_tokens": usage and usage.completion_tokens,
        "total_tokens": usage and usage.total_tokens,
        "cached_tokens": usage and usage.cached_tokens,
        "reasoning_tokens": usage and usage.reasoning_tokens,
        "finish_reason": finish_reason,
        "request_id": request_id,
        "service_tier": raw.get("service_tier"),
        "model": raw.get("model"),
    }
    return {name: value for name, value in known.items() if value is not None}


def log_probabilities(choice: JSON) -> list[list[LogProb]] | None:
    """Read the log probabilities of a choice: for each token its alternatives."""
    tokens = (choice.get("logprobs") or {}).get("content")
    if not tokens:
        return None
    return [[_log_prob(each) for each in token.get("top_logprobs") or [token]] for token in tokens]


def completion_response(response: ChatResponse) -> CompletionResponse:
    """Turn a chat response into a completion response.

    A completion has no blocks: once the answer is whole, its reasoning is under ``"thinking"``
    and its tool calls under ``"tool_calls"``, beside the facts. Before that the text is put
    together when it is read.
    """
    if response.delta is not None and "finish_reason" not in response.additional_kwargs:
        return LazyCompletionResponse.of(
            lambda: response.message.content or "",
            raw=response.raw,
            delta=response.delta,
            logprobs=response.logprobs,
            additional_kwargs=response.additional_kwargs,
        )
    extra = {**response.message.additional_kwargs, **response.additional_kwargs}
    thoughts = [block for block in response.message.blocks if isinstance(block, ThinkingBlock)]
    if thoughts:
        extra["thinking"] = "".join(block.content or "" for block in thoughts)
    return CompletionResponse(
        text=response.message.content or "",
        additional_kwargs=extra,
        raw=response.raw,
        logprobs=response.logprobs,
        delta=response.delta,
    )


def missing_id(answer_id: str, position: int) -> str:
    """Make an id for a call that came without one: agents match results to calls by it."""
    return f"call_{answer_id}_{position}"


def whole_arguments(text: str) -> JSON | None:
    """Read the finished arguments of a call; ``None`` if they are no JSON object.

    Models write raw line breaks into strings, and nothing for no arguments.
    """
    if not text.strip():
        return {}
    try:
        parsed = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def _call_block(call: Call, *, complete: bool) -> ToolCallBlock:
    arguments: Any = call.arguments
    if complete and (parsed := whole_arguments(arguments)) is not None:
        # What is no JSON object stays as the model wrote it, as evidence.
        arguments = parsed
    fields = {
        "block_type": "tool_call",
        "tool_call_id": call.id,
        "tool_name": call.name,
        "tool_kwargs": arguments,
    }
    return build(ToolCallBlock, fields, {"tool_call_id", "tool_name", "tool_kwargs"})


def _call_dict(call: Call) -> JSON:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}


def _log_prob(token: Mapping[str, Any]) -> LogProb:
    return LogProb(
        token=token.get("token") or "",
        logprob=token.get("logprob") or 0.0,
        bytes=token.get("bytes") or [],
    )
