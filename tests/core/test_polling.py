"""Watching tasks over real HTTP, with both drivers: few requests, no thread per task, no leaks."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import importlib.metadata
import os
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, closing
from dataclasses import replace
from types import SimpleNamespace

import httpx
import pytest

from doubao_core import (
    AsyncClient,
    Client,
    ConfigError,
    DoubaoError,
    NotFound,
    RateLimited,
    ServerError,
    VideoTask,
)
from doubao_core.gateways import known
from doubao_core.gateways.ark import ARK
from doubao_core.polling import poller_of
from doubao_core.polling.poller import _AsyncRounds
from doubao_emulator import AfterReads, AfterSeconds, Emulator

MODEL = "doubao-seedance-2-0-260128"
ORDER = {"model": MODEL, "content": [{"type": "text", "text": "waves at dusk"}]}
TASKS = "/contents/generations/tasks"
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


class Blocking:
    """A client whose watchers block."""

    def __init__(self, **options):
        self.client = Client(**options)

    def submit(self):
        return self.client.create_video(**ORDER).id

    def watch(self, task_id, **options):
        """Give the statuses that are seen."""
        with closing(poller_of(self.client).watch(task_id, **options)) as states:
            return [state.status for state in states]

    def watch_many(self, task_ids, **options):
        """Watch each task by itself, all at once; gives the last status of each."""
        with ThreadPoolExecutor(len(task_ids)) as threads:
            seen = threads.map(lambda each: self.watch(each, **options), task_ids)
            return [each[-1] for each in seen]

    def watch_together(self, task_ids, **options):
        return list(poller_of(self.client).watch_many(task_ids, **options))

    def finish(self):
        self.client.close()


class Awaiting:
    """The same with an asyncio client, in a loop of its own."""

    def __init__(self, **options):
        self.client = AsyncClient(**options)
        self.runner = asyncio.Runner()

    def submit(self):
        return self.runner.run(self.client.create_video(**ORDER)).id

    async def _watch(self, task_id, **options):
        async with aclosing(poller_of(self.client).watch(task_id, **options)) as states:
            return [state.status async for state in states]

    def watch(self, task_id, **options):
        return self.runner.run(self._watch(task_id, **options))

    def watch_many(self, task_ids, **options):
        async def all_of_them():
            return await asyncio.gather(*(self._watch(each, **options) for each in task_ids))

        return [each[-1] for each in self.runner.run(all_of_them())]

    def watch_together(self, task_ids, **options):
        async def all_of_them():
            return [each async for each in poller_of(self.client).watch_many(task_ids, **options)]

        return self.runner.run(all_of_them())

    def finish(self):
        with self.runner:
            self.runner.run(self.client.aclose())


@pytest.fixture(params=[Blocking, Awaiting], ids=["sync", "async"])
def watching(request, key):
    """Make clients of both kinds, called alike."""
    made = []

    def make(**options):
        made.append(request.param(api_key=key, **options))
        return made[-1]

    yield make
    for each in made:
        each.finish()


@pytest.fixture(scope="module")
def running_slow():
    with Emulator(progress=AfterReads(4)) as emulator:
        yield emulator


@pytest.fixture
def slow(running_slow):
    """Return an emulator whose tasks take a few look-ups."""
    running_slow.reset()
    return running_slow


@pytest.fixture(scope="module")
def running_patient():
    with Emulator(progress=AfterSeconds(6000)) as emulator:
        yield emulator


@pytest.fixture
def patient(running_patient):
    """Return an emulator whose tasks go on for longer than any test."""
    running_patient.reset()
    return running_patient


@pytest.fixture
def listless(monkeypatch):
    """Have another package bring a provider that cannot list; gives its name."""
    gateway = ARK.but(
        name="listless",
        routes={name: each for name, each in ARK.routes.items() if name != "videos.list"},
    )
    entry = SimpleNamespace(name=gateway.name, load=lambda: gateway)
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_: [entry])
    known.cache_clear()
    yield gateway.name
    known.cache_clear()


@pytest.fixture
def timeouts():
    """Give a transport for which every task has succeeded, and the patience it was asked for."""
    seen = []

    def answer(request):
        seen.append(request.extensions["timeout"])
        return httpx.Response(200, json={"id": "cgt-1", "status": "succeeded"})

    return SimpleNamespace(transport=httpx.MockTransport(answer), seen=seen)


async def submitted(client, count):
    """Submit *count* tasks, a few at a time; gives their ids."""
    places = asyncio.Semaphore(32)

    async def one():
        async with places:
            return (await client.create_video(**ORDER)).id

    return await asyncio.gather(*(one() for _ in range(count)))


def busiest_second(emulator):
    """Give the most look-ups of any second."""
    times = [each.time for each in emulator.requests if each.method == "GET"]
    return max(sum(1 for other in times if 0 <= other - each < 1.0) for each in times)


async def none_looks():
    """Wait until this loop has no task that looks up, which is soon."""
    for each in pollers():
        await asyncio.wait_for(each, 10)


def pollers():
    """Give the tasks of this loop that look up."""
    return [each for each in asyncio.all_tasks() if each.get_name() == "doubao-poller"]


def looks(emulator):
    """Give the look-ups that arrived: each the number of tasks that it asked for, 1 for a GET."""
    return [
        each.query.count("filter.task_ids=") or 1
        for each in emulator.requests
        if each.method == "GET" and TASKS in each.path
    ]


def threads():
    return [each for each in threading.enumerate() if each.name == "doubao-poller"]


def none_left():
    """Whether no poller's thread runs any more, soon."""
    limit = time.monotonic() + 10
    while threads() and time.monotonic() < limit:
        time.sleep(0.005)
    return not threads()


