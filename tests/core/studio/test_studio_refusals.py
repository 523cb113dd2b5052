"""What is refused before it costs, and that the service would refuse it, too."""

from __future__ import annotations

import pytest

from doubao_core import Client, ConfigError, InvalidRequest
from doubao_core.studio import ImageArguments, ImageRules, References, VideoArguments, VideoRules

PRO = "doubao-seedream-5-0-pro-260628"
FLASH = "doubao-seedream-5-0-flash-260915"
LITE = "doubao-seedream-5-0-260128"
V4_5 = "doubao-seedream-4-5-251128"
V4_0 = "doubao-seedream-4-0-250828"
V3_0 = "doubao-seedream-3-0-t2i-250415"
EDIT = "doubao-seededit-3-0-i2i-250628"
S2_5 = "doubao-seedance-2-5-260628"
S2_0 = "doubao-seedance-2-0-260128"
FAST = "doubao-seedance-2-0-fast-260128"
S1_5 = "doubao-seedance-1-5-pro-251215"
S1_0 = "doubao-seedance-1-0-pro-250528"
S1_0_FAST = "doubao-seedance-1-0-pro-fast-251015"
UNKNOWN = "ep-20261008-abcde"
URL = "https://example.com/a.png"
FILM = "https://example.com/a.mp4"
SOUND = "https://example.com/a.wav"

PICTURES = [
    (V4_5, {"size": "1024x1024"}, r"1,048,576 pixels, and .* makes 3,686,400 to"),
    (PRO, {"size": "4096x4096"}, "16,777,216 pixels"),
    (LITE, {"size": "16000x900"}, "too narrow"),
    (LITE, {"size": "1K"}, r"use a level \(2K, 3K, 4K\)"),
    (V3_0, {"size": "2K"}, "use WIDTHxHEIGHT"),
    (EDIT, {"size": "1024x1024", "images": [URL]}, "leave size out"),
    (EDIT, {}, "name it in images"),
    (PRO, {"max_images": 2}, "makes one picture a call"),
    (V3_0, {"images": [URL]}, "takes no pictures in images, not 1"),
    (PRO, {"images": [URL] * 11}, "takes 10 pictures in images, not 11"),
    (LITE, {"images": [URL] * 15}, "takes 14 pictures in images, not 15"),
    (EDIT, {"images": [URL] * 2}, "takes 1 pictures in images, not 2"),
    (LITE, {"images": [URL] * 10, "max_images": 6}, "together may be 15, not 10 and 6"),
    (V4_5, {"output_format": "png"}, "makes jpeg, not png"),
    (LITE, {"seed": 7}, "takes no seed"),
    (PRO, {"guidance_scale": 3}, "takes no guidance_scale"),
    (V4_0, {"web_search": True}, "takes no web_search"),
    (LITE, {"background": "transparent", "images": [URL]}, "takes no background"),
    (PRO, {"background": "transparent"}, "exactly one picture in images"),
    (
        PRO,
        {"background": "transparent", "images": [URL], "output_format": "jpeg"},
        "makes png: leave output_format out",
    ),
    (LITE, {"layers": True, "images": [URL]}, "takes no layers"),
    (PRO, {"layers": True}, "exactly one picture"),
    (LITE, {"optimize_prompt": "fast"}, "takes no optimize_prompt=fast"),
    (FLASH, {"optimize_prompt": "fast"}, "takes no optimize_prompt=fast"),
]
FILMS = [
    (S2_0, {"last_frame": URL}, "last_frame needs a first_frame"),
    (S2_0, {"first_frame": URL, "reference_images": [URL]}, "first_frame and reference_images"),
    (S2_5, {"first_frame": URL, "reference_videos": [FILM]}, "first_frame and reference_videos"),
    (S2_5, {"first_frame": URL, "reference_audios": [SOUND]}, "first_frame and reference_audios"),
    (S2_0, {"reference_videos": [FILM] * 4}, "takes 3 reference_videos, not 4"),
    (S2_5, {"reference_audios": [SOUND] * 11}, "takes 10 reference_audios, not 11"),
    (S2_0, {"reference_audios": [SOUND]}, "takes no reference_audios alone"),
    (S1_0, {"reference_images": [URL]}, "takes no reference_images, not 1: use first_frame"),
    (S1_5, {"reference_videos": [FILM]}, "takes no reference_videos, not 1"),
    (S2_0, {"duration": 16}, "4 to 15 seconds, not 16"),
    (S2_5, {"duration": 31}, "4 to 30 seconds, not 31"),
    (S1_0, {"duration": 1}, "2 to 12 seconds, not 1"),
    (S1_0, {"duration": -1}, "2 to 12 seconds, not -1"),
    (S2_0, {"ratio": "5:4"}, "ratio must be"),
    (S2_5, {"ratio": "16:9", "first_frame": URL}, "keeps the ratio of first_frame"),
    (S1_0, {"ratio": "adaptive"}, "needs a fixed ratio"),
    (S2_5, {"resolution": "4k"}, "resolution must be 480p or 720p or 1080p, not '4k'"),
    (FAST, {"resolution": "1080p"}, "resolution must be 480p or 720p, not '1080p'"),
    (S1_0, {"generate_audio": True}, "makes no sound"),
    (S1_0_FAST, {"first_frame": URL, "last_frame": URL}, "takes no last_frame"),
    (S2_0, {"draft": True}, "takes no draft"),
    (S2_5, {"draft": True, "resolution": "720p"}, "a draft has 480p"),
    (S2_5, {"draft": True, "return_last_frame": True}, "a draft gives no last frame"),
    (S2_0, {"frames": 57}, "takes no frames: say the duration in seconds"),
    (S1_0, {"frames": 58}, "25 \\+ 4n, such as 57, not 58"),
    (S1_0, {"frames": 293}, "such as 289, not 293"),
    (S2_0, {"camera_fixed": True}, "takes no camera_fixed"),
    (S1_0, {"web_search": True}, "takes no web_search"),
    (S2_0, {"web_search": True, "first_frame": URL}, "web_search goes with a prompt alone"),
    (S2_0, {"output_format": "mov"}, "makes mp4, not mov"),
    (S2_0, {"task_type": "edit", "reference_videos": [FILM]}, "takes no task_type"),
    (S2_5, {"task_type": "edit"}, "needs a video in reference_videos"),
    (S2_5, {"task_type": "extend"}, "needs a video in reference_videos"),
    (
        S2_5,
        {"task_type": "edit", "reference_videos": [FILM], "duration": 5},
        "keeps the length of the video: leave duration out",
    ),
    (
        S2_5,
        {"task_type": "extend", "reference_videos": [FILM], "ratio": "16:9"},
        "keeps the ratio of the video",
    ),
]
FIXED = [
    (S2_0, {"service_tier": "flex"}, "takes no service_tier=flex"),
    (S1_0, {"priority": 3}, "takes no priority"),
    (S2_0, {"callback_url": "ftp://example.com"}, r"callback_url must be an http\(s\) URL"),
]


