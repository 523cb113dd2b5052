"""Clients of both kinds that watch tasks, called alike."""

from __future__ import annotations

import asyncio
import importlib.metadata
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, closing
from types import SimpleNamespace

import pytest

from doubao_core import AsyncClient, Client
from doubao_core.gateways import known
from doubao_core.gateways.ark import ARK
from doubao_core.polling import poller_of
from doubao_emulator import AfterReads

ORDER = {
    "model": "doubao-seedance-2-0-260128",
    "content": [{"type": "text", "text": "waves at dusk"}],
}
TASKS = "/contents/generations/tasks"


@pytest.fixture
def order():
    """Give what a film is ordered with."""
    return dict(ORDER)


@pytest.fixture
def slow(emulator, progress):
    """Return the emulator, whose tasks take a few look-ups."""
    progress(AfterReads(4))
    return emulator


class Blocking:
    """A client whose watchers block."""

    def __init__(self, **options):
        self.client = Client(**options)

    def submit(self):
        return self.client.create_video(**ORDER).id

    def watch(self, task_id, **options):
        """Give the statuses that are seen."""
        with closing(poller_of(self.client).watch(task_id, **options)) as states:
            return [state.status for state in states]

    def watch_many(self, task_ids, **options):
        """Watch each task by itself, all at once; gives the last status of each."""
        with ThreadPoolExecutor(len(task_ids)) as threads:
            seen = threads.map(lambda each: self.watch(each, **options), task_ids)
            return [each[-1] for each in seen]

    def watch_together(self, task_ids, **options):
        return list(poller_of(self.client).watch_many(task_ids, **options))

    def finish(self):
        self.client.close()


class Awaiting:
    """The same with an asyncio client, in a loop of its own."""

    def __init__(self, **options):
        self.client = AsyncClient(**options)
        self.runner = asyncio.Runner()

    def submit(self):
        return self.runner.run(self.client.create_video(**ORDER)).id

    async def _watch(self, task_id, **options):
        async with aclosing(poller_of(self.client).watch(task_id, **options)) as states:
            return [state.status async for state in states]

    def watch(self, task_id, **options):
        return self.runner.run(self._watch(task_id, **options))

    def watch_many(self, task_ids, **options):
        async def all_of_them():
            return await asyncio.gather(*(self._watch(each, **options) for each in task_ids))

        return [each[-1] for each in self.runner.run(all_of_them())]

    def watch_together(self, task_ids, **options):
        async def all_of_them():
            return [each async for each in poller_of(self.client).watch_many(task_ids, **options)]

        return self.runner.run(all_of_them())

    def finish(self):
        with self.runner:
            self.runner.run(self.client.aclose())


@pytest.fixture(params=[Blocking, Awaiting], ids=["sync", "async"])
def watching(request, key):
    """Make clients of both kinds, called alike."""
    made = []

    def make(**options):
        made.append(request.param(api_key=key, **options))
        return made[-1]

    yield make
    for each in made:
        each.finish()


@pytest.fixture
def listless(monkeypatch):
    """Have another package bring a provider that cannot list; gives its name."""
    gateway = ARK.but(
        name="listless",
        routes={name: each for name, each in ARK.routes.items() if name != "videos.list"},
    )
    entry = SimpleNamespace(name=gateway.name, load=lambda: gateway)
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_: [entry])
    known.cache_clear()
    yield gateway.name
    known.cache_clear()


@pytest.fixture
def looks():
    """Give the look-ups that arrived: each the number of tasks that it asked for, 1 for a GET."""

    def arrived(emulator):
        return [
            each.query.count("filter.task_ids=") or 1
            for each in emulator.requests
            if each.method == "GET" and TASKS in each.path
        ]

    return arrived
