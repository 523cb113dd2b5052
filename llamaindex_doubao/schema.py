"""Pydantic models to JSON schemas that the service can enforce (ark.md 4.1, 4.5). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llama_index.core.bridge.pydantic import BaseModel
from pydantic import RootModel

from llamaindex_doubao.messages import wire_name
from llamaindex_doubao.parts import JSON

ANSWER = "answer"
"""Under this key an answer that is no object by itself stands in the object that is asked for."""

# Keywords that strict mode enforces, and those that only describe. Any other one, such as pattern
# or minimum, is an error there; the model itself checks it when the answer is read.
_SINGLE = {"items", "unevaluatedItems", "additionalProperties", "unevaluatedProperties"}
_LISTS = {"anyOf", "oneOf", "allOf", "prefixItems"}
_MAPS = {"properties", "$defs"}
_PLAIN = {"type", "$ref", "const", "enum", "required", "title", "description"}
_DEFINED = "#/$defs/"


def response_format(output_cls: type[BaseModel]) -> JSON:
    """Give the ``response_format`` that makes the service answer with an *output_cls*."""
    schema = object_schema(output_cls)
    return {
        "type": "json_schema",
        "json_schema": {
            "name": _name(schema, output_cls),
            "schema": strict(schema),
            "strict": True,
        },
    }


def function(output_cls: type[BaseModel]) -> JSON:
    """Give a tool whose arguments are an *output_cls*."""
    schema = object_schema(output_cls)
    described = {"title", "description"}
    wire = {
        "name": _name(schema, output_cls),
        "parameters": {key: value for key, value in schema.items() if key not in described},
    }
    if "description" in schema:
        wire["description"] = schema["description"]
    return {"type": "function", "function": wire}


def object_schema(output_cls: type[BaseModel]) -> JSON:
    """Give the schema of the object to ask for.

    Tools and JSON mode know objects only, so what a ``RootModel`` holds stands under ``ANSWER``.
    """
    schema = rooted(output_cls.model_json_schema())
    if not is_wrapped(output_cls):
        return schema
    about: JSON = {
        key: schema.pop(key) for key in ("title", "description", "$defs") if key in schema
    }
    return {**about, "type": "object", "properties": {ANSWER: schema}, "required": [ANSWER]}


def is_wrapped(output_cls: type[BaseModel]) -> bool:
    """Tell whether the answer stands under ``ANSWER``."""
    return issubclass(output_cls, RootModel)


def rooted(schema: Mapping[str, Any]) -> JSON:
    """Give a schema whose root says what it is.

    Pydantic's schema of a class that contains itself is only a reference to its definition.
    """
    root = dict(schema)
    while str(reference := root.get("$ref")).startswith(_DEFINED):
        definition = schema["$defs"][str(reference).removeprefix(_DEFINED)]
        del root["$ref"]
        root = {**definition, **root}
    return root


def strict(schema: Mapping[str, Any]) -> JSON:
    """Give *schema* with the keywords of strict mode only, objects closed and complete."""
    result: JSON = {}
    for keyword, value in schema.items():
        if keyword in _PLAIN:
            result[keyword] = value
        elif keyword in _SINGLE:
            result[keyword] = strict(value) if isinstance(value, Mapping) else value
        elif keyword in _LISTS:
            result[keyword] = [strict(each) for each in value]
        elif keyword in _MAPS:
            result[keyword] = {name: strict(each) for name, each in value.items()}
    if "properties" in result:
        result["required"] = list(result["properties"])
        result.setdefault("additionalProperties", False)
    return result


def _name(schema: JSON, output_cls: type[BaseModel]) -> str:
    return wire_name(schema.get("title") or output_cls.__name__)