@pytest.fixture
def rules(tmp_path):
    """Make the rules for a model, with every argument shown that it takes."""

    def make(kind, model, **more):
        arguments = VideoArguments if kind is VideoRules else ImageArguments
        known = kind(model=model, references=References(output_dir=tmp_path))
        shown = [name for name in arguments.rare if name not in known.lacks]
        references = References(output_dir=tmp_path, assets=True)
        return kind(model=model, references=references, shown=shown, **more)

    return make


def as_it_would_be_sent(made, model):
    """Give the request of an order that nothing checked."""
    return {**made.request(), "model": model}


@pytest.mark.parametrize(("model", "wanted", "complaint"), PICTURES)
def test_what_a_picture_model_cannot_do_is_refused_here_and_there(
    rules, emulator, model, wanted, complaint
):
    asked = ImageArguments(prompt="tea", **wanted)
    with pytest.raises(ConfigError, match=complaint):
        rules(ImageRules, model, most_images=15).order(asked)
    body = as_it_would_be_sent(rules(ImageRules, UNKNOWN, most_images=15).order(asked), model)
    if wanted.get("optimize_prompt"):
        body["optimize_prompt_options"] = {"mode": "fast"}
    with (
        Client(api_key="k", base_url=emulator.base_url, max_retries=0) as client,
        pytest.raises(InvalidRequest),
    ):
        client.create_images(model=model, prompt="tea", extra_body=body)


@pytest.mark.parametrize(("model", "wanted", "complaint"), FILMS)
def test_what_a_video_model_cannot_do_is_refused_here_and_there(
    rules, emulator, model, wanted, complaint
):
    asked = VideoArguments(prompt="tea", **wanted)
    with pytest.raises(ConfigError, match=complaint):
        rules(VideoRules, model).order(asked)
    body = unchecked_film(wanted)
    with (
        Client(api_key="k", base_url=emulator.base_url, max_retries=0) as client,
        pytest.raises(InvalidRequest),
    ):
        client.create_video(model=model, **body)


@pytest.mark.parametrize(("model", "fixed", "complaint"), FIXED)
def test_what_a_developer_fixes_is_refused_when_the_rules_are_made(
    rules, emulator, model, fixed, complaint
):
    with pytest.raises(ConfigError, match=f"fixed= cannot be: .*{complaint}"):
        rules(VideoRules, model, fixed=fixed)
    with (
        Client(api_key="k", base_url=emulator.base_url, max_retries=0) as client,
        pytest.raises(InvalidRequest),
    ):
        client.create_video(model=model, **unchecked_film(fixed))


