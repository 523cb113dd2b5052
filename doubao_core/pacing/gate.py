"""Lets requests through as far as a plan has room for them, and learns from what is answered."""

from __future__ import annotations

import logging
import os
import threading
import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakKeyDictionary

from doubao_core.errors import ConfigError, QuotaExceeded
from doubao_core.pacing.account import Account, Hold, Outcome
from doubao_core.pacing.news import News

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping

    from doubao_core.pacing.plan import Plan
    from doubao_core.pacing.records import Record

T = TypeVar("T")
LOOK_SECONDS = 0.02
"""Seconds between two looks for a place that another request gives back, in this process."""
SHARED_LOOK_SECONDS = 0.2
"""The same where the places of several processes are."""
_LONG = 5.0
"""Seconds of waiting that are said aloud, or else they look like a hang."""
# Look-ups, requests and requests for jobs, as ``paid, job``.
_KINDS = ((False, False), (True, False), (True, True))
_LOG = logging.getLogger("doubao_core.pacing")
_lock = threading.Lock()
_gates: dict[tuple[int, Plan, str], Gate] = {}


def gate(plan: Plan, name: str) -> Gate:
    """Give this process's gate of *plan*.

    Args:
        plan: The limits. Plans of one account count together, whatever their numbers.
        name: The account, if the plan has no name of its own.
    """
    name = plan.name or name
    # A child process must not use its parent's connections.
    key = os.getpid(), plan, name
    with _lock:
        if (found := _gates.get(key)) is None:
            from doubao_core.pacing.records import record

            found = _gates[key] = Gate(plan, record(plan.url, name))
        return found


