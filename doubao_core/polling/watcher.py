"""Who waits for news of tasks: inboxes that one thread fills and another one empties."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Protocol

from doubao_core.api.videos import VideoTask
from doubao_core.errors import ConfigError, DoubaoError, Timeout
from doubao_core.operation import identifier
from doubao_core.polling.schedule import Expectation

# A wait without an end cannot be interrupted everywhere.
_LONG = 60.0
GRACE = 40.0
"""Seconds after the end of the time for which the first look-up is still waited for."""


class Bell(Protocol):
    """What wakes the one who waits: an event of ``threading`` or of ``asyncio``."""

    def set(self) -> None:
        """Ring."""


class Watcher:
    """An inbox for news of one task.

    Attributes:
        left: Whether nobody waits any more; set by the one who leaves, without any lock.
        looked: Whether a look-up has told it anything yet.
        failure: What the last look-up failed with, if it failed in passing.
        end: Why no look-up can succeed, if so.
    """

    def __init__(
        self, task_id: str, bell: Bell, expect: Expectation, interval: float | None
    ) -> None:
        self.task_id = task_id
        self.expect = expect
        self.interval = interval
        self.left = False
        self.looked = False
        self.failure: BaseException | None = None
        self.end: BaseException | None = None
        self._bell = bell
        self._states: deque[VideoTask] = deque()

    def show(self, task: VideoTask, *, fresh: bool = True) -> None:
        """Tell the state of the task; it replaces one of the same status that nobody took yet.

        Args:
            task: The state.
            fresh: Whether it was just looked up.
        """
        if fresh:
            self.failure, self.looked = None, True
        try:
            if self._states[-1].status == task.status:
                self._states[-1] = task
            else:
                self._states.append(task)
        except IndexError:
            # There is none, or it was taken a moment ago.
            self._states.append(task)
        self._bell.set()

    def fail(self, failure: DoubaoError) -> None:
        """Tell that a look-up failed in passing, which matters once the time is over."""
        self.failure, self.looked = failure, True
        self._bell.set()

    def give_up(self, reason: BaseException) -> None:
        """Tell that no look-up can succeed."""
        self.end, self.looked = reason, True
        self._bell.set()

    @property
    def told(self) -> bool:
        """Whether something has come that was not taken."""
        return bool(self._states) or self.end is not None

    def take(self) -> Iterator[VideoTask]:
        """Take what has come."""
        while self._states:
            yield self._states.popleft()


class Watch:
    """What one caller waits for: one task or several, and for how long.

    Args:
        task_ids: The tasks.
        bell: Rung for each piece of news.
        expect: What is being made.
        interval: Seconds between look-ups; the schedule's if ``None``.
        wait_timeout: Seconds in all.

    Raises:
        ConfigError: An id is none, the interval not more than 0, or the time less than 0.
    """

    def __init__(
        self,
        task_ids: Iterable[str],
        bell: Bell,
        *,
        expect: Expectation | None,
        interval: float | None,
        wait_timeout: float,
    ) -> None:
        if interval is not None and not interval > 0:
            raise ConfigError(f"poll_interval must be more than 0 seconds, not {interval!r}")
        if not wait_timeout >= 0:
            raise ConfigError(f"wait_timeout must be 0 or more seconds, not {wait_timeout!r}")
        expect = expect or Expectation()
        self._seconds = wait_timeout
        self._deadline = 0.0
        self._ends: list[BaseException] = []
        self.watchers = [
            Watcher(identifier("task_id", each), bell, expect, interval)
            for each in dict.fromkeys(task_ids)
        ]

    def begin(self, now: float) -> None:
        """Start the clock."""
        self._deadline = now + self._seconds

    def states(self) -> Iterator[VideoTask]:
        """Take what has come of any task."""
        for watcher in list(self.watchers):
            for task in watcher.take():
                if task.ended:
                    self._leave(watcher)
                yield task
            if watcher.end is not None:
                self._ends.append(watcher.end)
                self._leave(watcher)

    def left(self, now: float) -> float | None:
        """Seconds to wait for the next news; ``None`` if all is told, or the time is over.

        Raises:
            DoubaoError: All is told, and the look-ups of a task cannot succeed or the last failed.
        """
        left = self._deadline - now
        if not all(each.looked for each in self.watchers):
            left += GRACE
        if self.watchers and left > 0:
            return min(left, _LONG)
        if any(each.told for each in self.watchers):
            # It came a moment ago, just in time.
            return 0.0
        failures = (_problem(each) for each in self.watchers)
        for failure in (*self._ends, *failures):
            if failure is not None:
                raise _own(failure) from _cause(failure)
        return None

    def end(self) -> None:
        """Wait no more."""
        for watcher in list(self.watchers):
            self._leave(watcher)

    def _leave(self, watcher: Watcher) -> None:
        if not watcher.left:
            watcher.left = True
            self.watchers.remove(watcher)


def _problem(watcher: Watcher) -> BaseException | None:
    if watcher.looked:
        return watcher.failure
    return Timeout(
        f"video task {watcher.task_id} was not looked up in time: the provider's rate allows few "
        "look-ups; wait longer, or watch fewer tasks"
    )


def _own(failure: BaseException) -> DoubaoError:
    """Give a copy to raise: others, in other threads, may raise the same failure."""
    if isinstance(failure, DoubaoError):
        return copy.copy(failure).with_traceback(None)
    # Whoever waits for a task that was paid for expects no other kind.
    return DoubaoError(f"the look-ups failed ({type(failure).__name__}: {failure})")


def _cause(failure: BaseException) -> BaseException | None:
    return failure.__cause__ if isinstance(failure, DoubaoError) else failure
