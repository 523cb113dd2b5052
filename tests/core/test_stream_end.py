"""After its end marker a stream is over, whatever the server does with the connection."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from doubao_core import AsyncClient
from doubao_core.transport import incoming

CHAT = {
    "model": "doubao-seed-2-1-pro-260915",
    "messages": [{"role": "user", "content": "Hello"}],
}
WORD = '{"choices":[{"delta":{"content":"a"}}]}'
LAST = '{"choices":[{"delta":{"content":"b"},"finish_reason":"stop"}]}'
WHOLE = [WORD, LAST, "[DONE]"]


@pytest.fixture
def alone(driver, naps):
    """Return a client with a server of its own, so that its connections can be counted."""
    from doubao_emulator import Emulator

    with Emulator() as emulator:
        client = driver(api_key="k", base_url=emulator.base_url, timeout=30.0, max_retries=2)
        yield client, emulator
        client.finish()


@pytest.fixture
def briefly(monkeypatch):
    """Let the client wait for the end of a stream as long as a test may take."""
    monkeypatch.setattr(incoming, "REST_SECONDS", 0.1)


def text(client) -> str:
    return "".join(event.content for event in client.stream_chat(**CHAT))


def test_a_server_that_keeps_the_connection_open_does_not_keep_the_stream(alone, briefly):
    """Far sooner than ``timeout``; the connection is of no use any more."""
    client, emulator = alone
    emulator.answer(events=WHOLE)
    with emulator.fault("stall", after_events=len(WHOLE), times=1):
        started = time.monotonic()
        assert text(client) == "ab"
        assert time.monotonic() - started < 5
        assert client.chat(**CHAT).content
    assert len(emulator.requests) == 2


def test_a_server_that_goes_on_and_on_does_not_keep_the_stream(alone, briefly):
    client, emulator = alone
    emulator.answer(events=[*WHOLE, *[b": still here\n\n"] * 2000], interval=0.01)
    started = time.monotonic()
    assert text(client) == "ab"
    assert time.monotonic() - started < 5


def test_a_server_that_sends_much_does_not_keep_the_stream(alone):
    client, emulator = alone
    emulator.answer(events=[*WHOLE, *[b":" + b"x" * 10_000 + b"\n\n"] * 20_000])
    started = time.monotonic()
    assert text(client) == "ab"
    assert time.monotonic() - started < incoming.REST_SECONDS


def test_an_end_that_comes_soon_leaves_the_connection_for_the_next_request(alone):
    """Its framing follows the last event in a packet of its own."""
    client, emulator = alone
    for _ in range(3):
        emulator.answer(events=WHOLE, interval=0.02)
        assert text(client) == "ab"
        assert emulator.connections == 1
    assert client.chat(**CHAT).content
    assert emulator.connections == 1


def test_an_end_marker_that_no_blank_line_follows_leaves_it_too(alone):
    client, emulator = alone
    for _ in range(3):
        emulator.answer(events=[WORD, LAST, b"data: [DONE]"])
        assert text(client) == "ab"
        assert emulator.connections == 1


def test_reading_the_rest_takes_nothing_from_the_other_streams(alone):
    """Threads use connections that others have just given back."""
    client, emulator = alone
    words = [f'{{"choices":[{{"delta":{{"content":"{n} "}}}}]}}' for n in range(20)]
    emulator.answer(events=[*words, LAST, "[DONE]"], times=200)
    expected = "".join(f"{n} " for n in range(20)) + "b"
    if isinstance(client.native, AsyncClient):
        # The event loop of the fixture takes one call after the other.
        assert [text(client) for _ in range(50)] == [expected] * 50
        return
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: text(client), range(200))) == [expected] * 200
    assert emulator.connections <= 8


def test_an_injected_client_ends_likewise(driver, make_client, emulator, briefly):
    injected = driver.http(timeout=30.0)
    client = make_client(base_url=emulator.base_url, http_client=injected, timeout=30.0)
    emulator.answer(events=WHOLE)
    with emulator.fault("stall", after_events=len(WHOLE), times=1):
        started = time.monotonic()
        assert text(client) == "ab"
        assert time.monotonic() - started < 5
    assert text(client)
    if isinstance(injected, httpx.Client):
        injected.close()
    else:
        client.runner.run(injected.aclose())
