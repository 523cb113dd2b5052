"""Plans: credits, counted down by what answers say, and never spent twice."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from doubao_core import ConfigError, InsufficientCredits, Plan
from doubao_core.pacing.account import LEASE, Outcome
from doubao_core.pacing.gate import Gate
from doubao_core.pacing.records import record

ANSWERED = Outcome(answered=True)


def cost(credits_):
    return Outcome(answered=True, cost=credits_)


def test_credits_are_counted_down_by_what_answers_say(make_gate):
    """R003-18, R003-20: the request for which there may be too few is not sent."""
    gate = make_gate(credits=100)
    for spent in (15, 40, 15):
        gate.leave(gate.enter(), cost(spent))
    with pytest.raises(InsufficientCredits, match=r"30 of the plan's 100 credits .* may cost 40"):
        gate.enter()
    # A larger budget goes on where the smaller ended.
    gate = make_gate(credits=110)
    gate.leave(gate.enter(), cost(40))
    with pytest.raises(InsufficientCredits, match=r"0 of the plan's 110 credits"):
        gate.enter()


def test_what_the_user_says_of_the_cost_counts(make_gate):
    """R003-18: also for services that never say it."""
    gate = make_gate(credits=30, credits_per_request=15)
    for _ in range(2):
        gate.leave(gate.enter(), ANSWERED)
    with pytest.raises(InsufficientCredits, match="0 of the plan's 30 credits"):
        gate.enter()


def test_until_the_cost_is_known_one_request_goes_at_a_time(make_gate, flight):
    """R003-18: a batch that starts at once would spend the account before the first answer."""
    gate, refused = make_gate(credits=30), []

    def one(_):
        try:
            token = gate.enter()
        except InsufficientCredits as error:
            refused.append(error)
            return
        flight.begin()
        time.sleep(0.005)
        flight.end()
        gate.leave(token, cost(15))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(one, range(8)))
    assert len(refused) == 6


async def test_what_may_be_needed_by_others_is_waited_for(make_gate):
    """R003-20: their answers may be cheaper than the dearest so far, or refused."""
    gate = make_gate(credits=20, credits_per_request=15)
    token = await gate.aenter()
    waiting = asyncio.create_task(gate.aenter())
    await asyncio.sleep(0.05)
    assert not waiting.done()
    await gate.aleave(token, Outcome(free=True))
    await gate.aleave(await waiting, cost(15))
    with pytest.raises(InsufficientCredits):
        await gate.aenter()


def test_what_may_have_been_charged_counts_as_charged(make_gate, wall):
    """R003-18: an answer that was lost, and a process that died."""
    gate = make_gate(credits=50, credits_per_request=20)
    gate.leave(gate.enter(), Outcome())
    gate.enter()
    wall.now += LEASE
    with pytest.raises(InsufficientCredits, match="10 of the plan's 50"):
        gate.enter()


def test_what_the_service_says_is_left_counts(make_gate):
    """R003-16, R003-18: others may spend the same credits."""
    gate = make_gate(credits=1000)
    gate.leave(gate.enter(), Outcome(free=True, required=100, available=50))
    with pytest.raises(InsufficientCredits, match=r"50 of the plan's 1000 .* may cost 100"):
        gate.enter()


def test_credits_that_nobody_can_count_are_an_error_and_no_guess(make_gate):
    gate = make_gate(credits=100)
    gate.leave(gate.enter(), ANSWERED)
    with pytest.raises(ConfigError, match="credits_per_request="):
        gate.enter()


def test_low_credits_are_said_once(make_gate, caplog):
    """R003-19."""
    told = []
    gate = make_gate(credits=100, low_credits=50, on_low_credits=told.append)
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            gate.leave(gate.enter(), cost(15))
    assert told == [40.0]
    assert [each.message for each in caplog.records] == ["40 of the plan's 100 credits are left"]


def test_a_paid_answer_is_not_lost_because_it_cannot_be_counted(wall, tmp_path, caplog):
    """The next request is the one that is refused."""
    folder = tmp_path / "count"
    folder.mkdir()
    url = f"sqlite:///{folder}/plan.db"
    gate = Gate(Plan(credits=100, url=url), record(url, "x"), wall)
    token = gate.enter()
    for each in folder.iterdir():
        each.write_bytes(b"no database any more")
    with caplog.at_level(logging.ERROR):
        gate.leave(token, cost(15))
    assert "could not be counted" in caplog.text
    with pytest.raises(ConfigError, match="cannot keep the rate limit at"):
        gate.enter()


def test_what_a_callback_raises_loses_no_answer(make_gate, caplog):
    """R003-19."""

    def fail(left):
        raise RuntimeError(f"nobody wants to know of {left}")

    gate = make_gate(credits=100, low_credits=100, on_low_credits=fail)
    with caplog.at_level(logging.ERROR):
        gate.leave(gate.enter(), cost(15))
    assert "nobody wants to know of 85" in caplog.text
