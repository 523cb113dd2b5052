"""seedance2api.com: pictures, films, tasks and results, over HTTP (gateways.md 3.5)."""

from __future__ import annotations

import httpx
import pytest

from doubao_core import (
    AmbiguousSubmit,
    AuthenticationError,
    ConfigError,
    InvalidRequest,
    JobFailed,
    PermissionDenied,
    ProfileWarning,
    RateLimited,
    RequestError,
    ServerError,
    UnsupportedOperation,
)
from doubao_emulator import AfterReads, Immediate

FILM, PICTURE = "seedance-1.5-pro", "seedream-4.5"
EAGLE = "A majestic eagle soaring over snowy mountains"
TEXT = [{"type": "text", "text": EAGLE}]
BASE = "/seedance2api/v1"


@pytest.fixture
def client(make_client, emulator):
    return make_client(provider="seedance2api", base_url=emulator.base_url_of("seedance2api"))


@pytest.fixture
def slowly(emulator):
    """Tasks that are queued, then processing, then done, one step for each look."""
    emulator.world.progress = AfterReads(2)
    yield
    emulator.world.progress = Immediate()


@pytest.fixture
def looked_up(at_gateway):
    """What comes of given answers to look-ups, in turn."""

    def look(*bodies, kind="video"):
        queue = [httpx.Response(200, json=body) for body in bodies]
        client = at_gateway("seedance2api", lambda _: queue.pop(0), max_retries=0)
        found = client.get_video("task-1") if kind == "video" else client.get_images("task-1")
        assert not queue
        return found

    return look


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


def test_an_accepted_picture_is_waited_for(client, emulator, slowly, naps):
    """R004-24, R004-27: by the task's id, in growing pauses, and its result is fetched."""
    found = client.create_images(model=PICTURE, prompt="tea", extra_body={"num_images": 2})
    assert (found.status, len(found.images)) == ("succeeded", 2)
    assert naps == [2.0, 3.0, 4.5]
    paths = [each.path.removeprefix(BASE).rsplit("/", 1)[0] for each in emulator.requests]
    assert paths == ["/seedream", "/tasks", "/tasks", "/tasks", "/results"]


def test_a_picture_that_takes_too_long_is_a_task_that_can_be_asked_for(client, emulator, naps):
    """R004-28: no error loses what is paid for."""
    emulator.world.progress = AfterReads(3)
    try:
        found = client.create_images(model=PICTURE, prompt="tea", wait_timeout=4)
        assert (found.status, naps) == ("queued", [2.0])
        assert "look its task up later" in str(found.images[0].error)
        states = [client.get_images(found.task_id).status for _ in range(3)]
    finally:
        emulator.world.progress = Immediate()
    assert states == ["running", "running", "succeeded"]


def test_a_look_up_that_fails_in_passing_does_not_lose_the_picture(client, emulator, slowly, naps):
    """R004-31: it is repeated until the time is over."""
    with emulator.fault("server_error", times=4, path="/tasks/"):
        found = client.create_images(model=PICTURE, prompt="tea")
    assert found.images[0].url


def test_a_look_up_that_is_refused_gives_the_task_back(client, emulator, slowly, naps):
    """It is paid for: whoever may look can ask later."""
    with emulator.fault("model_not_open", path="/tasks/"):
        found = client.create_images(model=PICTURE, prompt="tea")
    assert (found.status, naps) == ("queued", [2.0])
    assert found.task_id


def test_a_film_has_the_printed_request(client, emulator):
    """R004-14, R004-15, R004-16, R004-17, R004-18, R004-19, R004-41."""
    content = [*TEXT, {"type": "image_url", "image_url": {"url": "https://a.example/a.png"}}]
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


def test_an_accepted_film_says_how_long_and_where(client):
    """R004-20, R004-21: the wait and the place stay in the native answer."""
    task = client.create_video(model=FILM, content=TEXT, duration=5)
    native = task.raw["native"]
    assert native["status"] == "accepted"
    assert native["data"]["estimated_wait_time_seconds"] == 45
    assert native["data"]["check_status_url"] == f"/v1/tasks/{task.id}"


def test_no_webhook_is_sent_if_none_was_given(client, emulator):
    """R004-41: the tables of the page do not have it."""
    client.create_video(model=FILM, content=TEXT, duration=5)
    assert emulator.requests[-1].body == {"prompt": EAGLE, "model": FILM, "duration": 5}


