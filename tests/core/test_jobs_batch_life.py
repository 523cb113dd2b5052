"""The life of a batch: killed, closed, opened twice, in a notebook; and whom it talks to."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from doubao_core import ConfigError
from doubao_core.jobs import State
from doubao_core.jobs.batch import AsyncBatch, Batch
from doubao_core.studio import ImageOrder, VideoOrder
from doubao_emulator import AfterSeconds
from doubao_emulator.progress import Phase

# Processes and films take their time where others work, too.
pytestmark = pytest.mark.timeout(180)

FILM = "doubao-seedance-1-0-pro-fast-251015"
PICTURE = "doubao-seedream-4-0-250828"
JOBS = 8
CONCURRENCY = 3
# Run by another interpreter, to which the modules of the tests are unknown.
_PROGRAM = """
import json, sys
from doubao_core.jobs.batch import Batch
from doubao_core.studio import ImageOrder, VideoOrder

settings, count = json.loads(sys.argv[1]), int(sys.argv[2])
with Batch("killed", concurrency=3, **settings) as batch:
    for n in range(count):
        if n % 2:
            order = ImageOrder(
                model="doubao-seedream-4-0-250828",
                prompt=f"cat {n}",
                options={"size": "1024x1024"},
            )
        else:
            order = VideoOrder(
                model="doubao-seedance-1-0-pro-fast-251015",
                content=[{"type": "text", "text": f"cat {n}"}],
                options={"resolution": "480p", "ratio": "16:9", "duration": 2},
            )
        batch.add(order, key=str(n))
    print("added", flush=True)
    for done in batch.as_completed():
        print(json.dumps([done.key, done.ok, done.problem]), flush=True)
"""


def picture(text="a cat"):
    return ImageOrder(model=PICTURE, prompt=text, options={"size": "1024x1024"})


def film(text="a cat"):
    settings = {"resolution": "480p", "ratio": "16:9", "duration": 2}
    return VideoOrder(model=FILM, content=[{"type": "text", "text": text}], options=settings)


@pytest.fixture
def settings(emulator, tmp_path):
    return {
        "ledger": f"sqlite:///{tmp_path}/jobs.sqlite3",
        "output_dir": str(tmp_path / "media"),
        "provider": "emulator",
        "base_url": emulator.base_url,
        "poll_interval": 0.05,
        "lease": 1.0,
        "patience": 1.0,
    }


@pytest.fixture
def creates(emulator):
    """Give the bodies of all paid requests."""

    def creates():
        return [each.body for each in emulator.requests if each.method == "POST"]

    return creates


@pytest.fixture
def slow_tasks(emulator):
    """Let tasks take a while."""
    emulator.world.progress, before = AfterSeconds(1.0), emulator.world.progress
    yield
    emulator.world.progress = before


def prompt_of(body):
    return body.get("prompt") or body["content"][0]["text"]


class Never:
    """How tasks advance that do not end."""

    def phase(self, **_):
        return Phase.RUNNING


@pytest.fixture
def endless_tasks(emulator):
    emulator.world.progress, before = Never(), emulator.world.progress
    yield
    emulator.world.progress = before


def start(settings):
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, json.dumps(settings), str(JOBS)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until(condition):
    deadline = time.monotonic() + 50
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.005)


@pytest.mark.parametrize("created", [0, 1, 4, JOBS])
@pytest.mark.usefixtures("slow_tasks")
def test_a_killed_batch_goes_on_and_creates_nothing_twice(created, settings, creates, tmp_path):
    with start(settings) as killed:
        assert killed.stdout.readline() == "added\n"
        wait_until(lambda: len(creates()) >= created)
        killed.send_signal(signal.SIGKILL)
    with start(settings) as second:
        said, complaints = second.communicate()

    assert (second.returncode, complaints) == (0, "")
    ended = [json.loads(line) for line in said.splitlines()[1:]]
    assert sorted(key for key, _, _ in ended) == sorted(map(str, range(JOBS)))
    # Whether what the kill caught on its way was paid, nobody can know: a person decides.
    held = {key: problem for key, ok, problem in ended if not ok}
    assert len(held) <= CONCURRENCY
    assert all("release" in problem for problem in held.values())
    sent = [prompt_of(body) for body in creates()]
    assert len(sent) == len(set(sent))
    assert {f"cat {n}" for n in range(JOBS) if str(n) not in held} <= set(sent)
    # A half file that the kill left has none of these names.
    results = [each for each in (tmp_path / "media").iterdir() if each.suffix in {".jpeg", ".mp4"}]
    assert len(results) == JOBS - len(held)


@pytest.mark.usefixtures("endless_tasks")
def test_closing_leaves_what_runs_and_withdraws_nothing(settings, emulator, creates):
    with Batch("left", **settings) as batch:
        for n in range(3):
            batch.add(film(f"cat {n}"), key=str(n))
        wait_until(lambda: len(creates()) == 3)
    assert not [each for each in emulator.requests if each.method == "DELETE"]
    emulator.world.progress = AfterSeconds(0.0)
    with Batch("left", **settings) as batch:
        for n in range(3):
            batch.add(film(f"cat {n}"), key=str(n))
        assert all(done.ok for done in batch.as_completed())
    assert len(creates()) == 3


@pytest.mark.usefixtures("endless_tasks")
def test_what_was_left_is_worked_on_without_being_added_again(settings, emulator, creates):
    with Batch("left", **settings) as batch:
        batch.add(film(), key="1")
        wait_until(lambda: len(creates()) == 1)
    emulator.world.progress = AfterSeconds(0.0)
    with Batch("left", **settings) as batch:
        wait_until(lambda: batch.jobs.get("left/1").ended)
    assert len(creates()) == 1


def test_closing_waits_for_the_answer_of_a_paid_request(settings, emulator, creates):
    emulator.world.latency, before = 0.5, emulator.world.latency
    try:
        with Batch("left", **settings) as batch:
            batch.add(picture(), key="1")
            wait_until(creates)
        # Paid for and known; saved or to be saved by the next start.
        assert batch.jobs.get("left/1").state in {State.MADE, State.DONE}
    finally:
        emulator.world.latency = before


def test_no_thread_outlives_a_batch(settings):
    before = {each for each in threading.enumerate() if "asyncio" not in each.name}
    with Batch("threads", **settings) as batch:
        batch.add(picture())
        list(batch.as_completed())
    after = {each for each in threading.enumerate() if "asyncio" not in each.name}
    assert after <= before


def test_one_batch_is_open_at_a_time(settings):
    with Batch("first", **settings) as first:
        with (
            pytest.raises(ConfigError, match="batch 'first' is open in this process"),
            Batch("second", **settings),
        ):
            pass
        first.add(picture())
        assert next(first.as_completed()).ok
    with Batch("second", **settings) as second:
        second.add(picture())
        assert next(second.as_completed()).ok


def test_batches_that_share_a_database_keep_to_their_own_jobs(settings, creates):
    with Batch("first", **settings) as first:
        first.add(picture("of the first"), key="1")
        # Closed before the queue has looked.
    with Batch("second", **settings) as second:
        second.add(picture("of the second"), key="1")
        assert next(second.as_completed()).ok
        assert [each.key for each in second.jobs.list()].count("first/1") <= 1
    sent = [body["prompt"] for body in creates()]
    assert "of the second" in sent
    with Batch("first", **settings) as first:
        first.add(picture("of the first"), key="1")
        assert next(first.as_completed()).ok
    assert sorted(body["prompt"] for body in creates()) == ["of the first", "of the second"]


def test_a_program_that_uses_dbos_itself_is_told(settings, tmp_path):
    program = """
