"""Pydantic models to the JSON schemas that the service can enforce (ark.md 4.5). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from llama_index.core.bridge.pydantic import BaseModel

from llamaindex_doubao.parts import JSON

# Keywords that strict mode enforces, and those that only describe. Any other one, such as pattern
# or minimum, is an error there; the model itself checks it when the answer is read.
_SINGLE = {"items", "unevaluatedItems", "additionalProperties", "unevaluatedProperties"}
_LISTS = {"anyOf", "oneOf", "allOf", "prefixItems"}
_MAPS = {"properties", "$defs"}
_PLAIN = {"type", "$ref", "const", "enum", "required", "title", "description"}
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]")
_LONGEST_NAME = 64


def response_format(output_cls: type[BaseModel]) -> JSON:
    """Give the ``response_format`` that makes the service answer with an *output_cls*."""
    schema = output_cls.model_json_schema()
    name = _NOT_IN_NAMES.sub("_", schema.get("title") or output_cls.__name__)[:_LONGEST_NAME]
    return {
        "type": "json_schema",
        "json_schema": {"name": name, "schema": strict(schema), "strict": True},
    }


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
