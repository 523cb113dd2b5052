"""Who watches which task, which look-up is next, and what comes of it; pure but for the logging.

Time is a parameter, in seconds of any clock that never goes back. The drivers in ``poller`` ask
:meth:`Board.next_at` when to come back, :meth:`Board.take` what to look up, and hand the outcome to
:meth:`Board.settle`.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import inf

from doubao_core.api.videos import VideoTask
from doubao_core.errors import (
    AuthenticationError,
    ConnectionFailed,
    DoubaoError,
    Malformed,
    RateLimited,
    RequestError,
    ResponseError,
    ServerError,
    Timeout,
    TooLarge,
)
from doubao_core.polling import schedule
from doubao_core.polling.look import Answer, LookUp
from doubao_core.polling.schedule import Expectation
from doubao_core.polling.watcher import Watcher

MOST_IDS = 100
"""Tasks in one page of the list; the service takes up to 500 (ark.md 15.4), a URL not so many."""
MOST_CHARACTERS = 6000
"""Characters of ids in one request: servers refuse URLs of more than 8 KB."""
GAP = 0.1
"""Seconds between look-ups when many are watched: at most 10 a second, however many tasks."""
_GAP_EACH = 0.005
SHARE = 0.5
"""How much of what a rate header says is left may go into look-ups."""
MISSES = 3
"""How often the list may lack a task before it is asked for by its id alone."""
WITHOUT_LIST = 600.0
"""Seconds for which a list that was refused is not tried again."""
_KEPT = 7 * 86_400
# Such a failure says nothing about the task: it is still there and still paid for.
_PASSING = (ConnectionFailed, ServerError, ResponseError, Timeout, RateLimited)
_LOG = logging.getLogger("doubao_core.polling")


@dataclass(slots=True, eq=False)
class _Watched:
    """A task, who watches it, and how its look-ups went."""

    id: str
    began: float
    due: float
    expect: Expectation
    watchers: list[Watcher] = field(default_factory=list)
    looked: float = -inf
    known: VideoTask | None = None
    failures: int = 0
    misses: int = 0
    by_id: bool = False

    @property
    def interval(self) -> float | None:
        """The shortest interval that a user fixed."""
        return min((each.interval for each in self.watchers if each.interval), default=None)

    @property
    def single(self) -> bool:
        """Whether the next look-up is by its id."""
        return self.by_id or self.misses >= MISSES

    def ripe(self, now: float) -> bool:
        """Whether it may come along in a request that is made anyway: half its pause is over."""
        if self.interval is not None:
            return now >= self.due
        return now - self.looked >= (self.due - self.looked) / 2


class Board:
    """The tasks that one poller watches.

    Args:
        wall: Unix seconds, to which rate headers refer.
        rand: What spreads the pauses.
    """

    def __init__(
        self,
        *,
        wall: Callable[[], float] = time.time,
        rand: Callable[[], float] = random.random,
    ) -> None:
        self._wall = wall
        self._rand = rand
        self._tasks: dict[str, _Watched] = {}
        # Nothing is looked up before this moment: the service asked to wait, or the last was now.
        self._not_before = -inf
        self._spacing = 0.0
        self._refusals = 0
        self._refusal: RateLimited | None = None
        self._list_from = -inf

    def add(self, watcher: Watcher, now: float) -> None:
        """Let *watcher* watch its task: it sees the last known state and a new look-up at once."""
        task = self._tasks.get(watcher.task_id)
        if task is None:
            task = _Watched(watcher.task_id, began=now, due=now, expect=watcher.expect)
            self._tasks[task.id] = task
        task.watchers.append(watcher)
        task.expect = task.expect.or_else(watcher.expect)
        if task.known is not None:
            watcher.show(task.known, fresh=False)
        if self._refusal is not None and now < self._not_before:
            # It may leave before the service can be asked again.
            watcher.fail(self._refusal)
        task.due = min(task.due, now)

    def next_at(self) -> float | None:
        """When the next look-up is due; ``None`` if nobody watches anything."""
        self._forget()
        if not self._tasks:
            return None
        return max(min(task.due for task in self._tasks.values()), self._not_before)

    def _forget(self) -> None:
        """Drop the tasks that nobody watches any more."""
        for task in list(self._tasks.values()):
            if any(watcher.left for watcher in task.watchers):
                task.watchers = [each for each in task.watchers if not each.left]
            if not task.watchers:
                del self._tasks[task.id]

    def take(self, now: float) -> LookUp | None:
        """Give the look-up that is due, with all tasks that can share it."""
        at = self.next_at()
        if at is None or at > now:
            return None
        tasks = sorted(self._tasks.values(), key=lambda task: task.due)
        asked = self._together(tasks, now)
        self._not_before = now + max(self._spacing, min(GAP, _GAP_EACH * len(self._tasks)))
        for task in asked:
            task.looked, task.due = now, inf
        return LookUp(ids=tuple(task.id for task in asked), flex=asked[0].expect.flex)

    def _together(self, tasks: list[_Watched], now: float) -> list[_Watched]:
        first = tasks[0]
        if first.single or now < self._list_from:
            return [first]
        asked: list[_Watched] = []
        size = 0
        for task in tasks:
            size += len(task.id)
            if len(asked) == MOST_IDS or size > MOST_CHARACTERS:
                break
            if not task.single and task.expect.flex is first.expect.flex and task.ripe(now):
                asked.append(task)
        return asked

    def settle(self, look: LookUp, outcome: Answer | BaseException, now: float) -> None:
        """Take what came of *look*: tell those who watch, and set when to look again."""
        if isinstance(outcome, Answer):
            self._found(look, outcome, now)
        elif isinstance(outcome, _PASSING):
            self._failed(look, outcome, now)
        elif look.listed and _refused(outcome):
            self._list_refused(look, outcome, now)
        else:
            for task in self._asked(look):
                self._end(task, outcome)

    def _asked(self, look: LookUp) -> list[_Watched]:
        """Those of *look* that somebody still watches."""
        return [task for each in look.ids if (task := self._tasks.get(each)) is not None]

    def _end(self, task: _Watched, failure: BaseException) -> None:
        del self._tasks[task.id]
        for watcher in task.watchers:
            watcher.give_up(failure)

    def _found(self, look: LookUp, answer: Answer, now: float) -> None:
        self._refusals, self._refusal = 0, None
        self._spacing = self._spaced(answer)
        if answer.rate.remaining == 0:
            self._wait(now, self._reset(answer) or 0.0)
        for task in self._asked(look):
            state = answer.tasks.get(task.id)
            if state is None:
                # Older than the list goes back, or so new that the list lacks it.
                task.misses += 1
                task.by_id, task.due = True, now
                continue
            if look.listed:
                task.misses = 0
            task.by_id, task.failures = False, 0
            self._show(task, state, now, answer.at)

    def _show(self, task: _Watched, state: VideoTask, now: float, at: float | None) -> None:
        if not state.may_follow(task.known):
            # The list may lag behind what a callback or a look-up by id has said.
            state = task.known or state
        task.known = state
        if state.ended:
            del self._tasks[task.id]
        else:
            task.expect = task.expect.or_else(Expectation.of(state.raw))
            task.due = now + self._pause(task, state, now, at)
        for watcher in task.watchers:
            watcher.show(state)

    def _pause(self, task: _Watched, state: VideoTask, now: float, at: float | None) -> float:
        if (interval := task.interval) is not None:
            return interval
        age = (at or 0) - (state.created_at or inf)
        # The service's own clock knows best; one that was set by hand, as in tests, knows nothing.
        elapsed = max(age if age < _KEPT else 0.0, now - task.began)
        return schedule.pause(task.expect, elapsed, rand=self._rand)

    def _spaced(self, answer: Answer) -> float:
        """Seconds between look-ups that leave most of a small rate to everybody else."""
        left, reset = answer.rate.remaining, self._reset(answer)
        if not left or reset is None:
            return 0.0
        return min(reset / (left * SHARE), schedule.LONGEST_ASKED)

    def _wait(self, now: float, seconds: float) -> None:
        """Look nothing up for as long as the service asks, within reason."""
        self._not_before = max(self._not_before, now + min(seconds, schedule.LONGEST_ASKED))

    def _reset(self, answer: Answer) -> float | None:
        """Seconds until the window of the rate headers ends."""
        # What a header asks a refused request to wait says nothing here: some send it always.
        return replace(answer.rate, retry_after=None, retry_at=None).pause(self._wall())

    def _failed(self, look: LookUp, failure: DoubaoError, now: float) -> None:
        if isinstance(failure, RateLimited):
            # The refusal is for everybody, not for these tasks.
            self._refusals, self._refusal = self._refusals + 1, failure
            wait = failure.retry_after
            if wait is None:
                wait = schedule.back_off(self._refusals, rand=self._rand)
            self._wait(now, wait)
        for task in self._asked(look):
            task.failures += 1
            # A page that cannot be read says nothing about whose fault that is.
            task.by_id = look.listed and isinstance(failure, (Malformed, TooLarge))
            task.due = now + (task.interval or schedule.back_off(task.failures, rand=self._rand))
            for watcher in task.watchers:
                watcher.fail(failure)

    def _list_refused(self, look: LookUp, refusal: BaseException, now: float) -> None:
        _LOG.info("the list of tasks is not to be had (%s): asking by id", refusal)
        self._list_from = now + WITHOUT_LIST
        for task in self._asked(look):
            task.due = now

    def tell(self, state: VideoTask, now: float) -> None:
        """Take a state that came another way, such as by a callback."""
        task = self._tasks.get(state.id)
        if task is not None and state.may_follow(task.known):
            self._show(task, state, now, None)

    def abandon(self, failure: BaseException) -> None:
        """Tell everybody that there will be no more look-ups."""
        for task in list(self._tasks.values()):
            self._end(task, failure)


def _refused(outcome: BaseException) -> bool:
    """Whether it is the list that is refused: a key that is wrong is so for every look-up."""
    return isinstance(outcome, RequestError) and not isinstance(outcome, AuthenticationError)
