"""What answers say of jobs, in Ark's words as all answers are here, and what of it is news."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from doubao_core.errors import Malformed
from doubao_core.operation import ENDED

if TYPE_CHECKING:
    from doubao_core.operation import JSON, Reply, Send

CREATES = frozenset({"images.create", "videos.create"})
"""The operations that may begin a job."""
LONGEST_RENEWAL = 10.0
"""Seconds between two notes that a job goes on; fewer for a plan of little patience."""
_LOOKS = ("images.", "videos.")
_MOST_KNOWN = 10_000


def tells(send: Send) -> bool:
    """Whether the answer to *send* may say how jobs are that were begun before."""
    return send.operation.startswith(_LOOKS) and send.operation not in CREATES


def begun(send: Send, reply: Reply, unknown: str) -> str | None:
    """Give the id of the job that goes on after the answer to a create; ``None`` if none does.

    Args:
        send: The request.
        reply: Its answer, which is no refusal.
        unknown: What to call a job whose id cannot be read.
    """
    try:
        raw = reply.json()
    except Malformed:
        return unknown
    if _has_ended(raw) or (raw.get("error") and not raw.get("id")):
        return None
    if send.operation == "images.create" and not raw.get("status"):
        # Ark's pictures are there, or will never be.
        return None
    return _id(raw) or unknown


def seen(send: Send, reply: Reply) -> Mapping[str, bool]:
    """Give the jobs that an answer tells of, and whether each has ended."""
    if "task_id" in send.path:
        is_gone = send.operation.endswith(".delete")
        return {send.path["task_id"]: is_gone or _has_ended(_read(reply))}
    items = _read(reply).get("items")
    each = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else ()
    return {name: _has_ended(item) for item in each if (name := _id(item))}


def _read(reply: Reply) -> JSON:
    try:
        return reply.json()
    except Malformed:
        # Whoever asked is told what is wrong with it.
        return {}


def _id(raw: JSON) -> str:
    return str(raw.get("id") or "")


def _has_ended(raw: JSON) -> bool:
    return raw.get("status") in ENDED or bool(raw.get("data"))


class News:
    """Remembers what was noted of which job: an end once, and now and then that one goes on.

    So that look-ups, of which there may be many, do not write to the store of the plan each time.

    Args:
        patience: Seconds after which it matters that nobody has heard of a job.
    """

    def __init__(self, patience: float) -> None:
        self._seconds = min(LONGEST_RENEWAL, patience / 4)
        self._known: dict[str, tuple[float, bool]] = {}
        self._lock = threading.Lock()

    def due(self, told: Mapping[str, bool], now: float) -> Mapping[str, bool]:
        """Give what of *told* is to be noted."""
        return {name: ended for name, ended in told.items() if self._is_due(name, ended, now)}

    def _is_due(self, name: str, ended: bool, now: float) -> bool:
        at, known_end = self._known.get(name, (-math.inf, False))
        # A clock may have been set back.
        return not known_end and (ended or abs(now - at) >= self._seconds)

    def noted(self, told: Mapping[str, bool], now: float) -> None:
        """Remember that *told* was noted."""
        with self._lock:
            for name, ended in told.items():
                self._known.pop(name, None)
                self._known[name] = now, ended
            while len(self._known) > _MOST_KNOWN:
                del self._known[next(iter(self._known))]
