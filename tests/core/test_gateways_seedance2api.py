"""seedance2api.com: pictures, films and refusals, over HTTP (gateways.md 3.5)."""

from __future__ import annotations

import httpx
import pytest

from doubao_core import (
    AmbiguousSubmit,
    AuthenticationError,
    ConfigError,
    InvalidRequest,
    PermissionDenied,
    ProfileWarning,
    RateLimited,
    RequestError,
    ServerError,
    UnsupportedOperation,
)

FILM, PICTURE = "seedance-1.5-pro", "seedream-4.5"
EAGLE = "A majestic eagle soaring over snowy mountains"
TEXT = [{"type": "text", "text": EAGLE}]
BASE = "/seedance2api/v1"


@pytest.fixture
def client(seedance2api):
    return seedance2api


@pytest.fixture
def refused(at_gateway):
    def ask(status, error, **headers):
        answer = httpx.Response(status, json={"status": "error", "error": error}, headers=headers)
        client = at_gateway("seedance2api", lambda _: answer, max_retries=0)
        return client.get_video("task-1")

    return ask


def test_a_picture_has_the_printed_request_and_answer(client, emulator):
    """R004-04, R004-05, R004-06, R004-07, R004-08, R004-09, R004-10, R004-12, R004-13."""
    found = client.create_images(
        model=PICTURE,
        prompt=EAGLE,
        size="4K",
        seed=42,
        extra_body={"quality": "high", "num_images": 2, "style": "oil_painting"},
    )
    sent = emulator.requests[-1]
    assert sent.path == f"{BASE}/seedream/generate"
    assert sent.body == {
        "prompt": EAGLE,
        "model": PICTURE,
        "resolution": "4k",
        "quality": "high",
        "num_images": 2,
        "seed": 42,
        "style": "oil_painting",
    }
    assert [picture.index for picture in found.images] == [0, 1]
    # 4k was asked for; what came is said by the answer.
    assert {(each.size, each.output_format) for each in found.images} == {("2048x2048", "png")}
    assert found.images[0].raw["id"].startswith("img-")
    assert found.images[0].raw["size_bytes"] > 0
    assert found.raw["native"]["data"]["processing_time_ms"] == 2500
    assert (found.status, found.model, found.usage.generated_images) == ("succeeded", PICTURE, 2)


@pytest.mark.parametrize("model", ["seedream-3.0", "seedream-4.0", "seedream-4.5", "seedream-5.0"])
def test_every_picture_model_is_sent_as_it_is(client, emulator, model):
    """R004-05."""
    assert client.create_images(model=model, prompt="tea").images[0].url
    assert emulator.requests[-1].body == {"prompt": "tea", "model": model}


@pytest.mark.parametrize(
    ("size", "resolution"),
    [("1K", "1024x1024"), ("2K", "2048x2048"), ("4096x4096", "4k"), ("1024x1024", "1024x1024")],
)
def test_sizes_become_resolutions(client, emulator, size, resolution):
    """R004-06."""
    client.create_images(model=PICTURE, prompt="tea", size=size)
    assert emulator.requests[-1].body["resolution"] == resolution


def test_a_group_is_a_number_of_pictures(client, emulator):
    """R004-08: as the media tools ask for several."""
    found = client.create_images(
        model=PICTURE,
        prompt="tea",
        response_format="url",
        sequential_image_generation="auto",
        sequential_image_generation_options={"max_images": 3},
    )
    assert len(found.images) == 3
    assert emulator.requests[-1].body["num_images"] == 3
    with pytest.raises(ConfigError, match="max_images"):
        client.create_images(model=PICTURE, prompt="tea", sequential_image_generation="auto")


def test_the_same_seed_is_the_same_picture(client, tmp_path):
    """R004-09."""
    urls = [
        client.create_images(model=PICTURE, prompt="tea", seed=7).images[0].url for _ in range(2)
    ]
    saved = [client.download(url, tmp_path, name="tea").path.read_bytes() for url in urls]
    assert saved[0] == saved[1]


def test_a_film_has_the_printed_request(client, emulator):
    """R004-14, R004-15, R004-16, R004-17, R004-18, R004-19, R004-41."""
    content = [*TEXT, {"type": "image_url", "image_url": {"url": "https://a.example/a.png"}}]
    with pytest.warns(ProfileWarning, match="duration is 15, above 12"):
        task = client.create_video(
            model=FILM,
            content=content,
            duration=15,
            resolution="1080p",
            callback_url="https://me.example/cb",
            extra_body={"fps": 24},
        )
    sent = emulator.requests[-1]
    assert sent.path == f"{BASE}/seedance/generate"
    assert sent.body == {
        "prompt": EAGLE,
        "model": FILM,
        "duration": 15,
        "resolution": "1080p",
        "fps": 24,
        "image_input": "https://a.example/a.png",
        "webhook_url": "https://me.example/cb",
    }
    assert (task.status, task.id) == ("queued", task.raw["native"]["data"]["task_id"])


