"""Who does the look-ups: one thread or task per client, which ends with the last who watches."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing

import httpx
import pytest

from doubao_core import AsyncClient, Client, DoubaoError
from doubao_core.polling import poller_of
from doubao_core.polling.poller import _AsyncRounds

QUICK = {"poll_interval": 0.02}

FORKING = """
import os
import sys
from doubao_core import Client
from doubao_core.polling import poller_of

client = Client(base_url="{url}", api_key="k")
task = client.create_video(
    model="doubao-seedance-2-0-260128", content=[{{"type": "text", "text": "waves"}}]
)
states = poller_of(client).watch(task.id, poll_interval=600.0)
next(states)
if (child := os.fork()) == 0:
    states = poller_of(client).watch(task.id, poll_interval=0.02)
    print("child:", [each.status for each in states][-1])
    sys.stdout.flush()
    os._exit(0)
print("parent:", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def threads():
    return [each for each in threading.enumerate() if each.name == "doubao-poller"]


@pytest.fixture
def none_left(soon):
    """Say whether no poller's thread runs any more, soon."""
    return lambda: soon(lambda: not threads())


def pollers():
    """Give the tasks of this loop that look up."""
    return [each for each in asyncio.all_tasks() if each.get_name() == "doubao-poller"]


async def none_looks():
    """Wait until this loop has no task that looks up, which is soon."""
    for each in pollers():
        await asyncio.wait_for(each, 10)


def test_watchers_of_all_threads_share_one_thread_that_ends_with_the_last(
    slow, key, order, none_left
):
    with Client(base_url=slow.base_url, api_key=key) as client:
        ids = [client.create_video(**order).id for _ in range(8)]

        def watch(task_id):
            return [len(threads()) for _ in poller_of(client).watch(task_id, **QUICK)]

        with ThreadPoolExecutor(8) as workers:
            running = list(workers.map(watch, ids))
        assert max(map(max, running)) == 1
        assert none_left()


def test_who_leaves_early_ends_the_look_ups(slow, key, order, looks, none_left):
    with Client(base_url=slow.base_url, api_key=key) as client:
        states = poller_of(client).watch(client.create_video(**order).id, **QUICK)
        next(states)
        states.close()
        assert none_left()
        assert len(looks(slow)) < 5, "it did not go on to the end"


def test_a_watch_that_is_dropped_ends_the_look_ups_too(slow, key, order, none_left):
    with Client(base_url=slow.base_url, api_key=key) as client:
        states = poller_of(client).watch(client.create_video(**order).id, **QUICK)
        next(states)
        del states
        gc.collect()
        assert none_left()


def test_nothing_of_a_client_is_kept_when_nobody_watches(slow, key, order, none_left):
    client = Client(base_url=slow.base_url, api_key=key)
    seen = [
        each.status for each in poller_of(client).watch(client.create_video(**order).id, **QUICK)
    ]
    assert seen[-1] == "succeeded"
    assert none_left()
    gone = weakref.ref(client)
    del client
    gc.collect()
    assert gone() is None


async def test_watchers_of_a_loop_share_one_task_that_ends_with_the_last(slow, key, order):
    async with AsyncClient(base_url=slow.base_url, api_key=key) as client:
        ids = [(await client.create_video(**order)).id for _ in range(8)]

        async def watch(task_id):
            return [len(pollers()) async for _ in poller_of(client).watch(task_id, **QUICK)]

        running = await asyncio.gather(*map(watch, ids))
        assert max(map(max, running)) == 1
        await none_looks()


async def test_cancelling_a_watcher_ends_the_look_ups(slow, key, order, looks):
    async with AsyncClient(base_url=slow.base_url, api_key=key) as client:
        begun = asyncio.Event()

        async def watch():
            async for _ in poller_of(client).watch(task_id, poll_interval=600.0):
                begun.set()

        task_id = (await client.create_video(**order)).id
        watching = asyncio.ensure_future(watch())
        await begun.wait()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await none_looks()
        assert looks(slow) == [1]


async def test_a_poller_that_is_cancelled_tells_those_who_watch(patient, key, order):
    """Who cancels all tasks of a loop must not leave others waiting for news that cannot come."""
    async with AsyncClient(base_url=patient.base_url, api_key=key) as client:
        task_id = (await client.create_video(**order)).id
        async with aclosing(poller_of(client).watch(task_id, poll_interval=600.0)) as states:
            await anext(states)
            for each in pollers():
                each.cancel()
            with pytest.raises(DoubaoError, match="watch again"):
                await anext(states)
        assert [each.status async for each in poller_of(client).watch(task_id, wait_timeout=0)]


async def test_the_first_watchers_context_is_none_of_the_pollers(slow, key, order):
    """What traces a run must not hold on to whoever began the look-ups, nor be charged for all."""
    mark = contextvars.ContextVar("mark", default="nobody's")
    seen = []

    async def note(_):
        seen.append(mark.get())

    http = httpx.AsyncClient(event_hooks={"request": [note]})
    async with http, AsyncClient(base_url=slow.base_url, api_key=key, http_client=http) as client:
        task_id = (await client.create_video(**order)).id
        mark.set("mine")
        seen.clear()
        async for _ in poller_of(client).watch(task_id, **QUICK):
            pass
    assert set(seen) == {"nobody's"}


async def leave_behind(client, order):
    """End a loop in the middle of a watch."""
    task_id = (await client.create_video(**order)).id
    await anext(poller_of(client).watch(task_id, **QUICK))
    return task_id


async def last_status(client, task_id):
    return [each.status async for each in poller_of(client).watch(task_id, **QUICK)][-1]


def test_a_loop_that_ends_while_somebody_watches_leaves_nothing(slow, key, order):
    client = AsyncClient(base_url=slow.base_url, api_key=key)
    task_id = asyncio.run(leave_behind(client, order))
    assert asyncio.run(last_status(client, task_id)) == "succeeded", "another loop begins anew"
    gone = weakref.ref(client)
    del client
    gc.collect()
    assert gone() is None


def test_what_a_loop_that_was_closed_in_the_middle_leaves_is_dropped_by_the_next(slow, key, order):
    """Nobody ended its tasks, as ``asyncio.run`` does; they must not be kept for ever."""
    running = httpx.MockTransport(
        lambda _: httpx.Response(200, json={"id": "cgt-1", "status": "running"})
    )
    http = httpx.AsyncClient(transport=running)
    left = AsyncClient(api_key=key, base_url="https://api.example/v3", http_client=http)
    loop = asyncio.new_event_loop()
    states = poller_of(left).watch("cgt-1", poll_interval=600.0)
    loop.run_until_complete(anext(states))
    for each in asyncio.all_tasks(loop):
        # It is left pending on purpose; asyncio need not complain on the terminal.
        each._log_destroy_pending = False
    loop.close()
    asyncio.run(leave_behind(AsyncClient(base_url=slow.base_url, api_key=key), order))
    assert loop not in [loop for _, loop in _AsyncRounds.running]


def test_loops_of_several_threads_watch_with_one_client(slow, key, order):
    client = AsyncClient(base_url=slow.base_url, api_key=key)

    async def one():
        task_id = (await client.create_video(**order)).id
        states = [each.status async for each in poller_of(client).watch(task_id, **QUICK)]
        await client.aclose()
        return states[-1]

    with ThreadPoolExecutor(3) as workers:
        ended = workers.map(lambda _: asyncio.run(one()), range(3))
        assert list(ended) == ["succeeded"] * 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_watches_with_a_thread_of_its_own(slow, key):
    """It has its parent's poller, which is in the middle of things, without the thread of it."""
    script = FORKING.format(url=slow.base_url)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.stdout.split(), done.stderr) == (["child:", "succeeded", "parent:", "0"], "")


def test_a_failure_that_is_none_of_ours_reaches_who_waits(key, none_left):
    """An injected client may raise anything; nobody may wait for an answer that cannot come."""

    def broken(request):
        raise RuntimeError("the proxy hook failed")

    http = httpx.Client(transport=httpx.MockTransport(broken))
    with http, Client(api_key=key, base_url="https://api.example/v3", http_client=http) as client:
        with pytest.raises(DoubaoError, match="RuntimeError: the proxy hook") as caught:
            list(poller_of(client).watch("cgt-1"))
        assert isinstance(caught.value.__cause__, RuntimeError)
        assert none_left()
