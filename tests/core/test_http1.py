"""The HTTP/1.1 reader: what h11 reads, however the bytes are cut, and nothing without a bound."""

from __future__ import annotations

from itertools import pairwise

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubao_core import ConfigError
from doubao_core.transport.http1 import (
    MAX_HEAD_BYTES,
    MAX_LINE_BYTES,
    AnswerReader,
    NotHTTPError,
    request_head,
)

OK = b"HTTP/1.1 200 OK\r\n"
FRAMING = ("content-length", "transfer-encoding")
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def read(blocks, *, closed=False):
    """Feed an answer; gives what was read, as ``oracle`` gives it."""
    reader = AnswerReader()
    body = b"".join([reader.feed(block) for block in blocks])
    if closed and not reader.complete:
        reader.end()
    # h11 rewrites what it has understood of these.
    headers = {name: value for name, value in reader.headers.items() if name not in FRAMING}
    return reader.status, headers, body, reader.complete


def oracle(blocks, *, closed=False):
    """Read the answer to a GET with h11."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "h")]))
    connection.send(h11.EndOfMessage())
    status, headers, body, complete = 0, {}, b"", False
    # An empty block is how h11 is told of the end.
    for block in [*filter(None, blocks), *([b""] if closed else [])]:
        if complete:
            break
        connection.receive_data(block)
        while (event := connection.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
            if isinstance(event, h11.Response):
                status = event.status_code
                for name, value in event.headers:
                    if name.decode() in FRAMING:
                        continue
                    known = headers.get(name.decode())
                    text = value.decode()
                    headers[name.decode()] = text if known is None else f"{known}, {text}"
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                complete = True
                break
            elif isinstance(event, h11.ConnectionClosed):
                break
    return status, headers, body, complete


def pieces(data, cuts):
    bounds = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(bounds) if start < end]


def outcome(how, blocks, *, closed):
    try:
        return how(blocks, closed=closed)
    except (NotHTTPError, h11.RemoteProtocolError):
        return "refused"


ANSWERS = {
    "counted": OK + b"Content-Length: 5\r\n\r\nhello",
    "empty": OK + b"Content-Length: 0\r\n\r\n",
    "no content": b"HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n",
    "not modified": b"HTTP/1.1 304 Not Modified\r\n\r\n",
    "chunked": CHUNKED + b"5\r\nhello\r\n1;name=value\r\n \r\nA \r\n0123456789\r\n0\r\n\r\n",
    "capital chunked": OK + b"transfer-encoding: CHUNKED\r\n\r\n2\r\nab\r\n000\r\n\r\n",
    "trailer": CHUNKED + b"1\r\na\r\n0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n",
    "chunked and counted": (
        OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"
    ),
    "until closed": OK + b"Content-Type: text/plain\r\n\r\nall of it",
    "old": b"HTTP/1.0 200 OK\r\n\r\nold",
    "interim": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n"
        + OK
        + b"Content-Length: 2\r\n\r\nok"
    ),
    "bare line feeds": b"HTTP/1.1 200 OK\nA: 1\nContent-Length: 2\n\nok",
    "repeated": OK + b"A: 1\r\nA: 2\r\nContent-Length: 1, 1\r\nContent-Length: 1\r\n\r\nx",
    "folded": OK + b"A: 1\r\n   2\r\n\t3\r\nContent-Length: 1\r\n\r\nx",
    "no reason": b"HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx",
    "blanks around": OK + b"A: \t one two \t \r\nB:\r\nContent-Length:1\r\n\r\nx",
    "utf-8": OK + "A: grün\r\nContent-Length: 1\r\n\r\nx".encode(),
}
WRONG = {
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "another version": b"HTTP/2 200 OK\r\n\r\n",
    "no status": b"HTTP/1.1 OK\r\n\r\n",
    "a status of four digits": b"HTTP/1.1 2000 OK\r\n\r\n",
    "a carriage return too many": b"HTTP/1.1 204\r\r\n\r\n",
    "a blank line first": b"\r\n" + OK + b"\r\n",
    "a field without a colon": OK + b"nothing\r\n\r\n",
    "a field without a name": OK + b": nothing\r\n\r\n",
    "a blank before the colon": OK + b"A : 1\r\n\r\n",
    "a continued status line": OK + b" A: 1\r\n\r\n",
    "a zero byte": OK + b"A: \x00\r\n\r\n",
    "a carriage return": OK + b"A: 1\r2\r\n\r\n",
    "two lengths": OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxy",
    "a length with a sign": OK + b"Content-Length: +5\r\n\r\nhello",
    "a length that is endless": OK + b"Content-Length: " + b"9" * 30 + b"\r\n\r\nhello",
    "another coding": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "two codings": OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    "a size with a sign": CHUNKED + b"+5\r\nhello\r\n0\r\n\r\n",
    "a size with a prefix": CHUNKED + b"0x5\r\nhello\r\n0\r\n\r\n",
    "a size with an underscore": CHUNKED + b"1_0\r\nhello\r\n0\r\n\r\n",
    "a size that is endless": CHUNKED + b"f" * 30 + b"\r\nhello",
    "no size": CHUNKED + b"\r\nhello\r\n0\r\n\r\n",
    "a size without its line end": CHUNKED + b"5\nhello\r\n0\r\n\r\n",
    "a chunk that is too long": CHUNKED + b"5\r\nhello!\r\n0\r\n\r\n",
    "a chunk without its line end": CHUNKED + b"5\r\nhello5\r\nhello\r\n0\r\n\r\n",
    "a wrong trailer": CHUNKED + b"0\r\nnothing\r\n\r\n",
    "a body that ends early": OK + b"Content-Length: 9\r\n\r\nhello",
    "chunks that end early": CHUNKED + b"5\r\nhello\r\n",
    "a head that ends early": OK + b"Content-",
    "nothing": b"",
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_is_read_as_h11_reads_it_however_it_is_cut(answer):
    expected = oracle([answer], closed=True)
    assert expected[3]
    assert read([answer], closed=True) == expected
    assert read([answer[at : at + 1] for at in range(len(answer))], closed=True) == expected
    for at in range(len(answer)):
        assert read([answer[:at], answer[at:]], closed=True) == expected


@pytest.mark.parametrize("answer", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_refused_as_by_h11(answer):
    with pytest.raises(h11.RemoteProtocolError):
        oracle([answer], closed=True)
    for blocks in ([answer], [answer[at : at + 1] for at in range(len(answer))]):
        with pytest.raises(NotHTTPError):
            read(blocks, closed=True)


LINES = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b""])
TOKENS = st.sampled_from(
    [
        *[b"HTTP/1.1 ", b"200", b" OK", b"HTTP/1.0 204", b"Content-Length: ", b"5", b"05", b"5,5"],
        *[b"Transfer-Encoding: chunked", b"Connection: close", b"A: b", b" ", b"\t", b":", b";x"],
        *[b"hello", b"0", b"1\r\na\r\n", b"0\r\n\r\n", b"\x00", b"\x0b", b"HTTP/1.1 200 OK\r\n"],
        *[b"Content-Length: 1\r\n\r\nx", b"Transfer-Encoding: chunked\r\n\r\n", b"\r\n\r\n"],
    ]
)
BYTES = st.lists(st.one_of(TOKENS, TOKENS, LINES), max_size=14).map(b"".join)


@given(BYTES, st.lists(st.integers(0, 200), max_size=4), st.booleans())
def test_whatever_comes_is_read_or_refused_as_by_h11(tail, cuts, closed):
    """What follows a whole answer is another matter: h11 keeps it for the next one."""
    for data in (OK + tail, CHUNKED + tail, tail):
        expected = outcome(oracle, [data], closed=closed)
        if isinstance(expected, tuple) and not expected[3]:
            # It waits for more: how much of an unfinished body was given out is not said.
            continue
        assert outcome(read, [data], closed=closed) == expected
        assert outcome(read, pieces(data, cuts), closed=closed) == expected


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=12), st.lists(st.integers(0, 5000)))
def test_chunks_come_out_whole_and_in_order(parts, cuts):
    data = CHUNKED + b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in parts) + b"0\r\n\r\n"
    assert read(pieces(data, cuts))[2:] == (b"".join(parts), True)


def test_all_that_a_block_brings_of_a_body_comes_in_one_piece():
    reader = AnswerReader()
    assert reader.feed(CHUNKED) == b""
    assert reader.feed(b"1\r\na\r\n2\r\nbc\r\n3\r\nd") == b"abcd"
    assert reader.feed(b"ef\r\n0\r\n\r\n") == b"ef"
    assert reader.complete


@pytest.mark.parametrize(
    ("answer", "reusable"),
    [
        (ANSWERS["counted"], True),
        (ANSWERS["chunked"], True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", True),
        (ANSWERS["no content"], False),
        (b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", False),
        (ANSWERS["interim"], True),
        (ANSWERS["until closed"], False),
        (ANSWERS["chunked and counted"], False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", False),
        (OK + b"Connection: close\r\nContent-Length: 1\r\n\r\nx", False),
        (OK + b"Connection: x, Close\r\nContent-Length: 1\r\n\r\nx", False),
        (ANSWERS["counted"] + b"!", False),
        (ANSWERS["chunked"] + b"!", False),
        (ANSWERS["empty"] + b"HTTP/1.1 200 OK\r\n\r\n", False),
    ],
)
def test_a_connection_is_used_again_only_after_a_clear_end(answer, reusable):
    reader = AnswerReader()
    reader.feed(answer)
    if not reader.complete:
        reader.end()
    assert (reader.complete, reader.reusable) == (True, reusable)


def test_what_comes_after_the_end_is_no_part_of_the_answer_and_ends_the_connection():
    reader = AnswerReader()
    assert reader.feed(ANSWERS["counted"] + b"HTTP/1.1 500 No\r\n") == b"hello"
    assert reader.reusable is False
    assert reader.feed(b"more") == b""
    assert reader.status == 200


@pytest.mark.parametrize(
    "start",
    [
        OK + b"A: ",
        b"HTTP/1.1 100 Continue\r\nA: 1\r\n\r\n" * (MAX_HEAD_BYTES // 40) + OK + b"A: ",
        CHUNKED + b"0\r\nA: ",
    ],
    ids=["head", "interim answers", "trailer"],
)
def test_no_head_grows_without_a_bound(start):
    with pytest.raises(NotHTTPError, match="larger than 102,400 bytes"):
        read([start, *[b"x" * 1000] * (MAX_HEAD_BYTES // 1000 + 1)])


def test_no_line_that_says_a_size_grows_without_a_bound():
    with pytest.raises(NotHTTPError, match="has no size"):
        read([CHUNKED + b"5;", *[b"xx"] * MAX_LINE_BYTES])


@pytest.mark.parametrize("end", [b"x", b"", b"\x00"])
def test_blanks_in_a_field_are_not_tried_in_every_combination(end):
    """That took minutes for one header."""
    head = OK + b"A:" + b" " * 40_000 + b"x" + b" " * 40_000 + end + b"\r\n\r\n"
    if end == b"\x00":
        with pytest.raises(NotHTTPError):
            read([head])
    else:
        value = read([head])[1]["a"]
        assert value == (b"x" + b" " * 40_000 + end).strip().decode()


def test_switching_to_another_protocol_is_refused():
    with pytest.raises(NotHTTPError, match="another protocol"):
        read([b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"])


def test_a_header_in_no_known_encoding_is_read_as_latin():
    assert read([OK + b"A: gr\xfcn\r\nContent-Length: 0\r\n\r\n"])[1]["a"] == "grün"


def test_the_head_of_a_request_is_what_h11_reads():
    server = h11.Connection(h11.SERVER)
    headers = {"accept": "application/json", "x-a": "b c"}
    server.receive_data(request_head("POST", "/a?b=c", "host:81", headers, 12))
    request = server.next_event()
    assert (request.method, request.target) == (b"POST", b"/a?b=c")
    assert dict(request.headers) == {
        b"host": b"host:81",
        b"accept": b"application/json",
        b"x-a": b"b c",
        b"content-length": b"12",
    }


@pytest.mark.parametrize(("method", "length"), [("POST", "0"), ("GET", None), ("DELETE", None)])
def test_only_methods_with_a_body_say_that_it_is_empty(method, length):
    text = request_head(method, "/", "h", {}, None).decode()
    assert ("content-length: 0" in text) == (length == "0")


@pytest.mark.parametrize("value", ["a\r\nB: c", "a\nb", "a\x00", "ü"])
def test_no_header_can_add_another(value):
    with pytest.raises(ConfigError, match="control characters"):
        request_head("GET", "/", "h", {"x": value}, None)
