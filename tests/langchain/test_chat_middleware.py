"""Retries, fallbacks and summaries of LangChain act on our errors and counts as on its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import (
    ModelFallbackMiddleware,
    ModelRetryMiddleware,
    SummarizationMiddleware,
)
from langchain_core import exceptions as chain

from doubao_core import errors as core

if TYPE_CHECKING:
    from collections.abc import Callable

    from doubao_emulator import Emulator
    from langchain_doubao import ChatDoubao

    Ask: TypeAlias = Callable[[Any, Any], Any]

SPARE = "doubao-seed-2-1-pro-260915"
SUMMARY = "They greeted each other."
GREETINGS = [
    ("user", "Hello, here is the objective: greet. " * 20),
    ("ai", "Hello! " * 40),
    ("user", "Well? " * 40),
    ("ai", "Well. " * 40),
    ("user", "Bye"),
]


@pytest.fixture(params=["sync", "async"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """Ask an agent, or anything else that runs, blocking or awaiting."""
    if request.param == "sync":
        return lambda runnable, question: runnable.invoke(question)
    return lambda runnable, question: asyncio.run(runnable.ainvoke(question))


def prompts(emulator: Emulator) -> list[str]:
    return [str(request.body["messages"]) for request in emulator.requests]


def test_retry_middleware_repeats_what_may_help(
    emulator: Emulator, chat: Callable[..., ChatDoubao], ask: Ask
) -> None:
    retry = ModelRetryMiddleware(max_retries=2, initial_delay=0.0, jitter=False, on_failure="error")
    agent = create_agent(chat(), [], middleware=[retry])
    question = {"messages": [("user", "Hello")]}
    for fault in ("server_error", "rate_limit", "reset_before_answer"):
        emulator.reset()
        with emulator.fault(fault, times=2):
            assert ask(agent, question)["messages"][-1].text
        assert len(emulator.requests) == 3


@pytest.mark.parametrize(
    ("fault", "theirs"),
    [
        ({"name": "quota"}, chain.ModelRateLimitError),
        ({"name": "model_not_open"}, chain.ModelPermissionDeniedError),
        ({"name": "server_error", "status": 422}, chain.ModelInvalidRequestError),
    ],
    ids=lambda value: value["name"] if isinstance(value, dict) else "",
)
def test_retry_middleware_gives_up_at_once_where_it_cannot_help(
    fault: dict[str, Any],
    theirs: type[chain.ModelError],
    emulator: Emulator,
    chat: Callable[..., ChatDoubao],
    ask: Ask,
) -> None:
    retry = ModelRetryMiddleware(max_retries=2, initial_delay=0.0, jitter=False, on_failure="error")
    agent = create_agent(chat(), [], middleware=[retry])
    with emulator.fault(**fault), pytest.raises(theirs):
        ask(agent, {"messages": [("user", "Hello")]})
    assert len(emulator.requests) == 1


def test_fallback_middleware_asks_the_next_model(
    emulator: Emulator, chat: Callable[..., ChatDoubao], ask: Ask
) -> None:
    """Shows R000-38."""
    middle = ModelFallbackMiddleware(chat(model=SPARE))
    agent = create_agent(chat(), [], middleware=[middle])
    with emulator.fault("quota", times=1):
        answer = ask(agent, {"messages": [("user", "Hello")]})["messages"][-1]
    assert answer.response_metadata["model_name"] == SPARE


@pytest.mark.parametrize("kind", [chain.ModelRateLimitError, core.RateLimited])
def test_fallbacks_are_told_either_class(
    kind: type[Exception], emulator: Emulator, chat: Callable[..., ChatDoubao], ask: Ask
) -> None:
    safe = chat().with_fallbacks([chat(model=SPARE)], exceptions_to_handle=(kind,))
    with emulator.fault("rate_limit", times=1):
        assert ask(safe, "Hello").response_metadata["model_name"] == SPARE
    with emulator.fault("server_error"), pytest.raises(chain.ModelAPIError):
        ask(safe, "Hello")


@pytest.mark.parametrize("kind", [chain.ModelRateLimitError, core.RateLimited])
def test_retries_of_runnables_are_told_either_class(
    kind: type[Exception], emulator: Emulator, chat: Callable[..., ChatDoubao], ask: Ask
) -> None:
    again = chat().with_retry(
        retry_if_exception_type=(kind,), wait_exponential_jitter=False, stop_after_attempt=2
    )
    with emulator.fault("rate_limit", times=1):
        assert ask(again, "Hello").text
    with emulator.fault("server_error"), pytest.raises(chain.ModelAPIError):
        ask(again, "Hello")
    assert len(emulator.requests) == 3


def overflow(emulator: Emulator) -> None:
    emulator.answer(body={"error": {"code": "OutofContextError", "message": "Too long."}})


def test_a_summary_that_overflows_is_asked_for_once_more_with_less(
    emulator: Emulator, chat: Callable[..., ChatDoubao], ask: Ask
) -> None:
    middle = SummarizationMiddleware(chat(), trigger=("messages", 5), keep=("messages", 1))
    overflow(emulator)
    emulator.answer(SUMMARY)
    emulator.answer("Bye.")
    state = ask(create_agent(chat(), [], middleware=[middle]), {"messages": GREETINGS})
    assert state["messages"][-1].text == "Bye."
    whole, less, final = prompts(emulator)
    assert len(less) < len(whole)
    assert SUMMARY in final


def test_a_summary_that_overflows_twice_is_an_error(
    emulator: Emulator, chat: Callable[..., ChatDoubao], ask: Ask
) -> None:
    middle = SummarizationMiddleware(chat(), trigger=("messages", 5), keep=("messages", 1))
    overflow(emulator)
    overflow(emulator)
    with pytest.raises(chain.ContextOverflowError) as caught:
        ask(create_agent(chat(), [], middleware=[middle]), {"messages": GREETINGS})
    assert isinstance(caught.value, core.ContextOverflow)
    assert len(emulator.requests) == 2


@pytest.mark.parametrize("provider", ["the model's", "another"])
def test_summarization_trusts_the_tokens_that_our_messages_report(
    provider: str, emulator: Emulator, chat: Callable[..., ChatDoubao], ask: Ask
) -> None:
    """It does so because ``model_provider`` of the message is ``ls_provider`` of the model.

    Shows R000-43.
    """
    middle = SummarizationMiddleware(chat(), trigger=("tokens", 4000), keep=("messages", 1))
    emulator.answer("Hello!", usage={"prompt_tokens": 5000, "total_tokens": 5010})
    greeting = chat().invoke("Hello")
    if provider == "another":
        greeting.response_metadata["model_provider"] = "another"
    else:
        emulator.answer(SUMMARY)
    emulator.answer("Bye.")
    history = {"messages": [("user", "Hello"), greeting, ("user", "Bye")]}
    ask(create_agent(chat(), [], middleware=[middle]), history)
    assert (SUMMARY in prompts(emulator)[-1]) is (provider != "another")


def test_summarization_can_count_with_the_model(
    emulator: Emulator, chat: Callable[..., ChatDoubao], ask: Ask
) -> None:
    """LangChain's own count takes Chinese for a third of what it is."""
    chinese = {"messages": [("user", "春眠不觉晓" * 200), ("ai", "好"), ("user", "再见")]}
    limits: dict[str, Any] = {"trigger": ("tokens", 500), "keep": ("messages", 1)}
    middle = SummarizationMiddleware(chat(), **limits)
    ask(create_agent(chat(), [], middleware=[middle]), chinese)
    assert len(emulator.requests) == 1
    ours = SummarizationMiddleware(
        chat(), token_counter=chat().get_num_tokens_from_messages, **limits
    )
    ask(create_agent(chat(), [], middleware=[ours]), chinese)
    assert len(emulator.requests) == 3
