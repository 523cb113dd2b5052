"""Answers that vendors print in their documentation, as cassettes: whole, unchanged, loadable."""

from __future__ import annotations

import json

import cassette_store
import pytest
from record_cassettes import FOLDER
from vcr.request import Request

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
}
# The page prints an example for each of these fields, and for no other of the answer.
FIELDS = {
    ("id",): "chatcmpl-abc123",
    ("object",): "chat.completion",
    ("model",): "doubao-seed-1-6-lite-251015",
    ("choices", 0, "message", "role"): "assistant",
    ("choices", 0, "message", "content"): "你好！有什么可以帮你的吗？",
}
AGENTSFLARE = "https://api.agentsflare.com/byteplus/v3"


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


def test_the_agentsflare_answers_are_arks_and_are_read_by_both_drivers(make_client):
    """Its address is that of an Ark service below another base URL (ark.md 15.4)."""
    client = make_client(provider="byteplus", base_url=AGENTSFLARE)
    replay = cassette_store.recorder("replay")
    wanted = only("agentsflare/videos.create/seed-002")["request"]["json"]
    with replay.use_cassette(str(FOLDER / "agentsflare/videos.create/seed-002.yaml")) as tape:
        task = client.create_video(**wanted)
        assert tape.all_played
    assert (task.id, task.status, task.ended) == ("cgt-2026******-****", "queued", False)
    with replay.use_cassette(str(FOLDER / "agentsflare/videos.get/seed-002.yaml")) as tape:
        task = client.get_video("cgt-2026xxxxxx-xxxx")
        assert tape.all_played
    assert task.checked().status == "succeeded"
    assert task.video_url.endswith("/021768294532558000000000ffffc0a8bc10474251.mp4?X************")
    assert (task.completion_tokens, task.created_at) == (295800, 1768294532)
    assert task.raw["framespersecond"] == 24
