"""Plans in both frameworks and in durable batches: they stop cleanly and say what was not sent."""

from __future__ import annotations

import asyncio
import copy
import pickle

import pytest
from langchain_core.load import dumps

from doubao_core import ConfigError, InsufficientCredits, Plan, QuotaExceeded
from doubao_core.jobs import State
from doubao_core.jobs.batch import AsyncBatch, Batch
from doubao_core.studio import ImageOrder, VideoOrder
from doubao_emulator import AfterReads
from doubao_emulator.dialects.quota import Quota
from langchain_doubao import ChatDoubao, SeedanceVideoTool, SeedreamImageTool
from llamaindex_doubao import Doubao, DoubaoToolSpec

LITE = "doubao-seed-1-6-lite-251015"
FILM = "doubao-seedance-1-0-pro-fast-251015"
TEXT = [{"type": "text", "text": "tea"}]
SMALL = {"duration": 2, "resolution": "480p", "ratio": "16:9"}


@pytest.fixture
def creates(emulator):
    """Give the paid requests that the gateway has seen."""
    return lambda: [each for each in emulator.requests if each.method == "POST"]


@pytest.fixture
def plan(request):
    """Make plans of an account of the test's own."""
    return lambda **limits: Plan(name=request.node.nodeid, **limits)


async def test_a_langchain_batch_keeps_what_was_done_and_says_what_was_not(at, emulator, plan):
    """R004-33, R000-14."""
    chat = ChatDoubao(model=LITE, plan=plan(requests_per_hour=3), **at("xroute"))
    answers = await chat.abatch(["hi"] * 5, return_exceptions=True)
    assert sum(isinstance(each, QuotaExceeded) for each in answers) == 2
    assert sum(bool(getattr(each, "content", "")) for each in answers) == 3
    assert len(emulator.requests) == 3
    with pytest.raises(QuotaExceeded, match="goes on at"):
        chat.invoke("hi")
    with pytest.raises(QuotaExceeded):
        list(chat.stream("hi"))
    assert len(emulator.requests) == 3


async def test_a_llamaindex_loop_keeps_what_was_done_and_says_what_was_not(at, emulator, plan):
    """R004-33, R000-14."""
    llm = Doubao(model=LITE, plan=plan(requests_per_hour=3), **at("anyfast"))
    calls = (llm.acomplete("hi") for _ in range(5))
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(each, QuotaExceeded) for each in answers) == 2
    assert len(emulator.requests) == 3
    with pytest.raises(QuotaExceeded, match="goes on at"):
        llm.complete("hi")
    with pytest.raises(QuotaExceeded):
        list(llm.stream_complete("hi"))
    assert len(emulator.requests) == 3


@pytest.mark.parametrize("stream", [False, True])
async def test_chats_of_both_frameworks_share_the_places_of_a_plan(at, emulator, plan, stream):
    """R003-22: a stream holds its place until it ends."""
    shared = plan(in_flight=1)
    langchain = ChatDoubao(model=LITE, plan=shared, **at("xroute"))
    llamaindex = Doubao(model=LITE, plan=shared, **at("xroute"))
    if not stream:
        both = [langchain.ainvoke("hi"), llamaindex.acomplete("hi")]
        await asyncio.gather(*both, *(langchain.ainvoke("hi") for _ in range(3)))
        assert len(emulator.requests) == 5
        return
    first = langchain.astream("hi")
    await anext(first)
    other = asyncio.create_task(llamaindex.acomplete("hi"))
    await asyncio.sleep(0.05)
    assert len(emulator.requests) == 1
    await first.aclose()
    await other
    assert len(emulator.requests) == 2


def test_the_tools_of_both_frameworks_share_a_plan_and_say_when_it_goes_on(
    at, creates, plan, tmp_path
):
    """R003-23: and sends nothing."""
    limits = {"plan": plan(requests_per_day=1), **at("doitong")}
    tool = SeedreamImageTool(model="seedream", output_dir=tmp_path, **limits)
    assert tool.invoke({"prompt": "tea"})
    spec = DoubaoToolSpec(image_model="seedream", output_dir=tmp_path, **limits)
    (other,) = [each for each in spec.to_tool_list() if "image" in (each.metadata.name or "")]
    assert "the plan allows 1 request per day, and it goes on at" in tool.invoke({"prompt": "milk"})
    with pytest.raises(QuotaExceeded, match="allows 1 request per day, and it goes on at"):
        other.call(prompt="water")
    assert len(creates()) == 1


@pytest.mark.parametrize("kind", [ChatDoubao, Doubao])
def test_a_plan_copies_and_pickles_and_its_password_does_not(kind, at, plan):
    model = kind(model=LITE, plan=plan(requests_per_hour=3, credits=5), **at("xroute"))
    for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):  # noqa: S301 - of the line itself
        assert copied.plan == model.plan
    secret = Plan(url="postgresql://me:secret@127.0.0.1/plans")
    model = kind(model=LITE, plan=secret, **at("xroute"))
    shown = dumps(model) if kind is ChatDoubao else str(model.to_dict())
    assert "secret@" not in shown + repr(model)
    with pytest.raises(TypeError, match="DOUBAO_RATE_LIMIT_URL"):
        pickle.dumps(model)


