"""Durable jobs: the blocking and the asyncio face of the same flows, side by side."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Collection, Generator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Self, TypeAlias, overload

from doubao_core.client import AsyncClient, Client
from doubao_core.errors import DoubaoError
from doubao_core.jobs.configured import C, Configured, OnStatus, Order, outcome, rests, until
from doubao_core.jobs.driver import End, arun, run
from doubao_core.jobs.job import GONE, Job
from doubao_core.jobs.machine import State
from doubao_core.jobs.record import Record
from doubao_core.jobs.steps import Event, Flow
from doubao_core.studio import Allowance, Progress

if TYPE_CHECKING:
    from doubao_core.jobs.finish import Finish

_AT_ONCE = 32
# `list` is also a method here.
Listed: TypeAlias = list[Job]


class _Face(Configured[C]):
    @overload
    def over(self, client: Client) -> Jobs: ...
    @overload
    def over(self, client: AsyncClient) -> AsyncJobs: ...
    def over(self, client: Client | AsyncClient) -> Jobs | AsyncJobs:
        """Give jobs of the same ledger, place and settings, to block or to await, with *client*."""
        if isinstance(client, Client):
            return Jobs(client, **self._options)
        return AsyncJobs(client, **self._options)


class Jobs(_Face[Client]):
    """Pictures and films that are paid once and finished, whatever happens to this process.

    Each job is written into a ledger before its paid request is sent. A key names the job: what is
    submitted again under the same key gives the first job, in any process. :meth:`resume` finishes
    what another process left.

    Args:
        client: The client to send with; without one, one is made from *connection* and closed with
            this object.
        ledger: Address of the ledger: ``sqlite:///file``, or the ``Path`` of that file, for the
            processes of one machine, ``postgresql://…`` for many.
        output_dir: Folder or URL for results. Without one a job's results go where the program that
            ordered it saves, which the ledger knows, and those of new jobs to ``doubao_media``.
        scope: Part of the keys that are made here, to keep equal orders of different callers apart.
        mark: Put a mark of the job into ``safety_identifier`` of a film, unless the order has one,
            so that its task can be found if the answer is lost; by default where the provider has
            that field. Without it a task is recognised by its settings and time alone, and held if
            that is not certain.
        poll_interval: Seconds between look-ups of a task; by default they adapt.
        patience: Seconds for which the task of a lost answer is looked for before it is held.
        lease: Seconds after which the work of a process that died is taken over.
        connection: Arguments of :class:`~doubao_core.Client`.

    Raises:
        ConfigError: The extra ``jobs`` is not installed, or an argument is wrong. A ledger that
            cannot be used is reported by the first call, before anything is sent.
    """

    def _made(self, **connection: Any) -> Client:
        return Client(**connection)

    def submit(
        self, order: Order, *, key: str | None = None, allowance: Allowance | None = None
    ) -> Job:
        """Send *order* unless its job was sent before; does not wait for a film.

        A lost answer is no error: the job is ``unsure``, and :meth:`wait` looks for its task; one
        for pictures is ``held``. A request for pictures is answered when they are made.

        Args:
            order: What to make.
            key: What to call the job; by default :meth:`key_of` the order.
            allowance: Limits of the caller, which this spends if it sends.

        Raises:
            RequestError: The service refused; nothing was paid, and the key may be used again.
            ConfigError: The key means another order, or the ledger cannot be used.
        """
        work = self._work(allowance)
        for _ in self._driven(work, work.submitted(self._draft(order, key), showing=False)):
            pass
        return Job.of(work.end)

    def run(
        self,
        order: Order,
        *,
        key: str | None = None,
        timeout: float | None = None,
        allowance: Allowance | None = None,
    ) -> Generator[Event]:
        """Submit *order* and see it through; gives progress, and the result last.

        Closing the generator leaves a film as it is; :meth:`cancel` withdraws it. While pictures of
        a group come, closing takes note of the rest first, for up to a minute: they are paid for
        whoever waits, and :meth:`resume` saves them. The arguments and errors are those of
        :meth:`submit` and :meth:`watch`.
        """
        work = self._work(allowance)
        yield from self._driven(work, work.ran(self._draft(order, key), until(timeout)))
        yield outcome(work)

    def watch(self, key: str, *, timeout: float | None = None) -> Generator[Event]:
        """See a job through; gives progress, and the result last.

        Args:
            key: The job.
            timeout: Seconds; by default as long as it takes. A film that goes on then ends with a
                :class:`~doubao_core.studio.VideoResult` that says so.

        Raises:
            JobFailed: The task ended badly, now or at an earlier call.
            RequestError: It was refused.
            AmbiguousSubmit: It is held, or nothing is known of it when the time is over.
        """
        work = self._work()
        yield from self._driven(work, work.resumed(key, until(timeout)))
        yield outcome(work)

    def wait(self, key: str, *, timeout: float | None = None) -> Job:
        """See a job through; one that goes on when the time is over is given as it is.

        The arguments and errors are those of :meth:`watch`.
        """
        work = self._work()
        for _ in self._driven(work, work.resumed(key, until(timeout))):
            pass
        return Job.of(work.end).checked()

    def resume(self, *, timeout: float | None = None, on_status: OnStatus | None = None) -> Listed:
        """Finish every job of this provider that has not ended; raises for none of them.

        Jobs that were written down and never sent are sent; films whose answer was lost are looked
        for, held ones too. What another process works on is waited for.

        Args:
            timeout: Seconds in all; by default as long as it takes.
            on_status: Called with a job's key and status at each look, and when it rests.
        """
        end = until(timeout)
        tell = on_status or _untold
        jobs = [self._resumed(key, 0.0, tell) for key in self._left()]
        return [
            job if rests(job) else self._resumed(job.key, max(0.0, end - time.monotonic()), tell)
            for job in jobs
        ]

    def _resumed(self, key: str, timeout: float, tell: OnStatus) -> Job:
        work = self._work()
        try:
            for event in self._driven(work, work.resumed(key, until(timeout))):
                if isinstance(event, Progress):
                    tell(key, event.status)
        except DoubaoError as error:
            return Job.of(self._ledger.get(key), problem=str(error))
        return _told(Job.of(work.end), tell)

    def get(self, key: str) -> Job:
        """Give a job as the ledger has it.

        Raises:
            ConfigError: There is none.
        """
        return Job.of(self._ledger.get(key))

    def list(self, states: Collection[State] | None = None) -> Listed:
        """Give the jobs that are in any of *states*, oldest first; by default all."""
        return [Job.of(record) for record in self._ledger.jobs(states)]

    def cancel(self, key: str) -> Job:
        """Withdraw a job: its task if that is still queued, or what was never sent or is held.

        A task that runs is paid for whatever is done: its job goes on, and so does one of which
        nobody knows yet whether it was accepted.
        """
        work = self._work()
        for _ in self._driven(work, work.cancelled(key)):
            pass
        return Job.of(work.end)

    def release(self, key: str, *, task_id: str | None = None) -> Job:
        """Say what becomes of a job that is held, failed or cancelled; a person's decision.

        Args:
            key: The job.
            task_id: The task that is its own after all. Without one the job may be created again,
                by the next submit, wait or resume: **that may cost a second time**.

        Raises:
            ConfigError: It is in none of these states.
        """
        work = self._work()
        for _ in self._driven(work, work.released(key, task_id)):
            pass
        return Job.of(work.end)

    def close(self) -> None:
        """Close the connections to the ledger, and the client's if it was made here."""
        self._leases.close()
        self._ledger.close()
        if self._own:
            self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _driven(self, work: Finish, flow: Flow[Record]) -> Generator[Event]:
        try:
            work.end = yield from run(flow)
        finally:
            for each in work.opened:
                each.close()
            self._leases.drop(work.token)


