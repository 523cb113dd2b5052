"""LlamaIndex's agents with the emulator as the model."""

from __future__ import annotations

import json

import pytest
from llama_index.core.agent.workflow import (
    AgentStream,
    AgentWorkflow,
    FunctionAgent,
    ReActAgent,
    ToolCallResult,
)
from llama_index.core.base.llms.types import ImageBlock, TextBlock, VideoBlock
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.tools import FunctionTool
from llama_index.core.workflow import Context, HumanResponseEvent, InputRequiredEvent
from pydantic import BaseModel
from workflows.errors import WorkflowCancelledByUser

from doubao_core import Truncated

# What LlamaIndex's workflows do among themselves.
pytestmark = [
    pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:is_running called from within a step"),
]

PICTURE = "https://example.com/tea.png"
FILM = "https://example.com/tea.mp4"


class Sky(BaseModel):
    city: str
    sunny: bool


def weather(city: str) -> str:
    """Weather of a city."""
    return f"It is sunny in {city}."


def picture(of: str) -> list[TextBlock | ImageBlock]:
    """Picture of a thing."""
    return [TextBlock(text=f"A picture of {of}."), ImageBlock(url=PICTURE)]


async def pour(ctx: Context) -> str:
    """Pour tea."""
    said = await ctx.wait_for_event(
        HumanResponseEvent, waiter_event=InputRequiredEvent(prefix="Pour?")
    )
    return f"The guest says {said.response}."


# LlamaIndex does not resolve the text that an annotation is here.
pour.__annotations__["ctx"] = Context


async def run(agent: FunctionAgent | ReActAgent | AgentWorkflow, question: str) -> tuple:
    handler = agent.run(question, memory=ChatMemoryBuffer.from_defaults(token_limit=10_000))
    events = [event async for event in handler.stream_events()]
    return await handler, events


@pytest.mark.parametrize("streaming", [True, False])
async def test_a_function_agent_calls_a_tool_and_sends_its_reasoning_back(llm, sent, streaming):
    agent = FunctionAgent(tools=[weather], llm=llm, streaming=streaming)
    output, events = await run(agent, "What is the weather in Paris?")
    (called,) = [event for event in events if isinstance(event, ToolCallResult)]
    assert called.tool_kwargs == {"city": "Paris"}
    assert "sunny in Paris" in str(output)
    assistant, result = sent()[1]["messages"][-2:]
    assert assistant["encrypted_content"]
    assert result["tool_call_id"] == assistant["tool_calls"][0]["id"] == called.tool_id
    assert result["content"] == "It is sunny in Paris."


async def test_reasoning_and_text_are_seen_in_an_agents_stream(emulator, llm):
    emulator.answer("Tea is green.", reasoning="I think of tea.")
    _, events = await run(FunctionAgent(llm=llm), "Tea?")
    stream = [event for event in events if isinstance(event, AgentStream)]
    assert "".join(event.thinking_delta or "" for event in stream) == "I think of tea."
    assert "".join(event.delta for event in stream) == stream[-1].response == "Tea is green."


async def test_a_picture_that_a_tool_returns_reaches_the_model(emulator, llm, sent):
    emulator.answer(tool_calls=[("picture", {"of": "tea"})])
    emulator.answer("Lovely.")
    output, _ = await run(FunctionAgent(tools=[picture], llm=llm), "Show me tea.")
    assert str(output) == "Lovely."
    assert sent()[1]["messages"][-1]["content"] == [
        {"type": "text", "text": "A picture of tea."},
        {"type": "image_url", "image_url": {"url": PICTURE}},
    ]


