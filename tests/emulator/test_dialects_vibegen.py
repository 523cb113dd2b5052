"""The dialect of vibegen.art: what the client of its package sends, reads and does not know."""

import hmac
import io
import json

import av
import httpx
import pytest

from doubao_emulator import AfterReads

KEY = {"Authorization": "Bearer sk-video-0123456789abcdef"}
FILM = {"model": "seedance-2.0", "prompt": "tea", "duration": 4, "resolution": "480p"}
SECRET = "whsec-1"


@pytest.fixture
def ask(emulator):
    """Send a request, with a key, and give status and body."""

    def send(method, path, headers=KEY, **options):
        url = emulator.base_url_of("vibegen") + path
        answer = httpx.request(method, url, headers=headers, **options)
        return answer.status_code, answer.json()

    return send


@pytest.fixture
def film(ask):
    """Ask for a film, and give the task."""

    def make(**changes):
        status, body = ask("POST", "/generations", json={**FILM, **changes})
        assert (status, body["success"]) == (200, True)
        return body["data"]

    return make


@pytest.fixture
def look(ask):
    return lambda task_id: ask("GET", f"/tasks/{task_id}")[1]["data"]


def test_a_task_has_the_fields_that_the_package_reads(film, look, progress):
    progress(AfterReads(2))
    made = film(generate_audio=True)
    assert list(made) == [
        *("id", "status", "model", "task_type", "created_at", "updated_at"),
        *("estimated_time", "credits_consumed", "result", "error"),
    ]
    assert (made["status"], made["task_type"], made["result"]) == ("pending", "text_to_video", None)
    assert made["created_at"].endswith("Z")
    seen = [look(made["id"]) for _ in range(3)]
    assert [each["status"] for each in seen] == ["pending", "processing", "completed"]
    assert [each["result"] for each in seen[:2]] == [None, None]
    result = seen[-1]["result"]
    assert result.pop("video_url").startswith("http")
    assert result == {
        "thumbnail_url": None,
        "duration": 4,
        "resolution": "480p",
        "has_audio": True,
    }


@pytest.mark.parametrize(
    ("asked", "size", "sounds"),
    [({}, (854, 480), 0), ({"aspect_ratio": "3:4", "generate_audio": True}, (480, 640), 1)],
)
def test_the_film_has_the_size_length_and_sound_that_were_asked_for(
    film, look, asked, size, sounds
):
    url = look(film(**asked)["id"])["result"]["video_url"]
    with av.open(io.BytesIO(httpx.get(url).content)) as container:
        (video,) = container.streams.video
        assert (video.width, video.height) == size
        assert len(container.streams.audio) == sounds
        assert container.duration / av.time_base == pytest.approx(4, abs=0.1)


def test_what_is_left_out_is_chosen(film, look, ask):
    _, body = ask("POST", "/generations", json={"model": "kling-v2-6", "prompt": "tea"})
    result = look(body["data"]["id"])["result"]
    assert (result["duration"], result["resolution"], result["has_audio"]) == (5, "720p", False)


def test_a_film_from_a_picture_is_of_another_type(film):
    assert film(image_urls=["https://a.example/a.png"])["task_type"] == "image_to_video"


@pytest.mark.parametrize(
    "change",
    [
        {"model": "seedance-1.5-pro"},
        {"model": None},
        {"prompt": ""},
        {"prompt": "p" * 1001},
        {"prompt": "EMULATED SENSITIVE CONTENT"},
        {"duration": 5},
        {"duration": "4"},
        {"duration": True},
        {"model": "sora-2", "duration": 8},
        {"model": "sora-2", "duration": 10, "image_urls": ["https://a.example/a.png"]},
        {"aspect_ratio": "21:9"},
        {"resolution": "4k"},
        {"generate_audio": "yes"},
        {"image_urls": "https://a.example/a.png"},
        {"image_urls": [5]},
        {"image_urls": ["a.png"]},
        {"callback_url": "nowhere"},
        {"seed": 7},
        {"content": []},
    ],
)
def test_what_the_package_does_not_send_is_a_bad_request(ask, change):
    status, body = ask("POST", "/generations", json={**FILM, **change})
    assert status == 400
    assert body.keys() == {"error"}
    assert isinstance(body["error"], str)
    assert ask("GET", "/tasks")[1]["data"]["tasks"] == []


def test_a_failed_task_has_its_reason_as_a_text(emulator, film, look):
    with emulator.fault("task_failed", message="Too dark."):
        made = film()
    shown = look(made["id"])
    assert (shown["status"], shown["error"], shown["result"]) == ("failed", "Too dark.", None)


