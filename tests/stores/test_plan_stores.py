"""Plans that are counted in PostgreSQL and in Redis: kept by processes, and after a restart."""

from __future__ import annotations

import itertools
import subprocess
import sys
from contextlib import ExitStack

import pytest

from doubao_core import Plan, QuotaExceeded
from doubao_core.pacing import gate
from doubao_core.pacing.account import Outcome

# Run by another interpreter, to which the modules of the tests are unknown.
_TAKE = """
import sys
from doubao_core import InsufficientCredits, Plan, QuotaExceeded
from doubao_core.pacing import gate
from doubao_core.pacing.account import Outcome

url, name, count = sys.argv[1:]
keeper = gate(Plan(requests_per_hour=20, credits=100, in_flight=2, url=url, name=name), "")
print("ready", flush=True)
sys.stdin.readline()
taken = 0
for _ in range(int(count)):
    try:
        token = keeper.enter()
    except (InsufficientCredits, QuotaExceeded):
        continue
    taken += 1
    keeper.leave(token, Outcome(answered=True, cost=7))
print(taken)
"""


@pytest.fixture(params=["postgres", "redis", "sqlite"])
def url(request, tmp_path):
    """Where a plan is counted."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/plan.db"
    if request.param == "redis":
        return request.getfixturevalue("redis")
    folder = request.getfixturevalue("postgres")
    return f"postgresql://postgres@/postgres?host={folder}"


def test_processes_share_the_hour_the_places_and_the_credits(url, request):
    """R003-20, R003-22, R004-33: of 30 requests 14 go, because 15 would cost 105 credits."""
    command = [sys.executable, "-c", _TAKE, url, request.node.name, "10"]
    with ExitStack() as running:
        workers = [
            running.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            for _ in range(3)
        ]
        for worker in workers:
            assert worker.stdout.readline() == "ready\n"
        for worker in workers:
            worker.stdin.write("go\n")
            worker.stdin.flush()
        taken = [int(worker.stdout.readline()) for worker in workers]
    assert sum(taken) == 14


_JOBS = """
import sys
import time
from doubao_core import Plan
from doubao_core.pacing import gate
from doubao_core.pacing.account import Outcome

url, name, number, count = sys.argv[1:]
keeper = gate(Plan(jobs_in_flight=2, url=url, name=name), "")
print("ready", flush=True)
sys.stdin.readline()
for index in range(int(count)):
    token = keeper.enter(job=True)
    print("begins", time.time(), flush=True)
    job = f"{number}-{index}"
    keeper.leave(token, Outcome(answered=True, job=job))
    time.sleep(0.05)
    print("ends", time.time(), flush=True)
    keeper.hear({job: True})
"""


def test_processes_share_the_jobs(url, request):
    """R003-22: of three processes no more than two have a job at any time."""
    with ExitStack() as running:
        workers = [
            running.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", _JOBS, url, request.node.name, str(number), "3"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for number in range(3)
        ]
        for worker in workers:
            assert worker.stdout.readline() == "ready\n"
        for worker in workers:
            worker.stdin.write("go\n")
            worker.stdin.flush()
        told = [line.split() for worker in workers for line in worker.stdout]
    steps = sorted((float(at), 1 if what == "begins" else -1) for what, at in told)
    assert len(steps) == 18
    assert max(itertools.accumulate(step for _, step in steps)) == 2


async def test_one_plan_hears_of_the_jobs_of_another(url, request):
    """R003-22: a webhook arrives where it was not asked for."""

    def another(patience):
        plan = Plan(jobs_in_flight=1, patience=patience, url=url, name=request.node.name)
        return gate(plan, "")

    submits, hears = another(0), another(1)
    token = await submits.aenter(job=True)
    await submits.aleave(token, Outcome(answered=True, job="one"))
    with pytest.raises(QuotaExceeded, match="1 job in flight"):
        await submits.aenter(job=True)
    await hears.ahear({"one": True})
    await submits.aenter(job=True)


async def test_an_hour_outlives_its_process(url, request):
    """R004-33."""

    def another(index):
        # Plans that differ: like two processes, they know of each other by the store alone.
        plan = Plan(requests_per_hour=3, patience=index, url=url, name=request.node.name)
        return gate(plan, "")

    for index in range(3):
        keeper = another(index)
        await keeper.aleave(await keeper.aenter(), Outcome(answered=True))
    with pytest.raises(QuotaExceeded):
        await another(3).aenter()
