"""Interleaved measurement: contestants take turns, so that a noisy machine is noisy to all."""

from __future__ import annotations

import asyncio
import gc
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
Contestants = Mapping[str, Callable[[], int]]
"""By name; each does its work once and says how much it did, in chunks or calls."""


@dataclass(frozen=True, slots=True)
class Run:
    """What every topic needs: the server, how often, and how large."""

    url: str
    rounds: int
    runner: asyncio.Runner
    shrink: int = 1

    @property
    def few(self) -> int:
        """Rounds of what takes seconds: enough for quartiles."""
        return min(self.rounds, max(3, self.rounds // 3))

    def size(self, number: int) -> int:
        """Give *number*, or less of it when this run is only to see that everything works."""
        return max(2, number // self.shrink)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the report: a figure per round for each contestant."""

    title: str
    unit: str
    samples: Mapping[str, list[float]]

    def ratios(self, name: str, to: str) -> list[float]:
        """Give what *name* cost in each round, in what *to* cost in the same round."""
        pairs = zip(self.samples[name], self.samples[to], strict=True)
        return [cost / other for cost, other in pairs]


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds per operation: CPU of this process, and by the clock on the wall."""

    cpu: float
    wall: float


def quartiles(values: list[float]) -> tuple[float, float, float]:
    """Give the first quartile, the median and the third; a single round is all three."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def take_turns(contestants: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Run each contestant once per round; the first round warms up and does not count.

    Each round begins with the next contestant, so that none always follows the same one.
    """
    samples: dict[str, list[T]] = {name: [] for name in contestants}
    names = list(contestants)
    for number in range(rounds + 1):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            if rounds > 1:
                # Nobody pays for another's garbage; a single round only shows that all works.
                gc.collect()
            sample = contestants[name]()
            if number:
                samples[name].append(sample)
    return samples


def compare(
    contestants: Contestants, *, operations: int | Mapping[str, int], rounds: int
) -> dict[str, list[Cost]]:
    """Measure what one operation costs each contestant.

    Args:
        contestants: What they do.
        operations: How much the server had for each, the same for all or by name. Costs are per
            one of these: chunks that a contestant adds of its own do not make it look cheaper.
        rounds: How many rounds count.

    Raises:
        RuntimeError: A contestant did less than the server had for it.
    """

    def timed(name: str, work: Callable[[], int]) -> Cost:
        wanted = operations if isinstance(operations, int) else operations[name]
        wall, cpu = time.perf_counter(), time.process_time()
        done = work()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        if done < wanted:
            raise RuntimeError(f"{name} did {done} of {wanted}: its figure would mean nothing")
        return Cost(cpu=cpu / wanted * 1e6, wall=wall / wanted * 1e6)

    timers: dict[str, Callable[[], Cost]] = {
        name: lambda name=name, work=work: timed(name, work) for name, work in contestants.items()
    }
    return take_turns(timers, rounds)


def cpu_row(title: str, costs: Mapping[str, list[Cost]]) -> Row:
    """Make a row of CPU time."""
    return Row(title, "CPU µs", {name: [cost.cpu for cost in each] for name, each in costs.items()})


def wall_row(title: str, costs: Mapping[str, list[Cost]], *, ideal: float) -> Row:
    """Make a row of time on the wall, with the *ideal*, in µs, as a contestant."""
    samples = {name: [cost.wall for cost in each] for name, each in costs.items()}
    rounds = len(next(iter(samples.values())))
    return Row(title, "wall µs", {"ideal": [ideal] * rounds, **samples})


@contextmanager
def local_server() -> Generator[str]:
    """Start the server as a process of its own; gives its base URL."""
    script = Path(__file__).with_name("server.py")
    with subprocess.Popen(
        [sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
