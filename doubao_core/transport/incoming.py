"""An answer whose head is there and whose body comes in, whatever brings it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import NamedTuple, Self

from doubao_core.config import LONGEST_CONNECT, Settings
from doubao_core.errors import TooLarge
from doubao_core.operation import Sift
from doubao_core.request import Request

REST_SECONDS = 1.0
"""How long the end of a stream may take once its last event has come."""
REST_BYTES = 64 * 1024
"""What may follow the last event of a stream: its framing, for which using the connection again is
worth waiting, but not for as long as for an answer."""

_OK, _REDIRECT = 200, 300


class Patience(NamedTuple):
    """Seconds to wait: for each read and write, and for a connection."""

    each: float
    connect: float

    @classmethod
    def of(cls, settings: Settings, request: Request) -> Self:
        """Give the client's patience, or that of the request if it is less."""
        each = settings.timeout
        if request.patience is not None:
            each = min(each, request.patience)
        return cls(each, min(each, LONGEST_CONNECT))


class Head:
    """What is known of an answer as soon as its head is there; names of headers are lower-case."""

    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        self.status = status
        self.headers = headers

    @property
    def is_good(self) -> bool:
        """Whether the service did what it was asked for."""
        return _OK <= self.status < _REDIRECT

    @property
    def is_event_stream(self) -> bool:
        """Whether this is the stream that was asked for."""
        content_type = self.headers.get("content-type", "").lower()
        return self.is_good and content_type.startswith("text/event-stream")


class Incoming(Head, ABC):
    """An answer whose body comes in; leaving ``with`` frees its connection.

    This is no generator with ``contextmanager``, as :class:`AsyncIncoming` must not be one: an
    event loop that ends closes all asynchronous generators at once, and one of them that is closing
    another is in its way.
    """

    blocks: Iterator[bytes]

    def read(self, most: int, sift: Sift | None = None) -> bytes:
        """Read the whole body, of at most *most* bytes; of a good answer what *sift* leaves."""
        body, sift = bytearray(), sift if self.is_good else None
        for block in self.blocks:
            most -= append(body, block, most, sift)
        return bytes(body)

    @abstractmethod
    def pass_over(self) -> None:
        """Read the rest of a stream, so that its connection can be used again, if it comes soon."""

    def __enter__(self) -> Self:
        return self

    @abstractmethod
    def __exit__(self, _kind: object, error: object, _traceback: object) -> None: ...


class AsyncIncoming(Head, ABC):
    """An answer whose body comes in; see :class:`Incoming`."""

    blocks: AsyncIterator[bytes]

    async def read(self, most: int, sift: Sift | None = None) -> bytes:
        """Read the body; see :meth:`Incoming.read`."""
        body, sift = bytearray(), sift if self.is_good else None
        async for block in self.blocks:
            most -= append(body, block, most, sift)
        return bytes(body)

    @abstractmethod
    async def pass_over(self) -> None:
        """Read the rest of a stream; see :meth:`Incoming.pass_over`."""

    async def __aenter__(self) -> Self:
        return self

    @abstractmethod
    async def __aexit__(self, _kind: object, error: object, _traceback: object) -> None: ...


def append(body: bytearray, block: bytes, most: int, sift: Sift | None) -> int:
    """Add *block*, or what *sift* leaves of it, to *body*; gives how much was taken out.

    Raises:
        TooLarge: *body* has more than *most* bytes.
    """
    left = block if sift is None else sift.feed(block)
    body += left
    if len(body) > most:
        raise TooLarge(f"the answer is larger than {most:,} bytes")
    return len(block) - len(left)
