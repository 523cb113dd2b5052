"""The sans-IO vocabulary: what a capability says, and how a client turns it into methods.

A capability is a *flow*: a generator that yields :class:`Send` (do this request), :class:`Wait`
(let time pass) or :class:`Emit` (show this to the caller) and receives a :class:`Reply`. It opens
no socket, reads no clock and never sleeps, so one flow serves both clients and is tested in
microseconds. :class:`Operation`, :class:`Watch` and :class:`Streaming` make it a typed method of
``Client`` and ``AsyncClient`` at once.
"""

from __future__ import annotations

import enum
import functools
import re
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Mapping
from dataclasses import dataclass, field
from typing import (
    TYPE_CHECKING,
    Any,
    Generic,
    ParamSpec,
    Protocol,
    Self,
    TypeAlias,
    TypeVar,
    overload,
)
from urllib.parse import quote

from orjson import loads
from pydantic_core import from_json

from doubao_core.errors import (
    AmbiguousSubmit,
    ConfigError,
    DoubaoError,
    Malformed,
    ResponseError,
    ServerError,
    Timeout,
)

if TYPE_CHECKING:
    from pathlib import Path

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

JSON: TypeAlias = dict[str, Any]

# The API's own limit on a request body (ark.md 1.5); an answer with inline pictures may be larger.
MAX_JSON_BYTES = 64 * 1024 * 1024
ENDED = frozenset({"succeeded", "failed", "cancelled", "expired"})
"""Statuses after which a task never changes (ark.md 15.4)."""
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@-]{0,255}")
# What a field name of HTTP is made of (RFC 9110 5.6.2).
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BETWEEN = frozenset({502, 504})


class Repeat(enum.Enum):
    """May a request be sent a second time?"""

    SAFE = "safe"
    """Yes: repeating it does no harm."""
    REFUSED_ONLY = "refused only"
    """Only after a definite refusal: it costs money once accepted."""
    NEVER = "never"
    """No: it does no harm, but whoever asks repeats it in its own time."""


def may_be_accepted(error: DoubaoError) -> bool:
    """Whether a request that ended with *error* may have been accepted for all that.

    A 5xx with an error object of the service is its answer; without one, and with 502 and 504
    (gateways.md 2.2), it comes from a gateway in between, and the service may have accepted the
    request.
    """
    if isinstance(error, ServerError):
        return error.code is None or error.status in _BETWEEN
    return isinstance(error, AmbiguousSubmit | ResponseError | Timeout)


class Sift(Protocol):
    """What takes parts of an answer to somewhere else."""

    def feed(self, block: bytes) -> bytes:
        """Take the next block of the body, and give what of it stays."""


class Secret(Protocol):
    """A text that does not show itself, such as pydantic's ``SecretStr``."""

    def get_secret_value(self) -> str:
        """Give the text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file to send as ``multipart/form-data``."""

    filename: str
    content: bytes | Path
    media_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """One request, before a gateway gives it a method and a path.

    Attributes:
        operation: Name of the route, such as ``"videos.get"``.
        path: Values for the placeholders of the route's path; each must look like an id.
        body: JSON body, without nulls.
        query: Query pairs, in order; keys may repeat.
        form: Multipart form fields.
        upload: Multipart file part.
        headers: Headers of this request only; they may hold secrets.
        once: The same in every attempt, and in no other request, for providers that then do paid
            work once; empty if it costs nothing.
        repeat: May it be sent twice?
        max_bytes: Largest answer to accept.
        patience: Seconds without a byte after which to give up, if that is less than the client's
            ``timeout``.
        known: What an earlier request said, where this one asks for the rest of it: if the rest is
            not to be had now, that is still the answer.
        sift: Takes out of a good answer, as it arrives, what must not be held in memory.
    """

    operation: str
    path: Mapping[str, str] = field(default_factory=dict)
    body: JSON | None = None
    query: tuple[tuple[str, str], ...] = ()
    form: Mapping[str, str] | None = None
    upload: Upload | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    once: str = field(default="", repr=False, compare=False)
    repeat: Repeat = Repeat.SAFE
    max_bytes: int = MAX_JSON_BYTES
    patience: float | None = None
    known: Reply | None = field(default=None, repr=False, compare=False)
    sift: Sift | None = field(default=None, repr=False, compare=False)

    @property
    def intent(self) -> JSON:
        """What this request wanted, for :class:`~doubao_core.errors.AmbiguousSubmit`."""
        return {"operation": self.operation, "body": self.body}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Let *seconds* pass."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Emit(Generic[T_co]):
    """Show *value* to the caller of a :class:`Watch`."""

    value: T_co


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer: status, lower-case headers, body.

    ``elapsed`` is the seconds from the first attempt's sending to the last byte.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    elapsed: float = 0.0

    def json(self) -> JSON:
        """Parse the body as a JSON object; anything else is :class:`Malformed`."""
        return json_object(self.body)


