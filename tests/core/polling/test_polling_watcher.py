"""What one watch gives out and when it gives up, without I/O and without time."""

from __future__ import annotations

import threading

import pytest

from doubao_core import NotFound, ServerError, Timeout, VideoTask
from doubao_core.polling.watcher import Watch


def state(status="running", **fields):
    return VideoTask.parse({"id": "cgt-1", "status": status, **fields})


def watch(*ids, wait_timeout=10.0):
    return Watch(ids, threading.Event(), expect=None, interval=None, wait_timeout=wait_timeout)


def test_what_comes_in_the_last_moment_is_still_given():
    waiting = watch("cgt-1")
    waiting.begin(0.0)
    waiting.watchers[0].show(state("running"))
    assert [each.status for each in waiting.states()] == ["running"]
    waiting.watchers[0].show(state("succeeded"))
    assert waiting.left(11.0) == 0.0
    assert [each.status for each in waiting.states()] == ["succeeded"]
    assert waiting.left(11.0) is None


def test_states_that_nobody_took_do_not_pile_up():
    """A watcher that is busy for an hour finds one state of each kind, the newest."""
    waiting = watch("cgt-1")
    for number in range(1000):
        waiting.watchers[0].show(state("queued" if number < 10 else "running", updated_at=number))
    assert [each.updated_at for each in waiting.states()] == [9, 999]


def test_the_first_look_up_is_waited_for_but_not_for_ever():
    """A provider that allows ten look-ups an hour must not hold up who wanted to wait a minute."""
    waiting = watch("cgt-1")
    waiting.begin(0.0)
    assert waiting.left(10.5) > 0
    with pytest.raises(Timeout, match="cgt-1"):
        waiting.left(60.0)


def test_each_watcher_raises_a_failure_of_its_own():
    """Two threads that raise one exception would write into each other's traceback."""
    failure = NotFound("no such task", status=404, code="NotFound.Task")
    raised = []
    for waiting in (watch("cgt-1"), watch("cgt-1")):
        waiting.watchers[0].give_up(failure)
        assert list(waiting.states()) == []
        with pytest.raises(NotFound) as caught:
            waiting.left(1.0)
        raised.append(caught.value)
    assert raised[0] is not raised[1]
    assert failure.__traceback__ is None
    assert str(raised[0]) == str(failure)


def test_a_failure_in_passing_counts_only_if_it_is_the_last():
    waiting = watch("cgt-1", wait_timeout=1.0)
    waiting.begin(0.0)
    waiting.watchers[0].fail(ServerError("503"))
    with pytest.raises(ServerError):
        waiting.left(2.0)
    waiting.watchers[0].show(state("running"))
    assert len(list(waiting.states())) == 1
    assert waiting.left(2.0) is None