class AsyncJobs(_Face[AsyncClient]):
    """Durable jobs for asyncio; see :class:`Jobs`. The client is an ``AsyncClient``."""

    def _made(self, **connection: Any) -> AsyncClient:
        return AsyncClient(**connection)

    async def submit(
        self, order: Order, *, key: str | None = None, allowance: Allowance | None = None
    ) -> Job:
        """Send *order* unless its job was sent before; see :meth:`Jobs.submit`.

        If it is cancelled on the way, it waits up to 15 seconds for the answer of a film, to note
        the task; of pictures it keeps what came. What still waited for its turn is not sent.
        """
        work = self._work(allowance)
        await self._end(work, work.submitted(self._draft(order, key), showing=False))
        return Job.of(work.end)

    async def run(
        self,
        order: Order,
        *,
        key: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - a limit of the service's work, not ours
        allowance: Allowance | None = None,
    ) -> AsyncGenerator[Event]:
        """Submit *order* and see it through; see :meth:`Jobs.run`."""
        work = self._work(allowance)
        flow = work.ran(self._draft(order, key), until(timeout))
        async with aclosing(self._driven(work, flow)) as events:
            async for event in events:
                yield event
        yield outcome(work)

    async def watch(
        self,
        key: str,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - likewise
    ) -> AsyncGenerator[Event]:
        """See a job through; see :meth:`Jobs.watch`."""
        work = self._work()
        async with aclosing(self._driven(work, work.resumed(key, until(timeout)))) as events:
            async for event in events:
                yield event
        yield outcome(work)

    async def wait(
        self,
        key: str,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - likewise
    ) -> Job:
        """See a job through; see :meth:`Jobs.wait`."""
        work = self._work()
        await self._end(work, work.resumed(key, until(timeout)))
        return Job.of(work.end).checked()

    async def resume(
        self,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - likewise
        on_status: OnStatus | None = None,
    ) -> Listed:
        """Finish every job of this provider that has not ended; see :meth:`Jobs.resume`."""
        end = until(timeout)
        tell = on_status or _untold
        left = await asyncio.to_thread(self._left)
        jobs = [await self._resumed(key, 0.0, tell) for key in left]
        limit = asyncio.Semaphore(_AT_ONCE)

        async def rest(job: Job) -> Job:
            async with limit:
                if rests(job):
                    return job
                return await self._resumed(job.key, max(0.0, end - time.monotonic()), tell)

        return [*await asyncio.gather(*map(rest, jobs))]

    async def _resumed(
        self,
        key: str,
        timeout: float,  # noqa: ASYNC109 - likewise
        tell: OnStatus,
    ) -> Job:
        work = self._work()
        try:
            async with aclosing(self._driven(work, work.resumed(key, until(timeout)))) as events:
                async for event in events:
                    if isinstance(event, Progress):
                        tell(key, event.status)
        except DoubaoError as error:
            return Job.of(await asyncio.to_thread(self._ledger.get, key), problem=str(error))
        return _told(Job.of(work.end), tell)

    async def get(self, key: str) -> Job:
        """Give a job as the ledger has it; see :meth:`Jobs.get`."""
        return Job.of(await asyncio.to_thread(self._ledger.get, key))

    async def list(self, states: Collection[State] | None = None) -> Listed:
        """Give the jobs that are in any of *states*; see :meth:`Jobs.list`."""
        return [Job.of(each) for each in await asyncio.to_thread(self._ledger.jobs, states)]

    async def cancel(self, key: str) -> Job:
        """Withdraw a job; see :meth:`Jobs.cancel`."""
        work = self._work()
        await self._end(work, work.cancelled(key))
        return Job.of(work.end)

    async def release(self, key: str, *, task_id: str | None = None) -> Job:
        """Say what becomes of a job that is held, failed or cancelled; see :meth:`Jobs.release`."""
        work = self._work()
        await self._end(work, work.released(key, task_id))
        return Job.of(work.end)

    async def aclose(self) -> None:
        """Close the connections to the ledger, and the client's if it was made here."""
        await asyncio.to_thread(self._leases.close)
        await asyncio.to_thread(self._ledger.close)
        if self._own:
            await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    async def _end(self, work: Finish, flow: Flow[Record]) -> None:
        async with aclosing(self._driven(work, flow)) as events:
            async for _ in events:
                pass

    async def _driven(self, work: Finish, flow: Flow[Record]) -> AsyncGenerator[Event]:
        try:
            async with aclosing(arun(flow)) as steps:
                async for step in steps:
                    if isinstance(step, End):
                        work.end = step.value
                    else:
                        yield step
        finally:
            for each in work.opened:
                await each.aclose()
            await asyncio.to_thread(self._leases.drop, work.token)


def _untold(_: str, __: str) -> None:
    """Tell nobody."""


def _told(job: Job, tell: OnStatus) -> Job:
    if rests(job) or job.status == GONE:
        tell(job.key, job.state.value if rests(job) else GONE)
    return job