def test_each_state_is_given_until_the_task_ends(watching, slow):
    seen = watching(base_url=slow.base_url)
    states = seen.watch(seen.submit(), **QUICK)
    assert states == ["queued", "running", "running", "running", "succeeded"]
    assert looks(slow) == [1] * 5


def test_many_tasks_share_pages_of_the_list(watching, slow):
    """Sixty watchers of their own, five look-ups of each task: far fewer than 300 requests."""
    seen = watching(base_url=slow.base_url)
    ids = [seen.submit() for _ in range(60)]
    assert seen.watch_many(ids, **QUICK) == ["succeeded"] * 60
    assert len(looks(slow)) <= 150
    assert max(looks(slow)) > 10


async def test_a_thousand_tasks_share_ten_requests_a_round(key):
    """Three look-ups of each are 3,000 GETs, or thirty pages; some are not full at the end."""
    with Emulator(progress=AfterReads(2)) as emulator:
        async with AsyncClient(base_url=emulator.base_url, api_key=key) as client:
            ids = await submitted(client, 1000)
            poller = poller_of(client)

            async def last(task_id):
                return [each async for each in poller.watch(task_id, poll_interval=0.5)][-1]

            ended = await asyncio.gather(*map(last, ids))
        assert [each.id for each in ended] == ids
        assert {each.status for each in ended} == {"succeeded"}
        assert len(looks(emulator)) <= 90
        assert busiest_second(emulator) <= 20


def test_a_thousand_tasks_are_watched_with_one_thread_more(key):
    with Emulator(progress=AfterReads(2)) as emulator:
        client = AsyncClient(base_url=emulator.base_url, api_key=key)
        ids = asyncio.run(submitted(client, 1000))
        before, most = threading.active_count(), 0
        with Client(base_url=emulator.base_url, api_key=key) as blocking:
            ended = set()
            for state in poller_of(blocking).watch_many(ids, poll_interval=0.5):
                most = max(most, threading.active_count())
                ended |= {state.id} if state.ended else set()
        assert ended == set(ids)
        assert most - before <= 1
        assert len(looks(emulator)) <= 90
        assert busiest_second(emulator) <= 20


def test_several_tasks_are_watched_by_one_who_waits(watching, slow):
    seen = watching(base_url=slow.base_url)
    ids = [seen.submit() for _ in range(5)]
    states = seen.watch_together([*ids, ids[0]], **QUICK)
    assert sorted(each.id for each in states if each.ended) == sorted(ids)
    assert all(each.video_url for each in states if each.ended)


