"""Batches: each job once, a few at a time, within a budget, whatever ends badly."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from doubao_core import ConfigError
from doubao_core.jobs import AsyncBatch, Batch, Budget, State
from doubao_core.jobs.budget import Room, Spending
from doubao_core.studio import ImageOrder, VideoOrder
from doubao_emulator.progress import Phase

# Processes and films take their time where others work, too.
pytestmark = pytest.mark.timeout(180)

FILM = "doubao-seedance-1-0-pro-fast-251015"
PICTURE = "doubao-seedream-4-0-250828"
TASKS = "/contents/generations/tasks"
# 480p, 16:9, 2 s: 864 x 480 x 49 / 1024 tokens at 4.2 CNY a million.
PRICE = Decimal(19845) * Decimal("4.2") / 1_000_000


def film(text="a cat", **options):
    settings = {"resolution": "480p", "ratio": "16:9", "duration": 2, **options}
    return VideoOrder(model=FILM, content=[{"type": "text", "text": text}], options=settings)


def picture(text="a cat"):
    return ImageOrder(model=PICTURE, prompt=text, options={"size": "1024x1024"})


class Gate:
    """How tasks advance: they run until it is opened."""

    def __init__(self):
        self.open = False

    def phase(self, **_):
        return Phase.DONE if self.open else Phase.RUNNING


class Blocking:
    """A batch of a program without an event loop."""

    def make(self, name, **settings):
        self.batch = Batch(name, **settings)
        return self.batch

    def run(self, orders, name="posters", **settings):
        with self.make(name, **settings) as batch:
            for key, order in orders.items():
                batch.add(order, key=key)
            return {done.key: done for done in batch.as_completed()}


class Async(Blocking):
    """A batch of an asyncio program."""

    def run(self, orders, name="posters", **settings):
        async def main():
            async with AsyncBatch(name, **settings) as batch:
                for key, order in orders.items():
                    await batch.add(order, key=key)
                return {done.key: done async for done in batch.as_completed()}

        return asyncio.run(main())


@pytest.fixture(params=[Blocking, Async])
def face(request):
    return request.param()


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


@pytest.fixture
def creates(emulator):
    """Give the bodies of all paid requests."""

    def creates():
        return [each.body for each in emulator.requests if each.method == "POST"]

    return creates


def wait_until(condition):
    deadline = time.monotonic() + 50
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def test_every_job_is_made_once_and_its_result_saved(face, settings, creates, tmp_path):
    orders = {f"film-{n}": film(f"cat {n}") for n in range(3)}
    orders |= {f"picture-{n}": picture(f"cat {n}") for n in range(3)}
    done = face.run(orders, **settings)

    assert done.keys() == orders.keys()
    assert all(each.ok and each.job.state is State.DONE for each in done.values())
    assert {each.job.key for each in done.values()} == {f"posters/{key}" for key in orders}
    assert len(creates()) == 6
    assert len(list((tmp_path / "media").iterdir())) == 6
    assert done["film-0"].cost.amount == PRICE
    assert done["picture-0"].cost.amount == Decimal("0.20")


def test_a_second_start_reports_all_and_makes_nothing(face, settings, creates):
    orders = {"film": film(), "picture": picture()}
    first = face.run(orders, **settings)
    second = face.run(orders, **settings)

    assert {key: each.job for key, each in second.items()} == {
        key: each.job for key, each in first.items()
    }
    assert second["film"].cost == first["film"].cost
    assert len(creates()) == 2


def test_a_batch_adds_while_it_reports(settings, creates):
    with Batch("chain", **settings) as batch:
        batch.add(picture(), key="1")
        keys = []
        for done in batch.as_completed():
            keys.append(done.key)
            if len(keys) < 3:
                batch.add(picture(f"after {done.key}"), key=str(len(keys) + 1))
    assert keys == ["1", "2", "3"]
    assert len(creates()) == 3


def test_equal_orders_without_keys_are_one_job(settings, creates):
    with Batch("posters", **settings) as batch:
        first, second, other = (batch.add(each) for each in (film(), film(), film("a dog")))
        done = list(batch.as_completed())
    assert first == second != other
    assert sorted(each.key for each in done) == sorted([first, other])
    assert len(creates()) == 2


def test_keys_that_look_alike_are_different_jobs(settings, creates):
    keys = ["a_b", "aXb", "A_B", "a%b", "a b", "a/b", "a%20b", "ä"]
    for _ in range(2):
        with Batch("look_alike", **settings) as batch:
            for key in keys:
                batch.add(picture(f"a picture of {key}"), key=key)
            assert sorted(done.key for done in batch.as_completed() if done.ok) == sorted(keys)
    assert len(creates()) == len(keys)


def test_a_key_means_one_order_for_ever(settings, creates):
    with Batch("posters", **settings) as batch:
        batch.add(film(), key="hero")
        with pytest.raises(ConfigError, match="stands for another order"):
            batch.add(film("a dog"), key="hero")
        list(batch.as_completed())
        with pytest.raises(ConfigError, match="stands for another order"):
            batch.add(film("a dog"), key="hero")
    assert len(creates()) == 1


def test_no_more_jobs_run_at_once_than_allowed(settings, emulator, creates):
    emulator.world.progress, before = (gate := Gate()), emulator.world.progress
    try:
        with Batch("posters", concurrency=2, **settings) as batch:
            for n in range(4):
                batch.add(film(f"cat {n}"), key=str(n))
            wait_until(lambda: len(creates()) == 2)
            # Two looks of the queue.
            time.sleep(0.6)
            assert len(creates()) == 2
            gate.open = True
            assert all(done.ok for done in batch.as_completed())
    finally:
        emulator.world.progress = before
    assert len(creates()) == 4


def test_no_more_jobs_begin_in_a_minute_than_allowed(settings, creates):
    with Batch("posters", per_minute=2, **settings) as batch:
        for n in range(3):
            batch.add(film(f"cat {n}"), key=str(n))
        reported = batch.as_completed()
        assert next(reported).ok
        assert next(reported).ok
        time.sleep(0.6)
        assert len(creates()) == 2


def test_what_ends_badly_is_reported_and_the_others_are_made(face, settings, emulator, creates):
    orders = {f"{n}": picture(f"cat {n}") for n in range(3)} | {"bad": film(duration=99)}
    done = face.run(orders, **settings)

    assert [key for key, each in done.items() if not each.ok] == ["bad"]
    assert done["bad"].job.state is State.REFUSED
    assert "duration" in done["bad"].problem
    assert done["bad"].cost is None
    assert len(creates()) == 4


def test_a_failed_task_is_not_made_anew_and_a_refused_job_is(settings, emulator, creates):
    with emulator.fault("task_failed", times=1):
        first = Blocking().run({"film": film()}, **settings)
    assert first["film"].job.state is State.FAILED
    again = Blocking().run({"film": film()}, **settings)
    assert again["film"].job.state is State.FAILED
    assert len(creates()) == 1

    with emulator.fault("quota", times=1):
        first = Blocking().run({"picture": picture()}, **settings)
    assert first["picture"].job.state is State.REFUSED
    again = Blocking().run({"picture": picture()}, **settings)
    assert again["picture"].ok
    assert len(creates()) == 3


def test_a_lost_answer_is_found_and_paid_once(settings, emulator, creates):
    with emulator.fault("lost_answer", times=1, path=TASKS):
        done = Blocking().run({"film": film()}, **settings)
    assert done["film"].ok
    assert len(creates()) == 1


def test_a_held_job_is_reported_and_made_after_its_release(settings, emulator, creates):
    with emulator.fault("lost_answer", times=1, path="/images/generations"):
        done = Blocking().run({"picture": picture()}, **settings)
    assert done["picture"].job.state is State.HELD
    assert "release" in done["picture"].problem
    with Batch("posters", **settings) as batch:
        batch.jobs.release("posters/picture")
        batch.add(picture(), key="picture")
        assert next(batch.as_completed()).ok
    assert len(creates()) == 2


def test_a_batch_stops_before_its_budget_is_exceeded_and_goes_on_with_more(face, settings, creates):
    orders = {f"{n}": picture(f"cat {n}") for n in range(6)}
    done = face.run(orders, budget=Budget("0.70", "CNY"), **settings)

    assert sorted(each.ok for each in done.values()) == [False] * 3 + [True] * 3
    skipped = [each for each in done.values() if not each.ok]
    assert all(each.skipped and each.job is None and each.cost is None for each in skipped)
    assert "budget" in skipped[0].problem
    assert len(creates()) == 3

    more = face.run(orders, budget=Budget("1.20", "CNY"), **settings)
    assert all(each.ok for each in more.values())
    assert len(creates()) == 6


def test_a_budget_counts_what_was_really_paid(settings, creates):
    # The highest price is that of 12 s; the emulator chooses less.
    orders = {f"{n}": film(f"cat {n}", duration=-1) for n in range(3)}
    orders = {
        key: VideoOrder(
            model="doubao-seedance-2-0-mini-260615", content=each.content, options=each.options
        )
        for key, each in orders.items()
    }
    with Batch("probe", **settings) as batch:
        most = batch.estimate(orders["0"])
    assert most.at_most
    done = Blocking().run(orders, budget=Budget(most.amount * 2, "CNY"), **settings)
    paid = [each.cost.amount for each in done.values() if each.ok]
    assert len(paid) == 3
    assert sum(paid) <= most.amount * 2 < most.amount * 3


def test_what_failed_leaves_the_budget_to_others(settings, emulator):
    with emulator.fault("task_failed", times=1):
        done = Blocking().run({"bad": film()}, budget=Budget(PRICE, "CNY"), **settings)
    assert done["bad"].job.state is State.FAILED
    more = Blocking().run({"good": film("a dog")}, budget=Budget(PRICE, "CNY"), **settings)
    assert more["good"].ok


def test_of_many_that_ask_at_once_only_those_get_room_that_there_is_room_for(tmp_path):
    budget = Budget("0.5", "CNY")
    spending = Spending(f"sqlite:///{tmp_path}/queue.sqlite3", "posters", budget)
    with ThreadPoolExecutor(8) as askers:
        answers = list(askers.map(lambda n: spending.reserve(f"{n}", Decimal("0.1")), range(8)))
    assert (answers.count(Room.YES), answers.count(Room.LATER)) == (5, 3)
    granted = [f"{n}" for n, answer in enumerate(answers) if answer is Room.YES]
    for job in granted:
        spending.settle(job, Decimal("0.1"))
    refused = f"{answers.index(Room.LATER)}"
    assert spending.reserve(refused, Decimal("0.1")) is Room.NO
    spending.release(granted[0])
    assert spending.reserve(refused, Decimal("0.1")) is Room.YES
    assert spending.total == Decimal("0.5")
    spending.close()


def test_what_is_spent_is_known(settings):
    with Batch("posters", budget=Budget("7.5", "CNY"), **settings) as batch:
        batch.add(film(), key="1")
        list(batch.as_completed())
        assert batch.spent == PRICE
    with Batch("free", **settings) as batch:
        assert batch.spent is None

    async def asked():
        async with AsyncBatch("posters", budget=Budget("7.5", "CNY"), **settings) as batch:
            return await batch.spent()

    assert asyncio.run(asked()) == PRICE


@pytest.mark.parametrize(
    ("budget", "said"),
    [(Budget(5, "CNY"), "price unknown"), (Budget(5, "USD"), "the budget is in USD")],
)
def test_a_budget_needs_a_price_in_its_currency(settings, creates, budget, said):
    order = film() if budget.currency == "USD" else ImageOrder(model="ep-1", prompt="a cat")
    with (
        Batch("posters", budget=budget, **settings) as batch,
        pytest.raises(ConfigError, match=said),
    ):
        batch.add(order, key="1")
    assert creates() == []


def test_prices_may_be_your_own(settings):
    row = {
        "provider": "emulator",
        "models": [PICTURE],
        "per": "image",
        "amount": "2",
        "currency": "EUR",
    }
    done = Blocking().run(
        {"1": picture(), "2": picture("a dog")},
        price_table=[row],
        budget=Budget(3, "EUR"),
        **settings,
    )
    assert sorted(each.skipped for each in done.values()) == [False, True]


def test_jobs_that_are_waited_for_take_no_thread_each(settings, emulator, creates):
    emulator.world.progress, before = Gate(), emulator.world.progress
    try:
        with Batch("many", concurrency=40, **settings) as batch:
            for n in range(40):
                batch.add(film(f"cat {n}"))
            wait_until(lambda: len(creates()) == 40)
            ours = [each.name for each in threading.enumerate() if "asyncio" not in each.name]
            assert len(ours) < 40
    finally:
        emulator.world.progress = before
