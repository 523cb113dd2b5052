"""A person decides before a paid call: in the agent's event stream, or a function."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.workflow import Context, HumanResponseEvent, JsonPickleSerializer

from doubao_core import ConfigError
from doubao_core.studio.approval import NotAsked, Refusal, WrongAnswer
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


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"max_video_jobs": 0}, "no call is left"),
        ({"max_video_seconds": 3}, "3 are left"),
        ({"max_video_cost": "0.01"}, "may spend 0.01 CNY at most"),
    ],
)
async def test_nobody_is_asked_about_what_a_limit_refuses(
    open_spec, agent_with, creates, limits, words
):
    agent = agent_with(open_spec(approval="event", **limits), "generate_video", FILM)
    answer, questions = await answered(agent.run("Film tea"), {"tea": "yes"})
    assert questions == []
    assert words in answer.tool_calls[0].tool_output.content
    assert creates() == []


async def test_two_who_were_asked_at_once_share_what_the_limit_leaves(
    open_spec, agent_with, creates
):
    spec = open_spec(approval="event", max_video_jobs=1)
    agent = agent_with(spec, "generate_video", FILM, {**FILM, "prompt": "milk"})
    _, questions = await answered(agent.run("Film both"), {"tea": True, "milk": True})
    assert questions
    assert len(creates()) == 1


def test_a_function_is_not_asked_about_what_a_limit_refuses(make, call, creates):
    asked = []
    spec = make(approval=lambda question: asked.append(question) or True, max_video_jobs=1)
    assert "The video is ready" in call(spec, "generate_video", **FILM).content
    with pytest.raises(ConfigError, match="no call is left"):
        call(spec, "generate_video", **FILM)
    assert len(asked) == len(creates()) == 1


def test_a_job_that_is_paid_is_not_refused_by_the_limit_that_it_used_up(
    make, call, creates, ledger
):
    spec = make(approval=lambda question: True, max_video_jobs=1, jobs=ledger)
    first, again = (call(spec, "generate_video", **FILM).blocks[0].result for _ in range(2))
    assert again.task_id == first.task_id
    with pytest.raises(ConfigError, match="no call is left"):
        call(spec, "generate_video", **{**FILM, "prompt": "milk"})
    assert len(creates()) == 1


async def test_a_person_need_only_say_what_changes(open_spec, agent_with, creates):
    agent = agent_with(open_spec(approval="event"), "generate_video", {**FILM, "seed": 7})
    await answered(agent.run("Film tea"), {"tea": {"prompt": "coffee"}})
    body = creates()[0].body
    assert body["content"][0]["text"] == "coffee"
    assert (body["duration"], body["seed"]) == (4, 7)


def test_a_function_need_only_say_what_changes(make, call, creates):
    call(make(approval=lambda question: {"duration": 5}), "generate_video", **FILM)
    assert creates()[0].body["duration"] == 5
    assert creates()[0].body["resolution"] == "480p"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"duration": 99}, "duration must be 4 to 15 seconds, not 99"),
        ({"duration": "long"}, "duration: "),
        ({"duration": 9}, "8 seconds of video at most"),
        ({"watermark": True}, "watermark is fixed by the program"),
    ],
)
def test_the_model_is_not_blamed_for_what_a_person_answers(make, call, creates, answer, words):
    spec = make(
        approval=lambda question: answer,
        max_video_seconds=8,
        fixed={"generate_video": {"watermark": False}},
    )
    with pytest.raises(WrongAnswer) as caught:
        call(spec, "generate_video", **FILM)
    assert words in str(caught.value)
    assert "Your arguments were not at fault: tell the user" in str(caught.value)
    assert "correct them" not in str(caught.value)
    assert creates() == []


async def test_a_question_says_what_the_model_left_open(open_spec, agent_with):
    agent = agent_with(open_spec(approval="event"), "generate_video", {"prompt": "tea"})
    _, (question,) = await answered(agent.run("Film tea"), {"tea": "no"})
    assert question.left_open == {"duration": 5, "resolution": "720p"}
    assert "Not said, so: duration=5, resolution='720p'." in question.question
