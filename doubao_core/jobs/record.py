"""A row of the ledger, as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from doubao_core.jobs.machine import State
from doubao_core.jobs.reconcile import Intent
from doubao_core.operation import JSON

MARK = "doubao-job-"
OUTPUT_DIR = "doubao_media"
"""Where results go if nothing else is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What the ledger knows of a job.

    Attributes:
        id: Unguessable name, for the mark and the names of files.
        digest: Of the order, to tell whether the same key means the same thing.
        request: The body to send, without the mark; empty in a list.
        attempt: How often the paid request may have been sent: more than once only after a definite
            refusal or a person's release.
        mark: The ``safety_identifier`` that was sent, if it was ours.
        posted_at: Unix seconds just before it was sent.
        lost_at: Unix seconds when it was known that no answer would come.
        status: The service's last word on the task.
        answer: The pictures of an answer that are not all saved yet.
        result: What was made, saved.
        error: Why it ended badly, or how its answer was lost.
        reason: Why a person must decide, or why it waits.
        output_dir: Where who ordered it saves: an absolute path, or the URL of a store without
            secrets; ``None`` if that was a storage of their own, or nobody wrote it down.
    """

    key: str
    kind: Literal["image", "video"]
    state: State
    id: str
    provider: str
    model: str
    digest: str
    request: JSON = field(default_factory=dict, repr=False)
    attempt: int = 0
    mark: str | None = None
    posted_at: float | None = None
    lost_at: float | None = None
    task_id: str | None = None
    status: str | None = None
    answer: JSON | None = field(default=None, repr=False)
    result: JSON | None = field(default=None, repr=False)
    error: JSON | None = None
    reason: str | None = None
    output_dir: str | None = None
    created_at: float = 0.0
    updated_at: float = 0.0

    @property
    def next_mark(self) -> str | None:
        """The mark of the next attempt; ``None`` if the request has an identifier of its own."""
        if self.kind != "video" or self.request.get("safety_identifier"):
            return None
        return f"{MARK}{self.id}-{self.attempt + 1}"

    def intent(self, now: float) -> Intent:
        """Give what reconciliation needs to know."""
        posted_at = self.created_at if self.posted_at is None else self.posted_at
        lost_at = now if self.lost_at is None else self.lost_at
        return Intent(request=self.request, mark=self.mark, posted_at=posted_at, lost_at=lost_at)
