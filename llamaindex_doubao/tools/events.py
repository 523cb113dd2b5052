"""What the tools say in the event stream of a workflow, and which call of an agent runs."""

from __future__ import annotations

from typing import Any

from llama_index.core.workflow import Context, Event, InputRequiredEvent

from doubao_core.studio import MadeImage, Progress
from doubao_core.studio.keys import call_key
from doubao_core.studio.watching import news


class VideoProgressEvent(Event):
    """A look-up of a video task that an agent waits for, in the workflow's event stream."""

    task_id: str
    status: str
    seconds: float


class ImageProgressEvent(Event):
    """A picture that an agent waits for, as it is finished and saved.

    Attributes:
        index: Place in the group, from 0.
        file: Its name in ``output_dir``; ``None`` if it was not made or not saved.
        size: ``"<width>x<height>"`` in pixels.
        media_type: What the file is.
        error: Why there is none.
    """

    index: int
    file: str | None = None
    size: str | None = None
    media_type: str | None = None
    error: str | None = None


class ApprovalRequiredEvent(InputRequiredEvent):
    """A paid call that waits for a person.

    Answer with ``HumanResponseEvent(question_id=event.question_id, response="yes")``; ``response``
    may be a bool, a word, or the arguments to change.

    Attributes:
        question_id: Which call it is about; the answer must name it.
        tool: Name of the tool.
        model: Model that would be paid.
        arguments: What the agent wants.
        left_open: What it costs depends on and nobody said, as the estimate takes it.
        estimate: Tokens and cost, each perhaps ``"unknown"``, and where they come from.
        question: All of this as a text.
    """

    question_id: str
    tool: str
    model: str
    arguments: dict[str, Any]
    left_open: dict[str, Any]
    estimate: dict[str, Any]
    question: str


def report(step: Progress | MadeImage, ctx: Context | None) -> None:
    """Put *step* into the event stream, if an agent called."""
    if ctx is None:
        return
    kind = VideoProgressEvent if isinstance(step, Progress) else ImageProgressEvent
    ctx.write_event_to_stream(kind(**news(step)))


def call_id() -> str | None:
    """Give the id of the tool call that an agent's step runs now; ``None`` outside of an agent.

    An agent tells a tool nothing of the call, but the workflow knows which event a step works on,
    and for a tool that is LlamaIndex's ``ToolCall``. The id is the model's own (of a ReAct agent,
    the agent's), and it is the same when a stored workflow goes on.
    """
    try:
        # LlamaIndex's own agents import from this module.
        from workflows.runtime.types.results import (  # noqa: PLC0415 - moved between versions
            StepWorkerStateContextVar,
        )

        event = StepWorkerStateContextVar.get().event
    except (AttributeError, ImportError, LookupError):
        return None
    found = getattr(event, "tool_id", None)
    return found if isinstance(found, str) and found else None


def job_key(tool: str, digest: str) -> str | None:
    """Name the call of an agent that runs now: by its id and what it orders.

    A workflow that was stored and goes on gives the same name; a call outside of an agent has none.
    """
    known = call_id()
    return None if known is None else call_key(tool, known, digest)
