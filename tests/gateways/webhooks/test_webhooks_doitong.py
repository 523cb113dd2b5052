"""Pictures of Doitong, of which only its webhook tells when they are finished."""

from __future__ import annotations

import asyncio
import hmac
import json
import threading
from contextlib import nullcontext

import httpx
import pytest

from doubao_core import AsyncClient, ConfigError, JobFailed
from doubao_core.api.images import Images
from doubao_core.webhooks import Signed

SECRET = "whsec-3f9a1c77d2"
HEADER = "X-Doitong-Signature"
DOITONG = ["doitong", "doitong-generate-image", "doitong-rest"]


@pytest.fixture
def scheme():
    return Signed.as_documented("doitong", secret=SECRET, signs="body")


def signed(body, secret=SECRET):
    """Give a body's bytes and the headers of its delivery."""
    content = json.dumps(body).encode()
    digest = hmac.new(secret.encode(), content, "sha256").hexdigest()
    return {"content": content, "headers": {HEADER: f"sha256={digest}"}}


@pytest.mark.parametrize("provider", DOITONG)
def test_a_picture_is_waited_for_by_its_webhook(
    emulator, clock, listen, seen, scheme, provider, order, soon
):
    """R003-08, R003-12, R003-13: the delivery is handed to who waits, and to the hooks."""
    receiver, url = listen(provider, "doitong", scheme=scheme)
    with emulator.sign_webhooks(SECRET, header=HEADER, prefix="sha256="):
        made = order(url, provider, size="640x480")
        assert (made.status, made.images[0].url) == ("running", None)
        clock.advance(3)
        found = receiver.wait_images(made)
    assert (found.status, found.task_id) == ("succeeded", made.task_id)
    (picture,) = found.images
    assert (httpx.get(picture.url).status_code, picture.size) == (200, "640x480")
    assert soon(lambda: seen.images)
    assert seen.statuses == ["succeeded"]
    assert [each.task_id for each in seen.images] == [made.task_id]
    assert receiver.counts.news == 1


def test_a_picture_is_awaited_by_its_webhook(at, emulator, clock, listen, scheme):
    """R003-12."""
    receiver, url = listen("doitong", scheme=scheme)

    async def made_and_found():
        async with AsyncClient(**at("doitong")) as client:
            made = await client.create_images(
                model="seedream", prompt="A city", extra_body={"webhookUrl": url}
            )
        clock.advance(3)
        both = await asyncio.gather(*[receiver.await_images(made) for _ in range(2)])
        return made, both

    with emulator.sign_webhooks(SECRET, header=HEADER, prefix="sha256="):
        made, both = asyncio.run(made_and_found())
    assert [each.task_id for each in both] == [made.task_id] * 2
    assert all(each.images[0].url for each in both)


@pytest.mark.parametrize("seconds", [0, 0.02])
def test_a_wait_that_is_over_gives_back_what_it_was_given(clock, listen, seconds, order, wait):
    """R003-12: the picture is paid for, so its id must not be lost."""
    receiver, url = listen("doitong")
    made = order(url)
    assert wait(receiver, made, seconds) is made


def test_a_delivery_may_be_faster_than_who_waits(
    emulator, clock, listen, scheme, order, wait, soon
):
    """R003-12."""
    receiver, url = listen("doitong", scheme=scheme)
    with emulator.sign_webhooks(SECRET, header=HEADER, prefix="sha256="):
        made = order(url)
        clock.advance(3)
        assert soon(lambda: receiver.counts.news == 1)
    assert wait(receiver, made, 0).images[0].url


def test_pictures_that_are_there_are_not_waited_for(listen, order, wait):
    receiver, url = listen("doitong")
    made = order(url)
    assert made.status == "succeeded"
    assert wait(receiver, made, 600.0) is made


def test_who_is_cancelled_while_waiting_disturbs_nobody(emulator, clock, listen, scheme, order):
    """R003-12: the others still get the picture."""
    receiver, url = listen("doitong", scheme=scheme)

    async def one_of_two():
        leaving = asyncio.create_task(receiver.await_images(made))
        staying = asyncio.create_task(receiver.await_images(made))
        await asyncio.sleep(0)
        leaving.cancel()
        clock.advance(3)
        return await staying, leaving.cancelled()

    with emulator.sign_webhooks(SECRET, header=HEADER, prefix="sha256="):
        made = order(url)
        found, cancelled = asyncio.run(one_of_two())
    assert found.images[0].url
    assert cancelled


