"""Connections of the asyncio client: one event loop's, kept for the next request of any task.

They are asyncio protocols rather than streams: one wake-up for each block, and a connection is
dropped at once, without awaiting anything, so that a task that is cancelled leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from ssl import SSLContext
from time import monotonic
from typing import Any, Self, cast

from doubao_core import pools
from doubao_core.errors import DoubaoError
from doubao_core.pools import KEEP_ALIVE_SECONDS, tls_context
from doubao_core.request import Request
from doubao_core.transport import direct, incoming
from doubao_core.transport.direct import Origin, Target
from doubao_core.transport.http1 import AnswerReader, NotHTTPError
from doubao_core.transport.incoming import Patience
from doubao_core.transport.through_httpx import aunpacked

_MOST_UNREAD = 256 * 1024
# A body goes out in pieces of this size: TLS would encrypt, and hold, all of a larger one at once,
# and nobody would see whether the server takes any of it.
_PIECE = 256 * 1024
# As much later the second address of a host is tried, too (RFC 8305).
_NEXT_ADDRESS_SECONDS = 0.25
# What an address gets that is not the last, on event loops that cannot try two at once.
_ONE_ADDRESS_SECONDS = 3.0


class LoopConnections:
    """Free connections by origin; the one used last is used next."""

    def __init__(self) -> None:
        self._idle: dict[Origin, deque[_Connection]] = {}
        self._places = asyncio.Semaphore(pools.MAX_CONNECTIONS)
        self._closed = False

    async def send(self, request: Request, to: Target, patience: Patience) -> Answer:
        """Send *request*; see :meth:`BlockingConnections.send`."""
        head = direct.head(request, to)
        await self._places.acquire()
        connection = None
        try:
            connection = self._free(to.origin) or await _connected(to, patience.connect)
            connection.begin(patience.each)
            await connection.send(head, request.content or b"")
            first = connection.early
            while not connection.reader.status:
                first = await connection.receive()
        except BaseException:
            self._places.release()
            if connection is not None:
                connection.abort()
            raise
        return Answer(connection, first, self)

    def _free(self, origin: Origin) -> _Connection | None:
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if connection.is_usable():
                return connection
            connection.abort()
        return None

    def give_back(self, connection: _Connection) -> None:
        """Keep *connection* if another request can follow; drop what nobody needed for long."""
        self._places.release()
        if self._closed or not connection.can_go_on:
            connection.abort()
            return
        idle = self._idle.setdefault(connection.origin, deque())
        connection.idle_since = now = monotonic()
        idle.append(connection)
        while now - idle[0].idle_since > KEEP_ALIVE_SECONDS:
            idle.popleft().abort()

    async def aclose(self) -> None:
        """Close the free connections now, and those in use when they come back."""
        self._closed = True
        for idle in self._idle.values():
            while idle:
                idle.pop().abort()
        # asyncio closes the sockets in its next turn, which may be the loop's last.
        await asyncio.sleep(0)


class _Connection(asyncio.Protocol):
    """One connection; one request at a time, of one task."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.idle_since = 0.0
        self.reader = AnswerReader()
        # What came of the answer's body while the request was sent: hardly ever anything.
        self.early = b""
        self._all_sent = True
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._received: list[bytes] = []
        self._unread = 0
        self._is_reading_paused = False
        self._is_writing_paused = False
        self._has_ended = False
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._seconds = 0.0
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Keep what has come, and make the server wait if that is much."""
        self._received.append(data)
        self._unread += len(data)
        if self._unread > _MOST_UNREAD and not self._is_reading_paused:
            self._is_reading_paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        """Note that no more will come."""
        self._has_ended = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that nothing will come or go any more."""
        self._has_ended, self._error = True, exc
        if self._timer is not None:
            self._timer.cancel()
        self._wake()

    def pause_writing(self) -> None:
        """Note that the request is not sent yet."""
        self._is_writing_paused = True

    def resume_writing(self) -> None:
        """Note that there is room again."""
        self._is_writing_paused = False
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self) -> None:
        """Wait until something happens, but not longer than the timeout.

        One timer serves many waits: to start one for each block costs as much as to read it.
        """
        self._deadline = self._loop.time() + self._seconds
        if self._timer is None:
            self._timer = self._loop.call_at(self._deadline, self._look_at_clock)
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _look_at_clock(self) -> None:
        self._timer = None
        if self._waiter is None or self._waiter.done():
            return
        if self._loop.time() < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._look_at_clock)
        else:
            self._waiter.set_exception(direct.silent())

    # What the answers call.

    @property
    def _descriptor(self) -> int:
        descriptor: int = self._transport.get_extra_info("socket").fileno()
        return descriptor

    def is_usable(self) -> bool:
        """Say whether the server still keeps it; whoever speaks unasked does not."""
        old = monotonic() - self.idle_since > direct.seconds_kept(self.reader.headers)
        if old or self._has_ended or self._received or self._transport.is_closing():
            return False
        # The loop may have been too busy to see the end that the server made.
        return not direct.is_readable(self._descriptor)

    def begin(self, seconds: float) -> None:
        """Get ready for a request whose reads and writes may take that long each."""
        self.reader = AnswerReader()
        self.early = b""
        if seconds < self._seconds and self._timer is not None:
            # That of the request before would go off too late.
            self._timer.cancel()
            self._timer = None
        self._seconds = seconds

    async def send(self, head: bytes, content: bytes) -> None:
        """Send a request, but not on to a service that has refused it: it may not read on."""
        if len(content) <= _PIECE:
            head, content = head + content, b""
        self._transport.write(head)
        rest = memoryview(content)
        if self._is_writing_paused or rest:
            await self._drain()
        while rest:
            if self._is_lost or self.reader.status >= direct.REFUSED:
                self._all_sent = False
                return
            self._transport.write(rest[:_PIECE])
            rest = rest[_PIECE:]
            await self._drain()

    @property
    def _is_lost(self) -> bool:
        # asyncio says the first at once, and the second in its next turn.
        return self._transport.is_closing() or self._has_ended

    async def _drain(self) -> None:
        """Wait until there is room for more, or an answer that no more is wanted."""
        if not self._received and direct.is_readable(self._descriptor):
            # To write to a server that has answered and gone would lose its answer: in the first
            # turn of the loop it sees what is there, in the second it reads it.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        while not self._is_lost:
            if self._received and not self.reader.status:
                self.early = self._taken()
            elif self._is_writing_paused and self.reader.status < direct.REFUSED:
                await self._wait()
            else:
                return

    async def receive(self) -> bytes:
        """Wait for a block; gives what it brings of the body, which may be nothing."""
        while not self._received:
            if self._has_ended:
                return self._end()
            await self._wait()
        return self._taken()

    def _taken(self) -> bytes:
        block = self._received[0] if len(self._received) == 1 else b"".join(self._received)
        self._received.clear()
        self._unread = 0
        if self._is_reading_paused:
            self._is_reading_paused = False
            # Some event loops take it amiss of a connection that is lost.
            if not self._transport.is_closing():
                self._transport.resume_reading()
        try:
            return self.reader.feed(block)
        except NotHTTPError as error:
            raise direct.lost(self.reader, error) from error

    def _end(self) -> bytes:
        if self._error is not None:
            raise direct.lost(self.reader, self._error) from self._error
        try:
            self.reader.end()
        except NotHTTPError as error:
            raise direct.lost(self.reader, error) from error
        return b""

    @property
    def can_go_on(self) -> bool:
        """Whether another request can follow the one that was answered."""
        answered = self.reader.complete and self.reader.reusable and not self._has_ended
        return answered and self._all_sent and not self._transport.get_write_buffer_size()

    def abort(self) -> None:
        """Drop the connection at once."""
        if not self._loop.is_closed():
            self._transport.abort()


