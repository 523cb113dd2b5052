"""Hundreds of pictures and films under names: a few at a time, within a budget, through restarts.

A batch is a queue over the ledger. The queue knows what is to be done and how much at once; the
ledger knows what was paid. Each can be lost to a ``kill -9`` at any moment: the next start takes up
what was left, and no job is created twice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from doubao_core import media
from doubao_core.errors import ConfigError
from doubao_core.jobs.budget import Budget, Spending
from doubao_core.jobs.configured import LEDGER, Order, check_order, ledger_url
from doubao_core.jobs.drive import AsyncJobs, Jobs
from doubao_core.jobs.job import Job
from doubao_core.jobs.machine import State
from doubao_core.jobs.queue import DurableQueue, Entry
from doubao_core.jobs.worker import SKIPPED, Worker, task_of
from doubao_core.operation import JSON
from doubao_core.prices import Estimate, Prices, PriceTable

CONCURRENCY = 10
"""Tasks that an account may have at once (ark.md 20.6: enterprises 10, individuals 3)."""
_LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How a job of a batch ended.

    Attributes:
        key: What it was added as.
        job: The job as the ledger has it; ``None`` if it was never submitted.
        problem: Why there is no result, in words; also of a job that goes on.
        skipped: Whether the budget had no room for it, so that it was not submitted.
        cost: What it cost by the prices that the batch was given; ``None`` if nothing was paid.
    """

    key: str
    job: Job | None = None
    problem: str | None = None
    skipped: bool = False
    cost: Estimate | None = None

    @property
    def ok(self) -> bool:
        """Whether it has its result."""
        return self.job is not None and self.job.state is State.DONE


class Batch:
    """Works on many jobs; use it in a ``with`` block, one at a time in a process.

    Args:
        name: Of the batch: the same name at the next start goes on with it. Its jobs are in the
            ledger as ``<name>/<key>``.
        ledger: Database of the jobs, as for :class:`~doubao_core.jobs.Jobs`.
        output_dir: Where results go, as for :class:`~doubao_core.jobs.Jobs`.
        concurrency: Most jobs at once, of all processes that work on the batch.
        per_minute: Most jobs that are begun in a minute; ``None`` for any number.
        budget: What all jobs together may cost. A job whose highest price no longer fits is not
            submitted; those that run are finished. ``None`` for any amount, which is not counted
            for a later start with a budget either.
        price_table: Your own prices, for the budget and what is reported.
        queue: Database of the queue: ``sqlite:///file`` on one machine, ``postgresql://…`` for
            many; by default beside the ledger, or in it if that is PostgreSQL.
        machine: What tells this process from others that work on the batch at the same time.
        options: Further arguments of :class:`~doubao_core.jobs.Jobs`, such as ``provider``.

    Raises:
        ConfigError: An argument cannot be.
    """

    def __init__(
        self,
        name: str,
        *,
        ledger: str | Path = LEDGER,
        output_dir: str | Path | media.Storage | None = None,
        concurrency: int = CONCURRENCY,
        per_minute: int | None = None,
        budget: Budget | None = None,
        price_table: PriceTable | None = None,
        queue: str | None = None,
        machine: str = "local",
        **options: Any,
    ) -> None:
        _check(name, concurrency, per_minute, options)
        self.name = name
        self.jobs = Jobs(ledger=ledger, output_dir=output_dir, **options)
        """The same jobs one by one: to look them up, to cancel or to release them."""
        self._budget = budget
        self._worker = Worker(
            name,
            AsyncJobs(ledger=ledger, output_dir=output_dir, **options),
            budget,
            None if price_table is None else Prices.read(price_table),
        )
        self._url = queue or _beside(ledger_url(ledger))
        self._queue = DurableQueue(
            name,
            self._worker.work,
            url=self._url,
            concurrency=concurrency,
            per_minute=per_minute,
            machine=machine,
        )
        self._wanted: dict[str, str] = {}

    def __enter__(self) -> Self:
        """Open the batch: what an earlier process left is worked on at once."""
        self._worker.start()
        try:
            if self._budget is not None:
                self._worker.spending = Spending(self._url, self.name, self._budget)
            self._queue.open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop: paid requests that are under way get their answer first; jobs that run are left.

        A film that is being made is made all the same, and the next start fetches it.
        """
        try:
            self._worker.stop()
        finally:
            self._queue.close()
            if self._worker.spending is not None:
                self._worker.spending.close()
            self.jobs.close()
            # In a thread, because the caller may have an event loop.
            with ThreadPoolExecutor(1) as helper:
                helper.submit(asyncio.run, self._worker.aclose()).result()

    def add(self, order: Order, *, key: str | None = None) -> str:
        """Queue *order*, if it is not there already, and give its key.

        What an earlier run left undone is tried again: a refused job is submitted anew, and of one
        that failed, was cancelled or is held the ledger's word is reported again.

        Args:
            order: What to make.
            key: Its name in the batch; by default made from the order, so that two equal orders
                are one job.

        Raises:
            ConfigError: This is no order, or the key stands for another or is none that the ledger
                can keep, or the batch has a budget and the price of the order is not known.
        """
        from doubao_core.jobs.ledger import check_key

        check_order(order)
        key = order.digest[:32] if key is None else key
        check_key(self._worker.job(key))
        task = task_of(key, order)
        self._worker.affordable(key, order)
        attempts = self._queue.find(key)
        _check_same(key, attempts, task)
        if attempts and _stays(attempts[-1].outcome):
            self._wanted[attempts[-1].id] = key
        else:
            self._wanted[self._queue.add(key, len(attempts) + 1, task)] = key
        return key

    def estimate(self, order: Order) -> Estimate:
        """What *order* costs, by the prices that the batch was given."""
        return self._worker.estimate(order)

    def as_completed(self) -> Generator[Done]:
        """Give every job that was added, when it ends; ends itself when all have.

        More may be added meanwhile. A job that ended badly is given too: see :attr:`Done.ok`.
        """
        while (ended := self.collect()) is not None:
            yield from ended
            if not ended:
                time.sleep(_LOOK_SECONDS)

    def collect(self) -> list[Done] | None:
        """Give the jobs that have ended since the last call; ``None`` if none is left."""
        if not self._wanted:
            return None
        ended = self._queue.ended(self._wanted)
        return [self._done(self._wanted.pop(each.id), each.outcome or {}) for each in ended]

    @property
    def spent(self) -> Decimal | None:
        """What the batch's budget has gone to, with what is set aside; ``None`` without one."""
        spending = self._worker.spending
        return None if spending is None else spending.total

    def _done(self, key: str, outcome: JSON) -> Done:
        cost = outcome.get("cost")
        job = self._known(key)
        return Done(
            key=key,
            job=job,
            problem=outcome.get("problem") or _why(job),
            skipped=outcome.get("state") == SKIPPED,
            cost=Estimate.from_dict(cost) if cost else None,
        )

    def _known(self, key: str) -> Job | None:
        try:
            return self.jobs.get(self._worker.job(key))
        except ConfigError:
            # What the budget had no room for, or was refused before it was written down.
            return None


