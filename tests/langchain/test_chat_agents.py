"""``create_agent`` in every way: plain, with the tool strategy, with native output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import (
    ProviderStrategy,
    StructuredOutputError,
    ToolStrategy,
)
from langchain_core.messages import AIMessage
from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Callable

    from doubao_emulator import Emulator
    from langchain_doubao import ChatDoubao

QUESTION = {"messages": [("user", "What is the weather in Paris?")]}
CALL = [("get_weather", {"city": "Paris"})]


def get_weather(city: str) -> str:
    """Weather of a city."""
    return f"Sunny in {city}"


class Weather(BaseModel):
    """Report of the weather."""

    city: str
    condition: str


REPORT = Weather(city="Paris", condition="sunny")
JSON_REPORT = REPORT.model_dump_json()


async def alast(states: Any) -> Any:
    return [state async for state in states][-1]


# Each way to run an agent, as something that gives its last state.
WAYS: dict[str, Callable[[Any], Any]] = {
    "invoke": lambda agent: agent.invoke(QUESTION),
    "stream": lambda agent: list(agent.stream(QUESTION, stream_mode="values"))[-1],
    # With "messages" the model streams inside of the agent.
    "stream tokens": lambda agent: [
        state
        for mode, state in agent.stream(QUESTION, stream_mode=["values", "messages"])
        if mode == "values"
    ][-1],
    "ainvoke": lambda agent: agent.ainvoke(QUESTION),
    "astream": lambda agent: alast(agent.astream(QUESTION, stream_mode="values")),
    "astream tokens": lambda agent: alast(
        state
        async for mode, state in agent.astream(QUESTION, stream_mode=["values", "messages"])
        if mode == "values"
    ),
}
every_way = pytest.mark.parametrize("way", WAYS)
every_version = pytest.mark.parametrize("version", [None, "v1"])


async def ran(way: str, agent: Any) -> dict[str, Any]:
    state = WAYS[way](agent)
    return state if isinstance(state, dict) else await state


def kinds(state: dict[str, Any]) -> list[str]:
    return [message.type for message in state["messages"]]


@every_way
@every_version
async def test_an_agent_answers_with_tools(
    version: str | None, way: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    """Nothing scripted: the emulator calls the tool and uses its result.

    Shows R000-49.
    """
    state = await ran(way, create_agent(chat(output_version=version), [get_weather]))
    assert kinds(state) == ["human", "ai", "tool", "ai"]
    assert "Sunny in Paris" in state["messages"][-1].text
    assert "tool_choice" not in emulator.requests[0].body


@every_way
@pytest.mark.parametrize("thinking", ["enabled", "disabled"])
async def test_an_agent_uses_the_tool_strategy(
    thinking: str, way: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    """It forces a call on every turn, while the model thinks, too."""
    emulator.answer(tool_calls=CALL)
    emulator.answer(tool_calls=[("Weather", REPORT.model_dump())])
    model = chat(thinking=thinking)
    agent = create_agent(model, [get_weather], response_format=ToolStrategy(Weather))
    state = await ran(way, agent)
    assert state["structured_response"] == REPORT
    first, second = (request.body for request in emulator.requests)
    assert first["tool_choice"] == second["tool_choice"] == "required"
    assert first["thinking"] == second["thinking"] == {"type": thinking}
    names = [tool["function"]["name"] for tool in first["tools"]]
    assert names == ["get_weather", "Weather"]


@every_way
@pytest.mark.parametrize("tools", [[], [get_weather]])
@pytest.mark.parametrize("wanted", [Weather, ProviderStrategy(Weather)])
async def test_an_agent_uses_native_output(
    wanted: Any,
    tools: list[Any],
    way: str,
    emulator: Emulator,
    chat: Callable[..., ChatDoubao],
) -> None:
    """Asked for by name, or chosen because the profile says that the model has it."""
    if tools:
        emulator.answer(tool_calls=CALL)
    emulator.answer(JSON_REPORT, reasoning='{"city": "Not this"}')
    state = await ran(way, create_agent(chat(), tools, response_format=wanted))
    assert state["structured_response"] == REPORT
    for request in emulator.requests:
        assert request.body["response_format"]["json_schema"]["name"] == "Weather"
        assert ("tools" in request.body) is bool(tools)
        assert "tool_choice" not in request.body


async def test_native_output_may_be_strict(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    emulator.answer(JSON_REPORT, times=2)
    strategy = ProviderStrategy(Weather, strict=True)
    agent = create_agent(chat(), [], response_format=strategy)
    assert agent.invoke(QUESTION)["structured_response"] == REPORT
    assert (await agent.ainvoke(QUESTION))["structured_response"] == REPORT
    for request in emulator.requests:
        assert request.body["response_format"]["json_schema"]["strict"] is True


def test_a_model_without_native_output_gets_the_tool_strategy(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    emulator.answer(tool_calls=[("Weather", REPORT.model_dump())])
    model = chat(model="deepseek-v4-pro-260425")
    assert not model.profile["structured_output"]
    state = create_agent(model, [], response_format=Weather).invoke(QUESTION)
    assert state["structured_response"] == REPORT
    assert "response_format" not in emulator.requests[0].body


@every_way
async def test_native_output_that_was_cut_off_is_an_error(
    way: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    emulator.answer(JSON_REPORT[:-4], finish_reason="length")
    agent = create_agent(chat(), [], response_format=ProviderStrategy(Weather))
    with pytest.raises(StructuredOutputError):
        await ran(way, agent)


@every_way
async def test_no_tool_runs_with_half_of_its_arguments(
    way: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    """A cut call is invalid and ends the loop; streaming must not complete it."""
    removed: list[str] = []

    def remove(path: str) -> str:
        """Remove a file."""
        removed.append(path)
        return "gone"

    emulator.answer(tool_calls=[("remove", '{"path": "/home/a')], finish_reason="length")
    state = await ran(way, create_agent(chat(), [remove]))
    assert removed == []
    answer = state["messages"][-1]
    assert isinstance(answer, AIMessage)
    assert [bad["name"] for bad in answer.invalid_tool_calls] == ["remove"]
    assert answer.response_metadata["finish_reason"] == "length"
    assert len(emulator.requests) == 1
