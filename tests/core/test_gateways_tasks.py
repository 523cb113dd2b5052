"""Films by Anyfast's envelope and Agentsflare's proxy, over HTTP (gateways.md 3.2, 3.3)."""

from __future__ import annotations

import httpx
import pytest

from doubao_core import (
    AmbiguousSubmit,
    ContentRejected,
    InsufficientCredits,
    JobFailed,
    Malformed,
    NotFound,
    RateLimited,
    ServerError,
    UnsupportedOperation,
)
from doubao_emulator import AfterReads, Immediate

ARK_FILM = "doubao-seedance-1-0-pro-250528"
FILM = "seedance-1-0-pro-250528"
TASKS = "/contents/generations/tasks"
TEXT = [{"type": "text", "text": "图片中的女士,开着跑车冲出展台。"}]


@pytest.fixture
def anyfast(make_client, emulator):
    return make_client(provider="anyfast", base_url=emulator.base_url_of("anyfast"))


@pytest.fixture
def agentsflare(make_client, emulator):
    return make_client(provider="agentsflare", base_url=emulator.base_url_of("agentsflare"))


@pytest.fixture
def slowly(emulator):
    """Tasks that are queued, then running, then done, one step for each look."""
    emulator.world.progress = AfterReads(2)
    yield
    emulator.world.progress = Immediate()


@pytest.fixture
def looked_up(at_gateway):
    """What a client of Anyfast makes of a given look-up."""

    def look(body, status=200):
        client = at_gateway("anyfast", lambda _: httpx.Response(status, json=body), max_retries=0)
        return client.get_video("cgt-1")

    return look


def envelope(**task):
    usual = {"task_id": "cgt-1", "action": "generate", "result_url": "", "fail_reason": ""}
    return {"code": "success", "message": "", "data": {**usual, **task}}


# Anyfast


def test_anyfast_makes_a_film_in_every_state_that_it_names(anyfast, emulator, slowly):
    """R004-23: NOT_START, QUEUED, IN_PROGRESS with "50%", SUCCESS become ours."""
    task = anyfast.create_video(model=ARK_FILM, content=TEXT, duration=5)
    assert (task.status, task.progress) == ("queued", 0)
    assert emulator.requests[-1].path == "/anyfast/v1/video/generations"
    assert emulator.requests[-1].body == {"model": ARK_FILM, "content": TEXT, "duration": 5}
    states = list(anyfast.watch_video(task.id))
    assert [(each.status, each.progress) for each in states] == [
        ("queued", 0),
        ("running", 50),
        ("succeeded", 100),
    ]
    assert emulator.requests[-1].path == f"/anyfast/v1/video/generations/{task.id}"
    done = states[-1]
    native = done.raw["native"]["data"]
    assert done.video_url == native["result_url"] == native["fail_reason"]
    assert done.error is None
    assert done.completion_tokens == native["data"]["usage"]["completion_tokens"]
    assert (done.raw["duration"], done.raw["ratio"]) == (5, "16:9")
    assert done.raw["expires_at"] == done.updated_at + 24 * 3600


def test_a_lookup_that_worked_is_no_film_that_worked(looked_up):
    """The envelope's ``success`` is about the look-up; the task inside is running."""
    task = looked_up(
        envelope(
            status="IN_PROGRESS",
            progress="50%",
            submit_time=1760500000,
            start_time=1760500005,
            finish_time=0,
            data={"status": "running"},
        )
    )
    assert (task.status, task.progress, task.video_url) == ("running", 50, None)
    assert (task.created_at, task.updated_at) == (1760500000, 1760500005)
    assert task.raw["native"]["code"] == "success"


def test_a_failed_film_has_the_reason_and_the_upstreams_code(looked_up):
    upstream = {"error": {"code": "OutputVideoSensitiveContentDetected", "message": "x"}}
    task = looked_up(envelope(status="FAILURE", fail_reason="It broke.", data=upstream))
    assert isinstance(task.error, ContentRejected)
    with pytest.raises(JobFailed, match="It broke"):
        task.checked()


