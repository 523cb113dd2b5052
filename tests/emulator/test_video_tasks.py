"""The life of a generation task, moved by hand: no server, no clock."""

import socket

import pytest

from doubao_emulator import callbacks
from doubao_emulator.clouds import ARK
from doubao_emulator.errors import ArkError
from doubao_emulator.progress import AfterReads, AfterSeconds, Immediate
from doubao_emulator.state import World
from doubao_emulator.video_request import parse
from doubao_emulator.video_tasks import Filter, Status, Task, advance, delete, describe, remembered
from doubao_emulator.wire import Fields

START = 1000.0
WORDS = {"content": [{"type": "text", "text": "a cat"}]}
FAILURE = {"code": "OutputVideoSensitiveContentDetected", "message": "no"}


def task(failure=None, **body):
    fields = Fields({"model": "doubao-seedance-2-0-260128", **WORDS, **body})
    return Task(
        id="cgt-1",
        cloud="ark",
        asked_model=fields.data["model"],
        request=parse(World(), ARK, fields, drafted=pytest.fail),
        seed=5,
        created_at=START,
        updated_at=START,
        failure=failure,
    )


def test_after_seconds_a_task_is_queued_then_running_then_done():
    one = task()
    seen = []
    for second in range(5):
        advance(one, AfterSeconds(3), START + second)
        seen.append(one.status.value)
    assert seen == ["queued", "running", "running", "succeeded", "succeeded"]
    assert one.updated_at == START + 3


def test_after_reads_counts_reads_not_time():
    one = task()
    seen = []
    for reads in range(4):
        one.reads = reads
        advance(one, AfterReads(3), START + 100 * reads)
        seen.append(one.status.value)
    assert seen == ["queued", "running", "running", "succeeded"]


def test_a_task_that_jumps_to_its_end_was_running_in_between():
    one = task()
    advance(one, Immediate(), START)
    assert one.history == [Status.QUEUED, Status.RUNNING, Status.SUCCEEDED]


def test_a_task_with_a_failure_ends_failed():
    one = task(FAILURE)
    advance(one, Immediate(), START)
    assert one.history == [Status.QUEUED, Status.RUNNING, Status.FAILED]


@pytest.mark.parametrize("reads", [0, 1])
def test_an_unfinished_task_expires_at_its_own_deadline(reads):
    one = task(execution_expires_after=3600)
    one.reads = reads
    advance(one, AfterReads(5), START + 3599)
    assert not one.status.final
    advance(one, AfterReads(5), START + 3600)
    assert one.status is Status.EXPIRED


def test_work_done_before_the_deadline_counts_also_when_seen_later():
    one = task(execution_expires_after=3600)
    advance(one, AfterSeconds(3), START + 5000)
    assert one.status is Status.SUCCEEDED


def test_work_that_would_end_after_the_deadline_expires():
    one = task(execution_expires_after=3600)
    advance(one, AfterSeconds(4000), START + 5000)
    assert one.status is Status.EXPIRED


@pytest.mark.parametrize("final", [status for status in Status if status.final])
def test_a_final_task_never_moves(final):
    one = task()
    one.status = final
    advance(one, Immediate(), START + 999_999)
    assert one.status is final
    assert one.updated_at == START


def test_deleting_a_queued_task_cancels_it():
    one = task()
    assert delete(one, START + 9) is False
    assert one.status is Status.CANCELLED
    assert one.updated_at == START + 9


@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.FAILED, Status.EXPIRED])
def test_deleting_a_finished_task_removes_its_record(status):
    one = task()
    one.status = status
    assert delete(one, START) is True


@pytest.mark.parametrize(
    ("status", "http_status", "code"),
    [
        (Status.RUNNING, 409, "InvalidAction.RunningTaskDeletion"),
        (Status.CANCELLED, 403, "OperationDenied.UnsupportedPhase"),
    ],
)
def test_a_running_or_cancelled_task_cannot_be_deleted(status, http_status, code):
    one = task()
    one.status = status
    with pytest.raises(ArkError) as caught:
        delete(one, START)
    assert (caught.value.status, caught.value.code) == (http_status, code)
    assert one.status is status


