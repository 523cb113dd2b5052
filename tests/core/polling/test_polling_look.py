"""The look-ups of the poller: what is asked, what is read, and that nobody repeats them for it."""

from __future__ import annotations

import json

import pytest

from doubao_core import ConnectionLost, Malformed, RateLimited, ServerError
from doubao_core.operation import Reply
from doubao_core.polling.look import PATIENCE, LookUp, look_up

ONE = LookUp(ids=("cgt-1",))
TWO = LookUp(ids=("cgt-1", "cgt-2"))


def page(*items, **headers):
    body = json.dumps({"total": len(items), "items": list(items)}).encode()
    return Reply(status=200, headers=headers, body=body)


def test_one_task_is_asked_for_by_its_id(pump):
    done = pump(look_up.flow(ONE), {"id": "cgt-1", "status": "running"})
    assert (done.sends[0].operation, dict(done.sends[0].path)) == (
        "videos.get",
        {"task_id": "cgt-1"},
    )
    assert done.result.tasks["cgt-1"].status == "running"


def test_several_are_asked_for_in_one_page_that_has_room_for_all(pump):
    """The default page of 20 would lack most of a hundred (ark.md 15.4)."""
    done = pump(look_up.flow(TWO), page({"id": "cgt-1"}, {"id": "cgt-2"}))
    assert done.sends[0].operation == "videos.list"
    assert done.sends[0].query == (
        ("page_num", "1"),
        ("page_size", "2"),
        ("filter.task_ids", "cgt-1"),
        ("filter.task_ids", "cgt-2"),
    )
    assert set(done.result.tasks) == {"cgt-1", "cgt-2"}


def test_flex_tasks_are_asked_for_as_such(pump):
    done = pump(look_up.flow(LookUp(ids=TWO.ids, flex=True)), page())
    assert ("filter.service_tier", "flex") in done.sends[0].query


@pytest.mark.parametrize("asked", [ONE, TWO])
@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (ConnectionLost("reset"), ConnectionLost),
        (Reply(status=503, headers={}, body=b""), ServerError),
        (Reply(status=429, headers={"retry-after": "1"}, body=b""), RateLimited),
        (b"<html>", Malformed),
    ],
)
def test_a_look_up_that_fails_is_not_repeated_while_others_wait(pump, asked, outcome, kind):
    """The poller has a thousand others to look up, and repeats this one in its own time."""
    with pytest.raises(kind):
        pump(look_up.flow(asked), outcome, max_retries=2)


@pytest.mark.parametrize("asked", [ONE, TWO])
def test_a_look_up_is_not_waited_for_as_long_as_a_film(pump, asked):
    done = pump(look_up.flow(asked), {"id": "cgt-1", "items": []})
    assert done.sends[0].patience == PATIENCE


@pytest.mark.parametrize("broken", [{}, {"id": ""}, None, 7, {"id": ["cgt-2"]}])
def test_a_task_that_cannot_be_read_does_not_hide_the_others(pump, broken):
    """It counts as missing, so that it is asked for by its id, which says what is wrong."""
    done = pump(look_up.flow(TWO), page(broken, {"id": "cgt-1"}))
    assert set(done.result.tasks) == {"cgt-1"}


def test_the_services_time_and_its_rate_are_read_off_the_headers(pump):
    headers = {
        "date": "Mon, 21 Sep 2026 14:13:20 GMT",
        "x-ratelimit-remaining": "8",
        "x-ratelimit-reset": "60",
    }
    answer = pump(look_up.flow(TWO), page(**headers)).result
    assert (answer.at, answer.rate.remaining, answer.rate.reset) == (1_790_000_000.0, 8, 60)


@pytest.mark.parametrize("date", ["", "yesterday", "1790000000"])
def test_a_date_that_cannot_be_read_is_none(pump, date):
    assert pump(look_up.flow(TWO), page(date=date)).result.at is None
