"""Plans over HTTP: what they have no room for never reaches the gateway. Both clients."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from doubao_core import AsyncClient, Client, InsufficientCredits, Plan, QuotaExceeded, RateLimited
from doubao_emulator.dialects.doitong import Account
from doubao_emulator.dialects.quota import Quota

KEY = "k-0123456789"
PICTURES = {"doitong": "seedream", "seedance2api": "seedream-4.5"}


def picture(provider):
    return {"model": PICTURES[provider], "prompt": "tea", "size": "1024x1024"}


class Blocking:
    """Asks one after the other, or with threads."""

    def __init__(self, **settings):
        self._client = Client(**settings)

    def one_by_one(self, asked, count):
        return [self._outcome(asked) for _ in range(count)]

    def at_once(self, asked, count):
        with ThreadPoolExecutor(count) as threads:
            return list(threads.map(self._outcome, [asked] * count))

    def _outcome(self, asked):
        try:
            return self._client.create_images(**asked)
        except RateLimited as error:
            return error
        except InsufficientCredits as error:
            return error


class Awaiting:
    """The same with tasks."""

    def __init__(self, **settings):
        self._client = AsyncClient(**settings)

    def one_by_one(self, asked, count):
        async def ask():
            outcomes = []
            for _ in range(count):
                outcomes += await self._gathered(asked, 1)
            return outcomes

        return asyncio.run(ask())

    def at_once(self, asked, count):
        return asyncio.run(self._gathered(asked, count))

    async def _gathered(self, asked, count):
        calls = (self._client.create_images(**asked) for _ in range(count))
        return await asyncio.gather(*calls, return_exceptions=True)


@pytest.fixture(params=[Blocking, Awaiting])
def caller(request, at):
    """Make callers of a gateway under a plan that no other test has a part in."""

    def make(provider, *, max_retries=0, **limits):
        plan = Plan(name=request.node.nodeid, **limits)
        return request.param(**{**at(provider), "max_retries": max_retries, "plan": plan})

    return make


def failures(outcomes):
    return [each for each in outcomes if isinstance(each, Exception)]


@pytest.mark.parametrize("provider", PICTURES)
@pytest.mark.parametrize("window", ["hour", "day"])
def test_the_request_that_is_too_many_is_refused_here(caller, emulator, provider, window):
    """R003-23, R004-33: all of the window may go at once, and the error says when it goes on."""
    asking = caller(provider, **{f"requests_per_{window}": 5})
    outcomes = asking.at_once(picture(provider), 8)
    refused = failures(outcomes)
    assert len(refused) == 3
    assert len(emulator.requests) == 5
    seconds = {"hour": 3600, "day": 86_400}[window]
    for error in refused:
        assert isinstance(error, QuotaExceeded)
        # As long as this test may last, minus that.
        assert seconds - 300 <= error.retry_after <= seconds * 61 / 60
        assert f"the plan allows 5 requests per {window}, and it goes on at" in error.message
        assert error.operation == "images.create"
        assert error.gateway == provider


@pytest.mark.parametrize("provider", PICTURES)
def test_nobody_asks_a_gateway_that_said_that_nothing_remains(caller, emulator, provider):
    """R003-24, R004-32: the headers of a good answer are enough, and no number is needed."""
    emulator.world.table(Quota)[provider] = Quota(requests=3, window=3600)
    outcomes = caller(provider).one_by_one(picture(provider), 5)
    assert len(failures(outcomes)) == 2
    assert len(emulator.requests) == 3
    for error in failures(outcomes):
        assert isinstance(error, QuotaExceeded)
        assert "the service says that nothing is left" in error.message
        assert 3300 <= error.retry_after <= 3601


@pytest.mark.parametrize("provider", PICTURES)
def test_a_window_that_ends_soon_is_waited_for(caller, emulator, provider):
    """R003-21, R003-24, R004-32: and no request is refused."""
    emulator.world.table(Quota)[provider] = Quota(requests=2, window=1)
    started = time.monotonic()
    outcomes = caller(provider).one_by_one(picture(provider), 4)
    assert not failures(outcomes)
    assert len(emulator.requests) == 4
    assert time.monotonic() - started >= 0.9


def test_a_refusal_with_a_long_wait_stops_the_others(caller, emulator):
    """R004-32: 429 with the gateway's own header; the plan knew of no limit."""
    with emulator.fault("rate_limit", times=1, retry_after=900):
        outcomes = caller("doitong").one_by_one(picture("doitong"), 3)
    assert len(emulator.requests) == 1
    assert [type(each) for each in outcomes] == [RateLimited, QuotaExceeded, QuotaExceeded]
    assert 600 <= outcomes[-1].retry_after <= 900


@pytest.mark.parametrize("most", [1, 2])
def test_no_more_requests_are_in_flight_than_the_plan_has_places(caller, emulator, most):
    """R003-22, R003-20: the gateway would refuse the others."""
    emulator.world.table(Quota)["doitong"] = Quota(requests=99, window=60, at_once=most)
    emulator.world.latency = 0.03
    try:
        outcomes = caller("doitong", in_flight=most).at_once(picture("doitong"), 6)
    finally:
        emulator.world.latency = 0.0
    assert not failures(outcomes)
    assert len(emulator.requests) == 6


