"""Large requests over connections of our own: whole, in time, and not to who refused them."""

from __future__ import annotations

import json
import threading

import pytest

from doubao_core import (
    AmbiguousSubmit,
    ConnectionLost,
    InvalidRequest,
    Timeout,
)

MODEL = "doubao-seed-2-1-pro-260915"
LARGE = {"model": MODEL, "messages": [{"role": "user", "content": "word " * 4_000_000}]}
FILM = {
    "model": "doubao-seedance-2-0-fast-260128",
    "content": [{"type": "text", "text": "A cat yawns " * 1_000_000}],
}
BODY = json.dumps(
    {"choices": [{"index": 0, "finish_reason": "stop", "message": {"content": "Hi."}}]}
).encode()
OK = b"HTTP/1.1 200 OK\r\n"
COUNTED = OK + b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
ERROR = json.dumps({"error": {"code": "InvalidParameter", "message": "too long"}}).encode()
REFUSAL = b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n%b" % (len(ERROR), ERROR)


@pytest.fixture
def done():
    """Return an event that is set when the test is over, for servers that do nothing."""
    event = threading.Event()
    yield event
    event.set()


def test_a_large_request_arrives_whole(make_client, serve):
    server = serve(COUNTED)
    client = make_client(base_url=server.base_url)
    for _ in range(2):
        assert client.chat(**LARGE).content == "Hi."
        assert json.loads(server.requests[-1][1]) == LARGE
    assert len(server.accepted) == 1


def test_a_server_that_does_not_read_the_request_is_a_timeout(make_client, serve, done):
    server = serve(script=lambda _server, _connection: done.wait(10))
    client = make_client(base_url=server.base_url, timeout=0.2, max_retries=0)
    with pytest.raises(Timeout):
        client.chat(**LARGE)


@pytest.mark.parametrize("cuts", [[], [20], [len(REFUSAL) - 3]], ids=["whole", "head", "body"])
def test_an_early_refusal_of_a_large_request_is_read_at_once(make_client, serve, done, cuts):
    """The service may answer before it has the whole body, and read no more of it."""
    parts = [REFUSAL[start:end] for start, end in zip([0, *cuts], [*cuts, None], strict=True)]

    def script(_server, connection):
        connection.recv(1000)
        for part in parts:
            connection.sendall(part)
            done.wait(0.02)
        done.wait(10)

    server = serve(script=script)
    client = make_client(base_url=server.base_url, timeout=60.0)
    for _ in range(2):
        with pytest.raises(InvalidRequest, match="too long"):
            client.chat(**LARGE)
    assert len(server.accepted) == 2, "the first request was never finished"


def test_an_early_refusal_of_a_paid_request_is_not_ambiguous(make_client, serve, done):
    def script(_server, connection):
        connection.recv(1000)
        connection.sendall(REFUSAL)
        done.wait(10)

    client = make_client(base_url=serve(script=script).base_url, timeout=60.0)
    with pytest.raises(InvalidRequest):
        client.create_video(**FILM)


@pytest.mark.parametrize(
    "early", [b"HTTP/1.1 100 Continue\r\n\r\n", COUNTED[:60], COUNTED[:-4], COUNTED[:10]]
)
def test_the_rest_of_a_request_is_sent_although_something_has_come(make_client, serve, early):
    """Only a refusal ends it: who has begun a good answer waits for all of the request."""

    def script(server, connection):
        connection.sendall(early)
        while server.read(connection):
            whole = COUNTED if early.startswith(b"HTTP/1.1 100") else COUNTED[len(early) :]
            connection.sendall(whole)
            return

    server = serve(script=script)
    client = make_client(base_url=server.base_url)
    assert client.chat(**LARGE).content == "Hi."
    assert json.loads(server.requests[-1][1]) == LARGE


def test_a_server_that_goes_away_in_the_middle_of_a_paid_request_is_ambiguous(make_client, serve):
    """It may have been a proxy, and what stands behind it may have had enough."""

    def script(_server, connection):
        connection.recv(100_000)
        connection.close()

    server = serve(script=script)
    client = make_client(base_url=server.base_url)
    with pytest.raises(AmbiguousSubmit) as caught:
        client.create_video(**FILM)
    assert isinstance(caught.value.__cause__, ConnectionLost)
    assert len(server.accepted) == 1
