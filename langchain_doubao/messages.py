"""LangChain messages to wire messages (ark.md 4.2): pure, table-driven, nothing is mutated.

What a message says once in LangChain is said once on the wire: reasoning comes from
``additional_kwargs`` or from content blocks, tool calls only from ``tool_calls``. Keys without a
value are left out; there are no nulls.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, TypeAlias

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from pydantic_core import to_json

from doubao_core.errors import ConfigError
from langchain_doubao.blocks import PROVIDER, REASONING, SEAL
from langchain_doubao.parts import part

JSON: TypeAlias = dict[str, Any]
SendReasoning: TypeAlias = bool | Literal["tool_calls"]

_TEXTS = frozenset({"text", "output_text"})


def to_wire(messages: Sequence[BaseMessage], *, send_reasoning: SendReasoning = True) -> list[JSON]:
    """Convert a conversation.

    Args:
        messages: Messages of any provider, in any content format.
        send_reasoning: Whether assistant messages take their reasoning with them; with
            ``"tool_calls"`` only those that call tools do.

    Raises:
        TypeError: A message class that has no counterpart on the wire.
        ConfigError: A content block that the service does not take, or arguments of a tool call
            that cannot be JSON.
    """
    return [_converted(message, send_reasoning) for message in messages]


def _converted(message: BaseMessage, send_reasoning: SendReasoning) -> JSON:
    for kind in type(message).__mro__:
        if convert := _WIRE.get(kind):
            wire = convert(message, send_reasoning)
            if message.name:
                wire["name"] = message.name
            return wire
    raise TypeError(
        f"cannot send a {type(message).__name__} to a chat model: use system, human, AI, tool or "
        "chat messages"
    )


def _system(message: SystemMessage, _: SendReasoning) -> JSON:
    return {"role": "system", "content": _content(message)}


def _user(message: HumanMessage, _: SendReasoning) -> JSON:
    return {"role": "user", "content": _content(message)}


def _chat(message: ChatMessage, _: SendReasoning) -> JSON:
    return {"role": message.role, "content": _content(message)}


def _tool(message: ToolMessage, _: SendReasoning) -> JSON:
    return {
        "role": "tool",
        "tool_call_id": message.tool_call_id,
        "content": _content(message),
    }


def _assistant(message: AIMessage, send_reasoning: SendReasoning) -> JSON:
    wire: JSON = {"role": "assistant"}
    calls = [*map(_tool_call, message.tool_calls), *map(_invalid_call, message.invalid_tool_calls)]
    if (text := _text(message.content)) or not calls:
        wire["content"] = text
    if send_reasoning is True or (send_reasoning and calls):
        wire.update(_reasoning(message))
    if calls:
        wire["tool_calls"] = calls
    if message.additional_kwargs.get("prefix") is True:
        # Some models need to be told that a last assistant message is to be continued.
        wire["prefix"] = True
    return wire


def _text(content: str | Iterable[str | JSON]) -> str:
    """The text of an assistant message; what else it lists was made by tools or by thinking."""
    if isinstance(content, str):
        return content
    return "".join(
        block if isinstance(block, str) else block.get("text") or ""
        for block in content
        if isinstance(block, str) or block.get("type", "text") in _TEXTS
    )


def _reasoning(message: AIMessage) -> JSON:
    """Reasoning and its seal, from one place each; another provider's thoughts stay with it."""
    if message.response_metadata.get("model_provider", PROVIDER) != PROVIDER:
        return {}
    kwargs = message.additional_kwargs
    listed = message.content if isinstance(message.content, list) else ()
    blocks = [
        block for block in listed if isinstance(block, dict) and block.get("type") == "reasoning"
    ]
    text = kwargs.get(REASONING) or "".join(block.get("reasoning") or "" for block in blocks)
    seal = kwargs.get(SEAL) or "".join(
        (block.get("extras") or {}).get(SEAL) or "" for block in blocks
    )
    return {name: value for name, value in ((REASONING, text), (SEAL, seal)) if value}


def _tool_call(call: Any) -> JSON:
    return _function(call, _arguments(call))


def _arguments(call: Any) -> str:
    arguments = call["args"]
    try:
        # Compact, stable and without \u escapes: shorter prompts, and prefix caching keeps working.
        return json.dumps(arguments, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError):
        return _lenient(call["name"], arguments)


def _lenient(name: str, arguments: Any) -> str:
    """Python's dates, and numbers that JSON does not have, as pydantic writes them."""
    try:
        return to_json(arguments, inf_nan_mode="null").decode()
    except ValueError as error:
        raise ConfigError(
            f"the arguments of a call of {name} cannot be sent as JSON: {error}"
        ) from error


def _invalid_call(call: Any) -> JSON:
    return _function(call, call.get("args") or "")


def _function(call: Any, arguments: str) -> JSON:
    wire: JSON = {
        "type": "function",
        "function": {"name": call.get("name") or "", "arguments": arguments},
    }
    if call.get("id"):
        wire["id"] = call["id"]
    return wire


def _content(message: BaseMessage) -> str | list[JSON]:
    if isinstance(message.content, str):
        return message.content
    try:
        return [part(block) for block in message.content]
    except ValueError as error:
        raise ConfigError(f"a {message.type} message cannot be sent: {error}") from error


_WIRE: dict[type, Callable[[Any, SendReasoning], JSON]] = {
    SystemMessage: _system,
    HumanMessage: _user,
    AIMessage: _assistant,
    ToolMessage: _tool,
    ChatMessage: _chat,
}
