"""Reading `tools` and `tool_choice` of a chat request (ark.md 4.1, 4.5)."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from doubao_emulator import tokens
from doubao_emulator.answering import schema_rules
from doubao_emulator.chat_model import Tool
from doubao_emulator.errors import invalid_parameter, missing_parameter, unsupported_parameter

if TYPE_CHECKING:
    from doubao_emulator.models import ChatModel
    from doubao_emulator.wire import JSON, Fields

ANY = "*"
_LONGEST_PATH = 500
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def read_tools(fields: Fields, model: ChatModel) -> tuple[Tool, ...]:
    """Read the tools on offer.

    Raises:
        ArkError: 400 for a bad name, kind or schema, or a model without tools.
    """
    entries = fields.objects("tools") or []
    if entries and not model.tools:
        raise unsupported_parameter("tools", model.id)
    fields.boolean("parallel_tool_calls")
    return tuple(_read_tool(entry) for entry in entries)


def read_choice(fields: Fields, tools: tuple[Tool, ...]) -> tuple[str, bool]:
    """Return the name of the forced tool (`ANY`, or empty), and whether calls are allowed.

    Raises:
        ArkError: 400 for an unknown choice, or one that names no tool on offer.
    """
    choice = fields.get("tool_choice")
    if choice is None or isinstance(choice, str):
        kind = fields.string("tool_choice", choices=("none", "auto", "required")) or "auto"
        if kind == "required" and not tools:
            raise invalid_parameter("tool_choice", "`required` needs `tools`.")
        return (ANY if kind == "required" else ""), bool(tools) and kind != "none"
    named = fields.required_object("tool_choice")
    if named.string("type", choices=("function",)) is None:
        raise missing_parameter(named.param("type"))
    function = named.required_object("function")
    name = function.required_string("name")
    if name not in {tool.name for tool in tools}:
        raise invalid_parameter(
            function.param("name"), f"there is no tool `{name[:64]}` in `tools`."
        )
    return name, True


def check_schema(schema: dict[str, JSON], path: str) -> None:
    """Refuse a malformed schema, naming the keyword below `path`.

    Raises:
        ArkError: 400 `InvalidParameter`.
    """
    try:
        schema_rules.check(schema)
    except schema_rules.SchemaFaultError as fault:
        raise invalid_parameter(f"{path}{fault.where}"[:_LONGEST_PATH], fault.sentence) from fault


def tokens_of(tools: tuple[Tool, ...]) -> int:
    """Return what the tool descriptions cost in prompt tokens."""
    return sum(
        tokens.count(f"{tool.name} {tool.description} {json.dumps(tool.parameters)}")
        for tool in tools
    )


def _read_tool(entry: Fields) -> Tool:
    if entry.string("type", choices=("function",)) is None:
        raise missing_parameter(entry.param("type"))
    function = entry.required_object("function")
    name = function.required_string("name")
    if not _NAME.fullmatch(name):
        raise invalid_parameter(
            function.param("name"), "it must match [A-Za-z0-9_-] and have 1 to 64 characters."
        )
    parameters = function.object("parameters")
    schema: dict[str, JSON] = parameters.data if parameters else {}
    check_schema(schema, function.param("parameters"))
    if schema.get("type", "object") != "object":
        raise invalid_parameter(function.param("parameters.type"), "it must be `object`.")
    if function.boolean("strict"):
        _check_strict(schema, function.param("parameters"))
    return Tool(
        name=name,
        description=function.string("description") or "",
        parameters=schema,
        param=function.param("parameters"),
    )


def _check_strict(schema: dict[str, JSON], path: str) -> None:
    optional = set(schema.get("properties") or {}) - set(schema.get("required") or ())
    if optional:
        raise invalid_parameter(
            f"{path}.required", f"strict functions require every property: add {sorted(optional)}."
        )