def test_a_success_without_a_film_is_a_failure(looked_up):
    task = looked_up(envelope(status="SUCCESS", data=None))
    assert (task.status, task.error.code) == ("failed", "missing_output")


def test_a_status_that_nobody_knows_goes_on(looked_up):
    task = looked_up(envelope(status="COOLING_DOWN"))
    assert (task.status, task.ended) == ("unknown", False)
    assert task.raw["native"]["data"]["status"] == "COOLING_DOWN"


def test_the_flat_answer_of_the_older_page_is_read_too(looked_up):
    task = looked_up(
        {
            "id": "cgt-1",
            "model": "m",
            "status": "succeeded",
            "video_url": "https://cdn.example/x.mp4",
            "created_at": 1760500000,
        }
    )
    assert (task.id, task.status, task.created_at) == ("cgt-1", "succeeded", 1760500000)
    assert task.video_url == "https://cdn.example/x.mp4"


def test_a_lookup_that_failed_under_200_is_an_error(looked_up):
    with pytest.raises(Exception, match="task not exist") as caught:
        looked_up({"code": "task_not_exist", "message": "task not exist", "data": None})
    assert (caught.value.code, caught.value.gateway) == ("task_not_exist", "anyfast")


def test_a_lookup_without_a_task_is_malformed(looked_up):
    with pytest.raises(Malformed, match="no task"):
        looked_up({"code": "success", "data": []})


def test_anyfast_makes_pictures_with_arks_fields(anyfast, emulator):
    found = anyfast.create_images(
        model="doubao-seedream-4-0-250828", prompt="tea", size="1K", watermark=False
    )
    assert emulator.requests[-1].path == "/anyfast/v1/images/generations"
    assert found.images[0].url


def test_pictures_are_pictures_whatever_status_stands_beside_them(at_gateway):
    body = {"status": "success", "data": [{"url": "https://cdn.example/a.png", "size": "8x6"}]}
    client = at_gateway("anyfast", lambda _: httpx.Response(200, json=body))
    found = client.create_images(model="m", prompt="tea")
    assert (found.status, found.images[0].url) == ("succeeded", "https://cdn.example/a.png")


# Agentsflare


def test_a_create_sends_the_six_fields_of_the_page_and_no_api_in_the_path(agentsflare, emulator):
    """R002-01, R002-02, R002-03, R002-04, R002-05, R002-06, R002-07, R002-08, R002-09, R002-19."""
    content = [
        *TEXT,
        {"type": "image_url", "image_url": {"url": "https://media.example/a.jpeg"}},
    ]
    options = {"ratio": "adaptive", "duration": 6, "watermark": False}
    task = agentsflare.create_video(model=FILM, content=content, **options)
    sent = emulator.requests[-1]
    assert sent.path == f"/agentsflare/byteplus/v3{TASKS}"
    assert sent.body == {"model": FILM, "content": content, **options}
    assert task.id.startswith("cgt-")
    assert (task.status, task.raw) == ("queued", {"id": task.id})


def test_a_lookup_has_everything_that_the_page_shows(agentsflare, emulator):
    """What the service chose replaces what was asked: ``adaptive`` is a ratio now.

    R002-10, R002-11, R002-12, R002-13, R002-14, R002-15, R002-16, R002-17.
    """
    image = {"type": "image_url", "image_url": {"url": "https://media.example/16x9.jpeg"}}
    made = agentsflare.create_video(
        model=FILM,
        content=[*TEXT, image],
        ratio="adaptive",
        duration=6,
        seed=44457,
        resolution="1080p",
    )
    task = agentsflare.get_video(made.id)
    assert emulator.requests[-1].path == f"/agentsflare/byteplus/v3{TASKS}/{made.id}"
    assert task.checked().video_url.startswith("http")
    assert task.raw["ratio"] == "16:9"
    # 1920 x 1088 pixels, 24 x 6 + 1 frames.
    assert task.completion_tokens == 1920 * 1088 * (24 * 6 + 1) // 1024 == 295_800
    assert (task.raw["seed"], task.raw["resolution"], task.raw["duration"]) == (44457, "1080p", 6)
    assert (task.raw["framespersecond"], task.raw["service_tier"]) == (24, "default")
    assert (task.raw["execution_expires_after"], task.raw["draft"]) == (172800, False)
    assert task.created_at <= task.updated_at


