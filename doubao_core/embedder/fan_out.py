"""Sends what a recipe planned, a bounded number at a time: once with threads, once with tasks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from doubao_core.client import AsyncClient, Client
from doubao_core.embedder.recipe import Answer, Recipe, Request
from doubao_core.errors import DoubaoError

DEFAULT_CONCURRENCY = 16
"""Requests in flight per object."""


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

    def run(self, recipe: Recipe, requests: Sequence[Request]) -> list[Answer]:
        """Give the answers in the order of *requests*; the first failure stops the rest."""
        if len(requests) <= 1:
            return [self._send(recipe, request) for request in requests]
        workers = min(self._most, len(requests))
        with ThreadPoolExecutor(workers, thread_name_prefix="doubao-embedder") as pool:
            futures = [pool.submit(self._send, recipe, request) for request in requests]
            try:
                wait(futures, return_when=FIRST_EXCEPTION)
                for request, future in zip(requests, futures, strict=True):
                    if future.done() and (failure := future.exception()):
                        raise _placed(failure, request)
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
        return [future.result() for future in futures]

    def _send(self, recipe: Recipe, request: Request) -> Answer:
        with self._slots:
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

    async def run(self, recipe: Recipe, requests: Sequence[Request]) -> list[Answer]:
        """Give the answers in the order of *requests*; the first failure stops the rest."""
        if len(requests) <= 1:
            return [await self._send(recipe, request) for request in requests]
        answers: dict[int, Answer] = {}
        waiting = iter(enumerate(requests))
        workers = [
            asyncio.ensure_future(self._work(recipe, waiting, answers))
            for _ in range(min(self._most, len(requests)))
        ]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        return [answers[position] for position in range(len(requests))]

    async def _work(
        self, recipe: Recipe, waiting: Iterator[tuple[int, Request]], answers: dict[int, Answer]
    ) -> None:
        for position, request in waiting:
            try:
                answers[position] = await self._send(recipe, request)
            except DoubaoError as error:
                _placed(error, request)
                raise

    async def _send(self, recipe: Recipe, request: Request) -> Answer:
        slots = self._slots.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(self._most))
        async with slots:
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


def _placed(error: BaseException, request: Request) -> BaseException:
    """Say in *error* which of many inputs it is about."""
    if isinstance(error, DoubaoError):
        first, last = request.first, request.last
        where = f"input {first}" if first == last else f"inputs {first} to {last}"
        error.message = f"{error.message} (while embedding {where})"
    return error
