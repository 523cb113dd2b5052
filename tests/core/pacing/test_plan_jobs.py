"""Plans: jobs, which the provider goes on with after it has answered."""

from __future__ import annotations

import asyncio
import logging
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doubao_core import ConfigError, Plan, QuotaExceeded
from doubao_core.pacing.account import Account, Outcome
from doubao_core.pacing.gate import Gate
from doubao_core.pacing.jobs import JOB_LEASE
from doubao_core.pacing.news import LONGEST_RENEWAL
from doubao_core.pacing.records import record

NOW = 1_790_000_000.0
NOTHING = Outcome(answered=True)


def begun(job):
    return Outcome(answered=True, job=job)


def begin(gate, job):
    """Have a job accepted."""
    gate.leave(gate.enter(job=True), begun(job))


def test_a_place_is_held_until_the_job_has_ended(make_gate, sleeps):
    """R003-22: the answer was there long before."""
    gate = make_gate(jobs_in_flight=2, patience=0)
    begin(gate, "one")
    begin(gate, "two")
    with pytest.raises(QuotaExceeded, match="the plan allows 2 jobs in flight"):
        gate.enter(job=True)
    gate.hear({"one": False, "two": True})
    begin(gate, "three")
    with pytest.raises(QuotaExceeded):
        gate.enter(job=True)


def test_an_answer_that_is_complete_and_a_refusal_hold_nothing(make_gate, sleeps):
    """R003-22."""
    gate = make_gate(jobs_in_flight=1, patience=0)
    gate.leave(gate.enter(job=True), NOTHING)
    gate.leave(gate.enter(job=True), Outcome(free=True))
    begin(gate, "one")


def test_a_job_whose_answer_was_lost_holds_its_place_for_a_lease(make_gate, wall, sleeps):
    """R003-22: it may have been accepted, and nobody can ask for it."""
    gate = make_gate(jobs_in_flight=1, patience=60)
    token = gate.enter(job=True)
    gate.leave(token, Outcome(job=token))
    with pytest.raises(QuotaExceeded) as caught:
        gate.enter(job=True)
    assert JOB_LEASE - 60 - 1 <= caught.value.retry_after <= JOB_LEASE - 60
    wall.now += caught.value.retry_after
    begin(gate, "one")


def test_other_requests_need_no_place_of_a_job(make_gate, sleeps):
    gate = make_gate(jobs_in_flight=1)
    begin(gate, "one")
    gate.leave(gate.enter(), NOTHING)
    gate.enter(paid=False)
    assert not sleeps


def test_a_wait_that_nobody_will_end_is_an_error_that_says_what_to_do(make_gate, wall, sleeps):
    """R003-22: one thread that submits too much and never looks must not wait for ever."""
    gate = make_gate(jobs_in_flight=1, patience=30)
    begin(gate, "one")
    started = wall.now
    with pytest.raises(QuotaExceeded) as caught:
        gate.enter(job=True)
    assert 30 <= wall.now - started < 31
    assert caught.value.message == (
        "the plan allows 1 job in flight, and for 30 s nobody has looked at one that is: nothing "
        "was sent; wait for one (watch_video, generate_video or a webhook receiver), or give the "
        "plan more patience"
    )


async def test_an_awaited_wait_that_nobody_will_end_is_the_same_error(make_gate, wall, sleeps):
    """R003-22."""
    gate = make_gate(jobs_in_flight=1, patience=30)
    token = await gate.aenter(job=True)
    await gate.aleave(token, begun("one"))
    started = wall.now
    with pytest.raises(QuotaExceeded, match="for 30 s nobody has looked"):
        await gate.aenter(job=True)
    assert 30 <= wall.now - started < 31


def test_patience_counts_from_the_beginning_of_the_wait(make_gate, wall, sleeps):
    """R003-22: somebody may begin to look now."""
    gate = make_gate(jobs_in_flight=1, patience=30)
    begin(gate, "one")
    wall.now += 300
    started = wall.now
    with pytest.raises(QuotaExceeded):
        gate.enter(job=True)
    assert wall.now - started >= 30


def test_a_wait_goes_on_while_another_process_looks(make_gate, wall, sleeps):
    """R003-22: for longer than patience, and until it sees the end."""
    gate, other = make_gate(jobs_in_flight=1, patience=30), make_gate(jobs_in_flight=1, patience=31)
    begin(gate, "one")
    started = wall.now
    wall.meanwhile = lambda: other.hear({"one": wall.now >= started + 120})
    begin(gate, "two")
    assert 120 <= wall.now - started < 121


