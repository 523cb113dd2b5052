"""A gateway that lists its tasks: what was paid for and not answered is found again."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from doubao_core import AsyncClient, Client
from doubao_core.jobs import Jobs
from doubao_core.polling import poller_of
from doubao_core.studio import VideoOrder
from doubao_emulator import AfterReads

TEXT = [{"type": "text", "text": "A kettle sings"}]
FILM = {"model": "seedance-2.0", "content": TEXT}


def test_a_film_whose_answer_was_lost_is_found_and_paid_once(at, emulator, tmp_path):
    """By its settings and its time: the service has no field for a mark."""
    ledger = f"sqlite:///{tmp_path}/jobs.db"
    settings = {**at("vibegen"), "ledger": ledger, "output_dir": tmp_path}
    order = VideoOrder(
        model="seedance-2.0", content=TEXT, options={"duration": 4, "resolution": "480p"}
    )
    with Jobs(poll_interval=0.01, **settings) as jobs:
        with emulator.fault("lost_answer", times=1):
            lost = jobs.submit(order)
        assert (lost.state, lost.task_id) == ("unsure", None)
        done = jobs.wait(lost.key)
    assert (done.state, done.status) == ("done", "succeeded")
    assert done.result.path.is_file()
    assert [each.method for each in emulator.requests].count("POST") == 1
    (listed,) = [each.query for each in emulator.requests if each.path.endswith("/tasks")]
    assert listed.startswith("page=1&limit=")


def watched(client, ids):
    def last(task_id):
        return [state.status for state in poller.watch(task_id, poll_interval=0.01)][-1]

    with client, ThreadPoolExecutor(len(ids)) as threads:
        poller = poller_of(client)
        return list(threads.map(last, ids))


async def awaited(client, ids):
    async def last(task_id):
        states = [state async for state in poller.watch(task_id, poll_interval=0.01)]
        return states[-1].status

    async with client:
        poller = poller_of(client)
        return await asyncio.gather(*map(last, ids))


def test_many_films_are_watched_by_their_ids_where_a_list_has_no_filter_for_them(
    at, emulator, progress
):
    progress(AfterReads(2))
    with Client(**at("vibegen")) as client:
        ids = [client.create_video(**FILM).id for _ in range(4)]
        more = [client.create_video(**FILM).id for _ in range(4)]
    assert watched(Client(**at("vibegen")), ids) == ["succeeded"] * 4
    assert asyncio.run(awaited(AsyncClient(**at("vibegen")), more)) == ["succeeded"] * 4
    assert not any(each.path.endswith("/tasks") for each in emulator.requests)
