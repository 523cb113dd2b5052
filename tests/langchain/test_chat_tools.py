"""Tools in every form and ``tool_choice`` in every form, as they go over the wire."""

from __future__ import annotations

import copy
import datetime as dt
from typing import TYPE_CHECKING, Any, TypedDict
from uuid import UUID

import pytest
from langchain_core._api.beta_decorator import suppress_langchain_beta_warning
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from pydantic import BaseModel, Field
from pydantic.v1 import BaseModel as BaseModelV1

from langchain_doubao.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from doubao_emulator import Emulator
    from langchain_doubao import ChatDoubao


def get_weather(city: str) -> str:
    """Weather of a city."""
    return f"Sunny in {city}"


@tool("get_weather")
def as_base_tool(city: str) -> str:
    """Weather of a city."""
    return f"Sunny in {city}"


class AsClass(BaseModel):
    """Weather of a city."""

    city: str


class AsV1Class(BaseModelV1):
    """Weather of a city."""

    city: str


class AsTypedDict(TypedDict):
    """Weather of a city."""

    city: str


with suppress_langchain_beta_warning():
    as_runnable = RunnableLambda(lambda asked: asked["city"]).as_tool(
        name="get_weather", description="Weather of a city.", arg_types={"city": str}
    )
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS: dict[str, tuple[Any, str]] = {
    "function": (get_weather, "get_weather"),
    "BaseTool": (as_base_tool, "get_weather"),
    "pydantic class": (AsClass, "AsClass"),
    "pydantic v1 class": (AsV1Class, "AsV1Class"),
    "runnable": (as_runnable, "get_weather"),
    "TypedDict": (AsTypedDict, "AsTypedDict"),
    "OpenAI dict": (
        {
            "type": "function",
            "function": {
                "name": "get_weather",
                "description": "Weather of a city.",
                "parameters": SCHEMA,
            },
        },
        "get_weather",
    ),
    "Anthropic dict": (
        {"name": "get_weather", "description": "Weather of a city.", "input_schema": SCHEMA},
        "get_weather",
    ),
    "JSON schema": (
        {"title": "get_weather", "description": "Weather of a city.", **SCHEMA},
        "get_weather",
    ),
}


PARIS = "The weather in Paris?"


def bound(emulator: Emulator) -> dict[str, Any]:
    return {
        name: value
        for name, value in emulator.requests[-1].body.items()
        if name in {"tools", "tool_choice", "parallel_tool_calls", "response_format"}
    }


