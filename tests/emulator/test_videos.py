"""Films as they are ordered, through the official SDK: shape, length, frames, edits (ark.md 15)."""

import base64
import io

import av
import httpx
import pytest
from PIL import Image
from volcenginesdkarkruntime import Ark
from volcenginesdkarkruntime._exceptions import ArkBadRequestError

MODEL = "doubao-seedance-2-0-260128"
V1 = "doubao-seedance-1-0-pro-250528"
V2_5 = "doubao-seedance-2-5-260628"


def image(url, role=None):
    item = {"type": "image_url", "image_url": {"url": url}}
    return item if role is None else {**item, "role": role}


def data_url(colour="#ff0000", size=(400, 300)):
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def film(url):
    data = httpx.get(url, timeout=60).content
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        frames = [frame.to_image() for frame in container.decode(stream)]
        assert stream.average_rate == 24
        return frames, [sound.codec_context.name for sound in container.streams.audio]


def test_a_task_becomes_a_film_of_the_requested_shape_and_length(tasks, submit):
    task_id = submit(tasks, resolution="480p", ratio="9:16", duration=4)
    task = tasks.get(task_id=task_id)
    assert task.status == "succeeded"
    assert (task.resolution, task.ratio, task.duration, task.frames) == ("480p", "9:16", 4, None)
    assert task.usage.completion_tokens == 496 * 864 * 97 // 1024
    frames, sound = film(task.content.video_url)
    assert len(frames) == 97
    assert frames[0].size == (496, 864)
    assert sound == ["aac"]


def test_frames_beat_the_duration_and_only_they_are_stated(tasks, submit):
    task_id = submit(tasks, model=V1, resolution="480p", ratio="1:1", duration=10, frames=29)
    task = tasks.get(task_id=task_id)
    assert (task.frames, task.duration) == (29, None)
    frames, sound = film(task.content.video_url)
    assert len(frames) == 29
    assert sound == []


@pytest.mark.parametrize(
    ("cloud", "model", "file_format"),
    [("base_url", MODEL, "JPEG"), ("byteplus_base_url", "dreamina-seedance-2-0-260128", "PNG")],
)
def test_the_last_frame_is_a_picture_in_the_clouds_format(
    server, cloud, model, file_format, submit
):
    with httpx.Client(timeout=60) as http_client:
        client = Ark(base_url=getattr(server, cloud), api_key="a key", http_client=http_client)
        tasks = client.content_generation.tasks
        task_id = submit(tasks, model=model, resolution="480p", return_last_frame=True)
        content = tasks.get(task_id=task_id).content
    picture = Image.open(io.BytesIO(httpx.get(content.last_frame_url, timeout=60).content))
    assert (picture.format, picture.size) == (file_format, (864, 496))


def test_a_first_and_a_last_frame_start_and_end_the_film_in_their_shape(tasks, submit):
    task_id = submit(
        tasks,
        resolution="480p",
        duration=4,
        generate_audio=False,
        content=[
            image(data_url("#ff0000", (300, 400)), "first_frame"),
            image(data_url("#0000ff", (300, 400)), "last_frame"),
        ],
    )
    task = tasks.get(task_id=task_id)
    assert task.ratio == "3:4"
    frames, sound = film(task.content.video_url)
    assert frames[0].getpixel((5, 300))[0] > 200
    assert frames[-1].getpixel((5, 300))[2] > 200
    assert sound == []


def test_prompt_flags_set_what_the_body_leaves_open(tasks, submit):
    prompt = "a cat yawns --rs 480p --rt 1:1 --dur 6 --seed 11 --wm true --cf false --fps 24"
    task = tasks.get(task_id=submit(tasks, prompt=prompt, ratio="16:9"))
    assert (task.resolution, task.ratio, task.duration, task.seed) == ("480p", "16:9", 6, 11)


def test_bad_and_unknown_flags_are_swallowed(tasks, submit):
    prompt = "--style noir a cat --rt 5:7 --seed x --frames 30 --cf true"
    task = tasks.get(task_id=submit(tasks, prompt=prompt))
    assert (task.status, task.ratio, task.resolution) == ("succeeded", "16:9", "720p")


def test_a_ratio_flag_that_the_mode_does_not_take_is_swallowed(tasks, submit):
    task = tasks.get(task_id=submit(tasks, model=V1, prompt="a cat, 9:16 --rt adaptive"))
    assert task.ratio == "16:9"
    square = image(data_url(size=(400, 400)))
    task = tasks.get(task_id=submit(tasks, model=V2_5, prompt="x --rt 21:9", content=[square]))
    assert task.ratio == "1:1"