def test_no_webhook_is_sent_if_none_was_given(client, emulator):
    """R004-41: the tables of the page do not have it."""
    client.create_video(model=FILM, content=TEXT, duration=5)
    assert emulator.requests[-1].body == {"prompt": EAGLE, "model": FILM, "duration": 5}


@pytest.mark.parametrize(
    ("part", "named"),
    [
        ({"type": "image_url", "image_url": {"url": "https://a"}, "role": "last_frame"}, "last_"),
        ({"type": "video_url", "video_url": {"url": "https://a"}}, "video_url"),
        ({"type": "audio_url", "audio_url": {"url": "https://a"}}, "audio_url"),
    ],
)
def test_what_a_film_cannot_be_made_of_is_refused_before_sending(client, emulator, part, named):
    """R004-19: a text and one picture."""
    with pytest.raises(UnsupportedOperation, match=f"{named}.*ark"):
        client.create_video(model=FILM, content=[*TEXT, part], duration=5)
    assert emulator.requests == []


def test_two_pictures_are_one_too_many(client, emulator):
    image = {"type": "image_url", "image_url": {"url": "https://a.example/a"}}
    with pytest.raises(UnsupportedOperation):
        client.create_video(model=FILM, content=[*TEXT, image, image], duration=5)
    assert emulator.requests == []


def test_a_duration_is_required(client, emulator):
    """R004-16."""
    with pytest.raises(ConfigError, match="5 to 30 seconds"):
        client.create_video(model=FILM, content=TEXT)
    assert emulator.requests == []


@pytest.mark.parametrize(
    ("model", "asked", "said"),
    [
        ("seedance-1.5-pro", {"duration": 20}, "duration is 20, above 12"),
        ("seedance-1.0", {"duration": 13}, "duration is 13, above 12"),
        ("seedance-2.0", {"duration": 16}, "duration is 16, above 15"),
        ("seedance-1.5-pro", {"resolution": "4k"}, "resolution is '4k', and known are"),
        ("seedance-2.0", {"extra_body": {"fps": 60}}, "fps is 60, and known are 24"),
    ],
)
def test_what_the_page_takes_and_the_model_cannot_is_warned_of_and_made(
    client, emulator, model, asked, said
):
    """R004-16, R004-17, R004-18: the page says one thing of all models, Ark another of each."""
    with pytest.warns(ProfileWarning) as warned:
        task = client.create_video(model=model, content=TEXT, **{"duration": 5, **asked})
    (complaint,) = {str(each.message) for each in warned}
    assert f"'seedance2api' sells {model}, which at Ark has another limit: {said}" in complaint
    assert len(emulator.requests) == 1
    assert client.get_video(task.id).checked().video_url


@pytest.mark.parametrize(
    ("model", "asked"),
    [
        ("seedance-1.5-pro", {"duration": 12, "resolution": "1080p"}),
        ("seedance-2.0", {"duration": 15, "resolution": "4k", "extra_body": {"fps": 24}}),
    ],
)
def test_what_page_and_model_take_is_sent_in_silence(client, model, asked):
    """R004-16: warnings are errors in these tests."""
    assert client.create_video(model=model, content=TEXT, **asked).id


def test_beyond_the_page_the_limits_of_the_model_are_not_told_too(client):
    """R004-16."""
    with (
        pytest.warns(ProfileWarning) as warned,
        pytest.raises(InvalidRequest, match="duration"),
    ):
        client.create_video(model=FILM, content=TEXT, duration=31)
    assert [str(each.message) for each in warned] == [
        "provider 'seedance2api' prints another limit: duration is 31, above 30"
    ]