def test_records_are_kept_for_seven_days_and_cancelled_ones_for_one():
    day = 86_400
    done, cancelled = task(), task()
    advance(done, Immediate(), START)
    delete(cancelled, START + 100)
    assert remembered(done, START + 7 * day - 1)
    assert not remembered(done, START + 7 * day)
    assert remembered(cancelled, START + 100 + day - 1)
    assert not remembered(cancelled, START + 100 + day)


@pytest.mark.parametrize("status", [Status.QUEUED, Status.RUNNING])
def test_an_unfinished_task_shows_only_what_the_service_shows_of_it(status):
    one = task()
    one.status = status
    assert describe(one) == {
        "id": "cgt-1",
        "model": "doubao-seedance-2-0-260128",
        "status": status.value,
        "created_at": 1000,
        "updated_at": 1000,
        "service_tier": "default",
        "execution_expires_after": 172_800,
        "generate_audio": True,
        "draft": False,
        "priority": 0,
    }


def test_a_succeeded_task_shows_everything():
    one = task(ratio="16:9", resolution="720p", duration=5, safety_identifier="user-1")
    advance(one, Immediate(), START + 7)
    one.content = {"video_url": "u"}
    assert describe(one) == {
        "id": "cgt-1",
        "model": "doubao-seedance-2-0-260128",
        "status": "succeeded",
        "content": {"video_url": "u"},
        "usage": {"completion_tokens": 108_900, "total_tokens": 108_900},
        "created_at": 1000,
        "updated_at": 1007,
        "seed": 5,
        "resolution": "720p",
        "ratio": "16:9",
        "duration": 5,
        "framespersecond": 24,
        "service_tier": "default",
        "execution_expires_after": 172_800,
        "generate_audio": True,
        "draft": False,
        "priority": 0,
        "safety_identifier": "user-1",
    }


def test_a_failed_task_shows_its_error_and_no_content_nor_usage():
    one = task(FAILURE)
    advance(one, Immediate(), START)
    shown = describe(one)
    assert shown["error"] == FAILURE
    assert {"content", "usage", "seed", "duration"}.isdisjoint(shown)


def test_an_earlier_state_can_be_shown_after_the_fact():
    one = task(FAILURE)
    advance(one, Immediate(), START)
    assert describe(one, Status.QUEUED)["status"] == "queued"
    assert "error" not in describe(one, Status.QUEUED)


@pytest.mark.parametrize(
    ("wanted", "admitted"),
    [
        (Filter(), True),
        (Filter(status="queued"), True),
        (Filter(status="running"), False),
        (Filter(model="ep-1"), False),
        (Filter(model="doubao-seedance-2-0-260128"), True),
        (Filter(service_tier="flex"), False),
        (Filter(task_ids=frozenset({"cgt-2"})), False),
        (Filter(task_ids=frozenset({"cgt-1", "cgt-2"})), True),
    ],
)
def test_a_filter_admits_what_it_names(wanted, admitted):
    assert wanted.admits(task()) is admitted


@pytest.mark.parametrize(
    ("model", "settings", "tokens"),
    [
        # The figures seen in practice, ark.md 15.4.
        ("doubao-seedance-1-0-pro-250528", {"resolution": "480p", "duration": 5}, 49_005),
        ("doubao-seedance-2-0-260128", {"ratio": "16:9", "duration": 5}, 108_900),
        ("doubao-seedance-1-0-pro-250528", {"resolution": "1080p", "duration": 5}, 246_840),
        ("doubao-seedance-1-0-pro-250528", {"resolution": "480p", "frames": 29}, 11_745),
    ],
)
def test_tokens_follow_the_formula(model, settings, tokens):
    usage = task(model=model, **settings).request.usage()
    assert usage == {"completion_tokens": tokens, "total_tokens": tokens}


async def test_a_callback_that_nobody_answers_is_given_up_with_a_warning(caplog):
    one = task(FAILURE)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/hook"
        await callbacks.report(one, url, lambda: advance(one, Immediate(), START) is None)
    assert "status failed was not acknowledged in 3 tries" in caplog.text


async def test_a_forgotten_task_is_not_followed(caplog):
    await callbacks.report(task(), "http://127.0.0.1:9/", lambda: False)
    assert caplog.text == ""