@pytest.mark.parametrize("form", TOOLS)
async def test_every_form_of_a_tool_is_the_same_on_the_wire(
    form: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    given, name = TOOLS[form]
    model = chat().bind_tools([given], tool_choice="any")
    for message in (model.invoke(PARIS), await model.ainvoke(PARIS)):
        assert [(call["name"], call["args"]) for call in message.tool_calls] == [
            (name, {"city": "Paris"})
        ]
        (sent,) = bound(emulator)["tools"]
        assert sent["type"] == "function"
        function = sent["function"]
        assert function["name"] == name
        assert function["description"] == "Weather of a city."
        assert function["parameters"]["properties"]["city"]["type"] == "string"
        assert function["parameters"]["required"] == ["city"]


def named(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


# What is given, what goes out, and whether the model must call.
CHOICES: dict[str, tuple[Callable[[str], Any], Callable[[str], Any], bool | None]] = {
    "none given": (lambda _: None, lambda _: None, None),
    "False": (lambda _: False, lambda _: None, None),
    "auto": (lambda _: "auto", lambda _: "auto", None),
    "none": (lambda _: "none", lambda _: "none", False),
    "any": (lambda _: "any", lambda _: "required", True),
    "required": (lambda _: "required", lambda _: "required", True),
    "its name": (lambda name: name, named, True),
    "True": (lambda _: True, named, True),
    "the wire's object": (named, named, True),
}


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("form", TOOLS)
async def test_every_choice_goes_with_every_form(
    form: str, choice: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    tool, name = TOOLS[form]
    given, wire, called = CHOICES[choice]
    model = chat().bind_tools([tool], tool_choice=given(name))
    for message in (model.invoke("Hello"), await model.ainvoke("Hello")):
        assert bound(emulator).get("tool_choice") == wire(name)
        assert called in {None, bool(message.tool_calls)}


@pytest.mark.parametrize("thinking", ["enabled", "disabled"])
@pytest.mark.parametrize("choice", ["any", "get_weather"])
async def test_a_forced_call_and_thinking_go_out_together(
    choice: str, thinking: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    """The service documents no restriction (ark.md 4.1), so nothing is weakened silently."""
    model = chat(thinking=thinking).bind_tools([get_weather], tool_choice=choice)
    for message in (model.invoke(PARIS), await model.ainvoke(PARIS)):
        assert [call["args"] for call in message.tool_calls] == [{"city": "Paris"}]
        assert ("reasoning_content" in message.additional_kwargs) is (thinking == "enabled")
        body = emulator.requests[-1].body
        assert body["thinking"] == {"type": thinking}
        assert body["tool_choice"] == ("required" if choice == "any" else named(choice))


def test_a_tool_of_the_service_itself_is_sent_as_it_is(chat: Callable[..., ChatDoubao]) -> None:
    built_in = {"type": "web_search", "limit": 3}
    assert chat().bind_tools([built_in]).kwargs == {"tools": [built_in]}


@pytest.mark.parametrize("given", [SCHEMA, {"type": "object"}, {"properties": {}}])
def test_a_schema_without_a_title_is_no_tool(
    given: dict[str, Any], chat: Callable[..., ChatDoubao]
) -> None:
    """Its type is no built-in tool's, and a tool needs a name."""
    with pytest.raises(ValueError, match="needs a title to be a tool"):
        chat().bind_tools([given])


async def test_a_schema_with_a_title_keeps_what_is_not_under_properties(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    given = {"title": "find", "type": "object", "anyOf": [SCHEMA, {**SCHEMA, "required": []}]}
    model = chat().bind_tools([given])
    emulator.answer("Found.", times=2)
    for message in (model.invoke(PARIS), await model.ainvoke(PARIS)):
        assert message.text == "Found."
        (sent,) = bound(emulator)["tools"]
        wanted = {"type": "object", "anyOf": given["anyOf"]}
        assert sent["function"] == {"name": "find", "parameters": wanted}


def test_true_forces_any_of_several_tools(chat: Callable[..., ChatDoubao]) -> None:
    model = chat().bind_tools([get_weather, AsClass], tool_choice=True)
    assert model.kwargs["tool_choice"] == "required"


def test_an_unknown_tool_choice_is_refused_with_the_names(chat: Callable[..., ChatDoubao]) -> None:
    with pytest.raises(ValueError, match=r"'get_wether'.*get_weather"):
        chat().bind_tools([get_weather], tool_choice="get_wether")


async def test_without_tools_nothing_about_tools_is_sent(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    """Agents bind an empty list when only the format of the answer matters."""
    model = chat(parallel_tool_calls=False)
    model.bind_tools([], tool_choice="any", parallel_tool_calls=False).invoke("Hello")
    model.invoke("Hello", tools=[])
    model.invoke("Hello")
    await model.bind_tools([], tool_choice="any", parallel_tool_calls=False).ainvoke("Hello")
    assert [set(request.body) for request in emulator.requests] == [{"model", "messages"}] * 4


async def test_parallel_calls_may_be_turned_off(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    chat().bind_tools([get_weather], parallel_tool_calls=False).invoke("Hello")
    chat(parallel_tool_calls=False).bind_tools([get_weather]).invoke("Hello")
    await chat().bind_tools([get_weather], parallel_tool_calls=True).ainvoke("Hello")
    sent = [request.body["parallel_tool_calls"] for request in emulator.requests]
    assert sent == [False, False, True]


def test_strict_requires_every_property(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    """The service refuses a strict function with optional properties (ark.md 4.5)."""

    class Forecast(BaseModel):
        """Forecast of a city."""

        city: str = Field(min_length=1)
        days: int | None = None

    chat().bind_tools([Forecast], strict=True, tool_choice="any").invoke("Forecast of Paris")
    (sent,) = bound(emulator)["tools"]
    assert sent["function"]["strict"] is True
    parameters = sent["function"]["parameters"]
    assert parameters["required"] == ["city", "days"]
    assert parameters["additionalProperties"] is False
    assert "minLength" not in parameters["properties"]["city"]


NESTED = TOOLS["OpenAI dict"][0]


@pytest.mark.parametrize("given", [NESTED, {"type": "function", **NESTED["function"]}])
@pytest.mark.parametrize("strict", [None, True, False])
def test_a_tool_in_openais_form_is_sent_nested_and_left_alone(
    given: Any, strict: bool | None, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    before = copy.deepcopy(given)
    chat().bind_tools([given], strict=strict).invoke("Weather of Paris")
    (sent,) = bound(emulator)["tools"]
    assert sent["function"]["name"] == "get_weather"
    assert sent["function"].get("strict") is strict
    assert (sent["function"]["parameters"].get("additionalProperties") is False) is bool(strict)
    assert given == before


async def test_arguments_that_json_does_not_have_go_back_as_json(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    """Models do write NaN, and tools may be called with Python's own dates."""
    args = {
        "a": float("nan"),
        "b": [float("inf")],
        "day": dt.date(2026, 11, 21),
        "城": UUID(int=1),
    }
    called = AIMessage("", tool_calls=[{"name": "f", "args": args, "id": "1"}])
    history = [HumanMessage("x"), called, ToolMessage("x", tool_call_id="1")]
    model = chat()
    model.invoke(history)
    await model.ainvoke(history)
    list(model.stream(history))
    [_ async for _ in model.astream(history)]
    assert len(emulator.requests) == 4
    for request in emulator.requests:
        (call,) = request.body["messages"][1]["tool_calls"]
        assert call["function"]["arguments"] == (
            '{"a":null,"b":[null],"day":"2026-11-21","城":"00000000-0000-0000-0000-000000000001"}'
        )


async def test_arguments_that_no_json_can_hold_are_refused(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    called = AIMessage("", tool_calls=[{"name": "f", "args": {"a": object()}, "id": "1"}])
    history = [HumanMessage("x"), called, ToolMessage("x", tool_call_id="1")]
    with pytest.raises(ConfigError, match="call of f cannot be sent as JSON"):
        chat().invoke(history)
    with pytest.raises(ConfigError, match="call of f cannot be sent as JSON"):
        await chat().ainvoke(history)
    assert len(emulator.requests) == 0


def test_arguments_stay_unescaped(emulator: Emulator, chat: Callable[..., ChatDoubao]) -> None:
    model = chat().bind_tools([get_weather])
    emulator.answer(tool_calls=[("get_weather", '{"city": "北京"}')])
    message = model.invoke("天气?")
    model.invoke(
        [
            HumanMessage("天气?"),
            message,
            ToolMessage("晴", tool_call_id=message.tool_calls[0]["id"]),
        ]
    )
    (call,) = emulator.requests[-1].body["messages"][1]["tool_calls"]
    assert call["function"]["arguments"] == '{"city":"北京"}'


@pytest.mark.parametrize(
    ("offered", "name"),
    [
        (tool("天气")(get_weather), "天气"),
        (lambda city: city, "<lambda>"),
        ({"name": "x" * 65, "description": "", "parameters": {"type": "object"}}, "x" * 65),
        ({"type": "function", "function": {"name": "a.b", "parameters": {}}}, "a.b"),
    ],
    ids=["Chinese", "lambda", "long", "dotted"],
)
def test_a_tool_name_that_the_service_refuses_is_an_error_that_names_it(
    chat: Callable[..., ChatDoubao], offered: Any, name: str
) -> None:
    with pytest.raises(ValueError, match="A-Z, a-z, digits") as caught:
        chat().bind_tools([offered])
    assert repr(name) in str(caught.value)
