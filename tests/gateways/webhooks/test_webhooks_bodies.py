"""What a delivery of each gateway says, in Ark's words."""

from __future__ import annotations

import json

import httpx
import pytest

from doubao_core import Client, ConfigError, JobFailed
from doubao_core.gateways import gateway
from doubao_core.webhooks import Receiver, new_token
from doubao_core.webhooks.reading import images_of, task_of


def read(provider, body):
    return task_of(gateway(provider).webhook, json.dumps(body).encode())


def test_doitongs_delivery_is_a_task_and_its_picture(printed_picture):
    """R003-13: size and times are read from the delivery."""
    task = read("doitong", printed_picture)
    assert (task.id, task.status, task.model) == ("abc123xyz", "succeeded", "seedream")
    assert (task.created_at, task.updated_at) == (1704067200, 1704067260)
    assert task.raw["native"] == printed_picture
    made = images_of(task)
    assert (made.task_id, made.status, made.pending) == ("abc123xyz", "succeeded", False)
    (picture,) = made.images
    assert (picture.url, picture.size) == (printed_picture["url"], "1920x1080")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"status": "processing", "url": None}, "running", None),
        ({"url": None}, "failed", "missing_output"),
        ({"status": "failed", "url": None, "error": "no luck"}, "failed", None),
        ({"status": "Somewhere"}, "unknown", None),
    ],
)
def test_doitongs_other_statuses_are_normalised(change, status, code, printed_picture):
    """R003-13: only a finished picture is documented; a success without one is none."""
    task = read("doitong", {**printed_picture, **change})
    assert task.status == status
    assert (task.error.code if task.error else None) == code
    if status == "failed":
        with pytest.raises(JobFailed, match="abc123xyz ended as failed"):
            images_of(task)


def test_seedance2apis_delivery_is_a_film(printed_film):
    """R004-34."""
    task = read("seedance2api", printed_film)
    assert (task.id, task.status, task.model) == (
        "task-uuid-12345",
        "succeeded",
        "seedance-1.5-pro",
    )
    assert task.video_url == "https://cdn.seedance2api.com/x.mp4"
    assert (task.raw["duration"], task.raw["resolution"]) == (15, "1080p")
    assert task.updated_at == 1705314900
    assert task.raw["native"] == printed_film


def test_the_result_says_what_kind_of_task_it_is(printed_film):
    """R004-34: the page has the id of a picture in the delivery of a film."""
    shown = {"images": [{"id": "i", "url": "https://c.example/x.png", "width": 8, "height": 6}]}
    data = {**printed_film["data"], "result": shown}
    task = read("seedance2api", {**printed_film, "data": data})
    assert task.video_url is None
    assert [each.size for each in images_of(task).images] == ["8x6"]


@pytest.mark.parametrize(
    ("data", "status", "progress"),
    [
        ({"status": "failed", "error_message": "too dark"}, "failed", None),
        ({"status": "failed", "error": {"code": "X", "message": "too dark"}}, "failed", None),
        ({"status": "processing", "progress": 45}, "running", 45),
        ({"status": "processing", "progress": "45%"}, "running", 45),
        ({"status": "queued"}, "queued", None),
        ({"status": "paused"}, "unknown", None),
        ({}, "unknown", None),
    ],
)
def test_the_status_says_what_happened_whatever_the_event_is_called(data, status, progress):
    """R004-35, R004-36, R004-37: one name of an event is documented."""
    task = read("seedance2api", {"event": "task.any", "data": {"task_id": "task-1", **data}})
    assert (task.status, task.progress) == (status, progress)
    if status == "failed":
        assert task.error.message == "too dark"


@pytest.mark.parametrize(
    ("provider", "body"),
    [
        ("doitong", {"event": "credits.low", "creditsAvailable": 3}),
        ("doitong", {}),
        ("seedance2api", {"event": "account.warning", "data": {"credits": 3}}),
        ("seedance2api", {"event": "ping", "data": None}),
        ("seedance2api", {"data": []}),
        ("vibegen", {"event": "credits.low", "data": {"remaining": 3}}),
        ("vibegen", {"event": "ping", "data": None}),
        ("vibegen", {"id": "t1", "status": "completed"}),
    ],
)
def test_what_is_about_no_task_is_ignored(emulator, listen, provider, body):
    """R004-34: an event of another kind is taken, so that it does not come again."""
    receiver, url = listen(provider)
    assert httpx.post(url, json=body).status_code == 200
    assert receiver.counts.ignored == 1
    assert emulator.requests == []


@pytest.mark.parametrize("provider", ["xroute", "anyfast", "openai-compatible"])
def test_a_provider_that_does_not_say_what_it_delivers_is_refused(provider):
    client = Client(provider=provider, api_key="k-0123456789", base_url="http://127.0.0.1:9")
    with pytest.raises(ConfigError, match=r"doitong, .* do"):
        Receiver(client, token=new_token())