def test_a_batch_stops_before_the_credits_do(caller, emulator):
    """R003-18, R003-20: each costs 15, which the first answer says."""
    outcomes = caller("doitong", credits=40).at_once(picture("doitong"), 6)
    assert len(emulator.requests) == 2
    assert len(failures(outcomes)) == 4
    for error in failures(outcomes):
        assert isinstance(error, InsufficientCredits)
        assert "10 of the plan's 40 credits are left, and a request may cost 15" in error.message
        assert error.status is None


def test_what_the_gateway_says_is_left_is_believed(caller, emulator):
    """R003-16, R003-18: somebody else has spent the same credits."""
    emulator.world.table(Account)[KEY] = Account(credits=20)
    outcomes = caller("doitong", credits=1000).one_by_one(picture("doitong"), 4)
    assert len(emulator.requests) == 2
    said, *not_sent = failures(outcomes)
    assert (said.required, said.available) == (15, 5)
    assert [type(each) for each in not_sent] == [InsufficientCredits] * 2
    assert all("5 of the plan's 1000 credits" in each.message for each in not_sent)


def test_credits_can_be_counted_where_no_answer_says_them(caller, emulator):
    """R003-18."""
    asking = caller("seedance2api", credits=50, credits_per_request=20)
    outcomes = asking.one_by_one(picture("seedance2api"), 4)
    assert len(emulator.requests) == 2
    assert [type(each) for each in failures(outcomes)] == [InsufficientCredits] * 2


def test_low_credits_are_told(caller, emulator, caplog):
    """R003-19."""
    told = []
    asking = caller("doitong", credits=50, low_credits=30, on_low_credits=told.append)
    with caplog.at_level(logging.WARNING, "doubao_core.pacing"):
        asking.one_by_one(picture("doitong"), 3)
    assert told == [20.0]
    assert "20 of the plan's 50 credits are left" in caplog.text


def test_a_refused_request_costs_nothing(caller, emulator):
    """R003-18: the next has the credits."""
    with emulator.fault("rate_limit", times=1, retry_after=1):
        outcomes = caller("doitong", credits=15, credits_per_request=15).one_by_one(
            picture("doitong"), 3
        )
    assert len(emulator.requests) == 2
    assert [type(each).__name__ for each in outcomes] == [
        *("RateLimited", "Images", "InsufficientCredits"),
    ]


_ASK = """
import sys
from doubao_core import Client, DoubaoError, Plan

url, base_url = sys.argv[1:]
plan = Plan(requests_per_hour=3, credits=1000, url=url)
with Client(provider="doitong", api_key="k-0123456789", base_url=base_url, plan=plan) as client:
    for _ in range(2):
        try:
            client.create_images(model="seedream", prompt="tea")
            print("made")
        except DoubaoError as error:
            print(type(error).__name__)
"""


def test_a_restart_does_not_forget_the_hour(emulator, tmp_path):
    """R004-33, R003-20."""

    def run():
        where = [f"sqlite:///{tmp_path}/plan.db", emulator.base_url_of("doitong")]
        done = subprocess.run(
            [sys.executable, "-c", _ASK, *where], capture_output=True, text=True, check=True
        )
        return done.stdout.split()

    assert run() == ["made", "made"]
    assert run() == ["made", "QuotaExceeded"]
    assert len(emulator.requests) == 3


@pytest.mark.parametrize("counted", [False, True])
def test_look_ups_count_if_the_user_says_so(request, at, emulator, counted):
    """R004-33, R004-27: seedance2api does not say whether they do (C52); the film is not lost."""
    plan = Plan(name=request.node.nodeid, requests_per_hour=1, count_look_ups=counted)
    with Client(**at("seedance2api"), plan=plan) as client:
        film = client.create_video(
            model="seedance-2.0", content=[{"type": "text", "text": "tea"}], duration=5
        )
        if not counted:
            assert client.get_video(film.id).status == "succeeded"
            return
        with pytest.raises(QuotaExceeded) as caught:
            client.get_video(film.id)
        assert caught.value.operation == "videos.get"
        with pytest.raises(QuotaExceeded):
            list(client.watch_video(film.id, poll_interval=0.01, wait_timeout=0.02))
    assert len(emulator.requests) == 1


def test_plans_of_models_of_one_account_are_one(request, at, emulator):
    """R004-33: other than a limit per minute, which is a model's."""
    plan = Plan(name=request.node.nodeid, requests_per_hour=2)
    with Client(**at("seedance2api"), plan=plan) as client:
        client.create_images(model="seedream-4.5", prompt="tea")
        client.create_images(model="seedream-5.0", prompt="tea")
        with pytest.raises(QuotaExceeded):
            client.create_images(model="seedream-3.0", prompt="tea")
