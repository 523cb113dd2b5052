"""Durable pictures: their addresses are written down before they are fetched."""

from __future__ import annotations

import time

import pytest

from doubao_core import AmbiguousSubmit
from doubao_core.jobs import State
from doubao_core.studio import ImageOrder, ImageResult, MadeImage

PICTURES = "/images/generations"
FILES = "/media/"


def test_pictures_come_one_by_one_and_are_kept(jobs, creates, pair):
    *pictures, result = jobs.run(pair, key="cover")
    assert [type(each) for each in pictures] == [MadeImage, MadeImage]
    assert isinstance(result, ImageResult)
    assert result.images == tuple(pictures)
    assert len({each.path.name for each in result.saved}) == 2
    assert result.cost.tokens or result.cost.note
    assert jobs.run(pair, key="cover") == [result]
    assert creates(PICTURES) == 1


def test_pictures_that_could_not_be_fetched_are_fetched_later(jobs, creates, emulator, pair):
    """Their addresses are in the ledger before the first download (ark.md 14.1: 24 hours)."""
    with emulator.fault("rate_limit", path=FILES):
        *_, result = jobs.run(pair, key="cover")
        assert not result.saved
        job = jobs.get("cover")
    assert job.state is State.MADE
    assert "2 of its pictures could not be saved" in job.text
    (job,) = jobs.resume()
    assert job.state is State.DONE
    assert len(job.result.saved) == 2
    assert creates(PICTURES) == 1


def test_a_picture_that_was_saved_before_is_not_saved_twice(jobs, emulator, tmp_path, pair):
    job = jobs.submit(pair, key="cover")
    assert job.state is State.MADE
    with emulator.fault("rate_limit", path=FILES, times=1):
        partly = jobs.wait("cover")
    assert len(partly.result.saved) == 1
    whole = jobs.wait("cover")
    assert set(partly.result.saved) <= set(whole.result.saved)
    assert len(list((tmp_path / "results").iterdir())) == 2


def test_lost_pictures_are_held_with_the_truth_and_made_again_by_a_person(
    jobs, creates, emulator, pair
):
    with emulator.fault("lost_answer", path=PICTURES, times=1):
        job = jobs.submit(pair, key="cover")
    assert job.state is State.HELD
    assert "no list in which pictures could be looked for" in job.text
    with pytest.raises(AmbiguousSubmit, match="no list"):
        jobs.run(pair, key="cover")
    assert [each.state for each in jobs.resume()] == [State.HELD]
    assert creates(PICTURES) == 1
    jobs.release("cover")
    assert len(jobs.wait("cover").result.saved) == 2
    assert creates(PICTURES) == 2


def test_pictures_that_came_before_the_answer_broke_off_are_kept(jobs, creates, emulator, pair):
    with emulator.fault("truncated_stream", path=PICTURES, times=1, after_events=1):
        *_, result = jobs.run(pair, key="cover")
    assert len(result.saved) == 1
    assert "may be missing" in result.text
    assert jobs.get("cover").state is State.DONE
    assert creates(PICTURES) == 1


@pytest.mark.parametrize("group", [True, False])
def test_pictures_inside_the_answer_are_in_the_ledger_until_they_are_files(
    jobs, creates, group, pair
):
    one = {"sequential_image_generation": None, "sequential_image_generation_options": None}
    request = {**pair.request(), "response_format": "b64_json", **({} if group else one)}
    order = ImageOrder.from_request({name: each for name, each in request.items() if each})
    submitted = jobs.submit(order, key="cover")
    assert submitted.state is State.MADE
    ledger = jobs.jobs._ledger
    assert all(each["b64_json"] for each in ledger.get("cover").answer["images"])
    *_, result = jobs.run(order, key="cover")
    assert len(result.saved) == 1 + group
    assert ledger.get("cover").answer is None
    *_, result = jobs.run(order, key="another cover")
    assert len(result.saved) == 1 + group
    assert creates(PICTURES) == 2


def test_pictures_whose_addresses_have_expired_end_with_what_is_known(jobs, pair, emulator):
    jobs.submit(pair, key="cover")
    ledger = jobs.jobs._ledger
    record = ledger.get("cover")
    ledger.note(record, answer={**record.answer, "came_at": time.time() - 25 * 3600})
    with emulator.fault("rate_limit", path=FILES):
        job = jobs.wait("cover")
    assert job.state is State.DONE
    assert "was made and paid for but not saved" in job.text


def test_a_failed_picture_of_a_group_is_no_reason_to_wait(jobs, pair, creates, emulator):
    with emulator.fault("group_image_failed", index=1, times=1):
        *_, result = jobs.run(pair, key="cover")
    assert jobs.get("cover").state is State.DONE
    assert [each.charged for each in result.images] == [True, False]
    assert jobs.run(pair, key="cover") == [result]
    assert creates(PICTURES) == 1
