"""Plans with a number of jobs, over HTTP: the provider works on no more, and refuses nothing."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, closing

import pytest

from doubao_core import AmbiguousSubmit, AsyncClient, Client, Plan, QuotaExceeded, RateLimited
from doubao_core.errors import ServerError
from doubao_core.polling import poller_of
from doubao_emulator import AfterReads

TEXT = [{"type": "text", "text": "tea"}]
FILMS = {
    "ark": {"model": "doubao-seedance-1-0-pro-fast-251015", "content": TEXT},
    "anyfast": {"model": "doubao-seedance-1-0-pro-fast-251015", "content": TEXT},
    "seedance2api": {"model": "seedance-2.0", "content": TEXT, "duration": 5},
}
FILM = FILMS["ark"]
QUICK = {"poll_interval": 0.02, "wait_timeout": 60}


class Blocking:
    """A client, and threads."""

    def __init__(self, **settings):
        self.client = Client(**settings)

    def call(self, name, *args, **options):
        return getattr(self.client, name)(*args, **options)

    def at_once(self, work, count):
        with ThreadPoolExecutor(count) as threads:
            return list(threads.map(lambda _: self._outcome(work), range(count)))

    def _outcome(self, work):
        try:
            return getattr(self, work)()
        except RateLimited as error:
            return error

    def watched(self, film=FILM):
        with closing(self.client.watch_video(self.client.create_video(**film).id, **QUICK)) as seen:
            return [each.status for each in seen][-1]

    def polled(self):
        task = self.client.create_video(**FILM)
        with closing(poller_of(self.client).watch(task.id, **QUICK)) as seen:
            return [each.status for each in seen][-1]

    def watched_by_anyfast(self):
        return self.watched(FILMS["anyfast"])

    def watched_by_seedance2api(self):
        return self.watched(FILMS["seedance2api"])

    def pictured(self):
        return self.client.create_images(model="seedream-4.5", prompt="tea").status


class Awaiting:
    """An asyncio client, and tasks."""

    def __init__(self, **settings):
        self.client = AsyncClient(**settings)

    def call(self, name, *args, **options):
        return asyncio.run(getattr(self.client, name)(*args, **options))

    def at_once(self, work, count):
        async def gathered():
            works = (getattr(self, work)() for _ in range(count))
            return await asyncio.gather(*works, return_exceptions=True)

        return asyncio.run(gathered())

    async def watched(self, film=FILM):
        task = await self.client.create_video(**film)
        async with aclosing(self.client.watch_video(task.id, **QUICK)) as seen:
            return [each.status async for each in seen][-1]

    async def polled(self):
        task = await self.client.create_video(**FILM)
        async with aclosing(poller_of(self.client).watch(task.id, **QUICK)) as seen:
            return [each.status async for each in seen][-1]

    async def watched_by_anyfast(self):
        return await self.watched(FILMS["anyfast"])

    async def watched_by_seedance2api(self):
        return await self.watched(FILMS["seedance2api"])

    async def pictured(self):
        return (await self.client.create_images(model="seedream-4.5", prompt="tea")).status


@pytest.fixture(params=[Blocking, Awaiting])
def caller(request, at):
    """Make callers under a plan that no other test has a part in; without limits under none."""

    def make(provider, **limits):
        plan = Plan(name=request.node.nodeid, **limits) if limits else None
        return request.param(**at(provider), plan=plan)

    return make


WORKS = {
    "watched": "ark",
    "polled": "ark",
    "watched_by_anyfast": "anyfast",
    "watched_by_seedance2api": "seedance2api",
}


@pytest.mark.parametrize(("work", "provider"), WORKS.items())
def test_five_films_never_are_more_than_two_at_the_server(
    caller, emulator, progress, work, provider
):
    """R003-22: by each way of looking; the server refuses what is too much, and has nothing to."""
    progress(AfterReads(2))
    with emulator.limit(jobs=2) as limit:
        outcomes = caller(provider, jobs_in_flight=2).at_once(work, 5)
    assert outcomes == ["succeeded"] * 5
    assert not limit.refused


@pytest.mark.parametrize("provider", FILMS)
def test_without_a_plan_the_server_refuses_the_third(caller, emulator, progress, provider):
    """R003-22: so that the test before shows something."""
    progress(AfterReads(2))
    asking = caller(provider)
    with emulator.limit(jobs=2) as limit:
        for _ in range(2):
            asking.call("create_video", **FILMS[provider])
        with pytest.raises(RateLimited):
            asking.call("create_video", **FILMS[provider])
    assert sum(limit.refused.values()) == 1


def test_pictures_that_are_made_later_are_jobs(caller, emulator, progress, monkeypatch):
    """R003-22: they are looked up as soon as they are accepted."""
    monkeypatch.setattr("doubao_core.api.images._FIRST_LOOK", 0.02)
    progress(AfterReads(2))
    with emulator.limit(jobs=1) as limit:
        outcomes = caller("seedance2api", jobs_in_flight=1).at_once("pictured", 3)
    assert outcomes == ["succeeded"] * 3
    assert not limit.refused


def test_pictures_that_are_made_at_once_hold_their_place_no_longer(caller, emulator):
    """R003-22."""
    asking = caller("ark", jobs_in_flight=1, patience=0)
    for _ in range(2):
        asking.call("create_images", model="doubao-seedream-4-0-250828", prompt="tea")


def test_who_submits_too_much_and_never_looks_is_told_so(caller, emulator, progress):
    """R003-22: nothing was sent, and after a look it goes."""
    progress(AfterReads(1))
    asking = caller("ark", jobs_in_flight=1, patience=0.1)
    task = asking.call("create_video", **FILM)
    with pytest.raises(QuotaExceeded, match="wait for one") as caught:
        asking.call("create_video", **FILM)
    assert caught.value.operation == "videos.create"
    assert len(emulator.requests) == 1
    assert asking.call("get_video", task.id).status == "queued"
    assert asking.call("get_video", task.id).status == "succeeded"
    asking.call("create_video", **FILM)


def test_a_look_at_the_list_frees_places(caller, emulator):
    """R003-22."""
    asking = caller("ark", jobs_in_flight=2, patience=0)
    for _ in range(2):
        asking.call("create_video", **FILM)
    assert [each.status for each in asking.call("list_videos").items] == ["succeeded"] * 2
    for _ in range(2):
        asking.call("create_video", **FILM)


def test_a_film_that_is_withdrawn_frees_its_place(caller, emulator, progress):
    """R003-22."""
    progress(AfterReads(9))
    asking = caller("ark", jobs_in_flight=1, patience=0)
    with emulator.limit(jobs=1) as limit:
        asking.call("delete_video", asking.call("create_video", **FILM).id)
        asking.call("create_video", **FILM)
    assert not limit.refused


def test_who_hears_of_an_end_in_another_way_says_so(caller, emulator):
    """R003-22."""
    asking = caller("ark", jobs_in_flight=1, patience=0)
    task = asking.call("create_video", **FILM)
    asking.client.tell_plan(task.id, ended=False)
    with pytest.raises(QuotaExceeded):
        asking.call("create_video", **FILM)
    asking.client.tell_plan(task.id, ended=True)
    asking.call("create_video", **FILM)
    caller("ark").client.tell_plan(task.id, ended=True)


def test_a_film_that_may_have_been_accepted_holds_its_place(caller, emulator):
    """R003-22: its answer was lost."""
    asking = caller("ark", jobs_in_flight=1, patience=0)
    with emulator.fault("reset_before_answer", times=1), pytest.raises(AmbiguousSubmit):
        asking.call("create_video", **FILM)
    with pytest.raises(QuotaExceeded):
        asking.call("create_video", **FILM)
    assert len(emulator.requests) == 1


@pytest.mark.parametrize(
    ("fault", "failure"), [("server_error", ServerError), ("rate_limit", RateLimited)]
)
def test_a_film_that_was_refused_holds_no_place(caller, emulator, fault, failure):
    """R003-22: also by the service's own error of 500."""
    asking = caller("ark", jobs_in_flight=1, patience=0)
    with emulator.fault(fault, times=1), pytest.raises(failure):
        asking.call("create_video", **FILM)
    asking.call("create_video", **FILM)


def test_what_is_no_job_does_not_wait_for_one(caller, emulator):
    """R003-22: chats go on while films are made."""
    asking = caller("ark", jobs_in_flight=1)
    asking.call("create_video", **FILM)
    waiting = threading.Thread(target=asking.call, args=("create_video",), kwargs=FILM)
    waiting.start()
    chat = {"model": "doubao-seed-1-6-lite-251015", "messages": [{"role": "user", "content": "hi"}]}
    assert asking.call("chat", **chat).content
    assert waiting.is_alive()
    asking.call("list_videos")
    waiting.join(20)
    assert not waiting.is_alive()


@pytest.mark.parametrize("limits", [{}, {"in_flight": 1}])
def test_a_plan_without_jobs_asks_its_store_for_no_look_up(at, emulator, monkeypatch, limits):
    """R003-22."""
    with Client(**at("ark"), plan=Plan(name="no jobs", **limits)) as client:
        task = client.create_video(**FILM)

        def never(*_):
            raise AssertionError("the store was asked")

        monkeypatch.setattr("doubao_core.pacing.records.MemoryRecord.change", never)
        client.get_video(task.id)
        client.list_videos()
