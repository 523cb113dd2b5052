"""What chat and picture streams have in common: JSON events, an error event, an end marker."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from orjson import loads
from pydantic_core import from_json

from doubao_core.errors import UNREADABLE, DoubaoError, Malformed, Truncated, misshapen
from doubao_core.operation import JSON
from doubao_core.sse import DONE, Decoder

T = TypeVar("T")


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

    def _unfinished(self) -> str | None:
        """Say what is missing although the end marker came, or ``None``."""
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
                events.append(self._event(_parsed(payload)))
            except DoubaoError as failure:
                self._failure = failure
                break
            except UNREADABLE as error:
                self._failure = misshapen(error)
                break
        return events

    def _end(self) -> None:
        if (missing := self._unfinished()) is None:
            self.complete = True
        else:
            self._failure = Truncated(missing)


def _parsed(payload: bytes) -> JSON:
    try:
        raw = loads(payload)
    except ValueError:
        raw = _parsed_slowly(payload)
    if not isinstance(raw, dict):
        raise Malformed(f"an event of the stream is a JSON {type(raw).__name__}, not an object")
    return raw


def _parsed_slowly(payload: bytes) -> Any:
    """Parse what is JSON but for a number, such as the ``-Infinity`` of a log probability."""
    try:
        return from_json(payload)
    except ValueError as error:
        raise Malformed(f"an event of the stream is not JSON: {error}") from error