def test_a_long_prompt_is_warned_of_and_refused_by_the_gateway(client):
    """R004-11, R004-29: never cut; the refusal names field, constraint and limit."""
    with (
        pytest.warns(ProfileWarning, match="301 characters"),
        pytest.raises(InvalidRequest, match="too long") as caught,
    ):
        client.create_images(model=PICTURE, prompt="p" * 301)
    failure = caught.value
    assert (failure.code, failure.status, failure.param) == ("INVALID_PROMPT", 400, "prompt")
    details = failure.body["details"]
    assert (details["field"], details["constraint"], details["limit"]) == (
        "prompt",
        "max_length",
        300,
    )


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "INVALID_REQUEST", InvalidRequest),
        (400, "INVALID_PROMPT", InvalidRequest),
        (401, "UNAUTHORIZED", AuthenticationError),
        (401, "INVALID_API_KEY", AuthenticationError),
        (403, "FORBIDDEN", PermissionDenied),
        (429, "RATE_LIMITED", RateLimited),
        (500, "INTERNAL_ERROR", ServerError),
        (503, "SERVICE_UNAVAILABLE", ServerError),
        # The envelope alone may say it.
        (200, "INVALID_API_KEY", AuthenticationError),
        (200, "SERVICE_UNAVAILABLE", ServerError),
        (200, "SOMETHING_NEW", InvalidRequest),
    ],
)
def test_every_code_of_the_page_is_an_error_of_ours(refused, status, code, kind):
    """R004-30: table and examples disagree on codes, so the status decides where there is one."""
    with pytest.raises(kind, match="That failed") as caught:
        refused(status, {"code": code, "message": "That failed."})
    assert type(caught.value) is kind
    assert (caught.value.code, caught.value.gateway) == (code, "seedance2api")


def test_a_refusal_without_an_error_object_keeps_its_status(at_gateway):
    """R004-30."""
    client = at_gateway("seedance2api", lambda _: httpx.Response(403, json={"status": "error"}))
    with pytest.raises(PermissionDenied, match="without an error object"):
        client.get_video("task-1")


def test_a_refusal_over_http_has_the_printed_code(make_client, emulator):
    """R004-30."""
    client = make_client(
        provider="seedance2api", base_url=emulator.base_url_of("seedance2api"), max_retries=0
    )
    with emulator.fault("rate_limit"), pytest.raises(RateLimited) as caught:
        client.get_video("task-1")
    assert caught.value.code == "RATE_LIMITED"
    with pytest.raises(RequestError, match="does not exist"):
        client.get_video("task-1")


def test_both_headers_for_the_key_are_taken(make_client, emulator, key):
    """R004-01, R004-02."""
    base_url = emulator.base_url_of("seedance2api")
    for provider in ("seedance2api", "seedance2api-x-api-key"):
        client = make_client(provider=provider, base_url=base_url)
        assert client.create_images(model=PICTURE, prompt="tea").images[0].url
    bearer, own = (each.headers for each in emulator.requests)
    assert (bearer.get("authorization"), bearer.get("x-api-key")) == (f"Bearer {key}", None)
    assert (own.get("authorization"), own.get("x-api-key")) == (None, key)


def test_a_waiting_time_on_a_good_answer_delays_nothing(client, naps):
    """R004-32: the page prints 3600 with a 200."""
    found = client.create_images(model=PICTURE, prompt="tea")
    assert found.raw["rate"]["retry_after"] == 3600
    assert (found.raw["rate"]["limit"], found.raw["rate"]["remaining"]) == (1000, 999)
    assert naps == []


def test_a_refusal_under_a_good_status_waits_as_its_headers_say(at_gateway, naps):
    """R004-32: the same header counts as soon as it is a refusal, and 3600 s are not waited for."""
    error = {"status": "error", "error": {"code": "RATE_LIMITED", "message": "Wait."}}
    answers = [
        httpx.Response(200, json=error, headers={"X-RateLimit-RetryAfter": "9"}),
        httpx.Response(200, json=error, headers={"X-RateLimit-RetryAfter": "3600"}),
    ]
    client = at_gateway("seedance2api", lambda _: answers.pop(0))
    with pytest.raises(RateLimited) as caught:
        client.create_images(model=PICTURE, prompt="tea")
    assert (caught.value.retry_after, naps) == (3600, [9.0])


def test_a_lost_answer_to_a_create_is_sent_once(client, emulator):
    for call in (
        lambda: client.create_images(model=PICTURE, prompt="tea"),
        lambda: client.create_video(model=FILM, content=TEXT, duration=5),
    ):
        emulator.requests.clear()
        with emulator.fault("lost_answer"), pytest.raises(AmbiguousSubmit):
            call()
        assert len(emulator.requests) == 1


def test_a_read_timeout_on_a_create_is_one_request_and_ambiguous(make_client, emulator):
    client = make_client(
        provider="seedance2api", base_url=emulator.base_url_of("seedance2api"), timeout=0.3
    )
    with emulator.fault("stall"), pytest.raises(AmbiguousSubmit):
        client.create_video(model=FILM, content=TEXT, duration=5)
    assert len(emulator.requests) == 1
