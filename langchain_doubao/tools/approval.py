"""Who approves a paid call: a person behind LangGraph's ``interrupt``, or a function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator

from doubao_core.studio.approval import NotAsked, Question, check_approval
from langchain_doubao.tools.calls import asks_alone, call_id

Decide: TypeAlias = Callable[[Question], Any]
Approval: TypeAlias = Annotated[
    Literal["interrupt"] | Decide | None,
    BeforeValidator(partial(check_approval, word="interrupt")),
]
"""``"interrupt"`` pauses the graph with the question as JSON; a function, which may be async, gets
the question and gives the answer; ``None`` asks nobody."""


def interrupt(question: Question, *, durable: bool = False) -> Any:
    """Pause the graph until it is resumed with an answer; for functions that ask sometimes.

    Args:
        question: What to ask.
        durable: Whether the tool has ``jobs=``. Where several calls run in one node, LangGraph runs
            all of them again for each question, which only jobs survive without a second payment.
            It also gives the answers by an order that is not certain there: answer with
            ``{"tool_call_id": …, "answer": …}``, which is for that call only.

    Raises:
        NotAsked: This call is not part of a graph, or several ask in one node without jobs.
    """
    this = call_id()
    try:
        from langgraph.types import interrupt as pause  # noqa: PLC0415 - an optional dependency

        if not durable and not asks_alone():
            raise NotAsked(
                "several calls that ask for approval run in one node, which LangGraph repeats as a "
                "whole: give the tool jobs=, or use create_agent, where each call is its own node"
            )
        while True:
            said = pause({**question.payload(), "tool_call_id": this})
            if not isinstance(said, Mapping) or "tool_call_id" not in said:
                return said
            if said["tool_call_id"] == this:
                return said.get("answer", False)
    except (ImportError, KeyError, RuntimeError) as error:
        raise NotAsked(
            'approval="interrupt" works in LangGraph only, in a graph with a checkpointer: install '
            "langgraph and call the tool from an agent, or pass a function"
        ) from error


def decider(approval: Approval, *, durable: bool) -> Decide | None:
    """Give the function that decides, if anybody does."""
    return partial(interrupt, durable=durable) if approval == "interrupt" else approval
