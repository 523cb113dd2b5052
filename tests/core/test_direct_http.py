"""Connections of our own, over all that a server may do with them."""

from __future__ import annotations

import gzip
import json
import socket
import threading

import pytest

from doubao_core import (
    AmbiguousSubmit,
    ConnectionLost,
    Malformed,
    Truncated,
)
from doubao_core.transport.through_httpx import aunpacked, unpacked

CHAT = {"model": "doubao-seed-2-1-pro-260915", "messages": [{"role": "user", "content": "Hello"}]}
FILM = {
    "model": "doubao-seedance-2-0-fast-260128",
    "content": [{"type": "text", "text": "A cat yawns"}],
}
BODY = json.dumps(
    {"choices": [{"index": 0, "finish_reason": "stop", "message": {"content": "Hi."}}]}
).encode()
STREAM = (
    b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'
    b'data: {"choices":[{"delta":{"content":"b"},"finish_reason":"stop"}]}\n\n'
    b"data: [DONE]\n\n"
)
OK = b"HTTP/1.1 200 OK\r\n"
COUNTED = OK + b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def chunks(data, size):
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def bytewise(data):
    return [data[at : at + 1] for at in range(len(data))]


GOOD = {
    "counted": [COUNTED],
    "in chunks": [CHUNKED + chunks(BODY, 7)],
    "byte by byte": bytewise(CHUNKED + chunks(BODY, 20)),
    "after interim answers": [b"HTTP/1.1 100 Continue\r\n\r\n" * 3, COUNTED],
    "with a trailer": [CHUNKED + chunks(BODY, 50)[:-2] + b"X-Sum: 1\r\n\r\n"],
    "with line feeds only": [b"HTTP/1.1 200 OK\nContent-Length: %d\n\n" % len(BODY) + BODY],
    "packed": [
        OK + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
        chunks(gzip.compress(BODY), 10),
    ],
}


@pytest.mark.parametrize("answers", GOOD.values(), ids=GOOD)
def test_an_answer_may_be_framed_in_any_way(make_client, serve, answers):
    server = serve(*answers)
    client = make_client(base_url=server.base_url)
    assert [client.chat(**CHAT).content for _ in range(3)] == ["Hi."] * 3
    assert len(server.accepted) == 1
    head, body = server.requests[-1]
    assert head.startswith(b"POST /api/v3/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:")
    assert json.loads(body) == CHAT


@pytest.mark.parametrize("size", [1, 7, 40, 10_000])
def test_a_stream_may_be_cut_anywhere(make_client, serve, size):
    head = OK + b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    server = serve(head + chunks(STREAM, size))
    client = make_client(base_url=server.base_url)
    for _ in range(2):
        assert [event.content for event in client.stream_chat(**CHAT)] == ["a", "b"]
    assert len(server.accepted) == 1


def test_a_packed_stream_is_unpacked_as_it_comes(make_client, serve):
    head = OK + b"Content-Type: text/event-stream\r\nContent-Encoding: gzip\r\n\r\n"
    server = serve(head + gzip.compress(STREAM), close=True)
    client = make_client(base_url=server.base_url)
    assert [event.content for event in client.stream_chat(**CHAT)] == ["a", "b"]


@pytest.mark.parametrize(
    "answers",
    [
        [OK + b"Content-Type: application/json\r\n\r\n" + BODY],
        [b"HTTP/1.0 200 OK\r\n\r\n" + BODY],
        [OK + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY],
    ],
    ids=["until closed", "old", "announced"],
)
def test_a_server_that_closes_after_each_answer_gets_a_connection_each(
    make_client, serve, answers, naps
):
    server = serve(*answers, close=True)
    client = make_client(base_url=server.base_url)
    assert [client.chat(**CHAT).content for _ in range(3)] == ["Hi."] * 3
    assert (len(server.accepted), naps) == (3, [])


def test_a_connection_that_the_server_closed_meanwhile_is_not_used_again(make_client, serve, naps):
    """A paid request must not be lost on a connection that is known to be dead."""
    film = json.dumps({"id": "cgt-1"}).encode()
    closed = threading.Event()

    def script(server, connection):
        server.read(connection)
        connection.sendall(OK + b"Content-Length: %d\r\n\r\n" % len(film) + film)
        connection.shutdown(socket.SHUT_RDWR)
        closed.set()

    server = serve(script=script)
    client = make_client(base_url=server.base_url)
    for _ in range(3):
        client.create_video(**FILM)
        assert closed.wait(10)
        closed.clear()
    assert (len(server.accepted), len(server.requests), naps) == (3, 3, [])


