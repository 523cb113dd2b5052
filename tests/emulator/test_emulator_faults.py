"""Faults, seen from a client: what it gets when the service or the line misbehaves."""

import socket
import threading
import time

import httpx
import pytest

from doubao_emulator.files import StoredFile

MODEL = "doubao-1-5-pro-32k-250115"
BODY = {"model": MODEL, "messages": [{"role": "user", "content": "hello"}]}
KEY = {"Authorization": "Bearer k"}


@pytest.fixture
def client(emulator):
    with httpx.Client(base_url=emulator.base_url, headers=KEY, timeout=5) as client:
        yield client


def chat(client, **more):
    return client.post("/chat/completions", json={**BODY, **more})


def read_stream(client):
    """Return what of a stream arrived, and what ended it."""
    received = b""
    try:
        with client.stream("POST", "/chat/completions", json={**BODY, "stream": True}) as answer:
            for chunk in answer.iter_raw():
                received += chunk
    except httpx.TransportError as error:
        return received, error
    return received, None


def until_timeout(answer):
    """Return what arrived before the client lost patience; fail when the answer ended."""
    received = b""
    try:
        for chunk in answer.iter_raw():
            received += chunk
    except httpx.ReadTimeout:
        return received
    pytest.fail("The answer ended instead of stalling.")


def events_in(received):
    return [frame for frame in received.split(b"\n\n") if frame]