def test_nothing_to_watch_is_nothing_to_wait_for(watching, emulator):
    assert watching(base_url=emulator.base_url).watch_together([]) == []
    assert looks(emulator) == []


def test_what_does_not_exist_is_raised_after_the_others_have_ended(watching, slow):
    seen = watching(base_url=slow.base_url)
    task_id = seen.submit()
    with pytest.raises(NotFound):
        seen.watch_together([task_id, "cgt-nothing"], **QUICK)
    assert slow.requests[-1].path.endswith(task_id), "it went on with the other, to its end"
    assert len(looks(slow)) > 5


def test_a_task_that_does_not_exist_is_raised_to_its_watcher_alone(watching, slow):
    seen = watching(base_url=slow.base_url)
    with pytest.raises(NotFound):
        seen.watch("cgt-nothing")
    assert looks(slow) == [1]


def test_a_task_that_goes_on_is_left_when_the_time_is_over(watching, slow):
    seen = watching(base_url=slow.base_url)
    assert seen.watch(seen.submit(), wait_timeout=0.0) == ["queued"]
    assert looks(slow) == [1]


def test_a_task_that_is_deleted_meanwhile_is_not_found(watching, patient):
    seen = watching(base_url=patient.base_url)
    task_id = seen.submit()
    later = threading.Timer(0.1, patient.reset)
    later.start()
    with pytest.raises(NotFound):
        seen.watch(task_id, **QUICK)
    later.join()


def test_a_cancelled_task_ends_it(watching, patient):
    seen = watching(base_url=patient.base_url)
    task_id = seen.submit()
    with Client(base_url=patient.base_url, api_key="other") as other:
        other.delete_video(task_id)
    assert seen.watch(task_id) == ["cancelled"]


def test_failures_that_pass_are_waited_out(watching, slow):
    seen = watching(base_url=slow.base_url)
    task_id = seen.submit()
    with (
        slow.fault("server_error", path=TASKS, times=2, status=503),
        slow.fault("reset_before_answer", path=TASKS, times=1),
        slow.fault("rate_limit", path=TASKS, times=1, retry_after=0),
    ):
        assert seen.watch(task_id, **QUICK)[-1] == "succeeded"
    assert len(looks(slow)) == 5 + 4, "each failure costs one request, not three"


def test_a_failure_that_lasts_is_raised_when_the_time_is_over(watching, slow):
    seen = watching(base_url=slow.base_url)
    task_id = seen.submit()
    with slow.fault("server_error", path=TASKS, status=503), pytest.raises(ServerError):
        seen.watch(task_id, wait_timeout=0.1, **QUICK)


def test_a_refusal_that_asks_to_wait_for_long_is_raised_when_the_time_is_over(watching, slow):
    """Nobody asks again before the service wants to be asked, nor waits longer than he said."""
    seen = watching(base_url=slow.base_url)
    task_id = seen.submit()
    with slow.fault("rate_limit", path=TASKS, retry_after=3600), pytest.raises(RateLimited):
        seen.watch(task_id, wait_timeout=0.2, **QUICK)
    assert looks(slow) == [1]


def test_a_provider_without_a_list_is_asked_for_each_task(watching, slow, listless):
    seen = watching(base_url=slow.base_url, provider=listless)
    ids = [seen.submit() for _ in range(4)]
    assert seen.watch_many(ids, **QUICK) == ["succeeded"] * 4
    assert looks(slow) == [1] * 20


def test_look_ups_have_less_patience_than_other_requests(key, timeouts):
    """One that hangs must not hold up the look-ups of a thousand other tasks for ten minutes."""
    with httpx.Client(transport=timeouts.transport) as http:
        client = Client(api_key=key, base_url="https://api.example/v3", http_client=http)
        assert [each.status for each in poller_of(client).watch("cgt-1")] == ["succeeded"]
        client.get_video("cgt-1")
    assert [each["read"] for each in timeouts.seen] == [30.0, 600.0]


