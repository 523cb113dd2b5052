"""seedance2api.com: waiting for tasks and their results, over HTTP (gateways.md 3.5)."""

from __future__ import annotations

import httpx
import pytest

from doubao_core import (
    JobFailed,
    NotFound,
    RateLimited,
    RequestError,
)
from doubao_emulator import AfterReads, Immediate

FILM, PICTURE = "seedance-1.5-pro", "seedream-4.5"
TEXT = [{"type": "text", "text": "A majestic eagle soaring over snowy mountains"}]
BASE = "/seedance2api/v1"
LATE = [
    ("result_lag", {"path": "/results/"}),
    ("server_error", {"path": "/results/"}),
    ("malformed_json", {"path": "/results/"}),
    ("reset_before_answer", {"path": "/results/"}),
]


@pytest.fixture
def client(seedance2api):
    return seedance2api


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


def test_an_accepted_film_says_how_long_and_where(client):
    """R004-20, R004-21: the wait and the place stay in the native answer."""
    task = client.create_video(model=FILM, content=TEXT, duration=5)
    native = task.raw["native"]
    assert native["status"] == "accepted"
    assert native["data"]["estimated_wait_time_seconds"] == 45
    assert native["data"]["check_status_url"] == f"/v1/tasks/{task.id}"


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


def of_tasks(emulator):
    """The requests that ask for money, and those that ask for a result."""
    paths = [each.path.removeprefix(BASE) for each in emulator.requests]
    return paths.count("/seedance/generate"), sum(each.startswith("/results/") for each in paths)


@pytest.mark.parametrize(("fault", "options"), LATE)
def test_a_film_whose_result_is_not_there_yet_goes_on(client, emulator, fault, options):
    """R004-24: that it has ended is not lost, and neither is the film; why is in ``raw``."""
    task = client.create_video(model=FILM, content=TEXT, duration=5)
    with emulator.fault(fault, times=1, **options):
        late = client.get_video(task.id)
    assert (late.id, late.status, late.ended) == (task.id, "running", False)
    assert (late.progress, late.raw["native"]["status"]) == (100, "completed")
    assert late.raw["unfinished"]["message"]
    assert late.raw["unfinished"].get("status") in {None, 404, 500}
    done = client.get_video(task.id)
    assert done.checked().video_url
    assert "unfinished" not in done.raw
    assert of_tasks(emulator) == (1, 2)


@pytest.mark.parametrize(("fault", "options"), LATE)
def test_a_watcher_asks_again_for_a_result_that_is_not_there_yet(client, emulator, fault, options):
    """R004-24, R004-26."""
    task = client.create_video(model=FILM, content=TEXT, duration=5)
    with emulator.fault(fault, times=2, **options):
        states = list(client.watch_video(task.id, poll_interval=2))
    assert [each.status for each in states] == ["running", "running", "succeeded"]
    assert of_tasks(emulator) == (1, 3)


def test_a_wait_for_a_result_that_never_comes_gives_the_task_back(client, emulator):
    """R004-26, R004-46: as it does after the 30 days; no error says that there is no such task."""
    task = client.create_video(model=FILM, content=TEXT, duration=5)
    with emulator.fault("result_lag"):
        *_, last = client.watch_video(task.id, poll_interval=2, wait_timeout=5)
    assert (last.id, last.status) == (task.id, "running")
    said = last.raw["unfinished"]
    assert (said["status"], said["code"]) == (404, "NOT_FOUND")
    assert "has no result" in said["message"]


def test_pictures_whose_result_is_not_there_yet_are_waited_for(client, emulator, slowly, naps):
    """R004-24: they are paid for once."""
    with emulator.fault("result_lag", times=2):
        found = client.create_images(model=PICTURE, prompt="tea")
    assert found.images[0].url
    assert naps == [2.0, 3.0, 4.5, 6.75, 10.125]
    paths = [each.path.removeprefix(BASE) for each in emulator.requests]
    assert paths.count("/seedream/generate") == 1


def test_a_refusal_for_the_rate_says_how_long_the_result_must_wait(client, emulator, naps):
    """R004-32: whoever shares the rate has to wait, so it stays an error, and the task its id's."""
    task = client.create_video(model=FILM, content=TEXT, duration=5)
    with (
        emulator.fault("rate_limit", path="/results/", retry_after=700),
        pytest.raises(RateLimited) as caught,
    ):
        client.get_video(task.id)
    assert (caught.value.retry_after, naps) == (700, [])
    with emulator.fault("rate_limit", path="/results/", times=1, retry_after=7):
        assert client.get_video(task.id).status == "succeeded"
    assert naps == [7.0]


def test_a_result_that_is_refused_for_good_is_an_error(client, emulator):
    """Asking later would not help."""
    task = client.create_video(model=FILM, content=TEXT, duration=5)
    with emulator.fault("model_not_open", path="/results/"), pytest.raises(RequestError):
        client.get_video(task.id)
    assert of_tasks(emulator) == (1, 1)


def test_a_task_that_is_not_known_is_not_found(client):
    """R004-30: nothing is paid for that could be lost."""
    with pytest.raises(NotFound):
        client.get_video("task-of-nobody")
