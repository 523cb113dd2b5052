"""Everything that the models can do, as a model asks for it, over real HTTP."""

from __future__ import annotations

import base64
import json

import httpx
import pytest
from PIL import Image

from doubao_core import AmbiguousSubmit
from doubao_core.studio import (
    ImageResult,
    ImageRules,
    MadeImage,
    Progress,
    References,
    VideoRules,
)

PRO = "doubao-seedream-5-0-pro-260628"
LITE = "doubao-seedream-5-0-260128"
V4_0 = "doubao-seedream-4-0-250828"
V3_0 = "doubao-seedream-3-0-t2i-250415"
EDIT = "doubao-seededit-3-0-i2i-250628"
S2_5 = "doubao-seedance-2-5-260628"
S2_0 = "doubao-seedance-2-0-260128"
S1_0 = "doubao-seedance-1-0-pro-250528"
URL = "https://example.com/a.png"
FILM = "https://example.com/a.mp4"
SOUND = "https://example.com/a.wav"
SEARCH = [{"type": "web_search"}]


@pytest.mark.parametrize(
    ("model", "wanted", "sent"),
    [
        (LITE, {"images": [URL] * 14}, {"image": [URL] * 14}),
        (LITE, {"images": [URL]}, {"image": URL}),
        (LITE, {"size": "2K"}, {"size": "2K"}),
        (LITE, {"size": "9:16"}, {"size": "1600x2848"}),
        (LITE, {"size": "3K 3:2"}, {"size": "3744x2496"}),
        (LITE, {"size": "21:9, 3k"}, {"size": "4704x2016"}),
        (V4_0, {"size": "1280 × 720"}, {"size": "1280x720"}),
        (PRO, {"size": "1.5K 16:9"}, {"size": "2048x1152"}),
        (LITE, {"web_search": True}, {"tools": SEARCH}),
        (LITE, {"output_format": "png"}, {"output_format": "png"}),
        (LITE, {"watermark": False}, {"watermark": False}),
        (V4_0, {"optimize_prompt": "fast"}, {"optimize_prompt_options": {"mode": "fast"}}),
        (V4_0, {"seed": 7}, {"seed": 7}),
        (
            V3_0,
            {"size": "1024x1024", "guidance_scale": 7.5, "seed": 1},
            {"guidance_scale": 7.5, "seed": 1},
        ),
        (EDIT, {"images": [URL], "size": "adaptive"}, {"image": URL, "size": "adaptive"}),
    ],
)
async def test_pictures_are_made_as_they_are_asked_for(
    studio, pictures, creates, model, wanted, sent
):
    # No download: what is made of fourteen pictures takes a while to draw.
    answer, _ = [step async for step in paid(studio, pictures(model=model, **wanted))][-1]
    assert answer.images[0].error is None
    body = creates()[-1].body
    assert sent.items() <= body.items()


async def paid(studio, order):
    items = studio.studio.order_pictures(order)
    if hasattr(items, "__aiter__"):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item


async def test_transparency_is_kept(studio, pictures, tmp_path, png, creates):
    (tmp_path / "cup.png").write_bytes(png(mode="RGBA"))
    wanted = {"images": ["cup.png"], "background": "transparent", "size": "1K"}
    result = await studio.images(pictures(model=PRO, **wanted))
    assert creates()[-1].body["output_format"] == "png"
    with Image.open(result.images[0].path) as picture:
        assert picture.has_transparency_data


async def test_a_picture_is_taken_apart(studio, pictures, tmp_path, png):
    (tmp_path / "cup.png").write_bytes(png(600, 600))
    wanted = {"images": ["cup.png"], "layers": True, "size": "auto"}
    result = await studio.images(pictures(model=PRO, **wanted))
    assert [image.layer["z_index"] for image in result.images] == [0, 1, 2]
    assert [image.media_type for image in result.images] == ["image/jpeg", *["image/png"] * 2]
    with Image.open(result.images[1].path) as layer:
        assert layer.has_transparency_data
        assert result.images[1].size == f"{layer.width}x{layer.height}"