async def test_look_ups_that_are_awaited_have_less_patience_too(key, timeouts):
    async with httpx.AsyncClient(transport=timeouts.transport) as http:
        client = AsyncClient(api_key=key, base_url="https://api.example/v3", http_client=http)
        assert [each.status async for each in poller_of(client).watch("cgt-1")] == ["succeeded"]
        await client.get_video("cgt-1")
    assert [each["read"] for each in timeouts.seen] == [30.0, 600.0]


def test_watchers_of_all_threads_share_one_thread_that_ends_with_the_last(slow, key):
    with Client(base_url=slow.base_url, api_key=key) as client:
        ids = [client.create_video(**ORDER).id for _ in range(8)]

        def watch(task_id):
            return [len(threads()) for _ in poller_of(client).watch(task_id, **QUICK)]

        with ThreadPoolExecutor(8) as workers:
            running = list(workers.map(watch, ids))
        assert max(map(max, running)) == 1
        assert none_left()


def test_who_leaves_early_ends_the_look_ups(slow, key):
    with Client(base_url=slow.base_url, api_key=key) as client:
        states = poller_of(client).watch(client.create_video(**ORDER).id, **QUICK)
        next(states)
        states.close()
        assert none_left()
        assert len(looks(slow)) < 5, "it did not go on to the end"


def test_a_watch_that_is_dropped_ends_the_look_ups_too(slow, key):
    with Client(base_url=slow.base_url, api_key=key) as client:
        states = poller_of(client).watch(client.create_video(**ORDER).id, **QUICK)
        next(states)
        del states
        gc.collect()
        assert none_left()


def test_nothing_of_a_client_is_kept_when_nobody_watches(slow, key):
    client = Client(base_url=slow.base_url, api_key=key)
    seen = [
        each.status for each in poller_of(client).watch(client.create_video(**ORDER).id, **QUICK)
    ]
    assert seen[-1] == "succeeded"
    assert none_left()
    gone = weakref.ref(client)
    del client
    gc.collect()
    assert gone() is None


async def test_watchers_of_a_loop_share_one_task_that_ends_with_the_last(slow, key):
    async with AsyncClient(base_url=slow.base_url, api_key=key) as client:
        ids = [(await client.create_video(**ORDER)).id for _ in range(8)]

        async def watch(task_id):
            return [len(pollers()) async for _ in poller_of(client).watch(task_id, **QUICK)]

        running = await asyncio.gather(*map(watch, ids))
        assert max(map(max, running)) == 1
        await none_looks()


async def test_cancelling_a_watcher_ends_the_look_ups(slow, key):
    async with AsyncClient(base_url=slow.base_url, api_key=key) as client:
        begun = asyncio.Event()

        async def watch():
            async for _ in poller_of(client).watch(task_id, poll_interval=600.0):
                begun.set()

        task_id = (await client.create_video(**ORDER)).id
        watching = asyncio.ensure_future(watch())
        await begun.wait()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await none_looks()
        assert looks(slow) == [1]


async def test_a_poller_that_is_cancelled_tells_those_who_watch(patient, key):
    """Who cancels all tasks of a loop must not leave others waiting for news that cannot come."""
    async with AsyncClient(base_url=patient.base_url, api_key=key) as client:
        task_id = (await client.create_video(**ORDER)).id
        async with aclosing(poller_of(client).watch(task_id, poll_interval=600.0)) as states:
            await anext(states)
            for each in pollers():
                each.cancel()
            with pytest.raises(DoubaoError, match="watch again"):
                await anext(states)
        assert [each.status async for each in poller_of(client).watch(task_id, wait_timeout=0)]


async def test_the_first_watchers_context_is_none_of_the_pollers(slow, key):
    """What traces a run must not hold on to whoever began the look-ups, nor be charged for all."""
    mark = contextvars.ContextVar("mark", default="nobody's")
    seen = []

    async def note(_):
        seen.append(mark.get())

    http = httpx.AsyncClient(event_hooks={"request": [note]})
    async with http, AsyncClient(base_url=slow.base_url, api_key=key, http_client=http) as client:
        task_id = (await client.create_video(**ORDER)).id
        mark.set("mine")
        seen.clear()
        async for _ in poller_of(client).watch(task_id, **QUICK):
            pass
    assert set(seen) == {"nobody's"}


