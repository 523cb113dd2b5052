"""What the gateways' dialects post to webhooks: bodies as printed, signed if asked, on loopback."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging

import httpx
import pytest

from doubao_emulator import AfterSeconds, ManualClock
from doubao_emulator.dialects.seedance2api import Job

SECRET = "whsec-1"
FILM = {"prompt": "waves", "model": "seedance-2.0", "duration": 5}
PICTURE = {"service": "seedream", "prompt": "waves"}


class Hook:
    """An ASGI application that keeps what is posted; `statuses` are its answers, then 200."""

    def __init__(self):
        self.posts, self.statuses = [], []

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            for event in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{event}.complete"})
            return
        raw = (await receive())["body"]
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.posts.append((headers, raw))
        status = self.statuses.pop(0) if self.statuses else 200
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body"})

    @property
    def bodies(self):
        return [json.loads(raw) for _, raw in self.posts]


@pytest.fixture
def hook():
    return Hook()


@pytest.fixture
def url(served, hook):
    return f"{served(hook)}/hook"


@pytest.fixture
def clock(emulator):
    """A clock that stands still; tasks begin after a second of it and end after three."""
    world = emulator.world
    before = world.clock, world.progress
    world.clock, world.progress = ManualClock(), AfterSeconds(3)
    yield world.clock
    world.clock, world.progress = before


@pytest.fixture
def film(emulator):
    """Ask for a film, and give its id."""

    def ask(url):
        answer = httpx.post(
            emulator.base_url_of("seedance2api") + "/v1/seedance/generate",
            json={**FILM, "webhook_url": url},
            headers={"X-API-Key": "k"},
        )
        return answer.json()["data"]["task_id"]

    return ask


@pytest.fixture
def picture(emulator):
    """Ask for a picture, and give its id."""

    def ask(url):
        answer = httpx.post(
            emulator.base_url_of("doitong") + "/v1/text_to_image",
            json={**PICTURE, "webhookUrl": url},
            headers={"X-API-Key": "k"},
        )
        return answer.json()["data"]["generateimage"]["id"]

    return ask


def test_a_films_progress_and_end_are_events(clock, hook, url, film, soon):
    task_id = film(url)
    clock.advance(1.5)
    assert soon(lambda: len(hook.posts) == 1)
    clock.advance(3)
    assert soon(lambda: len(hook.posts) == 2)
    first, last = hook.bodies
    assert first == {
        "event": "task.progress",
        "timestamp": "2026-09-21T14:13:21Z",
        "data": {
            "task_id": task_id,
            "model": "seedance-2.0",
            "status": "processing",
            "progress": 45,
        },
    }
    assert (last["event"], last["data"]["status"]) == ("task.completed", "completed")
    assert last["data"]["result"].keys() == {"video_url", "duration", "resolution"}


def test_a_films_failure_is_an_event(emulator, hook, url, film, soon):
    with emulator.fault("task_failed", message="too dark"):
        film(url)
    assert soon(lambda: len(hook.posts) == 1)
    (event,) = hook.bodies
    assert event["event"] == "task.failed"
    assert event["data"]["error_message"] == "too dark"


def test_a_pictures_end_is_told_and_nothing_before_it(clock, hook, url, picture, soon):
    task_id = picture(url)
    clock.advance(1.5)
    assert hook.posts == []
    clock.advance(3)
    assert soon(lambda: len(hook.posts) == 1)
    (told,) = hook.bodies
    assert (told["id"], told["status"], told["service"]) == (task_id, "completed", "seedream")
    assert (told["createdAt"], told["completedAt"]) == (
        "2026-09-21T14:13:20Z",
        "2026-09-21T14:13:24Z",
    )
    assert told["metadata"] == {"duration": None, "width": 1024, "height": 1024}
    assert httpx.get(told["url"]).status_code == 200


def test_a_picture_that_failed_has_no_url(emulator, hook, url, picture, soon):
    with emulator.fault("task_failed", message="no luck"):
        picture(url)
    assert soon(lambda: len(hook.posts) == 1)
    (told,) = hook.bodies
    assert (told["status"], told["url"], told["error"]["message"]) == ("failed", None, "no luck")


@pytest.mark.parametrize("capitals", [False, True])
def test_deliveries_are_signed_if_asked(emulator, hook, url, picture, capitals, soon):
    with emulator.sign_webhooks(SECRET, header="X-Sig", prefix="sha256=", capitals=capitals):
        picture(url)
        assert soon(lambda: len(hook.posts) == 1)
    picture(url)
    assert soon(lambda: len(hook.posts) == 2)
    (headers, raw), (plain, _) = hook.posts
    digest = hmac.new(SECRET.encode(), raw, hashlib.sha256).hexdigest()
    assert headers["x-sig"] == "sha256=" + (digest.upper() if capitals else digest)
    assert "x-sig" not in plain


def test_the_time_of_sending_is_signed_with_the_body(emulator, clock, hook, url, picture, soon):
    signing = {"header": "X-Sig", "timestamp_header": "X-Time", "age": 100}
    with emulator.sign_webhooks(SECRET, **signing):
        picture(url)
        clock.advance(3)
        assert soon(lambda: len(hook.posts) == 1)
    ((headers, raw),) = hook.posts
    assert headers["x-time"] == str(int(clock.now()) - 100)
    signed = headers["x-time"].encode() + b"." + raw
    assert headers["x-sig"] == hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()


def test_faults_repeat_and_turn_around_what_is_told(emulator, clock, hook, url, film, soon):
    with emulator.fault("webhook_twice"), emulator.fault("webhook_backwards"):
        task_id = film(url)
    clock.advance(1.5)
    assert soon(lambda: emulator.world.table(Job)[task_id].events)
    assert hook.posts == []
    clock.advance(3)
    assert soon(lambda: len(hook.posts) == 4)
    names = [each["event"] for each in hook.bodies]
    assert names == ["task.completed"] * 2 + ["task.progress"] * 2


@pytest.mark.parametrize(("kind", "tries"), [("film", 3), ("picture", 1)])
def test_what_is_not_acknowledged_comes_again_where_the_page_says_so(
    hook, url, film, picture, caplog, kind, tries, soon
):
    hook.statuses[:] = [500] * tries
    with caplog.at_level(logging.WARNING, "doubao_emulator"):
        {"film": film, "picture": picture}[kind](url)
        assert soon(lambda: len(hook.posts) == tries)
        assert soon(lambda: "not acknowledged" in caplog.text)
    assert f"not acknowledged in {tries} tries" in caplog.text
    assert len({raw for _, raw in hook.posts}) == 1


def test_another_host_is_never_called_and_the_log_says_so(film, picture, caplog):
    with caplog.at_level(logging.WARNING, "doubao_emulator"):
        for ask in (film, picture):
            ask("https://example.com/hook?token=secret")
    assert caplog.text.count("not reported to host example.com") == 2
    assert "secret" not in caplog.text


def test_a_task_that_is_forgotten_is_told_no_more(emulator, clock, hook, url, film, picture, soon):
    film(url)
    picture(url)
    emulator.reset()
    clock.advance(3)
    other = picture(url)
    clock.advance(3)
    assert soon(lambda: len(hook.posts) == 1)
    assert [each["id"] for each in hook.bodies] == [other]
