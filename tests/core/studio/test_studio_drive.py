"""Pictures and films over real HTTP, blocking and async: paid once, saved, never lost."""

from __future__ import annotations

import asyncio

import pytest
from PIL import Image

from doubao_core import (
    AmbiguousSubmit,
    Client,
    ConfigError,
    ContentRejected,
    JobFailed,
    NotFound,
    RateLimited,
)
from doubao_core.media.folder import Folder
from doubao_core.studio import (
    Allowance,
    Desk,
    Progress,
    Studio,
    VideoResult,
)

TASKS = "/api/v3/contents/generations/tasks"


def states(steps):
    return [step.status for step in steps if isinstance(step, Progress)]


@pytest.mark.parametrize("response_format", ["url", "b64_json"])
async def test_pictures_are_files_of_the_size_that_was_asked_for(
    studio, pictures, tmp_path, response_format
):
    result = await studio.images(pictures(max_images=2, rules={"response_format": response_format}))
    assert [image.path.name for image in result.images] == ["image.jpeg", "image-1.jpeg"]
    for made in result.images:
        assert made.path.parent == tmp_path
        assert made.path.stat().st_size == made.bytes
        with Image.open(made.path) as picture:
            assert picture.size == (1024, 1024)
    assert result.usage["generated_images"] == 2
    assert result.text.startswith("Made 2 pictures: image.jpeg (1024x1024), image-1.jpeg")
    assert "http" not in result.text


async def test_a_failed_picture_of_a_group_does_not_lose_the_others(studio, pictures, emulator):
    with emulator.fault("group_image_failed", index=1):
        result = await studio.images(pictures(max_images=3))
    assert [bool(image.path) for image in result.images] == [True, False, True]
    assert "sensitive" in result.images[1].error
    assert "Picture 2 failed" in result.text


