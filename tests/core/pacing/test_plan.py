"""Plans: what an account may do per minute, hour and day, and at once.

The time of these tests is a number: an hour is over when they say so.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from doubao_core import ConfigError, Plan, QuotaExceeded, RateLimit
from doubao_core.pacing.account import LEASE, Outcome
from doubao_core.pacing.gate import Gate
from doubao_core.pacing.records import record

ANSWERED = Outcome(answered=True)
HOUR, DAY = 3600.0, 86_400.0


@pytest.mark.parametrize(
    ("limit", "seconds"), [("requests_per_hour", HOUR), ("requests_per_day", DAY)]
)
def test_a_window_lets_all_of_it_go_at_once_and_then_nothing(make_gate, wall, limit, seconds):
    """R003-23, R004-33: an hour of 10 is not one request each six minutes."""
    gate = make_gate(**{limit: 10})
    for _ in range(10):
        gate.enter()
    with pytest.raises(QuotaExceeded) as caught:
        gate.enter()
    assert seconds <= caught.value.retry_after <= seconds * 61 / 60
    wall.now += caught.value.retry_after
    for _ in range(10):
        gate.enter()


def test_no_sliding_window_holds_more_than_its_limit(make_gate, wall):
    """R004-33: services do not say when their hour begins, so that every hour must fit."""
    gate, gone = make_gate(requests_per_hour=10, patience=0), []
    for _ in range(600):
        wall.now += 97
        try:
            gate.enter()
        except QuotaExceeded:
            continue
        gone.append(wall.now)
    assert all(later - first > HOUR for first, later in zip(gone, gone[10:], strict=False))
    # Parts of a sixtieth cost at most that much of the limit.
    assert len(gone) >= 10 * (600 * 97 / (HOUR * 61 / 60)) - 10


def test_the_error_says_what_is_used_and_when_it_goes_on(make_gate):
    """R003-23."""
    gate = make_gate(requests_per_day=1)
    gate.enter()
    with pytest.raises(
        QuotaExceeded,
        match=r"the plan allows 1 request per day, and it goes on at 20\d\d-\d\d-\d\d \d\d:",
    ):
        gate.enter()


def test_a_minute_is_waited_for(make_gate, wall, sleeps):
    """R003-21."""
    gate = make_gate(requests_per_minute=2)
    started = wall.now
    for _ in range(5):
        gate.enter()
    assert wall.now - started >= 120
    assert max(sleeps) <= 61


async def test_a_minute_is_awaited(make_gate, wall, sleeps):
    """R003-21."""
    gate = make_gate(requests_per_minute=2)
    started = wall.now
    await asyncio.gather(*(gate.aenter() for _ in range(5)))
    assert wall.now - started >= 120


def test_patience_decides_what_is_waited_for(make_gate, wall, sleeps):
    gate = make_gate(requests_per_hour=1, patience=4000)
    started = wall.now
    gate.enter()
    gate.enter()
    assert wall.now - started >= HOUR
    gate = make_gate(requests_per_minute=1, patience=0)
    with pytest.raises(QuotaExceeded):
        gate.enter()


def test_a_long_wait_is_said_once_and_aloud(make_gate, sleeps, caplog):
    gate = make_gate(requests_per_minute=1)
    gate.enter()
    with caplog.at_level(logging.WARNING):
        gate.enter()
    assert [each.message[:17] for each in caplog.records] == ["a request waits 6"]


def test_another_process_goes_on_counting(url, tmp_path, wall):
    """R004-33: a restart does not forget the hour."""
    kept = f"sqlite:///{tmp_path}/kept.db"
    plan = Plan(requests_per_hour=2, url=kept)
    for _ in range(2):
        # A record of its own, as another process has it.
        Gate(plan, record(kept, "x"), wall).enter()
    with pytest.raises(QuotaExceeded):
        Gate(plan, record(kept, "x"), wall).enter()
    # A larger plan has room at once, and an account of another name has its own.
    Gate(Plan(requests_per_hour=3, url=kept), record(kept, "x"), wall).enter()
    Gate(plan, record(kept, "y"), wall).enter()


def test_look_ups_count_in_time_alone(make_gate):
    gate = make_gate(requests_per_hour=2, in_flight=1, credits=1, credits_per_request=1)
    gate.enter()
    gate.enter(paid=False)
    with pytest.raises(QuotaExceeded):
        gate.enter(paid=False)


def test_no_more_threads_are_in_flight_than_the_plan_has_places(make_gate, flight):
    """R003-22, R003-20."""
    gates = [make_gate(in_flight=2) for _ in range(2)]

    def one(index):
        gate = gates[index % 2]
        token = gate.enter()
        flight.begin()
        time.sleep(0.005)
        flight.end()
        gate.leave(token, ANSWERED)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(one, range(12)))
    assert flight.most <= 2


async def test_no_more_tasks_are_in_flight_than_the_plan_has_places(make_gate, flight):
    """R003-22, R003-20."""
    gate = make_gate(in_flight=2)

    async def one():
        token = await gate.aenter()
        flight.begin()
        await asyncio.sleep(0.005)
        flight.end()
        await gate.aleave(token, ANSWERED)

    await asyncio.gather(*(one() for _ in range(8)))
    assert flight.most <= 2


async def test_a_cancelled_task_keeps_no_place(make_gate):
    gate = make_gate(in_flight=1)
    token = await gate.aenter()
    waiting = asyncio.create_task(gate.aenter())
    await asyncio.sleep(0.03)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await gate.aleave(token, ANSWERED)
    await gate.aenter()


def test_a_place_of_a_process_that_died_is_free_again(make_gate, wall, sleeps):
    gate = make_gate(in_flight=1)
    gate.enter()
    started = wall.now
    gate.enter()
    assert wall.now - started >= LEASE


def test_nobody_sends_while_the_service_says_that_nothing_is_left(make_gate, wall, sleeps):
    """R003-24, R004-32: a short pause is waited for, a long one is said."""
    gate = make_gate()
    started = wall.now
    gate.leave(gate.enter(), Outcome(answered=True, closed=30))
    gate.leave(gate.enter(), Outcome(answered=True, closed=3000))
    assert wall.now - started >= 30
    with pytest.raises(QuotaExceeded, match="the service says that nothing is left") as caught:
        gate.enter()
    assert caught.value.retry_after == 3000


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"requests_per_hour": 0}, "requests_per_hour is 0"),
        ({"requests_per_day": 2.5}, "requests_per_day is 2.5"),
        ({"in_flight": -1}, "in_flight is -1"),
        ({"credits": float("nan")}, "credits is nan"),
        ({"credits": -1}, "credits is -1"),
        ({"patience": -1}, "patience is -1"),
        ({"low_credits": 5}, "low_credits says nothing without credits"),
        ({"credits_per_request": 5}, "credits_per_request says nothing without credits"),
        ({"credits": 5, "on_low_credits": print}, "needs low_credits"),
        ({"url": "https://example.com"}, "sqlite:///path"),
    ],
)
def test_plans_that_cannot_be_are_refused(limits, said):
    with pytest.raises(ConfigError, match=said):
        Plan(**limits)


@pytest.mark.parametrize("scheme", ["postgresql", "redis"])
def test_a_place_that_cannot_be_reached_is_named_without_its_password(scheme):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
    url = f"{scheme}://me:secret@127.0.0.1:{port}/0"
    plan = Plan(requests_per_hour=1, url=url)
    with pytest.raises(ConfigError) as caught:
        Gate(plan, record(url, "x")).enter()
    assert "127.0.0.1" in str(caught.value)
    assert "secret" not in str(caught.value) + repr(plan)
    with pytest.raises(TypeError, match="DOUBAO_RATE_LIMIT_URL"):
        plan.portable()


@pytest.mark.parametrize("kind", [Plan, RateLimit])
@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:secret@127.0.0.1/db",
        "postgresql://127.0.0.1/db?user=me&password=secret",
        "postgresql://127.0.0.1/db?sslpassword=secret",
        "redis://127.0.0.1/0?password=secret",
    ],
)
def test_a_password_does_not_travel(kind, url):
    """A pickle is a file; the password may be before the host or in the query."""
    with pytest.raises(TypeError, match="DOUBAO_RATE_LIMIT_URL") as caught:
        kind(requests_per_minute=1, url=url).portable()
    assert "secret" not in str(caught.value)
    assert kind(requests_per_minute=1, url="redis://127.0.0.1/0").portable()


def test_the_longest_of_several_waits_decides(make_gate):
    gate = make_gate(requests_per_minute=1, requests_per_hour=1)
    gate.leave(gate.enter(), Outcome(closed=20))
    with pytest.raises(QuotaExceeded, match="allows 1 request per hour"):
        gate.enter()
