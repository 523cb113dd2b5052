"""Several processes on one job at once: one pays, one saves, and all get the result."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import ExitStack

import pytest

from doubao_emulator.video_tasks import Task

PAID = "generations"
# Whoever lives keeps the lease, however busy the machine is.
PATIENT = {"lease": 30, "patience": 120}


# Run by another interpreter; a web server that forks its workers does the same.
FORKS = """
import os, sys, uuid
from doubao_core.jobs.ledger import Ledger
from doubao_core.jobs.machine import State
from doubao_core.jobs.record import Record

ledger = Ledger(sys.argv[1])
assert ledger.jobs() == []
child = os.fork()
for number in range(20):
    ledger.intend(Record(
        key=f"{'parent' if child else 'child'}-{number}", kind="video", state=State.NEW,
        id=uuid.uuid4().hex, provider="ark", model="m", digest="d",
    ))
if child == 0:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert len(ledger.jobs()) == 40
"""


def go(process):
    process.stdin.write("go\n")
    process.stdin.flush()


def test_a_process_that_forks_shares_the_ledger_with_its_child(site, end):
    process = subprocess.Popen(
        [sys.executable, "-c", FORKS, site.ledger],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert end(process) == (0, "", "")


@pytest.mark.parametrize("order", ["film", "pictures"])
def test_processes_that_start_together_pay_once(site, end, order):
    with ExitStack() as running:
        workers = [
            running.enter_context(site.start(order, waits=True, **PATIENT)) for _ in range(3)
        ]
        for worker in workers:
            assert worker.stdout.readline() == "ready\n"
        for worker in workers:
            go(worker)
        for worker in workers:
            assert end(worker) == (0, "", "")
    assert site.creates() == 1
    assert len(site.files()) == {"film": 1, "pictures": 2}[order]


def test_who_waits_takes_over_from_who_dies_in_flight(site, end, kill, wait_for):
    with site.emulator.fault("stall", path=PAID, times=1):
        first = site.start("film")
        wait_for(lambda: site.emulator.world.table(Task))
        second = site.start("film", **PATIENT)
        wait_for(lambda: second.stdout.readline() == "ready\n")
        kill(first)
    assert end(second) == (0, "", "")
    assert site.creates() == 1
    assert len(site.files()) == 1


def test_two_that_resume_at_once_save_once(site, end):
    end(site.start("film", dies="after Ledger.move accepted"))
    resumers = [site.resume(0) for _ in range(2)]
    for resumer in resumers:
        code, out, err = end(resumer)
        assert (code, err) == (0, "")
        assert {job["state"] for job in json.loads(out)} <= {"done"}
    assert site.creates() == 1
    assert site.downloads() == 1
    assert len(site.files()) == 1


def test_one_that_sleeps_past_its_lease_harms_nobody(site, end, wait_for):
    """Another process takes the job over; who wakes up with the answer finds it done."""
    with site.emulator.fault("stall", path=PAID, times=1):
        asleep = site.start("film")
        wait_for(lambda: site.emulator.world.table(Task))
        asleep.send_signal(signal.SIGSTOP)
        code, out, err = end(site.resume(0))
        assert (code, err) == (0, "")
        assert [job["state"] for job in json.loads(out)] == ["done"]
    asleep.send_signal(signal.SIGCONT)
    code, out, _ = end(asleep)
    assert (code, out) == (0, "ready\n")
    assert site.creates() == 1
    assert len(site.files()) == 1