Flow: TypeAlias = Generator[Send | Wait, Reply, R]
WatchFlow: TypeAlias = Generator[Send | Wait | Emit[T], Reply, None]


class Reader(Protocol[T]):
    """Pure decoder of one streamed answer: bytes in, events out."""

    @property
    def partial(self) -> str:
        """The text that has come so far, for errors."""

    @property
    def ended(self) -> bool:
        """Whether to stop reading: the end marker was read, or a failure."""

    def begin(self, headers: Mapping[str, str]) -> None:
        """Take the head of the answer, once and before its blocks; names are lower-case."""

    def feed(self, block: bytes) -> list[T]:
        """Take the next network block and give the events that it completes."""

    def close(self) -> list[T]:
        """Say that the body ended; raises if it ended early or reported a failure."""


class Around(Generic[T]):
    """A reader around another, to which it passes everything on."""

    def __init__(self, reader: Reader[T]) -> None:
        self._reader = reader

    @property
    def partial(self) -> str:
        """The text that has come so far, for errors."""
        return self._reader.partial

    @property
    def ended(self) -> bool:
        """Whether to stop reading."""
        return self._reader.ended

    def begin(self, headers: Mapping[str, str]) -> None:
        """Take the head of the answer."""
        self._reader.begin(headers)

    def feed(self, block: bytes) -> list[T]:
        """Take a block and give the events in it."""
        return self._reader.feed(block)

    def close(self) -> list[T]:
        """Say that the body ended."""
        return self._reader.close()


@dataclass(frozen=True, slots=True)
class Opening(Generic[T]):
    """A streamed request, and what decodes its answer (a fresh reader for each attempt)."""

    send: Send
    reader: Callable[[], Reader[T]]


class SyncDriver(ABC):
    """What a blocking client must be able to do."""

    @abstractmethod
    def _run(self, flow: Flow[R]) -> R: ...
    @abstractmethod
    def _watch(self, flow: WatchFlow[T]) -> Generator[T]: ...
    @abstractmethod
    def _stream(self, opening: Opening[T]) -> Generator[T]: ...


class AsyncDriver(ABC):
    """What an asyncio client must be able to do."""

    @abstractmethod
    async def _run(self, flow: Flow[R]) -> R: ...
    @abstractmethod
    def _watch(self, flow: WatchFlow[T]) -> AsyncGenerator[T]: ...
    @abstractmethod
    def _stream(self, opening: Opening[T]) -> AsyncGenerator[T]: ...


class Operation(Generic[P, R]):
    """A flow as a method: blocking on a sync client, a coroutine on an async one."""

    def __init__(self, flow: Callable[P, Flow[R]]) -> None:
        self.flow = flow
        self.__doc__ = flow.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: SyncDriver, owner: type) -> Callable[P, R]: ...
    @overload
    def __get__(self, client: AsyncDriver, owner: type) -> Callable[P, Coroutine[Any, Any, R]]: ...
    def __get__(self, client: Any, owner: type) -> Callable[P, Any] | Self:
        return self if client is None else _bound(self.flow, client._run)


