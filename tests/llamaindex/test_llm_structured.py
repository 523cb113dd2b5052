"""Pydantic objects in all four ways of asking, whole and while they come in."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, TextBlock
from llama_index.core.program import FunctionCallingProgram
from llama_index.core.program.utils import get_program_for_llm
from llama_index.core.prompts import PromptTemplate
from llama_index.core.types import PydanticProgramMode
from pydantic import BaseModel, Field

from doubao_core import DoubaoError, Truncated
from llamaindex_doubao import StructuredOutputError
from llamaindex_doubao.schema import response_format, strict

WAYS = ["json_schema", "json_object", "function", "prompt"]
PROMPT = PromptTemplate("Tell me about {name}.")
CITY = {"name": "Paris", "people": 2_100_000, "tags": ["old"]}
CITY_JSON = '{"name": "Paris", "people": 2100000, "tags": ["old"]}'


class City(BaseModel):
    """A city."""

    name: str
    people: int = Field(ge=0)
    tags: list[str] = Field(default_factory=list)


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def say(emulator, way):
    """Make the model say *text* where this way of asking has the object."""

    def say(text: str, **more: Any) -> None:
        if way == "function":
            emulator.answer(reasoning="hm", tool_calls=[("City", text)], **more)
        else:
            emulator.answer(text, reasoning="hm", **more)

    return say


async def predict(llm: Any, **kwargs: Any) -> list[Any]:
    """By both methods."""
    return [
        llm.structured_predict(City, PROMPT, name="Paris", **kwargs),
        await llm.astructured_predict(City, PROMPT, name="Paris", **kwargs),
    ]


async def stream(llm: Any, **kwargs: Any) -> list[list[Any]]:
    """By both methods."""
    awaited = await llm.astream_structured_predict(City, PROMPT, name="Paris", **kwargs)
    return [
        list(llm.stream_structured_predict(City, PROMPT, name="Paris", **kwargs)),
        [each async for each in awaited],
    ]


async def test_an_object_comes_back_and_everything_set_is_sent(make_llm, way, say, sent):
    llm = make_llm(structured_output=way, system_prompt="Be exact.", thinking="enabled")
    say(CITY_JSON, times=2)
    options = {"temperature": 0.5, "tool_choice": "none"}
    assert await predict(llm, llm_kwargs=options) == [City(**CITY)] * 2
    assert options == {"temperature": 0.5, "tool_choice": "none"}
    for body in sent():
        contents = [(each["role"], each["content"]) for each in body["messages"]]
        assert contents[-2:] == [("system", "Be exact."), ("user", "Tell me about Paris.")]
        assert (body["temperature"], body["thinking"]) == (0.5, {"type": "enabled"})
        asked = body.get("response_format", {}).get("type")
        assert asked == (way if way.startswith("json") else None)
        assert body.get("tool_choice") == ("required" if way == "function" else None)
        told = "JSON schema" in contents[0][1]
        assert told is (way in {"json_object", "prompt"})


async def test_streams_grow_to_the_object_without_junk(make_llm, way, say):
    say(CITY_JSON, times=2)
    for objects in await stream(make_llm(structured_output=way)):
        assert objects[-1] == City(**CITY)
        assert type(objects[-1]) is City
        assert len(objects) > 1
        for earlier, later in pairwise(objects):
            assert earlier != later
        assert all(each.model_dump(exclude_unset=True) for each in objects)
        assert [each.name for each in objects if each.name][-1] == "Paris"


@pytest.mark.parametrize(
    "text",
    [
        f"```json\n{CITY_JSON}\n```",
        f"Here you are: {CITY_JSON} Enjoy {{it}}.",
        CITY_JSON,
    ],
    ids=["fence", "prose", "bare"],
)
async def test_prose_around_the_object_is_tolerated(emulator, make_llm, text):
    emulator.answer(text, times=4)
    llm = make_llm(structured_output="prompt")
    assert await predict(llm) == [City(**CITY)] * 2
    assert [objects[-1] for objects in await stream(llm)] == [City(**CITY)] * 2


async def test_raw_line_breaks_inside_strings_are_read(make_llm, way, say):
    say('{"name": "New\nYork", "people": 8}', times=4)
    llm, expected = make_llm(structured_output=way), City(name="New\nYork", people=8)
    assert await predict(llm) == [expected] * 2
    assert [objects[-1] for objects in await stream(llm)] == [expected] * 2


@pytest.mark.parametrize(
    ("text", "reason", "why"),
    [
        ('{"name": "Paris", "peo', "length", "raise max_tokens"),
        ("", "content_filter", "content filter"),
        ('{"name": "Paris", "people": "many"}', None, "people: "),
        ('{"name": "Paris", "people": -1}', None, "people: "),
    ],
)
async def test_an_answer_that_does_not_fit_says_why(make_llm, way, say, text, reason, why):
    llm = make_llm(structured_output=way)
    say(text, finish_reason=reason, times=4)
    for ask in (predict, stream):
        with pytest.raises(StructuredOutputError, match=why) as caught:
            await ask(llm)
        assert caught.value.partial == text
        assert isinstance(caught.value, DoubaoError)
        assert isinstance(caught.value, ValueError)


async def test_text_instead_of_the_forced_call_is_read_if_it_is_the_object(emulator, make_llm):
    emulator.answer(CITY_JSON, times=2)
    assert await predict(make_llm(structured_output="function")) == [City(**CITY)] * 2


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"model": "doubao-seed-2-1-pro-260915"}, "json_schema"),
        ({"model": "ep-20260101000000-abcde"}, "function"),
        ({"model": "doubao-seed-2-0-code-preview-260215"}, "function"),
        ({"model": "doubao-seed-translation-250915"}, "prompt"),
        ({"model": "ep-1", "is_function_calling_model": False}, "prompt"),
        ({"pydantic_program_mode": PydanticProgramMode.FUNCTION}, "function"),
        ({"pydantic_program_mode": PydanticProgramMode.LLM}, "prompt"),
        ({"pydantic_program_mode": PydanticProgramMode.LM_FORMAT_ENFORCER}, None),
    ],
)
def test_which_way_is_chosen(make_llm, fields, expected):
    assert make_llm(**fields)._way() == expected


async def test_other_program_modes_are_left_to_llamaindex(make_llm):
    llm = make_llm(pydantic_program_mode=PydanticProgramMode.LM_FORMAT_ENFORCER)
    with pytest.raises(ImportError, match="lmformatenforcer"):
        llm.structured_predict(City, PROMPT, name="Paris")
    with pytest.raises(ImportError, match="lmformatenforcer"):
        await llm.astructured_predict(City, PROMPT, name="Paris")
    with pytest.raises(ImportError, match="lmformatenforcer"):
        list(llm.stream_structured_predict(City, PROMPT, name="Paris"))
    with pytest.raises(ImportError, match="lmformatenforcer"):
        [each async for each in await llm.astream_structured_predict(City, PROMPT, name="Paris")]


async def test_streams_send_everything_that_is_set_and_change_nothing(make_llm, way, say, sent):
    llm = make_llm(
        structured_output=way, system_prompt="Be exact.", thinking="enabled", max_tokens=900
    )
    say(CITY_JSON, times=2)
    options = {"temperature": 0.5, "tool_choice": "none", "tool_required": False}
    await stream(llm, llm_kwargs=options)
    assert options == {"temperature": 0.5, "tool_choice": "none", "tool_required": False}
    first, second = sent()
    assert first == second
    contents = [(each["role"], each["content"]) for each in first["messages"]]
    assert contents[-2:] == [("system", "Be exact."), ("user", "Tell me about Paris.")]
    assert (first["temperature"], first["max_tokens"]) == (0.5, 900)
    assert (first["thinking"], first["stream"]) == ({"type": "enabled"}, True)
    assert first.get("tool_choice") == ("required" if way == "function" else None)
    asked = first.get("response_format", {}).get("type")
    assert asked == (way if way.startswith("json") else None)


async def test_a_stream_that_breaks_gives_what_it_had_and_raises(emulator, make_llm, way):
    half = '{"name": "Paris", "peo'
    delta: dict[str, Any] = {"content": half}
    if way == "function":
        call = {"index": 0, "id": "call_1", "function": {"name": "City", "arguments": half}}
        delta = {"tool_calls": [call]}
    emulator.answer(events=[{"choices": [{"delta": delta, "index": 0}]}], times=2)
    llm, seen = make_llm(structured_output=way), {}

    def read() -> None:
        for each in llm.stream_structured_predict(City, PROMPT, name="Paris"):
            seen["blocking"] = each.name

    async def aread() -> None:
        async for each in await llm.astream_structured_predict(City, PROMPT, name="Paris"):
            seen["async"] = each.name

    with pytest.raises(Truncated):
        read()
    with pytest.raises(Truncated):
        await aread()
    assert seen == {"blocking": "Paris", "async": "Paris"}


# LlamaIndex's own StructuredLLM calls a method that pydantic deprecates.
@pytest.mark.filterwarnings("ignore:The `json` method is deprecated")
async def test_a_structured_llm_gives_the_object_and_its_json(make_llm, way, say, sent):
    say(CITY_JSON, times=6)
    structured = make_llm(structured_output=way).as_structured_llm(City)
    pictured = ChatMessage(
        blocks=[
            TextBlock(text="Which {city}?"),
            TextBlock(text="See:"),
            ImageBlock(url="https://example.com/paris.png"),
        ]
    )
    responses = [
        structured.chat([pictured]),
        await structured.achat([pictured]),
        list(structured.stream_chat([pictured]))[-1],
        [each async for each in await structured.astream_chat([pictured])][-1],
    ]
    for response in responses:
        assert response.raw == City(**CITY)
        assert City.model_validate_json(response.message.content) == City(**CITY)
    for body in sent():
        assert body["messages"][-1]["content"] == [
            {"type": "text", "text": "Which {city}?"},
            {"type": "text", "text": "See:"},
            {"type": "image_url", "image_url": {"url": "https://example.com/paris.png"}},
        ]
    for completion in (structured.complete("Paris"), await structured.acomplete("Paris")):
        assert completion.raw == City(**CITY)
        assert City.model_validate_json(completion.text) == City(**CITY)


async def test_a_structured_llm_sends_the_options_of_a_call(emulator, llm, sent):
    emulator.answer(CITY_JSON, times=2)
    structured = llm.as_structured_llm(City)
    structured.chat([ChatMessage(content="Paris")], thinking="disabled")
    await structured.achat([ChatMessage(content="Paris")], thinking="disabled")
    assert [body["thinking"] for body in sent()] == [{"type": "disabled"}] * 2


async def test_llamaindexs_own_programs_work_with_it(emulator, llm, sent):
    emulator.answer(reasoning="hm", tool_calls=[("City", CITY_JSON)], times=4)
    program = get_program_for_llm(City, PROMPT, llm, tool_choice="City")
    assert isinstance(program, FunctionCallingProgram)
    found = [
        program(name="Paris"),
        await program.acall(name="Paris"),
        list(program.stream_call(name="Paris"))[-1],
        [each async for each in await program.astream_call(name="Paris")][-1],
    ]
    assert found == [City(**CITY)] * 4
    named = {"type": "function", "function": {"name": "City"}}
    assert [body["tool_choice"] for body in sent()] == [named] * 4


async def test_a_program_may_ask_for_several_objects(emulator, llm):
    rome = {"name": "Rome", "people": 2_700_000}
    emulator.answer(tool_calls=[("City", CITY), ("City", rome)], times=4)
    program = get_program_for_llm(City, PROMPT, llm, allow_parallel_tool_calls=True)
    both = [City(**CITY), City(**rome)]
    assert program(name="?") == await program.acall(name="?") == both
    assert list(program.stream_call(name="?"))[-1] == both
    assert [each async for each in await program.astream_call(name="?")][-1] == both


def test_schemas_are_closed_complete_and_without_what_strict_mode_refuses():
    class Leaf(BaseModel):
        grade: int = Field(ge=1, le=5, description="1 is best")

    class Tea(BaseModel):
        name: str = Field(pattern="^[A-Z]", default="Oolong")
        leaves: list[Leaf] = Field(min_length=1)
        prices: dict[str, float] = {}
        note: str | None = None

    schema = strict(Tea.model_json_schema())
    assert schema["$defs"]["Leaf"] == {
        "title": "Leaf",
        "type": "object",
        "properties": {"grade": {"title": "Grade", "type": "integer", "description": "1 is best"}},
        "required": ["grade"],
        "additionalProperties": False,
    }
    assert schema["properties"] == {
        "name": {"title": "Name", "type": "string"},
        "leaves": {"title": "Leaves", "type": "array", "items": {"$ref": "#/$defs/Leaf"}},
        "prices": {
            "title": "Prices",
            "type": "object",
            "additionalProperties": {"type": "number"},
        },
        "note": {"title": "Note", "anyOf": [{"type": "string"}, {"type": "null"}]},
    }
    assert schema["required"] == ["name", "leaves", "prices", "note"]


def test_names_of_schemas_are_ones_the_wire_takes():
    class Box(BaseModel):
        model_config = {"title": "Box[int] " + "x" * 80}

    name = response_format(Box)["json_schema"]["name"]
    assert name.startswith("Box_int__x")
    assert len(name) == 64
