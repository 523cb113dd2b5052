"""Calls in flight together, on a server that takes 200 ms for each."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from contestants import ALL, OURS, Contestant, acall, gathered, question
from measure import Cost, Row, Run, compare, cpu_row, wall_row

CPU = "Call, asyncio, {:,} in flight: CPU"
WALL = "Call, asyncio, {:,} in flight: wall time"
GROWTH = "Call, asyncio, 256 in flight and 16 in turns: CPU"

LATENCY_MS = 200
IN_FLIGHT = (64, 256, 1000)
# Every contestant keeps connections open in this process.
DESCRIPTORS = 8192


def rows(run: Run) -> Iterator[Row]:
    """Measure every row about calls in flight."""
    for in_flight in IN_FLIGHT:
        if in_flight == max(IN_FLIGHT) and not _enough_descriptors():
            print(f"\n{in_flight} in flight left out: raise `ulimit -n` to {DESCRIPTORS}")
            continue
        number = run.size(in_flight)
        # At a thousand, one call each takes seconds; elsewhere three show connections reused.
        repeats = 1 if in_flight == max(IN_FLIGHT) else 3
        work = {each.name: _calls(run, each, number, repeats) for each in ALL}
        costs = compare(work, operations=number * repeats, rounds=run.few)
        yield cpu_row(CPU.format(in_flight), costs)
        yield wall_row(WALL.format(in_flight), costs, ideal=run.size(LATENCY_MS) * 1e3 / number)
    yield cpu_row(GROWTH, growth(run))


def growth(run: Run) -> dict[str, list[Cost]]:
    """Compare few in flight with many, of the same class of ours in the same round."""
    work: dict[str, Callable[[], int]] = {}
    operations: dict[str, int] = {}
    for in_flight in (16, 256):
        number, repeats = run.size(in_flight), 3
        for each in OURS:
            name = f"{each.name}, {in_flight} in flight"
            work[name] = _calls(run, each, number, repeats)
            operations[name] = number * repeats
    return compare(work, operations=operations, rounds=run.few)


def _calls(run: Run, contestant: Contestant, in_flight: int, repeats: int) -> Callable[[], int]:
    llm = contestant.make(run.url, f"call-delay-{run.size(LATENCY_MS)}")
    one = partial(_in_turn, contestant, llm, repeats)
    return lambda: run.runner.run(gathered(one, in_flight))


async def _in_turn(contestant: Contestant, llm: Any, repeats: int) -> int:
    asked = question(contestant.framework)
    return sum([await acall(contestant, llm, asked) is not None for _ in range(repeats)])


def _enough_descriptors() -> bool:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < DESCRIPTORS <= hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, hard))
        return True
    return soft >= DESCRIPTORS
