"""What of a call is done: kept while it runs, and on the error if it fails."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from doubao_core.embedder.recipe import Answer, Recipe, Request, Vector, dense, sparse
from doubao_core.errors import DoubaoError

_HALTED = "nothing more was sent, because another batch of the same call failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingProgress:
    """What a failed call had done; its inputs are counted from 0.

    Attributes:
        count: How many inputs the call had.
        vectors: Vectors that are there and paid for, by the position of their input.
        sparse: Their sparse weights, if they were asked for.
        failed: Positions of inputs whose request failed. The others without a vector were not sent,
            or given up after :data:`~doubao_core.embedder.fan_out.LAST_ANSWERS_SECONDS`.
    """

    count: int
    vectors: Mapping[int, Vector] = field(repr=False)
    sparse: Mapping[int, Mapping[int, float]] = field(default_factory=dict, repr=False)
    failed: tuple[int, ...] = ()

    def __str__(self) -> str:
        done = f"{len(self.vectors)} are done, see .progress"
        return f"while embedding {_named(self.failed)} of {self.count}; {done}"

    @property
    def missing(self) -> list[int]:
        """Positions of all inputs without a vector, in order: what is to be sent again."""
        return [position for position in range(self.count) if position not in self.vectors]


class Halted(DoubaoError):
    """A call ended because of another one that shares its ``halt``, whose error says why."""


class Ledger:
    """Which requests of one call are sent, answered and failed; for any number of threads.

    Args:
        recipe: What the requests were made by.
        requests: All of them.
        halt: Set when one fails, after which none is sent; calls that share it stop together.
    """

    def __init__(
        self, recipe: Recipe, requests: Sequence[Request], halt: threading.Event | None = None
    ) -> None:
        self.recipe = recipe
        self.halt = halt or threading.Event()
        self._requests = requests
        self._answers: dict[int, Answer] = {}
        self._failures: dict[int, DoubaoError] = {}
        self._taken = 0
        self._lock = threading.Lock()

    def take(self) -> tuple[int, Request] | None:
        """Give the next request to send and its number; nothing once all are sent or one failed."""
        with self._lock:
            number = self._taken
            if number >= len(self._requests) or self.halt.is_set():
                return None
            self._taken += 1
        return number, self._requests[number]

    def keep(self, number: int, answer: Answer) -> None:
        """Keep an answer, unless its vectors are not as long as asked for."""
        dense(self.recipe, [answer])
        self._answers[number] = answer

    def fail(self, number: int, error: DoubaoError) -> None:
        """Note a failure; nothing more is sent."""
        self._failures[number] = error
        self.halt.set()

    def answers(self) -> list[Answer]:
        """Give all answers in the order of the requests.

        Raises:
            DoubaoError: A request failed: the first of them, which says what else is done.
        """
        # Requests that were given up may still be answered while this is read.
        answers, failures = dict(self._answers), dict(self._failures)
        if len(answers) == len(self._requests):
            return [answers[number] for number in range(len(answers))]
        error = failures[min(failures)] if failures else Halted(_HALTED)
        error.progress = self._progress(answers, failures)
        raise error

    def _progress(
        self, answers: Mapping[int, Answer], failures: Mapping[int, DoubaoError]
    ) -> EmbeddingProgress:
        return EmbeddingProgress(
            count=self._requests[-1].last + 1,
            vectors={
                position: vector
                for number, answer in sorted(answers.items())
                for position, vector in zip(
                    self._requests[number].positions, dense(self.recipe, [answer]), strict=True
                )
            },
            sparse={
                self._requests[number].first: weights
                for number, answer in sorted(answers.items())
                if self._requests[number].sparse
                for weights in sparse([answer])
            },
            failed=tuple(
                position
                for number in sorted(failures)
                for position in self._requests[number].positions
            ),
        )


def _named(positions: Sequence[int]) -> str:
    """Name one run of positions; what is not next to it is only counted."""
    if not positions:
        return "inputs"
    known, last = set(positions), positions[0]
    while last + 1 in known:
        last += 1
    more = len(positions) - (last - positions[0] + 1)
    also = f" and {more} more" if more else ""
    if last == positions[0]:
        return f"input {last}{also}"
    return f"inputs {positions[0]} to {last}{also}"
