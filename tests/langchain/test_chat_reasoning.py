"""Reasoning and its seal come out of every kind of call and go back once, unchanged."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.load import dumpd, dumps, load, loads
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    HumanMessage,
    ToolMessage,
    message_chunk_to_message,
    messages_from_dict,
    messages_to_dict,
)

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


def checkpointed(message: Any) -> Any:
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

    serde = JsonPlusSerializer()
    return serde.loads_typed(serde.dumps_typed(message))


def stored(message: Any) -> Any:
    """As chat histories in files and databases keep messages; they hold no chunks."""
    (loaded,) = messages_from_dict(json.loads(json.dumps(messages_to_dict([message]))))
    return loaded


def validated(message: Any) -> Any:
    return type(message).model_validate_json(message.model_dump_json())


def without_kwargs(message: Any) -> Any:
    """As a store that keeps content blocks only gives it back."""
    copy = message.model_copy(update={"content": message.content_blocks, "additional_kwargs": {}})
    copy.response_metadata = {**message.response_metadata, "output_version": "v1"}
    return copy


KEPT: dict[str, Callable[[Any], Any]] = {
    "as it is": lambda message: message,
    "as a whole message": message_chunk_to_message,
    "dumped": lambda message: load(dumpd(message), allowed_objects="messages"),
    "dumped to text": lambda message: loads(dumps(message), allowed_objects="messages"),
    "in a chat history": stored,
    "in a checkpoint": checkpointed,
    "validated again": validated,
    # Test data of this file.
    "pickled": lambda message: pickle.loads(pickle.dumps(message)),  # noqa: S301
    "as blocks only": without_kwargs,
}


@pytest.mark.parametrize("kept", KEPT)
@pytest.mark.parametrize("way", WAYS)
async def test_reasoning_goes_back_once_in_a_tool_loop(
    way: str, kept: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
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
    assert (await model.ainvoke([*QUESTION, KEPT[kept](message), result])).text
    (sent,) = [m for m in emulator.requests[-1].body["messages"] if m["role"] == "assistant"]
    assert sent["reasoning_content"] == thoughts["reasoning"]
    assert sent["encrypted_content"] == seal
    body = json.dumps(emulator.requests[-1].body, ensure_ascii=False)
    assert body.count(seal) == 1
    assert body.count(json.dumps(thoughts["reasoning"], ensure_ascii=False)) == 1


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
async def test_send_reasoning_says_whether_it_goes_back(
    switch: Any, calling: bool, wanted: bool, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    """On the model and on a call; from ``additional_kwargs`` and from blocks."""
    call = {"name": "f", "args": {}, "id": "call_1"}
    calls = [call] if calling else []
    # The seal of the emulator's own thoughts; it refuses any other.
    seal = chat().invoke("Hi").additional_kwargs["encrypted_content"]
    beside = {"reasoning_content": "Hm.", "encrypted_content": seal}
    block = {"type": "reasoning", "reasoning": "Hm.", "extras": {"encrypted_content": seal}}
    rest = ToolMessage("ok", tool_call_id="call_1") if calling else HumanMessage("Go on.")
    for thought in (
        AIMessage("So be it.", additional_kwargs=beside, tool_calls=calls),
        AIMessage([block, {"type": "text", "text": "So be it."}], tool_calls=calls),
    ):
        history = [HumanMessage("Hi"), thought, rest]
        chat(send_reasoning=switch).invoke(history)
        chat().invoke(history, send_reasoning=switch)
        await chat(send_reasoning=switch).ainvoke(history)
        await chat().bind(send_reasoning=switch).ainvoke(history)
    assert len(emulator.requests) == 9
    for request in list(emulator.requests)[1:]:
        sent = request.body["messages"][1]
        told = {name: sent[name] for name in beside if name in sent}
        assert told == (beside if wanted else {})
        assert "send_reasoning" not in request.body


def assistant(request: Any) -> list[dict[str, Any]]:
    return [sent for sent in request.body["messages"] if sent["role"] == "assistant"]


@pytest.mark.parametrize("version", [None, "v1"])
async def test_an_agent_with_a_memory_keeps_its_reasoning(
    version: str | None, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    """Through checkpoints, in and after the tool loop, each thought once and where it was."""
    from langchain.agents import create_agent
    from langgraph.checkpoint.memory import InMemorySaver

    model = chat(output_version=version)
    agent = create_agent(model, [get_weather], checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    agent.invoke({"messages": QUESTION}, config)
    await agent.ainvoke({"messages": [("user", "Thank you!")]}, config)
    state = agent.get_state(config).values["messages"]
    thoughts = [
        {
            "reasoning_content": message.additional_kwargs["reasoning_content"],
            "encrypted_content": message.additional_kwargs["encrypted_content"],
        }
        for message in state
        if isinstance(message, AIMessage)
    ]
    assert len(thoughts) == 3
    for count, request in enumerate(emulator.requests):
        sent = [{name: one[name] for name in thoughts[0]} for one in assistant(request)]
        assert sent == thoughts[:count]


async def test_an_agent_that_streams_keeps_its_reasoning(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    from langchain.agents import create_agent

    agent = create_agent(chat(), [get_weather])
    blocking = list(agent.stream({"messages": QUESTION}, stream_mode="messages"))
    awaited = [each async for each in agent.astream({"messages": QUESTION}, stream_mode="messages")]
    for chunks in (blocking, awaited):
        assert any(
            isinstance(chunk, AIMessageChunk) and chunk.additional_kwargs.get("reasoning_content")
            for chunk, _ in chunks
        )
    assert [len(assistant(request)) for request in emulator.requests] == [0, 1, 0, 1]
    for request in list(emulator.requests)[1::2]:
        (sent,) = assistant(request)
        assert sent["reasoning_content"]
        assert sent["encrypted_content"].startswith("dj")


@pytest.mark.parametrize("thinking", ["disabled", {"type": "disabled"}])
def test_thinking_is_turned_off_by_word_or_object(
    thinking: Any, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    message = chat(thinking=thinking).invoke("Hello")
    assert emulator.requests[0].body["thinking"] == {"type": "disabled"}
    assert message.additional_kwargs == {}
    assert [block["type"] for block in message.content_blocks] == ["text"]
