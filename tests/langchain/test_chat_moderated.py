"""Moderation around a model: the runnable, and the middleware of agents.

Shows R000-18, R000-19.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.exceptions import ModelInvalidRequestError
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool

from doubao_core import ContentRejected, UnsupportedOperation
from doubao_emulator import Emulator
from langchain_doubao import ChatDoubao, DoubaoModeration
from langchain_doubao.middleware import DoubaoModerationMiddleware

BAD = "EMULATED SENSITIVE CONTENT: violence"

Ask = Callable[[Any, Any], Any]


@pytest.fixture
def allowed(emulator: Emulator) -> DoubaoModeration:
    return DoubaoModeration(
        provider="openai-compatible",
        api_key="test-key",
        base_url=emulator.base_url_of("openai-compatible"),
    )


@pytest.fixture(params=["blocking", "asyncio"])
def ask(request: pytest.FixtureRequest) -> Ask:
    if request.param == "blocking":
        return lambda runnable, given: runnable.invoke(given)
    return lambda runnable, given: asyncio.run(runnable.ainvoke(given))


def moderated(emulator: Emulator) -> list[str]:
    return [each.body["input"] for each in emulator.requests if "moderations" in each.path]


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("How is tea made?", "How is tea made?"),
        (AIMessage("By hand."), "By hand."),
        ([SystemMessage("Be brief."), HumanMessage("Hello.")], "Hello."),
        ([("human", "One."), ("ai", "Two."), ("human", "Three."), ("human", "Four.")], None),
        (ChatPromptTemplate.from_messages([("human", "{x}")]).invoke({"x": "Tea?"}), "Tea?"),
    ],
)
def test_what_is_allowed_comes_out_as_it_went_in(ask, allowed, emulator, given, asked):
    assert ask(allowed, given) is given
    assert moderated(emulator) == [asked or "Three.\n\nFour."]


@pytest.mark.parametrize("given", ["", HumanMessage([{"type": "image", "url": "https://x/y"}])])
def test_what_has_no_text_is_not_asked_about(ask, allowed, emulator, given):
    assert ask(allowed, given) is given
    assert not emulator.requests


@pytest.mark.parametrize(
    ("given", "what"),
    [(BAD, "the text"), ([HumanMessage(BAD)], "the input"), (AIMessage(BAD), "the answer")],
)
def test_what_is_flagged_is_refused_with_its_categories(ask, allowed, given, what):
    with pytest.raises(ContentRejected, match=f"{what} was flagged by moderation: violence") as got:
        ask(allowed, given)
    assert isinstance(got.value, ModelInvalidRequestError)
    assert got.value.body["results"][0]["category_scores"]["violence"] > 0.5
    assert BAD not in str(got.value)


def test_a_chain_is_moderated_on_both_sides(ask, allowed, emulator, chat):
    emulator.answer("Pour water over leaves.")
    assert ask(allowed | chat() | allowed, "How is tea made?").text == "Pour water over leaves."
    assert moderated(emulator) == ["How is tea made?", "Pour water over leaves."]


def test_a_flagged_question_never_reaches_the_model(ask, allowed, emulator, chat):
    with pytest.raises(ContentRejected, match="the text"):
        ask(allowed | chat() | allowed, BAD)
    assert len(emulator.requests) == 1


def test_a_stream_is_held_back_until_it_is_checked(allowed, emulator, chat):
    emulator.answer(BAD)
    chain = chat() | allowed
    with pytest.raises(ContentRejected, match="the answer"):
        next(chain.stream("Say something."))


def test_a_provider_without_moderation_is_refused_before_anything_is_sent(ask, emulator):
    ark = DoubaoModeration(provider="ark", api_key="test-key", base_url=emulator.base_url)
    with pytest.raises(UnsupportedOperation, match="openai-compatible does"):
        ask(ark, "Hello.")
    assert not emulator.requests


def test_what_has_no_text_at_all_is_an_error(ask, allowed):
    with pytest.raises(ValueError, match="not a int"):
        ask(allowed, 5)


@pytest.fixture
def agent(allowed: DoubaoModeration, chat: Callable[..., ChatDoubao]) -> Callable[..., Any]:
    @tool
    def look_up(word: str) -> str:
        """Look a word up."""
        return BAD

    def make(**options: Any) -> Any:
        middle = DoubaoModerationMiddleware(allowed, **options)
        return create_agent(chat(), [look_up], middleware=[middle])

    return make


def texts(state: dict[str, Any]) -> list[str]:
    return [message.text for message in state["messages"]]


REFUSAL = "I cannot help with that: it was flagged for violence."


def test_an_agent_ends_at_a_flagged_question(ask, agent, emulator):
    state = ask(agent(), {"messages": [("human", BAD)]})
    assert texts(state) == [BAD, REFUSAL]
    assert not [each for each in emulator.requests if "chat" in each.path]


def test_an_agents_flagged_answer_is_taken_back(ask, agent, emulator):
    emulator.answer(BAD)
    state = ask(agent(), {"messages": [("human", "Say something.")]})
    assert texts(state) == ["Say something.", REFUSAL]


def test_a_flagged_result_of_a_tool_is_replaced_and_the_run_goes_on(ask, agent, emulator):
    emulator.answer(tool_calls=[("look_up", {"word": "tea"})])
    emulator.answer("Done.")
    state = ask(
        agent(check_tool_results=True, exit_behavior="replace"),
        {"messages": [("human", "Look tea up.")]},
    )
    assert texts(state) == ["Look tea up.", "", REFUSAL, "Done."]
    assert emulator.requests[-2].body["messages"][-1]["content"] == REFUSAL


def test_an_agent_can_raise_instead(ask, agent):
    with pytest.raises(ContentRejected, match="the message was flagged"):
        ask(agent(exit_behavior="error"), {"messages": [("human", BAD)]})


def test_checks_can_be_turned_off(ask, agent, emulator):
    emulator.answer("Fine.")
    state = ask(agent(check_input=False, check_output=False), {"messages": [("human", "Hello.")]})
    assert texts(state) == ["Hello.", "Fine."]
    assert not moderated(emulator)