async def test_parallel_calls_of_an_agent_are_matched_by_id(emulator, llm, sent):
    calls = [("weather", {"city": "Paris"}), ("weather", {"city": "Rome"})]
    emulator.answer(tool_calls=calls)
    emulator.answer("Sunny.")
    await run(FunctionAgent(tools=[weather], llm=llm), "Weather?")
    assistant, *results = sent()[1]["messages"][-3:]
    by_id = {result["tool_call_id"]: result["content"] for result in results}
    cities = ["It is sunny in Paris.", "It is sunny in Rome."]
    assert [by_id[call["id"]] for call in assistant["tool_calls"]] == cities


async def test_the_first_choice_of_an_agent_is_forced_by_name(emulator, llm, sent):
    agent = FunctionAgent(tools=[weather], llm=llm, initial_tool_choice="weather")
    emulator.answer(tool_calls=[("weather", {"city": "Paris"})])
    await run(agent, "Hello")
    choices = [body.get("tool_choice") for body in sent()]
    assert choices == [{"type": "function", "function": {"name": "weather"}}, None]


async def test_a_direct_result_is_no_tool_message_of_the_assistant(emulator, llm, sent):
    direct = FunctionTool.from_defaults(fn=weather, return_direct=True)
    memory = ChatMemoryBuffer.from_defaults(token_limit=10_000)
    agent = FunctionAgent(tools=[direct], llm=llm)
    emulator.answer(tool_calls=[("weather", {"city": "Paris"})])
    assert str(await agent.run("Weather?", memory=memory)) == "It is sunny in Paris."
    emulator.answer("You are welcome.")
    await agent.run("Thanks", memory=memory)
    last = [message for message in sent()[-1]["messages"] if message["role"] == "assistant"][-1]
    assert last == {"role": "assistant", "content": "It is sunny in Paris."}


async def test_agents_hand_over_to_each_other(emulator, llm, sent):
    cook = FunctionAgent(name="cook", description="Cooks.", llm=llm, system_prompt="You cook.")
    host = FunctionAgent(
        name="host", description="Greets.", llm=llm, can_handoff_to=["cook"], system_prompt="Greet."
    )
    emulator.answer(tool_calls=[("handoff", {"to_agent": "cook", "reason": "food"})])
    emulator.answer("Soup is ready.")
    output, _ = await run(AgentWorkflow(agents=[host, cook], root_agent="host"), "I am hungry.")
    assert str(output) == "Soup is ready."
    assert output.current_agent_name == "cook"
    assert "You cook." in sent()[1]["messages"][0]["content"]


@pytest.mark.parametrize("streaming", [True, False])
async def test_malformed_arguments_reach_the_model_again_as_it_wrote_them(
    emulator, llm, sent, streaming
):
    emulator.answer(tool_calls=[("weather", '{"city": Par')])
    emulator.answer("Sorry.")
    agent = FunctionAgent(tools=[weather], llm=llm, streaming=streaming)
    _, events = await run(agent, "Weather?")
    (called,) = [event for event in events if isinstance(event, ToolCallResult)]
    assert called.tool_output.is_error
    assistant, result = sent()[1]["messages"][-2:]
    assert assistant["tool_calls"][0]["function"]["arguments"] == '{"city": Par'
    assert "city" in result["content"]


async def test_a_film_that_a_tool_returns_reaches_the_model(emulator, llm, sent):
    def film() -> VideoBlock:
        """Film of the tea."""
        return VideoBlock(url=FILM, fps=2)

    emulator.answer(tool_calls=[("film", {})])
    emulator.answer("Lovely.")
    await run(FunctionAgent(tools=[film], llm=llm), "Show me tea.")
    part = {"type": "video_url", "video_url": {"url": FILM, "fps": 2}}
    assert sent()[1]["messages"][-1]["content"] == [part]


async def test_an_agents_answer_may_be_an_object(emulator, llm, sent):
    emulator.answer(tool_calls=[("weather", {"city": "Paris"})], reasoning="hm")
    emulator.answer("It is sunny in Paris.")
    emulator.answer('{"city": "Paris", "sunny": true}')
    output, _ = await run(FunctionAgent(tools=[weather], llm=llm, output_cls=Sky), "Weather?")
    assert output.get_pydantic_model(Sky) == Sky(city="Paris", sunny=True)
    assert sent()[2]["response_format"]["json_schema"]["name"] == "Sky"
    assert "It is sunny in Paris." in sent()[2]["messages"][-1]["content"]


