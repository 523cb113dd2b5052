"""Objects that the emulated model fills in: they fit the schema and come from the text. No HTTP."""

import json

import jsonschema
import pytest

from doubao_emulator.answering import schema
from doubao_emulator.chat_model import Message

TEXT = {"type": "string"}
NUMBER = {"type": "integer"}
PERSON = "Alice is 30 years old, not married, and lives in Paris; she likes tea, coffee and cocoa."
EVERYTHING = {
    "type": "object",
    "properties": {
        "name": TEXT,
        "age": {"type": "integer", "minimum": 0},
        "married": {"type": "boolean"},
        "city": TEXT,
        "likes": {"type": "array", "items": TEXT, "minItems": 1},
        "email": {"type": "string", "format": "email"},
        "mood": {"enum": ["happy", "sad"]},
        "note": {"anyOf": [TEXT, {"type": "null"}]},
        "tree": {"$ref": "#/$defs/Tree"},
        "pair": {"type": "array", "prefixItems": [NUMBER, TEXT], "items": False},
        "fixed": {"const": 5},
        "maybe": {"type": ["integer", "null"]},
        "plate": {"type": "string", "pattern": "^[A-Z]{2}-\\d+$"},
        "scores": {
            "type": "array",
            "items": {"type": "number", "maximum": 1},
            "minItems": 3,
            "uniqueItems": True,
        },
        "short": {"type": "string", "minLength": 2, "maxLength": 4},
        "both": {"allOf": [{"properties": {"x": NUMBER}, "required": ["x"]}, {"type": "object"}]},
    },
    "additionalProperties": False,
    "$defs": {
        "Tree": {
            "type": "object",
            "properties": {
                "x": {"type": "number", "exclusiveMinimum": 0.5, "multipleOf": 0.25},
                "next": {"anyOf": [{"$ref": "#/$defs/Tree"}, {"type": "null"}]},
                "branches": {"type": "array", "items": {"$ref": "#/$defs/Tree"}},
            },
            "required": ["x", "next", "branches"],
        }
    },
}
EVERYTHING["required"] = list(EVERYTHING["properties"])


def user(text, **more):
    return Message(role="user", text=text, **more)


def test_values_fit_the_schema_and_come_from_the_text():
    value = schema.fill(EVERYTHING, schema.evidence_of([user(PERSON)]))
    jsonschema.validate(value, EVERYTHING)
    known = {key: value[key] for key in ("name", "age", "married", "city", "likes")}
    assert known == {
        "name": "Alice",
        "age": 30,
        "married": False,
        "city": "Paris",
        "likes": ["tea", "coffee", "cocoa"],
    }


def test_a_response_schema_is_filled(said):
    wanted = {"type": "object", "properties": {"name": TEXT}, "required": ["name"]}
    assert json.loads(said(user(PERSON), schema=wanted).content) == {"name": "Alice"}


def test_a_json_object_has_the_quoted_keys(said):
    asked = "Tell me a joke about cats. Return JSON with 'setup' and 'punchline' keys."
    value = json.loads(said(user(asked), json_object=True).content)
    assert value.keys() == {"setup", "punchline"}
    assert all("joke" in text for text in value.values())


def test_a_json_object_without_keys_has_an_answer(said):
    assert json.loads(said(user("Answer in JSON."), json_object=True).content).keys() == {"answer"}


@pytest.mark.parametrize("escaped", [False, True])
def test_a_schema_inside_the_prompt_is_followed(escaped, said):
    wanted = {
        "properties": {"name": TEXT, "age": NUMBER},
        "required": ["name", "age"],
        "type": "object",
    }
    text = json.dumps(wanted)
    if escaped:
        text = text.replace("{", "{{").replace("}", "}}")
    asked = f"Extract: {PERSON}\n\nHere's a JSON schema to follow:\n{text}\n\nOutput JSON."
    assert json.loads(said(user(asked)).content) == {"name": "Alice", "age": 30}
