"""A paid request whose answer was lost: looked for, adopted or held, and never sent again."""

from __future__ import annotations

import time

import pytest

from doubao_core import (
    AmbiguousSubmit,
    Client,
    ConfigError,
    JobExpired,
    ServerError,
    UnsupportedOperation,
)
from doubao_core.jobs import State

TASKS = "/contents/generations/tasks"


@pytest.mark.parametrize("fault", ["lost_answer", "malformed_json"])
def test_the_task_of_a_lost_answer_is_adopted_by_its_mark(jobs, creates, emulator, fault, film):
    with emulator.fault(fault, times=1, path=TASKS):
        job = jobs.submit(film, key="scene-1")
    assert job.state is State.UNSURE
    assert "Do not submit it again" in job.text
    *_, made = jobs.run(film, key="scene-1")
    assert made.path.is_file()
    assert jobs.get("scene-1").error is None
    assert creates() == 1
    sent = next(each.body for each in emulator.requests if each.method == "POST")
    assert sent["safety_identifier"].startswith("doubao-job-")


@pytest.mark.parametrize(
    ("fault", "options"),
    [
        ("server_error", {}),
        ("server_error", {"status": 502}),
        ("reset_before_answer", {}),
    ],
)
def test_a_create_that_broke_is_sent_once_and_held(
    make_jobs, creates, emulator, fault, options, film
):
    """The client may retry; no 5xx and no reset is a definite refusal."""
    jobs = make_jobs(patience=0, max_retries=2)
    with emulator.fault(fault, path=TASKS, times=1, **options):
        jobs.submit(film, key="scene-1")
    with pytest.raises(AmbiguousSubmit, match="most likely none was created"):
        jobs.wait("scene-1")
    job = jobs.submit(film, key="scene-1")
    assert job.state is State.HELD
    assert isinstance(job.error, (AmbiguousSubmit, ServerError))
    with pytest.raises(AmbiguousSubmit):
        jobs.run(film, key="scene-1")
    assert creates() == 1


def test_a_held_film_is_adopted_when_its_task_appears(make_jobs, creates, emulator, film):
    jobs = make_jobs(patience=0)
    with emulator.fault("list_lag"), emulator.fault("lost_answer", times=1, path=TASKS):
        jobs.submit(film, key="scene-1")
        assert [each.state for each in jobs.resume()] == [State.HELD]
    (job,) = jobs.resume()
    assert job.state is State.DONE
    assert creates() == 1


def test_a_task_that_is_listed_late_is_waited_for(make_jobs, creates, emulator, film):
    jobs = make_jobs()
    with emulator.fault("list_lag"), emulator.fault("lost_answer", times=1, path=TASKS):
        jobs.submit(film, key="scene-1")
        job = jobs.wait("scene-1", timeout=0)
    assert job.state is State.UNSURE
    assert "not show the task yet" in job.text
    assert jobs.wait("scene-1").state is State.DONE
    assert creates() == 1


def test_without_marks_the_only_task_of_these_settings_is_adopted(
    make_jobs, creates, emulator, other_film, film
):
    jobs = make_jobs(mark=False, patience=0)
    jobs.submit(other_film, key="scene-0")
    with emulator.fault("lost_answer", times=1, path=TASKS):
        jobs.submit(film, key="scene-1")
    assert "safety_identifier" not in emulator.requests[-1].body
    assert jobs.wait("scene-1").state is State.DONE
    assert creates() == 2


def test_of_two_lost_jobs_without_marks_neither_is_guessed(make_jobs, creates, emulator, film):
    jobs = make_jobs(mark=False, patience=0)
    with emulator.fault("lost_answer", times=2, path=TASKS):
        for key in ("scene-1", "scene-2"):
            jobs.submit(film, key=key)
    held = jobs.resume()
    assert [each.state for each in held] == [State.HELD, State.HELD]
    assert "it cannot be told whether cgt-" in held[0].reason
    assert creates() == 2


def test_a_person_may_have_a_held_job_created_again_or_give_it_up(
    make_jobs, creates, emulator, film
):
    jobs = make_jobs(patience=0)
    with emulator.fault("reset_before_answer", path=TASKS, times=2):
        for key in ("scene-1", "scene-2"):
            jobs.submit(film, key=key)
    assert [each.state for each in jobs.resume()] == [State.HELD, State.HELD]
    assert jobs.release("scene-1").state is State.NEW
    assert jobs.cancel("scene-2").state is State.CANCELLED
    (job,) = jobs.resume()
    assert (job.key, job.state, job.attempt) == ("scene-1", State.DONE, 2)
    assert creates() == 3
    with pytest.raises(ConfigError, match="is done: only one that is held, failed or cancelled"):
        jobs.release("scene-1")


