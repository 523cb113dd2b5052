"""The life of a job: its states and the only moves between them. Pure.

    new ──> submitting ──> accepted ──> done | failed | cancelled          films
                      ├──> made ──> done                                   pictures
                      ├──> refused ──> submitting                          nothing was paid
                      ├──> new                                   refused, will be sent again
                      ├──> unsure ──> accepted | held                      the answer was lost
                      └──> held ──> new (a person says so) | accepted | cancelled

A paid request is sent only by who moved the job to ``submitting``, so at most once per attempt. Who
sent it takes that back if it was refused and waits to be sent again; no move but a person's leads
from an unknown outcome back to ``new``.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from doubao_core.errors import ConfigError


class State(StrEnum):
    """Where a job is."""

    NEW = "new"
    """Written down; nothing was sent."""
    SUBMITTING = "submitting"
    """One process is sending the paid request, or died while it did."""
    UNSURE = "unsure"
    """The answer was lost; the task is looked for in the service's list."""
    ACCEPTED = "accepted"
    """The service has the task, and we its id."""
    MADE = "made"
    """The pictures are made, and their addresses written down."""
    DONE = "done"
    """The results are saved."""
    FAILED = "failed"
    """The task ended badly; asking again for the same job raises the same error."""
    REFUSED = "refused"
    """Nothing was made or paid; the same key may be submitted again."""
    CANCELLED = "cancelled"
    """Withdrawn while it was queued, or given up by a person."""
    HELD = "held"
    """Whether it was paid cannot be found out: a person decides."""


ENDED = frozenset({State.DONE, State.FAILED, State.REFUSED, State.CANCELLED})
"""States in which nothing is left to do."""
RELEASABLE = frozenset({State.HELD, State.FAILED, State.CANCELLED})
"""States from which a person may have a job created again."""
MOVES: Mapping[State, frozenset[State]] = {
    State.NEW: frozenset({State.SUBMITTING, State.CANCELLED}),
    State.SUBMITTING: frozenset(
        {State.NEW, State.ACCEPTED, State.MADE, State.REFUSED, State.UNSURE, State.HELD}
    ),
    # An answer that came after all is better than any guess: hence the moves to accepted, made and
    # refused from here and from held.
    State.UNSURE: frozenset({State.ACCEPTED, State.MADE, State.REFUSED, State.HELD}),
    State.ACCEPTED: frozenset({State.DONE, State.FAILED, State.CANCELLED}),
    State.MADE: frozenset({State.DONE}),
    State.DONE: frozenset(),
    State.FAILED: frozenset({State.NEW}),
    State.REFUSED: frozenset({State.SUBMITTING}),
    State.CANCELLED: frozenset({State.NEW}),
    State.HELD: frozenset({State.ACCEPTED, State.MADE, State.REFUSED, State.CANCELLED, State.NEW}),
}
"""Every legal move."""


def moved(before: State, after: State) -> State:
    """Give *after* if a job may go there from *before*.

    Raises:
        ConfigError: It may not.
    """
    if after not in MOVES[before]:
        raise ConfigError(f"a job that is {before} cannot become {after}")
    return after


def sources(after: State) -> frozenset[State]:
    """Give every state from which a job may become *after*."""
    return frozenset(before for before, targets in MOVES.items() if after in targets)