class Watch(Generic[P, T]):
    """A flow that emits: an iterator on a sync client, an async iterator on an async one."""

    def __init__(self, flow: Callable[P, WatchFlow[T]]) -> None:
        self.flow = flow
        self.__doc__ = flow.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: SyncDriver, owner: type) -> Callable[P, Generator[T]]: ...
    @overload
    def __get__(self, client: AsyncDriver, owner: type) -> Callable[P, AsyncGenerator[T]]: ...
    def __get__(self, client: Any, owner: type) -> Callable[P, Any] | Self:
        return self if client is None else _bound(self.flow, client._watch)


class Streaming(Generic[P, T]):
    """A streamed request as a method that returns a (sync or async) generator of events.

    The connection is released when the generator ends or is closed: use ``contextlib.closing`` or
    ``aclosing`` where a loop may leave early.
    """

    def __init__(self, opening: Callable[P, Opening[T]]) -> None:
        self.opening = opening
        self.__doc__ = opening.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: SyncDriver, owner: type) -> Callable[P, Generator[T]]: ...
    @overload
    def __get__(self, client: AsyncDriver, owner: type) -> Callable[P, AsyncGenerator[T]]: ...
    def __get__(self, client: Any, owner: type) -> Callable[P, Any] | Self:
        return self if client is None else _bound(self.opening, client._stream)


def _bound(declared: Callable[P, Any], drive: Callable[[Any], Any]) -> Callable[P, Any]:
    @functools.wraps(declared)
    def method(*args: P.args, **kwargs: P.kwargs) -> Any:
        return drive(declared(*args, **kwargs))

    return method


def json_object(data: bytes, what: str = "the answer") -> JSON:
    """Parse *data*, which is *what*, as one JSON object; anything else is :class:`Malformed`."""
    try:
        parsed = loads(data)
    except ValueError:
        parsed = _parsed_slowly(data, what)
    if not isinstance(parsed, dict):
        raise Malformed(f"{what} is a JSON {type(parsed).__name__}, not an object")
    return parsed


def _parsed_slowly(data: bytes, what: str) -> Any:
    """Parse what is JSON but for a number, such as the ``-Infinity`` of a log probability."""
    try:
        return from_json(data)
    except ValueError as error:
        raise Malformed(f"{what} is not JSON: {error}") from error


def body(required: Mapping[str, Any], options: Mapping[str, Any]) -> JSON:
    """Build a JSON body: what is ``None`` is left out, ``extra_body`` is merged over the rest."""
    extra = options.get("extra_body") or {}
    fields = {**required, **options, **extra}
    fields.pop("extra_body", None)
    return {name: value for name, value in fields.items() if value is not None}


def identifier(name: str, value: str) -> str:
    """Check that *value* can be an id, so that it cannot lead a path anywhere else."""
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise ConfigError(
            f"{name} is not an id: {str(value)[:80]!r}; pass the id as the service gave it"
        )
    return value


def checked_headers(kind: str, headers: Mapping[str, str | Secret]) -> dict[str, str]:
    """Give *headers* as plain texts if each can be sent; the error shows no value.

    Args:
        kind: What they are, for the error: ``"default"`` or ``"extra"``.
        headers: Values by name, secrets among them as they are.
    """
    if not isinstance(headers, Mapping):
        raise ConfigError(f"{kind} headers must be a mapping of names to values")
    plain = {}
    for name, value in headers.items():
        text = value if isinstance(value, str) else _revealed(value)
        if not sendable(text) or text != text.strip() or not _HEADER_NAME.fullmatch(str(name)):
            raise ConfigError(f"the value of {kind} header {name!r} cannot be sent in a header")
        plain[name] = text
    return plain


def _revealed(value: Any) -> str:
    text = value.get_secret_value() if hasattr(value, "get_secret_value") else None
    # What no header can hold, so that it is refused like any other such text.
    return text if isinstance(text, str) else "\n"


def sendable(text: str) -> bool:
    """Whether a header or a URL can carry *text*."""
    return text.isascii() and text.isprintable()


def expand(template: str, values: Mapping[str, str]) -> str:
    """Fill the placeholders of a route's path with checked and percent-encoded ids."""
    return template.format(
        **{name: quote(identifier(name, value), safe="") for name, value in values.items()}
    )
