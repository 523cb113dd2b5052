"""Interleaved measurement: contestants take turns, so that a noisy machine is noisy to all."""

from __future__ import annotations

import gc
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Result:
    """Microseconds per operation of one contestant: the median round and the quartiles."""

    name: str
    samples: list[float]

    @property
    def median(self) -> float:
        """The middle round."""
        return statistics.median(self.samples)

    @property
    def spread(self) -> str:
        """First and third quartile, as text."""
        low, _, high = statistics.quantiles(self.samples, n=4)
        return f"{low:,.0f}–{high:,.0f}"


def compare(
    contestants: dict[str, Callable[[], int]],
    *,
    rounds: int,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, Result]:
    """Run each contestant once per round, in turn; a contestant gives how many operations it did.

    The first round warms up and does not count. ``clock`` is CPU time of this process by default.
    """
    samples: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name, contestant in contestants.items():
            gc.collect()
            started = clock()
            operations = contestant()
            spent = clock() - started
            if number:
                samples[name].append(spent / operations * 1e6)
    return {name: Result(name, values) for name, values in samples.items()}


def report(title: str, results: dict[str, Result], pairs: dict[str, str]) -> None:
    """Print a table; *pairs* says which contestant is compared with which."""
    print(f"\n{title}")
    for name, result in results.items():
        ratio = ""
        if (peer := pairs.get(name)) is not None:
            times = [
                theirs / ours
                for ours, theirs in zip(result.samples, results[peer].samples, strict=True)
            ]
            low, middle, high = statistics.quantiles(times, n=4)
            ratio = f"{middle:5.1f}× cheaper than {peer} ({low:.1f}–{high:.1f})"
        print(f"  {name:32} {result.median:9,.1f} µs  [{result.spread:>13}]  {ratio}")


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
