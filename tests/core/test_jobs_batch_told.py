"""A batch says why a job has no result, also of one that goes on or whose task is gone."""

from __future__ import annotations

import asyncio

import pytest

from doubao_core import Client
from doubao_core.jobs import AsyncBatch, Batch, Budget, Jobs, State
from doubao_core.studio import VideoOrder

pytestmark = pytest.mark.timeout(180)

TASKS = "/contents/generations/tasks"
FILM = VideoOrder(
    model="doubao-seedance-1-0-pro-fast-251015",
    content=[{"type": "text", "text": "a cat"}],
    options={"resolution": "480p", "ratio": "16:9", "duration": 2},
)


@pytest.fixture
def settings(emulator, tmp_path):
    return {
        "ledger": f"sqlite:///{tmp_path}/jobs.sqlite3",
        "output_dir": tmp_path / "media",
        "provider": "emulator",
        "base_url": emulator.base_url,
        "poll_interval": 0.02,
        "lease": 1.0,
        "max_retries": 0,
    }


def blocking(settings):
    with Batch("posters", **settings) as batch:
        batch.add(FILM, key="film")
        return list(batch.as_completed())


def awaited(settings):
    async def main():
        async with AsyncBatch("posters", **settings) as batch:
            await batch.add(FILM, key="film")
            return [done async for done in batch.as_completed()]

    return asyncio.run(main())


@pytest.fixture(params=[blocking, awaited])
def run(request):
    return request.param


@pytest.fixture
def submitted(settings):
    """A film of the batch that an earlier process submitted."""
    with Jobs(**settings) as jobs:
        return jobs.submit(FILM, key="posters/film")


@pytest.fixture
def gone(submitted, settings, emulator):
    """The same, and the service knows its task no more."""
    with Client(provider="emulator", base_url=emulator.base_url) as client:
        client.get_video(submitted.task_id)
        client.delete_video(submitted.task_id)


@pytest.mark.usefixtures("gone")
def test_a_task_that_is_gone_is_a_problem_with_a_way_out(run, settings):
    (done,) = run(settings)
    assert not done.ok
    assert "knows no such task" in done.problem
    assert "`doubao jobs cancel posters/film`" in done.problem


@pytest.mark.usefixtures("submitted")
def test_a_job_that_goes_on_is_a_problem_in_words(run, settings, emulator):
    with emulator.fault("model_not_open", path=TASKS):
        (done,) = run(settings)
    assert (done.ok, done.job.state) == (False, State.ACCEPTED)
    assert done.problem == done.job.text
    assert "could not be read" in done.problem
    (done,) = run(settings)
    assert (done.ok, done.problem) == (True, None)


@pytest.mark.usefixtures("gone")
def test_a_task_that_is_gone_may_have_been_paid(settings):
    with Jobs(**settings) as jobs:
        jobs.wait("posters/film", timeout=0)
        assert jobs.cancel("posters/film").state is State.CANCELLED
    with Batch("posters", budget=Budget("7.5", "CNY"), **settings) as batch:
        batch.add(FILM, key="film")
        (done,) = batch.as_completed()
        assert "was cancelled" in done.problem
        assert batch.spent == batch.estimate(FILM).amount