def test_a_long_wait_for_a_job_is_said_once(make_gate, wall, sleeps, caplog):
    gate = make_gate(jobs_in_flight=1, patience=30)
    begin(gate, "one")
    started = wall.now
    wall.meanwhile = lambda: gate.hear({"one": wall.now >= started + 20})
    with caplog.at_level(logging.WARNING):
        gate.enter(job=True)
    (said,) = caplog.messages
    assert said == "a request waits, because the plan allows 1 job in flight"


def test_a_request_on_the_wire_is_waited_for_however_long(make_gate, wall, sleeps):
    """R003-22: pictures that are made while one waits are answered, and nobody looks at them."""
    gate = make_gate(jobs_in_flight=1, patience=1)
    token, started = gate.enter(job=True), wall.now

    def answer():
        if wall.now >= started + 60:
            gate.leave(token, NOTHING)

    wall.meanwhile = answer
    gate.enter(job=True)
    assert wall.now - started >= 60


def test_the_place_of_a_job_that_nobody_hears_of_is_free_after_a_lease(make_gate, wall, sleeps):
    """R003-22: Doitong without a webhook."""
    gate = make_gate(jobs_in_flight=1, patience=0)
    begin(gate, "one")
    wall.now += JOB_LEASE - 1
    with pytest.raises(QuotaExceeded) as caught:
        gate.enter(job=True)
    assert caught.value.retry_after == pytest.approx(1)
    wall.now += 1
    begin(gate, "two")


def test_who_looks_holds_the_place_of_a_job_that_takes_long(make_gate, wall, sleeps):
    """R003-22."""
    gate = make_gate(jobs_in_flight=1, patience=0)
    begin(gate, "one")
    for _ in range(3):
        wall.now += JOB_LEASE - 1
        gate.hear({"one": False})
    with pytest.raises(QuotaExceeded):
        gate.enter(job=True)


def test_the_place_of_a_process_that_died_while_it_asked_is_free_after_a_lease(make_gate, wall):
    gate = make_gate(jobs_in_flight=1)
    gate.enter(job=True)
    wall.now += JOB_LEASE
    gate.enter(job=True)


def test_an_end_that_is_heard_before_the_answer_counts(make_gate, sleeps):
    """R003-22: webhooks may be faster than the answer that names the job."""
    gate, receiver = make_gate(jobs_in_flight=1, patience=0), make_gate(jobs_in_flight=1)
    token = gate.enter(job=True)
    receiver.hear({"one": True})
    gate.leave(token, begun("one"))
    begin(gate, "two")
    with pytest.raises(QuotaExceeded):
        gate.enter(job=True)


def test_a_page_of_old_tasks_is_not_remembered(make_gate, url, wall, request):
    """R003-22: it would fill the state of the plan."""
    gate = make_gate(jobs_in_flight=1)
    gate.enter(job=True)
    gate.hear({f"old-{index}": True for index in range(500)})
    assert "old-" not in record(url, request.node.nodeid).change(str)


def test_look_ups_that_are_counted_do_not_wait_behind_a_submit(make_gate, wall):
    """R003-22: they are what ends its wait."""
    gate = make_gate(jobs_in_flight=1, count_look_ups=True)
    begin(gate, "one")

    def others():
        gate.leave(gate.enter(paid=False), NOTHING)
        gate.leave(gate.enter(), NOTHING)

    submit = threading.Thread(target=begin, args=(gate, "two"), daemon=True)
    submit.start()
    time.sleep(0.03)
    look_up = threading.Thread(target=others, daemon=True)
    look_up.start()
    look_up.join(20)
    assert submit.is_alive()
    assert not look_up.is_alive()
    gate.hear({"one": True})
    submit.join(20)
    assert not submit.is_alive()


async def test_look_ups_that_are_counted_do_not_wait_behind_an_awaited_submit(make_gate):
    """R003-22."""
    gate = make_gate(jobs_in_flight=1, count_look_ups=True)
    await gate.aleave(await gate.aenter(job=True), begun("one"))
    submit = asyncio.create_task(gate.aenter(job=True))
    await asyncio.sleep(0.03)
    assert not submit.done()
    await gate.aleave(await gate.aenter(paid=False), NOTHING)
    await gate.aleave(await gate.aenter(), NOTHING)
    await gate.ahear({"one": True})
    await submit


