"""Working on one job of a batch: affords, submits and awaits it, and settles what it cost."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from doubao_core import prices
from doubao_core.errors import ConfigError, DoubaoError
from doubao_core.jobs.budget import Budget, Room, Spending
from doubao_core.jobs.configured import Order
from doubao_core.jobs.drive import AsyncJobs
from doubao_core.jobs.job import Job
from doubao_core.jobs.machine import State
from doubao_core.operation import JSON
from doubao_core.prices import Estimate, Prices
from doubao_core.studio.orders import ImageOrder, VideoOrder
from doubao_core.studio.results import ImageResult

SKIPPED = "skipped"
"""State of a job for which the budget had no room."""
_LOG = logging.getLogger(__name__)
_ORDERS: Mapping[str, type[ImageOrder | VideoOrder]] = {"image": ImageOrder, "video": VideoOrder}
# How long a job for which the budget has no room yet waits until it asks again.
_ROOM_SECONDS = 0.5
_UNPAID = frozenset({State.NEW, State.FAILED, State.REFUSED})


def task_of(key: str, order: Order) -> JSON:
    """Write an order as a task of the queue."""
    return {"key": key, "kind": order.kind, "request": order.request()}


class Worker:
    """Works on the jobs of one batch, on the event loop of the queue.

    Args:
        batch: Name of the batch.
        jobs: The ledger's jobs; closed by :meth:`aclose`.
        budget: What all jobs may cost together, if that is limited.
        table: The user's own prices.
    """

    def __init__(
        self, batch: str, jobs: AsyncJobs, budget: Budget | None, table: Prices | None
    ) -> None:
        self._batch = batch
        self._jobs = jobs
        self._budget = budget
        self._table = table
        self.spending: Spending | None = None
        self._stopping = threading.Event()
        self._sending = 0
        self._sent = threading.Condition()

    def start(self) -> None:
        """Work from now on."""
        self._stopping.clear()

    def stop(self) -> None:
        """Begin nothing more, and wait for the answers of paid requests that are under way."""
        self._stopping.set()
        with self._sent:
            self._sent.wait_for(lambda: not self._sending)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._jobs.aclose()

    def job(self, key: str) -> str:
        """Give the name in the ledger of the job that is *key* in the batch."""
        return f"{self._batch}/{key}"

    def affordable(self, key: str, order: Order) -> Decimal:
        """Give what *order* costs at most; 0 without a budget.

        Raises:
            ConfigError: There is a budget, and the price is not known or of another currency.
        """
        if self._budget is None:
            return Decimal(0)
        return self._budget.checked(key, self.estimate(order))

    def estimate(self, order: Order) -> Estimate:
        """Give what *order* costs."""
        provider = self._jobs.client.provider
        return prices.estimate(order.request(), provider=provider, prices=self._table)

    async def work(self, _: str, task: JSON) -> JSON:
        """Do a task; runs again after a kill, and ends where the ledger says."""
        key = task["key"]
        try:
            return await self._done(key, _ORDERS[task["kind"]].from_request(task["request"]))
        # Whatever happens is reported with the job, and the others go on.
        except Exception as error:  # noqa: BLE001
            _LOG.exception("job %r of batch %r cannot be worked on", key, self._batch)
            return {"problem": f"{type(error).__name__}: {error}"}

    async def _done(self, key: str, order: Order) -> JSON:
        if not await self._afforded(key, order):
            why = "the budget has no room for it, so it was not submitted"
            return {"state": SKIPPED, "problem": why}
        problem = None
        try:
            await self._submitted(key, order)
            await self._jobs.wait(self.job(key))
        except DoubaoError as error:
            problem = error.message
        job = await self._known(key)
        cost = None if job is None else self._cost(order, job)
        await self._settle(key, job, cost)
        return {
            "state": job.state.value if job else None,
            "problem": problem,
            "cost": cost.to_dict() if cost else None,
        }

    async def _afforded(self, key: str, order: Order) -> bool:
        """Set aside what *order* may cost; ``False`` if there is no room when all have ended."""
        if self.spending is None:
            return True
        most = self.affordable(key, order)
        while True:
            await self._unless_stopping()
            room = await asyncio.to_thread(self.spending.reserve, key, most)
            if room is not Room.LATER:
                return room is Room.YES
            await asyncio.sleep(_ROOM_SECONDS)

    async def _submitted(self, key: str, order: Order) -> None:
        await self._unless_stopping()
        with self._sent:
            self._sending += 1
        try:
            await self._jobs.submit(order, key=self.job(key))
        finally:
            with self._sent:
                self._sending -= 1
                self._sent.notify_all()

    async def _unless_stopping(self) -> None:
        """Stay here until the end, if that is near, so that the job is left as it is."""
        if self._stopping.is_set():
            await asyncio.Event().wait()

    async def _known(self, key: str) -> Job | None:
        try:
            return await self._jobs.get(self.job(key))
        except ConfigError:
            # What was refused before it was written down.
            return None

    async def _settle(self, key: str, job: Job | None, cost: Estimate | None) -> None:
        if self.spending is None:
            return
        if job is None or _unpaid(job):
            await asyncio.to_thread(self.spending.release, key)
        else:
            amount = cost.amount if cost else None
            await asyncio.to_thread(self.spending.settle, key, amount)

    def _cost(self, order: Order, job: Job) -> Estimate | None:
        result = job.result
        if result is None:
            return None
        answer: dict[str, Any]
        if isinstance(result, ImageResult):
            sizes = [{"size": each.size} for each in result.images if each.size]
            answer = {"model": result.model, "usage": result.usage, "data": sizes}
        else:
            answer = result.task
        return prices.cost(order.request(), answer, provider=job.provider, prices=self._table)


def _unpaid(job: Job) -> bool:
    if job.state is State.CANCELLED:
        # Withdrawn or never sent; one that was held, or is gone, may have been paid all the same.
        return job.status == "cancelled" or not job.attempt
    return job.state in _UNPAID
