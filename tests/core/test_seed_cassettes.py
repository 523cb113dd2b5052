"""Answers that vendors print in their documentation, as cassettes: whole, unchanged, loadable."""

from __future__ import annotations

import json
from contextlib import contextmanager

import cassette_store
import httpx
import pytest
from record_cassettes import FOLDER
from vcr.request import Request

from doubao_core import AuthenticationError, InsufficientCredits, InvalidRequest, ProfileWarning

# Copied from the pages, character by character.
PRINTED = {
    "agentsflare/videos.create/seed-002": """{
  "id": "cgt-2026******-****"
}""",
    "agentsflare/videos.get/seed-002": """{
    "id": "cgt-2026******-****",
    "model": "seedance-1-0-pro-250528",
    "status": "succeeded",
    "content": {
        "video_url": "https://ark-content-generation-ap-southeast-1.tos-ap-southeast-1.volces.com/\
seedance-1-0-pro/021768294532558000000000ffffc0a8bc10474251.mp4?X************"
    },
    "usage": {
        "completion_tokens": 295800,
        "total_tokens": 295800
    },
    "created_at": 1768294532,
    "updated_at": 1768294581,
    "seed": 44457,
    "resolution": "1080p",
    "ratio": "16:9",
    "duration": 6,
    "framespersecond": 24,
    "service_tier": "default",
    "execution_expires_after": 172800,
    "draft": false
}""",
    "doitong/images.create/seed-003-processing": """{
  "data": {
    "generateimage": {
      "id": "abc123xyz",
      "status": "processing",
      "url": null,
      "webhookUrl": "https://your-webhook.com/callback",
      "createdAt": "2024-01-01T00:00:00Z"
    }
  }
}""",
    "doitong/images.create/seed-003-completed": """{
  "data": {
    "generateimage": {
      "id": "abc123xyz",
      "status": "completed",
      "url": "https://cdn.doitong.com/outputs/abc123xyz.jpg",
      "duration": null,
      "createdAt": "2024-01-01T00:00:00Z"
    }
  }
}""",
    "doitong/images.create/seed-003-no-credits": """{
  "errors": [
    {
      "message": "Insufficient credits for this operation",
      "extensions": {
        "code": "INSUFFICIENT_CREDITS",
        "creditsRequired": 100,
        "creditsAvailable": 50
      }
    }
  ]
}""",
    "seedance2api/images.create/seed-004": """{
"status": "success",
"data": {
"task_id": "task-uuid-12345",
"images": [
{
"id": "img-uuid-001",
"url": "https://cdn.seedance2api.com/images/...",
"width": 2048,
"height": 2048,
"format": "png",
"size_bytes": 4526048
}
],
"model": "seedream-4.5",
"resolution": "4k",
"processing_time_ms": 2500
}
}""",
    "seedance2api/images.create/seed-004-invalid-prompt": """{
"status": "error",
"error": {
"code": "INVALID_PROMPT",
"message": "Prompt is too long (max 300 characters)",
"details": {
"field": "prompt",
"value": "...",
"constraint": "max_length",
"limit": 300
}
}
}""",
    "seedance2api/images.create/seed-004-invalid-key": """{
"status": "error",
"error": {
"code": "INVALID_API_KEY",
"message": "API key is invalid or expired"
}
}""",
    "seedance2api/videos.create/seed-004": """{
"status": "accepted",
"data": {
"task_id": "task-uuid-67890",
"status": "queued",
"estimated_wait_time_seconds": 45,
"check_status_url": "/v1/tasks/task-uuid-67890"
}
}""",
    "seedance2api/videos.get/seed-004-processing": """{
"task_id": "task-123-abc",
"status": "processing",
"progress": 45,
"created_at": "2024-01-15T10:30:00Z",
"updated_at": "2024-01-15T10:32:15Z"
}""",
    "seedance2api/videos.get/seed-004-result": """{
"task_id": "task-123-abc",
"status": "completed",
"result": {
"video_url": "https://cdn.seedance2api.com/videos/...",
"duration": 15,
"resolution": "1080p"
},
"completed_at": "2024-01-15T10:35:00Z"
}""",
    **dict.fromkeys(
        ("vibegen/videos.create/seed-004-package", "vibegen/videos.get/seed-004-package"),
        """{"success":true,"data":{"id":"t1","status":"processing","model":"seedance-2.0","task_type":"text-to-video",
 "created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:05Z","estimated_time":60,"credits_consumed":100,
 "result":{"video_url":"https://x/v.mp4","thumbnail_url":null,"duration":8,"resolution":"1080p","has_audio":true},"error":null}}""",
    ),
}
# The page prints an example for each of these fields, and for no other of the answer.
FIELDS = {
    ("id",): "chatcmpl-abc123",
    ("object",): "chat.completion",
    ("model",): "doubao-seed-1-6-lite-251015",
    ("choices", 0, "message", "role"): "assistant",
    ("choices", 0, "message", "content"): "你好！有什么可以帮你的吗？",
}


