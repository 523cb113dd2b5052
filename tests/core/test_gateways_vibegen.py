"""vibegen.art: films, their list, cancelling, credits, over HTTP (gateways.md 3.6)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from doubao_core import (
    AmbiguousSubmit,
    AuthenticationError,
    ConfigError,
    InsufficientCredits,
    InvalidRequest,
    JobFailed,
    NotFound,
    Plan,
    ProfileWarning,
    RateLimited,
    ServerError,
    UnsupportedOperation,
)
from doubao_emulator import AfterReads

FILM = "seedance-2.0"
KETTLE = "A kettle begins to sing"
TEXT = [{"type": "text", "text": KETTLE}]
BASE = "/vibegen/api/v1"
PICTURES = [f"https://pictures.example/{name}.png" for name in "ab"]


@pytest.fixture
def client(make_client, emulator):
    return make_client(provider="vibegen", base_url=emulator.base_url_of("vibegen"))


@pytest.fixture
def answered(at_gateway):
    """What comes of a look-up that is answered so."""

    def look(body, status=200, **headers):
        answer = httpx.Response(status, json=body, headers=headers)
        return at_gateway("vibegen", lambda _: answer, max_retries=0).get_video("t1")

    return look


def task(**fields):
    return {"success": True, "data": {"id": "t1", "status": "completed", **fields}}


def picture(url, role=None):
    part = {"type": "image_url", "image_url": {"url": url}}
    return part if role is None else {**part, "role": role}


def test_a_film_is_asked_for_in_their_words(client, emulator):
    made = client.create_video(
        model=FILM,
        content=[*TEXT, *map(picture, PICTURES)],
        duration=8,
        ratio="9:16",
        resolution="480p",
        generate_audio=True,
        callback_url="https://me.example/cb",
    )
    sent = emulator.requests[-1]
    assert (sent.method, sent.path) == ("POST", f"{BASE}/generations")
    assert sent.body == {
        "model": FILM,
        "prompt": KETTLE,
        "image_urls": PICTURES,
        "duration": 8,
        "aspect_ratio": "9:16",
        "resolution": "480p",
        "generate_audio": True,
        "callback_url": "https://me.example/cb",
    }
    assert made.status == "queued"
    assert made.raw["native"]["data"]["task_type"] == "image_to_video"


def test_nothing_is_sent_that_was_not_asked_for(client, emulator):
    client.create_video(model=FILM, content=TEXT)
    assert emulator.requests[-1].body == {"model": FILM, "prompt": KETTLE}


def test_texts_are_one_prompt_and_their_own_fields_pass(client, emulator):
    parts = [{"type": "text", "text": text} for text in ("A kettle", "sings")]
    client.create_video(model=FILM, content=parts, extra_body={"aspect_ratio": "1:1"})
    assert emulator.requests[-1].body["prompt"] == "A kettle\nsings"
    assert emulator.requests[-1].body["aspect_ratio"] == "1:1"


def test_a_film_is_watched_to_its_end(client, emulator, progress, tmp_path):
    progress(AfterReads(2))
    made = client.create_video(
        model=FILM, content=TEXT, duration=4, resolution="480p", generate_audio=True
    )
    assert made.raw["usage"] == {"credits": 100}
    states = list(client.watch_video(made.id, poll_interval=2))
    assert [each.status for each in states] == ["queued", "running", "succeeded"]
    assert [each.video_url for each in states[:2]] == [None, None]
    assert emulator.requests[-1].path == f"{BASE}/tasks/{made.id}"
    done = states[-1].checked()
    assert done.model == FILM
    assert [done.raw[name] for name in ("duration", "resolution", "generate_audio")] == [
        *(4, "480p", True),
    ]
    assert done.created_at <= done.updated_at
    assert done.raw["native"]["data"]["result"]["video_url"] == done.video_url
    saved = client.download(done.video_url, tmp_path, name="kettle")
    assert (saved.path.name, saved.media_type) == ("kettle.mp4", "video/mp4")


def test_a_failed_film_says_why(client, emulator):
    with emulator.fault("task_failed", message="The prompt was too dark."):
        made = client.create_video(model=FILM, content=TEXT)
    found = client.get_video(made.id)
    assert found.status == "failed"
    with pytest.raises(JobFailed, match="The prompt was too dark"):
        found.checked()


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"error": "Too dark."}, "Too dark"),
        ({"error": {"code": "NSFW", "message": "Not that."}}, "Not that"),
        ({"error": None}, "gave no reason"),
        ({}, "gave no reason"),
    ],
)
def test_a_reason_may_be_a_text_an_object_or_missing(answered, said, reason):
    with pytest.raises(JobFailed, match=reason):
        answered(task(status="failed", **said)).checked()


@pytest.mark.parametrize("result", [None, {}, {"video_url": None}])
def test_a_completed_task_without_a_film_is_a_failure(answered, result):
    found = answered(task(result=result))
    assert (found.status, found.error.code) == ("failed", "missing_output")


def test_the_address_in_a_task_that_goes_on_is_not_the_films(answered):
    found = answered(task(status="processing", result={"video_url": "https://x.example/v.mp4"}))
    assert (found.status, found.video_url) == ("running", None)
    native = found.raw["native"]["data"]
    assert native["result"]["video_url"] == "https://x.example/v.mp4"


@pytest.mark.parametrize(
    ("native", "ours", "ended"),
    [
        ("pending", "queued", False),
        ("processing", "running", False),
        ("failed", "failed", True),
        ("cancelled", "cancelled", True),
        ("expired", "expired", True),
        ("Upscaling", "unknown", False),
    ],
)
def test_every_status_is_one_of_ours(answered, native, ours, ended):
    """The package refuses to read one that it does not list."""
    found = answered(task(status=native))
    assert (found.status, found.ended) == (ours, ended)
    assert found.raw["native"]["data"]["status"] == native


def test_tasks_are_listed_by_page_status_and_model(client, emulator):
    ids = [client.create_video(model=FILM, content=TEXT).id for _ in range(3)]
    other = client.create_video(model="kling-v2-6", content=TEXT).id
    page = client.list_videos(page_num=2, page_size=3)
    assert emulator.requests[-1].path == f"{BASE}/tasks"
    assert emulator.requests[-1].query == "page=2&limit=3"
    assert (page.total, [each.id for each in page.items]) == (4, ids[:1])
    page = client.list_videos(status="succeeded", model="kling-v2-6")
    assert emulator.requests[-1].query == "status=completed&model=kling-v2-6"
    (found,) = page.items
    assert (found.id, found.status, bool(found.video_url)) == (other, "succeeded", True)
    assert found.raw["native"]["status"] == "completed"


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("queued", "pending"),
        ("running", "processing"),
        ("succeeded", "completed"),
        ("failed", "failed"),
        ("cancelled", "cancelled"),
    ],
)
def test_a_status_is_asked_for_in_their_word(client, emulator, ours, theirs):
    assert client.list_videos(status=ours).total == 0
    assert emulator.requests[-1].query == f"status={theirs}"


@pytest.mark.parametrize(
    ("wanted", "named"),
    [
        ({"task_ids": ["t1"]}, "filter.task_ids"),
        ({"service_tier": "flex"}, "filter.service_tier"),
        ({"status": "expired"}, "filter.status=expired"),
    ],
)
def test_a_filter_that_they_lack_is_refused_before_sending(client, emulator, wanted, named):
    with pytest.raises(UnsupportedOperation, match=f"nothing for {named} in videos.list.*ark"):
        client.list_videos(**wanted)
    assert emulator.requests == []


def test_a_list_may_lack_the_number_of_its_tasks(at_gateway):
    body = {"success": True, "data": {"tasks": [task()["data"]]}}
    client = at_gateway("vibegen", lambda _: httpx.Response(200, json=body))
    assert client.list_videos().total == 1


def test_a_task_that_has_not_begun_is_cancelled(client, emulator, progress):
    progress(AfterReads(2))
    made = client.create_video(model=FILM, content=TEXT)
    assert client.delete_video(made.id) is None
    sent = emulator.requests[-1]
    assert (sent.method, sent.path, sent.body) == ("POST", f"{BASE}/tasks/{made.id}/cancel", None)
    found = client.get_video(made.id)
    assert (found.status, found.ended) == ("cancelled", True)
    with pytest.raises(InvalidRequest, match="can no longer be cancelled"):
        client.delete_video(made.id)


def test_a_task_that_nobody_made_is_not_found(client):
    with pytest.raises(NotFound, match="not found"):
        client.get_video("t1")


def test_credits_that_are_missing_are_counted_in_the_error(client, emulator):
    for _ in range(10):
        client.create_video(model=FILM, content=TEXT)
    emulator.requests.clear()
    with pytest.raises(InsufficientCredits, match="Insufficient credits") as caught:
        client.create_video(model=FILM, content=TEXT)
    failure = caught.value
    assert (failure.status, failure.required, failure.available) == (402, 100, None)
    assert failure.body == {"message": "Insufficient credits", "credits_needed": 100}
    assert len(emulator.requests) == 1


def test_a_plan_of_credits_counts_what_the_answers_say(request, make_client, emulator):
    plan = Plan(name=request.node.nodeid, credits=250)
    client = make_client(provider="vibegen", base_url=emulator.base_url_of("vibegen"), plan=plan)
    for _ in range(2):
        client.create_video(model=FILM, content=TEXT)
    with pytest.raises(InsufficientCredits, match="50 of the plan's 250 credits"):
        client.create_video(model=FILM, content=TEXT)
    assert len(emulator.requests) == 2


@pytest.mark.parametrize("needed", [None, "many", {}])
def test_a_number_of_credits_that_is_none_is_left_out(answered, needed):
    with pytest.raises(InsufficientCredits) as caught:
        answered({"error": "Pay first.", "credits_needed": needed}, 402)
    assert caught.value.required is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequest),
        (401, AuthenticationError),
        (402, InsufficientCredits),
        (404, NotFound),
        (429, RateLimited),
        (500, ServerError),
    ],
)
@pytest.mark.parametrize(
    "error", ["That failed.", {"code": "odd", "message": "That failed."}], ids=["text", "object"]
)
def test_every_refusal_is_one_of_our_errors(answered, status, kind, error):
    with pytest.raises(kind, match="That failed") as caught:
        answered({"error": error}, status)
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.gateway) == (status, "vibegen")


def test_an_envelope_may_say_that_it_failed_under_a_good_status(answered):
    with pytest.raises(InvalidRequest, match="No such model"):
        answered({"success": False, "error": "No such model."})


@pytest.mark.parametrize("hint", ["7", "date"])
def test_a_refusal_for_the_rate_is_waited_for_and_repeated(at_gateway, naps, hint):
    """The package cannot read a date there."""
    if hint == "date":
        hint = format_datetime(datetime.now(UTC) + timedelta(seconds=7), usegmt=True)
    refusal = httpx.Response(429, json={"error": "Slower."}, headers={"Retry-After": hint})
    answers = [refusal, httpx.Response(200, json=task(status="pending"))]
    client = at_gateway("vibegen", lambda _: answers.pop(0))
    assert client.create_video(model=FILM, content=TEXT).id == "t1"
    (slept,) = naps
    # A date has whole seconds.
    assert 0 < slept <= 7


def test_a_lost_answer_to_a_create_is_sent_once(client, emulator):
    """The package sends it three times."""
    with emulator.fault("lost_answer"), pytest.raises(AmbiguousSubmit):
        client.create_video(model=FILM, content=TEXT)
    assert len(emulator.requests) == 1
    assert client.list_videos().total == 1


def test_an_answer_without_a_task_is_ambiguous_for_who_pays(at_gateway):
    client = at_gateway("vibegen", lambda _: httpx.Response(200, json={"success": True}))
    with pytest.raises(AmbiguousSubmit, match="unknown shape"):
        client.create_video(model=FILM, content=TEXT)


@pytest.mark.parametrize(
    ("model", "duration", "said"),
    [
        (FILM, 5, "known are 4, 8, 12"),
        ("kling-v2-6", 8, "known are 5, 10"),
        ("sora-2", 5, "known are 10"),
    ],
)
def test_a_length_that_a_model_lacks_is_warned_of_and_refused_by_the_service(
    client, model, duration, said
):
    with (
        pytest.warns(ProfileWarning, match=f"duration is {duration}, and {said}"),
        pytest.raises(InvalidRequest, match="Invalid duration"),
    ):
        client.create_video(model=model, content=TEXT, duration=duration)


@pytest.mark.parametrize(
    ("model", "duration"),
    [(FILM, 4), (FILM, 8), (FILM, 12), ("kling-v2-6", 5), ("kling-v2-6", 10), ("sora-2", 10)],
)
def test_every_length_of_every_model_is_taken_in_silence(client, model, duration):
    assert client.create_video(model=model, content=TEXT, duration=duration).status == "queued"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"content": [{"type": "text", "text": "p" * 1001}]}, "prompt has 1001 characters"),
        ({"ratio": "21:9"}, "aspect_ratio is '21:9'"),
        ({"resolution": "4k"}, "resolution is '4k'"),
        ({"model": "seedance-1.5-pro"}, "model is 'seedance-1.5-pro'"),
    ],
)
def test_a_broken_limit_is_a_warning_and_the_service_decides(client, emulator, changes, said):
    with pytest.warns(ProfileWarning, match=said), pytest.raises(InvalidRequest):
        client.create_video(**{"model": FILM, "content": TEXT, **changes})
    assert len(emulator.requests) == 1


@pytest.mark.parametrize(
    ("part", "named"),
    [
        (picture(PICTURES[0], "last_frame"), "last_frame"),
        ({"type": "video_url", "video_url": {"url": "https://a"}}, "video_url"),
        ({"type": "audio_url", "audio_url": {"url": "https://a"}}, "audio_url"),
        (picture("data:image/png;base64,iVBORw0KGgo="), "by its URL only"),
    ],
)
def test_what_a_film_cannot_start_from_is_refused_before_sending(client, emulator, part, named):
    with pytest.raises(UnsupportedOperation, match=f"{named}.*ark"):
        client.create_video(model=FILM, content=[*TEXT, part])
    assert emulator.requests == []


@pytest.mark.parametrize(
    ("option", "named"),
    [
        ({"ratio": "adaptive"}, "ratio=adaptive"),
        ({"duration": -1}, "duration=-1"),
        ({"return_last_frame": True}, "return_last_frame"),
    ],
)
def test_an_option_that_they_lack_is_refused_before_sending(client, emulator, option, named):
    with pytest.raises(UnsupportedOperation, match=f"nothing for {named} in.*ark"):
        client.create_video(model=FILM, content=TEXT, **option)
    assert emulator.requests == []


def test_a_picture_needs_a_prompt_beside_it(client, emulator):
    with pytest.raises(ConfigError, match="needs a prompt"):
        client.create_video(model=FILM, content=[picture(PICTURES[0])])
    assert emulator.requests == []