async def test_a_refused_prompt_makes_nothing(studio, pictures, emulator, tmp_path):
    from doubao_emulator.chat_request import REFUSED_PHRASE

    with pytest.raises(ContentRejected):
        await studio.images(pictures(prompt=f"a {REFUSED_PHRASE} picture"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fault", ["lost_answer", "reset_before_answer"])
async def test_a_picture_whose_answer_is_lost_is_asked_for_once(
    make_studio, pictures, emulator, fault, creates
):
    studio = make_studio()
    with emulator.fault(fault), pytest.raises(AmbiguousSubmit):
        await studio.images(pictures())
    assert len(creates()) == 1


async def test_a_download_that_fails_once_is_tried_again(studio, pictures, emulator, creates):
    with emulator.fault("reset_before_answer", path="/media/", times=1):
        result = await studio.images(pictures())
    assert result.images[0].path.is_file()
    assert len(creates()) == 1


async def test_a_picture_that_cannot_be_saved_keeps_its_url(studio, pictures, emulator, tmp_path):
    with emulator.fault("reset_before_answer", path="/media/"):
        result = await studio.images(pictures())
    assert result.images[0].path is None
    assert result.images[0].url.startswith("http")
    assert "made and paid for but not saved" in result.text
    assert "http" not in result.text
    assert list(tmp_path.iterdir()) == []


async def test_a_film_is_saved_and_its_way_there_is_reported(
    studio, film, emulator, progress, creates
):
    from doubao_emulator import AfterReads

    progress(AfterReads(2))
    *steps, result = await studio.film(film(return_last_frame=True))
    assert states(steps) == ["queued", "queued", "running", "succeeded"]
    assert result.status == "succeeded"
    assert result.path.name == f"{result.task_id}.mp4"
    assert result.path.read_bytes()[4:8] == b"ftyp"
    with Image.open(result.last_frame) as picture:
        assert picture.size == (864, 496)
    assert result.usage["completion_tokens"] == 40594
    assert f"The video is ready: {result.task_id}.mp4 (4 s, 480p, 16:9)" in result.text
    assert "http" not in result.text
    assert len(creates()) == 1


async def test_a_wait_that_outlasts_its_limit_is_a_result(make_studio, film, emulator, progress):
    from doubao_emulator import AfterSeconds

    progress(AfterSeconds(3600))
    studio = make_studio(wait_timeout=0.03)
    *_, result = await studio.film(film())
    assert isinstance(result, VideoResult)
    assert result.status == "queued"
    assert f"Task id {result.task_id}: call check_video" in result.text
    assert not [each for each in emulator.requests if each.method == "DELETE"]


async def test_a_film_can_be_fetched_later_and_is_saved_once(
    make_studio, film, emulator, progress, tmp_path
):
    from doubao_emulator import AfterSeconds, Immediate

    progress(AfterSeconds(3600))
    *_, waiting = await make_studio(wait_timeout=0.0).film(film())
    studio = make_studio()
    assert (await studio.check(waiting.task_id)).status == "queued"
    progress(Immediate())
    first = await studio.check(waiting.task_id)
    second = await studio.check(waiting.task_id)
    assert first.path == second.path
    assert (first.media_type, first.bytes) == (second.media_type, second.bytes)
    assert len(list(tmp_path.iterdir())) == 1


async def test_a_failed_task_is_raised_with_its_reason(studio, film, emulator, tmp_path):
    with emulator.fault("task_failed"), pytest.raises(JobFailed) as caught:
        await studio.film(film())
    assert caught.value.code
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fault", ["lost_answer", "reset_before_answer"])
async def test_a_film_whose_answer_is_lost_is_submitted_once(
    studio, film, emulator, fault, creates
):
    with emulator.fault(fault), pytest.raises(AmbiguousSubmit):
        await studio.film(film())
    assert len(creates()) == 1


async def test_look_ups_that_fail_in_passing_do_not_lose_the_task(studio, film, emulator, creates):
    with emulator.fault("server_error", path=f"{TASKS}/", times=3):
        *_, result = await studio.film(film())
    assert result.status == "succeeded"
    assert len(creates()) == 1


async def test_a_task_that_cannot_be_looked_up_is_named(studio, film, emulator):
    with emulator.fault("model_not_open", path=f"{TASKS}/"):
        *_, result = await studio.film(film())
    assert result.path is None
    assert "Its state could not be read" in result.text
    assert f"Task id {result.task_id}" in result.text
    assert "Do not submit it again" in result.text


async def test_a_film_that_cannot_be_fetched_is_named(studio, film, emulator):
    with emulator.fault("reset_before_answer", path="/media/"):
        *_, result = await studio.film(film())
    assert result.status == "succeeded"
    assert result.url.startswith("http")
    assert "could not be fetched" in result.text
    assert result.task_id in result.text


async def test_leaving_early_cancels_a_queued_task(studio, film, progress):
    from doubao_emulator import AfterSeconds

    progress(AfterSeconds(3600))
    submitted = await studio.leave_early(film())
    with pytest.raises(JobFailed, match="ended as cancelled"):
        await studio.check(submitted.task_id)


async def test_leaving_early_keeps_a_task_that_is_made_already(studio, film, emulator, progress):
    from doubao_emulator import Immediate

    progress(Immediate())
    submitted = await studio.leave_early(film())
    assert not [each for each in emulator.requests if each.method == "DELETE"]
    assert (await studio.check(submitted.task_id)).path.is_file()


async def test_leaving_with_the_result_leaves_a_task_that_goes_on(
    make_studio, film, emulator, progress
):
    from doubao_emulator import AfterSeconds

    progress(AfterSeconds(3600))
    studio = make_studio(wait_timeout=0.0)
    result = await studio.leave_with_the_result(film())
    assert result.status == "queued"
    assert not [each for each in emulator.requests if each.method == "DELETE"]


async def test_cancelling_stops_the_polling_and_the_queued_task(
    make_studio, film, emulator, progress, soon
):
    from doubao_emulator import AfterSeconds

    progress(AfterSeconds(3600))
    studio = make_studio(kind="async")
    running = asyncio.ensure_future(studio.film(film()))
    assert await asyncio.to_thread(soon, lambda: len(emulator.requests) >= 3)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    # A look-up that was on its way when the call was cancelled may still arrive.
    await asyncio.sleep(0.03)
    seen = [each.method for each in emulator.requests]
    assert seen.count("DELETE") == 1
    await asyncio.sleep(0.03)
    assert len(emulator.requests) == len(seen)


async def test_cancelling_in_mid_submission_finds_the_task_and_cancels_it(
    make_studio, film, emulator, progress, creates, soon
):
    from doubao_emulator import AfterSeconds

    progress(AfterSeconds(3600))
    studio = make_studio(kind="async")
    with emulator.fault("stall", times=1, path=TASKS) as held:
        running = asyncio.ensure_future(studio.film(film()))
        assert await asyncio.to_thread(soon, lambda: len(creates()) == 1)
        await asyncio.sleep(0.02)
        running.cancel()
        await asyncio.sleep(0.02)
        held.release()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert [each.method for each in emulator.requests] == ["POST", "GET", "DELETE"]


async def test_cancelling_a_submission_whose_answer_never_comes_is_logged(
    make_studio, film, emulator, monkeypatch, caplog, creates, soon
):
    """Nobody is told by an exception: the call was cancelled. The film may still be made."""
    monkeypatch.setattr("doubao_core.studio.films.GRACE", 0.05)
    studio = make_studio(kind="async")
    with emulator.fault("stall", times=1, path=TASKS) as held:
        running = asyncio.ensure_future(studio.film(film()))
        assert await asyncio.to_thread(soon, lambda: len(creates()) == 1)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        held.release()
    assert "a video task may have been submitted" in caplog.text


async def test_an_unreadable_file_of_a_tasks_name_does_not_lose_the_film(
    studio, film, emulator, tmp_path
):
    made = (await studio.film(film()))[-1]
    made.path.unlink()
    (tmp_path / f"{made.task_id}.d").mkdir()
    again = await studio.check(made.task_id)
    assert again.path.stat().st_size == made.bytes


async def test_an_interrupt_cancels_a_queued_task(emulator, film, progress, tmp_path):
    from doubao_emulator import AfterSeconds

    progress(AfterSeconds(3600))
    desk = Desk(output_dir=tmp_path, poll_interval=0.01)
    with Client(api_key="k", base_url=emulator.base_url) as client:
        steps = Studio(client, desk, Allowance()).video(film())
        next(steps)
        with pytest.raises(KeyboardInterrupt):
            steps.throw(KeyboardInterrupt)
    assert emulator.requests[-1].method == "DELETE"


async def test_no_more_paid_calls_than_allowed(make_studio, pictures, emulator, creates):
    studio = make_studio(Allowance(1))
    await studio.images(pictures())
    with pytest.raises(ConfigError, match="may be used once"):
        await studio.images(pictures())
    assert len(creates()) == 1


async def test_a_refused_call_is_not_counted(make_studio, pictures, emulator):
    studio = make_studio(Allowance(1))
    with emulator.fault("rate_limit"), pytest.raises(RateLimited):
        await studio.images(pictures())
    assert (await studio.images(pictures())).saved


async def test_an_unknown_task_is_not_found_and_a_path_is_no_id(studio, emulator):
    with pytest.raises(NotFound):
        await studio.check("cgt-20261121194336-xxxxx")
    with pytest.raises(ConfigError, match="not an id"):
        await studio.check("../../chat/completions?x=")
    assert len(emulator.requests) == 1


async def test_an_unusable_folder_is_found_before_paying(
    make_studio, pictures, film, tmp_path, creates
):
    place = tmp_path / "taken"
    place.write_text("a file")
    studio = make_studio(output_dir=place)
    for make, order in ((studio.images, pictures()), (studio.film, film())):
        with pytest.raises(ConfigError, match="so nothing was sent"):
            await make(order)
    assert creates() == []


class FullDisk(Folder):
    """A folder that takes a probe and no more."""

    def target(self, name):
        def refuse(block):
            raise ConfigError(f"cannot write {name}: No space left on device")

        target = super().target(name)
        target.write = refuse
        return target


async def test_a_picture_without_a_url_that_cannot_be_saved_is_kept(
    make_studio, pictures, tmp_path
):
    studio = make_studio(output_dir=FullDisk(tmp_path))
    result = await studio.images(pictures(rules={"response_format": "b64_json"}))
    assert result.images[0].url.startswith("data:image/")
    assert "made and paid for but not saved" in result.text