import sys
from dbos import DBOS
from doubao_core import ConfigError
from doubao_core.jobs.batch import Batch

DBOS(config={"name": "theirs", "system_database_url": sys.argv[1], "log_level": "ERROR"})
DBOS.launch()
try:
    Batch("ours", ledger=sys.argv[2], provider="emulator").__enter__()
except ConfigError as error:
    print(error)
assert DBOS.list_queues() == []
DBOS.destroy()
"""
    databases = [f"sqlite:///{tmp_path}/theirs", settings["ledger"]]
    run = subprocess.run(
        [sys.executable, "-c", program, *databases],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "this program uses DBOS itself" in run.stdout


@pytest.mark.parametrize("queue", ["sqlite:////nowhere/at/all.sqlite3", "mysql://localhost/x"])
def test_a_queue_that_cannot_be_opened_is_said_and_leaves_nothing_open(settings, queue):
    with (
        pytest.raises(ConfigError, match="queue of batch 'posters' cannot be opened"),
        Batch("posters", queue=queue, **settings),
    ):
        pass
    with Batch("posters", **settings) as batch:
        batch.add(picture())
        assert next(batch.as_completed()).ok


async def test_a_blocking_batch_works_where_an_event_loop_runs(settings):
    # As in a notebook.
    with Batch("notebook", **settings) as batch:
        batch.add(film())
        assert [done.ok for done in batch.as_completed()] == [True]


async def test_an_asyncio_batch_leaves_the_loop_to_others(settings):
    turns = 0

    async def others():
        nonlocal turns
        while True:
            await asyncio.sleep(0.001)
            turns += 1

    beside = asyncio.create_task(others())
    async with AsyncBatch("beside", **settings) as batch:
        await batch.add(film())
        assert batch.estimate(film()).amount
        async for done in batch.as_completed():
            assert done.ok
    beside.cancel()
    assert turns > 10


def test_it_talks_to_this_machine_only_and_writes_nothing_to_the_terminal(
    settings, monkeypatch, capfd
):
    peers = []
    connect = socket.socket.connect

    def noted(self, address):
        peers.append(address)
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", noted)
    # Whatever an earlier test has set up.
    monkeypatch.setattr(logging.getLogger("dbos"), "handlers", [])
    with Batch("quiet", **settings) as batch:
        batch.add(picture())
        list(batch.as_completed())
    assert {address[0] for address in peers} <= {"127.0.0.1"}
    assert capfd.readouterr() == ("", "")


def test_the_queue_holds_no_pickles(settings, tmp_path):
    with Batch("plain", **settings) as batch:
        batch.add(picture("a cat in plain JSON"))
        list(batch.as_completed())
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("jobs.sqlite3-queue*"))
    assert b"a cat in plain JSON" in stored
    assert b"py_pickle" not in stored


def test_the_queue_and_the_ledger_are_private(settings, tmp_path):
    """They hold prompts and inlined pictures."""
    with Batch("private", **settings) as batch:
        batch.add(picture())
        modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.glob("jobs.*")}
    assert set(modes.values()) == {0o600}
    assert {"jobs.sqlite3-queue"} <= set(modes)
