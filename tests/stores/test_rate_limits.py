"""Rate limits that are counted in PostgreSQL and in Redis: kept by processes, paused for all."""

from __future__ import annotations

import asyncio
import time

import pytest

from doubao_core import Client, RateLimit
from doubao_core.pacing import pacer

FAST = 6000.0
"""Requests per minute: a hundred at once, then one each 10 ms."""


@pytest.fixture(params=["postgres", "redis"])
def url(request):
    """Where a limit is counted."""
    if request.param == "redis":
        return request.getfixturevalue("redis")
    folder = request.getfixturevalue("postgres")
    return f"postgresql://postgres@/postgres?host={folder}"


def test_processes_keep_a_limit_together(url, request, seconds_of_three_processes):
    """A hundred at once, the other fifty one each 10 ms; each alone would not wait at all."""
    limit = RateLimit(requests_per_minute=FAST, url=url)
    assert seconds_of_three_processes(limit, request.node.name, 50) >= 0.45


async def test_a_refusal_pauses_everybody_who_shares_it(url, request):
    limit = RateLimit(requests_per_minute=FAST, url=url, name=request.node.name)
    # Two numbers for one place: like two processes, they know of each other by the store alone.
    other = RateLimit(requests_per_minute=FAST + 1, url=url, name=request.node.name)
    await pacer(limit, "").await_()
    await pacer(limit, "").arefused(0.5)
    started = time.monotonic()
    await asyncio.gather(*(pacer(other, "").await_() for _ in range(3)))
    assert time.monotonic() - started >= 0.4


def test_a_client_keeps_it_against_the_emulator(url, request, emulator):
    limit = RateLimit(requests_per_minute=FAST, url=url, name=request.node.name)
    with Client(api_key="key", base_url=emulator.base_url, rate_limit=limit) as client:
        started = time.monotonic()
        for _ in range(120):
            client.embed(model="doubao-embedding-text-240715", texts=["tea"])
    assert time.monotonic() - started >= 0.15
    assert len(emulator.requests) == 120