def only(name):
    (interaction,) = cassette_store.load((FOLDER / f"{name}.yaml").read_text())["interactions"]
    return interaction


def leaves(value, path=()):
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return {
            leaf: found
            for step, inner in items
            for leaf, found in leaves(inner, (*path, step)).items()
        }
    return {path: value}


@pytest.mark.parametrize("name", PRINTED)
def test_a_transcribed_answer_is_what_the_page_prints(name):
    answer = only(name)["response"]["json"]
    assert answer == json.loads(PRINTED[name])
    assert list(answer) == list(json.loads(PRINTED[name]))


def test_an_answer_put_together_from_examples_has_those_and_no_more():
    assert leaves(only("anyfast/chat.create/seed-001")["response"]["json"]) == FIELDS


def test_every_transcribed_file_is_checked_here():
    files = {path.relative_to(FOLDER).with_suffix("") for path in FOLDER.rglob("seed-*.yaml")}
    assert {str(path) for path in files} == {*PRINTED, "anyfast/chat.create/seed-001"}


@pytest.mark.parametrize("name", [*PRINTED, "anyfast/chat.create/seed-001"])
def test_a_transcribed_file_loads_and_plays_in_vcrpy(name):
    wanted = only(name)
    sent, headers = wanted["request"], wanted["request"].get("headers", {})
    body = json.dumps(sent["json"]) if "json" in sent else None
    with cassette_store.recorder("replay").use_cassette(str(FOLDER / f"{name}.yaml")) as tape:
        response = tape.play_response(Request(sent["method"], sent["uri"], body, headers))
        assert tape.all_played
    assert json.loads(response["body"]["string"]) == wanted["response"]["json"]
    assert response["status"]["code"] == wanted["response"]["status"]


@contextmanager
def played(name, match_on=("method", "uri", "body")):
    """Replay one file, to its end."""
    replay = cassette_store.recorder("replay")
    with replay.use_cassette(str(FOLDER / f"{name}.yaml"), match_on=match_on) as tape:
        yield only(name)["request"].get("json")
        assert tape.all_played


def test_the_agentsflare_answers_are_arks_and_are_read_by_both_drivers(make_client):
    """R002-02, R002-09, R002-10: its address is that of an Ark service below another base URL."""
    client = make_client(provider="agentsflare")
    with played("agentsflare/videos.create/seed-002") as wanted:
        task = client.create_video(**wanted)
    assert (task.id, task.status, task.ended) == ("cgt-2026******-****", "queued", False)
    with played("agentsflare/videos.get/seed-002"):
        task = client.get_video("cgt-2026xxxxxx-xxxx")
    assert task.checked().status == "succeeded"
    assert task.video_url.endswith("/021768294532558000000000ffffc0a8bc10474251.mp4?X************")
    assert (task.completion_tokens, task.created_at) == (295800, 1768294532)
    assert task.raw == json.loads(PRINTED["agentsflare/videos.get/seed-002"])


