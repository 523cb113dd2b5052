"""Acceptance checks 1 and 8 (gateways.md 7): answers of every shape are read, natively kept.

The bodies are those of gateways.md 3, served over HTTP on this machine.
"""

from __future__ import annotations

from operator import attrgetter
from pathlib import Path

import pytest
import yaml

from doubao_core import (
    AuthenticationError,
    InsufficientCredits,
    InvalidRequest,
    NotFound,
    RateLimited,
    UnsupportedOperation,
)

CASSETTES = Path(__file__).parents[2] / "cassettes"
HELLO = [{"role": "user", "content": "hi"}]
TEXT = [{"type": "text", "text": "a car drives off"}]
FILM = "https://cdn.seedance2api.com/x.mp4"


def chat(client):
    return client.chat(model="m", messages=HELLO)


def film(client):
    return client.create_video(model="seedance-2.0", content=TEXT, duration=6)


def look(client):
    return client.get_video("t1")


def picture(client):
    return client.create_images(model="seedream-4.5", prompt="a city")


def printed(name):
    """Give the answer that a page prints, and its status, from the cassettes."""
    text = (CASSETTES / f"{name}.yaml").read_text(encoding="utf-8")
    (interaction,) = yaml.safe_load(text)["interactions"]
    return interaction["response"]["json"], interaction["response"]["status"]


def message(text, **more):
    return {"index": 0, "message": {"role": "assistant", "content": text}, **more}


HELD = {
    "generic chat": (
        *("xroute", chat, {"choices": [message("Hello.")]}),
        {"content": "Hello.", "usage": None},
    ),
    "moderation": (
        *("openai-compatible", lambda client: client.moderate("a")),
        {
            "results": [
                {
                    "flagged": True,
                    "categories": {"violence": True},
                    "category_scores": {"violence": 0.91},
                }
            ]
        },
        {"flagged": True, "reasons": ("violence",), "scores": {"violence": 0.91}},
    ),
    "anyfast chat": (
        *("anyfast", chat),
        {
            "id": "chatcmpl-abc123",
            "object": "chat.completion",
            "created": 1760500000,
            "model": "doubao-seed-1-6-lite-251015",
            "choices": [message("Hi", finish_reason="stop")],
            "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
        },
        {"content": "Hi", "finish_reason": "stop", "created": 1760500000, "usage.total_tokens": 5},
    ),
    "anyfast chat, as printed": (
        *("anyfast", chat, printed("anyfast/chat.create/seed-001")[0]),
        {"id": "chatcmpl-abc123", "finish_reason": None, "usage": None},
    ),
    "agentsflare create": (
        *("agentsflare", film, printed("agentsflare/videos.create/seed-002")[0]),
        {"id": "cgt-2026******-****", "status": "queued"},
    ),
    "agentsflare look-up": (
        *("agentsflare", look, printed("agentsflare/videos.get/seed-002")[0]),
        {"status": "succeeded", "completion_tokens": 295800, "updated_at": 1768294581},
    ),
}
RETOLD = {
    "anyfast create": (
        *("anyfast", film),
        {
            "id": "cgt-1",
            "task_id": "cgt-1",
            "object": "video",
            "model": "doubao-seedance-2-0-260128",
            "status": "",
            "progress": 0,
            "created_at": 1760500000,
        },
        {"id": "cgt-1", "status": "queued", "progress": 0, "created_at": 1760500000},
    ),
    "anyfast look-up": (
        *("anyfast", look),
        {
            "code": "success",
            "message": "",
            "data": {
                "task_id": "cgt-1",
                "action": "generate",
                "status": "IN_PROGRESS",
                "progress": "50%",
                "result_url": "",
                "fail_reason": "",
                "submit_time": 1760500000,
                "start_time": 1760500005,
                "finish_time": 0,
                "data": {"status": "running"},
            },
        },
        {"status": "running", "progress": 50, "video_url": None, "error": None},
    ),
    "doitong processing": (
        *("doitong", picture, printed("doitong/images.create/seed-003-processing")[0]),
        {"status": "running", "task_id": "abc123xyz", "created": 1704067200},
    ),
    "doitong completed": (
        *("doitong-rest", picture, printed("doitong/images.create/seed-003-completed")[0]),
        {"status": "succeeded", "task_id": "abc123xyz"},
    ),
    "seedance2api pictures": (
        *("seedance2api", picture, printed("seedance2api/images.create/seed-004")[0]),
        {"status": "succeeded", "task_id": "task-uuid-12345", "model": "seedream-4.5"},
    ),
    "seedance2api create": (
        *("seedance2api", film, printed("seedance2api/videos.create/seed-004")[0]),
        {"id": "task-uuid-67890", "status": "queued"},
    ),
    "seedance2api processing": (
        *("seedance2api", look, printed("seedance2api/videos.get/seed-004-processing")[0]),
        {"status": "running", "progress": 45, "created_at": 1705314600, "updated_at": 1705314735},
    ),
    "seedance2api completed": (
        *("seedance2api", look, printed("seedance2api/videos.get/seed-004-result")[0]),
        {"status": "succeeded", "updated_at": 1705314900},
    ),
    "vibegen": (
        *("vibegen", look, printed("vibegen/videos.get/seed-004-package")[0]),
        {"id": "t1", "status": "running", "created_at": 1767225600, "updated_at": 1767225605},
    ),
    # The page names a package that is another service's; this is how that one answers.
    "a package of the same name": (
        *("seedance2api", look),
        {
            "success": True,
            "data": {
                "id": "t1",
                "status": "processing",
                "model": "seedance-2.0",
                "task_type": "text-to-video",
                "created_at": "2026-01-01T00:00:00Z",
                "updated_at": "2026-01-01T00:00:05Z",
                "estimated_time": 60,
                "credits_consumed": 100,
                "result": {"video_url": FILM, "thumbnail_url": None, "has_audio": True},
                "error": None,
            },
        },
        {"id": "t1", "status": "running", "model": "seedance-2.0", "created_at": 1767225600},
    ),
}


