"""A ledger that fails after a payment, and callers that are cancelled: what was paid is kept."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from doubao_core import ConfigError
from doubao_core.jobs import AsyncJobs, Jobs, State
from doubao_core.jobs.ledger import Ledger
from doubao_core.studio import ImageOrder, VideoOrder
from doubao_emulator.video_tasks import Task

TASKS = "/contents/generations/tasks"
FILM = VideoOrder(
    model="doubao-seedance-1-0-pro-250528",
    content=[{"type": "text", "text": "a lighthouse"}],
    options={"duration": 2, "resolution": "480p"},
)
PICTURE = ImageOrder(
    model="doubao-seedream-4-0-250828", prompt="a lighthouse", options={"size": "1024x1024"}
)


def until(found):
    """Wait for what must come."""
    end = time.monotonic() + 50
    while not found():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)


class Failing:
    """A ledger whose moves to one state fail for a while."""

    def __init__(self, monkeypatch, after, times):
        self.left = times
        real = Ledger.move

        def move(ledger, record, state, **options):
            if state is after and self.left:
                self.left -= 1
                raise ConfigError("the job ledger cannot be written: disk full")
            return real(ledger, record, state, **options)

        monkeypatch.setattr(Ledger, "move", move)


@pytest.fixture
def jobs(tmp_path, emulator, monkeypatch):
    monkeypatch.setattr("doubao_core.jobs.driver.time.sleep", lambda _: None)
    with Jobs(
        ledger=f"sqlite:///{tmp_path}/jobs.sqlite3",
        output_dir=tmp_path / "results",
        poll_interval=0.01,
        patience=0,
        base_url=emulator.base_url,
        api_key="k",
    ) as jobs:
        yield jobs


@pytest.mark.parametrize(("order", "after"), [(FILM, State.ACCEPTED), (PICTURE, State.MADE)])
@pytest.mark.parametrize("times", [1, 4])
def test_a_ledger_that_fails_after_the_payment_loses_nothing(
    jobs, emulator, monkeypatch, caplog, order, after, times
):
    """What was paid is finished from memory, and written down when that works again."""
    Failing(monkeypatch, after, times)
    *_, result = jobs.run(order, key="scene-1")
    assert "disk full" in caplog.text
    assert jobs.get("scene-1").result == result
    assert jobs.get("scene-1").state is State.DONE
    assert sum(each.method == "POST" for each in emulator.requests) == 1


@pytest.mark.parametrize(("order", "after"), [(FILM, State.ACCEPTED), (PICTURE, State.MADE)])
def test_a_ledger_that_stays_broken_still_gives_the_result(
    jobs, emulator, monkeypatch, order, after
):
    with monkeypatch.context() as broken:
        Failing(broken, after, 1000)
        *_, result = jobs.run(order, key="scene-1")
    assert result.text.startswith(("The video is ready", "Made 1 picture"))
    (job,) = jobs.resume()
    # A film is found by its mark; pictures cannot be found, and the person who decides has them.
    assert job.state is (State.DONE if order is FILM else State.HELD)
    assert sum(each.method == "POST" for each in emulator.requests) == 1


async def test_a_cancelled_submission_still_learns_the_task(tmp_path, emulator):
    async with AsyncJobs(
        ledger=f"sqlite:///{tmp_path}/jobs.sqlite3",
        output_dir=tmp_path,
        base_url=emulator.base_url,
        api_key="k",
    ) as jobs:
        with emulator.fault("stall", path=TASKS, times=1) as stall:
            submitting = asyncio.create_task(jobs.submit(FILM, key="scene-1"))
            await asyncio.to_thread(until, lambda: emulator.world.table(Task))
            submitting.cancel()
            await asyncio.sleep(0.01)
            stall.release()
            with pytest.raises(asyncio.CancelledError):
                await submitting
        job = await jobs.get("scene-1")
    assert job.state is State.ACCEPTED
    assert list(emulator.world.table(Task)) == [job.task_id]


async def test_a_submission_that_is_cancelled_at_its_mark_takes_it_back(
    tmp_path, emulator, monkeypatch
):
    """Otherwise nobody could tell later whether it was sent."""
    marking, cancelled = threading.Event(), threading.Event()
    real = Ledger.move

    def move(ledger, record, after, **options):
        if after is State.SUBMITTING:
            marking.set()
            assert cancelled.wait(50)
        return real(ledger, record, after, **options)

    monkeypatch.setattr(Ledger, "move", move)
    where = {"ledger": f"sqlite:///{tmp_path}/jobs.sqlite3", "output_dir": tmp_path}
    async with AsyncJobs(base_url=emulator.base_url, api_key="k", **where) as jobs:
        submitting = asyncio.create_task(jobs.submit(FILM, key="scene-1"))
        await asyncio.to_thread(marking.wait, 50)
        submitting.cancel()
        await asyncio.sleep(0.01)
        cancelled.set()
        with pytest.raises(asyncio.CancelledError):
            await submitting
        assert (await jobs.get("scene-1")).state is State.NEW
        assert not emulator.world.table(Task)
        assert (await jobs.submit(FILM, key="scene-1")).state is State.ACCEPTED


async def test_a_cancelled_wait_leaves_the_job_to_others(tmp_path, emulator):
    where = {"ledger": f"sqlite:///{tmp_path}/jobs.sqlite3", "output_dir": tmp_path}
    async with AsyncJobs(base_url=emulator.base_url, api_key="k", **where) as jobs:
        with emulator.fault("stall", path="/media/"):
            waiting = asyncio.create_task(_last(jobs.run(FILM, key="scene-1")))
            await asyncio.to_thread(
                until, lambda: any("/media/" in r.path for r in emulator.requests)
            )
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        assert (await jobs.get("scene-1")).state is State.ACCEPTED
        # The lease was given back: nobody has to wait for it.
        assert jobs._ledger.claim("scene-1", "another")


async def _last(events):
    return [event async for event in events][-1]


def test_where_marks_are_dropped_settings_and_time_decide(jobs, emulator):
    jobs.submit(VideoOrder.from_request({**FILM.request(), "duration": 3}), key="scene-0")
    with emulator.fault("list_without_marks"):
        with emulator.fault("lost_answer", path=TASKS, times=1):
            jobs.submit(FILM, key="scene-1")
        assert jobs.wait("scene-1").state is State.DONE
    assert sum(each.method == "POST" for each in emulator.requests) == 2