async def _connected(to: Target, seconds: float) -> _Connection:
    context = tls_context() if to.origin[0] == "https" else None
    try:
        async with asyncio.timeout(seconds):
            return await _opened(to.origin, context)
    except (OSError, UnicodeError) as error:
        raise direct.unreachable(to, error) from error


async def _opened(origin: Origin, context: SSLContext | None) -> _Connection:
    """Connect to the first address of a host that answers."""
    _, host, port = origin
    loop = asyncio.get_running_loop()

    name = host if context else None

    async def connection(place: str, **options: Any) -> _Connection:
        options |= {"ssl": context, "server_hostname": name}
        _, made = await loop.create_connection(lambda: _Connection(origin), place, port, **options)
        return made

    if ":" in host or host.rpartition(".")[2].isdigit():
        return await connection(host)
    if _tries_two_at_once(loop):
        return await connection(host, happy_eyeballs_delay=_NEXT_ADDRESS_SECONDS)
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    *first, last = dict.fromkeys(str(each[4][0]) for each in found)
    for address in first:
        with suppress(OSError):
            async with asyncio.timeout(_ONE_ADDRESS_SECONDS):
                return await connection(address)
    return await connection(last)


def _tries_two_at_once(loop: asyncio.AbstractEventLoop) -> bool:
    """Say whether *loop* races the addresses of a host; uvloop's does not know how."""
    return isinstance(loop, asyncio.BaseEventLoop)


class Answer(incoming.AsyncIncoming):
    """An answer that comes in over one of our connections, and the iterator of its blocks.

    It is no asynchronous generator; see :class:`~doubao_core.transport.incoming.Incoming`.
    """

    def __init__(self, connection: _Connection, first: bytes, owner: LoopConnections) -> None:
        super().__init__(connection.reader.status, connection.reader.headers)
        self._connection = connection
        # The connection has another one as soon as it carries another request.
        self._reader = connection.reader
        self._first = first
        self._owner: LoopConnections | None = owner
        self.blocks: AsyncIterator[bytes] = aunpacked(self, self.headers)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if block := self._first:
            self._first = b""
            return block
        while not self._reader.complete:
            if block := await self._connection.receive():
                return block
        raise StopAsyncIteration

    async def pass_over(self) -> None:
        """Read the rest of a stream; see :meth:`Incoming.pass_over`."""
        if self._reader.complete:
            return
        size = 0
        with suppress(DoubaoError, TimeoutError):
            async with asyncio.timeout(incoming.REST_SECONDS):
                while not self._reader.complete:
                    size += len(await self._connection.receive())
                    if size > incoming.REST_BYTES:
                        return

    async def __aexit__(self, _kind: object, error: object, _traceback: object) -> None:
        # A connection that came back twice would be given to two requests.
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.give_back(self._connection)
