"""The two drivers of a board: a thread for a ``Client``, a task per loop for an ``AsyncClient``.

Each pair stands in the same order, so that they can be compared by eye. Both begin with the first
watcher and end with the last one; while nobody watches, nothing runs and nothing is kept.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Generator, Iterable
from contextlib import suppress
from contextvars import Context
from time import monotonic
from typing import ClassVar, overload

from doubao_core.api.videos import VideoTask
from doubao_core.client import AsyncClient, Client
from doubao_core.errors import DoubaoError
from doubao_core.polling.board import Board
from doubao_core.polling.look import Answer, LookUp, look_up
from doubao_core.polling.schedule import Expectation
from doubao_core.polling.watcher import Watch

WAIT_TIMEOUT = 600.0
"""Seconds for which a task is watched by default."""
_LONGEST_SLEEP = 3600.0


@overload
def poller_of(client: Client) -> Poller: ...
@overload
def poller_of(client: AsyncClient) -> AsyncPoller: ...
def poller_of(client: Client | AsyncClient) -> Poller | AsyncPoller:
    """Give the poller of *client*: all who ask with one client share its look-ups."""
    return Poller(client) if isinstance(client, Client) else AsyncPoller(client)


class Poller:
    """Watches tasks with a blocking client, from any number of threads.

    All pollers of one client in one process share one thread, which runs while somebody watches.
    Several tasks share a look-up: a page of the list has up to 100 (ark.md 15.4).

    Args:
        client: What to look up with.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    def watch(
        self,
        task_id: str,
        *,
        expect: Expectation | None = None,
        poll_interval: float | None = None,
        wait_timeout: float = WAIT_TIMEOUT,
    ) -> Generator[VideoTask]:
        """Give each state that is seen of a task, until it ends or the time is over.

        It never raises for a task that ended badly and never for one that goes on: look at the last
        state. A task is looked up at least once. Who leaves early ends the look-ups.

        Args:
            task_id: The task.
            expect: What is being made, by which the pauses between look-ups are chosen.
            poll_interval: Seconds between look-ups, instead of chosen ones.
            wait_timeout: Seconds in all.

        Raises:
            ConfigError: An argument is wrong.
            NotFound: There is no such task.
            DoubaoError: The look-ups failed until the time was over, or cannot succeed.
        """
        return self.watch_many(
            (task_id,), expect=expect, poll_interval=poll_interval, wait_timeout=wait_timeout
        )

    def watch_many(
        self,
        task_ids: Iterable[str],
        *,
        expect: Expectation | None = None,
        poll_interval: float | None = None,
        wait_timeout: float = WAIT_TIMEOUT,
    ) -> Generator[VideoTask]:
        """Give each state that is seen of any of several tasks, until all ended; no thread each.

        See :meth:`watch`. What is wrong with the look-ups of one task is raised after the others
        have ended.
        """
        bell = threading.Event()
        watch = Watch(
            task_ids, bell, expect=expect, interval=poll_interval, wait_timeout=wait_timeout
        )
        return self._states(watch, bell)

    def _states(self, watch: Watch, bell: threading.Event) -> Generator[VideoTask]:
        watch.begin(monotonic())
        rounds = _Rounds.join(self._client, watch)
        try:
            while True:
                bell.clear()
                yield from watch.states()
                if (left := watch.left(monotonic())) is None:
                    return
                bell.wait(left)
        finally:
            watch.end()
            rounds.nudge()

    def tell(self, task: VideoTask) -> None:
        """Tell those who watch *task* its state, which was learnt another way."""
        if (rounds := _Rounds.running.get(self._client)) is not None:
            rounds.tell(task)


