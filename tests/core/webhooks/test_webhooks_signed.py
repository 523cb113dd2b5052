"""What a signature proves to a receiver, whom it calls, and what it never writes down."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import time

import httpx
import pytest

from doubao_core import Client, UnsupportedOperation
from doubao_core.webhooks import App, Receiver, Signed

SECRET = "whsec-3f9a1c77d2"
SCHEME = Signed(secret=SECRET, header="X-Signature", signs="body")


def body(task_id="cgt-1", status="succeeded"):
    return json.dumps({"id": task_id, "status": status}).encode()


def sign(content):
    return {"X-Signature": hmac.new(SECRET.encode(), content, "sha256").hexdigest()}


def test_a_signed_delivery_that_comes_twice_is_harmless(looking, task, listen, gets):
    receiver, url = listen(looking, scheme=SCHEME)
    content = body(task.id)
    for _ in range(3):
        assert httpx.post(url, content=content, headers=sign(content)).status_code == 200
    assert httpx.post(url, content=content).status_code == 400
    counts = receiver.counts
    assert (counts.news, counts.repeated, counts.refused) == (1, 2, 1)
    assert gets() == 1


def test_a_signed_delivery_that_failed_is_not_taken_for_a_replay(emulator, looking, task, listen):
    receiver, url = listen(looking, scheme=SCHEME)
    content = body(task.id)
    with emulator.fault("server_error", path=task.id, times=1):
        assert httpx.post(url, content=content, headers=sign(content)).status_code == 503
    assert httpx.post(url, content=content, headers=sign(content)).status_code == 200
    assert receiver.counts.news == 1


class Lookless(Client):
    """A client of a provider that can look nothing up."""

    def get_video(self, task_id):
        raise UnsupportedOperation("no look-up")


@pytest.mark.parametrize(("scheme", "news", "unproven"), [(SCHEME, 1, 0), (None, 0, 1)])
def test_where_nothing_can_be_looked_up_only_a_signature_proves_anything(
    listen, key, soon, scheme, news, unproven
):
    seen = []
    receiver, url = listen(Lookless(api_key=key), scheme=scheme, on_task=seen.append)
    assert httpx.post(url, content=body(), headers=sign(body())).status_code == 200
    assert (receiver.counts.news, receiver.counts.unproven) == (news, unproven)
    assert soon(lambda: len(seen) == news)


class Slower:
    """A hook that takes long for the first states, less for later ones, and nothing to begin."""

    def __init__(self):
        self.ended = []
        self._pauses = iter((0.05, 0.02, 0.0))

    def call(self, task):
        time.sleep(next(self._pauses))
        self.ended.append(task.status)

    async def acall(self, task):
        await asyncio.sleep(next(self._pauses))
        self.ended.append(task.status)

    def made(self, task):
        """Give something to await, as a partial or a lambda does."""
        return self.acall(task)


@pytest.mark.parametrize("kind", ["call", "acall", "made"])
async def test_hooks_may_block_or_await_and_are_called_one_after_the_other(key, token, live, kind):
    """The server's end waits for those that are still at work."""
    slower = Slower()
    hook = getattr(slower, kind)
    receiver = Receiver(Lookless(api_key=key), token=token, scheme=SCHEME, on_task=hook)
    for status in ("queued", "running", "succeeded"):
        content = body(status=status)
        await receiver.receive({"x-signature": sign(content)["X-Signature"]}, content)
    assert slower.ended == []
    await live(App(receiver))
    assert slower.ended == ["queued", "running", "succeeded"]


def test_secrets_are_in_no_log(emulator, listen, order, key, token, soon, caplog):
    """Not the token, not the secret, not the signed URL of a film, whatever goes wrong."""
    caplog.set_level(logging.DEBUG)

    def broken(task):
        raise RuntimeError(f"no room for {task.id}")

    with Client(base_url=emulator.base_url, api_key=key) as client:
        made = client.create_video(**order)
        linked = {"id": made.id, "status": "succeeded"}
        linked["content"] = {"video_url": "https://f.example/1?X-Tos=1"}
        for options in ({"scheme": SCHEME}, {"on_task": broken}):
            _, url = listen(client, **options)
            for sent in (linked, [], "x"):
                httpx.post(url, json=sent, headers={"X-Signature": "00"})
        assert soon(lambda: "a hook failed" in caplog.text)
    ours = [each for each in caplog.records if each.name.startswith("doubao")]
    shown = "\n".join(logging.Formatter().format(each) for each in ours)
    for secret in (token, SECRET, key, "X-Tos"):
        assert secret not in shown