@pytest.mark.parametrize("wrong", [{"wait_timeout": -1}, {"wait_timeout": float("nan")}])
def test_a_wait_that_cannot_be_meant_is_refused(clock, listen, wrong, order):
    receiver, url = listen("doitong")
    made = order(url)
    with pytest.raises(ConfigError, match="wait_timeout"):
        receiver.wait_images(made, **wrong)


def test_what_has_no_task_cannot_be_waited_for(listen, wait):
    receiver, _ = listen("doitong")
    nothing = Images(images=(), model="seedream", usage=None, status="running")
    with pytest.raises(ConfigError, match="nothing to wait for"):
        wait(receiver, nothing, 0)


def test_a_picture_that_failed_is_an_error_where_it_is_waited_for(
    emulator, clock, listen, seen, scheme, order, wait, soon
):
    """R003-12."""
    receiver, url = listen("doitong", scheme=scheme)
    with (
        emulator.sign_webhooks(SECRET, header=HEADER, prefix="sha256="),
        emulator.fault("task_failed", message="no luck"),
    ):
        made = order(url)
        clock.advance(3)
        with pytest.raises(JobFailed, match=f"{made.task_id} ended as failed: no luck"):
            wait(receiver, made, 600.0)
    assert soon(lambda: seen.tasks)
    assert (seen.statuses, seen.images) == (["failed"], [])


@pytest.mark.parametrize(
    ("signing", "accepted"),
    [
        ({"secret": SECRET, "header": HEADER, "prefix": "sha256="}, True),
        ({"secret": SECRET, "header": HEADER, "prefix": "sha256=", "capitals": True}, True),
        ({"secret": "another secret", "header": HEADER, "prefix": "sha256="}, False),
        ({"secret": SECRET, "header": HEADER}, False),
        ({"secret": SECRET, "header": "X-Signature", "prefix": "sha256="}, False),
        (None, False),
    ],
    ids=["right", "capitals", "wrong", "no prefix", "other header", "missing"],
)
def test_only_what_is_signed_right_is_taken(
    emulator, clock, listen, seen, scheme, signing, accepted, order, soon
):
    """R003-14."""
    receiver, url = listen("doitong", scheme=scheme)
    counts = receiver.counts

    with emulator.sign_webhooks(**signing) if signing else nullcontext():
        made = order(url)
        clock.advance(3)
        assert soon(lambda: counts.news + counts.refused)
    found = receiver.wait_images(made, wait_timeout=0)
    assert (counts.news, counts.refused) == (int(accepted), int(not accepted))
    assert (found.images[0].url is not None) == accepted
    assert soon(lambda: len(seen.tasks) == int(accepted))
    assert seen.hints == []


def test_an_unproven_delivery_is_a_hint_and_no_more(clock, listen, seen, order, wait, soon):
    """R003-14: there is no way to look, so neither the status nor the URL is believed."""
    receiver, url = listen("doitong")
    made = order(url)
    clock.advance(3)
    found = wait(receiver, made, 600.0)
    assert (found.status, found.task_id) == (made.status, made.task_id)
    (picture,) = found.images
    assert (picture.url, picture.error.code) == (None, "possibly_done")
    assert "would cost twice" in str(picture.error)
    assert soon(lambda: seen.hints == [made.task_id])
    assert (seen.tasks, seen.images, receiver.counts.unproven) == ([], [], 1)


def test_an_unproven_delivery_that_is_not_of_the_end_ends_no_wait(
    clock, listen, seen, order, soon, printed_picture
):
    """R003-14; and a hint that comes twice is one."""
    receiver, url = listen("doitong")
    body = {**printed_picture, "status": "processing", "url": None}
    assert httpx.post(url, json=body).status_code == 200
    made = order(url)
    clock.advance(3)
    assert soon(lambda: receiver.counts.unproven == 2)
    for _ in range(2):
        httpx.post(url, json={**printed_picture, "id": made.task_id})
    assert soon(lambda: seen.hints == [made.task_id])
    assert receiver.counts.unproven == 4
    assert seen.hints == [made.task_id]