class _Rounds:
    """The thread that does one client's look-ups; it lives as long as somebody watches."""

    running: ClassVar[dict[Client, _Rounds]] = {}
    _lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, client: Client) -> None:
        self._client = client
        self._board = Board()
        self._changed = threading.Condition(threading.Lock())

    @classmethod
    def join(cls, client: Client, watch: Watch) -> _Rounds:
        """Let *watch* join those of *client*, and begin if it is the first."""
        with cls._lock:
            known = cls.running.get(client)
            rounds = known or cls(client)
            rounds.admit(watch)
            if known is None:
                rounds.start()
                # Only now: a thread that cannot start must not leave rounds that nobody does.
                cls.running[client] = rounds
        return rounds

    def start(self) -> None:
        """Begin the look-ups, in a thread of their own."""
        thread = threading.Thread(target=self.run, name="doubao-poller", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            raise DoubaoError(f"no thread can be started for look-ups: {error}") from error

    @classmethod
    def forget(cls) -> None:
        """Begin anew in a forked child, which has its parent's locks but not its threads."""
        cls.running = {}
        cls._lock = threading.Lock()

    def admit(self, watch: Watch) -> None:
        """Have the thread look up the tasks of *watch*."""
        with self._changed:
            for watcher in watch.watchers:
                self._board.add(watcher, monotonic())
            self._changed.notify()

    def nudge(self) -> None:
        """Have the thread see who left; it sees that by itself with its next look-up."""
        # Whoever drops a generator may be the collector, in a thread that holds the lock.
        if self._changed.acquire(blocking=False):
            self._changed.notify()
            self._changed.release()

    def tell(self, task: VideoTask) -> None:
        """Pass on what is known of *task*."""
        with self._changed:
            self._board.tell(task, monotonic())

    def run(self) -> None:
        """Do look-ups until nobody watches."""
        try:
            while (asked := self._next()) is not None:
                outcome = self._look(asked)
                with self._changed:
                    self._board.settle(asked, outcome, monotonic())
        except BaseException as error:
            self._end(error)
            raise

    def _next(self) -> LookUp | None:
        """Wait for the next look-up; ``None`` once nobody watches, and then this is over."""
        while True:
            with self._changed:
                now = monotonic()
                if (asked := self._board.take(now)) is not None:
                    return asked
                if (at := self._board.next_at()) is not None:
                    # More than a lock can wait for may have been asked for.
                    self._changed.wait(min(at - now, _LONGEST_SLEEP))
                    continue
            with self._lock, self._changed:
                if self._board.next_at() is None:
                    del self.running[self._client]
                    return None

    def _look(self, asked: LookUp) -> Answer | BaseException:
        try:
            return look_up.__get__(self._client, Client)(asked)
        except Exception as error:  # noqa: BLE001 - it is raised where somebody waits for the task
            return error

    def _end(self, error: BaseException) -> None:
        with self._lock, self._changed:
            self.running.pop(self._client, None)
            self._board.abandon(error)


class AsyncPoller:
    """Watches tasks with an asyncio client, from any number of tasks; see :class:`Poller`.

    All pollers of one client in one event loop share one task, which runs while somebody watches.

    Args:
        client: What to look up with.
    """

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    def watch(
        self,
        task_id: str,
        *,
        expect: Expectation | None = None,
        poll_interval: float | None = None,
        wait_timeout: float = WAIT_TIMEOUT,
    ) -> AsyncGenerator[VideoTask]:
        """Give each state that is seen of a task; see :meth:`Poller.watch`.

        Use ``contextlib.aclosing`` where a loop may leave early.
        """
        return self.watch_many(
            (task_id,), expect=expect, poll_interval=poll_interval, wait_timeout=wait_timeout
        )

    def watch_many(
        self,
        task_ids: Iterable[str],
        *,
        expect: Expectation | None = None,
        poll_interval: float | None = None,
        wait_timeout: float = WAIT_TIMEOUT,
    ) -> AsyncGenerator[VideoTask]:
        """Give each state that is seen of any of several tasks; see :meth:`Poller.watch_many`."""
        bell = asyncio.Event()
        watch = Watch(
            task_ids, bell, expect=expect, interval=poll_interval, wait_timeout=wait_timeout
        )
        return self._states(watch, bell)

    async def _states(self, watch: Watch, bell: asyncio.Event) -> AsyncGenerator[VideoTask]:
        watch.begin(monotonic())
        rounds = _AsyncRounds.join(self._client, watch)
        try:
            while True:
                bell.clear()
                for state in watch.states():
                    yield state
                if (left := watch.left(monotonic())) is None:
                    return
                await _rung(bell, left)
        finally:
            watch.end()
            rounds.nudge()

    def tell(self, task: VideoTask) -> None:
        """Tell those who watch *task* its state, in whatever loop they are; from any thread."""
        for (client, loop), rounds in list(_AsyncRounds.running.items()):
            if client is self._client:
                with suppress(RuntimeError):
                    # The loop may have been closed a moment ago.
                    loop.call_soon_threadsafe(rounds.tell, task)


class _AsyncRounds:
    """The task that does one client's look-ups in one loop, as long as somebody watches."""

    running: ClassVar[dict[tuple[AsyncClient, asyncio.AbstractEventLoop], _AsyncRounds]] = {}

    def __init__(self, client: AsyncClient, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._key = client, loop
        self._board = Board()
        self._changed = asyncio.Event()
        # A loop holds its tasks weakly. The first watcher's context is none of the others'.
        self._task = loop.create_task(self._run(), name="doubao-poller", context=Context())

    @classmethod
    def join(cls, client: AsyncClient, watch: Watch) -> _AsyncRounds:
        """Let *watch* join those of *client* in this loop, and begin if it is the first."""
        loop = asyncio.get_running_loop()
        rounds = cls.running.get((client, loop))
        if rounds is None:
            cls._drop_closed()
            rounds = cls.running[client, loop] = cls(client, loop)
        rounds.admit(watch)
        return rounds

    @classmethod
    def _drop_closed(cls) -> None:
        """Drop those whose loop was closed without an end of its tasks."""
        for key in list(cls.running):
            if key[1].is_closed():
                cls.running.pop(key, None)

    def admit(self, watch: Watch) -> None:
        """Have the task look up those of *watch*."""
        for watcher in watch.watchers:
            self._board.add(watcher, monotonic())
        self._changed.set()

    def nudge(self) -> None:
        """Have the task see who left."""
        # A generator that nobody closed may be collected after its loop was.
        with suppress(RuntimeError):
            self._changed.set()

    def tell(self, task: VideoTask) -> None:
        """Pass on what is known of *task*."""
        self._board.tell(task, monotonic())

    async def _run(self) -> None:
        try:
            while (asked := await self._next()) is not None:
                outcome = await self._look(asked)
                self._board.settle(asked, outcome, monotonic())
        except asyncio.CancelledError:
            # Those who watch were not cancelled, unless their loop ends.
            self._board.abandon(
                DoubaoError("the look-ups of this loop were cancelled: watch again")
            )
            raise
        except BaseException as error:
            self._board.abandon(error)
            raise
        finally:
            self.running.pop(self._key, None)

    async def _next(self) -> LookUp | None:
        """Wait for the next look-up; ``None`` once nobody watches."""
        while True:
            self._changed.clear()
            now = monotonic()
            if (asked := self._board.take(now)) is not None:
                return asked
            if (at := self._board.next_at()) is None:
                return None
            await _rung(self._changed, min(at - now, _LONGEST_SLEEP))

    async def _look(self, asked: LookUp) -> Answer | BaseException:
        try:
            return await look_up.__get__(self._client, AsyncClient)(asked)
        except Exception as error:  # noqa: BLE001 - it is raised where somebody waits for the task
            return error


async def _rung(bell: asyncio.Event, seconds: float) -> None:
    """Wait until *bell* rings, which it does after *seconds* by itself."""
    # ``asyncio.wait_for`` costs several times as much, which adds up over a thousand watchers.
    timer = asyncio.get_running_loop().call_later(seconds, bell.set)
    try:
        await bell.wait()
    finally:
        timer.cancel()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_Rounds.forget)
    os.register_at_fork(after_in_child=_AsyncRounds.running.clear)
