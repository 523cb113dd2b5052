"""Schemas as dicts: each provider's form arrives whole, and one without a schema is refused."""

from __future__ import annotations

import copy
import json
from enum import Enum
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from langchain_doubao.schemas import strict_schema

if TYPE_CHECKING:
    from collections.abc import Callable

    from doubao_emulator import Emulator
    from langchain_doubao import ChatDoubao

PROMPT = "Reply in json: a joke with a rating of 3."
SCHEMA = {
    "type": "object",
    "properties": {"rating": {"type": "integer"}},
    "required": ["rating"],
    "additionalProperties": False,
}
NAMED = {"name": "joke", "description": "A joke."}
# What is given, and the strict that it brings.
FORMS: dict[str, tuple[dict[str, Any], bool | None]] = {
    "answer format": ({**NAMED, "schema": SCHEMA}, None),
    "strict answer format": ({**NAMED, "schema": SCHEMA, "strict": True}, True),
    "whole answer format": (
        {"type": "json_schema", "json_schema": {**NAMED, "schema": SCHEMA, "strict": True}},
        True,
    ),
    "flat answer format": ({"type": "json_schema", **NAMED, "schema": SCHEMA}, None),
    "function": ({**NAMED, "parameters": SCHEMA}, None),
    "strict function": (
        {"type": "function", "function": {**NAMED, "parameters": SCHEMA, "strict": True}},
        True,
    ),
    "loose function": ({**NAMED, "parameters": SCHEMA, "strict": False}, False),
    "flat function": ({"type": "function", **NAMED, "parameters": SCHEMA}, None),
    "Anthropic's tool": ({**NAMED, "input_schema": SCHEMA}, None),
    "Bedrock's tool": ({"toolSpec": {**NAMED, "inputSchema": {"json": SCHEMA}}}, None),
    "JSON schema": ({"title": "joke", "description": "A joke.", **SCHEMA}, None),
    "JSON schema with a name": ({**NAMED, **SCHEMA}, None),
}


@pytest.mark.parametrize("form", FORMS)
async def test_every_form_of_a_dict_arrives_with_its_schema(
    form: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    given, strict = FORMS[form]
    before = copy.deepcopy(given)
    for method in ("function_calling", "json_schema"):
        model = chat().with_structured_output(given, method=method)
        for value in (model.invoke(PROMPT), await model.ainvoke(PROMPT)):
            assert value.keys() == {"rating"}
            body = emulator.requests[-1].body
            if method == "json_schema":
                sent = body["response_format"]["json_schema"]
                assert sent["schema"] == SCHEMA
            else:
                sent = body["tools"][0]["function"]
                assert sent["parameters"] == SCHEMA
            assert (sent["name"], sent["description"]) == ("joke", "A joke.")
            assert sent.get("strict") is strict
    assert given == before


@pytest.mark.parametrize("method", ["function_calling", "json_schema"])
async def test_the_calls_strict_wins_over_the_dicts(
    method: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    loose = {**NAMED, "schema": {**SCHEMA, "additionalProperties": True}}
    for own, asked in ((True, False), (False, True), (None, True)):
        given = loose if own is None else {**loose, "strict": own}
        model = chat().with_structured_output(given, method=method, strict=asked)
        model.invoke(PROMPT)
        await model.ainvoke(PROMPT)
        for request in emulator.requests[-2:]:
            body = request.body
            if method == "json_schema":
                sent = body["response_format"]["json_schema"]
                schema = sent["schema"]
            else:
                sent = body["tools"][0]["function"]
                schema = sent["parameters"]
            assert sent["strict"] is asked
            assert schema["additionalProperties"] is not asked


@pytest.mark.parametrize(
    "given",
    [
        {"title": "Person", "anyOf": [SCHEMA, {**SCHEMA, "required": []}]},
        {"title": "Person", "$ref": "#/$defs/P", "$defs": {"P": SCHEMA}},
    ],
)
async def test_a_schema_without_properties_of_its_own_is_not_lost(
    given: Any, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    emulator.answer('{"rating": 3}', times=2)
    model = chat().with_structured_output(given, method="json_schema")
    assert [model.invoke(PROMPT), await model.ainvoke(PROMPT)] == [{"rating": 3}] * 2
    wanted = {key: value for key, value in given.items() if key != "title"}
    for request in emulator.requests:
        assert request.body["response_format"]["json_schema"]["schema"] == wanted


@pytest.mark.parametrize("method", ["function_calling", "json_schema"])
@pytest.mark.parametrize(
    "given",
    [
        {},
        {"title": "Joke"},
        {"description": "A joke."},
        {"type": "json_schema"},
        {"type": "json_schema", "json_schema": {"name": "joke", "strict": True}},
        {"type": "json_schema", "name": "joke"},
        {"name": "joke", "fields": {"rating": "integer"}},
    ],
)
def test_a_dict_without_a_schema_is_refused(
    given: Any, method: str, chat: Callable[..., ChatDoubao]
) -> None:
    """It would go out as a schema that anything fits."""
    with pytest.raises(ValueError, match="no schema in a dict"):
        chat().with_structured_output(given, method=method)


def test_values_in_a_strict_schema_stay_as_they_are() -> None:
    """Only schemas are rewritten: a default or an example may look like one."""
    value = {"format": "pdf", "properties": {"minimum": 1}, "items": [{"pattern": "x"}]}
    schema = {
        "type": "object",
        "properties": {
            "options": {
                "type": "object",
                "default": value,
                "examples": [value],
                "const": value,
                "enum": [value],
            },
            "count": {"type": "integer", "minimum": 1, "default": 3},
        },
    }
    rewritten = strict_schema(schema)
    assert rewritten["properties"]["options"] == schema["properties"]["options"]
    assert rewritten["properties"]["count"] == {"type": "integer", "default": 3}
    assert rewritten["required"] == ["options", "count"]


class Color(Enum):
    """A color."""

    RED = "red"


class Drawing(BaseModel):
    """A drawing."""

    page: dict[str, Any] = {"format": "A4", "maximum": 3}
    colors: list[Color] = [Color.RED]


@pytest.mark.parametrize("method", ["function_calling", "json_schema"])
async def test_defaults_of_a_class_go_out_as_they_are(
    method: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    text = json.dumps({"page": {}, "colors": ["red"]})
    if method == "json_schema":
        emulator.answer(text, times=2)
    else:
        emulator.answer(tool_calls=[("Drawing", text)], times=2)
    model = chat().with_structured_output(Drawing, method=method, strict=True)
    for drawing in (model.invoke(PROMPT), await model.ainvoke(PROMPT)):
        assert drawing.colors == [Color.RED]
        body = emulator.requests[-1].body
        sent = (
            body["response_format"]["json_schema"]["schema"]
            if method == "json_schema"
            else body["tools"][0]["function"]["parameters"]
        )
        assert sent["properties"]["page"]["default"] == {"format": "A4", "maximum": 3}