async def test_layers_are_pictures_that_say_what_they_are(make_studio, pictures, png):
    picture = base64.b64encode(png(mode="RGBA")).decode()
    box = {"absolute": [100, 220, 912, 860], "normalized": [49, 107, 445, 420]}
    layer = {"z_index": 1, "name": "cup", "description": "A white cup", "bounding_box": box}
    data = [
        {"b64_json": picture, "size": "2048x2048", "z_index": 0},
        {"b64_json": picture, "size": "812x640", **layer},
    ]

    def answer(request):
        return httpx.Response(200, json={"model": PRO, "created": 1790000000, "data": data})

    order = pictures(model=PRO, images=[URL], layers=True, size="auto")
    result = await make_studio(answer=answer).images(order)
    assert [image.layer for image in result.images] == [{"z_index": 0}, layer]
    assert "image.png (2048x2048), image-1.png (812x640, cup)" in result.text


async def test_a_provider_that_passes_over_the_stream_loses_no_picture(make_studio, pictures, png):
    """Some answer whole although a stream was asked for; the pictures were paid for."""
    picture = base64.b64encode(png()).decode()
    usage = {"generated_images": 2}
    data = [{"b64_json": picture, "size": "600x400"}] * 2
    seen = []

    def answer(request):
        seen.append(json.loads(request.content)["stream"])
        return httpx.Response(200, json={"model": V4_0, "data": data, "usage": usage})

    *made, result = await make_studio(answer=answer).stream(pictures(max_images=2))
    assert seen == [True]
    assert [image.name for image in made] == ["image.png", "image-1.png"]
    assert (result.images, result.usage) == (tuple(made), usage)
    assert result.problem is None


async def test_an_answer_that_is_neither_a_stream_nor_pictures_is_lost(make_studio, pictures):
    def answer(request):
        return httpx.Response(200, json={"hello": "world"})

    with pytest.raises(AmbiguousSubmit, match="asked for an event stream"):
        await make_studio(answer=answer).stream(pictures(max_images=2))


