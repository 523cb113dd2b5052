"""Rate limits: kept alone, by threads, tasks and processes; paused together, resumed slowly.

Nothing here depends on how fast the machine is: a pacer may always be later than it must be.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from doubao_core import ConfigError, InvalidRequest
from doubao_core.pacing import RateLimit, pacer

CHAT = {
    "model": "doubao-seed-2-1-pro-260915",
    "messages": [{"role": "user", "content": "hi " * 100}],
}

FAST = 6000.0
"""Requests per minute: a hundred per second, so a hundred at once and then one each 10 ms."""


@pytest.fixture(params=["memory", "sqlite"])
def url(request, tmp_path):
    """Where a limit is counted."""
    return None if request.param == "memory" else f"sqlite:///{tmp_path}/limits.db"


def limit(url, **limits):
    return RateLimit(url=url, **(limits or {"requests_per_minute": FAST}))


def times(wait, count):
    """When each of *count* requests went, in seconds from the first."""
    gone = []
    for _ in range(count):
        wait()
        gone.append(time.monotonic())
    return [each - gone[0] for each in gone]


def allowed(seconds):
    """Most requests that may go within *seconds*: the burst, then the rate."""
    return FAST / 60 + FAST / 60 * seconds + 1


def assert_kept(gone):
    gone = sorted(gone)
    for first in range(0, len(gone), 7):
        for last in range(first, len(gone), 7):
            assert last - first + 1 <= allowed(gone[last] - gone[first])


def test_one_caller_keeps_the_limit(url, request):
    paced = pacer(limit(url), request.node.name)
    gone = times(paced.wait, 130)
    assert_kept(gone)
    assert gone[-1] >= 0.25


async def test_tasks_keep_the_limit_together(url, request):
    paced = pacer(limit(url), request.node.name)
    gone = []

    async def one():
        await paced.await_()
        gone.append(time.monotonic())

    await asyncio.gather(*(one() for _ in range(130)))
    assert_kept(gone)
    assert max(gone) - min(gone) >= 0.25


def test_threads_keep_the_limit_together(url, request):
    paced = pacer(limit(url), request.node.name)
    gone = []
    with ThreadPoolExecutor(8) as threads:
        for each in [threads.submit(times, paced.wait, 16) for _ in range(8)]:
            each.result()
        started = time.monotonic()
        for each in [threads.submit(times, paced.wait, 4) for _ in range(8)]:
            each.result()
    gone.append(time.monotonic() - started)
    # 128 before, so nothing of the burst is left: 32 more take a third of a second.
    assert gone[0] >= 0.25


def test_processes_that_name_the_same_url_keep_the_limit_together(
    tmp_path, seconds_of_three_processes
):
    """A hundred at once, the other fifty one each 10 ms; each alone would not wait at all."""
    url = f"sqlite:///{tmp_path}/limits.db"
    assert seconds_of_three_processes(limit(url), "shared", 50) >= 0.45


def test_equal_limits_with_equal_names_are_one(url):
    one = pacer(limit(url), "the same")
    assert pacer(limit(url), "the same") is one
    assert pacer(limit(url), "another") is not one
    named = RateLimit(requests_per_minute=FAST, url=url, name="several models")
    assert pacer(named, "a model") is pacer(named, "another model")


def test_tokens_are_counted_however_many_one_request_has(url, request):
    """A request may have more tokens than may go at once."""
    paced = pacer(limit(url, tokens_per_minute=600_000), request.node.name)
    started = time.monotonic()
    paced.wait(20_000)
    assert time.monotonic() - started >= 0.95


def test_what_an_answer_says_corrects_the_estimate(url, request):
    paced = pacer(limit(url, tokens_per_minute=600_000), request.node.name)
    started = time.monotonic()
    for _ in range(9):
        paced.wait(10_000)
        paced.correct(-10_000)
    # At 10,000 a second they would take eight seconds.
    assert time.monotonic() - started < 6
    paced.correct(10_000)
    started = time.monotonic()
    paced.wait(10_000)
    assert time.monotonic() - started >= 0.8


def test_a_refusal_pauses_everybody(url, request):
    """The others as well, those that wait already and those of another object."""
    paced = pacer(limit(url), request.node.name)
    paced.wait()
    paced.refused(0.4)
    started = time.monotonic()
    gone = []
    waiting = [
        threading.Thread(target=lambda: (paced.wait(), gone.append(time.monotonic() - started)))
        for _ in range(3)
    ]
    for thread in waiting:
        thread.start()
    for thread in waiting:
        thread.join()
    assert len(gone) == 3
    assert min(gone) >= 0.35


def test_after_a_pause_the_pace_rises_slowly(url, request):
    paced = pacer(limit(url), request.node.name)
    paced.refused(0.1)
    gone = times(paced.wait, 40)
    # At full speed from an empty bucket 39 take 0.39 s; right after a pause each counts for two.
    assert gone[-1] >= 0.6


async def test_async_callers_pause_too(url, request):
    paced = pacer(limit(url), request.node.name)
    await paced.await_()
    await paced.arefused(0.3)
    started = time.monotonic()
    await paced.await_()
    assert time.monotonic() - started >= 0.25


def test_refusals_of_requests_that_were_in_flight_together_are_one_reason(request):
    paced = pacer(limit(None), request.node.name)
    for _ in range(16):
        paced.refused()
    started = time.monotonic()
    paced.wait()
    # Sixteen reasons would be a minute.
    assert 0.9 <= time.monotonic() - started < 20


@pytest.mark.parametrize("field", ["requests_per_minute", "tokens_per_minute"])
@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan")])
def test_limits_that_are_none_are_refused(field, value):
    with pytest.raises(ConfigError, match=field):
        RateLimit(**{field: value})


@pytest.mark.parametrize("url", ["limits.db", "mysql://host/db", "https://example.com"])
def test_places_that_cannot_keep_a_count_are_refused(url):
    with pytest.raises(ConfigError, match="sqlite:///path"):
        RateLimit(requests_per_minute=1, url=url)


def test_a_url_without_a_limit_is_refused():
    with pytest.raises(ConfigError, match="limits nothing"):
        RateLimit.of(None, None, "sqlite:///limits.db")
    assert RateLimit.of(None, None, None) is None


@pytest.mark.parametrize("scheme", ["postgresql", "redis"])
def test_a_place_that_cannot_be_reached_is_named_without_its_password(scheme):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        closed_port = bound.getsockname()[1]
    wanted = RateLimit(requests_per_minute=1, url=f"{scheme}://me:secret@127.0.0.1:{closed_port}/0")
    with pytest.raises(ConfigError) as caught:
        pacer(wanted, "x").wait()
    assert "127.0.0.1" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["chat", "stream_chat"])
def test_a_request_of_more_tokens_than_a_minute_may_have_is_refused(make_client, emulator, name):
    client = make_client(
        rate_limit=RateLimit(tokens_per_minute=5, url=None), base_url=emulator.base_url
    )
    with pytest.raises(ConfigError, match=r"has about \d+ tokens, more than tokens_per_minute=5 "):
        # A stream sends when it is read.
        list(getattr(client, name)(**CHAT))
    assert not emulator.requests


def test_a_picture_counts_as_one_and_not_by_its_letters(make_client, emulator):
    limit = RateLimit(tokens_per_minute=60_000, url=None)
    client = make_client(rate_limit=limit, base_url=emulator.base_url)
    with suppress(InvalidRequest):
        client.create_images(
            model="doubao-seedream-5-0-pro-260628",
            prompt="tea",
            image="data:image/png;base64," + "A" * 1_000_000,
        )
    assert len(emulator.requests) == 1


class Slept(Exception):
    """Raised instead of the fourth sleep."""


@pytest.fixture
def sleeps(monkeypatch):
    """Sleep three times in no time, then stop; both drivers."""
    slept = []
    here, real, areal = threading.get_ident(), time.sleep, asyncio.sleep

    def is_elsewhere():
        # The emulator's loop runs in this process, too.
        return threading.get_ident() != here

    def sleep(seconds):
        if is_elsewhere():
            return real(seconds)
        slept.append(seconds)
        if len(slept) > 3:
            raise Slept
        return None

    async def asleep(seconds, result=None):
        return await areal(seconds, result) if is_elsewhere() else sleep(seconds)

    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(asyncio, "sleep", asleep)
    return slept


@pytest.fixture(params=["sync", "async"])
def wait(request):
    """Wait for a pacer, either way."""

    def wait(paced, tokens=0):
        if request.param == "sync":
            paced.wait(tokens)
        else:
            asyncio.run(paced.await_(tokens))

    return wait


@pytest.mark.parametrize(
    ("limits", "tokens", "said"),
    [
        # One goes at once, the next after 60 s / (5 * 97 %).
        ({"requests_per_minute": 5}, 1, "waiting 12 s for requests_per_minute=5"),
        # Ten of a burst are gone; a second's worth at a time, no single sleep is long.
        ({"tokens_per_minute": 600}, 500, "waiting 52 s for tokens_per_minute=600"),
        ({"requests_per_minute": 20}, 1, None),
        ({"tokens_per_minute": 600}, 20, None),
    ],
)
def test_a_long_wait_is_said_once(request, caplog, sleeps, wait, limits, tokens, said):
    paced = pacer(RateLimit(url=None, **limits), request.node.name)
    wait(paced, 10)
    with pytest.raises(Slept):
        wait(paced, tokens)
    assert len(sleeps) == 4
    expected = [] if said is None else [("doubao_core.pacing", logging.WARNING, said)]
    assert caplog.record_tuples == expected
