"""A batch on PostgreSQL: two machines work on it, one is killed, and nothing is paid twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from decimal import Decimal

import psycopg
import pytest

from doubao_core.jobs.batch import Batch, Budget
from doubao_core.studio import ImageOrder
from doubao_emulator import AfterSeconds

JOBS = 6
CONCURRENCY = 4
# Run by another interpreter, to which the modules of the tests are unknown.
_PROGRAM = """
import json, sys
from doubao_core.jobs.batch import Batch
from doubao_core.studio import VideoOrder

settings, count = json.loads(sys.argv[1]), int(sys.argv[2])
with Batch("shared", concurrency=4, **settings) as batch:
    for n in range(count):
        order = VideoOrder(
            model="doubao-seedance-1-0-pro-fast-251015",
            content=[{"type": "text", "text": f"cat {n}"}],
            options={"resolution": "480p", "ratio": "16:9", "duration": 2},
        )
        batch.add(order, key=str(n))
    print("added", flush=True)
    print(json.dumps({done.key: done.ok for done in batch.as_completed()}), flush=True)
"""


@pytest.fixture
def database(postgres):
    """Make a database of its own; give its address."""
    with psycopg.connect(host=str(postgres), user="postgres", autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS batches WITH (FORCE)")
        connection.execute("CREATE DATABASE batches")
    return f"postgresql://postgres@/batches?host={postgres}"


@pytest.fixture
def settings(emulator, database, tmp_path):
    return {
        "ledger": database,
        "output_dir": str(tmp_path / "media"),
        "provider": "emulator",
        "base_url": emulator.base_url,
        "poll_interval": 0.05,
        "lease": 1.0,
        "patience": 1.0,
    }


def creates(emulator):
    return [each.body for each in emulator.requests if each.method == "POST"]


def start(settings, machine):
    arguments = [json.dumps({**settings, "machine": machine}), str(JOBS)]
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, *arguments], stdout=subprocess.PIPE, text=True
    )


def test_two_machines_share_a_batch_and_one_may_be_killed(settings, emulator, tmp_path):
    emulator.world.progress, before = AfterSeconds(0.5), emulator.world.progress
    try:
        with start(settings, "left") as left, start(settings, "right") as right:
            assert left.stdout.readline() == right.stdout.readline() == "added\n"
            deadline = time.monotonic() + 50
            while not creates(emulator):
                assert time.monotonic() < deadline
                time.sleep(0.005)
            left.send_signal(signal.SIGKILL)
            # What it had taken waits for it, or for another of its name.
            with start(settings, "left") as again:
                reports = [each.communicate()[0].splitlines()[-1] for each in (again, right)]
    finally:
        emulator.world.progress = before
    left, right = (json.loads(each) for each in reports)
    assert left == right
    assert sorted(left) == [str(n) for n in range(JOBS)]
    # Whether what the kill caught on its way was paid, nobody can know: a person decides.
    made = sum(left.values())
    assert made >= JOBS - CONCURRENCY
    sent = [body["content"][0]["text"] for body in creates(emulator)]
    assert len(sent) == len(set(sent)) >= made
    assert len(list((tmp_path / "media").glob("*.mp4"))) == made


def test_a_budget_holds_there_too(settings, emulator):
    orders = [
        ImageOrder(
            model="doubao-seedream-4-0-250828",
            prompt=f"cat {n}",
            options={"size": "1024x1024"},
        )
        for n in range(4)
    ]
    with Batch("thrifty", budget=Budget("0.50", "CNY"), **settings) as batch:
        for order in orders:
            batch.add(order)
        assert sorted(done.ok for done in batch.as_completed()) == [False, False, True, True]
        assert batch.spent == Decimal("0.40")
    assert len(creates(emulator)) == 2