def unchecked_film(wanted):
    """Write a task from arguments as they are."""
    names = {"task_type": "omni_reference_task_type"}
    roles = {
        "first_frame": ("image", "first_frame"),
        "last_frame": ("image", "last_frame"),
        "reference_images": ("image", "reference_image"),
        "reference_videos": ("video", "reference_video"),
        "reference_audios": ("audio", "reference_audio"),
    }
    content = [{"type": "text", "text": "tea"}]
    body = {}
    for name, value in wanted.items():
        if name in roles:
            kind, role = roles[name]
            content += [
                {"type": f"{kind}_url", f"{kind}_url": {"url": url}, "role": role}
                for url in ([value] if isinstance(value, str) else value)
            ]
        elif name == "web_search":
            body["tools"] = [{"type": "web_search"}]
        else:
            body[names.get(name, name)] = value
    return {"content": content, **body}


@pytest.mark.parametrize(
    ("model", "wanted", "complaint"),
    [
        (S2_0, {"reference_images": [URL] * 10}, "takes 9 reference_images, not 10"),
        (S2_5, {"reference_images": [URL] * 31}, "takes 30 reference_images, not 31"),
        (S1_0, {"frames": 57, "duration": 3}, "both say the length"),
        (S1_0, {"camera_fixed": True, "first_frame": None, "frames": 30}, "25 \\+ 4n"),
        (S2_0, {"reference_videos": ["a.mp4"]}, "by http\\(s\\) URL only"),
        (S2_0, {"reference_videos": ["data:video/mp4;base64,AAAA"]}, "by http\\(s\\) URL only"),
    ],
)
def test_what_the_service_lets_pass_and_no_film_needs_is_refused(rules, model, wanted, complaint):
    """A probe saw the service take too many pictures; what it makes of them is not known."""
    with pytest.raises(ConfigError, match=complaint):
        rules(VideoRules, model).order(VideoArguments(prompt="tea", **wanted))


@pytest.mark.parametrize(
    ("size", "complaint"),
    [
        ((200, 400), "200x400: its sides must have 300 to 6,000 pixels"),
        ((1200, 400), "1200x400: its width divided by its height must be 0.4 to 2.5"),
    ],
)
def test_a_frame_of_the_wrong_shape_is_refused_here_and_there(
    rules, emulator, tmp_path, png, size, complaint
):
    (tmp_path / "frame.png").write_bytes(png(*size))
    asked = VideoArguments(prompt="tea", first_frame="frame.png")
    with pytest.raises(ConfigError, match=complaint):
        rules(VideoRules, S2_0).order(asked)
    inlined = References(output_dir=tmp_path).url("frame.png")
    with (
        Client(api_key="k", base_url=emulator.base_url, max_retries=0) as client,
        pytest.raises(InvalidRequest),
    ):
        client.create_video(model=S2_0, **unchecked_film({"first_frame": inlined}))


@pytest.mark.parametrize(
    ("model", "size", "complaint"),
    [
        (LITE, (14, 100), "sides must have 15 to"),
        (LITE, (1000, 50), "width divided by its height must be 0.0625 to 16"),
        (EDIT, (800, 200), "width divided by its height must be 0.333333 to 3"),
        (LITE, (6100, 6000), "36,000,000 pixels are the most"),
    ],
)
def test_a_reference_of_the_wrong_shape_is_refused_here_and_there(
    rules, emulator, tmp_path, png, model, size, complaint
):
    (tmp_path / "picture.png").write_bytes(png(*size, mode="1"))
    with pytest.raises(ConfigError, match=complaint):
        rules(ImageRules, model).order(ImageArguments(prompt="tea", images=["picture.png"]))
    inlined = References(output_dir=tmp_path).url("picture.png")
    with (
        Client(api_key="k", base_url=emulator.base_url, max_retries=0) as client,
        pytest.raises(InvalidRequest),
    ):
        client.create_images(model=model, prompt="tea", image=inlined)


def test_more_than_a_request_holds_is_refused(rules, tmp_path, png):
    # Noise at the end of a picture that says its size at the beginning.
    (tmp_path / "large.png").write_bytes(png() + bytes(29 * 1024 * 1024))
    with pytest.raises(ConfigError, match="too large for one request of 64 MiB"):
        rules(ImageRules, LITE).order(ImageArguments(prompt="tea", images=["large.png"] * 2))