def checked(found, facts):
    assert {name: attrgetter(name)(found) for name in facts} == facts


@pytest.mark.parametrize(("provider", "call", "body", "facts"), HELD.values(), ids=HELD)
def test_what_is_in_the_words_of_openai_or_ark_is_read_and_kept(
    ask, gate, provider, call, body, facts
):
    """Check 1. Shows R000-18, R001-11, R001-13, R002-09, R002-10, R002-12, R002-13, R002-14."""
    gate.answer(body)
    found = ask(gate.settings(provider), call)
    checked(found, facts)
    assert found.raw == body


@pytest.mark.parametrize(("provider", "call", "body", "facts"), RETOLD.values(), ids=RETOLD)
def test_what_is_in_a_gateways_own_words_is_retold_and_kept(ask, gate, provider, call, body, facts):
    """Check 1. Shows R003-09, R003-10, R003-34, R004-12, R004-20, R004-23, R004-24."""
    gate.answer(body)
    found = ask(gate.settings(provider), call)
    checked(found, facts)
    assert found.raw["native"] == body


def test_vectors_are_read_in_their_order(ask, gate):
    """Check 1. Shows R000-15: an answer without a model and without a usage."""
    gate.answer({"data": [{"embedding": [0.5, 1.0]}, {"embedding": [0.25, 0.0]}]})
    found = ask(
        gate.settings("openai-compatible"), lambda client: client.embed(model="m", texts=["a", "b"])
    )
    assert [list(vector) for vector in found.vectors] == [[0.5, 1.0], [0.25, 0.0]]
    assert (found.model, found.usage) == ("m", None)


