"""Watching a task over real HTTP, with both drivers: what is seen, failures, and news."""

from __future__ import annotations

import asyncio
import threading
from contextlib import aclosing
from dataclasses import replace
from types import SimpleNamespace

import httpx
import pytest

from doubao_core import (
    AsyncClient,
    Client,
    ConfigError,
    NotFound,
    RateLimited,
    ServerError,
    VideoTask,
)
from doubao_core.polling import poller_of

TASKS = "/contents/generations/tasks"
QUICK = {"poll_interval": 0.02}


@pytest.fixture
def timeouts():
    """Give a transport for which every task has succeeded, and the patience it was asked for."""
    seen = []

    def answer(request):
        seen.append(request.extensions["timeout"])
        return httpx.Response(200, json={"id": "cgt-1", "status": "succeeded"})

    return SimpleNamespace(transport=httpx.MockTransport(answer), seen=seen)


def test_each_state_is_given_until_the_task_ends(watching, slow, looks):
    seen = watching(base_url=slow.base_url)
    states = seen.watch(seen.submit(), **QUICK)
    assert states == ["queued", "running", "running", "running", "succeeded"]
    assert looks(slow) == [1] * 5


def test_a_task_that_does_not_exist_is_raised_to_its_watcher_alone(watching, slow, looks):
    seen = watching(base_url=slow.base_url)
    with pytest.raises(NotFound):
        seen.watch("cgt-nothing")
    assert looks(slow) == [1]


def test_a_task_that_goes_on_is_left_when_the_time_is_over(watching, slow, looks):
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


def test_failures_that_pass_are_waited_out(watching, slow, looks):
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


def test_a_refusal_that_asks_to_wait_for_long_is_raised_when_the_time_is_over(
    watching, slow, looks
):
    """Nobody asks again before the service wants to be asked, nor waits longer than he said."""
    seen = watching(base_url=slow.base_url)
    task_id = seen.submit()
    with slow.fault("rate_limit", path=TASKS, retry_after=3600), pytest.raises(RateLimited):
        seen.watch(task_id, wait_timeout=0.2, **QUICK)
    assert looks(slow) == [1]


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


def test_what_is_told_wakes_a_watcher_that_blocks(key, patient, order, looks):
    """The emulator's task never moves by itself; what is told ends the wait, without a look-up."""
    with Client(base_url=patient.base_url, api_key=key) as client:
        task = client.create_video(**order)
        states = poller_of(client).watch(task.id, poll_interval=600.0)
        assert next(states).status == "queued"
        ended = replace(task, status="succeeded", video_url="https://films.example/1.mp4")
        later = threading.Timer(0.05, poller_of(client).tell, [ended])
        later.start()
        assert [each.video_url for each in states] == ["https://films.example/1.mp4"]
        later.join()
    assert looks(patient) == [1]


async def test_what_another_thread_tells_wakes_a_watcher_that_awaits(key, patient, order, looks):
    async with AsyncClient(base_url=patient.base_url, api_key=key) as client:
        task = await client.create_video(**order)
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
