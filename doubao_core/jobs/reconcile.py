"""What became of a paid request whose answer was lost, judged from the service's task list. Pure.

The list shows no prompts, so a task is recognised by the mark that its request carried
(``safety_identifier``, ark.md 15.1, echoed by 15.4). Without a mark, or where the service is seen
to drop marks, it is recognised by model, settings and time, and only if nothing else could be it.
What cannot be decided is held for a person: nothing here ever says "create it again".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from doubao_core.api.videos import VideoTask
from doubao_core.operation import JSON

KEPT = 7 * 86_400.0
"""Seconds for which the service lists a task (ark.md 15.4)."""
SKEW = 60.0
"""Seconds by which the service's clock and ours may differ."""
PATIENCE = 120.0
"""Seconds for which a task may be missing in the list although it was created."""
# Seconds after which a request that was sent has arrived or never will.
_SENDING = 600.0

_ANY = object()
# What a task repeats of its request, and what it says if the request did not (ark.md 15.1, 15.4).
_ECHOED: Mapping[str, Any] = {
    "resolution": _ANY,
    "ratio": _ANY,
    "duration": _ANY,
    "frames": _ANY,
    "seed": _ANY,
    "generate_audio": _ANY,
    "output_format": _ANY,
    "draft": False,
    "draft_task_id": None,
    "service_tier": "default",
    "execution_expires_after": 172_800,
    "priority": 0,
    "tools": None,
}
# Values by which the request leaves the choice to the service.
_OPEN = {"ratio": "adaptive", "duration": -1, "seed": -1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A paid request whose outcome is unknown.

    Attributes:
        request: The body that was or was not sent.
        mark: The ``safety_identifier`` that only this request has; ``None`` without one.
        posted_at: Unix seconds before which it was not sent.
        lost_at: Unix seconds after which it was not sent.
    """

    request: JSON = field(repr=False)
    mark: str | None
    posted_at: float
    lost_at: float


@dataclass(frozen=True, slots=True)
class Adopt:
    """This task is the job's."""

    task_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Wait:
    """It may still appear: look again."""

    reason: str


@dataclass(frozen=True, slots=True)
class Hold:
    """A person must decide."""

    reason: str


Verdict: TypeAlias = Adopt | Wait | Hold


def reconcile(
    intent: Intent,
    tasks: Sequence[VideoTask],
    bound: Mapping[str, str | None],
    now: float,
    *,
    rivals: Sequence[Intent] = (),
    patience: float = PATIENCE,
) -> Verdict:
    """Judge what became of *intent*.

    Args:
        intent: What was perhaps sent.
        tasks: What the service lists, at least from ``posted_at`` on, in any order.
        bound: Ids of the tasks that belong to other jobs, with the marks of those jobs.
        now: Unix seconds.
        rivals: Other requests whose outcome is unknown too.
        patience: Seconds after ``lost_at`` for which a task may be missing in the list.
    """
    own = sorted({task.id for task in tasks if intent.mark and _mark(task) == intent.mark})
    if len(own) == 1 and own[0] not in bound:
        return Adopt(own[0], f"task {own[0]} carries this job's mark")
    if own:
        return Hold(
            f"the service has {len(own)} tasks with this job's mark ({', '.join(own)}): something "
            "between us and the service repeated the request; release the job with the task that "
            "is to be kept"
        )
    if now - intent.posted_at > KEPT:
        return Hold("the service forgets a task after 7 days, so it can no longer be looked for")
    likely = sorted({task.id for task in tasks if task.id not in bound and _fits(intent, task)})
    certain = intent.mark is None or _drops_marks(tasks, bound)
    if certain and len(likely) == 1 and not _contested(likely[0], tasks, rivals):
        return Adopt(likely[0], f"task {likely[0]} is the only one with its settings and time")
    waited = now - intent.lost_at
    if waited < patience:
        return Wait("the service does not show the task yet")
    return Hold(_undecided(likely, waited))


def _undecided(likely: Collection[str], waited: float) -> str:
    if not likely:
        return (
            f"no task of this job was found in {waited:.0f} s, so most likely none was created; "
            "release it to create it again"
        )
    return (
        f"it cannot be told whether {' or '.join(likely)} is the task of this job; look at it, "
        "then release the job with that task, or without one to create it again"
    )


def _mark(task: VideoTask) -> Any:
    return task.raw.get("safety_identifier")


def _drops_marks(tasks: Sequence[VideoTask], bound: Mapping[str, str | None]) -> bool:
    """Whether the service is seen to list a task of ours without the mark that it was given."""
    return any(bound.get(task.id) and not _mark(task) for task in tasks)


def _contested(task_id: str, tasks: Sequence[VideoTask], rivals: Sequence[Intent]) -> bool:
    found = next(task for task in tasks if task.id == task_id)
    return any(_fits(rival, found) for rival in rivals)


def _fits(intent: Intent, task: VideoTask) -> bool:
    """Whether *task* could be what *intent* made."""
    made_at = task.created_at
    # Whoever died was not missed at once: what was made long after is somebody else's.
    latest = min(intent.lost_at, intent.posted_at + _SENDING) + SKEW
    if made_at is None or not intent.posted_at - SKEW <= made_at <= latest:
        return False
    # A mark that is shown and is another's decides; one that is not shown may have been dropped.
    wanted_mark = intent.mark or intent.request.get("safety_identifier")
    if _mark(task) and _mark(task) != wanted_mark:
        return False
    return _same_model(intent, task) and all(
        _agrees(intent.request, task.raw, name) for name in _ECHOED
    )


def _same_model(intent: Intent, task: VideoTask) -> bool:
    wanted = str(intent.request.get("model") or "")
    # A task names the model behind an endpoint, not the endpoint.
    return wanted.startswith("ep-") or not task.model or task.model == wanted


def _agrees(request: Mapping[str, Any], shown: Mapping[str, Any], name: str) -> bool:
    # While a task is queued most of its fields are absent (ark.md 15.4).
    if shown.get(name) is None:
        return True
    wanted = request.get(name)
    if wanted is None:
        wanted = _ECHOED[name]
    if wanted is _ANY or wanted == _OPEN.get(name, _ANY):
        return True
    return bool(_folded(shown[name]) == _folded(wanted))


def _folded(value: Any) -> Any:
    # "4K" is accepted as well as "4k" (ark.md 15.2).
    return value.lower() if isinstance(value, str) else value
