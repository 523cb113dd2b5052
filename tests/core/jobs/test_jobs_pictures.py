"""Durable pictures: their addresses are written down before they are fetched."""

from __future__ import annotations

import threading
import time
from contextlib import aclosing, closing
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from sqlalchemy import update

from doubao_core import AmbiguousSubmit
from doubao_core.jobs import Jobs, State
from doubao_core.jobs.database import JOBS
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
def test_pictures_inside_the_answer_are_files_before_the_ledger_knows_them(
    jobs, make_jobs, creates, group, pair, tmp_path
):
    order = inside(pair, group=group)
    assert jobs.submit(order, key="cover").state is State.MADE
    files = sorted((tmp_path / "results").iterdir())
    assert len(files) == 1 + group
    images = jobs.jobs._ledger.get("cover").answer["images"]
    assert not any("b64_json" in each for each in images)
    # Another process, which knows what the ledger knows, takes the files that are there.
    *shown, result = make_jobs().run(order, key="cover")
    assert result.images == tuple(shown)
    assert sorted(each.path for each in result.saved) == files
    assert sorted((tmp_path / "results").iterdir()) == files
    *shown, result = jobs.run(order, key="another cover")
    assert len(result.saved) == len(shown) == 1 + group
    assert creates(PICTURES) == 2


def inside(pair, *, group):
    """Order pictures that come inside the answer."""
    one = {"sequential_image_generation": None, "sequential_image_generation_options": None}
    request = {**pair.request(), "response_format": "b64_json", **({} if group else one)}
    return ImageOrder.from_request({name: each for name, each in request.items() if each})


@pytest.mark.parametrize("group", [True, False])
def test_a_picture_that_the_storage_did_not_take_is_in_the_ledger_and_saved_later(
    jobs, make_jobs, creates, group, pair, tmp_path, monkeypatch
):
    order = inside(pair, group=group)
    with monkeypatch.context() as full:
        full.setattr("doubao_core.media.folder.os.link", no_room)
        full.setattr("doubao_core.media.folder.Path.replace", no_room)
        job = jobs.submit(order, key="cover")
    assert job.state is State.MADE
    assert all(each["b64_json"] for each in jobs.jobs._ledger.get("cover").answer["images"])
    (job,) = make_jobs().resume()
    assert len(job.result.saved) == 1 + group
    assert creates(PICTURES) == 1


def no_room(*_):
    raise OSError(28, "No space left on device")


def test_what_came_whole_inside_a_broken_answer_is_kept(jobs, creates, emulator, pair):
    with emulator.fault("truncated_stream", path=PICTURES, times=1, after_events=1):
        *_, result = jobs.run(inside(pair, group=True), key="cover")
    assert len(result.saved) == 1
    assert "may be missing" in result.text
    assert jobs.get("cover").state is State.DONE
    assert creates(PICTURES) == 1


def test_a_file_that_the_ledger_does_not_know_is_found(jobs, creates, pair, tmp_path):
    """The process died after the picture was saved, and before that was written down."""
    order = inside(pair, group=False)
    jobs.submit(order, key="cover")
    ledger = jobs.jobs._ledger
    with ledger._writing() as connection:
        connection.execute(update(JOBS).values(state="submitting", answer=None))
    (job,) = jobs.resume()
    assert job.state is State.DONE
    assert [each.path for each in job.result.saved] == list((tmp_path / "results").iterdir())
    assert "may be missing" in job.text
    assert creates(PICTURES) == 1


def test_a_picture_that_failed_inside_a_group_stays_failed(
    jobs, make_jobs, creates, emulator, pair
):
    order = inside(pair, group=True)
    with emulator.fault("group_image_failed", index=1, times=1):
        jobs.submit(order, key="cover")
    (job,) = make_jobs().resume()
    assert [each.charged for each in job.result.images] == [True, False]
    assert "Picture 2 failed" in job.text
    assert creates(PICTURES) == 1


class Nonsense(BaseHTTPRequestHandler):
    """Answers with what is no base64."""

    def do_POST(self):
        body = b'{"model": "m", "data": [{"b64_json": "AAA", "size": "1024x1024"}]}'
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def nonsense():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Nonsense)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/api/v3"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_picture_that_is_no_picture_is_said_once_and_for_all(make_jobs, nonsense, pair):
    make_jobs(base_url=nonsense).submit(inside(pair, group=False), key="cover")
    job = make_jobs().wait("cover")
    assert job.state is State.DONE
    assert "is no base64" in job.text


def first_and_away(jobs, order):
    """See the first picture and close the stream."""
    if isinstance(jobs.jobs, Jobs):
        with closing(jobs.jobs.run(order, key="cover")) as events:
            return next(events)

    async def first():
        async with aclosing(jobs.jobs.run(order, key="cover")) as events:
            return await anext(events)

    return jobs.runner.run(first())


@pytest.mark.parametrize("response_format", ["url", "b64_json"])
def test_who_leaves_after_the_first_picture_finds_the_others(jobs, creates, pair, response_format):
    """The service makes and bills them all the same."""
    order = replace(pair, options={**pair.options, "response_format": response_format})
    first = first_and_away(jobs, order)
    job = jobs.get("cover")
    assert job.state is State.MADE
    (job,) = jobs.resume()
    assert job.result.problem is None
    assert len(job.result.saved) == 2
    assert first in job.result.saved
    assert job.result.usage["generated_images"] == 2
    assert creates(PICTURES) == 1


def test_who_leaves_an_answer_that_breaks_off_finds_what_came(jobs, creates, emulator, pair):
    with emulator.fault("truncated_stream", path=PICTURES, times=1, after_events=1):
        first = first_and_away(jobs, pair)
    (job,) = jobs.resume()
    assert job.result.saved == (first,)
    assert "may be missing" in job.text
    assert creates(PICTURES) == 1


def test_who_leaves_is_not_kept_for_ever(jobs, creates, pair, monkeypatch):
    monkeypatch.setattr("doubao_core.jobs.work._LEAVING", 0.0)
    first = first_and_away(jobs, pair)
    assert jobs.get("cover").state is State.MADE
    (job,) = jobs.resume()
    assert job.result.saved == (first,)
    assert "who had asked for it left" in job.text
    assert creates(PICTURES) == 1


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
