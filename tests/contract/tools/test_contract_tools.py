"""What the media tools do alike in both frameworks: honest failures, limits, waits that end."""

from __future__ import annotations

import asyncio
import json
import logging
from decimal import Decimal

import pytest

from doubao_core.jobs import AsyncJobs, State
from doubao_core.studio import watching
from doubao_emulator import AfterSeconds, Immediate

PICTURE = {"prompt": "tea", "size": "1K"}
FILM = {"prompt": "tea", "duration": 4, "resolution": "480p", "ratio": "16:9"}


@pytest.mark.parametrize(
    "limit", [{"max_jobs": 0}, {"max_seconds": 3}, {"max_cost": Decimal(0)}], ids=str
)
def test_a_limit_that_is_set_later_holds(make_tools, call, change, creates, limit):
    told = call(make_tools().but(change, "generate_video", **limit), "generate_video", **FILM)
    assert told.failed
    assert "at most" in told.text
    assert not creates()


def test_copies_and_their_original_share_one_count(make_tools, call, change, creates):
    tools = make_tools().but(change, "generate_image", max_jobs=2)
    assert not call(tools, "generate_image", **PICTURE).failed
    other = tools.but(change, "generate_image", sizes=["1K"])
    assert not call(other, "generate_image", **PICTURE).failed
    for each in (tools, other):
        told = call(each, "generate_image", **PICTURE)
        assert told.failed
        assert "no call is left" in told.text
    more = tools.but(change, "generate_image", max_jobs=3)
    assert not call(more, "generate_image", **PICTURE).failed
    assert len(creates()) == 3


async def refusing(scope, receive, send):
    """A service that makes none of the pictures it was asked for."""
    if scope["type"] == "lifespan":
        await send({"type": (await receive())["type"] + ".complete"})
        await send({"type": (await receive())["type"] + ".complete"})
        return
    failed = {"error": {"code": "InternalServiceError", "message": "no"}}
    body = {"model": "m", "data": [failed, failed], "usage": {"generated_images": 0}}
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})


def test_a_call_that_made_nothing_says_why_and_no_more(make_tools, call, served):
    told = call(make_tools(base_url=served(refusing)), "generate_image", **PICTURE, max_images=2)
    assert told.failed
    assert told.text.startswith('Picture 1 failed: the service said "no"')
    assert 'Picture 2 failed: the service said "no"' in told.text


def test_a_failed_picture_of_a_group_does_not_lose_the_others(make_tools, call, emulator):
    with emulator.fault("group_image_failed", index=0):
        told = call(make_tools(), "generate_image", **PICTURE, max_images=3)
    assert not told.failed
    assert len(told.result.saved) == 2
    assert "Picture 1 failed" in told.text


@pytest.mark.parametrize("fault", ["lost_answer", "reset_before_answer"])
@pytest.mark.parametrize(
    ("name", "arguments"), [("generate_image", PICTURE), ("generate_video", FILM)]
)
def test_a_lost_answer_is_paid_once_and_the_model_told_not_to_repeat(
    make_tools, call, emulator, name, arguments, fault, creates
):
    with emulator.fault(fault):
        told = call(make_tools(max_retries=3), name, **arguments)
    assert told.failed
    assert "Do not send it again" in told.text
    assert len(creates()) == 1


def test_a_long_wait_is_a_result_that_can_be_looked_up(make_tools, call, progress):
    progress(AfterSeconds(3600))
    told = call(make_tools({"wait_timeout": 0.02}), "generate_video", **FILM)
    assert not told.failed
    assert "still running" in told.text
    assert "Do not submit it again" in told.text
    progress(Immediate())
    looked_up = call(make_tools(), "check_video", task_id=told.result.task_id)
    assert looked_up.result.path.is_file()


def test_a_failed_task_is_an_error_for_the_model(make_tools, call, emulator):
    with emulator.fault("task_failed"):
        told = call(make_tools(), "generate_video", **FILM)
    assert told.failed
    assert 'the service said "' in told.text


def test_an_unknown_task_is_an_error_for_the_model(make_tools, call):
    told = call(make_tools(), "check_video", task_id="cgt-20261121194336-xxxxx")
    assert told.failed
    assert "no such" in told.text


def test_progress_reaches_the_callback_and_a_broken_one_loses_nothing(make_tools, call, caplog):
    seen: list[str] = []

    def report(status: str, seconds: float) -> None:
        seen.append(status)
        raise RuntimeError("no terminal")

    with caplog.at_level(logging.ERROR):
        told = call(make_tools({"on_progress": report}), "generate_video", **FILM)
    assert seen == ["queued", "succeeded"]
    assert told.result.path.is_file()
    assert "on_progress failed" in caplog.text


async def test_cancelling_the_call_cancels_a_queued_task(make_tools, emulator, progress, soon):
    progress(AfterSeconds(3600))
    tools = make_tools()
    running = asyncio.ensure_future(tools.acall("generate_video", **FILM))
    assert await asyncio.to_thread(soon, lambda: len(emulator.requests) >= 3)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await tools.aclose()
    assert emulator.requests[-1].method == "DELETE"


async def test_cancelling_withdraws_a_job_that_is_still_queued(
    make_tools, emulator, progress, ledger, soon
):
    progress(AfterSeconds(3600))
    tools = make_tools({"jobs": ledger})
    running = asyncio.ensure_future(tools.acall("generate_video", **FILM))
    assert await asyncio.to_thread(soon, lambda: len(emulator.requests) >= 3)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await tools.aclose()
    assert "DELETE" in [each.method for each in emulator.requests]
    async with AsyncJobs(ledger=ledger, provider="emulator") as jobs:
        (job,) = await jobs.list()
    assert job.state is State.CANCELLED


@pytest.mark.parametrize("durable", [False, True])
def test_an_interrupt_from_the_keyboard_deletes_the_task_that_is_still_queued(
    make_tools, emulator, progress, ledger, durable, monkeypatch
):
    progress(AfterSeconds(3600))
    tools = make_tools({"jobs": ledger if durable else None})

    def interrupt(*_):
        raise KeyboardInterrupt

    # As between two steps of the wait, when the user presses Ctrl-C.
    monkeypatch.setattr(watching.Watch, "show", interrupt)
    with pytest.raises(KeyboardInterrupt):
        tools.call("generate_video", **FILM)
    assert "DELETE" in [each.method for each in emulator.requests]


def test_a_lost_answer_is_found_again_in_the_ledger_and_paid_once(
    make_tools, call, emulator, ledger, creates
):
    with emulator.fault("lost_answer", times=1):
        told = call(make_tools({"jobs": ledger}), "generate_video", **FILM)
    assert not told.failed
    assert told.result.path.is_file()
    assert len(creates()) == 1
