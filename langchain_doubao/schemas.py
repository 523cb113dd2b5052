"""Schemas of any kind, described as functions and rewritten for strict mode."""

from __future__ import annotations

import builtins
import re
from collections.abc import Mapping
from typing import Any, TypeAlias, get_origin

from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import RootModel
from typing_extensions import is_typeddict

from doubao_core.api import naming

JSON: TypeAlias = dict[str, Any]

_LONGEST_NAME = 64
NAME = re.compile(rf"[A-Za-z0-9_-]{{1,{_LONGEST_NAME}}}")
"""What the service takes for the name of a tool or schema (ark.md 4.1)."""
ANSWER = "answer"
"""Under this key an answer that is no object by itself stands in the object that is asked for."""
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]+")
# Where the dicts of OpenAI (functions, answer formats) and Anthropic keep their schema.
_INNER = ("parameters", "schema", "input_schema")
_FUNCTION_KEYS = frozenset({"name", "description", "parameters", "strict", "type"})
# What says that a dict without a type is a JSON schema.
_KEYWORDS = frozenset({"$defs", "$ref", "allOf", "anyOf", "enum", "oneOf", "properties"})
_TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")
# What means something in a JSON schema and strict mode refuses (ark.md 4.5); pydantic still checks.
_NOT_STRICT = frozenset(
    {
        "contains",
        "dependentRequired",
        "dependentSchemas",
        "else",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "format",
        "if",
        "maxContains",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minContains",
        "minItems",
        "minLength",
        "minProperties",
        "minimum",
        "multipleOf",
        "not",
        "pattern",
        "patternProperties",
        "propertyNames",
        "then",
        "uniqueItems",
    }
)
# Keywords whose values are schemas, by name or themselves; all others have plain values.
_OF_SCHEMAS_BY_NAME = frozenset({"$defs", "definitions", "properties"})
_OF_SCHEMAS = frozenset(
    {"additionalItems", "additionalProperties", "allOf", "anyOf", "items", "oneOf", "prefixItems"}
)


def as_function(schema: Any) -> JSON:
    """Describe a schema of any kind as a function: name, description, parameters.

    A dict in one of OpenAI's forms keeps its ``strict``, too.

    Raises:
        ValueError: There is no schema in a dict.
    """
    if isinstance(schema, Mapping):
        function = function_of(schema)
    else:
        function = dict(convert_to_openai_tool(schema)["function"])
        function.setdefault("parameters", {"type": "object", "properties": {}})
        if is_wrapped(schema):
            root = {"type": "object", "properties": {ANSWER: function["parameters"]}}
            function["parameters"] = {**root, "required": [ANSWER]}
    if not NAME.fullmatch(function["name"]):
        # Generic classes and Chinese ones have names that the service refuses (ark.md 4.1).
        plain = _NOT_IN_NAMES.sub("_", function["name"])[:_LONGEST_NAME].strip("_")
        function["name"] = plain or ANSWER
    return function


def check_kind(schema: Any) -> None:
    """Refuse types that are no classes of their own, such as ``list[Person]`` or ``int``.

    Raises:
        ValueError: It is one.
    """
    origin = get_origin(schema)
    alone = origin is not None and not is_typeddict(origin)
    if alone or (isinstance(schema, type) and vars(builtins).get(schema.__name__) is schema):
        raise ValueError(naming.instead_of(schema))


def is_wrapped(schema: Any) -> bool:
    """Tell whether the answer stands under ``ANSWER``: tools and JSON schemas know objects only."""
    if not isinstance(schema, type):
        return False
    return issubclass(schema, RootModel) or bool(getattr(schema, "__custom_root_type__", False))


def function_of(given: Mapping[str, Any]) -> JSON:
    """Describe a dict as a function: a JSON schema, or what has one in any provider's form.

    Raises:
        ValueError: There is no schema in it, and it is no function without parameters.
    """
    if isinstance(given.get("function"), Mapping):
        return function_of(given["function"])
    if isinstance(given.get("json_schema"), Mapping):
        return function_of({"type": "json_schema", **given["json_schema"]})
    if "toolSpec" in given:
        return dict(convert_to_openai_tool(dict(given))["function"])
    if is_json_schema(given):
        named = ("title", "name", "description")
        schema = {key: value for key, value in given.items() if key not in named}
        name = given.get("title") or given.get("name")
    else:
        schema = _inner(given)
        name = given.get("name") or schema.get("title")
    function: JSON = {"name": str(name or ANSWER), "parameters": schema}
    if given.get("description"):
        function["description"] = given["description"]
    if given.get("strict") is not None:
        function["strict"] = given["strict"]
    return function


def _inner(given: Mapping[str, Any]) -> JSON:
    for key in _INNER:
        if isinstance(given.get(key), Mapping):
            return dict(given[key])
    bare = given.keys() <= _FUNCTION_KEYS and given.get("type", "function") == "function"
    if "name" in given and bare:
        return {"type": "object", "properties": {}}
    raise ValueError(
        f"no schema in a dict with the keys {', '.join(map(str, given)) or '(none)'}: pass a JSON "
        f"schema, or a dict with one under {', '.join(_INNER)}"
    )


def is_json_schema(given: Mapping[str, Any]) -> bool:
    """Tell a JSON schema from tools and from dicts that have a schema inside."""
    kind = given.get("type")
    if kind is None:
        return bool(given.keys() & _KEYWORDS) and not given.keys() & set(_INNER)
    return isinstance(kind, list) or kind in _TYPES


def strict_schema(schema: Any) -> Any:
    """Rewrite a JSON schema for strict mode: everything required, nothing more, no constraints."""
    if isinstance(schema, list):
        return [strict_schema(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    rewritten: JSON = {}
    for name, value in schema.items():
        if name in _OF_SCHEMAS_BY_NAME and isinstance(value, dict):
            rewritten[name] = {key: strict_schema(inner) for key, inner in value.items()}
        elif name in _OF_SCHEMAS:
            rewritten[name] = strict_schema(value)
        elif name not in _NOT_STRICT:
            rewritten[name] = value
    if isinstance(rewritten.get("properties"), dict):
        rewritten["required"] = list(rewritten["properties"])
        rewritten["additionalProperties"] = False
    return rewritten