def test_the_examples_of_anyfast_are_an_answer_without_a_usage(make_client):
    """R001-11, R001-12, R001-13: neither usage nor finish reason has an example."""
    with played("anyfast/chat.create/seed-001") as wanted:
        answer = make_client(provider="anyfast").chat(**wanted)
    assert (answer.id, answer.model) == ("chatcmpl-abc123", "doubao-seed-1-6-lite-251015")
    assert answer.content == "你好！有什么可以帮你的吗？"
    assert (answer.usage, answer.finish_reason) == (None, None)


def doitong_picture(make_client, name):
    """Ask for the printed picture; the page prints two selections for the same mutation."""
    client = make_client(provider="doitong", max_retries=0)
    with played(name, match_on=("method", "uri")) as wanted:
        asked = wanted["variables"]["input"]
        size = f"{asked['options']['width']}x{asked['options']['height']}"
        return client.create_images(model="seedream", prompt=asked["input"]["text"], size=size)


def test_a_picture_of_doitong_that_is_not_finished_is_a_task(make_client):
    """R003-09, R003-10: ``url`` is null until it is done."""
    name = "doitong/images.create/seed-003-processing"
    found = doitong_picture(make_client, name)
    assert (found.status, found.task_id, found.created) == ("running", "abc123xyz", 1704067200)
    assert found.images[0].url is None
    assert found.raw["native"] == json.loads(PRINTED[name])


def test_a_picture_of_doitong_that_is_finished_has_its_url(make_client):
    """R003-10, R003-34."""
    name = "doitong/images.create/seed-003-completed"
    found = doitong_picture(make_client, name)
    assert (found.status, found.task_id) == ("succeeded", "abc123xyz")
    assert found.images[0].url == "https://cdn.doitong.com/outputs/abc123xyz.jpg"
    assert found.raw["native"] == json.loads(PRINTED[name])


def test_a_refusal_of_doitong_says_what_is_missing(make_client):
    """R003-15, R003-16."""
    name = "doitong/images.create/seed-003-no-credits"
    with pytest.raises(InsufficientCredits, match="Insufficient credits for this") as caught:
        doitong_picture(make_client, name)
    (printed,) = json.loads(PRINTED[name])["errors"]
    assert caught.value.code == "INSUFFICIENT_CREDITS"
    assert caught.value.body["extensions"] == printed["extensions"]


def seedance2api_picture(make_client, name):
    with played(name) as wanted:
        client = make_client(provider="seedance2api", max_retries=0)
        model, prompt = wanted.pop("model"), wanted.pop("prompt")
        return client.create_images(model=model, prompt=prompt, extra_body=wanted)


def test_a_picture_of_seedance2api_is_read_with_its_facts(make_client):
    """R004-04, R004-12, R004-13: 4k was asked for, and the answer says what came."""
    name = "seedance2api/images.create/seed-004"
    found = seedance2api_picture(make_client, name)
    (picture,) = found.images
    assert (picture.size, picture.output_format) == ("2048x2048", "png")
    assert (picture.raw["id"], picture.raw["size_bytes"]) == ("img-uuid-001", 4526048)
    assert (found.task_id, found.model) == ("task-uuid-12345", "seedream-4.5")
    assert found.raw["native"] == json.loads(PRINTED[name])


def test_the_refusals_of_seedance2api_are_errors_of_ours(make_client):
    """R004-29, R004-30."""
    with pytest.raises(InvalidRequest, match="too long") as caught:
        seedance2api_picture(make_client, "seedance2api/images.create/seed-004-invalid-prompt")
    assert (caught.value.code, caught.value.param) == ("INVALID_PROMPT", "prompt")
    assert caught.value.body["details"]["limit"] == 300
    with pytest.raises(AuthenticationError, match="invalid or expired") as caught:
        seedance2api_picture(make_client, "seedance2api/images.create/seed-004-invalid-key")
    assert (caught.value.code, caught.value.status) == ("INVALID_API_KEY", 401)


