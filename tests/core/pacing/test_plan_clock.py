"""Plans whatever happens: any arrivals, any outcomes, slow requests, clocks that are set."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doubao_core import InsufficientCredits, Plan
from doubao_core.pacing.account import CLOCK_SET_BACK, LEASE, Account, Hold, Outcome

NOW, MINUTE, HOUR, DAY = 1_790_000_000.0, 60.0, 3600.0, 86_400.0
YEAR = 365 * DAY


def account(state, now, **limits):
    return Account(state, Plan(url=None, **limits), now)


@settings(max_examples=200, deadline=None)
@given(
    limit=st.integers(1, 5),
    window=st.sampled_from([("minute", MINUTE), ("hour", HOUR), ("day", DAY)]),
    pauses=st.lists(st.floats(0, 1.2), max_size=40),
)
def test_no_window_wherever_it_begins_holds_more_than_its_limit(limit, window, pauses):
    """R003-21, R003-23, R004-33: and who comes back when it was said goes."""
    (name, seconds), state, now, gone = window, {}, NOW, []
    limits = {f"requests_per_{name}": limit}
    for index, pause in enumerate(pauses):
        now += pause * seconds / limit
        hold = account(state, now, **limits).take(str(index), paid=True)
        if hold is not None:
            assert 0 <= hold.seconds <= seconds * 61 / 60
            now += hold.seconds + 1e-3
            assert account(state, now, **limits).take(str(index), paid=True) is None
        gone.append(now)
    for first, later in zip(gone, gone[limit:], strict=False):
        assert later - first >= seconds


OUTCOMES = st.one_of(
    st.builds(lambda cost: Outcome(answered=True, cost=cost), st.integers(0, 20)),
    st.just(Outcome(free=True)),
    st.just(Outcome()),
    st.just(None),
)


@settings(max_examples=200, deadline=None)
@given(outcomes=st.lists(st.tuples(OUTCOMES, st.booleans()), max_size=30))
def test_credits_are_what_was_spent_and_never_less_than_none(outcomes):
    """R003-18: None stands for a request of a process that died, True for one that was slow."""
    state, now, spent = {}, NOW, 0
    limits = {"credits": 100, "credits_per_request": 20}
    for index, (outcome, slow) in enumerate(outcomes):
        try:
            assert account(state, now, **limits).take(str(index), paid=True) is None
        except InsufficientCredits:
            break
        now += LEASE if slow or outcome is None else 1
        if outcome is None:
            spent += 20
        else:
            account(state, now, **limits).end(str(index), outcome)
            spent += 0 if outcome.free else 20 if outcome.cost is None else outcome.cost
        assert account(state, now, **limits).left == 100 - spent >= 0
    assert account(state, now + DAY, **limits).left == 100 - spent


def test_a_slow_request_of_unknown_cost_is_counted_when_it_ends():
    """R003-18: although its place was given to another meanwhile."""
    state = {}
    account(state, NOW, credits=100).take("slow", paid=True)
    assert account(state, NOW + LEASE, credits=100).left == 100
    account(state, NOW + LEASE + 1, credits=100).end("slow", Outcome(answered=True, cost=15))
    assert account(state, NOW + LEASE + 2, credits=100).left == 85


def test_an_end_that_is_told_twice_counts_once():
    state = {}
    account(state, NOW, credits=100).take("one", paid=True)
    for _ in range(2):
        account(state, NOW + 1, credits=100).end("one", Outcome(answered=True, cost=15))
    assert account(state, NOW + 2, credits=100).left == 85


@pytest.mark.parametrize("window", ["minute", "hour", "day"])
def test_a_clock_that_was_a_year_ahead_stops_nobody_for_a_year(window):
    seconds = {"minute": MINUTE, "hour": HOUR, "day": DAY}[window]
    state, limits = {}, {f"requests_per_{window}": 1}
    account(state, NOW + YEAR, **limits).take("one", paid=True)
    hold = account(state, NOW, **limits).take("two", paid=True)
    assert hold is not None
    # What was used still counts, as if no time had passed.
    assert seconds - seconds / 60 <= hold.seconds <= seconds * 62 / 60
    assert account(state, NOW + hold.seconds + 1, **limits).take("two", paid=True) is None


def test_places_and_pauses_go_back_with_the_clock():
    state = {}
    account(state, NOW + YEAR, in_flight=1).take("one", paid=True)
    account(state, NOW + YEAR, in_flight=1).end("other", Outcome(closed=10))
    hold = account(state, NOW, in_flight=1).take("two", paid=True)
    assert hold == Hold("the service says that nothing is left", 10)
    assert account(state, NOW + LEASE - 1, in_flight=1).take("two", paid=True) is not None
    assert account(state, NOW + LEASE, in_flight=1).take("two", paid=True) is None


def test_clocks_of_machines_that_differ_a_little_move_nothing():
    """R004-33: or each request of the slower machine would give the other an hour more."""
    state, limits = {}, {"requests_per_hour": 2}
    for index, skew in enumerate((0, -CLOCK_SET_BACK / 2)):
        assert account(state, NOW + skew, **limits).take(str(index), paid=True) is None
    assert account(state, NOW, **limits).take("three", paid=True) is not None
    assert account(state, NOW - CLOCK_SET_BACK / 2, **limits).take("three", paid=True) is not None
