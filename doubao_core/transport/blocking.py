"""Connections of the blocking client: a socket each, kept for the next request of any thread."""

from __future__ import annotations

import socket
import ssl
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from time import monotonic

from doubao_core.errors import DoubaoError
from doubao_core.pools import KEEP_ALIVE_SECONDS, tls_context
from doubao_core.request import Request
from doubao_core.transport import direct, incoming
from doubao_core.transport.direct import KEPT_IDLE, Origin, Target
from doubao_core.transport.http1 import AnswerReader, NotHTTPError
from doubao_core.transport.incoming import Patience
from doubao_core.transport.through_httpx import unpacked

_BLOCK = 64 * 1024


class BlockingConnections:
    """Free connections by origin; the one used last is used next. Threads may share it."""

    def __init__(self) -> None:
        self._idle: dict[Origin, deque[_Connection]] = {}
        self._closed = False

    def send(self, request: Request, to: Target, patience: Patience) -> Answer:
        """Send *request*; gives its answer as soon as the head is there.

        Raises:
            ConnectionFailed: Nothing was sent.
            ConnectionLost: There is no answer, and nobody knows whether the request was taken.
            Timeout: The service is silent.
        """
        head = direct.head(request, to)
        connection = self._free(to.origin) or _Connection(to, patience.connect)
        try:
            connection.begin(patience.each)
            connection.send(head, request.content or b"")
            first = connection.early
            while not connection.reader.status:
                first = connection.receive()
        except BaseException:
            connection.close()
            raise
        return Answer(connection, first, self)

    def _free(self, origin: Origin) -> _Connection | None:
        idle = self._idle.get(origin)
        while idle:
            try:
                connection = idle.pop()
            except IndexError:  # Another thread was faster.
                return None
            if connection.is_usable():
                return connection
            connection.close()
        return None

    def give_back(self, connection: _Connection) -> None:
        """Keep *connection* for the next request, and drop those that nobody needed for long."""
        idle = self._idle.setdefault(connection.origin, deque())
        connection.idle_since = now = monotonic()
        idle.append(connection)
        with suppress(IndexError):
            while len(idle) > KEPT_IDLE or now - idle[0].idle_since > KEEP_ALIVE_SECONDS:
                idle.popleft().close()
        if self._closed:
            self.close()

    def close(self) -> None:
        """Close the free connections now, and those in use when they come back."""
        self._closed = True
        for idle in list(self._idle.values()):
            with suppress(IndexError):
                while True:
                    idle.pop().close()


class _Connection:
    """One connection; one request at a time."""

    def __init__(self, to: Target, connect_seconds: float) -> None:
        self.origin = to.origin
        self.idle_since = 0.0
        self.reader = AnswerReader()
        # What came of the answer's body while the request was sent: hardly ever anything.
        self.early = b""
        self._seconds = connect_seconds
        self._all_sent = True
        self._socket = _connected(to, connect_seconds)

    def is_usable(self) -> bool:
        """Say whether the server still keeps it; whoever speaks unasked does not."""
        if monotonic() - self.idle_since > direct.seconds_kept(self.reader.headers):
            return False
        return not direct.is_readable(self._socket.fileno())

    def begin(self, seconds: float) -> None:
        """Get ready for a request whose reads and writes may take that long each."""
        self.reader = AnswerReader()
        self.early = b""
        self._seconds = seconds
        self._socket.settimeout(seconds)

    def wait_at_most(self, seconds: float) -> None:
        """Let reads from now on take less time."""
        self._socket.settimeout(seconds)

    def send(self, head: bytes, content: bytes) -> None:
        """Send a request: the small ones in one packet."""
        try:
            if len(content) <= _BLOCK:
                self._write(head + content)
            else:
                self._write(head)
                self._upload(content)
        except TimeoutError as error:
            raise direct.silent() from error
        except OSError:
            # A server may refuse a request that it has not read to its end: the answer says more.
            self._all_sent = False

    def _write(self, data: bytes) -> None:
        # The timeout of sendall would be that of the whole.
        rest = memoryview(data)
        while rest:
            rest = rest[self._socket.send(rest) :]

    def _upload(self, content: bytes) -> None:
        """Send a large body, but not to a service that has refused it: it may not read on."""
        rest = memoryview(content)
        descriptor = self._socket.fileno()
        while rest:
            is_open = not self.reader.status
            if direct.wait_for_room(descriptor, self._seconds, or_bytes=is_open):
                self._glance()
                if self.reader.status >= direct.REFUSED:
                    self._all_sent = False
                    return
            else:
                rest = rest[self._socket.send(rest[:_BLOCK]) :]

    def _glance(self) -> None:
        """Take what is there of an answer; what is readable may be TLS's own."""
        self._socket.settimeout(0)
        try:
            self.early = self._taken(self._socket.recv(_BLOCK))
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        finally:
            self._socket.settimeout(self._seconds)

    def receive(self) -> bytes:
        """Wait for a block; gives what it brings of the body, which may be nothing."""
        try:
            return self._taken(self._socket.recv(_BLOCK))
        except TimeoutError as error:
            raise direct.silent() from error
        except OSError as error:
            raise direct.lost(self.reader, error) from error

    def _taken(self, block: bytes) -> bytes:
        try:
            if block:
                return self.reader.feed(block)
            self.reader.end()
        except NotHTTPError as error:
            raise direct.lost(self.reader, error) from error
        return b""

    @property
    def can_go_on(self) -> bool:
        """Whether another request can follow the one that was answered."""
        return self._all_sent and self.reader.complete and self.reader.reusable

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def _connected(to: Target, seconds: float) -> socket.socket:
    scheme, host, port = to.origin
    context = tls_context() if scheme == "https" else None
    try:
        plain = socket.create_connection((host, port), seconds)
    except (OSError, UnicodeError) as error:
        raise direct.unreachable(to, error) from error
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return context.wrap_socket(plain, server_hostname=host) if context else plain
    except BaseException as error:
        plain.close()
        if isinstance(error, OSError | UnicodeError):
            raise direct.unreachable(to, error) from error
        raise


class Answer(incoming.Incoming):
    """An answer that comes in over one of our connections."""

    def __init__(self, connection: _Connection, first: bytes, owner: BlockingConnections) -> None:
        super().__init__(connection.reader.status, connection.reader.headers)
        self._connection = connection
        # The connection has another one as soon as it carries another request.
        self._reader = connection.reader
        self._owner: BlockingConnections | None = owner
        self.blocks = unpacked(self._received(first), self.headers)

    def _received(self, block: bytes) -> Iterator[bytes]:
        connection = self._connection
        if block:
            yield block
        while not self._reader.complete:
            if block := connection.receive():
                yield block

    def pass_over(self) -> None:
        """Read the rest of a stream, so that its connection can be used again, if it comes soon."""
        connection = self._connection
        if self._reader.complete:
            return
        connection.wait_at_most(incoming.REST_SECONDS)
        deadline, size = monotonic() + incoming.REST_SECONDS, 0
        with suppress(DoubaoError):
            while not self._reader.complete:
                size += len(connection.receive())
                if size > incoming.REST_BYTES or monotonic() > deadline:
                    return

    def __exit__(self, _kind: object, error: object, _traceback: object) -> None:
        # A connection that came back twice would be given to two requests.
        owner, self._owner = self._owner, None
        if owner is None:
            return
        if self._connection.can_go_on:
            owner.give_back(self._connection)
        else:
            self._connection.close()
