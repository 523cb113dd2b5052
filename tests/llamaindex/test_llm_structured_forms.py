"""Objects of every form: lists, unions, trees; long ones; and answers that are nearly an object."""

from __future__ import annotations

import json
from datetime import date
from enum import Enum
from itertools import pairwise
from typing import Annotated, Any, Literal

import pytest
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel, ConfigDict, Field, RootModel, field_validator

from doubao_core import ConfigError
from llamaindex_doubao import StructuredOutputError

WAYS = ["json_schema", "json_object", "function", "prompt"]
PROMPT = PromptTemplate("Tell me.")


class Tea(BaseModel):
    name: str
    grams: int = 0


class Tree(BaseModel):
    """A tree."""

    name: str
    children: list[Tree] = []


class Teas(RootModel[list[Tea]]):
    """Several teas."""


class TeaOrTree(RootModel[Tea | Tree]):
    pass


class Prices(RootModel[dict[str, int]]):
    pass


class Number(RootModel[int]):
    pass


class Colour(Enum):
    RED = "red"


class Red(BaseModel):
    kind: Literal["red"]
    shade: int


class Blue(BaseModel):
    kind: Literal["blue"]
    depth: str


class Picky(BaseModel):
    """What is read strictly, and half a value of which is none."""

    model_config = ConfigDict(strict=True)

    day: date
    colour: Colour
    either: Annotated[Red | Blue, Field(discriminator="kind")]
    pair: tuple[int, str]
    maybe: Tea | int | None = None


PICKY = {
    "day": "2026-11-21",
    "colour": "red",
    "either": {"kind": "blue", "depth": "x"},
    "pair": [1, "a"],
    "maybe": {"name": "龙井", "grams": 50},
}
FORMS: list[tuple[type[BaseModel], Any]] = [
    (Tree, {"name": "a", "children": [{"name": "b", "children": []}]}),
    (Teas, [{"name": "龙井", "grams": 50}, {"name": "Oolong", "grams": 0}]),
    (TeaOrTree, {"name": "a", "children": [{"name": "b", "children": []}]}),
    (Prices, {"Oolong": 12}),
    (Number, 12),
    (Picky, PICKY),
]


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=["blocking", "async", "stream", "astream"])
def predict(request: pytest.FixtureRequest) -> Any:
    """Ask by each of the four methods in turn; gives all objects that came."""

    async def predict(llm: Any, output_cls: type[BaseModel], **kwargs: Any) -> list[Any]:
        if request.param == "blocking":
            return [llm.structured_predict(output_cls, PROMPT, **kwargs)]
        if request.param == "async":
            return [await llm.astructured_predict(output_cls, PROMPT, **kwargs)]
        if request.param == "stream":
            return list(llm.stream_structured_predict(output_cls, PROMPT, **kwargs))
        awaited = await llm.astream_structured_predict(output_cls, PROMPT, **kwargs)
        return [each async for each in awaited]

    return predict


@pytest.fixture
def say(emulator, way):
    """Make the model say *text* where this way of asking has the object."""

    def say(text: str, **more: Any) -> None:
        if way == "function":
            emulator.answer(tool_calls=[("Any", text)], **more)
        else:
            emulator.answer(text, **more)

    return say


def text_of(output_cls: type[BaseModel], value: Any) -> str:
    wrapped = issubclass(output_cls, RootModel)
    return json.dumps({"answer": value} if wrapped else value, ensure_ascii=False)


@pytest.mark.parametrize(("output_cls", "value"), FORMS)
async def test_an_object_of_any_form_comes_back(make_llm, way, say, predict, output_cls, value):
    say(text_of(output_cls, value))
    objects = await predict(make_llm(structured_output=way), output_cls)
    assert type(objects[-1]) is output_cls
    assert objects[-1] == output_cls.model_validate_json(json.dumps(value))
    assert all(earlier != later for earlier, later in pairwise(objects))


@pytest.mark.parametrize(("output_cls", "value"), [form for form in FORMS if form[1] != 12])
@pytest.mark.parametrize("around", ["%s", "```json\n%s\n```", "Some [1], in {words}: \n%s"])
async def test_what_a_root_model_holds_is_read_bare_too(
    emulator, make_llm, predict, output_cls, value, around
):
    emulator.answer(around % json.dumps(value))
    objects = await predict(make_llm(structured_output="prompt"), output_cls)
    assert objects[-1] == output_cls.model_validate_json(json.dumps(value))


@pytest.mark.parametrize(("output_cls", "text"), [(Number, "12"), (RootModel[list[int]], "[1, 2]")])
async def test_a_bare_value_is_read_if_it_stands_alone(
    emulator, make_llm, predict, output_cls, text
):
    emulator.answer(text)
    objects = await predict(make_llm(structured_output="prompt"), output_cls)
    assert objects[-1].root == json.loads(text)