@pytest.mark.parametrize("kind", [ChatDoubao, Doubao])
def test_a_plan_that_cannot_be_is_refused(kind, at):
    with pytest.raises((ConfigError, ValueError), match="requests_per_hour is 0"):
        kind(model=LITE, plan={"requests_per_hour": 0}, **at("xroute"))


def picture(model, text):
    return ImageOrder(model=model, prompt=text, options={"size": "1024x1024"})


def worked(settings, orders):
    with Batch("posters", **settings) as batch:
        for key, order in orders.items():
            batch.add(order, key=key)
        return {done.key: done for done in batch.as_completed()}


def aworked(settings, orders):
    async def main():
        async with AsyncBatch("posters", **settings) as batch:
            for key, order in orders.items():
                await batch.add(order, key=key)
            return {done.key: done async for done in batch.as_completed()}

    return asyncio.run(main())


@pytest.fixture
def batch_settings(at, tmp_path):
    """Make the settings of a batch at a gateway."""

    def make(provider, plan):
        where = {"ledger": f"sqlite:///{tmp_path}/jobs.db", "output_dir": tmp_path / "media"}
        return {**at(provider), **where, "plan": plan, "poll_interval": 0.02, "lease": 1.0}

    return make


@pytest.mark.timeout(180)
@pytest.mark.parametrize("work", [worked, aworked])
def test_a_batch_stops_before_the_money_does(work, batch_settings, creates, plan, tmp_path):
    """R003-18, R003-20: what was made is kept, what was not sent is named, and more money goes on.

    Each picture costs 15 credits, and nobody said so.
    """
    orders = {f"p{index}": picture("seedream", f"tea {index}") for index in range(4)}
    done = work(batch_settings("doitong", plan(credits=40)), orders)
    made = {key for key, each in done.items() if each.ok}
    assert len(done) == 4
    assert len(made) == 2
    assert len(creates()) == 2
    for key in done.keys() - made:
        assert done[key].job.state is State.REFUSED
        assert "nothing was sent" in done[key].problem
    assert len(list((tmp_path / "media").iterdir())) == 2

    again = work(batch_settings("doitong", plan(credits=1000)), orders)
    assert all(each.ok for each in again.values())
    assert {key: again[key].job for key in made} == {key: done[key].job for key in made}
    assert len(creates()) == 4


@pytest.mark.timeout(180)
@pytest.mark.parametrize("work", [worked, aworked])
def test_a_batch_keeps_to_the_hour_and_the_places(work, batch_settings, emulator, creates, plan):
    """R003-22, R004-33."""
    emulator.world.table(Quota)["seedance2api"] = Quota(requests=99, window=3600, at_once=1)
    orders = {f"p{index}": picture("seedream-4.5", f"tea {index}") for index in range(4)}
    limits = plan(requests_per_hour=3, in_flight=1)
    done = work(batch_settings("seedance2api", limits), orders)
    (left,) = [each for each in done.values() if not each.ok]
    assert "the plan allows 3 requests per hour, and it goes on at" in left.problem
    assert len(creates()) == 3


@pytest.mark.timeout(180)
@pytest.mark.parametrize("work", [worked, aworked])
def test_a_batch_keeps_to_the_jobs_of_a_plan(work, batch_settings, emulator, progress, plan):
    """R003-22: all of its films wait for their places, and none is refused."""
    progress(AfterReads(2))
    orders = {
        f"f{index}": VideoOrder(model=FILM, content=TEXT, options=SMALL) for index in range(5)
    }
    with emulator.limit(jobs=2) as limit:
        done = work(batch_settings("ark", plan(jobs_in_flight=2)), orders)
    assert [each.problem for each in done.values()] == [None] * 5
    assert not limit.refused


async def test_the_tools_of_both_frameworks_share_the_jobs_of_a_plan(
    at, emulator, progress, plan, tmp_path
):
    """R003-22: each looks at its own film, which ends the wait of the other."""
    progress(AfterReads(2))
    limits = {"plan": plan(jobs_in_flight=1), "poll_interval": 0.02, **at("ark")}
    tool = SeedanceVideoTool(model=FILM, output_dir=tmp_path, **limits)
    spec = DoubaoToolSpec(video_model=FILM, output_dir=tmp_path, **limits)
    (other,) = [each for each in spec.to_tool_list() if each.metadata.name == "generate_video"]
    with emulator.limit(jobs=1) as limit:
        await asyncio.gather(
            *(tool.ainvoke({"prompt": "tea", **SMALL}) for _ in range(2)),
            *(other.acall(prompt="tea", **SMALL) for _ in range(2)),
        )
    assert len(list(tmp_path.iterdir())) == 4
    assert not limit.refused


def test_a_loop_of_a_tool_ends_with_the_credits(at, creates, plan, tmp_path):
    """R003-18: without a handler of errors it is an exception."""
    tool = SeedreamImageTool(
        model="seedream",
        output_dir=tmp_path,
        plan=plan(credits=40),
        handle_tool_error=False,
        **at("doitong"),
    )
    assert all(tool.invoke({"prompt": f"tea {index}"}) for index in range(2))
    with pytest.raises(Exception, match="10 of the plan's 40 credits are left") as caught:
        tool.invoke({"prompt": "tea"})
    assert len(creates()) == 2
    causes = (caught.value, caught.value.__cause__)
    assert any(isinstance(each, InsufficientCredits) for each in causes)