class AsyncBatch:
    """A :class:`Batch` for asyncio; use it in an ``async with`` block.

    Args:
        name: Of the batch.
        arguments: As for :class:`Batch`.
    """

    def __init__(self, name: str, **arguments: Any) -> None:
        self._batch = Batch(name, **arguments)
        self.name = name

    async def __aenter__(self) -> Self:
        """Open the batch; see :meth:`Batch.__enter__`."""
        await asyncio.to_thread(self._batch.__enter__)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop; see :meth:`Batch.close`."""
        await asyncio.shield(asyncio.to_thread(self._batch.close))

    async def add(self, order: Order, *, key: str | None = None) -> str:
        """Queue *order* and give its key; see :meth:`Batch.add`."""
        return await asyncio.to_thread(self._batch.add, order, key=key)

    def estimate(self, order: Order) -> Estimate:
        """What *order* costs; see :meth:`Batch.estimate`."""
        return self._batch.estimate(order)

    async def spent(self) -> Decimal | None:
        """What the budget has gone to; see :attr:`Batch.spent`."""
        return await asyncio.to_thread(lambda: self._batch.spent)

    async def as_completed(self) -> AsyncGenerator[Done]:
        """Give every job that was added, when it ends; see :meth:`Batch.as_completed`."""
        while True:
            ended = await asyncio.to_thread(self._batch.collect)
            if ended is None:
                return
            for done in ended:
                yield done
            if not ended:
                await asyncio.sleep(_LOOK_SECONDS)


def _check(name: str, concurrency: int, per_minute: int | None, options: Mapping[str, Any]) -> None:
    if "client" in options:
        raise ConfigError(
            "a batch makes its own clients: give it provider=, api_key= and the like, not client="
        )
    if not name or "/" in name:
        raise ConfigError(f"a batch needs a name without slashes, not {name!r}")
    for said, number in (("concurrency", concurrency), ("per_minute", per_minute)):
        if number is not None and number < 1:
            raise ConfigError(f"{said} is 1 or more, not {number!r}")


def _check_same(key: str, attempts: list[Entry], task: JSON) -> None:
    if attempts and attempts[0].task != task:
        raise ConfigError(
            f"{key!r} stands for another order in this batch already: a key means one order for "
            "ever; give this one another key"
        )


def _why(job: Job | None) -> str | None:
    """Say why there is no result of what ended without a word."""
    if job is None:
        return "it was never submitted, and the queue does not say why; add it again"
    return None if job.state is State.DONE else job.text


def _stays(outcome: JSON | None) -> bool:
    """Whether an attempt is under way, or has its result."""
    return outcome is None or outcome.get("state") == State.DONE.value


def _beside(ledger: str) -> str:
    """Put the queue into a file of its own beside a ledger in SQLite, else into the ledger."""
    from sqlalchemy import make_url

    address = make_url(ledger)
    if address.get_backend_name() == "sqlite":
        # Absolute, because the program may change its folder while the queue is open.
        address = address.set(database=f"{Path(address.database or '').absolute()}-queue")
    else:
        address = address.set(drivername="postgresql")
    return address.render_as_string(hide_password=False)
