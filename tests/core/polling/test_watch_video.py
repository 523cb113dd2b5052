"""Watching a task, without I/O and without time: a ten-minute wait takes a microsecond."""

from __future__ import annotations

import pytest

from doubao_core import ConfigError, ConnectionLost, NotFound, ServerError, Timeout
from doubao_core.api import Operations


def watch(**options):
    return Operations.watch_video.flow("cgt-1", **options)


def task(status):
    return {"id": "cgt-1", "status": status}


def test_each_state_is_shown_until_the_task_ends(pump):
    done = pump(watch(), task("queued"), task("running"), task("running"), task("succeeded"))
    assert [each.status for each in done.shown] == ["queued", "running", "running", "succeeded"]
    assert done.waits == [3.0, 3.0, 3.0]


@pytest.mark.parametrize("status", ["failed", "cancelled", "expired"])
def test_a_bad_end_is_shown_not_raised(pump, status):
    assert pump(watch(), task(status)).shown[-1].status == status


def test_a_task_that_goes_on_is_left_when_the_time_is_over(pump):
    """Look-ups of one second each, every three seconds, in ten seconds: three of them.

    Shows R004-26, R004-28.
    """
    done = pump(watch(wait_timeout=10.0), *[task("running")] * 3)
    assert [each.status for each in done.shown] == ["running"] * 3
    assert sum(done.waits) + 3 * 1.0 <= 10.0


def test_a_wait_of_nothing_looks_once(pump):
    done = pump(watch(wait_timeout=0.0), task("running"))
    assert (len(done.shown), done.waits) == (1, [])


def test_look_ups_that_fail_in_passing_are_repeated(pump, refusal):
    done = pump(
        watch(poll_interval=2.0),
        refusal(503),
        ConnectionLost("reset"),
        Timeout("slow"),
        b"<html>",
        refusal(429, "ServerOverloaded"),
        task("succeeded"),
    )
    assert [each.status for each in done.shown] == ["succeeded"]
    assert done.waits == [2.0] * 5


def test_look_ups_that_fail_until_the_time_is_over_raise_the_last_failure(pump, refusal):
    with pytest.raises(ServerError):
        pump(watch(wait_timeout=7.0), *[refusal(503)] * 3)


def test_a_failure_after_a_good_look_up_is_raised_too(pump, refusal):
    with pytest.raises(ServerError):
        pump(watch(wait_timeout=6.0), task("running"), refusal(503))


def test_a_task_that_does_not_exist_is_raised_at_once(pump, refusal):
    with pytest.raises(NotFound):
        pump(watch(), refusal(404, "NotFound.task_id"))


@pytest.mark.parametrize("interval", [0, -1.0, float("nan")])
def test_an_interval_must_be_positive(interval):
    with pytest.raises(ConfigError, match="poll_interval"):
        next(watch(poll_interval=interval))


def test_slow_failing_look_ups_use_up_the_time(pump):
    """Each took 400 of the 600 seconds: the second one is the last."""
    slow = [Timeout("slow"), Timeout("slow"), Timeout("slow")]
    for each in slow:
        each.elapsed = 400.0
    with pytest.raises(Timeout) as caught:
        pump(watch(wait_timeout=600.0), *slow)
    assert caught.value is slow[1]
