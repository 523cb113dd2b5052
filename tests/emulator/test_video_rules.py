"""What the creation of a video task refuses, and in which words (ark.md 15.1, 15.2, 15.6)."""

import base64
import io
import wave

import httpx
import pytest
from PIL import Image

from doubao_emulator.chat_request import REFUSED_PHRASE

MODEL = "doubao-seedance-2-0-260128"
FAST = "doubao-seedance-2-0-fast-260128"
V1 = "doubao-seedance-1-0-pro-250528"
V1_FAST = "doubao-seedance-1-0-pro-fast-251015"
V1_5 = "doubao-seedance-1-5-pro-251215"
V2_5 = "doubao-seedance-2-5-260628"
UNSUPPORTED = "InvalidParameter.UnsupportedParameter"

WORDS = {"type": "text", "text": "a cat"}
LINK = "https://example.com/a.png"


def picture(url=LINK, role=None):
    item = {"type": "image_url", "image_url": {"url": url}}
    return item if role is None else {**item, "role": role}


def video(url="https://example.com/a.mp4", role="reference_video"):
    return {"type": "video_url", "video_url": {"url": url}, "role": role}


def audio(url="https://example.com/a.mp3", role="reference_audio"):
    return {"type": "audio_url", "audio_url": {"url": url}, "role": role}


def image_url(size):
    buffer = io.BytesIO()
    Image.new("RGB", size).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def sound(seconds):
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(8000)
        file.writeframes(b"\x80" * int(8000 * seconds))
    return f"data:audio/wav;base64,{base64.b64encode(buffer.getvalue()).decode()}"


@pytest.fixture
def post(emulator):
    def send(content=(WORDS,), cloud="base_url", **body):
        body = {"model": MODEL, "content": list(content) if content is not None else None, **body}
        return httpx.post(
            f"{getattr(emulator, cloud)}/contents/generations/tasks",
            json=body,
            headers={"Authorization": "Bearer a key"},
            timeout=30,
        )

    return send


@pytest.fixture
def refusal(post):
    def send(content=(WORDS,), **body):
        answer = post(content, **body)
        assert answer.status_code == 400, answer.text[:300]
        return answer.json()["error"]

    return send


@pytest.mark.parametrize(
    ("model", "content", "seconds", "words"),
    [
        (V1, [WORDS], 13, "less than or equal to 12 for model seedance-1-0-pro in t2v"),
        (V1, [picture()], 1, "greater than or equal to 2 for model seedance-1-0-pro in i2v"),
        (V1, [WORDS], -1, "greater than or equal to 2 for model seedance-1-0-pro in t2v"),
        (
            MODEL,
            [picture(role="reference_image")],
            16,
            "less than or equal to 15 for model seedance-2-0 in r2v",
        ),
        (V2_5, [WORDS], 31, "less than or equal to 30 for model seedance-2-5 in t2v"),
        (V1_5, [WORDS], 3, "greater than or equal to 4 for model seedance-1-5-pro in t2v"),
    ],
)
def test_a_duration_out_of_range_names_model_and_mode(refusal, model, content, seconds, words):
    error = refusal(content, model=model, duration=seconds)
    assert (error["code"], error["param"]) == ("InvalidParameter", "duration")
    assert f"the parameter duration specified in the request must be {words}" in error["message"]


