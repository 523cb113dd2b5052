"""LlamaIndex messages to the messages of the wire (ark.md 4.2). Pure; inputs are never changed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)
from pydantic_core import to_json

from doubao_core import ConfigError
from llamaindex_doubao.parts import JSON, parts

_ROLES: dict[MessageRole, str] = {
    MessageRole.SYSTEM: "system",
    MessageRole.DEVELOPER: "system",
    MessageRole.USER: "user",
    MessageRole.ASSISTANT: "assistant",
    MessageRole.CHATBOT: "assistant",
    MessageRole.MODEL: "assistant",
    MessageRole.TOOL: "tool",
    MessageRole.FUNCTION: "tool",
}
# What may stand in a name on the wire, and how long it may be (ark.md 4.1).
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]")
_LONGEST_NAME = 64


def wire_messages(messages: Iterable[ChatMessage], *, send_thinking: bool = True) -> list[JSON]:
    """Turn a conversation into wire messages, in its order.

    Of ``additional_kwargs`` only ``tool_call_id``, ``name``, and, on assistant messages without
    the blocks for them, ``tool_calls``, ``reasoning_content`` and ``encrypted_content`` are read;
    and ``doubao``, which is ours (``{"fps": 0.5}`` for video).

    Args:
        messages: The conversation, oldest first.
        send_thinking: Send the reasoning of assistant messages back; without it tool loops lose
            quality (ark.md 4.6).

    Raises:
        ConfigError: A block or a tool call that cannot be sent, or a tool result without the id of
            its call.
    """
    return [_message(message, send_thinking=send_thinking) for message in messages]


def wire_name(name: str) -> str:
    """Make a tool's name one that the API takes."""
    return _NOT_IN_NAMES.sub("_", name)[:_LONGEST_NAME]


def _message(message: ChatMessage, *, send_thinking: bool) -> JSON:
    role = _ROLES[MessageRole(message.role)]
    wire: JSON = {"role": role}
    if name := message.additional_kwargs.get("name"):
        wire["name"] = name
    if role == "assistant":
        return wire | _assistant(message, send_thinking=send_thinking)
    if role == "tool":
        wire["tool_call_id"] = _call_id(message)
    wire["content"] = _content(message, message.blocks, role)
    return wire


def _assistant(message: ChatMessage, *, send_thinking: bool) -> JSON:
    said = [b for b in message.blocks if not isinstance(b, (ThinkingBlock, ToolCallBlock))]
    calls = list(_calls(message))
    return {
        **(_thinking(message) if send_thinking else {}),
        "content": _content(message, said, "assistant"),
        **({"tool_calls": calls} if calls else {}),
    }


def _content(message: ChatMessage, blocks: Sequence[Any], role: str) -> str | list[JSON]:
    if all(isinstance(block, TextBlock) for block in blocks):
        # As ChatMessage.content joins them.
        return "\n".join(block.text for block in blocks)
    article = "an" if role == "assistant" else "a"
    extras = message.additional_kwargs.get("doubao") or {}
    return parts(blocks, f"{article} {role} message", extras) or ""


def _call_id(message: ChatMessage) -> str:
    call_id = message.additional_kwargs.get("tool_call_id")
    if not call_id:
        raise ConfigError(
            "a tool message has no id of the call that it answers: put it into "
            'additional_kwargs["tool_call_id"]'
        )
    return str(call_id)


def _thinking(message: ChatMessage) -> JSON:
    blocks = [block for block in message.blocks if isinstance(block, ThinkingBlock)]
    extra = message.additional_kwargs
    sealed = (block.additional_information.get("encrypted_content") for block in blocks)
    fields = {
        "reasoning_content": "".join(block.content or "" for block in blocks)
        or extra.get("reasoning_content"),
        "encrypted_content": next(filter(None, sealed), None) or extra.get("encrypted_content"),
    }
    return {name: value for name, value in fields.items() if value}


def _calls(message: ChatMessage) -> Iterator[JSON]:
    """Give each tool call once: of the blocks, then of older or persisted messages."""
    known: set[str] = set()
    blocks = (block for block in message.blocks if isinstance(block, ToolCallBlock))
    for position, block in enumerate(blocks):
        call_id = block_id(block, position)
        known.add(call_id)
        yield _call(call_id, block.tool_name, block.tool_kwargs)
    for legacy in message.additional_kwargs.get("tool_calls") or ():
        call_id, name, arguments = read_call(legacy)
        if call_id not in known:
            known.add(call_id)
            yield _call(call_id, name, arguments)


def block_id(block: ToolCallBlock, position: int) -> str:
    """Give the id of a call, or the one that goes for it among the calls of its message."""
    return block.tool_call_id or f"call_{position}"


def _call(call_id: str, name: str, arguments: Any) -> JSON:
    text = arguments if isinstance(arguments, str) else _written(name, arguments)
    function = {"name": wire_name(name), "arguments": text or "{}"}
    return {"id": call_id, "type": "function", "function": function}


def _written(name: str, arguments: Any) -> str:
    try:
        return to_json(arguments).decode()
    except ValueError:
        pass
    try:
        # Half a surrogate pair, as models write them, is nothing but an escape.
        return json.dumps(arguments)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"the arguments of the call of tool {name!r} cannot be written as JSON: {error}"
        ) from error


def read_call(call: Any) -> tuple[str, str, Any]:
    """Read ``(id, name, arguments)`` of a tool call in ``additional_kwargs``.

    Ours and OpenAI's form, as dict or as object, and Anthropic's ``{id, name, input}`` are known.

    Raises:
        ConfigError: The call is in no form that is known.
    """
    function = _get(call, "function")
    call_id = _get(call, "id")
    if function is not None:
        name, arguments = _get(function, "name"), _get(function, "arguments")
    else:
        name, arguments = _get(call, "name"), _get(call, "input")
    if not call_id or not name:
        raise ConfigError(
            f"cannot read a tool call of the form {type(call).__name__} in additional_kwargs: "
            "use ToolCallBlock"
        )
    return str(call_id), str(name), {} if arguments is None else arguments


def _get(thing: Any, name: str) -> Any:
    return thing.get(name) if isinstance(thing, Mapping) else getattr(thing, name, None)
