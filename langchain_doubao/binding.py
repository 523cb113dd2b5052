"""Tools and ``tool_choice`` in any of LangChain's forms to the wire's (ark.md 4.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

from langchain_doubao.schemas import NAME, function_of, is_json_schema, strict_schema

JSON: TypeAlias = dict[str, Any]
Tool: TypeAlias = JSON | type | Callable[..., Any] | BaseTool

_CHOICES = {"auto": "auto", "none": "none", "required": "required", "any": "required"}


def wire_tool(tool: Tool, *, strict: bool | None = None) -> JSON:
    """Describe a tool as the wire wants it; a built-in tool of the service stays as it is.

    Raises:
        ValueError: A JSON schema has no title, a dict is no tool, or the service would refuse the
            tool's name (ark.md 4.1).
    """
    if isinstance(tool, Mapping) and is_json_schema(tool):
        function = _of_schema(tool)
    elif (
        isinstance(tool, Mapping)
        and tool.get("type", "function") != "function"
        and not tool.keys() & {"function", "name", "title"}
    ):
        return dict(tool)
    else:
        wire: JSON = convert_to_openai_tool(tool)
        if wire["type"] != "function":
            return wire
        # A dict in OpenAI's form comes back as it is: nested as on the wire, or flat.
        flat = {name: value for name, value in wire.items() if name != "type"}
        function = dict(wire.get("function") or flat)
    name = function.get("name")
    if isinstance(name, str) and not NAME.fullmatch(name):
        raise ValueError(
            f"the service takes no tool of the name {name!r}: give it one of 1 to 64 letters "
            "A-Z, a-z, digits, _ and -, for example with @tool('get_weather')"
        )
    if strict is not None:
        function["strict"] = strict
    if strict:
        function["parameters"] = strict_schema(function.get("parameters") or {"type": "object"})
    return {"type": "function", "function": function}


def _of_schema(schema: Mapping[str, Any]) -> JSON:
    if not schema.get("title") and not schema.get("name"):
        raise ValueError("a JSON schema needs a title to be a tool: it becomes the tool's name")
    return function_of(schema)


def wire_choice(choice: str | bool | JSON | None, tools: list[JSON]) -> str | JSON | None:
    """Say which tool must be called, ``None`` if nothing was asked for.

    Raises:
        ValueError: It is not the name of a bound tool, nor a known word.
    """
    if choice is None or choice is False or isinstance(choice, dict):
        return choice or None
    names = [tool["function"]["name"] for tool in tools if "function" in tool]
    if choice is True:
        choice = names[0] if len(names) == len(tools) == 1 else "any"
    if choice in names:
        return {"type": "function", "function": {"name": choice}}
    if choice in _CHOICES:
        return _CHOICES[choice]
    raise ValueError(
        f"tool_choice {choice!r} is not a bound tool ({', '.join(names)}) nor one of "
        f"{', '.join(_CHOICES)}"
    )