def test_web_search_is_reported_as_not_done(tasks, submit):
    task = tasks.get(task_id=submit(tasks, tools=[{"type": "web_search"}]))
    assert task.usage.tool_usage == {"web_search": 0}
    assert [tool.type for tool in task.tools] == ["web_search"]


def test_a_model_that_chooses_the_length_states_it(tasks, submit):
    task = tasks.get(task_id=submit(tasks, model=V2_5))
    assert task.duration == 5
    assert task.output_format == "mp4"


def test_a_mov_is_made_where_it_is_offered(tasks, submit):
    url = tasks.get(
        task_id=submit(tasks, model=V2_5, output_format="mov", resolution="480p", duration=4)
    ).content.video_url
    assert ".mov?" in url
    _, sound = film(url)
    assert sound == ["pcm_s16le"]


def test_films_of_2_5_can_be_downloaded_a_hundred_times(tasks, submit):
    task = tasks.get(task_id=submit(tasks, model=V2_5, resolution="480p", duration=4))
    with httpx.Client(timeout=60) as http_client:
        statuses = [http_client.get(task.content.video_url).status_code for _ in range(101)]
    assert statuses == [200] * 100 + [403]


def test_an_own_film_as_reference_counts_in_the_tokens(tasks, submit):
    first = tasks.get(task_id=submit(tasks, ratio="21:9", duration=10))
    reference = {
        "type": "video_url",
        "video_url": {"url": first.content.video_url},
        "role": "reference_video",
    }
    second = tasks.get(task_id=submit(tasks, content=[reference], duration=5))
    assert second.ratio == "21:9"
    assert second.usage.completion_tokens == 1470 * 630 * (24 * 15 + 1) // 1024


def test_an_edit_with_a_fixed_length_fails_in_the_task_not_at_creation(tasks, submit):
    film_url = tasks.get(task_id=submit(tasks, model=V2_5)).content.video_url
    reference = {
        "type": "video_url",
        "video_url": {"url": film_url},
        "role": "reference_video",
    }
    asked = {"model": V2_5, "prompt": "Replace the cat with a dog", "content": [reference]}
    task = tasks.get(task_id=submit(tasks, **asked, duration=8, ratio="16:9"))
    assert task.error.code == "InvalidParameter.TaskTypeConstraint"
    assert (
        "identified your task as video editing based on your prompt. "
        "Issues: [0] `duration` must be -1. [1] `ratio` must be adaptive." in task.error.message
    )
    assert tasks.get(task_id=submit(tasks, **asked)).status == "succeeded"
    task = tasks.get(task_id=submit(tasks, **asked, omni_reference_task_type="extend"))
    assert task.error.code == "InvalidParameter.TaskTypeMismatch"
    task = tasks.get(task_id=submit(tasks, **asked | {"prompt": "Extend it"}, ratio="1:1"))
    assert "identified your task as video extension" in task.error.message
    asked["prompt"] = "A dog like this"
    plain = submit(tasks, **asked, omni_reference_task_type="reference", duration=8)
    assert tasks.get(task_id=plain).status == "succeeded"


def test_an_edit_needs_a_reference_of_four_seconds(tasks, submit):
    short = tasks.get(task_id=submit(tasks, model=V1, duration=2)).content.video_url
    reference = {"type": "video_url", "video_url": {"url": short}, "role": "reference_video"}
    with pytest.raises(ArkBadRequestError, match="edit takes reference videos of 4 to 30 s"):
        submit(tasks, model=V2_5, content=[reference], omni_reference_task_type="edit")


def test_a_draft_is_made_in_full_with_what_it_had(server, tasks, submit):
    draft_id = submit(tasks, model=V2_5, draft=True, ratio="1:1", duration=6, seed=99)
    draft = tasks.get(task_id=draft_id)
    assert (draft.draft, draft.resolution) == (True, "480p")
    content = [{"type": "draft_task", "draft_task": {"id": draft_id}}]
    full_id = tasks.create(model=V2_5, content=content, resolution="1080p").id
    full = tasks.get(task_id=full_id)
    assert (full.draft, full.draft_task_id) == (False, draft_id)
    assert (full.resolution, full.ratio, full.duration, full.seed) == ("1080p", "1:1", 6, 99)
    assert full.usage.completion_tokens == 1440 * 1440 * 145 // 1024
