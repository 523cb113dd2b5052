"""Receivers on a loopback port, and what they receive."""

from __future__ import annotations

import pytest

from doubao_core import AsyncClient, Client
from doubao_core.webhooks import App, Receiver, callback_url, new_token
from doubao_emulator import AfterSeconds


@pytest.fixture
def order():
    """Give what a film is ordered with."""
    return {
        "model": "doubao-seedance-2-0-260128",
        "content": [{"type": "text", "text": "waves at dusk"}],
    }


@pytest.fixture
def slow(emulator, progress):
    """Return the emulator, whose tasks take a third of a second."""
    progress(AfterSeconds(0.3))
    return emulator


@pytest.fixture
def task(patient, key, order):
    """Submit a task that stays queued."""
    with Client(base_url=patient.base_url, api_key=key) as client:
        return client.create_video(**order)


@pytest.fixture
def token():
    return new_token()


@pytest.fixture(params=[Client, AsyncClient], ids=["sync", "async"])
def looking(request, key, emulator):
    """Return the client with which a receiver looks tasks up, of either kind."""
    return request.param(base_url=emulator.base_url, api_key=key, max_retries=0)


@pytest.fixture
def listen(served, token):
    """Serve a receiver; gives it, and the URL to be called back at."""

    def start(client, **options):
        receiver = Receiver(client, token=token, **options)
        return receiver, callback_url(served(App(receiver)), token)

    return start


@pytest.fixture
def gets(emulator):
    """Count the look-ups that arrived."""
    return lambda: sum(each.method == "GET" for each in emulator.requests)


@pytest.fixture
def live():
    """Have an application start and end as a server does; gives what it says."""

    async def live(app):
        said = []

        async def send(message):
            said.append(message["type"])

        events = iter(["lifespan.startup", "lifespan.shutdown"])

        async def receive():
            return {"type": next(events)}

        await app({"type": "lifespan"}, receive, send)
        return said

    return live
