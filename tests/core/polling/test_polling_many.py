"""Watching many tasks over real HTTP, with both drivers: few requests, and no thread per task."""

from __future__ import annotations

import asyncio
import threading

import pytest

from doubao_core import AsyncClient, Client, NotFound
from doubao_core.polling import poller_of
from doubao_emulator import AfterReads

QUICK = {"poll_interval": 0.02}


@pytest.fixture
async def thousand(emulator, progress, key, order):
    """Submit a thousand tasks that two look-ups end, a few at a time; gives their ids."""
    progress(AfterReads(2))
    places = asyncio.Semaphore(32)
    async with AsyncClient(base_url=emulator.base_url, api_key=key) as client:

        async def one():
            async with places:
                return (await client.create_video(**order)).id

        return await asyncio.gather(*(one() for _ in range(1000)))


def busiest_second(emulator):
    """Give the most look-ups of any second."""
    times = [each.time for each in emulator.requests if each.method == "GET"]
    return max(sum(1 for other in times if 0 <= other - each < 1.0) for each in times)


def test_many_tasks_share_pages_of_the_list(watching, slow, looks):
    """Sixty watchers of their own, five look-ups of each task: far fewer than 300 requests."""
    seen = watching(base_url=slow.base_url)
    ids = [seen.submit() for _ in range(60)]
    assert seen.watch_many(ids, **QUICK) == ["succeeded"] * 60
    assert len(looks(slow)) <= 150
    assert max(looks(slow)) > 10


async def test_a_thousand_tasks_share_ten_requests_a_round(emulator, thousand, key, looks):
    """Three look-ups of each are 3,000 GETs, or thirty pages; some are not full at the end."""
    async with AsyncClient(base_url=emulator.base_url, api_key=key) as client:
        poller = poller_of(client)

        async def last(task_id):
            return [each async for each in poller.watch(task_id, poll_interval=0.5)][-1]

        ended = await asyncio.gather(*map(last, thousand))
    assert [each.id for each in ended] == thousand
    assert {each.status for each in ended} == {"succeeded"}
    assert len(looks(emulator)) <= 90
    assert busiest_second(emulator) <= 20


def test_a_thousand_tasks_are_watched_with_one_thread_more(emulator, thousand, key, looks):
    before, most = threading.active_count(), 0
    with Client(base_url=emulator.base_url, api_key=key) as client:
        ended = set()
        for state in poller_of(client).watch_many(thousand, poll_interval=0.5):
            most = max(most, threading.active_count())
            ended |= {state.id} if state.ended else set()
    assert ended == set(thousand)
    assert most - before <= 1
    assert len(looks(emulator)) <= 90
    assert busiest_second(emulator) <= 20


def test_several_tasks_are_watched_by_one_who_waits(watching, slow):
    seen = watching(base_url=slow.base_url)
    ids = [seen.submit() for _ in range(5)]
    states = seen.watch_together([*ids, ids[0]], **QUICK)
    assert sorted(each.id for each in states if each.ended) == sorted(ids)
    assert all(each.video_url for each in states if each.ended)


def test_nothing_to_watch_is_nothing_to_wait_for(watching, emulator, looks):
    assert watching(base_url=emulator.base_url).watch_together([]) == []
    assert looks(emulator) == []


def test_what_does_not_exist_is_raised_after_the_others_have_ended(watching, slow, looks):
    seen = watching(base_url=slow.base_url)
    task_id = seen.submit()
    with pytest.raises(NotFound):
        seen.watch_together([task_id, "cgt-nothing"], **QUICK)
    assert slow.requests[-1].path.endswith(task_id), "it went on with the other, to its end"
    assert len(looks(slow)) > 5


def test_a_provider_without_a_list_is_asked_for_each_task(watching, slow, listless, looks):
    seen = watching(base_url=slow.base_url, provider=listless)
    ids = [seen.submit() for _ in range(4)]
    assert seen.watch_many(ids, **QUICK) == ["succeeded"] * 4
    assert looks(slow) == [1] * 20