def test_a_person_may_name_the_task_of_a_held_job(
    make_jobs, creates, emulator, other_film, film, key
):
    jobs = make_jobs(mark=False, patience=0)
    taken = jobs.submit(other_film, key="scene-0").task_id
    with emulator.fault("lost_answer", times=2, path=TASKS):
        for name in ("scene-1", "scene-2"):
            jobs.submit(film, key=name)
    jobs.resume()
    with pytest.raises(ConfigError, match="task_id is not an id"):
        jobs.release("scene-1", task_id="../files")
    with pytest.raises(ConfigError, match="belongs to another job"):
        jobs.release("scene-1", task_id=taken)
    with Client(base_url=emulator.base_url, api_key=key) as client:
        newest = client.list_videos().items[0].id
    assert jobs.release("scene-2", task_id=newest).state is State.ACCEPTED
    # What is left can only be the other's.
    assert [each.state for each in jobs.resume()] == [State.DONE, State.DONE]
    assert jobs.get("scene-1").task_id != newest
    assert creates() == 3


def test_what_was_written_down_and_never_sent_is_sent_by_resume(jobs, creates, film):
    ledger = jobs.jobs._ledger
    ledger.intend(jobs.jobs._draft(film, "scene-1"))
    assert jobs.get("scene-1").state is State.NEW
    assert [each.state for each in jobs.resume()] == [State.DONE]
    assert creates() == 1


def test_resume_reports_a_job_that_it_could_not_help(make_jobs, emulator, film):
    jobs = make_jobs()
    with emulator.fault("lost_answer", times=1, path=TASKS):
        jobs.submit(film, key="scene-1")
    with emulator.fault("model_not_open"):
        (job,) = jobs.resume()
    assert job.state is State.UNSURE
    assert "not activated" in job.problem
    assert jobs.resume()[0].state is State.DONE
    assert jobs.resume() == []


def test_a_list_that_cannot_be_read_decides_nothing(make_jobs, creates, emulator, film):
    jobs = make_jobs(patience=0)
    with emulator.fault("lost_answer", times=1, path=TASKS):
        jobs.submit(film, key="scene-1")
    with emulator.fault("server_error", path=TASKS):
        job = jobs.wait("scene-1", timeout=0)
    assert job.state is State.UNSURE
    assert "the list of tasks could not be read" in job.reason
    assert jobs.wait("scene-1").state is State.DONE
    assert creates() == 1


def test_without_a_list_a_lost_answer_is_held_at_once(
    make_jobs, creates, emulator, film, monkeypatch
):
    def no_list(**_):
        raise UnsupportedOperation("this provider does not offer videos.list")
        yield

    jobs = make_jobs()
    monkeypatch.setattr(Client.list_videos, "flow", no_list)
    with emulator.fault("lost_answer", times=1, path=TASKS):
        jobs.submit(film, key="scene-1")
    with pytest.raises(AmbiguousSubmit, match="no list of tasks in which it could be looked for"):
        jobs.wait("scene-1")
    assert creates() == 1


def test_a_task_that_the_service_forgot_is_lost_only_after_its_days(jobs, film, key, emulator):
    job = jobs.submit(film, key="scene-1")
    with Client(base_url=emulator.base_url, api_key=key) as client:
        client.get_video(job.task_id)
        client.delete_video(job.task_id)
    job = jobs.wait("scene-1", timeout=0)
    assert job.state is State.ACCEPTED
    assert "knows no such task" in job.reason
    ledger = jobs.jobs._ledger
    ledger.note(ledger.get("scene-1"), posted_at=time.time() - 8 * 86_400)
    with pytest.raises(JobExpired, match="forgets a task after 7 days"):
        jobs.wait("scene-1", timeout=0)
    assert jobs.get("scene-1").state is State.FAILED


def test_a_clock_that_runs_ahead_does_not_end_a_film_that_the_service_has(jobs, film, slow):
    jobs.submit(film, key="scene-1")
    ledger = jobs.jobs._ledger
    ledger.note(ledger.get("scene-1"), posted_at=time.time() - 8 * 86_400)
    assert jobs.wait("scene-1", timeout=0).state is State.ACCEPTED
