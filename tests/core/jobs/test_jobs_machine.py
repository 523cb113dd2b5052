"""The states of a job: which moves there are, and that none but a person's can pay again."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubao_core import ConfigError
from doubao_core.jobs.machine import ENDED, MOVES, RELEASABLE, State, moved, sources

LEGAL = """
    new: submitting cancelled
    submitting: new accepted made refused unsure held
    unsure: accepted made refused held
    accepted: done failed cancelled
    made: done
    done:
    failed: new
    refused: submitting
    cancelled: new
    held: accepted made refused cancelled new
"""


def test_the_moves_are_these_and_no_others():
    lines = [line.partition(":") for line in LEGAL.strip().splitlines()]
    expected = {State(before.strip()): set(map(State, after.split())) for before, _, after in lines}
    assert {before: set(after) for before, after in MOVES.items()} == expected


@pytest.mark.parametrize(("before", "after"), [*product(State, State)])
def test_a_move_is_made_or_refused_in_words(before, after):
    if after in MOVES[before]:
        assert moved(before, after) is after
        assert before in sources(after)
        return
    with pytest.raises(ConfigError, match=f"is {before} cannot become {after}"):
        moved(before, after)
    assert before not in sources(after)


@given(st.lists(st.sampled_from(State), max_size=12))
def test_every_way_to_a_second_payment_passes_a_refusal_or_a_release(wanted):
    """Between two submissions nothing was paid (``refused``), or a person said so (``new``)."""
    state, since = State.NEW, []
    for after in wanted:
        if after not in MOVES[state]:
            continue
        if after is State.SUBMITTING:
            assert not since or since[-1] in {State.REFUSED, State.NEW}
            since = []
        state = moved(state, after)
        since.append(state)


def test_only_a_release_or_a_refusal_of_its_own_request_leads_back_to_the_beginning():
    assert sources(State.NEW) == RELEASABLE | {State.SUBMITTING}
    assert sources(State.SUBMITTING) == {State.NEW, State.REFUSED}


def test_what_is_done_stays_done():
    assert not MOVES[State.DONE]
    assert State.HELD not in ENDED
