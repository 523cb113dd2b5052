"""Durable films over HTTP: one payment per key, whatever is asked again; blocking and awaited."""

from __future__ import annotations

from contextlib import closing

import pytest

from doubao_core import Client, ConfigError, JobFailed, PermissionDenied
from doubao_core.jobs import Jobs, State
from doubao_core.studio import Allowance, Progress, VideoOrder, VideoResult

TASKS = "/contents/generations/tasks"
PICTURES = "/images/generations"
FILES = "/media/"


def test_a_film_is_submitted_watched_saved_and_kept(jobs, creates, tmp_path, film):
    *steps, made = jobs.run(film, key="scene-1")
    assert isinstance(made, VideoResult)
    assert {type(step) for step in steps} == {Progress}
    assert made.path.read_bytes()[4:8] == b"ftyp"
    job = jobs.get("scene-1")
    assert (job.state, job.attempt, job.task_id) == (State.DONE, 1, made.task_id)
    assert job.result == made
    assert job.text == made.text
    assert creates() == 1


def test_a_key_is_paid_once_in_any_object(make_jobs, creates, emulator, film):
    first = make_jobs().submit(film, key="scene-1")
    again = make_jobs().submit(film, key="scene-1")
    assert first.task_id == again.task_id
    made = make_jobs().wait("scene-1").result
    assert make_jobs().run(film, key="scene-1") == [made]
    assert creates() == 1
    assert sum(FILES in each.path for each in emulator.requests) == 1


def test_a_key_means_one_order(jobs, creates, other_film, film, pair):
    jobs.submit(film, key="scene-1")
    for other in (other_film, pair):
        with pytest.raises(ConfigError, match="'scene-1' stands for another order already"):
            jobs.submit(other, key="scene-1")
    assert creates() == 1
    assert creates(PICTURES) == 0


def test_without_a_key_equal_orders_of_one_scope_are_one_job(make_jobs, creates, other_film, film):
    here, there = make_jobs(), make_jobs(scope="another agent")
    first = here.submit(film)
    assert first.key == here.submit(VideoOrder.from_request(film.request())).key
    assert first.key == here.key_of(film)
    assert first.key not in {here.submit(other_film).key, there.submit(film).key}
    assert creates() == 3


@pytest.mark.parametrize("key", ["", "x" * 201, "two\nlines", 7])
def test_a_key_that_cannot_be_shown_is_refused(jobs, creates, key, film):
    with pytest.raises(ConfigError, match="is no job key"):
        jobs.submit(film, key=key)
    assert creates() == 0


def test_an_identifier_of_the_order_is_left_alone(jobs, emulator, film):
    order = VideoOrder.from_request({**film.request(), "safety_identifier": "user-3"})
    jobs.submit(order, key="scene-1")
    assert emulator.requests[0].body["safety_identifier"] == "user-3"


def test_a_refusal_ends_the_intent_and_frees_the_key(jobs, creates, emulator, film):
    with emulator.fault("model_not_open", times=1), pytest.raises(PermissionDenied):
        jobs.submit(film, key="scene-1")
    job = jobs.get("scene-1")
    assert (job.state, job.error.code) == (State.REFUSED, "ModelNotOpen")
    assert "nothing was paid" in job.text
    with pytest.raises(PermissionDenied, match="not activated the model"):
        jobs.wait("scene-1")
    assert jobs.submit(film, key="scene-1").state is State.ACCEPTED
    assert jobs.get("scene-1").attempt == creates() == 2


def test_a_task_that_failed_fails_again_for_the_same_key(jobs, creates, emulator, film):
    with emulator.fault("task_failed", times=1, path=TASKS):
        jobs.submit(film, key="scene-1")
    with pytest.raises(JobFailed, match="ended as failed"):
        jobs.wait("scene-1")
    looked = len(emulator.requests)
    for _ in range(2):
        with pytest.raises(JobFailed) as failure:
            jobs.run(film, key="scene-1")
    assert failure.value.code == "OutputVideoSensitiveContentDetected"
    assert len(emulator.requests) == looked
    assert creates() == 1
    assert "Content moderation refused it" in jobs.get("scene-1").text


def test_a_film_that_takes_longer_than_the_wait_goes_on(jobs, slow, film):
    (*_, made) = jobs.run(film, key="scene-1", timeout=0)
    assert made.status == "queued"
    assert made.path is None
    job = jobs.wait("scene-1", timeout=0)
    assert job.state is State.ACCEPTED
    assert not job.ended
    assert f"is task {made.task_id}" in job.text


def test_closing_leaves_the_job_and_cancel_withdraws_it(emulator, tmp_path, slow, film, key):
    where = {"ledger": f"sqlite:///{tmp_path}/jobs.sqlite3", "output_dir": tmp_path}
    with Jobs(base_url=emulator.base_url, api_key=key, poll_interval=0.01, **where) as jobs:
        with closing(jobs.run(film, key="scene-1")) as events:
            next(events)
        assert jobs.get("scene-1").state is State.ACCEPTED
        job = jobs.cancel("scene-1")
        assert (job.state, job.status) == (State.CANCELLED, "cancelled")
        with pytest.raises(JobFailed, match="was cancelled"):
            jobs.wait("scene-1")
        assert jobs.client.get_video(job.task_id).status == "cancelled"


def test_what_runs_is_not_cancelled(jobs, emulator, film):
    jobs.submit(film, key="scene-1")
    job = jobs.cancel("scene-1")
    assert job.state is State.ACCEPTED
    assert "could not be withdrawn" in job.reason
    assert not [each for each in emulator.requests if each.method == "DELETE"]
    assert jobs.wait("scene-1").state is State.DONE
    assert jobs.cancel("scene-1").state is State.DONE


def test_a_task_that_was_cancelled_elsewhere_ends_the_job(jobs, emulator, slow, film, key):
    job = jobs.submit(film, key="scene-1")
    with Client(base_url=emulator.base_url, api_key=key) as client:
        client.delete_video(job.task_id)
    with pytest.raises(JobFailed, match="ended as cancelled"):
        jobs.wait("scene-1")


def test_the_limits_of_a_caller_are_spent_by_what_is_sent(jobs, creates, film):
    allowance = Allowance(1)
    for _ in range(2):
        jobs.submit(film, key="scene-1", allowance=allowance)
    with pytest.raises(ConfigError, match="no call is left"):
        jobs.submit(film, key="scene-2", allowance=allowance)
    assert jobs.get("scene-2").state is State.REFUSED
    assert creates() == 1


def test_a_job_of_another_provider_is_left_alone(make_jobs, creates, film):
    make_jobs().submit(film, key="scene-1")
    other = make_jobs(provider="byteplus")
    assert other.resume() == []
    with pytest.raises(ConfigError, match="belongs to provider 'ark'"):
        other.wait("scene-1")
    assert creates() == 1


def test_a_last_look_is_taken_however_short_the_wait(jobs, film):
    jobs.submit(film, key="scene-1")
    assert jobs.wait("scene-1", timeout=0).state is State.DONE