OMNI = {"model": V2_5, "content": [WORDS, video()]}
FIRST, LAST = picture(role="first_frame"), picture(role="last_frame")
MIXED = "first/last frame content cannot be mixed with reference media content"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([picture(), picture()], "role must be specified for image contents"),
        ([FIRST, picture()], "role must be specified for image contents"),
        ([picture(role="mask")], "invalid role specified for image content"),
        ([FIRST, FIRST], "expected at most one first frame image content but got 2 instead"),
        ([FIRST, LAST, LAST], "expected at most one last frame image content but got 2 instead"),
        ([LAST], "last frame image content requires a first frame"),
        ([FIRST, picture(role="reference_image")], MIXED),
        ([FIRST, video()], MIXED),
        ([picture(), audio()], MIXED),
        ([video(role=None)], "reference media mode requires video role to be reference_video"),
        ([video(role="first_frame")], "requires video role to be reference_video"),
        ([audio(role=None)], "requires audio role to be reference_audio"),
        ([video("data:video/mp4;base64,AAAA")], "reference_video must be provided as a web url"),
        ([audio()], "reference audio requires a reference image or a reference video"),
        ([video()] * 4, "expected at most 3 reference video contents but got 4 instead"),
        (
            [picture(role="reference_image"), *[audio()] * 4],
            "expected at most 3 reference audio contents but got 4 instead",
        ),
        ([video(), audio(sound(1))], "each reference audio must last 2 to 15 seconds."),
        ([video(), audio(sound(16))], "each reference audio must last 2 to 15 seconds."),
        (
            [video(), audio(sound(8)), audio(sound(8))],
            "all reference audios together must not exceed 15 seconds.",
        ),
    ],
)
def test_content_that_does_not_fit_together_is_refused(refusal, content, words):
    error = refusal([WORDS, *content])
    assert (error["code"], error["param"]) == ("InvalidParameter", "content")
    assert words in error["message"]


@pytest.mark.parametrize(
    ("item", "param", "words"),
    [
        (picture(image_url((299, 400))), "content[0].image_url.url", "image sides must be in"),
        (picture(image_url((900, 300))), "content[0].image_url.url", "must be in [0.4, 2.5]"),
        (picture("data:image/png;base64,AAAA"), "content[0].image_url.url", "cannot be decoded"),
        (picture("file:///etc/hosts"), "content[0].image_url.url", "invalid url specified"),
        (video("a.mp4"), "content[0].video_url.url", "invalid url specified"),
        (audio("data:audio/wav;base64,A"), "content[0].audio_url.url", "base64 is broken"),
        (audio("data:audio/wav;base64,AAAA"), "content[0].audio_url.url", "cannot be decoded"),
        (audio("data:text/plain;base64,AAAA"), "content[0].audio_url.url", "must look like"),
        ({"type": "image_url", "image_url": LINK}, "content[0].image_url", "an object is expected"),
        ({"type": "image_url"}, "content[0].image_url", "missing"),
        ({"type": "image_url", "image_url": {}}, "content[0].image_url.url", "missing"),
        ({"type": "text"}, "content[0].text", "missing"),
        ({"text": "a cat"}, "content[0].type", "missing"),
        ({"type": "poem", "text": "a cat"}, "content[0].type", "`poem` is not supported"),
        ("a cat", "content[0]", "an object is expected"),
    ],
)
def test_a_malformed_item_names_its_place(refusal, item, param, words):
    error = refusal([item])
    assert error["param"] == param
    assert words in error["message"]


@pytest.mark.parametrize("content", [None, [], [{"type": "text", "text": " --dur 5"}]])
def test_something_must_be_said_or_shown(refusal, content):
    assert refusal(content)["code"] == "MissingParameter"


def test_dead_links_of_the_emulator_itself_cannot_be_downloaded(emulator, refusal):
    url = f"{emulator.world.origin}/media/gone"
    for item in (picture(f"{url}.png"), video(f"{url}.mp4")):
        assert "resource download failed" in refusal([item])["message"]


@pytest.mark.parametrize(
    ("model", "content", "words"),
    [
        (V1_FAST, [FIRST, LAST], "last frame content is not supported by model"),
        (V1, [picture(role="reference_image")], "reference media content is not supported"),
        (V1_5, [video()], "reference media content is not supported"),
        (MODEL, [{"type": "draft_task", "draft_task": {"id": "x"}}], "draft_task is not supported"),
    ],
)
def test_a_mode_that_the_model_lacks_is_refused(refusal, model, content, words):
    assert words in refusal(content, model=model)["message"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": V1, "generate_audio": True}, "generate_audio"),
        ({"model": MODEL, "frames": 29}, "frames"),
        ({"model": MODEL, "camera_fixed": True}, "camera_fixed"),
        ({"model": MODEL, "draft": True}, "draft"),
        ({"model": MODEL, "service_tier": "flex"}, "service_tier"),
        ({"model": V1_5, "service_tier": "flex"}, "service_tier"),
        ({"model": V1, "priority": 3}, "priority"),
        ({"model": V1, "tools": [{"type": "web_search"}]}, "tools"),
        ({"model": MODEL, "content": [FIRST], "tools": [{"type": "web_search"}]}, "tools"),
        ({"model": MODEL, "output_format": "mov"}, "output_format"),
        ({"model": MODEL, "omni_reference_task_type": "edit"}, "omni_reference_task_type"),
    ],
)
def test_what_a_model_does_not_offer_is_refused(refusal, body, param):
    error = refusal(**body)
    assert (error["code"], error["param"]) == (UNSUPPORTED, param)


