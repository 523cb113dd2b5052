"""How long jobs advance: at once, after a number of reads, or after some seconds.

Used for generation tasks and for files that are being processed. A mode is a pure function of
how often a job was read and how old it is, so state needs no timers.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias


class Phase(Enum):
    """Where a job is, before one asks whether it ends well."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Immediate:
    """A job is done as soon as anyone looks."""

    # One signature for all modes; this one does not need every argument.
    def phase(self, *, reads: int, age: float) -> Phase:  # noqa: ARG002
        """Return the phase seen by a read; `reads` counts the reads before it."""
        return Phase.DONE


@dataclass(frozen=True, slots=True)
class AfterReads:
    """A job is seen queued once, then running, and is done after `reads` reads."""

    reads: int = 2

    # One signature for all modes; this one does not need every argument.
    def phase(self, *, reads: int, age: float) -> Phase:  # noqa: ARG002
        """Return the phase seen by a read; `reads` counts the reads before it."""
        if reads >= self.reads:
            return Phase.DONE
        return Phase.QUEUED if reads == 0 else Phase.RUNNING


@dataclass(frozen=True, slots=True)
class AfterSeconds:
    """A job is queued for the first third of `seconds`, then running, then done."""

    seconds: float = 3.0

    # One signature for all modes; this one does not need every argument.
    def phase(self, *, reads: int, age: float) -> Phase:  # noqa: ARG002
        """Return the phase of a job `age` seconds old."""
        if age >= self.seconds:
            return Phase.DONE
        return Phase.QUEUED if age < self.seconds / 3 else Phase.RUNNING


Progress: TypeAlias = Immediate | AfterReads | AfterSeconds
