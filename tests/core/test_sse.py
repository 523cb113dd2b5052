"""The event stream decoder: the same payloads however the bytes are cut, and never unbounded."""

from __future__ import annotations

import time
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubao_core import TooLarge
from doubao_core.sse import Decoder

NEWLINES = st.sampled_from(["\n", "\r\n"])
LINES = st.one_of(
    st.text(st.characters(exclude_characters="\r\n"), max_size=12).map("data: {}".format),
    st.text(st.characters(exclude_characters="\r\n"), max_size=6).map("data:{}".format),
    st.sampled_from([": comment", ":", "event: x", "id: 1", "retry: 5", "data", "other: y"]),
)


def decode(blocks, **options):
    decoder = Decoder(**options)
    payloads = [payload for block in blocks for payload in decoder.feed(block)]
    return payloads + decoder.close()


def pieces(data, cuts):
    bounds = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(bounds)]


@pytest.mark.parametrize(
    ("stream", "payloads"),
    [
        (b'data: {"a":1}\n\n', [b'{"a":1}']),
        (b"data:x\n\n", [b"x"]),
        (b"data:  two blanks\n\n", [b" two blanks"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
        (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b"data: \xef\xbb\xbfa\n\n", [b"\xef\xbb\xbfa"]),
        (b": ping\n\n: ping\n\ndata: a\n\n", [b"a"]),
        (b"event: delta\nid: 7\nretry: 10\ndata: a\n\n", [b"a"]),
        (b"data: a\ndata: b\ndata:\n\n", [b"a\nb\n"]),
        (b"data: a\n: comment\ndata: b\n\n", [b"a\nb"]),
        (b"\n\n\n\ndata: a\n\n\n\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data: no blank line", [b"no blank line"]),
        (b"data: a\n\ndata: half", [b"a", b"half"]),
        (b"data: a\r\n\r", [b"a"]),
        (b"", []),
        (b"\xef\xbb", []),
    ],
)
def test_payloads_of_an_event_stream(stream, payloads):
    assert decode([stream]) == payloads
    assert decode([stream[at : at + 1] for at in range(len(stream))]) == payloads


@given(st.lists(st.tuples(LINES, NEWLINES), max_size=12), NEWLINES, st.lists(st.integers(0, 4000)))
def test_where_the_bytes_are_cut_makes_no_difference(lines, blank, cuts):
    """Shows R000-10."""
    data = "".join(line + end + (blank if n % 2 else "") for n, (line, end) in enumerate(lines))
    stream = data.encode()
    assert decode(pieces(stream, cuts)) == decode([stream])


@given(st.binary(max_size=300), st.lists(st.integers(0, 300)))
def test_any_bytes_give_the_same_payloads_and_no_exception(data, cuts):
    assert decode(pieces(data, cuts)) == decode([data])


@given(st.lists(st.sampled_from([b"\r", b"\n", b"data: ", b"x", b"\xef\xbb\xbf", b":"])))
def test_newlines_of_every_kind_may_be_cut_anywhere(parts):
    assert decode(parts) == decode([b"".join(parts)])


@given(st.lists(st.binary(max_size=40)))
def test_a_bounded_decoder_fails_with_its_own_error_only(blocks):
    with suppress(TooLarge):
        assert all(len(payload) <= 40 for payload in decode(blocks, max_event=16))


def test_an_event_is_refused_as_soon_as_it_exceeds_the_bound():
    decoder = Decoder(max_event=1000)
    for _ in range(10):
        assert decoder.feed(b"x" * 100) == []
    with pytest.raises(TooLarge, match="1000 bytes"):
        decoder.feed(b"x")


def test_many_events_do_not_count_together():
    decoder = Decoder(max_event=100)
    block = b"data: " + b"x" * 50 + b"\n\n"
    assert sum(len(decoder.feed(block)) for _ in range(1000)) == 1000


def cpu_seconds(size):
    decoder, block = Decoder(), b"x" * 4096
    started = time.process_time()
    decoder.feed(b"data: ")
    for _ in range(size // len(block)):
        decoder.feed(block)
    (payload,) = decoder.feed(b"\n\n")
    assert len(payload) == size
    return time.process_time() - started


def test_a_huge_event_in_small_blocks_takes_linear_time():
    """Searching or copying the buffer for each block would take 64 times as long for 8 times."""
    small = min(cpu_seconds(4 * 1024 * 1024) for _ in range(3))
    large = min(cpu_seconds(32 * 1024 * 1024) for _ in range(2))
    assert large < 30 * max(small, 0.001)
