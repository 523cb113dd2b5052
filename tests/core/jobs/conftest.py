"""Jobs on one ledger, blocking and awaited alike, and what is ordered in these tests."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from doubao_core.jobs import AsyncJobs, Jobs
from doubao_core.studio import ImageOrder, VideoOrder
from doubao_emulator import AfterSeconds


@pytest.fixture
def film():
    """A film of two seconds."""
    return VideoOrder(
        model="doubao-seedance-1-0-pro-250528",
        content=[{"type": "text", "text": "a lighthouse"}],
        options={"duration": 2, "resolution": "480p"},
    )


@pytest.fixture
def other_film(film):
    """A film of three seconds."""
    return VideoOrder.from_request({**film.request(), "duration": 3})


@pytest.fixture
def pair():
    """A streamed group of two pictures."""
    return ImageOrder(
        model="doubao-seedream-4-0-250828",
        prompt="a lighthouse, twice",
        options={
            "size": "1024x1024",
            "sequential_image_generation": "auto",
            "sequential_image_generation_options": {"max_images": 2},
        },
    )


class Blocking:
    """``Jobs``, as they are."""

    def __init__(self, **options):
        self.jobs = Jobs(**options)

    def __getattr__(self, name):
        return getattr(self.jobs, name)

    def run(self, *args, **options):
        return list(self.jobs.run(*args, **options))

    def watch(self, *args, **options):
        return list(self.jobs.watch(*args, **options))

    def finish(self):
        self.jobs.close()


class Awaited:
    """``AsyncJobs``, called like ``Jobs``, on an event loop of their own."""

    def __init__(self, **options):
        self.jobs = AsyncJobs(**options)
        self.runner = asyncio.Runner()

    def __getattr__(self, name):
        value = getattr(self.jobs, name)

        def call(*args, **options):
            given = value(*args, **options)
            if inspect.isasyncgen(given):
                return self.runner.run(_listed(given))
            return self.runner.run(given) if inspect.iscoroutine(given) else given

        return call if callable(value) else value

    def finish(self):
        with self.runner:
            self.runner.run(self.jobs.aclose())


async def _listed(generator):
    return [each async for each in generator]


@pytest.fixture(params=[Blocking, Awaited], ids=["sync", "async"])
def make_jobs(request, emulator, tmp_path, key):
    """Make jobs on one ledger; what is made ends with the test."""
    made = []

    def make(**options):
        settings = {
            "ledger": f"sqlite:///{tmp_path}/jobs.sqlite3",
            "output_dir": tmp_path / "results",
            "poll_interval": 0.01,
            "base_url": emulator.base_url,
            "api_key": key,
            "max_retries": 0,
        }
        made.append(request.param(**{**settings, **options}))
        return made[-1]

    yield make
    for each in made:
        each.finish()


@pytest.fixture
def jobs(make_jobs):
    return make_jobs()


@pytest.fixture
def creates(emulator):
    """Count the paid requests that arrived."""

    def creates(path="/contents/generations/tasks"):
        return sum(each.method == "POST" and path in each.path for each in emulator.requests)

    return creates


@pytest.fixture
def slow(emulator, monkeypatch):
    """Keep every task queued for the time of the test."""
    monkeypatch.setattr(emulator.world, "progress", AfterSeconds(3600))