def test_a_sound_of_more_than_15_mb_is_refused(rules, tmp_path):
    (tmp_path / "long.wav").write_bytes(b"RIFF0000WAVE" + bytes(16 * 1024 * 1024))
    asked = VideoArguments(prompt="tea", reference_audios=["long.wav"], reference_images=[URL])
    with pytest.raises(ConfigError, match=r"long\.wav"):
        rules(VideoRules, S2_0).order(asked)


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        (ImageRules, {"seed": 7, "web_search": True, "size": "anything", "guidance_scale": 2}),
        (
            VideoRules,
            {"duration": 99, "camera_fixed": True, "resolution": "8k", "output_format": "mov"},
        ),
    ],
)
def test_a_model_that_is_not_known_is_left_to_the_service(rules, kind, wanted):
    request = rules(kind, UNKNOWN).asked({"prompt": "tea", **wanted}).request()
    assert request["model"] == UNKNOWN
    assert len(request) >= len(wanted)


@pytest.mark.parametrize(
    ("byteplus", "wanted"),
    [
        ("dreamina-seedance-2-5-260628", {"draft": True}),
        ("dreamina-seedance-2-0-260128", {"duration": 16}),
    ],
)
def test_models_of_byteplus_have_limits_of_their_own(rules, byteplus, wanted):
    with pytest.raises(ConfigError):
        rules(VideoRules, byteplus).order(VideoArguments(prompt="tea", **wanted))


@pytest.mark.parametrize(
    "name", ["callback_url", "service_tier", "priority", "safety_identifier", "draft", "watermark"]
)
def test_what_a_model_does_not_see_it_cannot_set(tmp_path, name):
    rules = VideoRules(
        model=S2_5, references=References(output_dir=tmp_path), fixed={"watermark": False}
    )
    assert name not in rules.schema().model_fields
    values = {"callback_url": "https://evil.example", "service_tier": "flex", "priority": 9}
    given = {"prompt": "tea", name: values.get(name, "1")}
    if name == "watermark":
        assert rules.asked(given).options["watermark"] is False
        return
    with pytest.raises(ConfigError, match=f"{name} cannot be set here: leave it out"):
        rules.asked(given)


def test_a_developer_cannot_show_what_is_for_developers(tmp_path):
    references = References(output_dir=tmp_path)
    with pytest.raises(ConfigError, match="more_arguments= cannot name 'callback_url'"):
        VideoRules(model=S2_0, references=references, shown=["callback_url"])
    with pytest.raises(ConfigError, match="more_arguments= names draft, which this model"):
        VideoRules(model=S2_0, references=references, shown=["draft"])


def test_a_schema_is_small_and_has_what_the_model_can(tmp_path):
    references = References(output_dir=tmp_path)
    shown = {
        model: set(VideoRules(model=model, references=references).schema().model_fields)
        for model in (S1_0, S2_0)
    }
    assert shown[S2_0] - shown[S1_0] == {
        "reference_images", "reference_videos", "reference_audios", "generate_audio"
    }  # fmt: skip
    assert not VideoArguments.rare & shown[S2_0]
    assert "max_images" not in ImageRules(model=PRO, references=references).schema().model_fields
    more = VideoRules(model=S2_5, references=references, shown=["draft"]).schema().model_fields
    assert "draft" in more


@pytest.mark.parametrize(
    "task_id",
    ["../../chat/completions?x=", "cgt-1/../..", "cgt-1?a=b", "", " ", "cgt 1", "é", "a" * 300],
)
def test_a_draft_that_is_no_id_is_refused(rules, task_id):
    asked = VideoArguments(prompt="tea", draft_task="x").model_copy(update={"draft_task": task_id})
    if not task_id:
        return
    with pytest.raises(ConfigError, match="draft_task is not an id"):
        rules(VideoRules, S2_5).order(asked)


@pytest.mark.parametrize(
    ("kind", "model", "name", "words"),
    [
        (ImageRules, LITE, "size", "a level (2K, 3K, 4K) or a ratio (1:1, "),
        (ImageRules, LITE, "size", "of 3,686,400 to 16,777,216 pixels, both as in 2K 16:9."),
        (ImageRules, V3_0, "size", "Size: WIDTHxHEIGHT of 262,144 to 4,194,304 pixels."),
        (ImageRules, EDIT, "size", "Size: adaptive, that of the picture."),
        (VideoRules, S2_0, "duration", "4 to 15, or -1 for what fits the prompt."),
        (VideoRules, S1_0, "duration", "Length in seconds: 2 to 12."),
        (VideoRules, FAST, "resolution", "480p or 720p; higher costs more."),
    ],
)
def test_a_schema_says_what_the_model_can(tmp_path, kind, model, name, words):
    rules = kind(model=model, references=References(output_dir=tmp_path))
    assert words in rules.schema().model_json_schema()["properties"][name]["description"]