def test_a_connection_that_the_server_will_not_keep_is_not_used_again(make_client, serve):
    """It says so in a header, and closes a moment later: perhaps when the next request comes."""
    server = serve(COUNTED.replace(OK, OK + b"Keep-Alive: timeout=0\r\n"))
    client = make_client(base_url=server.base_url)
    assert [client.chat(**CHAT).content for _ in range(3)] == ["Hi."] * 3
    assert len(server.accepted) == 3


def test_a_body_where_none_may_be_is_not_taken_for_the_next_answer(make_client, serve):
    """It arrives when the next request is already on its way."""
    evil = COUNTED.replace(b"Hi.", b"No.")
    answers = iter([b"HTTP/1.1 204 No Content\r\nContent-Length: %d\r\n\r\n" % len(evil), COUNTED])

    def script(server, connection):
        while server.read(connection):
            if len(server.requests) > 1 and connection is server.accepted[0]:
                connection.sendall(evil)
                return
            connection.sendall(next(answers))

    server = serve(script=script)
    client = make_client(base_url=server.base_url)
    with pytest.raises(Malformed):
        client.chat(**CHAT)
    assert client.chat(**CHAT).content == "Hi."


@pytest.mark.parametrize("more", [b"x", COUNTED.replace(b"Hi.", b"No.")], ids=["a byte", "another"])
def test_what_a_server_sends_unasked_is_not_taken_for_the_next_answer(make_client, serve, more):
    answers = iter([COUNTED + more, COUNTED])

    def script(server, connection):
        while server.read(connection):
            connection.sendall(next(answers))

    server = serve(script=script)
    client = make_client(base_url=server.base_url)
    assert [client.chat(**CHAT).content for _ in range(2)] == ["Hi.", "Hi."]
    assert len(server.accepted) == 2


LOST = {
    "nothing": b"",
    "half a status line": b"HTTP/1.1 20",
    "half a head": OK + b"Content-Le",
    "only an interim answer": b"HTTP/1.1 100 Continue\r\n\r\n",
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "an endless head": OK + b"A: " + b"x" * 200_000,
    "no length that is a number": OK + b"Content-Length: many\r\n\r\n",
}
CUT = {
    "counted": COUNTED[:-1],
    "in chunks": CHUNKED + chunks(BODY, 10)[:-1],
    "without its last chunk": CHUNKED + chunks(BODY, 10)[:-5],
    "with a wrong size": CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n",
    "with a chunk that is too long": CHUNKED + b"2\r\nhello\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("answer", LOST.values(), ids=LOST)
def test_an_answer_that_never_began_is_a_lost_connection(make_client, serve, answer):
    server = serve(answer, close=True)
    client = make_client(base_url=server.base_url, max_retries=0)
    with pytest.raises(ConnectionLost, match="before the service answered"):
        client.chat(**CHAT)
    with pytest.raises(AmbiguousSubmit) as caught:
        client.create_video(**FILM)
    assert isinstance(caught.value.__cause__, ConnectionLost)
    assert len(server.requests) == 2


@pytest.mark.parametrize("answer", CUT.values(), ids=CUT)
def test_an_answer_that_began_and_breaks_off_is_truncated(make_client, serve, answer):
    server = serve(answer, close=True)
    client = make_client(base_url=server.base_url, max_retries=0)
    with pytest.raises(Truncated, match="ended early"):
        client.chat(**CHAT)
    with pytest.raises(AmbiguousSubmit):
        client.create_video(**FILM)
    assert len(server.requests) == 2


async def test_a_small_packed_block_does_not_become_a_huge_one():
    """Limits are looked at between blocks: what one of them holds must be bounded, too."""
    packed = gzip.compress(bytes(100_000_000))
    headers = {"content-encoding": "gzip"}

    async def blocks():
        yield packed

    sizes = [len(block) for block in unpacked(iter([packed]), headers)]
    assert sum(sizes) == 100_000_000
    assert max(sizes) < 10_000_000
    assert max([len(block) async for block in aunpacked(blocks(), headers)]) < 10_000_000


def test_a_packed_answer_that_is_none_is_malformed(make_client, serve):
    head = OK + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\n"
    client = make_client(base_url=serve(head + b"hello").base_url)
    with pytest.raises(Malformed, match="cannot be unpacked"):
        client.chat(**CHAT)
