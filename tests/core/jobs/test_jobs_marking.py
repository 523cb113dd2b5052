"""A job is marked when its request goes onto the wire, and not while it waits for its turn."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from doubao_core import ConfigError, Plan, RateLimited, retry
from doubao_core.jobs import AsyncJobs, State
from doubao_core.jobs.ledger import Ledger
from doubao_core.pacing.account import Outcome
from doubao_core.pacing.gate import Gate, gate

PATHS = {"video": "/contents/generations/tasks", "image": "/images/generations"}


@pytest.fixture(params=["film", "pair"])
def order(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def sent(order, creates):
    return lambda: creates(PATHS[order.kind])


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(f"sqlite:///{tmp_path}/jobs.sqlite3")
    yield ledger
    ledger.close()


@pytest.fixture
def before_each_repeat(monkeypatch):
    """Do something while the client waits to send again; gives where to put it."""
    acts = []
    decide = retry.decide

    def watched(*args):
        pause = decide(*args)
        if acts:
            acts.pop(0)()
        return None if pause is None else 0.01

    monkeypatch.setattr(retry, "decide", watched)
    return acts


def test_who_waits_for_a_place_has_marked_nothing(
    make_jobs, order, sent, ledger, monkeypatch, tmp_path, emulator
):
    plan = Plan(in_flight=1, name=str(tmp_path))
    turns = gate(plan, emulator.base_url)
    taken, seen = turns.enter(), []

    def patient(self, hold, waited):
        seen.append((ledger.get("scene").state, sent()))
        turns.leave(taken, Outcome(free=True))
        return 0.01

    monkeypatch.setattr(Gate, "_patient", patient)
    job = make_jobs(plan=plan).submit(order, key="scene")
    assert seen == [(State.NEW, 0)]
    assert job.state in {State.ACCEPTED, State.MADE}
    assert (job.attempt, sent()) == (1, 1)


def test_a_request_that_is_refused_for_its_rate_is_not_marked_while_it_waits(
    make_jobs, order, sent, ledger, emulator, before_each_repeat
):
    seen = []
    before_each_repeat.append(lambda: seen.append(ledger.get("scene").state))
    with emulator.fault("rate_limit", path="generations", times=1):
        job = make_jobs(max_retries=1).submit(order, key="scene")
    assert seen == [State.NEW]
    assert job.state in {State.ACCEPTED, State.MADE}
    assert (job.attempt, sent()) == (1, 2)


def test_who_is_overtaken_while_it_waits_sends_nothing_more(
    make_jobs, order, sent, emulator, before_each_repeat
):
    """Another process submits the same job meanwhile."""
    other = make_jobs()
    before_each_repeat.append(lambda: other_submits(other, order))
    with emulator.fault("rate_limit", path="generations", times=1):
        job = make_jobs(max_retries=2).submit(order, key="scene")
    assert job.state in {State.ACCEPTED, State.MADE}
    # The refused one, and the other's.
    assert (job.attempt, sent()) == (2, 2)


def other_submits(jobs, order):
    # The caller may have an event loop of its own.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(jobs.submit, order, key="scene").result()


def test_who_was_given_up_while_it_waits_sends_nothing_more(
    make_jobs, order, sent, ledger, emulator, before_each_repeat
):
    """It slept past its lease, and a person decided."""

    def give_up():
        ledger.move(ledger.get("scene"), State.CANCELLED)

    before_each_repeat.append(give_up)
    with emulator.fault("rate_limit", path="generations", times=1):
        job = make_jobs(max_retries=2).submit(order, key="scene")
    assert (job.state, sent()) == (State.CANCELLED, 1)


def test_a_mark_that_cannot_be_taken_back_still_sends_once(
    make_jobs, order, sent, emulator, monkeypatch
):
    move = Ledger.move

    def failing(self, record, after, **changes):
        if after is State.NEW:
            raise ConfigError("the ledger is away for a moment")
        return move(self, record, after, **changes)

    monkeypatch.setattr(Ledger, "move", failing)
    monkeypatch.setattr(retry, "decide", lambda *_: 0.01)
    with emulator.fault("rate_limit", path="generations", times=1):
        job = make_jobs(max_retries=1).submit(order, key="scene")
    assert job.state in {State.ACCEPTED, State.MADE}
    assert (job.attempt, sent()) == (1, 2)


def test_a_mark_whose_confirmation_was_lost_is_still_ones_own(make_jobs, order, sent, monkeypatch):
    """The connection broke when the change was made already."""
    move = Ledger.move

    def broken(self, record, after, **changes):
        moved = move(self, record, after, **changes)
        if after is State.SUBMITTING:
            raise ConfigError("the connection was lost")
        return moved

    monkeypatch.setattr(Ledger, "move", broken)
    job = make_jobs().submit(order, key="scene")
    assert job.state in {State.ACCEPTED, State.MADE}
    assert sent() == 1


def test_what_is_refused_in_the_end_is_refused(make_jobs, order, sent, emulator, monkeypatch):
    jobs = make_jobs()
    with emulator.fault("rate_limit", path="generations"), pytest.raises(RateLimited):
        jobs.submit(order, key="scene")
    job = jobs.get("scene")
    assert (job.state, job.attempt, sent()) == (State.REFUSED, 1, 1)
    assert isinstance(job.error, RateLimited)
    assert jobs.submit(order, key="scene").attempt == 2


async def test_who_is_cancelled_while_it_waits_buys_nothing_later(
    film, creates, monkeypatch, tmp_path, emulator, key
):
    waits = asyncio.Event()

    def patient(self, hold, waited):
        waits.set()
        return 0.01

    monkeypatch.setattr(Gate, "_patient", patient)
    plan = Plan(in_flight=1, name=str(tmp_path))
    turns = gate(plan, emulator.base_url)
    taken = turns.enter()
    where = {"ledger": f"sqlite:///{tmp_path}/jobs.sqlite3", "output_dir": tmp_path}
    async with AsyncJobs(base_url=emulator.base_url, api_key=key, plan=plan, **where) as jobs:
        submitting = asyncio.create_task(jobs.submit(film, key="scene"))
        await waits.wait()
        submitting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await submitting
        turns.leave(taken, Outcome(free=True))
        await asyncio.sleep(0.05)
        assert (await jobs.get("scene")).state is State.NEW
        assert creates() == 0
        assert (await jobs.submit(film, key="scene")).state is State.ACCEPTED
