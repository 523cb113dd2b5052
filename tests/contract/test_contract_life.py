"""One object through its life: loops, threads, copies, pickles, cancelling; its secrets stay in."""

from __future__ import annotations

import asyncio
import copy
import gc
import logging
import pickle
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing

import pytest

from doubao_emulator import Emulator

KEY = "ark-very-secret-key"
HEADER = "header-very-secret"


async def use(talks, model) -> list[str]:
    """Ask in every style; gives the keys that were sent."""
    for talk in talks:
        assert (await talk.ask(model=model)).text
    return [request.headers["authorization"] for request in talks[0].emulator.requests]


def test_one_object_serves_event_loops_one_after_another(talks):
    """Shows R000-13."""
    model = talks[0].make()
    for _ in range(3):
        keys = asyncio.run(use(talks, model))
    assert keys == ["Bearer test-key"] * 12


def test_one_object_serves_threads_with_loops_of_their_own(talks):
    model = talks[0].make()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: asyncio.run(use(talks, model)), range(4)))
    assert len(talks[0].emulator.requests) == 16


async def test_one_object_serves_many_at_once(talk):
    """Shows R000-14."""
    model = talk.make()
    answers = await asyncio.gather(*(talk.ask(f"Say {number}", model) for number in range(5)))
    assert len(answers) == 5
    asked = {request.body["messages"][0]["content"] for request in talk.emulator.requests}
    assert asked == {f"Say {number}" for number in range(5)}
    await model.aclose()


def test_an_object_made_inside_a_loop_leaves_no_connection_behind(talks):
    """It may die before its loop ends; an unclosed transport fails the test as a warning."""

    async def program() -> None:
        model = talks[0].make()
        await asyncio.gather(*(talks[1].ask(model=model) for _ in range(5)))

    asyncio.run(program())
    gc.collect()


def test_a_stream_that_is_left_as_the_program_ends_makes_no_noise(adapter, talks, caplog):
    model = talks[0].make()

    async def program() -> None:
        async with aclosing(await adapter.opened(model)) as pieces:
            async for _ in pieces:
                break

    asyncio.run(program())
    gc.collect()
    # The emulator, in the same process, may warn that nobody reads the rest.
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_pickle_works_again_without_its_key(talks, monkeypatch):
    model = talks[0].make(api_key=KEY, temperature=0.5)
    await use(talks, model)
    data = pickle.dumps(model)
    assert KEY.encode() not in data
    copied = pickle.loads(data)  # noqa: S301 - made two lines above
    monkeypatch.setenv("ARK_API_KEY", "key-of-the-worker")
    keys = await use(talks, copied)
    assert keys[4:] == ["Bearer key-of-the-worker"] * 4
    assert talks[0].emulator.requests[-1].body["temperature"] == 0.5


async def test_a_deep_copy_of_a_used_object_works_and_keeps_its_key(talks):
    model = talks[0].make(api_key=KEY)
    await use(talks, model)
    keys = await use(talks, copy.deepcopy(model))
    assert keys == [f"Bearer {KEY}"] * 8


async def test_copies_of_an_answer_mean_the_same(talk):
    """Chat stores and checkpoints keep answers as JSON or pickles."""
    talk.emulator.answer("Look.", reasoning="hm", tool_calls=[("get_time", {})])
    first = await talk.ask(tools=["get_time"])
    message = first.message
    stored = type(message).model_validate_json(message.model_dump_json())
    pickled = pickle.loads(pickle.dumps(message))  # noqa: S301 - made in the same line
    sent = []
    for each in (message, stored, copy.deepcopy(message), pickled):
        first.message = each
        talk.emulator.answer("Done.")
        await talk.ask([("user", "Hi"), first, ("tool", first.calls[0][0], "noon")])
        sent.append(talk.body())
    assert all(body == sent[0] for body in sent)
    assert sent[0]["messages"][1]["encrypted_content"]


@pytest.mark.parametrize("key", [KEY, lambda: KEY], ids=["text", "function"])
async def test_nothing_shows_the_key_or_the_headers(talks, key):
    model = talks[0].make(api_key=key, default_headers={"X-Team": HEADER})
    assert await use(talks, model) == [f"Bearer {KEY}"] * 4
    shown = f"{model!r}{model}{model.model_dump()}"
    assert KEY not in shown
    assert HEADER not in shown


def test_making_one_asks_for_no_key_and_sends_nothing(talks):
    assert talks[0].make(api_key=None)
    assert not talks[0].emulator.requests


@pytest.mark.parametrize(
    "wrong",
    [
        {"temprature": 1},
        {"provider": "nobody"},
        {"thinking": "perhaps"},
        {"timeout": 0},
        {"max_retries": -1},
        {"max_tokens": 1, "max_completion_tokens": 1},
    ],
    ids=str,
)
def test_a_wrong_argument_is_refused_without_showing_the_key(talks, wrong):
    with pytest.raises(ValueError) as caught:
        talks[0].make(api_key=KEY, **wrong)
    assert KEY not in str(caught.value)


@pytest.fixture
def lonely():
    """An emulator of its own, for counting connections."""
    with Emulator() as emulator:
        yield emulator


async def _until(condition) -> None:
    for _ in range(300):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came to pass")


async def test_cancelling_frees_the_connection_and_leaves_a_usable_object(adapter, talks, lonely):
    for talk in talks[1::2]:
        talk.emulator = lonely
        model = talk.make()
        with lonely.fault("stall", after_events=2):
            seen = len(lonely.requests)
            task = asyncio.create_task(talk.ask(model=model))
            await _until(lambda seen=seen: len(lonely.requests) > seen)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await _until(lambda: lonely.connections == 0)
        assert (await talk.ask(model=model)).text
        await model.aclose()
        await _until(lambda: lonely.connections == 0)