class Gate:
    """Keeps to one plan; for any number of threads and event loops.

    One caller of a process waits at a time, the others behind it. Look-ups and requests for jobs
    have queues of their own, because a request may wait for a job that only a look-up ends.

    Args:
        plan: The limits.
        record: What is used of them.
        wall: Unix seconds.
    """

    def __init__(self, plan: Plan, record: Record, wall: Callable[[], float] = time.time) -> None:
        self._plan = plan
        self._record = record
        self._wall = wall
        self._shared = plan.url is not None
        self._look_seconds = SHARED_LOOK_SECONDS if self._shared else LOOK_SECONDS
        self._turns = {kind: threading.Lock() for kind in _KINDS}
        self._loops: WeakKeyDictionary[
            asyncio.AbstractEventLoop, dict[tuple[bool, bool], asyncio.Lock]
        ] = WeakKeyDictionary()
        self._news = News(plan.patience)
        self._is_low = False

    @property
    def counts_look_ups(self) -> bool:
        """Whether look-ups have to come through, too."""
        return self._plan.count_look_ups

    @property
    def limits_jobs(self) -> bool:
        """Whether jobs have places, and news of them matter."""
        return self._plan.jobs_in_flight is not None

    def enter(self, *, paid: bool = True, job: bool = False) -> str:
        """Wait until a request may go; gives what :meth:`leave` wants.

        Args:
            paid: Whether it can cost anything.
            job: Whether it asks for a job.

        Raises:
            QuotaExceeded: That would be longer than the plan's patience.
            InsufficientCredits: The plan's credits are used up.
            ConfigError: They cannot be counted.
        """
        token, began, waited = uuid.uuid4().hex, self._wall(), 0.0
        with self._turns[paid, job]:
            while (hold := self._take(token, paid, job)) is not None:
                self._check_news(hold, began)
                seconds = self._patient(hold, waited)
                time.sleep(seconds)
                waited += seconds
        return token

    async def aenter(self, *, paid: bool = True, job: bool = False) -> str:
        """Wait until a request may go; see :meth:`enter`."""
        import asyncio

        token, began, waited = uuid.uuid4().hex, self._wall(), 0.0
        turns = self._loops.setdefault(asyncio.get_running_loop(), {})
        async with turns.setdefault((paid, job), asyncio.Lock()):
            while (hold := await self._atake(token, paid, job)) is not None:
                self._check_news(hold, began)
                seconds = self._patient(hold, waited)
                await asyncio.sleep(seconds)
                waited += seconds
        return token

    def leave(self, token: str, outcome: Outcome) -> None:
        """Give the place of a request back, and count what it has cost; never raises.

        The answer is paid for: what hinders counting it is logged, and stops the next request.
        """

        def step(account: Account) -> float | None:
            account.end(token, outcome)
            return account.left

        try:
            left = self._changed(step)
        except ConfigError as error:
            _LOG.error("the end of a request could not be counted: %s", error.message)
        else:
            self._watch(left)

    async def aleave(self, token: str, outcome: Outcome) -> None:
        """Give the place of a request back; see :meth:`leave`."""
        if not self._shared:
            self.leave(token, outcome)
            return
        import asyncio

        # To the end: a place that a cancelled task kept would be lost.
        await asyncio.shield(asyncio.to_thread(self.leave, token, outcome))

    def hear(self, news: Mapping[str, bool]) -> None:
        """Take notice of jobs by their ids, and of whether each has ended; never raises."""
        now = self._wall()
        if not (due := self._news.due(news, now)):
            return
        try:
            self._changed(lambda account: account.hear(due))
        except ConfigError as error:
            _LOG.error("the state of a job could not be counted: %s", error.message)
        else:
            self._news.noted(due, now)

    async def ahear(self, news: Mapping[str, bool]) -> None:
        """Take notice of jobs; see :meth:`hear`."""
        if not self._shared:
            self.hear(news)
        elif self._news.due(news, self._wall()):
            import asyncio

            await asyncio.shield(asyncio.to_thread(self.hear, news))

    def _take(self, token: str, paid: bool, job: bool) -> Hold | None:
        return self._changed(lambda account: account.take(token, paid=paid, job=job))

    async def _atake(self, token: str, paid: bool, job: bool) -> Hold | None:
        if not self._shared:
            return self._take(token, paid, job)
        import asyncio

        taking = asyncio.ensure_future(asyncio.to_thread(self._take, token, paid, job))
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            await asyncio.wait([taking])
            await self.aleave(token, Outcome(free=True))
            raise

    def _changed(self, step: Callable[[Account], T]) -> T:
        return self._record.change(lambda state: step(Account(state, self._plan, self._wall())))

    def _patient(self, hold: Hold, waited: float) -> float:
        """Give the seconds until the next look; refuses a wait that is too long."""
        if hold.seconds is None:
            if waited <= _LONG < waited + self._look_seconds:
                _LOG.warning("a request waits, because %s", hold.reason)
            return self._look_seconds
        if hold.seconds > self._plan.patience:
            at = datetime.fromtimestamp(self._wall() + hold.seconds, UTC)
            raise QuotaExceeded(
                f"{hold.reason}, and it goes on at {at:%Y-%m-%d %H:%M:%S} UTC: nothing was sent; "
                "try again then, or give the plan more patience",
                retry_after=hold.seconds,
            )
        if hold.seconds > _LONG:
            _LOG.warning("a request waits %.0f s, because %s", hold.seconds, hold.reason)
        return hold.seconds

    def _check_news(self, hold: Hold, began: float) -> None:
        """Refuse to wait for jobs whose end nobody looks for."""
        if hold.quiet is None or min(hold.quiet, self._wall() - began) < self._plan.patience:
            return
        raise QuotaExceeded(
            f"{hold.reason}, and for {self._plan.patience:g} s nobody has looked at one that is: "
            "nothing was sent; wait for one (watch_video, generate_video or a webhook receiver), "
            "or give the plan more patience",
            retry_after=hold.latest,
        )

    def _watch(self, left: float | None) -> None:
        """Say once that credits run low, and again after they were more meanwhile."""
        threshold = self._plan.low_credits
        if left is None or threshold is None:
            return
        was_low, self._is_low = self._is_low, left < threshold
        if self._is_low and not was_low:
            _LOG.warning("%g of the plan's %g credits are left", left, self._plan.credits)
            try:
                if self._plan.on_low_credits is not None:
                    self._plan.on_low_credits(left)
            # An answer that is paid for must not be lost because of it.
            except Exception:  # noqa: BLE001
                _LOG.exception("on_low_credits failed")
