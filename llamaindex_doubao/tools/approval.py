"""Who approves a paid call: a person behind the workflow's events, or a function."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal, TypeAlias

from llama_index.core.workflow import Context, HumanResponseEvent
from pydantic import BeforeValidator

from doubao_core.studio.approval import (
    Answer,
    NotAsked,
    Question,
    adecided,
    check_approval,
    decided,
)
from llamaindex_doubao.tools.events import ApprovalRequiredEvent

Approval: TypeAlias = Annotated[
    Literal["event"] | Callable[[Question], Any] | None,
    BeforeValidator(partial(check_approval, word="event")),
]
"""``"event"`` asks in the event stream of the agent; a function, which may be async, gets the
question and gives the answer; ``None`` asks nobody."""


def ask(approval: Approval, question: Question) -> Answer:
    """Get an answer to *question*, blocking.

    Raises:
        NotAsked: That cannot be done without blocking an event loop.
    """
    if not callable(approval):
        raise NotAsked(
            'approval="event" needs an agent, which calls the async tools: pass a function, or '
            "call from an agent"
        )
    return decided(approval, question)


async def aask(
    approval: Approval, question: Question, question_id: str, ctx: Context | None
) -> Answer:
    """Get an answer to *question*: from the event stream, or from a function, in a thread."""
    if callable(approval):
        return await adecided(approval, question)
    if ctx is None:
        raise NotAsked(
            'approval="event" needs the workflow of an agent: call the tool from an agent, or pass '
            "a function"
        )
    event = await ctx.wait_for_event(
        HumanResponseEvent,
        waiter_event=ApprovalRequiredEvent(question_id=question_id, **question.payload()),
        waiter_id=f"doubao-approval-{question_id}",
        requirements={"question_id": question_id},
        # A person may come back tomorrow.
        timeout=None,
    )
    return Answer.of(event.get("response", default=False))
