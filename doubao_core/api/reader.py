"""What chat and picture streams have in common: JSON events, an error event, an end marker."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

import orjson

from doubao_core.errors import UNREADABLE, DoubaoError, Truncated, misshapen
from doubao_core.operation import JSON, Around, Reader, json_object
from doubao_core.sse import DONE, Decoder

T = TypeVar("T")

_EVENT = "an event of the stream"


class EventReader(ABC, Generic[T]):
    """Decoder of one streamed answer (ark.md 1.8).

    It ends well with ``[DONE]`` only. A body that stops before is :class:`Truncated`; a failure in
    the middle waits until the events before it were given out.
    """

    def __init__(self) -> None:
        self._decoder = Decoder()
        self._failure: DoubaoError | None = None
        self._request_id: str | None = None
        self.complete = False

    @abstractmethod
    def _event(self, raw: JSON) -> T:
        """Read one event; raises what an ``error`` event means."""

    @property
    @abstractmethod
    def partial(self) -> str:
        """The text that has come so far, for errors."""

    def _unfinished(self) -> DoubaoError | None:
        """Give the failure of an answer that lacks something although its end marker came."""
        return None

    @property
    def ended(self) -> bool:
        """Whether to stop reading."""
        return self.complete or self._failure is not None

    def begin(self, headers: Mapping[str, str]) -> None:
        """Take the head of the answer, which says the id of the request."""
        self._request_id = headers.get("x-request-id")

    def feed(self, block: bytes) -> list[T]:
        """Take a block and give the events in it."""
        return [] if self.complete else self._read(self._decoder.feed(block))

    def close(self) -> list[T]:
        """Say that the body ended."""
        if self.complete:
            return []
        if self._failure is None:
            # A last event may lack its blank line; give it out, and fail on the next call.
            if rest := self._read(self._decoder.close()):
                return rest
            if self.complete:
                return []
        failure = self._failure or Truncated("the stream ended without its end marker")
        failure.request_id = failure.request_id or self._request_id
        raise failure

    def _read(self, payloads: list[bytes]) -> list[T]:
        events: list[T] = []
        for payload in payloads:
            if payload.startswith(DONE):
                self._end()
                break
            try:
                events.append(self._event(json_object(payload, _EVENT)))
            except DoubaoError as failure:
                self._failure = failure
                break
            except UNREADABLE as error:
                self._failure = misshapen(error)
                break
        return events

    def _end(self) -> None:
        self._failure = self._unfinished()
        self.complete = self._failure is None


class RetoldReader(Around[T]):
    """Decoder of a stream in a provider's dialect: its events in Ark's words, for another reader.

    Args:
        reader: Reads Ark's events.
        event: The provider's event as Ark's; ``None`` if Ark has none for it.
    """

    def __init__(self, reader: Reader[T], event: Callable[[JSON], JSON | None]) -> None:
        super().__init__(reader)
        self._told = event
        self._decoder = Decoder()

    def feed(self, block: bytes) -> list[T]:
        """Take a block and give the events in it."""
        return self._reader.feed(self._retold(self._decoder.feed(block)))

    def close(self) -> list[T]:
        """Say that the body ended."""
        rest = self._retold(self._decoder.close())
        return self._reader.feed(rest) or self._reader.close()

    def _retold(self, payloads: list[bytes]) -> bytes:
        return b"".join(b"data: %s\n\n" % each for each in map(self._one, payloads) if each)

    def _one(self, payload: bytes) -> bytes:
        if payload.startswith(DONE):
            return payload
        try:
            told = self._told(json_object(payload, _EVENT))
            return b"" if told is None else orjson.dumps(told)
        except (DoubaoError, *UNREADABLE):
            # The reader says what is wrong with it, after the events before it were given out.
            return payload
