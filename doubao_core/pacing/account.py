"""What an account has used of its plan: pure steps of a small state that is written as JSON.

Windows slide, because nobody says when a service's hour begins: what fits into every sliding window
fits into its hours, whenever they begin. Requests are counted in sixtieths of the window, so that
the state stays small; each counts until the whole of its sixtieth is over.

Each step is one change of the state, which whoever keeps it makes atomic.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from doubao_core.errors import ConfigError, InsufficientCredits
from doubao_core.pacing.jobs import Jobs

if TYPE_CHECKING:
    from doubao_core.operation import JSON
    from doubao_core.pacing.plan import Plan

LEASE = 900.0
"""Seconds after which a place is free again whose request was never heard of."""
CLOCK_SET_BACK = 3600.0
"""Seconds that a clock must go back to be one that was set; less is what machines differ by."""
_WINDOWS = {"minute": 60.0, "hour": 3600.0, "day": 86400.0}
_PARTS = 60
# Credits are kept as whole thousandths, whose sums are exact.
_THOUSAND = 1000


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a request may not go yet.

    Attributes:
        reason: What is in the way, in words.
        seconds: How long that is; ``None`` until another request or a job ends.
        quiet: Seconds since anybody has heard of the jobs that are in the way; ``None`` if none
            are, or a request for one is on the wire.
        latest: Seconds after which their places are free, heard of or not.
    """

    reason: str
    seconds: float | None = None
    quiet: float | None = None
    latest: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a request.

    Attributes:
        free: Whether it surely cost nothing.
        cost: Credits that it cost, if its answer says so.
        answered: Whether an answer came that would have said so.
        required: Credits that the service wanted for one that it refused.
        available: Credits that the service said were left.
        closed: Seconds for which the service lets nothing through.
        job: What the place of its job is called from now on: by the job's id, or by the request's
            own token where no answer came and it may be accepted; ``None`` if no job goes on.
    """

    free: bool = False
    cost: float | None = None
    answered: bool = False
    required: float | None = None
    available: float | None = None
    closed: float = 0.0
    job: str | None = None


class Account:
    """The state of one account, as far as a plan limits it.

    Args:
        state: What is kept, changed in place; empty at first.
        plan: The limits.
        now: Unix seconds.
    """

    def __init__(self, state: JSON, plan: Plan, now: float) -> None:
        self._state = state
        self._plan = plan
        self._now = now
        self._places: JSON = state.setdefault("places", {})
        self._late: JSON = state.setdefault("late", {})
        self._jobs = Jobs(state, now)
        self._follow_the_clock()
        self._jobs.forget()
        for token in [each for each, (until, _) in self._places.items() if until <= now]:
            # Nobody knows what became of it: it may have been charged.
            _, set_aside = self._places.pop(token)
            self._spend(set_aside)
            self._late[token] = [now + _WINDOWS["day"], set_aside]
        for token in [each for each, (until, _) in self._late.items() if until <= now]:
            del self._late[token]

    @property
    def left(self) -> float | None:
        """Credits that are not spent or set aside; ``None`` without a limit."""
        if self._plan.credits is None:
            return None
        return (_whole(self._plan.credits) - self._spent - self._set_aside) / _THOUSAND

    def take(self, token: str, *, paid: bool, job: bool = False) -> Hold | None:
        """Let the request *token* go, or say why not yet.

        Args:
            token: Names it in :meth:`end`.
            paid: Whether it can cost anything; look-ups do not, and need no place.
            job: Whether it asks for a job, which needs a place of its own.

        Raises:
            InsufficientCredits: There may be too few left for it.
            ConfigError: What requests cost is not known, and answers do not say it.
        """
        hold = max(self._times(), key=lambda each: each.seconds or 0.0, default=None)
        if paid:
            hold = self._no_credits() or hold or self._no_place()
        if job:
            hold = hold or self._no_job()
        if hold is not None:
            return hold
        self._count()
        if job:
            self._jobs.take(token)
        if paid and self._keeps_places:
            self._places[token] = [self._now + LEASE, self._cost or 0]
        return None

    def end(self, token: str, outcome: Outcome) -> None:
        """Take notice of what became of the request *token*."""
        self._look_at_the_clock()
        if outcome.closed:
            until = self._now + min(outcome.closed, _WINDOWS["day"])
            self._state["closed"] = max(self._state.get("closed", 0.0), until)
        self._jobs.end(token, outcome.job)
        if token in self._late:
            # It was only slow: what it really cost takes the place of what it may have cost.
            self._places[token] = self._late.pop(token)
            self._spend(-self._places[token][1])
        _, set_aside = self._places.pop(token, (0.0, None))
        if set_aside is None or self._plan.credits is None:
            return
        told = outcome.required if outcome.cost is None else outcome.cost
        if told is not None:
            self._state["cost"] = max(self._state.get("cost", 0), _whole(told))
        elif outcome.answered and self._cost is None:
            self._state["untold"] = True
        if not outcome.free:
            self._spend(set_aside if outcome.cost is None else _whole(outcome.cost))
        if outcome.available is not None:
            known = _whole(self._plan.credits) - _whole(outcome.available)
            self._state["spent"] = max(self._spent, known)

    def hear(self, news: Mapping[str, bool]) -> None:
        """Take notice of jobs by their ids, and of whether each has ended."""
        if self._jobs.hear(news):
            self._look_at_the_clock()

    @property
    def _keeps_places(self) -> bool:
        return self._plan.in_flight is not None or self._plan.credits is not None

    @property
    def _cost(self) -> int | None:
        """Thousandths that a request costs at most, as far as that is known."""
        given = self._plan.credits_per_request
        if given is not None:
            return _whole(given)
        seen: int | None = self._state.get("cost")
        return seen

    @property
    def _spent(self) -> int:
        spent: int = self._state.get("spent", 0)
        return spent

    @property
    def _set_aside(self) -> int:
        return sum(each for _, each in self._places.values())

    def _spend(self, amount: int) -> None:
        self._state["spent"] = self._spent + amount

    def _look_at_the_clock(self) -> None:
        self._state["at"] = max(self._now, self._state.get("at", 0.0))

    def _follow_the_clock(self) -> None:
        """Move all times with a clock that was set back, or a wrong year would last that long."""
        back = self._state.get("at", self._now) - self._now
        if back <= CLOCK_SET_BACK:
            return
        self._state["at"] = self._now
        for held in (*self._places.values(), *self._late.values()):
            held[0] -= back
        self._jobs.set_back(back)
        self._state["closed"] = self._state.get("closed", 0.0) - back
        used: JSON = self._state.get("used", {})
        for name, seconds in _WINDOWS.items():
            parts = int(back // (seconds / _PARTS))
            used[name] = {str(int(part) - parts): each for part, each in used.get(name, {}).items()}

    def _windows(self) -> Iterator[tuple[str, float, JSON]]:
        """Give each window: its name, the seconds of a part, and what was used in which part."""
        for name, seconds in _WINDOWS.items():
            width = seconds / _PARTS
            first = math.floor(self._now / width) - _PARTS
            used = self._state.get("used", {}).get(name, {})
            yield name, width, {part: count for part, count in used.items() if int(part) >= first}

    def _count(self) -> None:
        """Count a request, also where nothing is limited: the next start may have another plan."""
        self._look_at_the_clock()
        counted = {}
        for name, width, used in self._windows():
            part = str(math.floor(self._now / width))
            counted[name] = {**used, part: used.get(part, 0) + 1}
        self._state["used"] = counted

    def _times(self) -> Iterator[Hold]:
        """Say what passes with time: a pause that the service wants, and windows that are full."""
        closed = self._state.get("closed", 0.0) - self._now
        if closed > 0:
            yield Hold("the service says that nothing is left", closed)
        for name, width, used in self._windows():
            most: int | None = getattr(self._plan, f"requests_per_{name}")
            if most is None:
                continue
            excess = sum(used.values()) + 1 - most
            for part in sorted(used, key=int):
                if excess <= 0:
                    break
                excess -= used[part]
                over = (int(part) + 1 + _PARTS) * width
                yield Hold(f"{_allowed(most)} per {name}", over - self._now)

    def _no_place(self) -> Hold | None:
        unknown = self._plan.credits is not None and self._cost is None
        most = 1 if unknown else self._plan.in_flight
        if most is None or len(self._places) < most:
            return None
        return Hold(f"{_allowed(most)} in flight")

    def _no_job(self) -> Hold | None:
        most = self._plan.jobs_in_flight
        if most is None or len(self._jobs) < most:
            return None
        return Hold(
            f"the plan allows {most} job{'' if most == 1 else 's'} in flight",
            quiet=self._jobs.quiet,
            latest=self._jobs.latest,
        )

    def _no_credits(self) -> Hold | None:
        if self._plan.credits is None:
            return None
        cost, left = self._cost, _whole(self._plan.credits) - self._spent
        if cost is None and self._state.get("untold"):
            raise ConfigError(
                "credits= cannot be kept, because the answers do not say what a request costs: "
                "give credits_per_request="
            )
        if left <= 0 or left < (cost or 0):
            some = "some" if cost is None else f"{cost / _THOUSAND:g}"
            raise InsufficientCredits(
                f"{max(left, 0) / _THOUSAND:g} of the plan's {self._plan.credits:g} credits are "
                f"left, and a request may cost {some}: nothing was sent; buy credits and raise "
                "credits="
            )
        if left - self._set_aside < (cost or 0):
            return Hold("the credits that are left may be needed by requests in flight")
        return None


def _whole(credits_: float) -> int:
    return round(credits_ * _THOUSAND)


def _allowed(most: int) -> str:
    return f"the plan allows {most} request{'' if most == 1 else 's'}"