@pytest.mark.parametrize(
    ("body", "param", "words"),
    [
        ({"resolution": "8k"}, "resolution", "`8k` is not supported by model seedance-2-0 in t2v"),
        ({"model": FAST, "resolution": "1080p"}, "resolution", "use one of 480p, 720p."),
        ({"model": V2_5, "resolution": "4k"}, "resolution", "use one of 480p, 720p, 1080p."),
        ({"ratio": "5:7"}, "ratio", "`5:7` is not supported"),
        ({"model": V1, "ratio": "adaptive"}, "ratio", "adaptive is not supported"),
        (
            {"model": V2_5, "content": [FIRST], "ratio": "16:9"},
            "ratio",
            (
                "For first-frame or first-last-frame generation, the output ratio follows the "
                "first-frame image"
            ),
        ),
        ({"duration": "5"}, "duration", "an integer is expected."),
        ({"duration": 4.5}, "duration", "an integer is expected."),
        ({"model": V1, "frames": 28}, "frames", "it must be in [29, 289]."),
        ({"model": V1, "frames": 30}, "frames", "it must be of the form 25 + 4n."),
        ({"seed": 2**31}, "seed", "it must be in [-1, 2147483647]."),
        ({"execution_expires_after": 3599}, "execution_expires_after", "[3600, 259200]"),
        ({"execution_expires_after": 259_201}, "execution_expires_after", "[3600, 259200]"),
        ({"priority": 10}, "priority", "it must be in [0, 9]."),
        ({"service_tier": "fast"}, "service_tier", "`fast` is not supported"),
        ({"safety_identifier": "x" * 65}, "safety_identifier", "must not exceed 64 characters"),
        ({"callback_url": "ftp://127.0.0.1/"}, "callback_url", "http or https url"),
        ({"callback_url": "http://127.0.0.1:99999/"}, "callback_url", "http or https url"),
        ({"tools": [{"type": "draw"}]}, "tools[0].type", "`draw` is not supported"),
        ({"output_format": "avi"}, "output_format", "`avi` is not supported"),
        ({"watermark": 1}, "watermark", "a boolean is expected."),
        ({"model": V2_5, "draft": True, "resolution": "720p"}, "resolution", "must be 480p"),
        (
            {"model": V2_5, "draft": True, "return_last_frame": True},
            "return_last_frame",
            "a draft returns no last frame.",
        ),
        (
            {"model": V2_5, "omni_reference_task_type": "edit"},
            "omni_reference_task_type",
            "edit requires at least one reference video.",
        ),
        (
            {**OMNI, "omni_reference_task_type": "edit", "duration": 5},
            "duration",
            "`duration` must be -1.",
        ),
        (
            {**OMNI, "omni_reference_task_type": "extend", "ratio": "1:1"},
            "ratio",
            "`ratio` must be adaptive.",
        ),
    ],
)  # fmt: skip
def test_a_bad_value_names_its_field(refusal, body, param, words):
    error = refusal(**body)
    assert error["param"] == param
    assert words in error["message"]


@pytest.mark.parametrize(
    ("flags", "param", "words"),
    [
        ("--dur 99", "contents[0].text.duration", "less than or equal to 15"),
        ("--duration soon", "contents[0].text.duration", "an integer is expected."),
        ("--rs 240p", "contents[0].text.resolution", "`240p` is not supported"),
    ],
)
def test_only_duration_and_resolution_flags_are_checked(refusal, flags, param, words):
    error = refusal([{"type": "text", "text": f"a cat {flags}"}])
    assert error["param"] == param
    assert words in error["message"]