ODD = {"error": {"code": "c", "message": "No."}}
REFUSALS = {
    "anyfast 400": (InvalidRequest, "anyfast", chat, ODD, 400),
    "anyfast 401": (AuthenticationError, "anyfast", chat, ODD, 401),
    "anyfast 429": (RateLimited, "anyfast", chat, ODD, 429),
    "agentsflare key": (
        *(NotFound, "agentsflare", look),
        *({"statusCode": 404, "message": "Key not found"}, 404),
    ),
    "agentsflare path": (
        *(UnsupportedOperation, "agentsflare", look),
        *({"message": "Cannot POST /x", "error": "Not Found", "statusCode": 404}, 404),
    ),
    "doitong credits": (
        *(InsufficientCredits, "doitong", picture),
        *printed("doitong/images.create/seed-003-no-credits"),
    ),
    "seedance2api prompt": (
        *(InvalidRequest, "seedance2api", picture),
        *printed("seedance2api/images.create/seed-004-invalid-prompt"),
    ),
    "seedance2api key": (
        *(AuthenticationError, "seedance2api", picture),
        *printed("seedance2api/images.create/seed-004-invalid-key"),
    ),
    "vibegen credits": (
        *(InsufficientCredits, "vibegen", look),
        *({"error": "Pay first.", "credits_needed": 5}, 402),
    ),
    "a package of the same name": (
        *(InsufficientCredits, "seedance2api", look),
        *({"error": "Pay first.", "credits_needed": 5}, 402),
    ),
}


def error_object(body):
    """Give the error object of a body, wherever a gateway has it; a text becomes one."""
    (error,) = body.get("errors") or [body if "statusCode" in body else body["error"]]
    return error if isinstance(error, dict) else {"message": error}


@pytest.mark.parametrize(
    ("kind", "provider", "call", "body", "status"), REFUSALS.values(), ids=REFUSALS
)
def test_a_refusal_is_an_error_with_its_status_and_all_that_was_said(
    ask, gate, kind, provider, call, body, status
):
    """Check 1. Shows R001-14, R002-20, R003-15, R003-16, R004-29, R004-30."""
    gate.answer(body, status)
    with pytest.raises(kind) as caught:
        ask(gate.settings(provider), call)
    failure = caught.value
    assert type(failure) is kind
    assert (failure.status, failure.gateway) == (status, provider)
    assert failure.body.items() >= error_object(body).items()


# Check 8

TIMES = [1760500000, 1760500000000, "2025-10-15T03:46:40Z", "2025-10-15T11:46:40+08:00"]


@pytest.mark.parametrize("made", TIMES)
def test_times_of_every_kind_are_one_time(ask, gate, made):
    """Check 8. Shows R002-13: seconds, milliseconds, ISO 8601."""
    gate.answer({"task_id": "t1", "status": "processing", "created_at": made})
    assert ask(gate.settings("seedance2api"), look).created_at == 1760500000
    gate.answer({"code": "success", "data": {"task_id": "t1", "submit_time": made}})
    assert ask(gate.settings("anyfast"), look).created_at == 1760500000


@pytest.mark.parametrize("progress", ["50%", 50, 0.5])
@pytest.mark.parametrize("provider", ["anyfast", "seedance2api"])
def test_a_status_and_fields_that_nobody_knows_are_no_end_and_no_failure(
    ask, gate, provider, progress
):
    """Check 8. Shows R004-23: the native words stay."""
    task = {"task_id": "t1", "status": "Upscaling", "progress": progress, "mood": {"good": True}}
    gate.answer(task if provider == "seedance2api" else {"code": "success", "data": task})
    found = ask(gate.settings(provider), look)
    assert (found.status, found.progress, found.ended) == ("unknown", 50, False)
    native = found.raw["native"]
    assert native.get("data", native) == task


@pytest.mark.parametrize("provider", ["agentsflare", "anyfast", "seedance2api"])
def test_an_unknown_status_is_asked_for_again_until_the_task_ends(ask, gate, naps, provider):
    """Check 8. Shows R004-26."""
    for status in ("Upscaling", "succeeded"):
        task = {"id": "t1", "task_id": "t1", "status": status}
        if status == "succeeded":
            task |= {"content": {"video_url": FILM}, "video_url": FILM}
            task["result"] = {"video_url": FILM}
        gate.answer(task)
    states = ask(gate.settings(provider), lambda client: client.watch_video("t1", poll_interval=1))
    assert [state.ended for state in states] == [False, True]
    assert (states[-1].status, states[-1].video_url, naps) == ("succeeded", FILM, [1.0])
