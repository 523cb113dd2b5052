"""A job as programs, people and models see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, Self

from doubao_core import errors
from doubao_core.errors import UNREADABLE, AmbiguousSubmit, DoubaoError, JobFailed
from doubao_core.jobs.machine import ENDED, State
from doubao_core.jobs.record import Record
from doubao_core.operation import JSON
from doubao_core.studio.explain import explained
from doubao_core.studio.results import ImageResult, VideoResult

_FACTS = ("status", "code", "param", "request_id", "gateway", "operation", "body")
_AGAIN = "Do not submit it again: that could cost a second time."
_UNREADABLE = "Its result in the ledger was written by another release, and cannot be read by this."
GONE = "gone"
"""Status of a task that the service does not find; ours, and no word of any service."""
NO_LIST = (
    "the answer was lost, and the service has no list in which pictures could be looked for, so "
    "nobody can tell whether they were made and paid for; release the job to make them again"
)
"""Why a lost answer to a request for pictures needs a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A picture or film that was ordered under a key, as the ledger last knew it.

    Attributes:
        key: What it is called; submitting the same key again gives this job.
        state: See :class:`~doubao_core.jobs.State`.
        task_id: The service's task, for a film that was accepted.
        status: The service's last word on the task, such as ``"queued"``; ``"gone"`` if it says
            that there is no such task.
        result: What was made and saved, once it is ``done``; for pictures that could not all be
            saved yet, those that were.
        error: Why it failed or was refused, or how its answer was lost.
        reason: Why it is held, or what it waits for.
        attempt: How often the paid request may have been sent; more than once only after a refusal
            or a release.
        output_dir: Where its own program saves: an absolute path, or the URL of a store; ``None``
            if the ledger does not know.
        problem: What went wrong in the last look-up, although the job goes on.
    """

    key: str
    kind: Literal["image", "video"]
    state: State
    model: str
    provider: str
    task_id: str | None = None
    status: str | None = None
    result: ImageResult | VideoResult | None = None
    error: DoubaoError | None = None
    reason: str | None = None
    attempt: int = 0
    output_dir: str | None = None
    created_at: datetime
    updated_at: datetime
    problem: str | None = field(default=None, compare=False)

    @classmethod
    def of(cls, record: Record, problem: str | None = None) -> Self:
        """Read a row of the ledger."""
        try:
            result = _result(record)
        except UNREADABLE:
            # It stays readable by the release that wrote it, and must not hide the other jobs.
            result, problem = None, _UNREADABLE
        return cls(
            key=record.key,
            kind=record.kind,
            state=record.state,
            model=record.model,
            provider=record.provider,
            task_id=record.task_id,
            status=record.status,
            result=result,
            error=None if record.error is None else revived(record.error),
            reason=record.reason,
            attempt=record.attempt,
            output_dir=record.output_dir,
            created_at=datetime.fromtimestamp(record.created_at, UTC),
            updated_at=datetime.fromtimestamp(record.updated_at, UTC),
            problem=problem,
        )

    @property
    def ended(self) -> bool:
        """Whether nothing is left to do; a held job has not ended, but waits for a person."""
        return self.state in ENDED

    def checked(self) -> Self:
        """Give the job back, or raise what a bad end means.

        Raises:
            JobFailed: The task ended badly, or the job was cancelled.
            RequestError: The service refused it; nothing was paid.
            AmbiguousSubmit: It is held: nobody knows whether it was paid.
        """
        if self.state is State.HELD:
            raise AmbiguousSubmit(self.text, gateway=self.provider)
        if self.state in ENDED and self.state is not State.DONE:
            raise self.error or JobFailed(self.text, gateway=self.provider)
        return self

    @property
    def text(self) -> str:
        """How it stands, in a sentence or two for people and models."""
        said = f"{self._said} {self.problem}" if self.problem else self._said
        return f"{said} {_AGAIN}" if self.state in _OPEN else said

    @property
    def _said(self) -> str:
        name = f"Job {self.key!r}"
        if self.state is State.DONE and self.result is not None:
            return self.result.text
        if self.error is not None and self.state in {State.FAILED, State.REFUSED}:
            return f"{name} {_ENDS[self.state]}. {explained(self.error)}"
        why = f": {self.reason.rstrip('.')}" if self.reason else ""
        if self.state is State.ACCEPTED:
            return f"{name} is task {self.task_id}, which is {self.status or 'queued'}{why}."
        return f"{name} {_ENDS[self.state]}{why}."

    def to_dict(self) -> JSON:
        """Give it as JSON, without request bodies and URLs."""
        return {
            "key": self.key,
            "kind": self.kind,
            "state": self.state.value,
            "model": self.model,
            "provider": self.provider,
            "task_id": self.task_id,
            "status": self.status,
            "attempt": self.attempt,
            "output_dir": self.output_dir,
            "result": None if self.result is None else shown(self.result),
            "error": None if self.error is None else kept(self.error),
            "reason": self.reason,
            "problem": self.problem,
            "text": self.text,
            "created_at": self.created_at.isoformat(),
            "updated_at": self.updated_at.isoformat(),
        }


_OPEN = frozenset({State.SUBMITTING, State.UNSURE, State.ACCEPTED, State.MADE})
_ENDS = {
    State.NEW: "is written down and was not sent yet",
    State.SUBMITTING: "is being submitted, or its process died while it did",
    State.UNSURE: "was submitted, but the answer was lost; its task is being looked for",
    State.MADE: "is made and paid for, and its pictures are being saved",
    State.DONE: "is done",
    State.FAILED: "failed",
    State.REFUSED: "was refused, and nothing was paid",
    State.CANCELLED: "was cancelled",
    State.HELD: "is held until a person decides",
}


def kept(error: DoubaoError) -> JSON:
    """Give *error* as JSON, for the ledger."""
    facts = {name: getattr(error, name) for name in _FACTS}
    present = {name: value for name, value in facts.items() if value is not None}
    # One of the package's own is kept as the class of the tree that it is.
    kind = next(each.__name__ for each in type(error).__mro__ if hasattr(errors, each.__name__))
    return {"type": kind, "message": error.message, **present}


def revived(stored: JSON) -> DoubaoError:
    """Make the error anew that :func:`kept` stored."""
    kind: Any = getattr(errors, str(stored.get("type")), None)
    if not (isinstance(kind, type) and issubclass(kind, DoubaoError)):
        kind = DoubaoError
    facts = {name: stored.get(name) for name in _FACTS}
    revival: DoubaoError = kind(str(stored.get("message") or ""), **facts)
    return revival


def _result(record: Record) -> ImageResult | VideoResult | None:
    if record.result is None:
        return None
    kind = ImageResult if record.kind == "image" else VideoResult
    return kind.from_dict(record.result)


def shown(result: ImageResult | VideoResult) -> JSON:
    """Give *result* as JSON for people: the addresses are signed, and so are secrets."""
    plain: JSON = _without_urls(result.to_dict())
    return plain


def _without_urls(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: _without_urls(each) for name, each in value.items() if not name.endswith("url")
        }
    return [_without_urls(each) for each in value] if isinstance(value, list) else value