async def leave_behind(client):
    """End a loop in the middle of a watch."""
    task_id = (await client.create_video(**ORDER)).id
    await anext(poller_of(client).watch(task_id, **QUICK))
    return task_id


async def last_status(client, task_id):
    return [each.status async for each in poller_of(client).watch(task_id, **QUICK)][-1]


def test_a_loop_that_ends_while_somebody_watches_leaves_nothing(slow, key):
    client = AsyncClient(base_url=slow.base_url, api_key=key)
    task_id = asyncio.run(leave_behind(client))
    assert asyncio.run(last_status(client, task_id)) == "succeeded", "another loop begins anew"
    gone = weakref.ref(client)
    del client
    gc.collect()
    assert gone() is None


def test_what_a_loop_that_was_closed_in_the_middle_leaves_is_dropped_by_the_next(slow, key):
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
    asyncio.run(leave_behind(AsyncClient(base_url=slow.base_url, api_key=key)))
    assert loop not in [loop for _, loop in _AsyncRounds.running]


def test_loops_of_several_threads_watch_with_one_client(slow, key):
    client = AsyncClient(base_url=slow.base_url, api_key=key)

    async def one():
        task_id = (await client.create_video(**ORDER)).id
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


def test_what_is_told_wakes_a_watcher_that_blocks(key, patient):
    """The emulator's task never moves by itself; what is told ends the wait, without a look-up."""
    with Client(base_url=patient.base_url, api_key=key) as client:
        task = client.create_video(**ORDER)
        states = poller_of(client).watch(task.id, poll_interval=600.0)
        assert next(states).status == "queued"
        ended = replace(task, status="succeeded", video_url="https://films.example/1.mp4")
        later = threading.Timer(0.05, poller_of(client).tell, [ended])
        later.start()
        assert [each.video_url for each in states] == ["https://films.example/1.mp4"]
        later.join()
    assert looks(patient) == [1]


async def test_what_another_thread_tells_wakes_a_watcher_that_awaits(key, patient):
    async with AsyncClient(base_url=patient.base_url, api_key=key) as client:
        task = await client.create_video(**ORDER)
        async with aclosing(poller_of(client).watch(task.id, poll_interval=600.0)) as states:
            assert (await anext(states)).status == "queued"
            await asyncio.to_thread(poller_of(client).tell, replace(task, status="expired"))
            assert [each.status async for each in states] == ["expired"]
    assert looks(patient) == [1]


def test_telling_when_nobody_watches_does_nothing(key, emulator):
    task = VideoTask(id="cgt-1", status="succeeded")
    poller_of(Client(base_url=emulator.base_url, api_key=key)).tell(task)
    poller_of(AsyncClient(base_url=emulator.base_url, api_key=key)).tell(task)
    assert emulator.requests == []


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"poll_interval": 0}, "poll_interval"),
        ({"poll_interval": float("nan")}, "poll_interval"),
        ({"wait_timeout": -1.0}, "wait_timeout"),
        ({"wait_timeout": float("nan")}, "wait_timeout"),
        ({"task_id": "../files"}, "task_id"),
    ],
)
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_what_is_wrong_is_said_before_anything_is_sent(kind, wrong, named):
    with pytest.raises(ConfigError, match=named):
        poller_of(kind()).watch(**{"task_id": "cgt-1", **wrong})


def test_a_failure_that_is_none_of_ours_reaches_who_waits(key):
    """An injected client may raise anything; nobody may wait for an answer that cannot come."""

    def broken(request):
        raise RuntimeError("the proxy hook failed")

    http = httpx.Client(transport=httpx.MockTransport(broken))
    with http, Client(api_key=key, base_url="https://api.example/v3", http_client=http) as client:
        with pytest.raises(DoubaoError, match="RuntimeError: the proxy hook") as caught:
            list(poller_of(client).watch("cgt-1"))
        assert isinstance(caught.value.__cause__, RuntimeError)
        assert none_left()
