"""The receiver on a loopback port, with the emulator's real callbacks, and with hostile ones."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import time

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from doubao_core import AsyncClient, Client, ConfigError, UnsupportedOperation
from doubao_core.polling import poller_of
from doubao_core.webhooks import App, Receiver, Signed, callback_url, new_token
from doubao_core.webhooks import receiver as receiver_module
from doubao_emulator import AfterSeconds, Emulator

ORDER = {
    "model": "doubao-seedance-2-0-260128",
    "content": [{"type": "text", "text": "waves at dusk"}],
}
SECRET = "whsec-3f9a1c77d2"


@pytest.fixture(scope="module")
def running_slow():
    with Emulator(progress=AfterSeconds(0.3)) as emulator:
        yield emulator


@pytest.fixture
def slow(running_slow):
    """Return an emulator whose tasks take a third of a second."""
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
def token():
    return new_token()


def soon(holds):
    """Wait until something holds."""
    limit = time.monotonic() + 20
    while not holds() and time.monotonic() < limit:
        time.sleep(0.005)
    return holds()


def body(task_id="cgt-1", status="succeeded", **fields):
    return {"id": task_id, "status": status, **fields}


def gets(emulator):
    return [each for each in emulator.requests if each.method == "GET"]


@pytest.fixture(params=[Client, AsyncClient], ids=["sync", "async"])
def make_client(request, key):
    """Make the client with which a receiver looks tasks up."""
    return lambda url: request.param(base_url=url, api_key=key, max_retries=0)


@pytest.fixture
def task(patient, key):
    """Submit a task that stays queued."""
    with Client(base_url=patient.base_url, api_key=key) as client:
        return client.create_video(**ORDER)


def test_the_emulators_callbacks_arrive_and_each_state_is_passed_on_once(
    served, slow, make_client, token, key
):
    seen = []
    receiver = Receiver(make_client(slow.base_url), token=token, on_task=seen.append)
    url = callback_url(served(App(receiver)), token)
    with Client(base_url=slow.base_url, api_key=key) as client:
        made = client.create_video(**ORDER, callback_url=url)
        assert soon(lambda: seen and seen[-1].ended)
        assert seen[-1].video_url == client.get_video(made.id).video_url
    statuses = [each.status for each in seen]
    assert statuses == sorted(set(statuses), key=["queued", "running", "succeeded"].index)
    assert {each.id for each in seen} == {made.id}


@pytest.mark.parametrize("path", ["", "/hooks", "/a/b/c"])
def test_it_can_be_mounted_below_any_path(served, patient, make_client, task, token, path):
    receiver = Receiver(make_client(patient.base_url), token=token)
    app = Starlette(routes=[Mount(path or "/", app=App(receiver))])
    url = callback_url(served(app) + path, token)
    assert httpx.post(url, json=body(task.id)).status_code == 200
    assert receiver.counts.news == 1


def test_a_watcher_learns_at_once_what_a_delivery_says(served, slow, token, key):
    """With ten minutes between look-ups, only the callback can be how it knows."""
    with Client(base_url=slow.base_url, api_key=key) as client:
        receiver = Receiver(client, token=token, wakes=poller_of(client))
        url = callback_url(served(App(receiver)), token)
        made = client.create_video(**ORDER, callback_url=url)
        states = poller_of(client).watch(made.id, poll_interval=600.0)
        assert [each.status for each in states][-1] == "succeeded"


async def test_a_watcher_that_awaits_elsewhere_learns_it_too(served, slow, token, key):
    async with AsyncClient(base_url=slow.base_url, api_key=key) as client:
        looking = Client(base_url=slow.base_url, api_key=key)
        receiver = Receiver(looking, token=token, wakes=poller_of(client))
        url = callback_url(await asyncio.to_thread(served, App(receiver)), token)
        made = await client.create_video(**ORDER, callback_url=url)
        states = poller_of(client).watch(made.id, poll_interval=600.0)
        assert [each.status async for each in states][-1] == "succeeded"
        looking.close()


def test_the_body_is_a_hint_only(served, patient, make_client, task, token):
    """It says succeeded, with a URL of its own; the service says queued, and that is passed on."""
    seen = []
    receiver = Receiver(make_client(patient.base_url), token=token, on_task=seen.append)
    url = callback_url(served(App(receiver)), token)
    forged = body(task.id, content={"video_url": "https://evil.example/film.mp4"})
    assert httpx.post(url, json=forged).status_code == 200
    assert soon(lambda: seen)
    assert [(each.status, each.video_url) for each in seen] == [("queued", None)]


def test_replays_and_what_goes_back_are_dropped_without_a_look_up(
    served, emulator, make_client, token, key
):
    with Client(base_url=emulator.base_url, api_key=key) as client:
        made = client.create_video(**ORDER)
    seen = []
    receiver = Receiver(make_client(emulator.base_url), token=token, on_task=seen.append)
    url = callback_url(served(App(receiver)), token)
    for status in ("succeeded", "succeeded", "running", "queued", "failed", "dreaming"):
        assert httpx.post(url, json=body(made.id, status)).status_code == 200
    assert (receiver.counts.news, receiver.counts.repeated) == (1, 5)
    assert len(gets(emulator)) == 1
    assert soon(lambda: len(seen) == 1)


def test_a_state_that_is_told_twice_is_looked_up_once(served, patient, make_client, task, token):
    receiver = Receiver(make_client(patient.base_url), token=token)
    url = callback_url(served(App(receiver)), token)
    for _ in range(3):
        assert httpx.post(url, json=body(task.id, "queued")).status_code == 200
    assert (receiver.counts.news, receiver.counts.repeated) == (1, 2)
    assert len(gets(patient)) == 1


def test_deliveries_out_of_order_end_with_the_end(served, slow, make_client, token, key):
    """The end is known when the beginning is told: the look-up, not the delivery, is believed."""
    with Client(base_url=slow.base_url, api_key=key) as client:
        made = client.create_video(**ORDER)
        assert soon(lambda: client.get_video(made.id).ended)
    seen = []
    receiver = Receiver(make_client(slow.base_url), token=token, on_task=seen.append)
    url = callback_url(served(App(receiver)), token)
    for status in ("queued", "running", "succeeded"):
        httpx.post(url, json=body(made.id, status))
    assert soon(lambda: seen)
    assert [each.status for each in seen] == ["succeeded"]


def test_ids_that_do_not_exist_are_dropped_and_counted(served, emulator, make_client, token):
    receiver = Receiver(make_client(emulator.base_url), token=token)
    url = callback_url(served(App(receiver)), token)
    assert httpx.post(url, json=body("cgt-none")).status_code == 200
    assert receiver.counts.unknown == 1


def test_ids_that_are_not_ours_are_dropped_without_a_look_up(served, emulator, make_client, token):
    receiver = Receiver(make_client(emulator.base_url), token=token, ours={"cgt-mine"}.__contains__)
    url = callback_url(served(App(receiver)), token)
    assert httpx.post(url, json=body("cgt-theirs")).status_code == 200
    assert receiver.counts.unknown == 1
    assert gets(emulator) == []


@pytest.mark.parametrize("failure", ["server_error", "reset_before_answer", "rate_limit"])
def test_a_delivery_whose_look_up_fails_is_to_come_again(
    served, patient, make_client, task, token, failure
):
    receiver = Receiver(make_client(patient.base_url), token=token)
    url = callback_url(served(App(receiver)), token)
    with patient.fault(failure, path=task.id, times=1):
        assert httpx.post(url, json=body(task.id)).status_code == 503
    assert httpx.post(url, json=body(task.id)).status_code == 200
    assert (receiver.counts.postponed, receiver.counts.news) == (1, 1)


def test_a_look_up_that_hangs_is_answered_before_the_service_gives_up(
    served, patient, make_client, task, token, monkeypatch
):
    monkeypatch.setattr(receiver_module, "LOOK_UP_SECONDS", 0.05)
    receiver = Receiver(make_client(patient.base_url), token=token)
    url = callback_url(served(App(receiver)), token)
    with patient.fault("stall", path=task.id):
        assert httpx.post(url, json=body(task.id)).status_code == 503


def test_a_flood_of_deliveries_does_not_become_a_flood_of_look_ups(
    served, patient, make_client, task, token, monkeypatch
):
    monkeypatch.setattr(receiver_module, "MOST_LOOK_UPS", 0)
    receiver = Receiver(make_client(patient.base_url), token=token)
    url = callback_url(served(App(receiver)), token)
    assert httpx.post(url, json=body(task.id)).status_code == 503
    assert gets(patient) == []


@pytest.mark.parametrize("change", ["wrong", "shorter", "longer", "none", "odd", "twice"])
def test_without_the_token_there_is_nothing_here(served, emulator, key, token, change):
    given = {
        "wrong": new_token(),
        "shorter": token[:-1],
        "longer": token + "A",
        "none": "",
        "odd": "%F0%9F%98%80%FF",
        "twice": f"{token}/x",
    }[change]
    receiver = Receiver(Client(base_url=emulator.base_url, api_key=key), token=token)
    answer = httpx.post(f"{served(App(receiver))}/{given}", json=body())
    assert (answer.status_code, answer.json()) == (404, {})
    assert receiver.counts.refused == 1
    assert emulator.requests == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
def test_only_posts_are_taken(served, emulator, key, token, method):
    receiver = Receiver(Client(base_url=emulator.base_url, api_key=key), token=token)
    url = callback_url(served(App(receiver)), token)
    assert httpx.request(method, url).status_code == 404


def test_tokens_are_compared_in_constant_time(emulator, key, token, monkeypatch):
    compared = []
    monkeypatch.setattr(hmac, "compare_digest", lambda *both: compared.append(both) or False)
    receiver = Receiver(Client(base_url=emulator.base_url, api_key=key), token=token)
    assert not receiver.admits("guess")
    assert compared == [(b"guess", token.encode())]


def test_a_body_that_is_too_large_is_refused(served, emulator, key, token):
    receiver = Receiver(Client(base_url=emulator.base_url, api_key=key), token=token)
    url = callback_url(served(App(receiver)), token)
    assert httpx.post(url, content=b" " * 300 * 1024).status_code == 413
    assert emulator.requests == []


async def test_a_body_without_an_end_is_not_read_to_it(key, token):
    app = App(Receiver(Client(api_key=key), token=token))
    sent, read = [], []

    async def send(message):
        sent.append(message)

    async def receive():
        read.append(64 * 1024)
        return {"type": "http.request", "body": b" " * read[-1], "more_body": True}

    scope = {"type": "http", "method": "POST", "path": f"/{token}", "headers": []}
    await app(scope, receive, send)
    assert sent[0]["status"] == 413
    assert sum(read) <= 512 * 1024


async def test_a_body_that_does_not_come_is_not_waited_for(key, token, monkeypatch):
    monkeypatch.setattr("doubao_core.webhooks.app.BODY_SECONDS", 0.01)
    app = App(Receiver(Client(api_key=key), token=token))
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        await asyncio.sleep(600)

    scope = {"type": "http", "method": "POST", "path": f"/{token}", "headers": []}
    await app(scope, receive, send)
    assert sent[0]["status"] == 408


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"id": "../x"}', b"\xff" * 100])
def test_what_is_no_task_is_refused_without_saying_why(served, emulator, key, token, content):
    receiver = Receiver(Client(base_url=emulator.base_url, api_key=key), token=token)
    url = callback_url(served(App(receiver)), token)
    answer = httpx.post(url, content=content)
    assert (answer.status_code, answer.content) == (400, b"{}")
    assert receiver.counts.refused == 1


def test_secrets_are_in_no_log(served, emulator, key, token, caplog):
    """Not the token, not the secret, not the signed URL of a film, whatever goes wrong."""
    caplog.set_level(logging.DEBUG)
    scheme = Signed(secret=SECRET, header="X-Signature", signs="body")

    def broken(task):
        raise RuntimeError(f"no room for {task.id}")

    client = Client(base_url=emulator.base_url, api_key=key)
    made = client.create_video(**ORDER)
    signed = Receiver(client, token=token, scheme=scheme)
    plain = Receiver(client, token=token, on_task=broken)
    urls = [callback_url(served(App(each)), token) for each in (signed, plain)]
    for url in urls:
        for sent in (body(made.id, content={"video_url": "https://f.example/1?X-Tos=1"}), [], "x"):
            httpx.post(url, json=sent, headers={"X-Signature": "00"})
    assert soon(lambda: "a hook failed" in caplog.text)
    ours = [each for each in caplog.records if each.name.startswith("doubao")]
    shown = "\n".join(logging.Formatter().format(each) for each in ours)
    for secret in (token, SECRET, key, "X-Tos"):
        assert secret not in shown
    client.close()


def sign(content):
    return {"X-Signature": hmac.new(SECRET.encode(), content, "sha256").hexdigest()}


def test_a_signed_delivery_that_comes_twice_is_harmless(served, patient, make_client, task, token):
    scheme = Signed(secret=SECRET, header="X-Signature", signs="body")
    receiver = Receiver(make_client(patient.base_url), token=token, scheme=scheme)
    url = callback_url(served(App(receiver)), token)
    content = json.dumps(body(task.id)).encode()
    for _ in range(3):
        assert httpx.post(url, content=content, headers=sign(content)).status_code == 200
    assert httpx.post(url, content=content).status_code == 400
    counts = receiver.counts
    assert (counts.news, counts.repeated, counts.refused) == (1, 2, 1)
    assert len(gets(patient)) == 1


def test_a_signed_delivery_that_failed_is_not_taken_for_a_replay(
    served, patient, make_client, task, token
):
    scheme = Signed(secret=SECRET, header="X-Signature", signs="body")
    receiver = Receiver(make_client(patient.base_url), token=token, scheme=scheme)
    url = callback_url(served(App(receiver)), token)
    content = json.dumps(body(task.id)).encode()
    with patient.fault("server_error", path=task.id, times=1):
        assert httpx.post(url, content=content, headers=sign(content)).status_code == 503
    assert httpx.post(url, content=content, headers=sign(content)).status_code == 200
    assert receiver.counts.news == 1


class Lookless(Client):
    """A client of a provider that can look nothing up."""

    def get_video(self, task_id):
        raise UnsupportedOperation("no look-up")


@pytest.mark.parametrize(("signed", "news", "unproven"), [(True, 1, 0), (False, 0, 1)])
def test_where_nothing_can_be_looked_up_only_a_signature_proves_anything(
    served, key, token, signed, news, unproven
):
    seen = []
    scheme = Signed(secret=SECRET, header="X-Signature", signs="body") if signed else None
    receiver = Receiver(Lookless(api_key=key), token=token, scheme=scheme, on_task=seen.append)
    url = callback_url(served(App(receiver)), token)
    content = json.dumps(body()).encode()
    assert httpx.post(url, content=content, headers=sign(content)).status_code == 200
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
async def test_hooks_may_block_or_await_and_are_called_one_after_the_other(key, token, kind):
    """The server's end waits for those that are still at work."""
    slower = Slower()
    scheme = Signed(secret=SECRET, header="X-Signature", signs="body")
    hook = getattr(slower, kind)
    receiver = Receiver(Lookless(api_key=key), token=token, scheme=scheme, on_task=hook)
    for status in ("queued", "running", "succeeded"):
        content = json.dumps(body(status=status)).encode()
        await receiver.receive({"x-signature": sign(content)["X-Signature"]}, content)
    assert slower.ended == []
    await live(App(receiver))
    assert slower.ended == ["queued", "running", "succeeded"]