async def test_pictures_that_came_whole_are_kept_when_the_answer_breaks_off(
    make_studio, pictures, png
):
    picture = base64.b64encode(png()).decode()
    body = json.dumps({"model": PRO, "data": [{"b64_json": picture, "size": "600x400"}] * 3})

    def answer(request):
        return httpx.Response(200, content=body[: -len(picture) // 2].encode())

    order = pictures(
        model=PRO, images=[URL], layers=True, size="auto", rules={"response_format": "b64_json"}
    )
    result = await make_studio(answer=answer).images(order)
    assert [image.name for image in result.saved] == ["image.png", "image-1.png"]
    assert "broke off" in result.text


def test_extra_fields_and_a_developers_thinking_pass_through(tmp_path):
    rules = ImageRules(
        model=PRO,
        references=References(output_dir=tmp_path),
        fixed={"optimize_thinking": "enabled"},
        extra_body={"new_field": 1},
    )
    body = rules.asked({"prompt": "tea"}).request()
    assert body["optimize_prompt_options"] == {"thinking": "enabled"}
    assert body["new_field"] == 1


async def test_an_edit_takes_an_earlier_result_by_its_name(studio, pictures, creates):
    first = (await studio.images(pictures())).images[0]
    await studio.images(pictures("now at night", images=[first.name]))
    sent = creates()[-1].body["image"]
    assert base64.b64decode(sent.partition(",")[2]) == first.path.read_bytes()


@pytest.mark.parametrize("response_format", ["url", "b64_json"])
async def test_pictures_of_a_group_come_one_by_one(studio, pictures, creates, response_format):
    rules = {"response_format": response_format}
    *made, result = await studio.stream(pictures(max_images=3, rules=rules))
    assert creates()[-1].body["stream"] is True
    assert [type(step) for step in made] == [MadeImage] * 3
    assert isinstance(result, ImageResult)
    assert result.images == tuple(made)
    assert all(image.path.is_file() for image in made)
    assert result.usage["generated_images"] == 3
    assert result.model == V4_0


async def test_a_picture_is_given_before_the_next_one_is_made(studio, pictures, emulator):
    with emulator.fault("stall", after_events=1) as held:
        steps = studio.pictures(pictures(max_images=2))
        first = await anext(steps)
        assert first.path.is_file()
        held.release()
        rest = [step async for step in steps]
    assert [type(step) for step in rest] == [MadeImage, ImageResult]


async def test_a_failed_picture_of_a_stream_comes_in_its_place(studio, pictures, emulator):
    with emulator.fault("group_image_failed", index=1):
        *made, result = await studio.stream(pictures(max_images=3))
    assert [bool(image.path) for image in made] == [True, False, True]
    assert 'the service said "' in made[1].error
    assert "Picture 2 failed" in result.text


@pytest.mark.parametrize("response_format", ["url", "b64_json"])
@pytest.mark.parametrize(
    ("fault", "events"), [("reset_mid_stream", 2), ("truncated_stream", 2), ("error_mid_stream", 2)]
)
async def test_a_stream_that_breaks_keeps_the_pictures_that_came(
    studio, pictures, emulator, creates, fault, events, response_format
):
    rules = {"response_format": response_format}
    with emulator.fault(fault, after_events=events):
        *made, result = await studio.stream(pictures(max_images=4, rules=rules))
    # A reset takes with it what the reader had not come to yet.
    assert (1 if fault == "reset_mid_stream" else 2) <= len(made) == len(result.saved) <= 2
    assert "broke off" in result.text
    assert "Do not ask for them again by yourself" in result.text
    assert result.cost.amount is not None
    assert len(creates()) == 1


async def test_a_stream_without_its_last_event_is_whole(make_studio, pictures, png):
    """A client must not need ``completed`` (ark.md 14.5)."""
    head = {"model": V4_0, "created": 1790000000}
    made = "image_generation.partial_succeeded"
    picture = base64.b64encode(png()).decode()
    events = [
        {"type": made, "image_index": index, "b64_json": picture, "size": "600x400", **head}
        for index in range(2)
    ]
    lines = [f"data: {json.dumps(event)}\n\n" for event in events]
    content = "".join([*lines, "data: [DONE]\n\n"]).encode()

    def answer(request):
        stream = {"content-type": "text/event-stream"}
        return httpx.Response(200, headers=stream, content=content)

    result = await make_studio(answer=answer).images(pictures(max_images=2))
    assert len(result.saved) == 2
    assert result.problem is None
    assert result.usage == {}


@pytest.mark.parametrize(
    ("model", "wanted", "sent"),
    [
        (S2_0, {"duration": -1}, {"duration": -1}),
        (S2_0, {"generate_audio": False, "seed": 7, "watermark": True}, {"generate_audio": False}),
        (S2_0, {"web_search": True}, {"tools": SEARCH}),
        (S2_5, {"output_format": "mov"}, {"output_format": "mov"}),
        (S2_5, {"draft": True, "resolution": None}, {"draft": True, "resolution": "480p"}),
        (
            S2_5,
            {"task_type": "edit", "reference_videos": [FILM], "duration": None, "ratio": None},
            {"omni_reference_task_type": "edit", "duration": -1},
        ),
        (
            S2_5,
            {"task_type": "extend", "reference_videos": [FILM], "ratio": "adaptive"},
            {"omni_reference_task_type": "extend"},
        ),
        (S1_0, {"frames": 57, "duration": None}, {"frames": 57}),
        (S1_0, {"camera_fixed": True}, {"camera_fixed": True}),
    ],
)
async def test_films_are_ordered_as_they_are_asked_for(studio, film, creates, model, wanted, sent):
    task = await studio.submit(film(model=model, **wanted))
    assert task.id
    assert sent.items() <= creates()[-1].body.items()


@pytest.mark.parametrize(
    ("model", "fixed"),
    [
        (S1_0, {"service_tier": "flex", "execution_expires_after": 3600}),
        (S2_0, {"priority": 9, "safety_identifier": "user-1"}),
        (S2_0, {"callback_url": "http://127.0.0.1:9/hook"}),
    ],
)
async def test_what_is_a_developers_is_sent_as_fixed(studio, film, creates, model, fixed):
    await studio.submit(film(model=model, fixed=fixed))
    assert fixed.items() <= creates()[-1].body.items()


async def test_first_and_last_frame_and_references_have_their_roles(
    studio, film, creates, tmp_path, png
):
    (tmp_path / "frame.png").write_bytes(png())
    await studio.submit(film(first_frame="frame.png", last_frame=URL))
    _, first, last = creates()[-1].body["content"]
    assert first["role"] == "first_frame"
    assert first["image_url"]["url"].startswith("data:image/png;base64,")
    assert last == {"type": "image_url", "image_url": {"url": URL}, "role": "last_frame"}

    wanted = {"reference_images": [URL, "asset://a"], "reference_videos": [FILM]}
    await studio.submit(film(**wanted, reference_audios=[SOUND, "asset://b"]))
    parts = creates()[-1].body["content"][1:]
    assert [(part["type"], part["role"], part[part["type"]]["url"]) for part in parts] == [
        ("image_url", "reference_image", URL),
        ("image_url", "reference_image", "asset://a"),
        ("video_url", "reference_video", FILM),
        ("audio_url", "reference_audio", SOUND),
        ("audio_url", "reference_audio", "asset://b"),
    ]


async def test_a_draft_is_made_in_full_by_its_task_id(studio, film, creates):
    *_, draft = await studio.film(film(model=S2_5, draft=True, resolution=None))
    assert "pass the task id as draft_task to make it in full" in draft.text
    wanted = {"draft_task": draft.task_id, "resolution": "720p", "duration": None, "ratio": None}
    *_, whole = await studio.film(film(model=S2_5, **wanted))
    assert creates()[-1].body["content"] == [
        {"type": "draft_task", "draft_task": {"id": draft.task_id}}
    ]
    assert whole.task["resolution"] == "720p"
    assert whole.path.is_file()


def test_what_is_fixed_for_all_films_is_passed_over_for_a_draft(tmp_path):
    rules = VideoRules(
        model=S2_5,
        references=References(output_dir=tmp_path),
        fixed={"ratio": "16:9", "generate_audio": False, "return_last_frame": True},
        shown=["draft", "draft_task"],
    )
    assert "return_last_frame" not in rules.asked({"prompt": "x", "draft": True}).request()
    body = rules.asked({"prompt": "x", "draft_task": "cgt-1", "resolution": "1080p"}).request()
    assert body == {
        "model": S2_5,
        "content": [{"type": "draft_task", "draft_task": {"id": "cgt-1"}}],
        "resolution": "1080p",
        "return_last_frame": True,
    }


async def test_a_link_that_expired_meanwhile_is_asked_for_anew(studio, film, emulator, progress):
    from doubao_emulator import AfterReads
    from doubao_emulator.media import MediaFile

    progress(AfterReads(1))
    result = None
    async for step in studio.steps(film(return_last_frame=True)):
        if isinstance(step, Progress) and step.status == "succeeded":
            for file in emulator.world.table(MediaFile).values():
                file.expires_at = 0.0
        result = step
    assert result.path.is_file()
    assert result.last_frame.is_file()
    assert result.problem is None
    refused = [each for each in emulator.requests if "/media/" in each.path]
    assert len(refused) == 3
