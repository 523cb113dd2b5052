"""What watching many video tasks costs: one shared poller against one GET per task every 3 s.

    python benchmarks/tasks.py [--tasks 1000] [--seconds 60] [--over 20]

The emulator is a process of its own, and so is each contestant, one after the other. Tasks are
submitted first, over 20 s, and each succeeds *seconds* after its submission. Lateness is the time
from then until the watcher has the state in its hands.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from doubao_core import AsyncClient, Client
from doubao_core.polling import Expectation, poller_of
from doubao_emulator import AfterSeconds, Emulator

ORDER = {
    "model": "doubao-seedance-2-0-260128",
    "content": [{"type": "text", "text": "waves at dusk"}],
}
EVERY = 3.0
PATIENCE = 3600.0
# performance.md 9, for the pollers: requests per second, and seconds of mean lateness.
MOST_PER_SECOND = 20.0
MOST_LATENESS = 3.0
_PAGE = 4096
_SAMPLE_S = 0.25

Known = dict[str, float]
Watch = Callable[[str, list[str]], Known]


@dataclass(frozen=True, slots=True)
class Figures:
    """What one contestant cost and how late it was."""

    requests: int
    busiest: int
    seconds: float
    cpu: float
    memory: float
    threads: int
    lateness: list[float]


class Peak:
    """Samples this process: memory in MiB above the start, and threads besides its own."""

    def __init__(self) -> None:
        self.memory = 0.0
        self.threads = 0
        self._start = _resident()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._stop.wait(_SAMPLE_S):
            self.memory = max(self.memory, (_resident() - self._start) / 2**20)
            self.threads = max(self.threads, threading.active_count() - 1)


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


def poller_async(url: str, ids: list[str]) -> Known:
    """Watch each task in a coroutine of its own; they share a poller."""

    async def all_of_them() -> Known:
        async with AsyncClient(base_url=url, api_key="bench") as client:
            poller = poller_of(client)

            async def one(task_id: str) -> float:
                async for _ in poller.watch(
                    task_id, expect=Expectation.of(ORDER), wait_timeout=PATIENCE
                ):
                    pass
                return time.time()

            return dict(zip(ids, await asyncio.gather(*map(one, ids)), strict=True))

    return asyncio.run(all_of_them())


def poller_blocking(url: str, ids: list[str]) -> Known:
    """Watch all tasks from the main thread."""
    known = {}
    with Client(base_url=url, api_key="bench") as client:
        watching = poller_of(client).watch_many(
            ids, expect=Expectation.of(ORDER), wait_timeout=PATIENCE
        )
        for task in watching:
            if task.ended:
                known[task.id] = time.time()
    return known


def get_each(url: str, ids: list[str]) -> Known:
    """GET each task every 3 s."""

    async def all_of_them() -> Known:
        async with AsyncClient(base_url=url, api_key="bench") as client:

            async def one(task_id: str) -> float:
                async for _ in client.watch_video(
                    task_id, poll_interval=EVERY, wait_timeout=PATIENCE
                ):
                    pass
                return time.time()

            return dict(zip(ids, await asyncio.gather(*map(one, ids)), strict=True))

    return asyncio.run(all_of_them())


CONTESTANTS: dict[str, Watch] = {
    "poller, AsyncClient": poller_async,
    "poller, Client": poller_blocking,
    f"one GET per task every {EVERY:g} s": get_each,
}


POLLERS = ("poller, AsyncClient", "poller, Client")


def verdict(figures: Figures) -> str:
    """Say how the goals were met."""
    rate, late = figures.requests / figures.seconds, statistics.fmean(figures.lateness)
    return ", ".join(
        f"{what} ≤ {most:g}: {'met' if got <= most else 'NOT met'}"
        for what, got, most in (
            ("requests per second", rate, MOST_PER_SECOND),
            ("mean lateness in s", late, MOST_LATENESS),
        )
    )


async def submit(url: str, count: int, over: float) -> Known:
    """Submit *count* tasks in *over* seconds; gives when each was."""
    submitted: Known = {}
    async with AsyncClient(base_url=url, api_key="bench") as client:

        async def one(number: int) -> None:
            await asyncio.sleep(number / count * over)
            task = await client.create_video(**ORDER)
            submitted[task.id] = time.time()

        await asyncio.gather(*map(one, range(count)))
    return submitted


def contest(
    name: str, url: str, count: int, over: float, after: float, told: multiprocessing.Queue
) -> None:
    """Be one contestant, in a process of its own."""
    submitted = asyncio.run(submit(url, count, over))
    began, cpu = time.time(), time.process_time()
    with Peak() as peak:
        known = CONTESTANTS[name](url, list(submitted))
    told.put(
        {
            "seconds": time.time() - began,
            "cpu": time.process_time() - cpu,
            "memory": peak.memory,
            "threads": peak.threads,
            "lateness": [known[each] - submitted[each] - after for each in submitted],
        }
    )


def serve(after: float, told: multiprocessing.Queue, stop: multiprocessing.Event) -> None:
    """Run the server until *stop*; tells its address, then when each GET arrived."""
    arrivals: list[float] = []
    last: object = None
    with Emulator(progress=AfterSeconds(after)) as emulator:
        told.put(emulator.base_url)
        # The emulator remembers the last 10,000 requests; there are more.
        while not stop.wait(1.0):
            new = _since(last, list(emulator.requests))
            last = new[-1] if new else last
            arrivals += [each.time for each in new if each.method == "GET"]
        new = _since(last, list(emulator.requests))
        told.put(arrivals + [each.time for each in new if each.method == "GET"])


def _since(last: object, requests: list) -> list:
    for number in range(len(requests) - 1, -1, -1):
        if requests[number] is last:
            return requests[number + 1 :]
    return requests


def run(name: str, count: int, over: float, after: float) -> Figures:
    """Measure one contestant."""
    context = multiprocessing.get_context("spawn")
    told, stop = context.Queue(), context.Event()
    server = context.Process(target=serve, args=(after, told, stop))
    server.start()
    url = told.get()
    results = context.Queue()
    contestant = context.Process(target=contest, args=(name, url, count, over, after, results))
    contestant.start()
    figures = results.get()
    contestant.join()
    stop.set()
    arrivals = told.get()
    server.join()
    return Figures(requests=len(arrivals), busiest=busiest(arrivals), **figures)


def busiest(arrivals: Iterable[float]) -> int:
    """Give the most requests of a second."""
    return max(Counter(map(int, arrivals)).values(), default=0)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--over", type=float, default=20.0)
    asked = parser.parse_args()
    print(f"{asked.tasks} tasks, each succeeds after {asked.seconds:g} s\n")
    print(
        "| | requests | per second | busiest second | lateness s: mean | worst | CPU s | MiB | "
        "threads |\n|---|---|---|---|---|---|---|---|---|"
    )
    verdicts = []
    for name in CONTESTANTS:
        each = run(name, asked.tasks, asked.over, asked.seconds)
        print(
            f"| {name} | {each.requests:,} | {each.requests / each.seconds:.1f} | {each.busiest} | "
            f"{statistics.fmean(each.lateness):.2f} | {max(each.lateness):.2f} | {each.cpu:.2f} | "
            f"{each.memory:.1f} | {each.threads} |",
            flush=True,
        )
        if name in POLLERS:
            verdicts.append(f"{name}: {verdict(each)}")
    print("\nGoals of performance.md 9:", *verdicts, sep="\n* ")


if __name__ == "__main__":
    main()
