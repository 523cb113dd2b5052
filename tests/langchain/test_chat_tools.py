"""Tools in every form, ``tool_choice`` in every form, and agents in every way."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, TypedDict

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from pydantic import BaseModel, Field

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


class AsTypedDict(TypedDict):
    """Weather of a city."""

    city: str


SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS: dict[str, tuple[Any, str]] = {
    "function": (get_weather, "get_weather"),
    "BaseTool": (as_base_tool, "get_weather"),
    "pydantic class": (AsClass, "AsClass"),
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


def bound(emulator: Emulator) -> dict[str, Any]:
    return {
        name: value
        for name, value in emulator.requests[-1].body.items()
        if name in {"tools", "tool_choice", "parallel_tool_calls", "response_format"}
    }


@pytest.mark.parametrize("form", TOOLS)
def test_every_form_of_a_tool_is_the_same_on_the_wire(
    form: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    given, name = TOOLS[form]
    message = chat().bind_tools([given], tool_choice="any").invoke("The weather in Paris?")
    (sent,) = bound(emulator)["tools"]
    assert sent["type"] == "function"
    function = sent["function"]
    assert function["name"] == name
    assert function["description"] == "Weather of a city."
    assert function["parameters"]["properties"]["city"]["type"] == "string"
    assert function["parameters"]["required"] == ["city"]
    assert [(call["name"], call["args"]) for call in message.tool_calls] == [
        (name, {"city": "Paris"})
    ]


def test_a_tool_of_the_service_itself_is_sent_as_it_is(chat: Callable[..., ChatDoubao]) -> None:
    built_in = {"type": "web_search", "limit": 3}
    assert chat().bind_tools([built_in]).kwargs == {"tools": [built_in]}


NAMED = {"type": "function", "function": {"name": "get_weather"}}


@pytest.mark.parametrize(
    ("choice", "wire"),
    [
        (None, None),
        (False, None),
        ("auto", "auto"),
        ("none", "none"),
        ("any", "required"),
        ("required", "required"),
        ("get_weather", NAMED),
        (True, NAMED),
        (NAMED, NAMED),
    ],
)
def test_tool_choice(
    choice: Any, wire: Any, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    chat().bind_tools([get_weather], tool_choice=choice).invoke("Hello")
    assert bound(emulator).get("tool_choice") == wire


def test_true_forces_any_of_several_tools(chat: Callable[..., ChatDoubao]) -> None:
    model = chat().bind_tools([get_weather, AsClass], tool_choice=True)
    assert model.kwargs["tool_choice"] == "required"


def test_an_unknown_tool_choice_is_refused_with_the_names(chat: Callable[..., ChatDoubao]) -> None:
    with pytest.raises(ValueError, match=r"'get_wether'.*get_weather"):
        chat().bind_tools([get_weather], tool_choice="get_wether")


def test_without_tools_nothing_about_tools_is_sent(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    """Agents bind an empty list when only the format of the answer matters."""
    model = chat(parallel_tool_calls=False)
    model.bind_tools([], tool_choice="any", parallel_tool_calls=False).invoke("Hello")
    model.invoke("Hello", tools=[])
    model.invoke("Hello")
    assert [set(request.body) for request in emulator.requests] == [{"model", "messages"}] * 3


def test_parallel_calls_may_be_turned_off(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    chat().bind_tools([get_weather], parallel_tool_calls=False).invoke("Hello")
    chat(parallel_tool_calls=False).bind_tools([get_weather]).invoke("Hello")
    sent = [request.body["parallel_tool_calls"] for request in emulator.requests]
    assert sent == [False, False]


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


def test_arguments_stay_unescaped(emulator: Emulator, chat: Callable[..., ChatDoubao]) -> None:
    model = chat().bind_tools([get_weather])
    emulator.answer(tool_calls=[("get_weather", '{"city": "北京"}')])
    message = model.invoke("天气?")
    from langchain_core.messages import ToolMessage

    model.invoke(
        [
            HumanMessage("天气?"),
            message,
            ToolMessage("晴", tool_call_id=message.tool_calls[0]["id"]),
        ]
    )
    (call,) = emulator.requests[-1].body["messages"][1]["tool_calls"]
    assert call["function"]["arguments"] == '{"city":"北京"}'


class Weather(BaseModel):
    """Report of the weather."""

    city: str
    condition: str


QUESTION = {"messages": [("user", "What is the weather in Paris?")]}


def test_an_agent_answers_with_tools(emulator: Emulator, chat: Callable[..., ChatDoubao]) -> None:
    from langchain.agents import create_agent

    state = create_agent(chat(), [get_weather]).invoke(QUESTION)
    assert [message.type for message in state["messages"]] == ["human", "ai", "tool", "ai"]
    assert "Sunny in Paris" in state["messages"][-1].text


async def test_an_agent_answers_with_tools_async(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    from langchain.agents import create_agent

    state = await create_agent(chat(), [get_weather]).ainvoke(QUESTION)
    assert "Sunny in Paris" in state["messages"][-1].text


def test_an_agent_uses_the_tool_strategy(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    from langchain.agents import create_agent
    from langchain.agents.structured_output import ToolStrategy

    emulator.answer(tool_calls=[("get_weather", {"city": "Paris"})])
    emulator.answer(tool_calls=[("Weather", {"city": "Paris", "condition": "sunny"})])
    agent = create_agent(chat(), [get_weather], response_format=ToolStrategy(Weather))
    state = agent.invoke(QUESTION)
    assert state["structured_response"] == Weather(city="Paris", condition="sunny")
    assert bound(emulator)["tool_choice"] == "required"


@pytest.mark.parametrize("tools", [[], [get_weather]])
def test_an_agent_uses_native_output_because_the_profile_says_so(
    tools: list[Any], emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    from langchain.agents import create_agent

    if tools:
        emulator.answer(tool_calls=[("get_weather", {"city": "Paris"})])
    emulator.answer('{"city": "Paris", "condition": "sunny"}')
    state = create_agent(chat(), tools, response_format=Weather).invoke(QUESTION)
    assert state["structured_response"] == Weather(city="Paris", condition="sunny")
    sent = bound(emulator)
    assert sent["response_format"]["json_schema"]["name"] == "Weather"
    assert ("tools" in sent) is bool(tools)
