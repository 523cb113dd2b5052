"""Makes films: submits a task once, follows it, saves what it made; blocking and async alike.

Whoever stops waiting for a film that was ordered and awaited in one call stops paying for it, if it
is still queued.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, closing

from doubao_core import media
from doubao_core.api.videos import VideoTask
from doubao_core.errors import DoubaoError, NotFound, PermissionDenied
from doubao_core.media.save import unique_name
from doubao_core.operation import ENDED
from doubao_core.polling import Expectation, poller_of
from doubao_core.studio import outcome
from doubao_core.studio.bench import AsyncBench, Bench
from doubao_core.studio.orders import VideoOrder
from doubao_core.studio.results import Progress, VideoResult

_LOG = logging.getLogger(__name__)
# Seconds that a cancelled call still takes to find out what it must undo.
GRACE = 15.0
# What an object store answers when the signature of a URL has expired (ark.md 15.4).
_EXPIRED = (NotFound, PermissionDenied)


class Films(Bench):
    """Makes films with a blocking client."""

    def video(self, order: VideoOrder) -> Generator[Progress | VideoResult]:
        """Submit *order* and wait; gives :class:`Progress`, and the :class:`VideoResult` last.

        Closing the generator, or an interrupt, cancels the task if it is still queued.

        Raises:
            JobFailed: The task ended badly.
            AmbiguousSubmit: The answer to the submission was lost.
            ConfigError: Nothing can be saved in the place for results; nothing was sent.
        """
        task = self.submit_video(order)
        status, result = task.status, None
        try:
            with closing(self.follow_video(task, order=order)) as steps:
                for step in steps:
                    if isinstance(step, VideoResult):
                        result = step
                        break
                    status = step.status
                    yield step
        except DoubaoError:
            raise
        except BaseException:
            if status not in ENDED:
                self.withdraw(task.id)
            raise
        # Not above: who has the result and leaves does not leave early.
        if result is not None:
            yield result

    def submit_video(self, order: VideoOrder) -> VideoTask:
        """Send *order*, once; this costs money when the task succeeds.

        Raises:
            AmbiguousSubmit: The answer was lost; the task may exist.
            ConfigError: Nothing can be saved in the place for results; nothing was sent.
        """
        self._storage.check()
        with self._allowance.spent(order, self.pricing.provider):
            return self._client.create_video(
                model=order.model, content=order.content, **order.options
            )

    def follow_video(
        self, task: VideoTask, *, order: VideoOrder | None = None, waited: float = 0.0
    ) -> Generator[Progress | VideoResult]:
        """Wait for a *task* and save what it made; leaving early leaves the task alone.

        Args:
            task: The task, as far as it is known.
            order: What was submitted, for the time that it may take and its price.
            waited: Seconds since it was submitted, if it was not just now.

        Raises:
            JobFailed: The task ended badly.
        """
        started = time.monotonic() - waited
        problem = None
        try:
            yield _progress(task, started)
            with closing(self._watched(task, order)) as states:
                for state in states:
                    task = state
                    yield _progress(task, started)
        except DoubaoError as error:
            # The task was accepted: a look-up that fails must not lose it.
            problem = outcome.unseen(error)
        seconds = time.monotonic() - started
        yield self._result(task.checked(), order, seconds, problem)

    def _watched(self, task: VideoTask, order: VideoOrder | None) -> Generator[VideoTask]:
        return poller_of(self._client).watch(
            task.id,
            expect=Expectation.of(order.request()) if order else None,
            poll_interval=self._desk.poll_interval,
            wait_timeout=self._desk.wait_timeout,
        )

    def check(self, task_id: str) -> VideoResult:
        """Look a task up once, and save its film if it has one.

        Raises:
            JobFailed: The task ended badly.
        """
        return self._result(self._client.get_video(task_id).checked(), None, 0.0, None)

    def withdraw(self, task_id: str) -> bool:
        """Cancel a task if it is still queued; gives whether it was, after 15 seconds at most.

        A task that runs is left alone, and so is one that has ended: deleting that would delete
        what was paid for. A failure is logged, not raised.
        """
        cancelled: list[bool] = []
        over = threading.Event()
        # A thread, because a request has no limit in all, and an interrupt must not hang.
        undoing = threading.Thread(
            target=lambda: cancelled.append(self._withdrawn(task_id, over)), daemon=True
        )
        undoing.start()
        undoing.join(GRACE)
        over.set()
        if undoing.is_alive():
            _not_cancelled(task_id, TimeoutError(f"no answer within {GRACE:g} s"))
        return bool(cancelled and cancelled[0])

    def _withdrawn(self, task_id: str, over: threading.Event) -> bool:
        try:
            if self._client.get_video(task_id).status != "queued" or over.is_set():
                return False
            self._client.delete_video(task_id)
        except DoubaoError as error:
            _not_cancelled(task_id, error)
            return False
        return True

    def _result(
        self, task: VideoTask, order: VideoOrder | None, seconds: float, problem: str | None
    ) -> VideoResult:
        files: dict[str, media.Saved] = {}
        try:
            for link, name in _links(task):
                files[link], task = self._file(task, link, name)
        except DoubaoError as error:
            problem = outcome.unfetched(error)
        return outcome.video_result(
            task, files, order=order, pricing=self.pricing, seconds=seconds, problem=problem
        )

    def _file(self, task: VideoTask, link: str, name: str) -> tuple[media.Saved, VideoTask]:
        if (earlier := self._storage.find(name)) is not None:
            return earlier, task
        try:
            return self._fetched(getattr(task, link), name), task
        except _EXPIRED:
            fresh = self._client.get_video(task.id)
            if getattr(fresh, link) in {None, getattr(task, link)}:
                raise
            return self._fetched(getattr(fresh, link), name), fresh


class AsyncFilms(AsyncBench):
    """Makes films with an asyncio client; see :class:`Films`."""

    async def video(self, order: VideoOrder) -> AsyncGenerator[Progress | VideoResult]:
        """Submit *order* and wait; see :meth:`Films.video`.

        Cancelling the task that runs it cancels the film, if that is still queued.
        """
        task = await self.submit_video(order)
        status, result = task.status, None
        try:
            async with aclosing(self.follow_video(task, order=order)) as steps:
                async for step in steps:
                    if isinstance(step, VideoResult):
                        result = step
                        break
                    status = step.status
                    yield step
        except DoubaoError:
            raise
        except BaseException:
            if status not in ENDED:
                await self.withdraw(task.id)
            raise
        if result is not None:
            yield result

    async def submit_video(self, order: VideoOrder) -> VideoTask:
        """Send *order*, once; see :meth:`Films.submit_video`.

        If it is cancelled on the way, it waits up to 15 seconds for the answer and cancels the
        task, because nobody would know its id; shield it to keep the task.
        """
        await asyncio.to_thread(self._storage.check)
        with self._allowance.spent(order, self.pricing.provider):
            submission = asyncio.ensure_future(
                self._client.create_video(model=order.model, content=order.content, **order.options)
            )
            try:
                return await asyncio.shield(submission)
            except asyncio.CancelledError:
                await self._undo(submission)
                raise

    async def _undo(self, submission: asyncio.Future[VideoTask]) -> None:
        await asyncio.wait([submission], timeout=GRACE)
        if not submission.done():
            _LOG.warning("a video task may have been submitted: no answer before the end")
        elif (failure := submission.exception()) is None:
            await self.withdraw(submission.result().id)
        else:
            _LOG.warning("no video task to cancel is known: %s", failure)
        submission.cancel()

    async def follow_video(
        self, task: VideoTask, *, order: VideoOrder | None = None, waited: float = 0.0
    ) -> AsyncGenerator[Progress | VideoResult]:
        """Wait for a *task* and save what it made; see :meth:`Films.follow_video`."""
        started = time.monotonic() - waited
        problem = None
        try:
            yield _progress(task, started)
            async with aclosing(self._watched(task, order)) as states:
                async for state in states:
                    task = state
                    yield _progress(task, started)
        except DoubaoError as error:
            problem = outcome.unseen(error)
        seconds = time.monotonic() - started
        yield await self._result(task.checked(), order, seconds, problem)

    def _watched(self, task: VideoTask, order: VideoOrder | None) -> AsyncGenerator[VideoTask]:
        return poller_of(self._client).watch(
            task.id,
            expect=Expectation.of(order.request()) if order else None,
            poll_interval=self._desk.poll_interval,
            wait_timeout=self._desk.wait_timeout,
        )

    async def check(self, task_id: str) -> VideoResult:
        """Look a task up once, and save its film if it has one; see :meth:`Films.check`."""
        task = await self._client.get_video(task_id)
        return await self._result(task.checked(), None, 0.0, None)

    async def withdraw(self, task_id: str) -> bool:
        """Cancel a task if it is still queued; see :meth:`Films.withdraw`."""
        try:
            async with asyncio.timeout(GRACE):
                if (await self._client.get_video(task_id)).status != "queued":
                    return False
                await self._client.delete_video(task_id)
        except (DoubaoError, TimeoutError) as error:
            _not_cancelled(task_id, error)
            return False
        return True

    async def _result(
        self, task: VideoTask, order: VideoOrder | None, seconds: float, problem: str | None
    ) -> VideoResult:
        files: dict[str, media.Saved] = {}
        try:
            for link, name in _links(task):
                files[link], task = await self._file(task, link, name)
        except DoubaoError as error:
            problem = outcome.unfetched(error)
        return outcome.video_result(
            task, files, order=order, pricing=self.pricing, seconds=seconds, problem=problem
        )

    async def _file(self, task: VideoTask, link: str, name: str) -> tuple[media.Saved, VideoTask]:
        if (earlier := await asyncio.to_thread(self._storage.find, name)) is not None:
            return earlier, task
        try:
            return await self._fetched(getattr(task, link), name), task
        except _EXPIRED:
            fresh = await self._client.get_video(task.id)
            if getattr(fresh, link) in {None, getattr(task, link)}:
                raise
            return await self._fetched(getattr(fresh, link), name), fresh


def _links(task: VideoTask) -> list[tuple[str, str]]:
    """Give what there is to fetch: the field with the URL, and the name for the file."""
    name = unique_name(task.id)
    names = {"video_url": name, "last_frame_url": f"{name}-last"}
    return [(link, name) for link, name in names.items() if getattr(task, link)]


def _progress(task: VideoTask, started: float) -> Progress:
    seconds = time.monotonic() - started
    return Progress(task_id=task.id, status=task.status, seconds=seconds)


def _not_cancelled(task_id: str, error: Exception) -> None:
    _LOG.warning("video task %s was not cancelled: %s", task_id, error)