def test_a_delivery_that_comes_twice_is_passed_on_once(
    emulator, clock, listen, seen, scheme, order, soon
):
    """R003-14, R004-38."""
    receiver, url = listen("doitong", scheme=scheme)
    with (
        emulator.sign_webhooks(SECRET, header=HEADER, prefix="sha256="),
        emulator.fault("webhook_twice"),
    ):
        order(url)
        clock.advance(3)
        assert soon(lambda: receiver.counts.news + receiver.counts.repeated == 2)
    assert (receiver.counts.news, receiver.counts.repeated) == (1, 1)
    assert soon(lambda: seen.images)
    assert (len(seen.tasks), len(seen.images)) == (1, 1)


def test_a_late_delivery_takes_nothing_back(listen, seen, scheme, soon, printed_picture):
    """R003-13: `processing` after `completed`, and what was recorded, change nothing."""
    receiver, url = listen("doitong", scheme=scheme)
    begun = {**printed_picture, "status": "processing", "url": None}
    failed = {**printed_picture, "status": "failed", "url": None}
    for body in (begun, printed_picture, begun, failed, printed_picture):
        assert httpx.post(url, **signed(body)).status_code == 200
    assert soon(lambda: len(seen.tasks) == 2)
    assert seen.statuses == ["running", "succeeded"]
    assert (receiver.counts.news, receiver.counts.repeated) == (2, 3)
    assert len(seen.images) == 1


def test_a_url_can_be_replaced_by_nobody_who_cannot_sign(listen, seen, scheme, printed_picture):
    """R003-14: the very bytes are signed."""
    receiver, url = listen("doitong", scheme=scheme)
    delivery = signed(printed_picture)
    delivery["content"] = delivery["content"].replace(b"cdn.doitong.com", b"evil.example.io")
    assert httpx.post(url, **delivery).status_code == 400
    assert (receiver.counts.refused, seen.tasks) == (1, [])


@pytest.mark.parametrize(("age", "accepted"), [(0, True), (60, True), (3600, False), (-900, False)])
def test_what_was_sent_long_ago_is_refused(emulator, clock, listen, age, accepted, order, soon):
    """R003-14, R004-39: where the time is signed; five minutes by default."""
    scheme = Signed.as_documented(
        "doitong", secret=SECRET, signs="timestamp.body", timestamp_header="X-Sent"
    )
    receiver, url = listen("doitong", scheme=scheme)
    signing = {"header": HEADER, "prefix": "sha256=", "timestamp_header": "X-Sent", "age": age}
    with emulator.sign_webhooks(SECRET, **signing):
        order(url)
        clock.advance(3)
        assert soon(lambda: receiver.counts.news + receiver.counts.refused)
    assert (receiver.counts.news, receiver.counts.refused) == (int(accepted), int(not accepted))


def test_a_refusal_never_says_what_was_wrong(listen, scheme, printed_picture):
    """R003-14: signature, prefix, encoding, shape: one answer, and nothing is passed on."""
    receiver, url = listen("doitong", scheme=scheme)
    body = json.dumps(printed_picture).encode()
    deliveries = [
        {"content": body},
        {"content": body, "headers": {HEADER: "sha256=00"}},
        {"content": body, "headers": {HEADER: "sha256=not hex"}},
        {"content": body, "headers": {HEADER: "md5=00"}},
        signed(printed_picture, secret="another secret"),
        signed([]),
        signed({**printed_picture, "id": "../../keys"}),
    ]
    answers = [httpx.post(url, **delivery) for delivery in deliveries]
    assert {(each.status_code, each.content) for each in answers} == {(400, b"{}")}
    assert receiver.counts.refused == len(deliveries)


def test_a_body_that_is_too_large_is_not_taken(listen, seen, scheme, printed_picture):
    """R003-14: not even if it is signed."""
    receiver, url = listen("doitong", scheme=scheme)
    assert httpx.post(url, **signed({**printed_picture, "more": "x" * 300_000})).status_code == 413
    assert (receiver.counts.news, seen.tasks) == (0, [])


def test_many_threads_wait_for_one_picture(emulator, clock, listen, scheme, order):
    """R003-12."""
    receiver, url = listen("doitong", scheme=scheme)
    found = []
    with emulator.sign_webhooks(SECRET, header=HEADER, prefix="sha256="):
        made = order(url)
        threads = [
            threading.Thread(target=lambda: found.append(receiver.wait_images(made)))
            for _ in range(5)
        ]
        for thread in threads:
            thread.start()
        clock.advance(3)
        for thread in threads:
            thread.join()
    assert {each.images[0].url for each in found} == {found[0].images[0].url}
    assert len(found) == 5
