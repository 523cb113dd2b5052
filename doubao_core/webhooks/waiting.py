"""Who waits for pictures that only a delivery tells of, in any thread or event loop."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TypeAlias

from doubao_core.api.images import Image, Images
from doubao_core.api.videos import VideoTask
from doubao_core.errors import ConfigError, from_payload
from doubao_core.webhooks.reading import images_of

MOST_KEPT = 1000
"""How many ended tasks are kept for who asks later: a delivery may be faster than the answer."""
POSSIBLY_DONE = "possibly_done"
"""Code of the error of a picture of which only an unproven delivery says that it is finished."""
_POSSIBLY = (
    "an unproven delivery says that the task has ended, and there is no way to look; do not ask "
    "for the picture again, that would cost twice: look into the provider's console, and turn on "
    "the check of signatures"
)
# What became of a task; ``None`` for what nobody can know.
Outcome: TypeAlias = VideoTask | None


class Waiting:
    """Brings together who waits for a task and what becomes of it, whichever is first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._outcomes: OrderedDict[str, Outcome] = OrderedDict()
        self._futures: dict[str, set[Future[Outcome]]] = {}

    def tell(self, task_id: str, outcome: Outcome) -> None:
        """Tell who waits for a task, and who will, that it has ended."""
        with self._lock:
            self._outcomes[task_id] = outcome
            self._outcomes.move_to_end(task_id)
            if len(self._outcomes) > MOST_KEPT:
                self._outcomes.popitem(last=False)
            futures = self._futures.pop(task_id, set())
        for future in futures:
            # Who waits in an event loop may be cancelled just now.
            if future.set_running_or_notify_cancel():
                future.set_result(outcome)

    def wait(self, made: Images, wait_timeout: float) -> Images:
        """Block until there are pictures, or the time is over; see :class:`Receiver`."""
        if made.status == "succeeded":
            return made
        with self._joined(made, wait_timeout) as future:
            try:
                outcome = future.result(wait_timeout)
            except TimeoutError:
                return made
        return _end(made, outcome)

    async def await_(self, made: Images, wait_timeout: float) -> Images:
        """Do the same without blocking."""
        if made.status == "succeeded":
            return made
        with self._joined(made, wait_timeout) as future:
            try:
                async with asyncio.timeout(wait_timeout):
                    # What is known is given even if there is no time to wait.
                    known = future.done()
                    outcome = future.result() if known else await asyncio.wrap_future(future)
            except TimeoutError:
                return made
        return _end(made, outcome)

    @contextmanager
    def _joined(self, made: Images, wait_timeout: float) -> Iterator[Future[Outcome]]:
        if not made.task_id:
            raise ConfigError("these pictures have no task id: there is nothing to wait for")
        if not wait_timeout >= 0:
            raise ConfigError(f"wait_timeout must be 0 or more seconds, not {wait_timeout!r}")
        future: Future[Outcome] = Future()
        with self._lock:
            if made.task_id in self._outcomes:
                future.set_result(self._outcomes[made.task_id])
            else:
                self._futures.setdefault(made.task_id, set()).add(future)
        try:
            yield future
        finally:
            self._leave(made.task_id, future)

    def _leave(self, task_id: str, future: Future[Outcome]) -> None:
        with self._lock:
            others = self._futures.get(task_id, set())
            others.discard(future)
            if not others:
                self._futures.pop(task_id, None)


def _end(made: Images, outcome: Outcome) -> Images:
    if outcome is not None:
        return images_of(outcome)
    error = from_payload({"code": POSSIBLY_DONE, "message": _POSSIBLY})
    return dataclasses.replace(made, images=(Image(index=0, error=error),))
