"""The same schema and the same answer give the same object, however it is asked for."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

MODES = ["function", "schema", "object"]
PROMPT = "Give me the order as JSON."


class Item(BaseModel):
    """One line of an order."""

    name: str
    grams: int = Field(gt=0, description="Weight.")


class Order(BaseModel):
    """What a customer wants."""

    customer: str
    items: list[Item]
    way: Literal["post", "shop"] = "post"
    note: str | None = None


ORDER = Order(customer="李雷", items=[Item(name="龙井", grams=50)], way="shop")


@pytest.fixture(params=MODES)
def mode(request) -> str:
    return request.param


@pytest.fixture
def say(talk, mode):
    """Make the model say *text* where this way of asking has the object."""

    def say(text: str, **more: Any) -> None:
        if mode == "function":
            talk.emulator.answer(reasoning="hm", tool_calls=[("Order", text)], **more)
        else:
            talk.emulator.answer(text, reasoning="hm", **more)

    return say


async def test_the_same_answer_is_the_same_object(talk, mode, say):
    """Shows R000-48."""
    say(ORDER.model_dump_json())
    found = await talk.fill(Order, PROMPT, mode)
    assert type(found) is Order
    assert found == ORDER


async def test_defaults_are_filled_in(talk, mode, say):
    say('{"customer": "Li", "items": []}')
    assert await talk.fill(Order, PROMPT, mode) == Order(customer="Li", items=[])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"customer": "Li", "items": [', "length"),
        ('{"customer": "Li", "items": []', "content_filter"),
        ('{"customer": "Li"}', None),
        ('{"customer": "Li", "items": [{"name": "x", "grams": 0}]}', None),
        ('["Li"]', None),
        ("Li", None),
        ("", None),
    ],
    ids=["cut", "filtered", "incomplete", "out of range", "a list", "prose", "nothing"],
)
async def test_half_an_object_and_a_wrong_one_are_errors(talk, mode, say, text, reason):
    say(text, finish_reason=reason)
    with pytest.raises(ValueError):
        await talk.fill(Order, PROMPT, mode)


async def test_an_answer_without_the_call_is_an_error(talk):
    talk.emulator.answer("I would rather not.")
    with pytest.raises(ValueError, match=r"rather not|without calling"):
        await talk.fill(Order, PROMPT, "function")


async def test_settings_of_the_object_are_sent(talk, mode, say):
    say(ORDER.model_dump_json())
    await talk.fill(Order, PROMPT, mode, temperature=0.5, thinking="enabled")
    body = talk.body()
    assert (body["temperature"], body["thinking"]) == (0.5, {"type": "enabled"})
    assert body["messages"][-1] == {"role": "user", "content": PROMPT}


def plain(schema: Any) -> Any:
    """A schema without what only describes, which the frameworks write differently."""
    if isinstance(schema, list):
        return [plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: plain(value)
        for name, value in schema.items()
        if name != "default" and (name not in {"title", "description"} or isinstance(value, dict))
    }


ITEM = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "grams": {"type": "integer"}},
    "required": ["name", "grams"],
    "additionalProperties": False,
}


def inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """References replaced by what they refer to, which one framework does by itself."""
    definitions = schema.get("$defs", {})

    def resolve(value: Any) -> Any:
        if isinstance(value, list):
            return [resolve(each) for each in value]
        if not isinstance(value, dict):
            return value
        if "$ref" in value:
            return resolve(definitions[value["$ref"].rpartition("/")[2]])
        return {name: resolve(inner) for name, inner in value.items() if name != "$defs"}

    return resolve(schema)


async def test_the_schema_that_is_enforced_is_the_same(talk):
    talk.emulator.answer(ORDER.model_dump_json())
    await talk.fill(Order, PROMPT, "schema")
    asked = talk.body()["response_format"]
    wanted = asked["json_schema"]
    assert (asked["type"], wanted["name"], wanted["strict"]) == ("json_schema", "Order", True)
    assert plain(inlined(wanted["schema"])) == {
        "type": "object",
        "properties": {
            "customer": {"type": "string"},
            "items": {"type": "array", "items": ITEM},
            "way": {"type": "string", "enum": ["post", "shop"]},
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        },
        "required": ["customer", "items", "way", "note"],
        "additionalProperties": False,
    }


async def test_one_call_of_one_tool_is_forced(talk):
    talk.emulator.answer(tool_calls=[("Order", ORDER.model_dump_json())])
    await talk.fill(Order, PROMPT, "function")
    body = talk.body()
    (tool,) = body["tools"]
    assert tool["function"]["name"] == "Order"
    assert body["parallel_tool_calls"] is False
    # With one tool, its name and "required" mean the same.
    named = {"type": "function", "function": {"name": "Order"}}
    assert body["tool_choice"] in ("required", named)
