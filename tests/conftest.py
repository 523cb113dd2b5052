"""The emulator, for every suite that talks HTTP."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from doubao_core import RateLimit
    from doubao_emulator import Emulator


@pytest.fixture(scope="session")
def running_emulator() -> Iterator[Emulator]:
    """One server for the whole session; use `emulator` in tests."""
    from doubao_emulator import Emulator, Immediate

    with Emulator(progress=Immediate()) as emulator:
        yield emulator


@pytest.fixture
def emulator(running_emulator: Emulator) -> Iterator[Emulator]:
    """Return an emulator that remembers nothing and whose tasks are done at once."""
    running_emulator.reset()
    yield running_emulator
    running_emulator.reset()


# Run by another interpreter, to which the modules of the tests are unknown.
_PACED = """
import sys, time
from doubao_core.pacing import RateLimit, pacer

url, name, per_minute, count = sys.argv[1:]
paced = pacer(RateLimit(requests_per_minute=float(per_minute), url=url), name)
print("ready", flush=True)
sys.stdin.readline()
began = time.time()
for _ in range(int(count)):
    paced.wait()
print(began, time.time())
"""


@pytest.fixture
def seconds_of_three_processes() -> Callable[[RateLimit, str, int], float]:
    """How long three processes take that begin together and share a limit."""

    def measure(limit: RateLimit, name: str, count: int) -> float:
        arguments = [str(limit.url), name, str(limit.requests_per_minute), str(count)]
        command = [sys.executable, "-c", _PACED, *arguments]
        with ExitStack() as running:
            workers = [
                running.enter_context(
                    subprocess.Popen(
                        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
                    )
                )
                for _ in range(3)
            ]
            for worker in workers:
                assert worker.stdout.readline() == "ready\n"
            for worker in workers:
                worker.stdin.write("go\n")
                worker.stdin.flush()
            began, ended = zip(
                *(map(float, worker.stdout.readline().split()) for worker in workers), strict=True
            )
        return max(ended) - min(began)

    return measure