@pytest.mark.parametrize("output_cls", [output_cls for output_cls, _ in FORMS])
async def test_the_service_is_asked_for_an_object_of_the_whole_schema(
    make_llm, way, say, sent, predict, output_cls
):
    say("null")
    with pytest.raises(StructuredOutputError):
        await predict(make_llm(structured_output=way), output_cls)
    (body,) = sent()
    if way == "function":
        schema = body["tools"][0]["function"]["parameters"]
    elif way == "json_schema":
        schema = body["response_format"]["json_schema"]["schema"]
    else:
        schema = json.JSONDecoder().raw_decode(body["messages"][0]["content"].split("schema: ")[1])
        schema = schema[0]
    assert schema["type"] == "object"
    expected = {"answer"} if issubclass(output_cls, RootModel) else set(output_cls.model_fields)
    assert schema["properties"].keys() == expected
    if output_cls is Tree:
        assert schema["properties"]["children"]["items"] == {"$ref": "#/$defs/Tree"}
        assert schema["$defs"]["Tree"]["properties"].keys() == {"name", "children"}


async def test_a_class_without_words_has_no_made_up_description(make_llm, say, sent, predict, way):
    say('{"name": "a"}')
    await predict(make_llm(structured_output=way), Tea)
    assert "Model function" not in json.dumps(sent())


async def test_a_tool_that_takes_a_tree_is_sent_with_it(llm, sent):
    tool = FunctionTool.from_defaults(print, name="plant", description="x", fn_schema=Tree)
    llm.chat_with_tools([tool], user_msg="Plant it.")
    await llm.achat_with_tools([tool], user_msg="Plant it.")
    for body in sent():
        parameters = body["tools"][0]["function"]["parameters"]
        assert parameters["type"] == "object"
        assert parameters["properties"].keys() == {"name", "children"}


async def test_braces_in_the_prose_before_are_no_object(emulator, make_llm, predict):
    emulator.answer('I fill {name} and { grams }: {"name": "Oolong"} {"name": "x"}')
    objects = await predict(make_llm(structured_output="prompt"), Tea)
    assert objects[-1] == Tea(name="Oolong")


async def test_part_of_a_broken_answer_is_not_taken_for_the_whole(make_llm, way, say, predict):
    say('{children: [{"name": "leaf"}], name: "root"}')
    with pytest.raises(StructuredOutputError, match="Tree"):
        await predict(make_llm(structured_output=way), Tree)


@pytest.mark.parametrize(
    ("reason", "why"), [("length", "token limit"), ("content_filter", "content filter")]
)
async def test_what_was_cut_is_no_object_even_if_it_reads_like_one(
    make_llm, way, say, predict, reason, why
):
    say('{"name": "Oolong"}', finish_reason=reason)
    with pytest.raises(StructuredOutputError, match=why):
        await predict(make_llm(structured_output=way), Tea)


@pytest.mark.parametrize("option", ["messages", "response_format", "tools"])
async def test_what_excludes_an_object_is_refused(make_llm, way, sent, predict, option):
    with pytest.raises(ConfigError, match=option):
        await predict(make_llm(structured_output=way), Tea, llm_kwargs={option: []})
    assert sent() == []


async def test_half_a_surrogate_pair_is_an_error_of_ours(make_llm, way, say, predict):
    say(r'{"name": "\ud800", "grams": 1}')
    with pytest.raises(StructuredOutputError, match="Tea"):
        await predict(make_llm(structured_output=way), Tea)


async def test_a_validator_that_stumbles_over_half_a_value_stops_no_stream(
    make_llm, way, say, predict
):
    class Route(BaseModel):
        ends: str

        @field_validator("ends")
        @classmethod
        def _swap(cls, value: str) -> str:
            ends = value.split(" to ")
            return f"{ends[1]} to {ends[0]}"

    say('{"ends": "Paris to Rome"}')
    objects = await predict(make_llm(structured_output=way), Route)
    assert objects[-1].ends == "Rome to Paris"


@pytest.mark.parametrize("predict", ["stream", "astream"], indirect=True)
async def test_of_a_long_answer_not_every_piece_is_read_anew(emulator, make_llm, way, predict):
    class Book(BaseModel):
        lines: list[str]

    text = json.dumps({"lines": ["word " * 4] * 4_000})
    pieces = [text[at : at + 24] for at in range(0, len(text), 24)]

    def delta(piece: str) -> dict[str, Any]:
        if way != "function":
            return {"content": piece}
        call = {"index": 0, "id": "c", "function": {"name": "Book", "arguments": piece}}
        return {"tool_calls": [call]}

    thoughts = [{"reasoning_content": "hm"}] * 2_000
    deltas = [*thoughts, *map(delta, pieces)]
    events: list[Any] = [{"choices": [{"index": 0, "delta": each}]} for each in deltas]
    events[-1]["choices"][0]["finish_reason"] = "stop"
    emulator.answer(events=[*events, "[DONE]"])
    objects = await predict(make_llm(structured_output=way), Book)
    assert len(pieces) > 3_800
    # Each of the first pieces; later about one more in a hundred.
    assert 100 < len(objects) < 700
    assert len(objects[-1].lines) == 4_000


@pytest.mark.parametrize("mode", ["default", "openai"])
async def test_a_list_type_is_refused_with_what_to_use(emulator, make_llm, predict, mode):
    llm = make_llm(pydantic_program_mode=mode)
    with pytest.raises(ConfigError, match=r"^list\[Tea\] is no class .*RootModel\[list\[Tea\]\]"):
        await predict(llm, list[Tea])
    assert not emulator.requests