def test_tasks_are_listed_newest_first_in_pages(ask, film):
    ids = [film(model=model, duration=10)["id"] for model in ("kling-v2-6", "sora-2", "sora-2")]

    def page(**query):
        return ask("GET", "/tasks", params=query)[1]["data"]

    assert [each["id"] for each in page()["tasks"]] == ids[::-1]
    assert page()["pagination"] == {"page": 1, "limit": 20, "total": 3, "total_pages": 1}
    second = page(page=2, limit=2)
    assert [each["id"] for each in second["tasks"]] == ids[:1]
    assert second["pagination"] == {"page": 2, "limit": 2, "total": 3, "total_pages": 2}
    assert [each["id"] for each in page(model="kling-v2-6")["tasks"]] == ids[:1]
    assert page(status="completed")["pagination"]["total"] == 3
    assert page(status="failed")["tasks"] == []


@pytest.mark.parametrize(
    "query",
    [
        *({"page_num": "1"}, {"filter.status": "queued"}, {"status": "queued"}),
        *({"page": "0"}, {"limit": "-1"}, {"limit": "many"}),
    ],
)
def test_a_list_that_is_asked_for_in_other_words_is_refused(ask, query):
    assert ask("GET", "/tasks", params=query)[0] == 400


def test_a_task_is_cancelled_once_and_before_it_begins(ask, film, look, progress):
    progress(AfterReads(2))
    made = film()
    status, body = ask("POST", f"/tasks/{made['id']}/cancel")
    assert (status, body["data"]["status"]) == (200, "cancelled")
    assert look(made["id"])["status"] == "cancelled"
    assert ask("POST", f"/tasks/{made['id']}/cancel")[0] == 400
    begun = film()
    look(begun["id"])
    assert ask("POST", f"/tasks/{begun['id']}/cancel")[0] == 400


def test_credits_are_used_up_by_each_key(ask, film):
    for _ in range(9):
        film()
    balance = ask("GET", "/credits")[1]["data"]
    assert balance.pop("last_updated").endswith("Z")
    assert balance == {"total": 1000, "used": 900, "remaining": 100}
    film()
    refused = ask("POST", "/generations", json=FILM)
    assert refused == (402, {"error": "Insufficient credits", "credits_needed": 100})
    other = {"Authorization": "Bearer another"}
    assert ask("POST", "/generations", json=FILM, headers=other)[0] == 200


def test_refusals_are_texts_with_their_status(emulator, ask):
    assert ask("GET", "/tasks/t1") == (404, {"error": "Task t1 not found"})
    assert ask("GET", "/nowhere") == (404, {"error": "Not found"})
    assert ask("GET", "/tasks", headers={}) == (401, {"error": "Invalid API key"})
    with emulator.fault("quota"):
        assert ask("GET", "/tasks")[0] == 402
    with emulator.fault("rate_limit", retry_after=7):
        answer = httpx.get(emulator.base_url_of("vibegen") + "/tasks", headers=KEY)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert answer.json().keys() == {"error"}


def test_unfinished_tasks_count_against_the_limit_of_jobs(emulator, ask, film, look, progress):
    progress(AfterReads(1))
    with emulator.limit(jobs=1):
        made = film()
        assert ask("POST", "/generations", json=FILM)[0] == 429
        look(made["id"])
        assert film()["status"] == "pending"


class Hook:
    """An ASGI application that keeps what is posted."""

    def __init__(self):
        self.posts = []

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            for event in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{event}.complete"})
            return
        raw = (await receive())["body"]
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.posts.append((headers, raw))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})


@pytest.mark.parametrize(("fault", "status"), [(None, "completed"), ("Too dark.", "failed")])
def test_the_end_is_posted_with_the_whole_task_and_signed(
    emulator, film, look, served, soon, fault, status
):
    hook = Hook()
    with emulator.sign_webhooks(SECRET, header="X-Seedance-Signature"):
        if fault is None:
            made = film(callback_url=f"{served(hook)}/hook")
        else:
            with emulator.fault("task_failed", message=fault):
                made = film(callback_url=f"{served(hook)}/hook")
        assert soon(lambda: hook.posts)
    ((headers, raw),) = hook.posts
    event = json.loads(raw)
    assert list(event) == ["event", "timestamp", "data"]
    assert (event["event"], event["data"]) == (f"task.{status}", look(made["id"]))
    expected = hmac.new(SECRET.encode(), raw, "sha256").hexdigest()
    assert headers["x-seedance-signature"] == expected


def test_nothing_is_posted_of_a_cancelled_task(ask, film, look, served, soon, progress):
    """Only of one that was made after it."""
    progress(AfterReads(2))
    hook = Hook()
    url = f"{served(hook)}/hook"
    cancelled, made = film(callback_url=url), film(callback_url=url)
    assert ask("POST", f"/tasks/{cancelled['id']}/cancel")[0] == 200
    for _ in range(3):
        look(made["id"])
    assert soon(lambda: hook.posts)
    assert [json.loads(raw)["data"]["id"] for _, raw in hook.posts] == [made["id"]]
