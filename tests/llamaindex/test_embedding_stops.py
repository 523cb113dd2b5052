"""A call that fails stops: nothing more is sent by any of its batches, and the reason is raised."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from llama_index.core.rate_limiter import BaseRateLimiter

from doubao_core import DoubaoError, InvalidRequest
from llamaindex_doubao import DoubaoEmbedding

VISION = "doubao-embedding-vision-251215"
# These read less than may be sent.
SHORT_TEXT = "doubao-embedding-text-240715"
SHORT_SIGHTED = "doubao-embedding-vision-250328"
TOO_LONG = "word " * 5000


@pytest.fixture
def make(emulator):
    """Make an embedding that talks to the emulator."""

    def make(model=VISION, **fields: Any) -> DoubaoEmbedding:
        settings = {"api_key": "k", "max_retries": 0, **fields}
        return DoubaoEmbedding(model_name=model, base_url=emulator.base_url, **settings)

    return make


@pytest.fixture(params=["sync", "async"])
def embed(request):
    """Embed texts, in blocking code or not."""

    def embed(embedding: DoubaoEmbedding, texts: list[str]) -> list[list[float]]:
        if request.param == "sync":
            return embedding.get_text_embedding_batch(texts)

        async def awaited() -> list[list[float]]:
            try:
                return await embedding.aget_text_embedding_batch(texts)
            finally:
                await embedding.aclose()

        return asyncio.run(awaited())

    return embed


def test_a_failed_batch_stops_the_others_and_keeps_what_they_have_in_flight(make, emulator):
    # Batches run together: when the first fails, the second has one request in flight.
    texts = [f"{TOO_LONG}", *(f"text {number}" for number in range(40))]
    embedding = make(SHORT_TEXT, embed_batch_size=1, num_workers=8, max_concurrency=4)

    async def run() -> DoubaoError:
        with pytest.raises(InvalidRequest) as caught:
            await embedding.aget_text_embedding_batch(texts)
        sent = len(emulator.requests)
        await asyncio.sleep(0.03)
        assert len(emulator.requests) == sent, "something was sent after the call had failed"
        await embedding.aclose()
        return caught.value

    progress = asyncio.run(run()).progress
    assert 0 in progress.failed
    assert len(progress.vectors) + len(progress.failed) == len(emulator.requests) < len(texts)


def test_the_error_is_the_reason_and_not_that_another_batch_was_stopped(make, emulator):
    """The second batch ends first: the one that failed still waits for what it has in flight."""

    class SlowAfterTheFirst(BaseRateLimiter):
        asked: int = 0

        def acquire(self) -> None:
            raise NotImplementedError

        async def async_acquire(self) -> None:
            self.asked += 1
            # LlamaIndex asks for the first request of each of the two batches.
            if self.asked > 2:
                await asyncio.to_thread(self.wait_for_the_first)
                await asyncio.sleep(0.05)

        def wait_for_the_first(self) -> None:
            while not emulator.requests:
                time.sleep(0.01)

    texts = ["word " * 12_000, *(f"text {number}" for number in range(7))]
    embedding = make(SHORT_SIGHTED, embed_batch_size=4, num_workers=2, max_concurrency=2)
    embedding.rate_limiter = SlowAfterTheFirst()

    async def run() -> DoubaoError:
        with pytest.raises(InvalidRequest) as caught:
            await embedding.aget_text_embedding_batch(texts)
        await embedding.aclose()
        return caught.value

    progress = asyncio.run(run()).progress
    assert (progress.count, progress.failed, sorted(progress.vectors)) == (8, (0,), [1])


@pytest.mark.parametrize("batch_size", [2048, 50])
def test_a_rate_limiter_that_fails_stops_all_requests_of_the_call(
    make, embed, emulator, batch_size
):
    class Broken(BaseRateLimiter):
        left: int = 6

        def acquire(self) -> None:
            self.left -= 1
            if not self.left:
                raise ValueError("no more")

        async def async_acquire(self) -> None:
            self.acquire()

    embedding = make(max_concurrency=3, embed_batch_size=batch_size)
    embedding.rate_limiter = Broken()
    with pytest.raises(ValueError, match="no more"):
        embed(embedding, [f"text {number}" for number in range(200)])
    # What was in flight, and no more.
    assert len(emulator.requests) < 12
