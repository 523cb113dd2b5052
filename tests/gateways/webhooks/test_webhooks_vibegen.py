"""Films of vibegen.art, whose deliveries are signed in a way that is known: its package's."""

from __future__ import annotations

import hmac
import json

import httpx
import pytest

from doubao_core import Client
from doubao_core.gateways import gateway
from doubao_core.webhooks import Signed
from doubao_core.webhooks.reading import task_of

SECRET = "whsec-3f9a1c77d2"
HEADER = "X-Seedance-Signature"
FILM = {"model": "seedance-2.0", "content": [{"type": "text", "text": "A kettle sings"}]}
# The delivery is a whole task (gateways.md 3.6).
TOLD = {
    "event": "task.completed",
    "timestamp": "2026-01-01T00:01:00Z",
    "data": {
        "id": "t1",
        "status": "completed",
        "model": "seedance-2.0",
        "credits_consumed": 100,
        "result": {"video_url": "https://x.example/v.mp4", "duration": 8, "has_audio": True},
        "error": None,
    },
}


@pytest.fixture
def films(at):
    with Client(**at("vibegen")) as client:
        yield client


@pytest.fixture
def scheme():
    """Nothing but the secret has to be said."""
    return Signed.as_documented("vibegen", secret=SECRET)


def signature(raw, secret=SECRET):
    return hmac.new(secret.encode(), raw, "sha256").hexdigest()


def read(body):
    return task_of(gateway("vibegen").webhook, json.dumps(body).encode())


def test_a_delivery_is_a_film():
    task = read(TOLD)
    assert (task.id, task.status, task.model) == ("t1", "succeeded", "seedance-2.0")
    assert task.video_url == "https://x.example/v.mp4"
    assert task.updated_at == 1767225660
    assert task.raw["native"] == TOLD


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ({"status": "failed", "error": "too dark"}, "failed"),
        ({"status": "processing"}, "running"),
        ({"status": "paused"}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_the_status_of_the_task_says_what_happened(data, status):
    task = read({"event": "task.any", "data": {"id": "t1", **data}})
    assert task.status == status
    if status == "failed":
        assert task.error.message == "too dark"


def test_the_end_of_a_film_is_told_and_proven(films, emulator, clock, listen, seen, scheme, soon):
    receiver, url = listen("vibegen", scheme=scheme)
    with emulator.sign_webhooks(SECRET, header=HEADER):
        made = films.create_video(**FILM, callback_url=url)
        clock.advance(3)
        assert soon(lambda: seen.tasks)
    assert [(each.id, each.status) for each in seen.tasks] == [(made.id, "succeeded")]
    assert seen.tasks[0].video_url == films.get_video(made.id).video_url
    assert (receiver.counts.news, receiver.counts.refused) == (1, 0)


def test_the_failure_of_a_film_is_told(films, emulator, clock, listen, seen, scheme, soon):
    _, url = listen("vibegen", scheme=scheme)
    with emulator.sign_webhooks(SECRET, header=HEADER):
        with emulator.fault("task_failed", message="too dark"):
            films.create_video(**FILM, callback_url=url)
        clock.advance(3)
        assert soon(lambda: seen.tasks)
    assert (seen.statuses, seen.tasks[0].error.message) == (["failed"], "too dark")


@pytest.mark.parametrize(
    "headers",
    [
        lambda _: {},
        lambda raw: {HEADER: signature(raw, "another secret")},
        lambda raw: {HEADER: signature(raw + b" ")},
        lambda raw: {HEADER: f"sha256={signature(raw)}"},
    ],
    ids=["none", "another-secret", "another-body", "prefix"],
)
def test_what_is_not_signed_so_is_refused_without_a_look_up(emulator, listen, scheme, headers):
    receiver, url = listen("vibegen", scheme=scheme)
    raw = json.dumps(TOLD).encode()
    assert httpx.post(url, content=raw, headers=headers(raw)).status_code == 400
    assert receiver.counts.refused == 1
    assert emulator.requests == []


def test_a_replay_is_signed_as_well_and_changes_nothing(
    films, emulator, listen, seen, scheme, soon
):
    """No time is signed: only what is remembered tells a replay from news."""
    receiver, url = listen("vibegen", scheme=scheme)
    made = films.create_video(**FILM)
    raw = json.dumps({**TOLD, "data": {**TOLD["data"], "id": made.id}}).encode()
    emulator.requests.clear()
    for _ in range(3):
        answer = httpx.post(url, content=raw, headers={HEADER: signature(raw)})
        assert answer.status_code == 200
    assert soon(lambda: seen.tasks)
    assert (receiver.counts.news, receiver.counts.repeated) == (1, 2)
    assert seen.statuses == ["succeeded"]
    assert len(emulator.requests) == 1
