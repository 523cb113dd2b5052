"""Tools to the wire, and tool calls to what LlamaIndex's agents take (ark.md 4.1). Pure."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core.base.llms.types import ChatResponse, ToolCallBlock
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.tools import BaseTool
from pydantic_core import from_json

from doubao_core import ConfigError
from llamaindex_doubao.messages import block_id, read_call, wire_name
from llamaindex_doubao.parts import JSON
from llamaindex_doubao.responses import whole_arguments
from llamaindex_doubao.schema import rooted

_logger = logging.getLogger(__name__)

# How much of a text an error shows.
_SHOWN = 200
# Growing arguments are read anew when they have grown by one part in so many.
_FINENESS = 128
# So many calls come in at a time, and are remembered if their streams are left.
_MOST_CALLS = 64


def wire_tools(tools: Sequence[BaseTool]) -> tuple[list[JSON], dict[str, str]]:
    """Turn tools into wire form; the second value has the names that had to be changed.

    Raises:
        ConfigError: Two tools have the same name on the wire.
    """
    wire: list[JSON] = []
    names: dict[str, str] = {}
    for tool in tools:
        name = tool.metadata.get_name()
        if names.setdefault(wire_name(name), name) != name:
            raise ConfigError(
                f"the tools {names[wire_name(name)]!r} and {name!r} have the same name on the "
                "wire: use letters, digits, '_' and '-' only, and at most 64 of them"
            )
        schema = tool.metadata.to_openai_tool(skip_length_check=True)
        function = {**schema["function"], "name": wire_name(name)}
        if "type" not in function["parameters"] and tool.metadata.fn_schema is not None:
            # LlamaIndex drops the root of a class that contains itself: it is a reference.
            function["parameters"] = rooted(tool.metadata.fn_schema.model_json_schema())
        wire.append({**schema, "function": function})
    return wire, {sent: name for sent, name in names.items() if sent != name}


def wire_choice(
    choice: str | Mapping[str, Any] | None, tools: Sequence[BaseTool], *, required: bool
) -> str | Mapping[str, Any] | None:
    """Turn LlamaIndex's ``tool_choice`` into the wire's.

    Args:
        choice: ``None``, ``"auto"``, ``"none"``, ``"required"``, ``"any"``, the name of a tool, or
            the wire's own form.
        tools: The tools of the request.
        required: Whether ``None`` means that some tool has to be called.

    Raises:
        ConfigError: A name that no tool has.
    """
    if choice is None:
        return "required" if required else None
    if not isinstance(choice, str) or choice in {"auto", "none", "required"}:
        return choice
    if choice == "any":
        return "required"
    names = [tool.metadata.get_name() for tool in tools]
    if choice not in names:
        known = ", ".join(repr(name) for name in names)
        raise ConfigError(f"tool_choice names no tool: {choice!r}; the tools are {known}")
    return {"type": "function", "function": {"name": wire_name(choice)}}


class GrowingArguments:
    """Reads arguments that are still coming in; anew only when they have grown by enough to show.

    Agents ask with each chunk and keep what they get: read each time, a long text that a tool is
    to take would cost the square of its length, in time and in memory.
    """

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, JSON]] = {}

    def read(self, call_id: str, text: str) -> JSON:
        """Give what can be read of *text*; not always of its last bit."""
        if (known := self._known.get(call_id)) is not None:
            earlier, parsed = known
            grown = len(text) - len(earlier)
            if grown < len(earlier) // _FINENESS and text.startswith(earlier):
                return parsed
        parsed = _so_far(text)
        if len(self._known) >= _MOST_CALLS:
            self._known.clear()
        self._known[call_id] = text, parsed
        return parsed

    def forget(self, call_id: str) -> None:
        """Drop what is known of a call that is whole."""
        self._known.pop(call_id, None)


def selections(
    response: ChatResponse, growing: GrowingArguments, *, error_on_no_tool_call: bool
) -> list[ToolSelection]:
    """Give the tool calls of a response, finished or still coming in.

    While arguments are coming in, what is there of them is given. Finished arguments that are no
    JSON object are logged and given as none, so that the tool complains about what it misses; the
    text stays in the message's block.

    Raises:
        ValueError: With ``error_on_no_tool_call``: there is no call, or one with such arguments.
    """
    calls = _calls(response)
    if not calls and error_on_no_tool_call:
        raise ValueError(
            f"the model called no tool{_why(response)}; it said: "
            f"{(response.message.content or '')[:_SHOWN]!r}"
        )
    finished = error_on_no_tool_call or "finish_reason" in response.additional_kwargs
    found = []
    for call_id, name, arguments in calls:
        if finished or not isinstance(arguments, str):
            growing.forget(call_id)
            kwargs = _whole(name, arguments, must_parse=error_on_no_tool_call)
        else:
            kwargs = growing.read(call_id, arguments)
        found.append(ToolSelection(tool_id=call_id, tool_name=name, tool_kwargs=kwargs))
    return found


def keep_first_call(response: ChatResponse) -> ChatResponse:
    """Give *response* with its first tool call only, in its blocks and in its legacy list."""
    message = response.message
    calls = [block for block in message.blocks if isinstance(block, ToolCallBlock)]
    legacy = message.additional_kwargs.get("tool_calls") or []
    if len(calls) <= 1 and len(legacy) <= 1:
        return response
    dropped = {id(block) for block in calls[1:]}
    kept = message.model_copy(
        update={
            "blocks": [block for block in message.blocks if id(block) not in dropped],
            "additional_kwargs": {**message.additional_kwargs, "tool_calls": legacy[:1]},
        }
    )
    return response.model_copy(update={"message": kept})


def _calls(response: ChatResponse) -> list[tuple[str, str, Any]]:
    blocks = [block for block in response.message.blocks if isinstance(block, ToolCallBlock)]
    if blocks:
        return [
            (block_id(block, position), block.tool_name, block.tool_kwargs)
            for position, block in enumerate(blocks)
        ]
    return [read_call(call) for call in response.message.additional_kwargs.get("tool_calls") or ()]


def _whole(name: str, arguments: Any, *, must_parse: bool) -> JSON:
    if isinstance(arguments, Mapping):
        return dict(arguments)
    parsed = whole_arguments(arguments) if isinstance(arguments, str) else None
    if parsed is None:
        shown = repr(arguments)[:_SHOWN]
        problem = f"the arguments for tool {name!r} are no JSON object: {shown}"
        if must_parse:
            raise ValueError(problem)
        _logger.warning(problem)
    return parsed or {}


def _so_far(arguments: str) -> JSON:
    try:
        parsed = from_json(arguments, allow_partial="trailing-strings")
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _why(response: ChatResponse) -> str:
    reason = response.additional_kwargs.get("finish_reason")
    return f" (finish_reason {reason!r})" if reason else ""
