"""Structured output: three methods, every kind of schema, and never half an answer."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, TypedDict

import pytest
from langchain_core.exceptions import OutputParserException
from pydantic import BaseModel, Field
from pydantic.v1 import BaseModel as BaseModelV1

if TYPE_CHECKING:
    from collections.abc import Callable

    from doubao_emulator import Emulator
    from langchain_doubao import ChatDoubao


class Person(BaseModel):
    """A person."""

    name: str
    age: int = Field(ge=0, description="Age in years")
    nickname: str | None = None


class PersonV1(BaseModelV1):
    """A person."""

    name: str
    age: int


class PersonDict(TypedDict):
    """A person."""

    name: str
    age: int


SCHEMA = {
    "title": "Person",
    "description": "A person.",
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name"],
}
FUNCTION = {"name": "Person", "description": "A person.", "parameters": SCHEMA}
KINDS: dict[str, Any] = {
    "pydantic": Person,
    "pydantic v1": PersonV1,
    "TypedDict": PersonDict,
    "JSON schema": SCHEMA,
    "OpenAI function": FUNCTION,
    "JSON schema without a name": {k: v for k, v in SCHEMA.items() if k != "title"},
}
METHODS = ("function_calling", "json_schema", "json_mode")
ANNA = {"name": "Anna", "age": 30}
PROMPT = "Reply in json. Anna is 30 years old."


def answered(emulator: Emulator, method: str, schema: Any, text: str, **turn: Any) -> None:
    """Let the model say *text* where this method looks for the answer."""
    if method == "function_calling":
        name = (
            schema.get("title", schema.get("name", "answer"))
            if isinstance(schema, dict)
            else (schema.__name__)
        )
        emulator.answer(tool_calls=[(name, text)], **turn)
    else:
        emulator.answer(text, **turn)


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return value
    return {"name": value.name, "age": value.age}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", METHODS)
async def test_every_schema_with_every_method(
    method: str, kind: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    schema = KINDS[kind]
    for _ in range(3):
        answered(emulator, method, schema, '{"name": "Anna", "age": 30}')
    model = chat().with_structured_output(schema, method=method)
    values = [model.invoke(PROMPT), await model.ainvoke(PROMPT)]
    assert [plain(value) for value in values] == [ANNA, ANNA]
    if isinstance(schema, type) and kind != "TypedDict":
        assert all(isinstance(value, schema) for value in values)
    raw = chat().with_structured_output(schema, method=method, include_raw=True).invoke(PROMPT)
    assert list(raw) == ["raw", "parsed", "parsing_error"]
    assert plain(raw["parsed"]) == ANNA
    assert raw["parsing_error"] is None


@pytest.mark.parametrize("method", METHODS)
def test_streams_grow_for_dicts_and_come_whole_for_classes(
    method: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    text = '{"name": "Anna-Maria Wilhelmina", "age": 30}'
    for schema in (SCHEMA, Person):
        answered(emulator, method, schema, text)
    grown = list(chat().with_structured_output(SCHEMA, method=method).stream(PROMPT))
    assert len(grown) > 1
    assert grown[-1] == {"name": "Anna-Maria Wilhelmina", "age": 30}
    whole = list(chat().with_structured_output(Person, method=method).stream(PROMPT))
    assert whole == [Person(name="Anna-Maria Wilhelmina", age=30)]


CUT = {
    "cut off": ('{"name": "Anna", "age": 3', {"finish_reason": "length"}, "max_tokens"),
    "cut off where it parses": (
        '{"name": "Anna", "age": 3}',
        {"finish_reason": "length"},
        "max_tokens",
    ),
    "filtered": ('{"name": "An', {"finish_reason": "content_filter"}, "content filter"),
    "no JSON": ('{"name": "An', {}, "JSON"),
    "not fitting": ('{"name": "Anna", "age": "old"}', {}, "does not fit Person"),
}


@pytest.mark.parametrize("case", CUT)
@pytest.mark.parametrize("method", METHODS)
async def test_half_an_answer_is_a_parsing_error(
    method: str, case: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    text, turn, words = CUT[case]
    for _ in range(4):
        answered(emulator, method, Person, text, **turn)
    model = chat().with_structured_output(Person, method=method)
    with pytest.raises(OutputParserException, match=words):
        model.invoke(PROMPT)
    with pytest.raises(OutputParserException, match=words):
        await model.ainvoke(PROMPT)
    with pytest.raises(OutputParserException):
        list(model.stream(PROMPT))
    raw = chat().with_structured_output(Person, method=method, include_raw=True).invoke(PROMPT)
    assert raw["parsed"] is None
    assert isinstance(raw["parsing_error"], OutputParserException)
    assert raw["raw"].response_metadata["finish_reason"]


async def test_a_dict_that_was_cut_off_is_an_error_at_the_end_of_its_stream(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    emulator.answer('{"name": "Anna", "age": 3', finish_reason="length", times=2)
    model = chat().with_structured_output(SCHEMA, method="json_schema")
    with pytest.raises(OutputParserException, match="max_tokens"):
        list(model.stream(PROMPT))
    with pytest.raises(OutputParserException, match="max_tokens"):
        [value async for value in model.astream(PROMPT)]


def test_an_answer_without_the_call_is_an_error(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    emulator.answer("I would rather not.")
    with pytest.raises(OutputParserException, match="without calling Person"):
        chat().with_structured_output(Person).invoke(PROMPT)


@pytest.mark.parametrize(
    "text", ['```json\n{"name": "Anna", "age": 30}\n```', ' {"name": "Anna", "age": 30}\n']
)
@pytest.mark.parametrize("version", [None, "v1"])
def test_fences_and_blocks_are_read_through(
    text: str, version: str | None, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    """The reasoning beside the answer is not part of it, in string and in block content."""
    emulator.answer(text, reasoning='{"name": "Not me"}')
    model = chat(output_version=version).with_structured_output(SCHEMA, method="json_mode")
    assert model.invoke(PROMPT) == ANNA


def test_what_each_method_asks_for(emulator: Emulator, chat: Callable[..., ChatDoubao]) -> None:
    text = '{"name": "Anna", "age": 30}'
    for method in METHODS:
        answered(emulator, method, Person, text)
        chat().with_structured_output(Person, method=method).invoke(PROMPT)
    calling, schema, mode = [request.body for request in emulator.requests]
    assert calling["tool_choice"] == {"type": "function", "function": {"name": "Person"}}
    assert calling["parallel_tool_calls"] is False
    assert "response_format" not in calling
    assert mode["response_format"] == {"type": "json_object"}
    wanted = schema["response_format"]["json_schema"]
    assert wanted["strict"] is True
    assert wanted["name"] == "Person"
    assert wanted["schema"]["required"] == ["name", "age", "nickname"]
    assert wanted["schema"]["additionalProperties"] is False
    assert wanted["schema"]["properties"]["age"] == {
        "type": "integer",
        "description": "Age in years",
    }


@pytest.mark.parametrize(
    ("schema", "strict", "wanted"),
    [
        (SCHEMA, None, (None, True)),
        (SCHEMA, True, (True, False)),
        (SCHEMA, False, (False, True)),
        (Person, False, (False, True)),
        (PersonDict, None, (True, False)),
    ],
)
def test_strict_follows_the_schema_unless_told(
    schema: Any, strict: bool | None, wanted: Any, chat: Callable[..., ChatDoubao]
) -> None:
    """A dict goes out as it was written; classes are enforced, so that they can be read back."""
    model = chat().with_structured_output(schema, method="json_schema", strict=strict)
    asked = model.first.kwargs["response_format"]["json_schema"]
    loose = asked["schema"].get("additionalProperties") is not False
    assert (asked.get("strict"), loose) == wanted


@pytest.mark.parametrize("strict", [None, True, False])
def test_a_forced_call_is_as_strict_as_it_was_asked_to_be(
    strict: bool | None, chat: Callable[..., ChatDoubao]
) -> None:
    """Without the flag a schema is a hint only (ark.md 4.5)."""
    model = chat().with_structured_output(Person, strict=strict)
    (tool,) = model.first.kwargs["tools"]
    assert tool["function"].get("strict") is strict


def test_a_schema_is_left_alone(chat: Callable[..., ChatDoubao]) -> None:
    bare = {"type": "function", "function": {"name": "answer"}}
    before = copy.deepcopy(bare)
    for method in METHODS:
        chat().with_structured_output(bare, method=method)
    assert bare == before


def test_schemas_are_traced_as_they_were_given(chat: Callable[..., ChatDoubao]) -> None:
    for method in METHODS:
        bound = chat().with_structured_output(Person, method=method).first.kwargs
        assert bound["ls_structured_output_format"] == {
            "kwargs": {"method": method, "strict": None},
            "schema": Person,
        }


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"schema": Person, "tempurature": 1}, "tempurature"),
        ({"schema": Person, "method": "json"}, "'json'"),
        ({"schema": None}, "needs a schema"),
        ({"schema": Person, "method": "json_mode", "strict": True}, "strict"),
    ],
)
def test_senseless_arguments_are_refused(
    fields: dict[str, Any], words: str, chat: Callable[..., ChatDoubao]
) -> None:
    with pytest.raises(ValueError, match=words):
        chat().with_structured_output(**fields)


def test_the_models_own_answer_fits(chat: Callable[..., ChatDoubao]) -> None:
    """Nothing scripted: the emulator fills the schema that really arrived."""
    for method in ("function_calling", "json_schema"):
        person = (
            chat().with_structured_output(Person, method=method).invoke("Anna is 30 years old.")
        )
        assert (person.name, person.age) == ("Anna", 30)