def test_flex_on_byteplus_is_offered_by_1_5(post):
    asked = {"model": "seedance-1-5-pro-251215", "service_tier": "flex"}
    assert post(cloud="byteplus_base_url", **asked).status_code == 200
    refused = post(cloud="byteplus_base_url", **asked, draft=True)
    assert "flex cannot be used with draft" in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    "body",
    [
        {"resolution": "4K"},
        {"content": [FIRST, LAST]},
        {"content": [picture("asset://abc")]},
        {"content": [picture(role="reference_image")] * 64},
        {"content": [picture(role="reference_image"), video(), audio(sound(3))]},
        {"model": V2_5, "content": [audio()]},
        {"model": V2_5, "content": [FIRST], "ratio": "adaptive"},
        {"model": V1, "content": [FIRST], "ratio": "adaptive"},
        {"model": V1, "camera_fixed": True, "service_tier": "flex", "frames": 289},
        {"model": V1, "generate_audio": False, "draft": False, "priority": 0},
        {"tools": [{"type": "web_search"}], "priority": 9, "duration": -1},
        {"framespersecond": 60},
    ],
)
def test_what_a_model_offers_is_accepted(post, body):
    answer = post(**body)
    assert answer.status_code == 200, answer.text


def test_null_means_absent_everywhere(post):
    fields = (
        "resolution", "ratio", "duration", "frames", "seed", "camera_fixed", "watermark",
        "generate_audio", "return_last_frame", "draft", "service_tier", "priority",
        "execution_expires_after", "callback_url", "safety_identifier", "tools", "output_format",
        "omni_reference_task_type",
    )  # fmt: skip
    content = [{**WORDS, "role": None, "image_url": None}]
    assert post(content, **dict.fromkeys(fields)).status_code == 200


def test_a_sensitive_prompt_is_refused(refusal):
    error = refusal([{"type": "text", "text": f"a cat {REFUSED_PHRASE}"}])
    assert error["code"] == "InputTextSensitiveContentDetected"


@pytest.mark.parametrize(
    ("model", "status"), [("doubao-nope", 404), ("doubao-seedream-5-0-260128", 400), (None, 400)]
)
def test_the_model_must_be_a_video_model(post, model, status):
    assert post(model=model).status_code == status


@pytest.mark.parametrize(
    "query", ["page_num=0", "page_num=501", "page_size=0", "page_size=x", "filter.status=done"]
)
def test_a_bad_list_query_names_its_key(emulator, query):
    answer = httpx.get(
        f"{emulator.base_url}/contents/generations/tasks?{query}",
        headers={"Authorization": "Bearer a key"},
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == query.partition("=")[0]


def draft_of(task_id):
    return [{"type": "draft_task", "draft_task": {"id": task_id}}]


def test_only_a_finished_draft_of_the_same_model_can_be_made_in_full(post, refusal):
    plain = post(model=V2_5).json()["id"]
    draft = post(model=V2_5, draft=True).json()["id"]
    assert post(draft_of("cgt-unknown"), model=V2_5).status_code == 404
    assert "is not a draft" in refusal(draft_of(plain), model=V2_5)["message"]
    assert "made with model" in refusal(draft_of(draft), model=V1_5)["message"]
    assert "cannot be mixed" in refusal([WORDS, *draft_of(draft)], model=V2_5)["message"]
    for name, value in {"ratio": "1:1", "duration": 5, "seed": 1, "generate_audio": True}.items():
        error = refusal(draft_of(draft), model=V2_5, **{name: value})
        assert (error["param"], "taken from the draft" in error["message"]) == (name, True)


def test_a_draft_that_failed_cannot_be_made_in_full(emulator, post):
    with emulator.fault("task_failed"):
        draft = post(model=V2_5, draft=True).json()["id"]
    answer = post(draft_of(draft), model=V2_5)
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "OperationDenied.InvalidState"
