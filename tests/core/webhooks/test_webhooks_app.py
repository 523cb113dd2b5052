"""What reaches a receiver at all: the token, the size of a body, and a server's other traffic."""

from __future__ import annotations

import asyncio
import hmac

import httpx
import pytest

from doubao_core import Client, ConfigError
from doubao_core.webhooks import App, Receiver, new_token


@pytest.fixture
def client(emulator, key):
    return Client(base_url=emulator.base_url, api_key=key)


@pytest.fixture
def answers(client, token):
    """Post to the application itself; gives what it sends, for what *receive* gives it."""
    app = App(Receiver(client, token=token))

    async def post(receive):
        sent = []

        async def send(message):
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": f"/{token}", "headers": []}
        await app(scope, receive, send)
        return sent

    return post


@pytest.mark.parametrize("change", ["wrong", "shorter", "longer", "none", "odd", "twice"])
def test_without_the_token_there_is_nothing_here(emulator, client, listen, token, change):
    given = {
        "wrong": new_token(),
        "shorter": token[:-1],
        "longer": token + "A",
        "none": "",
        "odd": "%F0%9F%98%80%FF",
        "twice": f"{token}/x",
    }[change]
    receiver, url = listen(client)
    answer = httpx.post(
        url.removesuffix(token) + given, json={"id": "cgt-1", "status": "succeeded"}
    )
    assert (answer.status_code, answer.json()) == (404, {})
    assert receiver.counts.refused == 1
    assert emulator.requests == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
def test_only_posts_are_taken(client, listen, method):
    _, url = listen(client)
    assert httpx.request(method, url).status_code == 404


def test_tokens_are_compared_in_constant_time(client, token, monkeypatch):
    compared = []
    monkeypatch.setattr(hmac, "compare_digest", lambda *both: compared.append(both) or False)
    receiver = Receiver(client, token=token)
    assert not receiver.admits("guess")
    assert compared == [(b"guess", token.encode())]


def test_a_token_that_can_be_guessed_is_refused(client):
    with pytest.raises(ConfigError, match="new_token"):
        Receiver(client, token="secret")


def test_a_body_that_is_too_large_is_refused(emulator, client, listen):
    _, url = listen(client)
    assert httpx.post(url, content=b" " * 300 * 1024).status_code == 413
    assert emulator.requests == []


async def test_a_body_without_an_end_is_not_read_to_it(answers):
    read = []

    async def receive():
        read.append(64 * 1024)
        return {"type": "http.request", "body": b" " * read[-1], "more_body": True}

    sent = await answers(receive)
    assert sent[0]["status"] == 413
    assert sum(read) <= 512 * 1024


async def test_a_body_that_does_not_come_is_not_waited_for(answers, monkeypatch):
    monkeypatch.setattr("doubao_core.webhooks.app.BODY_SECONDS", 0.01)
    sent = await answers(asyncio.Event().wait)
    assert sent[0]["status"] == 408


async def test_who_hangs_up_gets_no_answer(answers):
    async def receive():
        return {"type": "http.disconnect"}

    assert await answers(receive) == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"id": "../x"}', b"\xff" * 100])
def test_what_is_no_task_is_refused_without_saying_why(client, listen, content):
    receiver, url = listen(client)
    answer = httpx.post(url, content=content)
    assert (answer.status_code, answer.content) == (400, b"{}")
    assert receiver.counts.refused == 1


async def test_other_traffic_is_turned_away(client, token, live):
    """A websocket is closed, and a server's life is followed, as ASGI wants it."""
    app = App(Receiver(client, token=token))
    sent = []

    async def send(message):
        sent.append(message["type"])

    async def receive():
        return {"type": "websocket.connect"}

    await app({"type": "websocket", "path": "/"}, receive, send)
    assert sent == ["websocket.close"]
    assert await live(app) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