def test_parameters_of_the_upstream_are_passed_on(agentsflare, emulator):
    """R002-15, R002-16, R002-18: named ones and those of extra_body."""
    agentsflare.create_video(
        model=FILM,
        content=TEXT,
        service_tier="default",
        execution_expires_after=3600,
        extra_body={"camera_fixed": True},
    )
    sent = emulator.requests[-1].body
    assert (sent["execution_expires_after"], sent["camera_fixed"]) == (3600, True)


def test_a_film_is_downloaded_without_the_key(agentsflare, emulator, tmp_path):
    """R002-11, R004-46: signed links are asked for without authentication, and promptly."""
    made = agentsflare.create_video(model=FILM, content=TEXT, duration=2, resolution="480p")
    url = agentsflare.get_video(made.id).video_url
    saved = agentsflare.download(url, tmp_path, name="film")
    assert (saved.path.name, saved.media_type) == ("film.mp4", "video/mp4")
    assert "authorization" not in emulator.requests[-1].headers


def test_a_lost_answer_to_a_create_is_sent_once_and_ambiguous(agentsflare, emulator):
    with emulator.fault("lost_answer"), pytest.raises(AmbiguousSubmit) as caught:
        agentsflare.create_video(model=FILM, content=TEXT)
    assert caught.value.intent["body"]["model"] == FILM
    assert [each.method for each in emulator.requests] == ["POST"]


def test_no_money_is_not_repeated_and_too_many_requests_are(agentsflare, emulator, naps):
    """R002-20: both are 429 there; only the text tells them apart."""
    with emulator.fault("quota"), pytest.raises(InsufficientCredits, match="balance") as caught:
        agentsflare.create_video(model=FILM, content=TEXT)
    assert (caught.value.status, naps) == (429, [])
    assert len(emulator.requests) == 1
    with emulator.fault("rate_limit", times=1):
        assert agentsflare.create_video(model=FILM, content=TEXT).id
    assert len(naps) == 1


def test_what_the_proxy_does_not_pass_on_is_unsupported(agentsflare, emulator):
    """R002-20: its page shows neither listing nor deleting."""
    with pytest.raises(UnsupportedOperation, match="Cannot GET") as caught:
        agentsflare.list_videos()
    assert caught.value.status == 404
    with pytest.raises(UnsupportedOperation, match="Cannot DELETE"):
        agentsflare.delete_video("cgt-1")


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (404, {"statusCode": 404, "message": "Key not found"}, NotFound, "API key"),
        (405, {"message": "Method Not Allowed"}, UnsupportedOperation, "does not pass"),
        (429, {"statusCode": 429, "message": "Rate limit exceeded"}, RateLimited, "Rate limit"),
        (429, {"statusCode": 429, "message": "余额不足"}, InsufficientCredits, "余额"),
        (529, {"statusCode": 529, "message": "Overloaded"}, ServerError, "Overloaded"),
        (
            400,
            {"error": {"code": "InputTextSensitiveContentDetected", "message": "No."}},
            ContentRejected,
            "No",
        ),
    ],
)
def test_the_errors_of_the_proxy_and_of_its_upstream(at_gateway, status, body, kind, said):
    """R002-20: status and text reach the user."""
    client = at_gateway("agentsflare", lambda _: httpx.Response(status, json=body), max_retries=0)
    with pytest.raises(kind, match=said) as caught:
        client.get_video("cgt-1")
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.gateway) == (status, "agentsflare")


def test_an_unknown_status_of_the_upstream_is_tolerated(at_gateway):
    body = {"id": "cgt-1", "status": "postprocessing", "new_field": 1}
    client = at_gateway("agentsflare", lambda _: httpx.Response(200, json=body))
    task = client.get_video("cgt-1")
    assert (task.status, task.ended, task.raw["new_field"]) == ("postprocessing", False, 1)
