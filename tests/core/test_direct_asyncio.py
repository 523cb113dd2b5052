"""What only the asyncio connections have: patience by a timer, back pressure, places."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress

import pytest

from doubao_core import (
    AsyncClient,
    ConnectionFailed,
    DoubaoError,
    Timeout,
    Truncated,
)
from doubao_core.transport import direct, looped

CHAT = {"model": "doubao-seed-2-1-pro-260915", "messages": [{"role": "user", "content": "Hello"}]}
BODY = json.dumps(
    {"choices": [{"index": 0, "finish_reason": "stop", "message": {"content": "Hi."}}]}
).encode()
OK = b"HTTP/1.1 200 OK\r\n"
COUNTED = OK + b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY)


class Paper:
    """A transport that notes what it is told."""

    def __init__(self):
        self.told = []
        self.written = []
        self.when_written = lambda: None
        self.is_lost = False

    def write(self, data):
        self.written.append(bytes(data))
        self.when_written()

    def is_closing(self):
        return self.is_lost

    def __getattr__(self, name):
        return lambda *_: self.told.append(name)


@pytest.fixture
async def connection(monkeypatch):
    """Return a connection that is connected to paper, and whose request was sent."""
    monkeypatch.setattr(looped._Connection, "_descriptor", 0)
    monkeypatch.setattr(direct, "is_readable", lambda _descriptor: False)
    made = looped._Connection(("http", "h", 80))
    made.paper = Paper()
    made.connection_made(made.paper)
    made.begin(60.0)
    return made


async def test_a_server_that_sends_faster_than_is_read_has_to_wait(connection):
    connection.data_received(OK + b"Content-Length: 1000000\r\n\r\n")
    connection.data_received(b"x" * 300_000)
    connection.data_received(b"x" * 300_000)
    assert connection.paper.told == ["pause_reading"]
    assert len(await connection.receive()) == 600_000
    assert connection.paper.told == ["pause_reading", "resume_reading"]


async def test_a_large_request_goes_out_piece_by_piece_as_the_server_takes_it(connection):
    """The timeout is for each piece: a slow line may take longer for the whole."""
    content = bytes(range(256)) * 4096
    connection.paper.when_written = connection.pause_writing
    task = asyncio.create_task(connection.send(b"head", content))
    deadline, pieces = 0.0, 0
    while not task.done():
        await asyncio.sleep(0.001)
        assert len(connection.paper.written) == pieces + 1, "there was no room for more"
        assert connection._deadline > deadline
        deadline, pieces = connection._deadline, pieces + 1
        connection.resume_writing()
        await asyncio.sleep(0)
    await task
    assert b"".join(connection.paper.written) == b"head" + content


async def test_a_connection_that_was_lost_while_it_was_held_back_still_gives_what_came(connection):
    """Event loops differ in what they say to one who wants to read on then."""
    connection.data_received(OK + b"Content-Length: 1000000\r\n\r\n" + b"x" * 300_000)
    connection.paper.is_lost = True
    connection.connection_lost(ConnectionResetError())
    assert len(await connection.receive()) == 300_000
    assert connection.paper.told == ["pause_reading"]
    with pytest.raises(Truncated):
        await connection.receive()


async def test_a_request_with_less_patience_does_not_wait_for_the_timer_of_the_one_before(
    connection,
):
    task = asyncio.create_task(connection.receive())
    await asyncio.sleep(0)
    connection.data_received(OK + b"Content-Length: 0\r\n\r\n")
    await task
    connection.begin(0.01)
    async with asyncio.timeout(30):
        with pytest.raises(Timeout):
            await connection.receive()


async def test_silence_is_counted_from_the_last_block(connection):
    """One timer serves all the waits of a connection."""

    async def next_block():
        task = asyncio.create_task(connection.receive())
        await asyncio.sleep(0)
        return task

    first = await next_block()
    timer = connection._timer
    connection.data_received(OK + b"Content-Length: 10\r\n\r\n")
    await first
    second = await next_block()
    assert connection._timer is timer
    timer.cancel()
    connection._look_at_clock()
    await asyncio.sleep(0)
    assert not second.done()
    connection._timer.cancel()
    connection._deadline = 0.0
    connection._look_at_clock()
    with pytest.raises(Timeout):
        await second
    connection._look_at_clock()
    assert connection._timer is None


async def test_a_connect_that_takes_too_long_or_is_cancelled_frees_its_place(
    serve, key, monkeypatch
):
    monkeypatch.setattr("doubao_core.pools.MAX_CONNECTIONS", 1)
    connecting = asyncio.Event()

    async def forever(*_args, **_options):
        connecting.set()
        await asyncio.Event().wait()

    server = serve(COUNTED)
    async with AsyncClient(
        base_url=server.base_url, api_key=key, timeout=0.05, max_retries=0
    ) as client:
        with monkeypatch.context() as patched:
            patched.setattr(asyncio.get_running_loop(), "create_connection", forever)
            with pytest.raises(ConnectionFailed, match="TimeoutError"):
                await client.chat(**CHAT)
        patient = AsyncClient(base_url=server.base_url, api_key=key)
        with monkeypatch.context() as patched:
            patched.setattr(asyncio.get_running_loop(), "create_connection", forever)
            connecting.clear()
            task = asyncio.create_task(patient.chat(**CHAT))
            await connecting.wait()
            task.cancel()
            with suppress(asyncio.CancelledError, DoubaoError):
                await task
        assert (await patient.chat(**CHAT)).content == "Hi."
        await patient.aclose()
