"""Sends what a recipe planned, a bounded number at a time: once with threads, once with tasks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from doubao_core.client import AsyncClient, Client
from doubao_core.embedder.progress import Ledger
from doubao_core.embedder.recipe import Answer, Recipe, Request
from doubao_core.errors import DoubaoError

DEFAULT_CONCURRENCY = 16
"""Requests in flight per object."""
LAST_ANSWERS_SECONDS = 30.0
"""How long a call that fails waits for what it has in flight: that is paid for, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingUsage:
    """What was spent so far: requests answered, and tokens; pictures' and films' among them."""

    requests: int = 0
    prompt_tokens: int = 0
    total_tokens: int = 0
    image_tokens: int = 0


class Tally:
    """A running total of usage that many threads and event loops may add to; a copy starts at 0."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._total = EmbeddingUsage()

    @property
    def total(self) -> EmbeddingUsage:
        """What was added so far."""
        return self._total

    def __reduce__(self) -> tuple[type[Tally], tuple[()]]:
        return Tally, ()

    def add(self, answer: Answer) -> None:
        """Count *answer*."""
        usage = answer.usage
        details = (usage.raw.get("prompt_tokens_details") or {}) if usage else {}
        with self._lock:
            so_far = self._total
            self._total = EmbeddingUsage(
                requests=so_far.requests + 1,
                prompt_tokens=so_far.prompt_tokens + (usage.prompt_tokens if usage else 0),
                total_tokens=so_far.total_tokens + (usage.total_tokens if usage else 0),
                image_tokens=so_far.image_tokens + (details.get("image_tokens") or 0),
            )


class Embedder:
    """Sends planned requests from threads, at most ``max_concurrency`` at once in this object."""

    def __init__(self, client: Client, max_concurrency: int, tally: Tally) -> None:
        self._client = client
        self._most = max_concurrency
        self._slots = threading.BoundedSemaphore(max_concurrency)
        self._tally = tally

    def __reduce__(self) -> tuple[type[Embedder], tuple[Client, int, Tally]]:
        return Embedder, (self._client, self._most, self._tally)

    def run(
        self,
        recipe: Recipe,
        requests: Sequence[Request],
        *,
        pace: Callable[[], None] | None = None,
    ) -> list[Answer]:
        """Give the answers in the order of *requests*.

        After a failure nothing more is sent, but what is in flight is waited for, because it is
        paid for: at most :data:`LAST_ANSWERS_SECONDS`.

        Args:
            recipe: What the requests were made by.
            requests: What to send.
            pace: Called before each request, to wait until it may go.

        Raises:
            DoubaoError: A request failed; ``.progress`` has the vectors of the others.
        """
        ledger = Ledger(recipe, requests)
        if len(requests) <= 1:
            # Its failure is the ledger's, which says more.
            with suppress(DoubaoError):
                self._work(ledger, pace)
            return ledger.answers()
        pool = ThreadPoolExecutor(self._most, thread_name_prefix="doubao-embedder")
        workers = [
            pool.submit(self._work, ledger, pace) for _ in range(min(self._most, len(requests)))
        ]
        try:
            done, running = wait(workers, return_when=FIRST_EXCEPTION)
            ended, _ = wait(running, timeout=LAST_ANSWERS_SECONDS)
        finally:
            ledger.halt.set()
            pool.shutdown(wait=all(worker.done() for worker in workers))
        _check([worker.exception() for worker in done | ended])
        return ledger.answers()

    def _work(self, ledger: Ledger, pace: Callable[[], None] | None) -> None:
        while True:
            with self._slots:
                if (taken := ledger.take()) is None:
                    return
                number, request = taken
                try:
                    if pace is not None:
                        pace()
                    ledger.keep(number, self._send(ledger.recipe, request))
                except DoubaoError as error:
                    ledger.fail(number, error)
                    raise
                except Exception:
                    # A limiter or a key that fails, and not a request: no reason to pay for more.
                    ledger.halt.set()
                    raise

    def _send(self, recipe: Recipe, request: Request) -> Answer:
        answer: Answer = (
            self._client.embed_multimodal(**_multimodal(recipe, request))
            if request.parts
            else self._client.embed(**_text(recipe, request))
        )
        self._tally.add(answer)
        return answer


class AsyncEmbedder:
    """Sends planned requests from tasks, at most ``max_concurrency`` at once in one event loop."""

    def __init__(self, client: AsyncClient, max_concurrency: int, tally: Tally) -> None:
        self._client = client
        self._most = max_concurrency
        self._slots: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = (
            WeakKeyDictionary()
        )
        self._tally = tally

    def __reduce__(self) -> tuple[type[AsyncEmbedder], tuple[AsyncClient, int, Tally]]:
        return AsyncEmbedder, (self._client, self._most, self._tally)

    async def run(
        self,
        recipe: Recipe,
        requests: Sequence[Request],
        *,
        pace: Callable[[], Awaitable[None]] | None = None,
        halt: threading.Event | None = None,
    ) -> list[Answer]:
        """Give the answers in the order of *requests*; see :meth:`Embedder.run`.

        A call that is cancelled cancels its requests at once. Calls that share *halt* stop
        together when one of them fails.
        """
        ledger = Ledger(recipe, requests, halt)
        if len(requests) <= 1:
            # Its failure is the ledger's, which says more.
            with suppress(DoubaoError):
                await self._work(ledger, pace)
            return ledger.answers()
        workers = [
            asyncio.ensure_future(self._work(ledger, pace))
            for _ in range(min(self._most, len(requests)))
        ]
        try:
            ended, running = await asyncio.wait(workers, return_when=asyncio.FIRST_EXCEPTION)
            if running:
                last, _ = await asyncio.wait(running, timeout=LAST_ANSWERS_SECONDS)
                ended |= last
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        _check([worker.exception() for worker in ended])
        return ledger.answers()

    async def _work(self, ledger: Ledger, pace: Callable[[], Awaitable[None]] | None) -> None:
        slots = self._slots.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(self._most))
        while True:
            async with slots:
                if (taken := ledger.take()) is None:
                    return
                number, request = taken
                try:
                    if pace is not None:
                        await pace()
                    ledger.keep(number, await self._send(ledger.recipe, request))
                except DoubaoError as error:
                    ledger.fail(number, error)
                    raise
                except Exception:
                    # A limiter or a key that fails, and not a request: no reason to pay for more.
                    ledger.halt.set()
                    raise

    async def _send(self, recipe: Recipe, request: Request) -> Answer:
        answer: Answer = (
            await self._client.embed_multimodal(**_multimodal(recipe, request))
            if request.parts
            else await self._client.embed(**_text(recipe, request))
        )
        self._tally.add(answer)
        return answer


def _text(recipe: Recipe, request: Request) -> dict[str, Any]:
    return {"model": recipe.model, "texts": request.texts, "dimensions": recipe.dimensions}


def _multimodal(recipe: Recipe, request: Request) -> dict[str, Any]:
    return {
        "model": recipe.model,
        "parts": request.parts,
        "dimensions": recipe.dimensions,
        "instructions": request.instructions,
        "sparse_embedding": {"type": "enabled"} if request.sparse else None,
    }


def _check(errors: Sequence[BaseException | None]) -> None:
    """Raise what no service can be the reason of; the ledger knows of the rest."""
    for error in errors:
        if error is not None and not isinstance(error, DoubaoError):
            raise error
