"""What every request meets before its handler: keys, ids, limits, the error envelope."""

import http.client
import json
import re

import httpx
import pytest

from doubao_emulator import __version__

MODEL = "doubao-seed-2-0-lite-260215"
HELLO = {"model": MODEL, "messages": [{"role": "user", "content": "hello"}]}
KEY = {"Authorization": "Bearer k"}


def error_of(answer):
    return answer.json()["error"]


@pytest.mark.parametrize("value", [None, "", "Bearer", "Basic abc", "k", "Bearer None"])
def test_a_missing_or_malformed_key_is_arks_401(emulator, value):
    headers = {} if value is None else {"Authorization": value}
    answer = httpx.post(f"{emulator.base_url}/chat/completions", json=HELLO, headers=headers)
    assert answer.status_code == 401
    request_id = answer.headers["x-request-id"]
    assert error_of(answer) == {
        "code": "AuthenticationError",
        "message": (
            f"The API key or AK/SK in the request is missing or invalid. Request id: {request_id}"
        ),
        "param": "",
        "type": "Unauthorized",
    }


@pytest.mark.parametrize("path", ["/nothing", "/models", "/contents/generations/tasks"])
def test_the_key_is_checked_before_the_path(emulator, path):
    assert httpx.get(emulator.base_url + path).status_code == 401


def test_the_key_is_checked_before_the_body_is_understood(emulator):
    answer = httpx.post(f"{emulator.base_url}/chat/completions", content=b"{")
    assert answer.status_code == 401


def test_an_answer_carries_its_ids_and_the_emulators_mark(emulator):
    headers = {**KEY, "X-Client-Request-Id": "mine"}
    answer = httpx.post(f"{emulator.base_url}/chat/completions", json=HELLO, headers=headers)
    assert answer.headers["x-client-request-id"] == "mine"
    assert answer.headers["x-request-id"] == answer.json()["id"]
    assert re.fullmatch(r"02\d{13}[0-9a-f]{38}", answer.json()["id"])
    assert answer.headers["x-doubao-emulator"] == __version__
    assert answer.headers["content-type"] == "application/json; charset=utf-8"


def test_a_client_id_is_invented_when_none_is_sent(emulator):
    answer = httpx.get(f"{emulator.base_url}/models", headers=KEY)
    assert re.fullmatch(r"unknown-\d{14}-[a-z0-9]{8}", answer.headers["x-client-request-id"])


def test_requests_are_recorded_as_they_arrived(emulator):
    headers = {**KEY, "X-Custom": "Ä".encode("latin-1")}
    httpx.post(f"{emulator.base_url}/chat/completions?a=1&b=%20x", json=HELLO, headers=headers)
    httpx.get(f"{emulator.base_url}/models", headers=KEY)
    chat, models = emulator.requests
    assert (chat.method, chat.path, chat.query) == ("POST", "/api/v3/chat/completions", "a=1&b= x")
    assert chat.body == HELLO
    assert chat.size == len(json.dumps(HELLO, separators=(",", ":")))
    assert chat.headers["authorization"] == "Bearer k"
    assert chat.headers["x-custom"] == "Ä"
    assert (models.method, models.body) == ("GET", None)
    assert chat.time <= models.time


def test_a_refused_request_is_recorded_too(emulator):
    httpx.post(f"{emulator.base_url}/chat/completions", content=b"\xff{", headers=KEY)
    assert emulator.requests[0].body == b"\xff{"


def test_the_repr_of_a_recorded_request_holds_no_key(emulator):
    httpx.get(f"{emulator.base_url}/models", headers={"Authorization": "Bearer s3cret"})
    assert "s3cret" not in repr(emulator.requests[0])


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"{", "it is not valid JSON."),
        (b"", "it is not valid JSON."),
        (b"\xff\xfe", "it is not valid JSON."),
        (b"[1]", "a JSON object is expected."),
        (b"null", "a JSON object is expected."),
        (b"[" * 200_000, "it is nested too deeply."),
    ],
)
def test_a_body_that_is_no_json_object_is_a_400(emulator, body, sentence):
    answer = httpx.post(f"{emulator.base_url}/chat/completions", content=body, headers=KEY)
    assert answer.status_code == 400
    assert error_of(answer)["code"] == "InvalidParameter"
    assert sentence in error_of(answer)["message"]


