"""The poller's decisions, without I/O and without time: an hour of 1,000 tasks takes a second."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field

import pytest

from doubao_core import (
    AuthenticationError,
    ConnectionFailed,
    Malformed,
    NotFound,
    PermissionDenied,
    RateLimited,
    ServerError,
    UnsupportedOperation,
    VideoTask,
)
from doubao_core.gateways.normalise import Rate
from doubao_core.polling import Expectation
from doubao_core.polling.board import Board
from doubao_core.polling.look import Answer
from doubao_core.polling.watcher import Watcher


def watcher(task_id="cgt-1", *, interval=None, **expected):
    return Watcher(task_id, threading.Event(), Expectation(**expected), interval)


def taken(watcher):
    """Take the statuses that came."""
    return [task.status for task in watcher.take()]


def state(status="running", task_id="cgt-1", **fields):
    return VideoTask.parse({"id": task_id, "status": status, **fields})


def found(*tasks, **rate):
    return Answer(tasks={each.id: each for each in tasks}, rate=Rate(**rate))


@pytest.fixture
def board():
    return Board(wall=lambda: 0.0, rand=lambda: 0.0)


def test_one_task_is_looked_up_by_its_id_and_two_by_the_list(board):
    board.add(watcher("cgt-1"), 0.0)
    assert board.take(0.0).listed is False
    board.add(watcher("cgt-2"), 10.0)
    board.add(watcher("cgt-3"), 10.0)
    look = board.take(10.0)
    assert look.listed
    assert set(look.ids) == {"cgt-2", "cgt-3"}


def test_tasks_that_are_half_due_come_along_in_a_request_that_is_made_anyway(board):
    for number in range(3):
        board.add(watcher(f"cgt-{number}"), 0.0)
    look = board.take(0.0)
    board.settle(look, found(*(state(task_id=each) for each in look.ids)), 0.0)
    board.add(watcher("cgt-new"), 0.5)
    look = board.take(0.5)
    assert look.ids == ("cgt-new",), "the others were looked up a moment ago"
    board.settle(look, found(state(task_id="cgt-new")), 0.5)
    board.add(watcher("cgt-newer"), 1.4)
    assert len(board.take(1.4).ids) == 4, "their next look-up is nearer than the last one"


def test_a_page_has_a_hundred_ids_at_most(board):
    for number in range(250):
        board.add(watcher(f"cgt-{number}"), 0.0)
    assert [len(board.take(now).ids) for now in (0.0, 1.0, 2.0)] == [100, 100, 50]


def test_ids_that_are_long_make_pages_that_are_short(board):
    """A URL of 25 KB would be refused."""
    for number in range(100):
        board.add(watcher(f"{number:0>200}"), 0.0)
    look = board.take(0.0)
    assert sum(map(len, look.ids)) <= 6000
    assert len(look.ids) > 20


def test_what_the_list_lacks_is_asked_for_by_id_and_after_three_times_only_so(board):
    one, other = watcher("cgt-1"), watcher("cgt-old")
    now = 0.0
    board.add(one, now)
    board.add(other, now)
    looks = []
    for _ in range(12):
        now = board.next_at()
        look = board.take(now)
        looks.append((look.listed, "cgt-old" in look.ids))
        known = [each for each in look.ids if each != "cgt-old" or not look.listed]
        board.settle(look, found(*(state(task_id=each) for each in known)), now)
    assert looks.count((True, True)) == 3
    assert looks[:2] == [(True, True), (False, True)]
    assert taken(other)
    assert taken(one)


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled", "expired"])
def test_every_end_ends_the_look_ups(board, status):
    one = watcher()
    board.add(one, 0.0)
    board.settle(board.take(0.0), found(state(status)), 0.0)
    assert taken(one) == [status]
    assert board.next_at() is None


def test_an_unknown_status_is_waited_out(board):
    one = watcher()
    board.add(one, 0.0)
    for status in ("dreaming", "dreaming", "succeeded"):
        now = board.next_at()
        board.settle(board.take(now), found(state(status)), now)
        assert taken(one) == [status]


def test_a_state_that_goes_back_is_not_believed(board):
    """The list may lag behind the look-up by id, and a late callback behind both."""
    one = watcher()
    board.add(one, 0.0)
    board.settle(board.take(0.0), found(state("running")), 0.0)
    at = board.next_at()
    assert taken(one) == ["running"]
    board.tell(state("queued"), 1.0)
    assert taken(one) == []
    assert board.next_at() == at, "and puts off no look-up"
    board.settle(board.take(at), found(state("queued")), at)
    assert taken(one) == ["running"]


def test_what_was_learnt_another_way_is_told_at_once_and_ends_the_look_ups(board):
    one = watcher()
    board.add(one, 0.0)
    board.settle(board.take(0.0), found(state("running")), 0.0)
    board.tell(state("succeeded"), 0.5)
    assert taken(one) == ["running", "succeeded"]
    assert board.next_at() is None


def test_who_comes_later_sees_the_last_state_and_has_the_task_looked_up_anew(board):
    board.add(watcher(), 0.0)
    board.settle(board.take(0.0), found(state("running")), 0.0)
    late = watcher()
    board.add(late, 1.0)
    assert taken(late) == ["running"]
    assert not late.looked, "what is known may be old"
    assert board.next_at() == 1.0


def test_who_leaves_ends_the_look_ups_of_that_task_alone(board):
    one, other = watcher("cgt-1"), watcher("cgt-2")
    board.add(one, 0.0)
    board.add(other, 0.0)
    one.left = True
    assert board.take(0.0).ids == ("cgt-2",)
    other.left = True
    assert board.next_at() is None


@pytest.mark.parametrize(
    "failure",
    [ServerError("503"), ConnectionFailed("refused"), Malformed("<html>"), RateLimited("429")],
    ids=lambda each: type(each).__name__,
)
def test_failures_that_pass_are_waited_out_with_longer_and_longer_pauses(board, failure):
    one = watcher()
    board.add(one, 0.0)
    now, pauses = 0.0, []
    for _ in range(7):
        board.settle(board.take(now), failure, now)
        assert one.failure is failure
        pauses.append(board.next_at() - now)
        now = board.next_at()
    assert pauses == [2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    board.settle(board.take(now), found(state("running")), now)
    assert one.failure is None
    assert taken(one) == ["running"]
    now = board.next_at()
    board.settle(board.take(now), failure, now)
    assert board.next_at() - now == 2.0, "one that works ends the row"


def test_a_refusal_for_the_rate_makes_everybody_wait_as_long_as_the_service_says(board):
    one = watcher("cgt-1", interval=1.0)
    board.add(one, 0.0)
    board.settle(board.take(0.0), RateLimited("slow down", retry_after=90.0), 0.0)
    other = watcher("cgt-2", interval=1.0)
    board.add(other, 5.0)
    assert board.next_at() == 90.0
    assert isinstance(other.failure, RateLimited), "it may have to leave before the 90 s are over"


def test_no_such_task_is_said_to_those_who_watch_it_and_to_nobody_else(board):
    one, other = watcher("cgt-1"), watcher("cgt-2")
    board.add(one, 0.0)
    board.add(other, 0.0)
    board.settle(board.take(0.0), found(state(task_id="cgt-2")), 0.0)
    now = board.next_at()
    look = board.take(now)
    assert look.ids == ("cgt-1",)
    board.settle(look, NotFound("no such task"), now)
    assert isinstance(one.end, NotFound)
    assert other.end is None
    assert board.next_at() is not None


@pytest.mark.parametrize("refusal", [UnsupportedOperation("no list"), PermissionDenied("no")])
def test_without_a_list_each_task_is_asked_for_by_its_id(board, refusal):
    for number in range(3):
        board.add(watcher(f"cgt-{number}"), 0.0)
    board.settle(board.take(0.0), refusal, 0.0)
    asked, now = [], 0.0
    for _ in range(3):
        now = board.next_at()
        look = board.take(now)
        asked.append(look.ids)
        board.settle(look, found(state(task_id=look.ids[0])), now)
    assert sorted(asked) == [("cgt-0",), ("cgt-1",), ("cgt-2",)]


def test_a_key_that_is_refused_ends_all_watching_with_one_request(board):
    watchers = [watcher(f"cgt-{number}") for number in range(3)]
    for each in watchers:
        board.add(each, 0.0)
    board.settle(board.take(0.0), AuthenticationError("401"), 0.0)
    assert all(isinstance(each.end, AuthenticationError) for each in watchers)
    assert board.next_at() is None


def test_a_page_that_cannot_be_read_is_taken_apart(board):
    """One task with an answer that is broken must not hide ninety-nine others."""
    for number in range(2):
        board.add(watcher(f"cgt-{number}"), 0.0)
    board.settle(board.take(0.0), Malformed("broken"), 0.0)
    now = board.next_at()
    assert board.take(now).listed is False


def test_flex_tasks_are_listed_apart_because_the_list_shows_them_only_when_asked(board):
    for number in range(4):
        board.add(watcher(f"cgt-{number}", flex=number % 2 == 1), 0.0)
    looks = [board.take(0.0), board.take(1.0)]
    assert [(look.flex, set(look.ids)) for look in looks] == [
        (False, {"cgt-0", "cgt-2"}),
        (True, {"cgt-1", "cgt-3"}),
    ]


def test_a_task_that_says_that_it_is_flex_is_listed_as_such_from_then_on(board):
    for number in range(2):
        board.add(watcher(f"cgt-{number}"), 0.0)
    board.settle(board.take(0.0), found(), 0.0)
    now = 0.0
    for _ in range(2):
        now = board.next_at()
        look = board.take(now)
        board.settle(look, found(state(task_id=look.ids[0], service_tier="flex")), now)
    assert board.take(now + 100).flex


def test_an_interval_that_the_user_fixed_is_kept(board):
    board.add(watcher(interval=7.0), 0.0)
    now, pauses = 0.0, []
    for _ in range(5):
        board.settle(board.take(now), found(state()), now)
        pauses.append(board.next_at() - now)
        now = board.next_at()
    assert pauses == [7.0] * 5


def test_small_rates_are_left_to_others_for_the_most_part(board):
    """Ten requests a minute, of which eight are left for 60 s: at most four are look-ups."""
    board.add(watcher(interval=1.0), 0.0)
    board.settle(board.take(0.0), found(state(), remaining=8, reset=60.0), 0.0)
    now = board.next_at()
    board.take(now)
    board.add(watcher("cgt-2", interval=1.0), now)
    assert board.next_at() - now == 15.0


def test_a_rate_that_is_used_up_is_waited_for(board):
    board.add(watcher(interval=1.0), 0.0)
    board.settle(board.take(0.0), found(state(), remaining=0, reset=42.0), 0.0)
    assert board.next_at() == 42.0


def test_a_hint_to_wait_on_an_answer_that_is_none_of_a_refusal_says_nothing(board):
    """One gateway prints it on every answer (gateways.md 4.4)."""
    board.add(watcher(interval=1.0), 0.0)
    answer = found(state(), remaining=0, reset=42.0, retry_after=3600.0)
    board.settle(board.take(0.0), answer, 0.0)
    assert board.next_at() == 42.0


@dataclass
class Service:
    """A service whose answers take a while, and whose tasks end at a moment that is known."""

    ends: dict[str, float]
    latency: float = 0.2
    requests: list[float] = field(default_factory=list)
    clock: float = 0.0

    def answer(self, look, now):
        self.requests.append(now)
        shown = []
        for each in look.ids:
            status = "succeeded" if now >= self.ends[each] else "running"
            shown.append(state(status, each, created_at=0))
        return found(*shown)


def run(board, service, watchers):
    """Let the board watch until all tasks ended; gives when each end was known."""
    known, now = {}, 0.0
    for each in watchers:
        board.add(each, now)
    while (at := board.next_at()) is not None:
        now = max(now, at)
        look = board.take(now)
        outcome = service.answer(look, now)
        now += service.latency
        board.settle(look, outcome, now)
        for each in watchers:
            if "succeeded" in taken(each):
                known[each.task_id] = now
    return known


def busiest_second(requests):
    return max(sum(1 for other in requests if 0 <= other - each < 1.0) for each in requests)


def test_a_thousand_tasks_cost_few_requests_and_their_ends_are_known_soon():
    """The goals: at most 20 requests per second, and on average 3 s from the end to knowing it."""
    rand = random.Random(7)  # noqa: S311 - not a secret
    ends = {f"cgt-{number}": rand.uniform(60.0, 180.0) for number in range(1000)}
    service = Service(ends)
    known = run(Board(rand=rand.random), service, [watcher(each) for each in ends])
    lateness = [known[each] - ends[each] for each in ends]
    assert len(lateness) == 1000
    assert sum(lateness) / len(lateness) <= 3.0
    assert max(lateness) <= 8.0
    assert busiest_second(service.requests) <= 10
    by_id = 1000 * 120 / 3.0
    assert len(service.requests) <= by_id / 50


def test_a_thousand_tasks_with_a_fixed_interval_share_their_look_ups_too():
    rand = random.Random(7)  # noqa: S311 - not a secret
    ends = {f"cgt-{number}": rand.uniform(20.0, 60.0) for number in range(1000)}
    service = Service(ends, latency=0.05)
    board = Board(rand=rand.random)
    known = run(board, service, [watcher(each, interval=3.0) for each in ends])
    assert busiest_second(service.requests) <= 10
    assert sum(known[each] - ends[each] for each in ends) / 1000 <= 3.0


def test_many_tasks_without_a_list_stay_within_twenty_requests_a_second(board):
    class NoList(Service):
        def answer(self, look, now):
            if look.listed:
                return UnsupportedOperation("no list")
            return super().answer(look, now)

    service = NoList({f"cgt-{number}": 30.0 for number in range(200)}, latency=0.01)
    known = run(board, service, [watcher(each) for each in service.ends])
    assert len(known) == 200
    assert busiest_second(service.requests) <= 20
