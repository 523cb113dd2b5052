"""Reasoning and its seal come out of every kind of call and go back once, unchanged."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.load import dumps, load
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

if TYPE_CHECKING:
    from collections.abc import Callable

    from doubao_emulator import Emulator
    from langchain_doubao import ChatDoubao

pytestmark = pytest.mark.filterwarnings("ignore:.*is in beta")


def get_weather(city: str) -> str:
    """Weather of a city."""
    return f"Sunny in {city}"


def added(chunks: Any) -> Any:
    full = None
    for chunk in chunks:
        full = chunk if full is None else full + chunk
    return full


async def gathered(chunks: Any) -> Any:
    return added([chunk async for chunk in chunks])


async def events(stream: Any) -> Any:
    return await (await stream).output


QUESTION = [HumanMessage("What is the weather in Paris?")]
WAYS: dict[str, Callable[[Any], Any]] = {
    "invoke": lambda model: model.invoke(QUESTION),
    "invoke v1": lambda model: model.invoke(QUESTION),
    "stream": lambda model: added(model.stream(QUESTION)),
    "stream v1": lambda model: added(model.stream(QUESTION)),
    "events": lambda model: model.stream_events(QUESTION, version="v3").output,
    "ainvoke": lambda model: model.ainvoke(QUESTION),
    "astream": lambda model: gathered(model.astream(QUESTION)),
    "astream v1": lambda model: gathered(model.astream(QUESTION)),
    "aevents": lambda model: events(model.astream_events(QUESTION, version="v3")),
}


def dumped(message: Any) -> Any:
    return load(json.loads(dumps(message)), allowed_objects="messages")


def without_kwargs(message: Any) -> Any:
    """As a store that keeps content blocks only gives it back."""
    copy = message.model_copy(update={"content": message.content_blocks, "additional_kwargs": {}})
    copy.response_metadata = {**message.response_metadata, "output_version": "v1"}
    return copy


@pytest.mark.parametrize("kept", [lambda message: message, dumped, without_kwargs])
@pytest.mark.parametrize("way", WAYS)
async def test_reasoning_goes_back_once_in_a_tool_loop(
    way: str, kept: Any, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    """The emulator refuses a seal that was touched, as the service does (ark.md 4.6)."""
    plain = chat(output_version="v1") if way.endswith("v1") else chat()
    model = plain.bind_tools([get_weather])
    message = WAYS[way](model)
    if not hasattr(message, "tool_calls"):
        message = await message
    thoughts = message.content_blocks[0]
    assert thoughts["type"] == "reasoning"
    assert thoughts["reasoning"]
    seal = thoughts["extras"]["encrypted_content"]
    assert seal.startswith("dj")
    (call,) = message.tool_calls
    result = ToolMessage("Sunny", tool_call_id=call["id"])
    assert (await model.ainvoke([*QUESTION, kept(message), result])).text
    (sent,) = [m for m in emulator.requests[-1].body["messages"] if m["role"] == "assistant"]
    assert sent["reasoning_content"] == thoughts["reasoning"]
    assert sent["encrypted_content"] == seal
    assert json.dumps(emulator.requests[-1].body).count(seal) == 1


@pytest.mark.parametrize(
    ("switch", "calling", "wanted"),
    [
        (True, True, True),
        (True, False, True),
        ("tool_calls", True, True),
        ("tool_calls", False, False),
        (False, True, False),
        (False, False, False),
    ],
)
def test_send_reasoning_says_whether_it_goes_back(
    switch: Any, calling: bool, wanted: bool, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    call = {"name": "f", "args": {}, "id": "call_1"}
    thought = AIMessage(
        "So be it.",
        additional_kwargs={"reasoning_content": "Hm."},
        tool_calls=[call] if calling else [],
    )
    rest = ToolMessage("ok", tool_call_id="call_1") if calling else HumanMessage("Go on.")
    chat(send_reasoning=switch).invoke([HumanMessage("Hi"), thought, rest])
    chat().invoke([HumanMessage("Hi"), thought, rest], send_reasoning=switch)
    for request in emulator.requests:
        assert ("reasoning_content" in request.body["messages"][1]) is wanted


def test_an_agent_keeps_its_reasoning(emulator: Emulator, chat: Callable[..., ChatDoubao]) -> None:
    from langchain.agents import create_agent

    agent = create_agent(chat(), [get_weather])
    answer = agent.invoke({"messages": [("user", "What is the weather in Paris?")]})
    assert "Sunny in Paris" in answer["messages"][-1].text
    first, second = emulator.requests
    (sent,) = [m for m in second.body["messages"] if m["role"] == "assistant"]
    assert sent["reasoning_content"]
    assert sent["encrypted_content"].startswith("dj")
    assert first.body["tools"] == second.body["tools"]


@pytest.mark.parametrize("thinking", ["disabled", {"type": "disabled"}])
def test_thinking_is_turned_off_by_word_or_object(
    thinking: Any, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    message = chat(thinking=thinking).invoke("Hello")
    assert emulator.requests[0].body["thinking"] == {"type": "disabled"}
    assert message.additional_kwargs == {}
    assert [block["type"] for block in message.content_blocks] == ["text"]