async def test_a_cancelled_wait_holds_no_place(make_gate):
    gate = make_gate(jobs_in_flight=1)
    await gate.aleave(await gate.aenter(job=True), begun("one"))
    waiting = asyncio.create_task(gate.aenter(job=True))
    await asyncio.sleep(0.03)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await gate.ahear({"one": True})
    await gate.aenter(job=True)


class Counting:
    """A record that counts how often it is asked."""

    def __init__(self):
        self.asked = 0
        self._record = record(None, f"counting {id(self)}")

    def change(self, step):
        self.asked += 1
        return self._record.change(step)


def test_look_ups_that_say_nothing_new_do_not_ask_the_store(wall):
    """R003-22: an end is written down once, that a job goes on now and then."""
    kept = Counting()
    gate = Gate(Plan(jobs_in_flight=1), kept, wall)
    begin(gate, "one")
    kept.asked = 0
    for _ in range(100):
        gate.hear({"one": False})
    assert kept.asked == 1
    wall.now += LONGEST_RENEWAL
    gate.hear({"one": False})
    assert kept.asked == 2
    for _ in range(100):
        gate.hear({"one": True})
    assert kept.asked == 3


def test_a_state_that_cannot_be_noted_loses_no_look_up(wall, tmp_path, caplog):
    folder = tmp_path / "count"
    folder.mkdir()
    url = f"sqlite:///{folder}/plan.db"
    gate = Gate(Plan(jobs_in_flight=1, url=url), record(url, "x"), wall)
    begin(gate, "one")
    for each in folder.iterdir():
        each.write_bytes(b"no database any more")
    with caplog.at_level(logging.ERROR):
        gate.hear({"one": True})
    assert "could not be counted" in caplog.text


def test_places_of_jobs_go_back_with_the_clock():
    state, plan, ahead = {}, Plan(url=None, jobs_in_flight=1), NOW + 365 * 86_400.0
    account = Account(state, plan, ahead)
    account.take("token", paid=True, job=True)
    account.end("token", begun("one"))
    assert Account(state, plan, NOW).take("two", paid=True, job=True).latest == JOB_LEASE
    assert Account(state, plan, NOW + JOB_LEASE).take("two", paid=True, job=True) is None


STEPS = st.one_of(
    st.tuples(st.just("take"), st.none()),
    st.tuples(st.just("answer"), st.sampled_from(["job", "done", "lost"])),
    st.tuples(st.just("hear"), st.booleans()),
    st.tuples(st.just("wait"), st.sampled_from([1.0, JOB_LEASE / 2])),
)


@settings(max_examples=200, deadline=None)
@given(most=st.integers(1, 3), steps=st.lists(STEPS, max_size=40))
def test_never_more_jobs_are_begun_than_the_plan_allows(most, steps):
    """R003-22: whatever is heard of them, in whatever order, and places are not lost."""
    state, plan, now = {}, Plan(url=None, jobs_in_flight=most), NOW
    wire, jobs = {}, {}
    for index, (step, how) in enumerate(steps):
        account = Account(state, plan, now)
        for held in (wire, jobs):
            for name in [each for each, until in held.items() if until <= now]:
                del held[name]
        if step == "take":
            hold = account.take(f"token{index}", paid=True, job=True)
            assert (hold is None) == (len(wire) + len(jobs) < most)
            if hold is None:
                wire[f"token{index}"] = now + JOB_LEASE
        elif step == "answer" and wire:
            token, _ = wire.popitem()
            name = {"job": f"job{index}", "done": None, "lost": token}[how]
            account.end(token, Outcome(job=name))
            if name is not None:
                jobs[name] = now + JOB_LEASE
        elif step == "hear" and jobs:
            name = next(iter(jobs))
            account.hear({name: how})
            if how:
                del jobs[name]
            else:
                jobs[name] = now + JOB_LEASE
        elif step == "wait":
            now += how


@pytest.mark.parametrize("most", [0, -1, 1.5])
def test_plans_of_no_jobs_are_refused(most):
    with pytest.raises(ConfigError, match="jobs_in_flight is"):
        Plan(jobs_in_flight=most)
