"""Time as a parameter: the machine's clock, or one that a test moves by hand."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Anything that tells the time."""

    def now(self) -> float:
        """Return unix seconds."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        """Return unix seconds."""
        return time.time()


class ManualClock:
    """A clock that stands still until it is told to move."""

    def __init__(self, start: float = 1_790_000_000.0) -> None:
        self._now = start

    def now(self) -> float:
        """Return unix seconds."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move the clock `seconds` forward."""
        if seconds < 0:
            raise ValueError(f"A clock cannot go back by {seconds!r} s; advance by 0 or more.")
        self._now += seconds
