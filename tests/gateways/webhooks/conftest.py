"""Receivers at the gateways' dialects, and a clock that says when their tasks end.

Neither page says how deliveries are signed, so the signatures here are one possible choice of a
user: HMAC-SHA256 in hex, of the body, or of the time and the body.
"""

from __future__ import annotations

import asyncio
import time

import pytest

from doubao_core import AsyncClient, Client
from doubao_core.webhooks import App, Receiver, callback_url, new_token
from doubao_emulator import AfterSeconds, ManualClock


@pytest.fixture
def printed_picture():
    """Return Doitong's delivery as its page prints it (gateways.md 3.4)."""
    return {
        "id": "abc123xyz",
        "status": "completed",
        "url": "https://cdn.doitong.com/outputs/abc123xyz.jpg",
        "service": "seedream",
        "createdAt": "2024-01-01T00:00:00Z",
        "completedAt": "2024-01-01T00:01:00Z",
        "metadata": {"duration": None, "width": 1920, "height": 1080},
    }


@pytest.fixture
def printed_film():
    """Return seedance2api's delivery as its page prints it (gateways.md 3.5)."""
    return {
        "event": "task.completed",
        "timestamp": "2024-01-15T10:35:00Z",
        "data": {
            "task_id": "task-uuid-12345",
            "status": "completed",
            "model": "seedance-1.5-pro",
            "result": {
                "video_url": "https://cdn.seedance2api.com/x.mp4",
                "duration": 15,
                "resolution": "1080p",
            },
        },
    }


class Seen:
    """Remembers what the hooks of a receiver are called with."""

    def __init__(self, *, awaits=False):
        self.tasks, self.images, self.hints = [], [], []
        keep = self._awaiting if awaits else self._blocking
        self.hooks = {
            "on_task": keep(self.tasks),
            "on_images": keep(self.images),
            "on_hint": keep(self.hints),
        }

    @staticmethod
    def _blocking(kept):
        return kept.append

    @staticmethod
    def _awaiting(kept):
        async def keep(value):
            await asyncio.sleep(0)
            kept.append(value)

        return keep

    @property
    def statuses(self):
        return [each.status for each in self.tasks]


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def kind(request):
    """Say whether the hooks and the look-ups of the receiver block or await."""
    return request.param


@pytest.fixture
def seen(kind):
    return Seen(awaits=kind)


@pytest.fixture
def listen(at, served, seen, kind):
    """Serve a receiver for a gateway; gives it, and the URL to be called back at."""

    def start(provider, dialect=None, **options):
        client = (AsyncClient if kind else Client)(**at(provider, dialect))
        token = new_token()
        receiver = Receiver(client, token=token, **seen.hooks, **options)
        return receiver, callback_url(served(App(receiver)), token)

    return start


@pytest.fixture
def clock(emulator):
    """Have tasks begin a second after they are asked for, and end after three: by this clock."""
    world = emulator.world
    before = world.clock, world.progress
    world.clock, world.progress = ManualClock(time.time()), AfterSeconds(3)
    yield world.clock
    world.clock, world.progress = before


@pytest.fixture
def order(at):
    """Ask a Doitong dialect for a picture that its webhook tells of."""

    def ask(url, provider="doitong", **options):
        with Client(**at(provider, "doitong")) as client:
            return client.create_images(
                model="seedream", prompt="A city", extra_body={"webhookUrl": url}, **options
            )

    return ask


@pytest.fixture
def wait(kind):
    """Wait for pictures, blocking or awaiting."""

    def found(receiver, made, seconds):
        if kind:
            return asyncio.run(receiver.await_images(made, wait_timeout=seconds))
        return receiver.wait_images(made, wait_timeout=seconds)

    return found