async def test_a_stream_that_breaks_ends_the_agent_with_its_error(emulator, llm):
    emulator.answer(events=[{"choices": [{"delta": {"content": "Tea "}}]}])
    with pytest.raises(Truncated) as caught:
        await run(FunctionAgent(llm=llm), "Tea?")
    assert caught.value.partial == "Tea "


@pytest.mark.parametrize("streaming", [True, False])
async def test_a_workflow_streams_every_agents_thoughts_in_turn(emulator, llm, sent, streaming):
    cook = FunctionAgent(name="cook", description="Cooks.", llm=llm, streaming=streaming)
    host = FunctionAgent(
        name="host", description="Greets.", llm=llm, can_handoff_to=["cook"], streaming=streaming
    )
    emulator.answer(
        tool_calls=[("handoff", {"to_agent": "cook", "reason": "food"})], reasoning="Hungry."
    )
    emulator.answer("Soup is ready.", reasoning="Soup.")
    output, events = await run(AgentWorkflow(agents=[host, cook], root_agent="host"), "Food?")
    assert str(output) == "Soup is ready."
    thought = [
        (event.current_agent_name, event.thinking_delta)
        for event in events
        if isinstance(event, AgentStream) and event.thinking_delta
    ]
    joined = {
        name: "".join(text for whose, text in thought if whose == name) for name, _ in thought
    }
    assert joined == ({"host": "Hungry.", "cook": "Soup."} if streaming else {})
    handed = [message for message in sent()[1]["messages"] if message["role"] == "assistant"]
    assert handed[0]["reasoning_content"] == "Hungry."
    assert handed[0]["encrypted_content"]


@pytest.mark.parametrize("streaming", [True, False])
async def test_a_react_agent_goes_round_its_loop(emulator, llm, sent, streaming):
    emulator.answer(
        'Thought: I need it.\nAction: weather\nAction Input: {"city": "Paris"}', reasoning="hm"
    )
    emulator.answer("Thought: I can answer.\nAnswer: Sunny.", reasoning="hm")
    agent = ReActAgent(tools=[weather], llm=llm, streaming=streaming)
    output, _ = await run(agent, "Weather in Paris?")
    assert str(output) == "Sunny."
    assert "Observation: It is sunny in Paris." in sent()[1]["messages"][-1]["content"]


# The memory is not part of what is stored.
@pytest.mark.filterwarnings("ignore:Skipping serialization of known unserializable key")
async def test_a_run_goes_on_in_another_process_where_it_stopped(emulator, llm, sent):
    """A tool asks a person; meanwhile the context is stored as JSON, the seal in it included."""
    emulator.answer(tool_calls=[("pour", {})], reasoning="Ask first.")
    agent = FunctionAgent(tools=[pour], llm=llm)
    handler = agent.run("Tea, please.", memory=ChatMemoryBuffer.from_defaults())
    async for event in handler.stream_events():
        if isinstance(event, InputRequiredEvent):
            break
    stored = json.dumps(handler.ctx.to_dict())
    await handler.cancel_run()
    with pytest.raises(WorkflowCancelledByUser):
        await handler

    emulator.answer("Poured.")
    context = Context.from_dict(agent, json.loads(stored))
    again = agent.run(ctx=context)
    await again.ctx.store.set("memory", ChatMemoryBuffer.from_defaults())
    again.ctx.send_event(HumanResponseEvent(response="yes"))
    assert str(await again) == "Poured."
    assistant, result = sent()[-1]["messages"][-2:]
    assert assistant["reasoning_content"] == "Ask first."
    assert assistant["encrypted_content"]
    assert result["content"] == "The guest says yes."
