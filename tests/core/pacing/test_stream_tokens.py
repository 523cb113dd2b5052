"""Streams correct the rate limit of tokens by the usage that their last event reports."""

from __future__ import annotations

import json
import sys
import time
from types import SimpleNamespace

import pytest

from doubao_core import Plan, RateLimit, Truncated
from doubao_core.api.answers import ChatReader
from doubao_core.pacing import FREE, Toll, pacer
from doubao_core.pacing.metering import Metered

CHAT = {"model": "doubao-seed-2-1-pro-260915", "messages": [{"role": "user", "content": "hi"}]}
WITH_USAGE = {"stream_options": {"include_usage": True}}
# At 10,000 tokens a second it takes most of a minute until the next may go.
TOTAL = 500_000
SOON = 20


class WaitError(Exception):
    """A pacer wants to sleep."""


@pytest.fixture
def limit(request):
    return RateLimit(tokens_per_minute=600_000, url=None, name=request.node.name)


@pytest.fixture
def wait(limit, monkeypatch):
    """Give the seconds that the next request would wait for its tokens."""

    def sleep(seconds):
        raise WaitError(seconds)

    def seconds():
        paced = pacer(limit, "")
        clock = SimpleNamespace(sleep=sleep, monotonic=time.monotonic)
        # The package has a function of the module's name.
        monkeypatch.setattr(sys.modules[type(paced).__module__], "time", clock)
        try:
            paced.wait(1)
        except WaitError as error:
            return error.args[0]
        return 0.0

    return seconds


def read(client, **options):
    return "".join(event.content for event in client.stream_chat(**CHAT, **options))


def test_the_usage_of_a_stream_corrects_the_estimate(make_client, emulator, limit, wait):
    emulator.answer("tea", usage={"total_tokens": TOTAL})
    client = make_client(rate_limit=limit, base_url=emulator.base_url)
    assert read(client, **WITH_USAGE) == "tea"
    assert wait() > SOON


def test_a_stream_and_a_plain_answer_count_alike(make_client, emulator, limit, wait):
    emulator.answer("tea", usage={"total_tokens": TOTAL})
    client = make_client(rate_limit=limit, base_url=emulator.base_url)
    assert client.chat(**CHAT).content == "tea"
    assert wait() > SOON


def test_a_stream_that_says_no_usage_stays_estimated(make_client, emulator, limit, wait):
    emulator.answer("tea", usage={"total_tokens": TOTAL})
    client = make_client(rate_limit=limit, base_url=emulator.base_url)
    assert read(client) == "tea"
    assert wait() == 0


def test_a_stream_that_breaks_counts_what_it_has_said(make_client, emulator, limit, wait):
    said = {
        "choices": [{"index": 0, "delta": {"content": "t"}}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": TOTAL},
    }
    emulator.answer(events=[said])
    client = make_client(rate_limit=limit, base_url=emulator.base_url)
    with pytest.raises(Truncated):
        read(client, **WITH_USAGE)
    assert wait() > SOON


def test_a_text_that_looks_like_usage_is_none(make_client, emulator, limit, wait):
    emulator.answer(json.dumps({"total_tokens": TOTAL}))
    client = make_client(rate_limit=limit, base_url=emulator.base_url)
    read(client)
    assert wait() == 0


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_the_usage_is_found_however_the_stream_is_cut(size):
    finish = {"choices": [{"index": 0, "delta": {"content": "é" * 9000}, "finish_reason": "stop"}]}
    usage = {"choices": [], "usage": {"total_tokens": 42}}
    stream = b"".join(b"data: %s\n\n" % json.dumps(each).encode() for each in (finish, usage))
    stream += b"data: [DONE]\n\n"
    reader = Metered(ChatReader())
    reader.begin({})
    assert reader.total is None
    events = [
        event
        for start in range(0, len(stream), size)
        for event in reader.feed(stream[start : start + size])
    ]
    assert (len(events), reader.close(), reader.ended) == (2, [], True)
    assert (reader.total, reader.partial) == (42, "é" * 9000)


def test_nothing_is_metered_where_no_tokens_are_limited(make_client, emulator, monkeypatch):
    """Streams are as fast as before: not one call more for each block of one."""

    def never(*_):
        raise AssertionError("a stream was metered")

    monkeypatch.setattr(Metered, "__init__", never)
    for limits in (
        {},
        {"rate_limit": RateLimit(requests_per_minute=6000, url=None)},
        {"plan": Plan(jobs_in_flight=1, url=None)},
    ):
        emulator.answer("tea")
        client = make_client(base_url=emulator.base_url, **limits)
        assert read(client, **WITH_USAGE) == "tea"
    reader = ChatReader()
    assert FREE.reads(reader) is Toll(None, None, None).reads(reader) is reader