async def live(app):
    """Start and end a server; gives what it said."""
    said = []

    async def send(message):
        said.append(message["type"])

    events = iter(["lifespan.startup", "lifespan.shutdown"])

    async def receive():
        return {"type": next(events)}

    await app({"type": "lifespan"}, receive, send)
    return said


def test_what_is_remembered_is_bounded(emulator, key, token, monkeypatch):
    monkeypatch.setattr(receiver_module, "MOST_TASKS", 3)
    client = Client(base_url=emulator.base_url, api_key=key)
    ids = [client.create_video(**ORDER).id for _ in range(5)]
    receiver = Receiver(client, token=token)

    async def deliver():
        for each in (*ids, ids[-1], ids[0]):
            await receiver.receive({}, json.dumps(body(each)).encode())

    asyncio.run(deliver())
    assert (receiver.counts.news, receiver.counts.repeated) == (6, 1), "the first was forgotten"


def test_a_token_that_can_be_guessed_is_refused(key):
    with pytest.raises(ConfigError, match="new_token"):
        Receiver(Client(api_key=key), token="secret")


async def test_other_traffic_is_turned_away(key, token):
    """A websocket is closed, and a server's life is followed, as ASGI wants it."""
    app = App(Receiver(Client(api_key=key), token=token))
    sent = []

    async def send(message):
        sent.append(message["type"])

    async def receive():
        return {"type": "websocket.connect"}

    await app({"type": "websocket", "path": "/"}, receive, send)
    assert sent == ["websocket.close"]
    assert await live(app) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_who_hangs_up_gets_no_answer(key, token):
    app = App(Receiver(Client(api_key=key), token=token))
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.disconnect"}

    scope = {"type": "http", "method": "POST", "path": f"/{token}", "headers": []}
    await app(scope, receive, send)
    assert sent == []
