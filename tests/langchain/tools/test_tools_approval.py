"""A person decides before a paid call: LangGraph's interrupt, functions, LangChain's middleware."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Command

from doubao_core.studio.approval import NotAsked, Refusal
from langchain_doubao import SeedreamImageTool

FILM = {"prompt": "tea", "duration": 4, "resolution": "480p", "ratio": "16:9"}
PICTURE = {"prompt": "tea", "size": "1K"}
THREAD = {"configurable": {"thread_id": "one"}}


@pytest.fixture(params=["sync", "async"])
def run(request):
    """Run an agent, or resume it, and give the state."""

    def run(agent: Any, given: Any) -> Any:
        if request.param == "sync":
            return agent.invoke(given, THREAD)
        return asyncio.run(agent.ainvoke(given, THREAD))

    return run


@pytest.fixture
def agent_with(emulator, chat):
    """Make an agent that calls *tool* with *arguments*, once for each, and then says done."""

    def make(tool: Any, *calls: dict[str, Any], **options: Any) -> Any:
        emulator.answer(tool_calls=[(tool.name, arguments) for arguments in calls])
        emulator.answer("Done.")
        return create_agent(chat(), [tool], checkpointer=InMemorySaver(), **options)

    return make


def said(state: Any) -> Any:
    return next(message for message in state["messages"] if message.type == "tool")


ASK = {"messages": [("user", "Film tea")]}


def test_a_person_sees_what_is_asked_and_what_it_costs_before_anything_is_sent(
    films, agent_with, run, creates
):
    agent = agent_with(films(approval="interrupt", fixed={"watermark": False}), FILM)
    (question,) = run(agent, ASK)["__interrupt__"]
    assert creates() == []
    assert question.value["tool"] == "generate_video"
    assert question.value["arguments"] == {**FILM, "watermark": False}
    assert question.value["estimate"]["tokens"] > 0
    assert question.value["estimate"]["cost"]
    assert "generate_video" in question.value["question"]


@pytest.mark.parametrize("yes", [True, "yes", "OK", {"type": "approve"}, "同意"])
def test_a_yes_makes_it_once(films, agent_with, run, yes, creates):
    agent = agent_with(films(approval="interrupt"), FILM)
    run(agent, ASK)
    state = run(agent, Command(resume=yes))
    assert said(state).artifact.path.is_file()
    assert len(creates()) == 1
    assert state["messages"][-1].text == "Done."


@pytest.mark.parametrize(
    ("no", "reason"),
    [
        (False, None),
        ("no", None),
        ({"type": "reject", "message": "too dear"}, "too dear"),
        ("Make it shorter", "Make it shorter"),
        ({"type": "surprise"}, None),
    ],
)
def test_whatever_is_no_yes_sends_nothing_and_tells_the_model(
    films, agent_with, run, no, reason, creates
):
    agent = agent_with(films(approval="interrupt"), FILM)
    run(agent, ASK)
    message = said(run(agent, Command(resume=no)))
    assert creates() == []
    assert "did not approve" in message.content
    assert message.status == "success"
    assert message.artifact == Refusal(tool="generate_video", arguments=FILM, reason=reason)
    assert (reason or "") in message.content


def test_a_person_can_change_the_arguments(films, agent_with, run, creates):
    agent = agent_with(films(approval="interrupt"), FILM)
    run(agent, ASK)
    message = said(run(agent, Command(resume={**FILM, "prompt": "coffee"})))
    assert message.artifact.path.is_file()
    assert creates()[0].body["content"][0]["text"] == "coffee"


def test_changed_arguments_are_checked_like_the_models(films, agent_with, run, creates):
    agent = agent_with(films(approval="interrupt", max_duration=5), FILM)
    run(agent, ASK)
    message = said(run(agent, Command(resume={**FILM, "duration": 12})))
    assert message.status == "error"
    assert "4 to 5 seconds" in message.content
    assert creates() == []


def test_nobody_is_asked_about_what_cannot_be_made(films, agent_with, run):
    agent = agent_with(films(approval="interrupt"), {**FILM, "duration": 99})
    state = run(agent, ASK)
    assert "__interrupt__" not in state
    assert "4 to 15 seconds" in said(state).content


def test_two_calls_of_one_turn_are_asked_about_apart(films, agent_with, run, creates):
    calls = ({**FILM, "prompt": "tea"}, {**FILM, "prompt": "milk"})
    agent = agent_with(films(approval="interrupt"), *calls)
    questions = run(agent, ASK)["__interrupt__"]
    answers = {each.id: each.value["arguments"]["prompt"] == "tea" for each in questions}
    state = run(agent, Command(resume=answers))
    made, refused = [each.artifact for each in state["messages"] if each.type == "tool"]
    assert made.path.is_file()
    assert isinstance(refused, Refusal)
    assert [each.body["content"][0]["text"] for each in creates()] == ["tea"]


def test_pictures_are_asked_about_too(settings, agent_with, run, creates):
    tool = SeedreamImageTool(
        **settings, model="doubao-seedream-4-0-250828", approval="interrupt", show="base64"
    )
    agent = agent_with(tool, PICTURE)
    (question,) = run(agent, ASK)["__interrupt__"]
    assert question.value["arguments"] == PICTURE
    assert creates() == []
    assert said(run(agent, Command(resume="yes"))).artifact.saved


def test_an_interrupt_without_a_graph_is_the_developers_error(films, emulator):
    with pytest.raises(NotAsked, match="works in LangGraph only"):
        films(approval="interrupt").invoke(FILM)
    assert emulator.requests == []


def test_a_function_decides(films, creates):
    seen = []

    def cheap(question: Any) -> bool:
        seen.append(question)
        return question.arguments["duration"] == 4

    tool = films(approval=cheap)
    assert "The video is ready" in tool.invoke(FILM)
    assert "did not approve" in tool.invoke({**FILM, "duration": 8})
    assert len(creates()) == 1
    assert seen[0].estimate.tokens < seen[1].estimate.tokens


async def test_an_async_function_decides(films, creates):
    async def decide(question: Any) -> str:
        await asyncio.sleep(0)
        return "no"

    tool = films(approval=decide)
    assert "did not approve" in await tool.ainvoke(FILM)
    await tool.aclose()
    with pytest.raises(NotAsked, match="call the async method"):
        films(approval=decide).invoke(FILM)
    assert creates() == []


async def test_a_function_that_blocks_does_not_block_the_loop(films):
    loop = asyncio.get_running_loop()
    beat = asyncio.Event()

    def wait_for_the_loop(question: Any) -> bool:
        asyncio.run_coroutine_threadsafe(beat.wait(), loop).result(timeout=10)
        return False

    tool = films(approval=wait_for_the_loop)
    asking = asyncio.ensure_future(tool.ainvoke(FILM))
    await asyncio.sleep(0)
    beat.set()
    assert "did not approve" in await asking
    await tool.aclose()


def test_an_answer_that_is_none_is_the_developers_error(films, creates):
    with pytest.raises(NotAsked, match="answered with int"):
        films(approval=lambda question: 1).invoke(FILM)
    assert creates() == []


@pytest.mark.parametrize("decision", ["approve", "edit", "reject"])
def test_langchains_own_middleware_works_with_the_tools(films, agent_with, run, decision, creates):
    middleware = HumanInTheLoopMiddleware(interrupt_on={"generate_video": True})
    agent = agent_with(films(), FILM, middleware=[middleware])
    (question,) = run(agent, ASK)["__interrupt__"]
    assert question.value["action_requests"][0]["args"] == FILM
    assert creates() == []
    answer: dict[str, Any] = {"type": decision}
    if decision == "edit":
        action = {"name": "generate_video", "args": {**FILM, "prompt": "coffee"}}
        answer["edited_action"] = action
    state = run(agent, Command(resume={"decisions": [answer]}))
    if decision == "reject":
        assert creates() == []
        assert said(state).status == "error"
        return
    assert said(state).artifact.path.is_file()
    prompt = "coffee" if decision == "edit" else "tea"
    assert creates()[0].body["content"][0]["text"] == prompt


def test_a_decision_in_the_middlewares_words_answers_our_own_question(
    films, agent_with, run, creates
):
    agent = agent_with(films(approval="interrupt"), FILM)
    run(agent, ASK)
    edited = {"name": "generate_video", "args": {**FILM, "prompt": "coffee"}}
    answer = {"decisions": [{"type": "edit", "edited_action": edited}]}
    run(agent, Command(resume=answer))
    assert creates()[0].body["content"][0]["text"] == "coffee"


def test_a_question_leaves_out_the_secret_of_a_callback(films, emulator):
    seen = []
    fixed = {"callback_url": "https://example.com/hook/secret-token", "watermark": False}
    films(fixed=fixed, approval=lambda question: bool(seen.append(question))).invoke(FILM)
    assert seen[0].arguments == {**FILM, "watermark": False}
    assert "secret-token" not in str(seen[0].payload())


@pytest.fixture
def one_node():
    """Make a graph whose only node runs all calls at once."""

    def make(tool: Any, *prompts: str) -> tuple[Any, Any]:
        calls = [
            {"name": tool.name, "args": {**FILM, "prompt": each}, "id": each, "type": "tool_call"}
            for each in prompts
        ]
        graph = StateGraph(MessagesState)
        graph.add_node("tools", ToolNode([tool]))
        graph.add_edge(START, "tools")
        asking = {"messages": [AIMessage("", tool_calls=calls)]}
        return graph.compile(checkpointer=InMemorySaver()), asking

    return make


def test_calls_of_one_node_are_answered_by_their_id_and_paid_once_with_jobs(
    films, one_node, run, creates, ledger
):
    """LangGraph gives answers by an order that is not certain, and repeats the node for each."""
    agent, asking = one_node(films(approval="interrupt", jobs=ledger), "tea", "milk", "rice")
    state = run(agent, asking)
    for _ in range(30):
        if "__interrupt__" not in state:
            break
        asked = state["__interrupt__"][0].value["tool_call_id"]
        state = run(agent, Command(resume={"tool_call_id": asked, "answer": asked == "milk"}))
    assert [each.body["content"][0]["text"] for each in creates()] == ["milk"]
    by_id = {each.tool_call_id: each.artifact for each in state["messages"] if each.type == "tool"}
    assert isinstance(by_id["tea"], Refusal)
    assert isinstance(by_id["rice"], Refusal)
    assert by_id["milk"].path.is_file()


def test_calls_of_one_node_cannot_ask_without_jobs(films, one_node, run, creates):
    agent, asking = one_node(films(approval="interrupt"), "oats", "bran")
    with pytest.raises(NotAsked, match="give the tool jobs="):
        run(agent, asking)
    assert creates() == []


def test_one_call_of_one_node_can_ask(films, one_node, run, creates):
    agent, asking = one_node(films(approval="interrupt"), "oats")
    (question,) = run(agent, asking)["__interrupt__"]
    assert question.value["tool_call_id"] == "oats"
    assert said(run(agent, Command(resume="yes"))).artifact.path.is_file()
    assert len(creates()) == 1


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"max_jobs": 0}, "no call is left"),
        ({"max_seconds": 3}, "3 are left"),
        ({"max_cost": "0.01"}, "may spend 0.01 CNY at most"),
    ],
)
def test_nobody_is_asked_about_what_a_limit_refuses(films, agent_with, run, creates, limits, words):
    agent = agent_with(films(approval="interrupt", **limits), FILM)
    state = run(agent, ASK)
    assert "__interrupt__" not in state
    assert words in said(state).content
    assert creates() == []


def test_a_question_spends_nothing_of_a_limit(films, agent_with, run, creates):
    tool = films(approval="interrupt", max_jobs=1, max_seconds=4)
    agent = agent_with(tool, FILM)
    run(agent, ASK)
    assert said(run(agent, Command(resume="yes"))).status == "success"
    assert len(creates()) == 1


def test_two_who_were_asked_at_once_share_what_the_limit_leaves(films, agent_with, run, creates):
    tool = films(approval="interrupt", max_jobs=1)
    agent = agent_with(tool, FILM, {**FILM, "prompt": "milk"})
    questions = run(agent, ASK)["__interrupt__"]
    assert len(questions) == 2
    state = run(agent, Command(resume={each.id: "yes" for each in questions}))
    outcomes = sorted(each.status for each in state["messages"] if each.type == "tool")
    assert outcomes == ["error", "success"]
    assert len(creates()) == 1


def test_a_job_that_is_paid_is_not_refused_by_the_limit_that_it_used_up(
    films, call, creates, ledger
):
    tool = films(approval=lambda question: True, max_jobs=1, jobs=ledger)
    first, again = (call(tool, **FILM) for _ in range(2))
    assert first.status == again.status == "success"
    assert again.artifact.task_id == first.artifact.task_id
    other = call(tool, call_id="call_2", **FILM)
    assert "no call is left" in other.content
    assert len(creates()) == 1


@pytest.mark.parametrize(
    "answer",
    [
        {"prompt": "coffee"},
        {"type": "edit", "edited_action": {"name": "generate_video", "args": {"prompt": "coffee"}}},
    ],
)
def test_a_person_need_only_say_what_changes(films, agent_with, run, creates, answer):
    tool = films(approval="interrupt", fixed={"watermark": False})
    agent = agent_with(tool, {**FILM, "seed": 7})
    run(agent, ASK)
    run(agent, Command(resume=answer))
    body = creates()[0].body
    assert body["content"][0]["text"] == "coffee"
    assert (body["duration"], body["seed"], body["watermark"]) == (4, 7, False)


def test_a_person_can_take_an_argument_away(films, agent_with, run, creates):
    agent = agent_with(films(approval="interrupt"), {**FILM, "seed": 7})
    run(agent, ASK)
    run(agent, Command(resume={"seed": None}))
    assert "seed" not in creates()[0].body


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"duration": 99}, "duration must be 4 to 15 seconds, not 99"),
        ({"duration": "long"}, "duration: "),
        ({"durration": 5}, "no argument 'durration': did you mean 'duration'"),
        ({"duration": 9}, "8 seconds of video at most"),
        ({"watermark": True}, "watermark is fixed by the program"),
    ],
)
def test_the_model_is_not_blamed_for_what_a_person_answers(
    films, agent_with, run, creates, answer, words
):
    tool = films(approval="interrupt", max_seconds=8, fixed={"watermark": False})
    agent = agent_with(tool, FILM)
    run(agent, ASK)
    message = said(run(agent, Command(resume=answer)))
    assert message.status == "error"
    assert words in message.content
    assert "Your arguments were not at fault: tell the user" in message.content
    assert "correct them" not in message.content
    assert creates() == []


def test_a_question_says_what_the_model_left_open(films, agent_with, run):
    agent = agent_with(films(approval="interrupt"), {"prompt": "tea"})
    (question,) = run(agent, ASK)["__interrupt__"]
    assert question.value["left_open"] == {"duration": 5, "resolution": "720p"}
    assert "Not said, so: duration=5, resolution='720p'." in question.value["question"]
    assert question.value["arguments"] == {"prompt": "tea"}
