"""The life of a generation task: states, legal moves, records (ark.md 15.4). Pure.

``queued -> running -> succeeded | failed``, ``queued -> cancelled`` by DELETE, and
``queued | running -> expired``. Nothing here knows HTTP, rendering or the clock: the caller says
what time it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from doubao_emulator.errors import ArkError
from doubao_emulator.progress import Phase

if TYPE_CHECKING:
    from collections.abc import Collection

    from doubao_emulator.progress import Progress
    from doubao_emulator.video_request import VideoRequest
    from doubao_emulator.wire import JSON

DAY_S = 86_400
KEPT_S = 7 * DAY_S
KEPT_CANCELLED_S = DAY_S


class Status(StrEnum):
    """Where a task is, in the wire's words."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def final(self) -> bool:
        """Whether a task in this state never moves again."""
        return self not in {Status.QUEUED, Status.RUNNING}


@dataclass(eq=False, slots=True, kw_only=True)
class Task:
    """One generation task.

    Attributes:
        id: Its id.
        cloud: Name of the cloud it was created on.
        asked_model: The `model` of the request, which may be an endpoint id.
        request: What is to be made.
        seed: The seed used, drawn when the request left it open.
        created_at: Unix seconds.
        updated_at: Unix seconds of the last change of state.
        failure: The error it will end with; None when it will succeed.
        status: Where it is.
        reads: How often it was read.
        history: Every state it has been in, oldest first.
        content: Links of the result, once it succeeded.
    """

    id: str
    cloud: str
    asked_model: str
    request: VideoRequest
    seed: int
    created_at: float
    updated_at: float
    failure: dict[str, JSON] | None = None
    status: Status = Status.QUEUED
    reads: int = 0
    history: list[Status] = field(default_factory=lambda: [Status.QUEUED])
    content: dict[str, str] | None = None


def advance(task: Task, progress: Progress, now: float) -> None:
    """Move a task to where it is at time `now`, through every state on the way."""
    if task.status.final:
        return
    age = now - task.created_at
    deadline = task.request.execution_expires_after
    # Work that was done before the deadline counts, also when nobody looked until after it.
    phase = progress.phase(reads=task.reads, age=min(age, deadline))
    if phase is Phase.DONE:
        _move(task, Status.RUNNING, now)
        _move(task, Status.FAILED if task.failure else Status.SUCCEEDED, now)
    elif age >= deadline:
        _move(task, Status.EXPIRED, now)
    elif phase is Phase.RUNNING:
        _move(task, Status.RUNNING, now)


def delete(task: Task, now: float) -> bool:
    """Do what DELETE does to a task (the table of ark.md 15.4).

    Returns:
        Whether the record goes away; a queued task stays, cancelled.

    Raises:
        ArkError: 409 for a running task, 403 for a cancelled one.
    """
    if task.status is Status.RUNNING:
        raise ArkError(
            status=409,
            code="InvalidAction.RunningTaskDeletion",
            message=f"Cannot delete task `{task.id}` because it is currently running.",
        )
    if task.status is Status.CANCELLED:
        # The document says no without a code; this one is its code for a special state.
        raise ArkError(
            status=403,
            code="OperationDenied.UnsupportedPhase",
            message=f"Cannot delete task `{task.id}` because it is cancelled.",
        )
    if task.status is Status.QUEUED:
        _move(task, Status.CANCELLED, now)
        return False
    return True


def remembered(task: Task, now: float) -> bool:
    """Say whether the record is still kept: 7 days, 24 h for a cancelled task."""
    if task.status is Status.CANCELLED:
        return now < task.updated_at + KEPT_CANCELLED_S
    return now < task.created_at + KEPT_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a list request asks for (ark.md 15.4)."""

    status: str | None = None
    model: str | None = None
    service_tier: str = "default"
    task_ids: Collection[str] = ()

    def admits(self, task: Task) -> bool:
        """Say whether `task` is asked for."""
        return (
            self.status in {None, task.status}
            and self.model in {None, task.asked_model}
            and task.request.service_tier == self.service_tier
            and (not self.task_ids or task.id in self.task_ids)
        )


def describe(task: Task, status: Status | None = None) -> dict[str, JSON]:
    """Return the task as GET shows it.

    Args:
        task: The task.
        status: Show it as it was in this earlier state, for callbacks.
    """
    status = status or task.status
    request = task.request
    shown: dict[str, JSON] = {"id": task.id, "model": request.model.id, "status": status.value}
    made: dict[str, JSON] = {}
    if status is Status.SUCCEEDED:
        shown["content"] = dict(task.content or {})
        shown["usage"] = request.usage()
        made = {"seed": task.seed, **request.made()}
    if status is Status.FAILED:
        shown["error"] = dict(task.failure or {})
    shown["created_at"] = int(task.created_at)
    shown["updated_at"] = int(task.updated_at)
    return {**shown, **made, **request.echo()}


def _move(task: Task, status: Status, now: float) -> None:
    if task.status is not status:
        task.status = status
        task.updated_at = now
        task.history.append(status)
