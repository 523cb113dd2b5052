"""When to look at a task again: from what is being made, for how long, and what went wrong. Pure.

A look-up too many costs a request and one too few costs the user's time, so the pauses follow what
a task should take: small ones around its likely end, longer ones before, and longer and longer ones
once it is overdue.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from doubao_core.api import lenient

SHORTEST = 2.0
"""Seconds between look-ups of a task that was just submitted."""
AT_THE_END = 3.0
"""Seconds between look-ups of a task that may end at any moment."""
LONGEST = 15.0
"""Seconds between look-ups of a task at most; those of the flex tier, which take hours, 60."""
LONGEST_FLEX = 60.0
LONGEST_BACK_OFF = 30.0
"""Seconds after a failed look-up at most, unless the service asks for more."""
LONGEST_ASKED = 3600.0
"""Seconds for which look-ups stop at most because the service asks for it: a header can be wrong,
and all tasks of the client wait for it."""
JITTER = 0.1
"""By how much a pause may be shorter, so that processes that began together do not stay so."""

# Seconds that a film took: 119 for 5 s of 720p (ark.md 15.7), 275 to 479 for 30 s (gateways.md 4).
_BASE = 40.0
_PER_SECOND = 12.0
_USUAL_DURATION = 5.0
_EFFORT: Mapping[str, float] = {"480p": 0.6, "720p": 1.0, "1080p": 1.8, "4k": 4.0}
_QUICK = ("fast", "mini", "lite", "flash")
_FLEX_SECONDS = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What is being made, as far as it says how long that takes; a task itself may say the rest.

    Attributes:
        model: Model or endpoint id.
        resolution: ``480p``, ``720p``, ``1080p`` or ``4k``.
        duration: Seconds of film; ``None`` or -1 if the model chooses.
        flex: Whether it is of the service tier ``flex``, which is queued for hours.
    """

    model: str = ""
    resolution: str | None = None
    duration: float | None = None
    flex: bool = False

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Self:
        """Read the body of a request, or a task as it came (ark.md 15.1, 15.4)."""
        return cls(
            model=lenient.text(fields.get("model")) or "",
            resolution=lenient.text(fields.get("resolution")),
            duration=lenient.number(fields.get("duration")),
            flex=fields.get("service_tier") == "flex",
        )

    def or_else(self, other: Expectation) -> Expectation:
        """Give this, and what *other* says where this says nothing."""
        return Expectation(
            model=self.model or other.model,
            resolution=self.resolution or other.resolution,
            duration=self.duration if self.duration is not None else other.duration,
            flex=self.flex or other.flex,
        )

    @property
    def seconds(self) -> float:
        """A guess at how long it takes."""
        if self.flex:
            return _FLEX_SECONDS
        length = self.duration if self.duration and self.duration > 0 else _USUAL_DURATION
        effort = _EFFORT.get((self.resolution or "").lower(), 1.0)
        speed = 0.5 if any(word in self.model for word in _QUICK) else 1.0
        return (_BASE + _PER_SECOND * length) * effort * speed


def pause(
    expect: Expectation, elapsed: float, *, rand: Callable[[], float] = random.random
) -> float:
    """Seconds until the next look-up of a task that goes on.

    Args:
        expect: What is being made.
        elapsed: Seconds since it was submitted.
        rand: What spreads the pauses.
    """
    usual = expect.seconds
    if elapsed < usual / 2:
        calm = usual / 20
    elif elapsed < usual * 2:
        calm = usual / 60
    else:
        calm = elapsed / 40
    longest = LONGEST_FLEX if expect.flex else LONGEST
    calm = min(max(calm, AT_THE_END), longest)
    return min(SHORTEST + max(elapsed, 0.0) / 10, calm) * (1 - JITTER * rand())


def back_off(failures: int, *, rand: Callable[[], float] = random.random) -> float:
    """Seconds until the next look-up after *failures* in a row that say nothing of the task."""
    longest: float = min(2.0 ** min(failures, 10), LONGEST_BACK_OFF)
    return longest * (1 - rand() / 2)
