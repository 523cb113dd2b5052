"""Structured output: three methods, every kind of schema, and never half an answer."""

from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING, Any, Generic, TypedDict, TypeVar

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.exceptions import ModelNotFoundError, OutputParserException
from langchain_core.runnables import AddableDict
from pydantic import BaseModel, Field
from pydantic.v1 import BaseModel as BaseModelV1

if TYPE_CHECKING:
    from collections.abc import Callable

    from doubao_emulator import Emulator
    from langchain_doubao import ChatDoubao


T = TypeVar("T")


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


def added(parts: list[Any]) -> Any:
    full = parts[0]
    for part in parts[1:]:
        full += part
    return full


async def each_way(model: Any) -> list[Any]:
    """Ask four times; streams give their last value, or with the raw message their sum."""
    streams = [list(model.stream(PROMPT)), [part async for part in model.astream(PROMPT)]]
    ends = [added(parts) if isinstance(parts[-1], AddableDict) else parts[-1] for parts in streams]
    return [model.invoke(PROMPT), await model.ainvoke(PROMPT), *ends]


MATRIX = [
    (method, strict)
    for method in METHODS
    for strict in (None, True, False)
    if strict is None or method != "json_mode"
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("method", "strict"), MATRIX)
async def test_every_schema_with_every_method(
    method: str, strict: bool | None, kind: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    """Whole and streamed, blocking and awaited, alone and beside the message."""
    schema = KINDS[kind]
    answered(emulator, method, schema, json.dumps(ANNA), times=8)
    model = chat().with_structured_output(schema, method=method, strict=strict)
    values = await each_way(model)
    raw = chat().with_structured_output(schema, method=method, strict=strict, include_raw=True)
    for outcome in await each_way(raw):
        assert outcome.keys() == {"raw", "parsed", "parsing_error"}
        assert outcome["parsing_error"] is None
        assert outcome["raw"].usage_metadata
        values.append(outcome["parsed"])
    assert [plain(value) for value in values] == [ANNA] * 8
    if isinstance(schema, type) and kind != "TypedDict":
        assert all(isinstance(value, schema) for value in values)


@pytest.mark.parametrize("method", METHODS)
async def test_streams_grow_for_dicts_and_come_whole_for_classes(
    method: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    wanted = {"name": "Anna-Maria Wilhelmina", "age": 30}
    for schema, grows in ((SCHEMA, True), (Person, False)):
        answered(emulator, method, schema, json.dumps(wanted), times=2)
        model = chat().with_structured_output(schema, method=method)
        for parts in (
            list(model.stream(PROMPT)),
            [part async for part in model.astream(PROMPT)],
        ):
            assert (len(parts) > 1) is grows
            assert plain(parts[-1]) == wanted


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


HALVES = [
    pytest.param(schema, case, id=f"{kind}, {case}")
    for kind, schema in (("class", Person), ("dict", SCHEMA))
    for case in CUT
    # Only classes check what the service made of the schema.
    if (kind, case) != ("dict", "not fitting")
]


@pytest.mark.parametrize(("schema", "case"), HALVES)
@pytest.mark.parametrize("method", METHODS)
async def test_half_an_answer_is_a_parsing_error(
    method: str, schema: Any, case: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    text, turn, words = CUT[case]
    answered(emulator, method, schema, text, times=8, **turn)
    model = chat().with_structured_output(schema, method=method)
    with pytest.raises(OutputParserException, match=words):
        model.invoke(PROMPT)
    with pytest.raises(OutputParserException, match=words):
        await model.ainvoke(PROMPT)
    with pytest.raises(OutputParserException, match=words):
        list(model.stream(PROMPT))
    with pytest.raises(OutputParserException, match=words):
        [part async for part in model.astream(PROMPT)]
    raw = chat().with_structured_output(schema, method=method, include_raw=True)
    streams = [list(raw.stream(PROMPT)), [part async for part in raw.astream(PROMPT)]]
    for outcome in (raw.invoke(PROMPT), await raw.ainvoke(PROMPT), *(each[-1] for each in streams)):
        assert outcome["parsed"] is None
        assert isinstance(outcome["parsing_error"], OutputParserException)
        assert re.search(words, str(outcome["parsing_error"]))
    for parts in streams:
        message = added(parts)["raw"]
        assert message.response_metadata["finish_reason"]
        assert message.usage_metadata


class Box(BaseModel, Generic[T]):
    """A box."""

    value: T


def renamed(name: str) -> dict[str, Any]:
    return {**SCHEMA, "title": name}


@pytest.mark.parametrize(
    ("schema", "name"),
    [
        (renamed("Person"), "Person"),
        (renamed("person-2_b"), "person-2_b"),
        (renamed("Person.v2 (new)"), "Person_v2_new"),
        (renamed("人物"), "answer"),
        (renamed("x" * 80), "x" * 64),
        (Box[int], "Box_int"),
    ],
)
@pytest.mark.parametrize("method", ["function_calling", "json_schema"])
async def test_any_name_of_a_schema_will_do(
    method: str, schema: Any, name: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    """The service takes 64 characters of ``[A-Za-z0-9_-]`` (ark.md 4.1); nobody else sees it."""
    model = chat().with_structured_output(schema, method=method)
    assert model.invoke("Reply in json: a value of 3.")
    assert await model.ainvoke("Reply in json: a value of 3.")
    for request in emulator.requests:
        if method == "json_schema":
            assert request.body["response_format"]["json_schema"]["name"] == name
        else:
            assert request.body["tools"][0]["function"]["name"] == name


class Started(BaseCallbackHandler):
    def __init__(self) -> None:
        self.models = 0

    def on_chat_model_start(self, *_: Any, **__: Any) -> None:
        self.models += 1


@pytest.mark.parametrize("include_raw", [True, False])
@pytest.mark.parametrize("method", METHODS)
def test_the_model_is_asked_once(
    method: str, include_raw: bool, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    answered(emulator, method, SCHEMA, json.dumps(ANNA), times=2)
    model = chat().with_structured_output(SCHEMA, method=method, include_raw=include_raw)
    started = Started()
    model.invoke(PROMPT, {"callbacks": [started]})
    list(model.stream(PROMPT, {"callbacks": [started]}))
    assert (started.models, len(emulator.requests)) == (2, 2)


def test_failures_of_the_service_are_no_parsing_errors(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    model = chat(model="nobody").with_structured_output(Person, include_raw=True)
    with pytest.raises(ModelNotFoundError):
        model.invoke(PROMPT)
    with pytest.raises(ModelNotFoundError):
        list(model.stream(PROMPT))


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