def raw_answer(emulator, body):
    """Send a request over a bare socket; return what arrived and how the connection ended."""
    host, port = emulator.world.origin.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as line:
        head = (
            "POST /api/v3/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        line.sendall(head.encode() + body)
        received = b""
        try:
            while piece := line.recv(65_536):
                received += piece
        except ConnectionResetError:
            return received, "reset"
        return received, "closed"


RAW_BODY = b'{"model":"doubao-1-5-pro-32k-250115","messages":[{"role":"user","content":"hi"}]}'
RAW_STREAM = RAW_BODY[:-1] + b',"stream":true}'


def test_reset_before_answer_kills_the_connection_and_does_nothing(emulator):
    with emulator.fault("reset_before_answer", times=1):
        assert raw_answer(emulator, RAW_BODY) == (b"", "reset")
    assert len(emulator.requests) == 1


def test_a_lost_answer_was_acted_upon(emulator, client):
    upload = {"files": {"file": ("a.txt", b"x")}, "data": {"purpose": "user_data"}}
    with emulator.fault("lost_answer", times=1), pytest.raises(httpx.TransportError):
        client.post("/files", **upload)
    assert len(emulator.world.table(StoredFile)) == 1
    with emulator.fault("reset_before_answer", times=1), pytest.raises(httpx.TransportError):
        client.post("/files", **upload)
    assert len(emulator.world.table(StoredFile)) == 1


def test_reset_mid_stream_really_resets(emulator, client):
    with emulator.fault("reset_mid_stream", after_events=2):
        received, error = read_stream(client)
        assert raw_answer(emulator, RAW_STREAM)[1] == "reset"
    assert isinstance(error, httpx.ReadError)
    assert len(events_in(received)) <= 2


def test_a_truncated_stream_ends_quietly_without_its_end(emulator, client):
    with emulator.fault("truncated_stream", after_events=2):
        received, error = read_stream(client)
    assert error is None
    assert len(events_in(received)) == 2
    assert b"[DONE]" not in received
    assert b"finish_reason" not in received


def test_a_cut_stream_ends_without_its_last_chunk(emulator, client):
    with emulator.fault("truncated_stream", after_events=2, cut=True):
        received, error = read_stream(client)
        raw, ending = raw_answer(emulator, RAW_STREAM)
    assert isinstance(error, httpx.RemoteProtocolError)
    assert len(events_in(received)) == 2
    assert ending == "closed"
    assert not raw.endswith(b"0\r\n\r\n")


def test_an_error_inside_a_stream_keeps_status_200(emulator, client):
    with emulator.fault("error_mid_stream", after_events=1, code="ServerOverloaded"):
        received, error = read_stream(client)
    first, last = events_in(received)
    assert error is None
    assert first.startswith(b'data: {"choices"')
    assert last.startswith(b'data: {"error":{"code":"ServerOverloaded","message":"')
    assert b'"type":"InternalServerError"' in last


def test_malformed_json_in_a_stream_is_one_event_among_good_ones(emulator, client):
    with emulator.fault("malformed_json", after_events=1):
        received, _ = read_stream(client)
    events = events_in(received)
    assert events[1] == b'data: {"choices":[{"delta":{"content":"'
    assert events[-1] == b"data: [DONE]"


def test_malformed_json_in_a_plain_answer_is_half_a_body(emulator, client):
    with emulator.fault("malformed_json", times=1):
        answer = chat(client)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/json")
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        answer.json()
    assert chat(client).json()["object"] == "chat.completion"


@pytest.mark.parametrize(("stream", "events"), [(False, 0), (True, 0), (True, 2)])
def test_a_stall_sends_headers_and_then_nothing(emulator, client, stream, events):
    with emulator.fault("stall", after_events=events) as fault:
        body = {**BODY, "stream": stream}
        with client.stream("POST", "/chat/completions", json=body, timeout=0.1) as answer:
            assert answer.status_code == 200
            received = until_timeout(answer)
        assert len(events_in(received)) == events
        assert not fault.released.done()


@pytest.mark.parametrize("stream", [False, True])
def test_a_stalled_answer_goes_on_when_released(emulator, client, stream):
    answers = []
    with emulator.fault("stall", after_events=1, times=1):
        asking = threading.Thread(target=lambda: answers.append(chat(client, stream=stream)))
        asking.start()
        while not emulator.requests:
            time.sleep(0.005)
        time.sleep(0.02)
        assert answers == []
    asking.join(5)
    assert answers[0].content.endswith(b"[DONE]\n\n" if stream else b"}")


def test_one_stall_may_hold_several_clients_and_one_may_leave(emulator, client):
    answers = []
    with emulator.fault("stall"):
        with pytest.raises(httpx.ReadTimeout):
            client.post("/chat/completions", json=BODY, timeout=0.05)
        asking = threading.Thread(target=lambda: answers.append(chat(client)))
        asking.start()
        while len(emulator.requests) < 2:
            time.sleep(0.005)
        time.sleep(0.02)
        assert answers == []
    asking.join(5)
    assert answers[0].status_code == 200


@pytest.mark.parametrize(
    ("fault", "status", "code", "retry_after"),
    [
        (("rate_limit", {}), 429, "RateLimitExceeded.EndpointTPMExceeded", None),
        (("rate_limit", {"retry_after": 7}), 429, "RateLimitExceeded.EndpointTPMExceeded", "7"),
        (("rate_limit", {"code": "ServerOverloaded"}), 429, "ServerOverloaded", None),
        (("quota", {}), 429, "SetLimitExceeded", None),
        (("quota", {"code": "AccountQuotaExceeded"}), 429, "AccountQuotaExceeded", None),
        (("server_error", {}), 500, "InternalServiceError", None),
        (("model_not_open", {}), 404, "ModelNotOpen", None),
    ],
)
def test_error_answers_are_arks_own(emulator, client, fault, status, code, retry_after):
    name, params = fault
    with emulator.fault(name, times=1, **params):
        answer = chat(client)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.headers.get("retry-after") == retry_after
    assert answer.json()["error"]["message"].endswith(answer.headers["x-request-id"])
    assert chat(client).status_code == 200


def test_model_not_open_names_the_model(emulator, client):
    with emulator.fault("model_not_open"):
        assert MODEL in chat(client).json()["error"]["message"]


def test_a_gateway_error_is_not_json(emulator, client):
    with emulator.fault("server_error", status=502):
        answer = chat(client)
    assert answer.status_code == 502
    assert answer.headers["content-type"] == "text/html"


def test_a_fault_strikes_only_its_path(emulator, client):
    with emulator.fault("server_error", path="/models"):
        assert client.get("/models").status_code == 500
        assert chat(client).status_code == 200


def test_the_key_matters_even_under_a_fault(emulator):
    with emulator.fault("quota"):
        assert httpx.get(f"{emulator.base_url}/models").status_code == 401