def test_half_a_surrogate_pair_breaks_neither_a_refusal_nor_an_answer(emulator):
    for model, status in (("\ud800", 404), (HELLO["model"], 200)):
        body = {"model": model, "messages": [{"role": "user", "content": "say \ud800"}]}
        answer = httpx.post(
            f"{emulator.base_url}/chat/completions", content=json.dumps(body), headers=KEY
        )
        assert (answer.status_code, answer.encoding) == (status, "utf-8")
        assert answer.json()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v3/nothing"),
        ("POST", "/api/v3/contents/generations/tasks/cgt-1/cancel"),
        ("GET", "/"),
        ("GET", "/api/v3"),
        ("PUT", "/api/v3/models"),
        ("GET", "/api/v3/chat/completions"),
    ],
)
def test_an_unknown_route_is_a_404_in_arks_form(emulator, method, path):
    answer = httpx.request(method, emulator.world.origin + path, headers=KEY)
    assert answer.status_code == 404
    assert error_of(answer)["type"] == "NotFound"
    assert f"{method} {path}" in error_of(answer)["message"]


def test_a_declared_body_over_64_mb_is_refused_unread(emulator):
    host = emulator.world.origin.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=5)
    connection.putrequest("POST", "/api/v3/chat/completions")
    connection.putheader("Authorization", "Bearer k")
    connection.putheader("Content-Length", str(64 * 1024 * 1024 + 1))
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 413
    assert json.loads(answer.read())["error"]["code"] == "RequestBodyTooLarge"
    connection.close()


def test_the_clouds_have_their_own_models(emulator):
    ark = httpx.get(f"{emulator.base_url}/models", headers=KEY).json()
    byteplus = httpx.get(f"{emulator.byteplus_base_url}/models", headers=KEY).json()
    ark_ids = {model["id"] for model in ark["data"]}
    byteplus_ids = {model["id"] for model in byteplus["data"]}
    assert {MODEL, "doubao-embedding-vision-251215", "doubao-seedance-2-0-260128"} <= ark_ids
    assert {"seed-2-0-pro-260328", "skylark-embedding-vision-251215"} <= byteplus_ids
    assert not {name for name in byteplus_ids if name.startswith("doubao-")}
    assert ark["object"] == "list"


def test_a_model_is_described_with_its_limits(emulator):
    models = httpx.get(f"{emulator.base_url}/models", headers=KEY).json()["data"]
    described = next(model for model in models if model["id"] == "doubao-seed-1-8-251228")
    assert described["name"] == "doubao-seed-1-8"
    assert described["version"] == "251228"
    assert described["object"] == "model"
    assert described["domain"] == "VLM"
    assert described["task_type"] == ["VisualQuestionAnswering", "TextGeneration"]
    assert described["modalities"]["output_modalities"] == ["text"]
    assert described["token_limits"] == {
        "context_window": 262_144,
        "max_input_token_length": 229_376,
        "max_output_token_length": 65_536,
        "max_reasoning_token_length": 32_768,
    }
    assert described["features"]["structured_outputs"] == {
        "json_object": True,
        "json_schema": True,
    }
    assert "status" not in described


def test_aliases_are_not_listed(emulator):
    models = httpx.get(f"{emulator.base_url}/models", headers=KEY).json()["data"]
    ids = [model["id"] for model in models]
    assert "doubao-seedream-5-0-260128" in ids
    assert "doubao-seedream-5-0-lite-260128" not in ids
    assert len(ids) == len(set(ids))


def test_a_bug_in_a_handler_is_a_500_and_is_logged(emulator, monkeypatch, caplog):
    def broken():
        raise RuntimeError("a bug")

    monkeypatch.setattr(emulator.world.ids, "tool_call", broken)
    emulator.answer(tool_calls=[("f", {})])
    answer = httpx.post(f"{emulator.base_url}/chat/completions", json=HELLO, headers=KEY)
    assert answer.status_code == 500
    assert error_of(answer)["code"] == "InternalServiceError"
    assert "a bug" not in answer.text
    assert "a bug" in caplog.text
