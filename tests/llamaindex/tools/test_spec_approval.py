"""A person decides before a paid call: in the agent's event stream, or a function."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.workflow import Context, HumanResponseEvent, JsonPickleSerializer

from doubao_core.studio.approval import NotAsked, Refusal
from llamaindex_doubao import DoubaoToolSpec
from llamaindex_doubao.tools import ApprovalRequiredEvent

FILM = {"prompt": "tea", "duration": 4, "resolution": "480p", "ratio": "16:9"}
PICTURE = {"prompt": "tea", "size": "1K"}
# LlamaIndex's workflows look at every attribute of an agent, also at pydantic's deprecated ones.
pytestmark = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")


@pytest.fixture
def agent_with(emulator, open_llm):
    """Make an agent that calls a tool, once for each of the arguments, and then says done."""

    def make(spec: DoubaoToolSpec, name: str, *calls: dict[str, Any]) -> FunctionAgent:
        emulator.answer(tool_calls=[(name, arguments) for arguments in calls])
        emulator.answer("Done.")
        return FunctionAgent(llm=open_llm, tools=spec.to_tool_list())

    return make


async def answered(handler: Any, answers: dict[str, Any]) -> tuple[Any, list[Any]]:
    """Answer each question by the prompt that it is about; give the end and the questions."""
    questions = []
    async for event in handler.stream_events():
        if isinstance(event, ApprovalRequiredEvent):
            questions.append(event)
            response = answers[event.arguments["prompt"]]
            handler.ctx.send_event(
                HumanResponseEvent(question_id=event.question_id, response=response)
            )
    return await handler, questions


async def test_a_person_sees_the_call_and_its_cost_and_a_yes_makes_it_once(
    open_spec, agent_with, creates
):
    agent = agent_with(open_spec(approval="event"), "generate_video", FILM)
    answer, (question,) = await answered(agent.run("Film tea"), {"tea": "yes"})
    assert question.tool == "generate_video"
    assert question.arguments == FILM
    assert question.estimate["tokens"] > 0
    assert "Estimated cost" in question.question
    assert answer.tool_calls[0].tool_output.raw_output[0].result.path.is_file()
    assert len(creates()) == 1


async def test_a_no_sends_nothing_and_tells_the_model(open_spec, agent_with, creates):
    agent = agent_with(open_spec(approval="event"), "generate_image", PICTURE)
    answer, _ = await answered(agent.run("Draw tea"), {"tea": "too dear"})
    output = answer.tool_calls[0].tool_output
    assert not output.is_error
    assert 'The user said: "too dear"' in output.content
    assert isinstance(output.raw_output[0].result, Refusal)
    assert creates() == []


async def test_a_person_can_change_the_arguments(open_spec, agent_with, creates):
    agent = agent_with(open_spec(approval="event"), "generate_video", FILM)
    await answered(agent.run("Film tea"), {"tea": {**FILM, "prompt": "coffee"}})
    assert creates()[0].body["content"][0]["text"] == "coffee"


async def test_two_calls_of_one_turn_are_asked_about_apart(open_spec, agent_with, creates):
    calls = (FILM, {**FILM, "prompt": "milk"})
    agent = agent_with(open_spec(approval="event"), "generate_video", *calls)
    _, questions = await answered(agent.run("Film both"), {"tea": True, "milk": False})
    assert len({each.question_id for each in questions}) == 2
    assert [each.body["content"][0]["text"] for each in creates()] == ["tea"]


async def test_the_same_call_twice_is_asked_about_twice(open_spec, agent_with, creates):
    agent = agent_with(open_spec(approval="event"), "generate_image", PICTURE, PICTURE)
    _, questions = await answered(agent.run("Draw two"), {"tea": True})
    assert len({each.question_id for each in questions}) == 2
    assert len(creates()) == 2


async def test_an_answer_may_come_after_the_workflow_was_stored(open_spec, agent_with, creates):
    agent = agent_with(open_spec(approval="event"), "generate_video", FILM)
    # LlamaIndex's usual memory and serializer cannot store a memory, these can.
    pickled = JsonPickleSerializer()
    handler = agent.run("Film tea", memory=ChatMemoryBuffer.from_defaults(tokenizer_fn=str.split))
    async for event in handler.stream_events():
        if isinstance(event, ApprovalRequiredEvent):
            break
    stored = json.dumps(handler.ctx.to_dict(serializer=pickled))
    await handler.cancel_run()
    assert creates() == []

    restored = Context.from_dict(agent, json.loads(stored), serializer=pickled)
    again = agent.run(ctx=restored)
    again.ctx.send_event(HumanResponseEvent(question_id=event.question_id, response="yes"))
    answer = await again
    assert answer.tool_calls[0].tool_output.raw_output[0].result.path.is_file()
    assert len(creates()) == 1


async def test_events_need_an_agent(open_spec, emulator):
    with pytest.raises(NotAsked, match="needs the workflow of an agent"):
        await open_spec(approval="event").agenerate_video(**FILM)
    with pytest.raises(NotAsked, match="needs an agent"):
        open_spec(approval="event").generate_video(**FILM)
    assert emulator.requests == []


async def test_a_function_decides_blocking_or_not(open_spec, creates):
    def cheap(question: Any) -> bool:
        return question.arguments["duration"] == 4

    async def never(question: Any) -> bool:
        await asyncio.sleep(0)
        return False

    spec = open_spec(approval=cheap)
    assert (await spec.agenerate_video(**FILM))[0].result.path.is_file()
    refused = await asyncio.to_thread(spec.generate_video, **{**FILM, "duration": 8})
    assert "did not approve" in refused[0].text
    assert "did not approve" in (await open_spec(approval=never).agenerate_video(**FILM))[0].text
    with pytest.raises(NotAsked, match="call the async method"):
        await asyncio.to_thread(open_spec(approval=never).generate_video, **FILM)
    assert len(creates()) == 1