def test_a_film_is_watched_until_its_result_is_there(client, emulator, slowly):
    """R004-23, R004-24, R004-26, R004-27, R004-46: progress, then the other path for the result."""
    task = client.create_video(model=FILM, content=TEXT, duration=5, resolution="720p")
    states = list(client.watch_video(task.id, poll_interval=2))
    assert [(each.status, each.progress) for each in states] == [
        ("queued", 0),
        ("running", 45),
        ("succeeded", None),
    ]
    done = states[-1].checked()
    assert done.video_url.startswith("http")
    assert (done.raw["duration"], done.raw["resolution"]) == (5, "720p")
    assert done.raw["expires_at"] == done.updated_at + 30 * 24 * 3600
    assert states[1].created_at <= done.updated_at
    paths = [each.path.removeprefix(BASE) for each in emulator.requests]
    assert paths == ["/seedance/generate", *[f"/tasks/{task.id}"] * 3, f"/results/{task.id}"]


def test_a_wait_that_is_over_gives_the_task_back(client, slowly, naps):
    """R004-26, R004-28: the longest wait is the caller's."""
    task = client.create_video(model=FILM, content=TEXT, duration=5)
    states = list(client.watch_video(task.id, poll_interval=2, wait_timeout=1))
    assert [each.status for each in states] == ["queued"]
    assert client.get_video(task.id).status == "running"


def test_a_failed_film_says_why(client, emulator):
    """R004-25."""
    with emulator.fault("task_failed", message="The prompt was too dark."):
        task = client.create_video(model=FILM, content=TEXT, duration=5)
    found = client.get_video(task.id)
    assert (found.status, found.ended) == ("failed", True)
    with pytest.raises(JobFailed, match="The prompt was too dark"):
        found.checked()


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"error": {"code": "NSFW", "message": "Not that."}}, "Not that"),
        ({"error_message": "Too dark."}, "Too dark"),
        ({"error": "Too long."}, "Too long"),
        ({}, "gave no reason"),
    ],
)
def test_the_reason_of_a_failure_is_found_where_it_may_stand(looked_up, said, reason):
    """R004-25: only the sample of an SDK shows where that is."""
    task = looked_up({"task_id": "task-1", "status": "failed", **said})
    with pytest.raises(JobFailed, match=reason):
        task.checked()


def test_a_failed_picture_is_a_failed_job(client, emulator, slowly):
    with (
        emulator.fault("task_failed", message="The prompt was too dark."),
        pytest.raises(JobFailed, match="The prompt was too dark"),
    ):
        client.create_images(model=PICTURE, prompt="tea")


@pytest.mark.parametrize(
    "answer",
    [
        {"task_id": "task-1", "status": "completed", "result": {"video_url": "https://a.b/v.mp4"}},
        {
            "status": "success",
            "data": {
                "task_id": "task-1",
                "status": "completed",
                "result": {"video_url": "https://a.b/v.mp4"},
            },
        },
    ],
)
def test_a_task_that_says_its_result_is_not_asked_again_bare_or_in_an_envelope(looked_up, answer):
    """R004-23: both forms are met."""
    task = looked_up(answer)
    assert (task.status, task.video_url) == ("succeeded", "https://a.b/v.mp4")


def test_a_result_without_a_film_is_a_failure(looked_up):
    """R004-24: nothing else could say it."""
    done = {"task_id": "task-1", "status": "completed"}
    task = looked_up(done, done)
    assert (task.status, task.error.code) == ("failed", "missing_output")


def test_an_unknown_status_goes_on(looked_up):
    task = looked_up({"task_id": "task-1", "status": "upscaling", "progress": "50%", "new": 1})
    assert (task.status, task.progress, task.ended) == ("unknown", 50, False)
    assert task.raw["native"]["new"] == 1


def test_the_kind_of_a_result_is_told_by_its_keys(looked_up):
    pictures = {"images": [{"url": "https://a.b/p.png", "width": 8, "height": 6}]}
    found = looked_up({"task_id": "t", "status": "completed", "result": pictures}, kind="images")
    assert (found.images[0].url, found.images[0].size) == ("https://a.b/p.png", "8x6")


@pytest.mark.parametrize(
    "url", ["https://evil.example/v1/tasks/task-1", "//evil.example/x", "/v1/other"]
)
def test_a_link_of_an_answer_is_never_followed(at_gateway, url):
    """R004-22: the key goes to the configured address only, under the documented path."""
    hosts = []

    def answer(request):
        hosts.append(str(request.url))
        if request.method == "POST":
            data = {"task_id": "task-1", "status": "queued", "check_status_url": url}
            return httpx.Response(200, json={"status": "accepted", "data": data})
        return httpx.Response(200, json={"task_id": "task-1", "status": "processing"})

    client = at_gateway("seedance2api", answer)
    task = client.create_video(model=FILM, content=TEXT, duration=5)
    assert client.get_video(task.id).status == "running"
    assert hosts[-1] == "https://api.seedance2api.com/v1/tasks/task-1"


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
