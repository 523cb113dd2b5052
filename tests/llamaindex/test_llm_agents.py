"""LlamaIndex's agents and chat engines with the emulator as the model."""

from __future__ import annotations

import pytest
from llama_index.core.agent.workflow import (
    AgentStream,
    AgentWorkflow,
    FunctionAgent,
    ReActAgent,
    ToolCallResult,
)
from llama_index.core.base.llms.types import ImageBlock, TextBlock
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.tools import FunctionTool

# What LlamaIndex's workflows do among themselves.
pytestmark = [
    pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:is_running called from within a step"),
]

PICTURE = "https://example.com/tea.png"


def weather(city: str) -> str:
    """Weather of a city."""
    return f"It is sunny in {city}."


def picture(of: str) -> list[TextBlock | ImageBlock]:
    """Picture of a thing."""
    return [TextBlock(text=f"A picture of {of}."), ImageBlock(url=PICTURE)]


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


async def test_a_react_agent_works_on_text(emulator, llm):
    emulator.answer('Thought: I need it.\nAction: weather\nAction Input: {"city": "Paris"}')
    emulator.answer("Thought: I can answer.\nAnswer: Sunny.", reasoning="hm")
    output, _ = await run(ReActAgent(tools=[weather], llm=llm), "Weather in Paris?")
    assert str(output) == "Sunny."


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


async def test_chat_engines_remember_what_was_streamed(emulator, llm, sent):
    memory = ChatMemoryBuffer.from_defaults(token_limit=10_000)
    engine = SimpleChatEngine.from_defaults(llm=llm, memory=memory)
    emulator.answer("Tea is green.", reasoning="hm")
    assert "".join(engine.stream_chat("Tea?").response_gen) == "Tea is green."
    streamed = await engine.astream_chat("And coffee?")
    assert [token async for token in streamed.async_response_gen()]
    assert sent()[1]["messages"][1] == {"role": "assistant", "content": "Tea is green."}
