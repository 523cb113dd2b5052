"""What a delivery changes: the emulator's real callbacks, replays, lies, and look-ups that fail."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from doubao_core import AsyncClient, Client
from doubao_core.polling import poller_of
from doubao_core.webhooks import App, Receiver, callback_url
from doubao_core.webhooks import receiver as receiver_module


def body(task_id="cgt-1", status="succeeded", **fields):
    return {"id": task_id, "status": status, **fields}


def test_the_emulators_callbacks_arrive_and_each_state_is_passed_on_once(
    slow, looking, listen, order, key, soon
):
    seen = []
    _, url = listen(looking, on_task=seen.append)
    with Client(base_url=slow.base_url, api_key=key) as client:
        made = client.create_video(**order, callback_url=url)
        assert soon(lambda: seen and seen[-1].ended)
        assert seen[-1].video_url == client.get_video(made.id).video_url
    statuses = [each.status for each in seen]
    assert statuses == sorted(set(statuses), key=["queued", "running", "succeeded"].index)
    assert {each.id for each in seen} == {made.id}


@pytest.mark.parametrize("path", ["", "/hooks", "/a/b/c"])
def test_it_can_be_mounted_below_any_path(served, looking, task, token, path):
    receiver = Receiver(looking, token=token)
    app = Starlette(routes=[Mount(path or "/", app=App(receiver))])
    url = callback_url(served(app) + path, token)
    assert httpx.post(url, json=body(task.id)).status_code == 200
    assert receiver.counts.news == 1


def test_a_watcher_learns_at_once_what_a_delivery_says(slow, listen, order, key):
    """With ten minutes between look-ups, only the callback can be how it knows."""
    with Client(base_url=slow.base_url, api_key=key) as client:
        _, url = listen(client, wakes=poller_of(client))
        made = client.create_video(**order, callback_url=url)
        states = poller_of(client).watch(made.id, poll_interval=600.0)
        assert [each.status for each in states][-1] == "succeeded"


async def test_a_watcher_that_awaits_elsewhere_learns_it_too(slow, listen, order, key):
    async with AsyncClient(base_url=slow.base_url, api_key=key) as client:
        looking = Client(base_url=slow.base_url, api_key=key)
        _, url = await asyncio.to_thread(listen, looking, wakes=poller_of(client))
        made = await client.create_video(**order, callback_url=url)
        states = poller_of(client).watch(made.id, poll_interval=600.0)
        assert [each.status async for each in states][-1] == "succeeded"
        looking.close()


def test_the_body_is_a_hint_only(looking, task, listen, soon):
    """It says succeeded, with a URL of its own; the service says queued, and that is passed on."""
    seen = []
    _, url = listen(looking, on_task=seen.append)
    forged = body(task.id, content={"video_url": "https://evil.example/film.mp4"})
    assert httpx.post(url, json=forged).status_code == 200
    assert soon(lambda: seen)
    assert [(each.status, each.video_url) for each in seen] == [("queued", None)]


def test_replays_and_what_goes_back_are_dropped_without_a_look_up(
    emulator, looking, listen, order, key, gets, soon
):
    with Client(base_url=emulator.base_url, api_key=key) as client:
        made = client.create_video(**order)
    seen = []
    receiver, url = listen(looking, on_task=seen.append)
    for status in ("succeeded", "succeeded", "running", "queued", "failed", "dreaming"):
        assert httpx.post(url, json=body(made.id, status)).status_code == 200
    assert (receiver.counts.news, receiver.counts.repeated) == (1, 5)
    assert gets() == 1
    assert soon(lambda: len(seen) == 1)


def test_a_state_that_is_told_twice_is_looked_up_once(looking, task, listen, gets):
    receiver, url = listen(looking)
    for _ in range(3):
        assert httpx.post(url, json=body(task.id, "queued")).status_code == 200
    assert (receiver.counts.news, receiver.counts.repeated) == (1, 2)
    assert gets() == 1


def test_deliveries_out_of_order_end_with_the_end(slow, looking, listen, order, key, soon):
    """The end is known when the beginning is told: the look-up, not the delivery, is believed."""
    with Client(base_url=slow.base_url, api_key=key) as client:
        made = client.create_video(**order)
        assert soon(lambda: client.get_video(made.id).ended)
    seen = []
    _, url = listen(looking, on_task=seen.append)
    for status in ("queued", "running", "succeeded"):
        httpx.post(url, json=body(made.id, status))
    assert soon(lambda: seen)
    assert [each.status for each in seen] == ["succeeded"]


def test_ids_that_do_not_exist_are_dropped_and_counted(looking, listen):
    receiver, url = listen(looking)
    assert httpx.post(url, json=body("cgt-none")).status_code == 200
    assert receiver.counts.unknown == 1


def test_ids_that_are_not_ours_are_dropped_without_a_look_up(looking, listen, gets):
    receiver, url = listen(looking, ours={"cgt-mine"}.__contains__)
    assert httpx.post(url, json=body("cgt-theirs")).status_code == 200
    assert receiver.counts.unknown == 1
    assert gets() == 0


@pytest.mark.parametrize("failure", ["server_error", "reset_before_answer", "rate_limit"])
def test_a_delivery_whose_look_up_fails_is_to_come_again(emulator, looking, task, listen, failure):
    receiver, url = listen(looking)
    with emulator.fault(failure, path=task.id, times=1):
        assert httpx.post(url, json=body(task.id)).status_code == 503
    assert httpx.post(url, json=body(task.id)).status_code == 200
    assert (receiver.counts.postponed, receiver.counts.news) == (1, 1)


def test_a_look_up_that_hangs_is_answered_before_the_service_gives_up(
    emulator, looking, task, listen, monkeypatch
):
    monkeypatch.setattr(receiver_module, "LOOK_UP_SECONDS", 0.05)
    _, url = listen(looking)
    with emulator.fault("stall", path=task.id):
        assert httpx.post(url, json=body(task.id)).status_code == 503


def test_a_flood_of_deliveries_does_not_become_a_flood_of_look_ups(
    looking, task, listen, gets, monkeypatch
):
    monkeypatch.setattr(receiver_module, "MOST_LOOK_UPS", 0)
    _, url = listen(looking)
    assert httpx.post(url, json=body(task.id)).status_code == 503
    assert gets() == 0


def test_what_is_remembered_is_bounded(emulator, order, key, token, monkeypatch):
    monkeypatch.setattr(receiver_module, "MOST_TASKS", 3)
    client = Client(base_url=emulator.base_url, api_key=key)
    ids = [client.create_video(**order).id for _ in range(5)]
    receiver = Receiver(client, token=token)

    async def deliver():
        for each in (*ids, ids[-1], ids[0]):
            await receiver.receive({}, json.dumps(body(each)).encode())

    asyncio.run(deliver())
    assert (receiver.counts.news, receiver.counts.repeated) == (6, 1), "the first was forgotten"