def test_a_film_of_seedance2api_is_accepted_and_looked_up(make_client):
    """R004-14, R004-20, R004-21, R004-22, R004-23."""
    client = make_client(provider="seedance2api")
    name = "seedance2api/videos.create/seed-004"
    # The page asks for 15 s of a model that makes 12 at most where it comes from (C41).
    with played(name) as wanted, pytest.warns(ProfileWarning, match="duration is 15, above 12"):
        task = client.create_video(
            model=wanted["model"],
            content=[{"type": "text", "text": wanted["prompt"]}],
            duration=wanted["duration"],
            resolution=wanted["resolution"],
            extra_body={"fps": wanted["fps"]},
        )
    assert (task.id, task.status) == ("task-uuid-67890", "queued")
    assert task.raw["native"] == json.loads(PRINTED[name])
    name = "seedance2api/videos.get/seed-004-processing"
    with played(name):
        task = client.get_video("task-123-abc")
    assert (task.status, task.progress) == ("running", 45)
    assert (task.created_at, task.updated_at) == (1705314600, 1705314735)
    assert task.raw["native"] == json.loads(PRINTED[name])


def test_a_result_of_seedance2api_is_asked_for_when_the_task_does_not_say_it(at_gateway):
    """R004-24: the page prints the result at its own path only."""
    name = "seedance2api/videos.get/seed-004-result"
    answers = {
        "/v1/tasks/task-123-abc": {"task_id": "task-123-abc", "status": "completed"},
        "/v1/results/task-123-abc": only(name)["response"]["json"],
    }
    asked = []

    def answer(request):
        asked.append(request.url.path)
        return httpx.Response(200, json=answers[request.url.path])

    task = at_gateway("seedance2api", answer).get_video("task-123-abc")
    assert asked == list(answers)
    assert only(name)["request"]["uri"].endswith(asked[-1])
    assert (task.status, task.updated_at) == ("succeeded", 1705314900)
    assert task.video_url == "https://cdn.seedance2api.com/videos/..."
    assert task.raw["native"] == json.loads(PRINTED[name])


def test_a_film_of_vibegen_is_accepted_and_looked_up(make_client):
    """The answer to both is the same, with an address before the end, which is not the film's."""
    client = make_client(provider="vibegen")
    name = "vibegen/videos.create/seed-004-package"
    with played(name) as wanted:
        content = [{"type": "text", "text": wanted.pop("prompt")}]
        task = client.create_video(content=content, **wanted)
    assert (task.id, task.status, task.raw["usage"]) == ("t1", "running", {"credits": 100})
    assert task.raw["native"] == json.loads(PRINTED[name])
    with played("vibegen/videos.get/seed-004-package"):
        task = client.get_video("t1")
    assert (task.status, task.model, task.video_url) == ("running", "seedance-2.0", None)
    assert (task.created_at, task.updated_at) == (1767225600, 1767225605)
    assert (task.raw["duration"], task.raw["resolution"]) == (8, "1080p")
    assert task.raw["generate_audio"] is True


def test_the_printed_request_to_xroute_is_sent_as_it_is(at_gateway):
    """R000-37, R000-38: the guide prints no answer; the model is any of the gateway's."""
    sent = []

    def answer(request):
        sent.append((str(request.url), json.loads(request.content)))
        return httpx.Response(200, json={"choices": [{"message": {"content": "Hi"}}]})

    messages = [{"content": "Your text prompt here", "role": "user"}]
    at_gateway("xroute", answer).chat(model="gpt-5", messages=messages)
    assert sent == [
        (
            "https://api.xroute.ai/openai/v1/chat/completions",
            {"model": "gpt-5", "messages": messages},
        )
    ]
