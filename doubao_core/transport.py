"""httpx to :class:`Reply`, twice: blocking and asyncio, side by side; the rest is shared and pure.

This is the only module that imports httpx. ``Client`` imports it with the first request, so that
importing the package and making a client cost nothing.
"""

from __future__ import annotations

import asyncio
import functools
import os
import threading
import weakref
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress
from time import monotonic
from typing import Any, Self, cast
from urllib.parse import urlsplit

import httpx

from doubao_core.config import LONGEST_CONNECT, Settings
from doubao_core.errors import (
    UNREADABLE,
    ConfigError,
    ConnectionFailed,
    ConnectionLost,
    DoubaoError,
    Malformed,
    Timeout,
    TooLarge,
    Truncated,
    checked,
    from_payload,
    misshapen,
)
from doubao_core.gateways import Route
from doubao_core.operation import Reply, Send
from doubao_core.pools import BlockingPool, LoopPools
from doubao_core.request import Request, build, multipart

_MAX_ERROR_BYTES = 1024 * 1024
# What may follow the last event of a stream: its framing, for which using the connection again is
# worth waiting, but not for as long as for an answer.
_REST_BYTES = 64 * 1024
REST_SECONDS = 1.0
"""How long the end of a stream may take once its last event has come."""
# Real keys are longer; cutting a shorter one (or the emulator's) out of a text garbles words.
_SHORTEST_SECRET = 10
# A download goes to hosts that may know nothing of an injected client's own credentials, and each
# redirect is checked by media/fetch.py before it is followed.
_FOREIGN: dict[str, Any] = {"auth": None, "follow_redirects": False}
_NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)


class SyncTransport:
    """Sends through a pool that is made when it is first needed; thread-safe."""

    def __init__(self, settings: Settings, injected: httpx.Client | None) -> None:
        self._settings = settings
        self._injected = injected
        self._own: BlockingPool | None = None
        self._owner = os.getpid()
        self._lock = threading.Lock()
        self._timeout = _timeout(settings)

    def send(self, send: Send) -> Reply:
        """Send, and read the whole answer, of at most ``send.max_bytes``."""
        started = monotonic()
        request, how = build(send, self._settings)
        with self._open(request) as answer:
            body = answer.read(send.max_bytes)
        return _as_ark(how, _reply(answer, body, request, monotonic() - started))

    def stream(self, send: Send) -> Incoming:
        """Send, check the head of the answer, and give it; its blocks come when they come."""
        request, how = build(send, self._settings)
        answer = self._open(request)
        if answer.is_event_stream:
            return answer
        with answer:
            body = answer.read(_MAX_ERROR_BYTES)
        raise _not_a_stream(_as_ark(how, _reply(answer, body, request, 0.0)))

    def fetch(self, url: str) -> Incoming:
        """GET *url*, which is not the API, without the key; redirects are not followed."""
        request = Request(method="GET", url=url, headers={"Accept-Encoding": "identity"})
        return self._open(request, **_FOREIGN)

    def _open(self, request: Request, **options: Any) -> Incoming:
        timeout = dict(self._timeout)
        with multipart(request) as form:
            try:
                parts = _parts(request, timeout, form)
                if self._injected is not None:
                    outgoing = self._injected.build_request(**parts)
                    response = self._injected.send(outgoing, stream=True, **options)
                else:
                    response = self._pool().send(httpx.Request(**parts))
            except (httpx.HTTPError, httpx.InvalidURL, ImportError) as error:
                raise _translated(error, request, answered=False) from error
        return Incoming(response, request, timeout)

    def _pool(self) -> BlockingPool:
        if self._own is None or self._owner != os.getpid():
            with self._lock:
                if self._own is None or self._owner != os.getpid():
                    self._own, self._owner = BlockingPool(), os.getpid()
                    # Adapters are dropped rather than closed; their sockets must not outlive them.
                    weakref.finalize(self, self._own.close)
        return self._own

    def close(self) -> None:
        """Close the connections; an injected client is its owner's to close."""
        if self._own is not None:
            self._own.close()
            self._own = None


class AsyncTransport:
    """Sends through one pool for each running event loop."""

    def __init__(self, settings: Settings, injected: httpx.AsyncClient | None) -> None:
        self._settings = settings
        self._injected = injected
        self._pools = LoopPools()
        self._timeout = _timeout(settings)

    async def send(self, send: Send) -> Reply:
        """Send, and read the whole answer, of at most ``send.max_bytes``."""
        started = monotonic()
        request, how = build(send, self._settings)
        async with await self._open(request) as answer:
            body = await answer.read(send.max_bytes)
        return _as_ark(how, _reply(answer, body, request, monotonic() - started))

    async def stream(self, send: Send) -> AsyncIncoming:
        """Send, check the head of the answer, and give it; its blocks come when they come."""
        request, how = build(send, self._settings)
        answer = await self._open(request)
        if answer.is_event_stream:
            return answer
        async with answer:
            body = await answer.read(_MAX_ERROR_BYTES)
        raise _not_a_stream(_as_ark(how, _reply(answer, body, request, 0.0)))

    async def fetch(self, url: str) -> AsyncIncoming:
        """GET *url*, which is not the API, without the key; redirects are not followed."""
        request = Request(method="GET", url=url, headers={"Accept-Encoding": "identity"})
        return await self._open(request, **_FOREIGN)

    async def _open(self, request: Request, **options: Any) -> AsyncIncoming:
        with multipart(request) as form:
            try:
                parts = _parts(request, self._timeout, form)
                if self._injected is not None:
                    outgoing = self._injected.build_request(**parts)
                    response = await self._injected.send(outgoing, stream=True, **options)
                else:
                    response = await (await self._pools.current()).send(httpx.Request(**parts))
            except (httpx.HTTPError, httpx.InvalidURL, ImportError) as error:
                raise _translated(error, request, answered=False) from error
        return AsyncIncoming(response, request)

    async def aclose(self) -> None:
        """Close this event loop's connections; an injected client is its owner's to close."""
        await self._pools.aclose()


class _Head:
    """What is known of an answer as soon as its head is there."""

    def __init__(self, response: httpx.Response, request: Request) -> None:
        self._response = response
        self._request = request
        self.status = response.status_code
        self.headers = {name.lower(): value for name, value in response.headers.items()}

    @property
    def is_event_stream(self) -> bool:
        content_type = self.headers.get("content-type", "").lower()
        return self._response.is_success and content_type.startswith("text/event-stream")

    def _check(self, error: object) -> None:
        """Raise what broke the reading of the body as one of ours."""
        if isinstance(error, httpx.HTTPError):
            raise _translated(error, self._request, answered=True) from error


class Incoming(_Head):
    """An answer whose body comes in; ``with`` closes it and makes errors of httpx ours.

    This is no generator with ``contextmanager``, as :class:`AsyncIncoming` must not be one: an
    event loop that ends closes all asynchronous generators at once, and one of them that is closing
    another is in its way.
    """

    def __init__(
        self, response: httpx.Response, request: Request, timeout: dict[str, float | None]
    ) -> None:
        super().__init__(response, request)
        self._timeout = timeout
        self.blocks = _blocks(response)

    def read(self, most: int) -> bytes:
        """Read the whole body, of at most *most* bytes."""
        body = bytearray()
        for block in self.blocks:
            _append(body, block, most)
        return bytes(body)

    def pass_over(self) -> None:
        """Read the rest of a stream, so that its connection can be used again, if it comes soon."""
        if self._response.is_closed:
            return
        self._timeout["read"] = REST_SECONDS
        deadline, size = monotonic() + REST_SECONDS, 0
        # Another iterator goes on where the one before is, with the timeout as it is now: httpcore
        # looks at the timeout of a request when the reading of its answer begins.
        rest = cast("httpx.SyncByteStream", self._response.stream)
        with suppress(httpx.HTTPError, httpx.StreamError):
            for block in rest:
                size += len(block)
                if size > _REST_BYTES or monotonic() > deadline:
                    return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: object, _traceback: object) -> None:
        self._response.close()
        self._check(error)


class AsyncIncoming(_Head):
    """An answer whose body comes in; see :class:`Incoming`."""

    def __init__(self, response: httpx.Response, request: Request) -> None:
        super().__init__(response, request)
        self.blocks = _ablocks(response)

    async def read(self, most: int) -> bytes:
        """Read the whole body, of at most *most* bytes."""
        body = bytearray()
        async for block in self.blocks:
            _append(body, block, most)
        return bytes(body)

    async def pass_over(self) -> None:
        """Read the rest of a stream; see :meth:`Incoming.pass_over`."""
        size = 0
        with suppress(httpx.HTTPError, TimeoutError):
            async with asyncio.timeout(REST_SECONDS):
                async for block in self.blocks:
                    size += len(block)
                    if size > _REST_BYTES:
                        return

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, _kind: object, error: object, _traceback: object) -> None:
        await self._response.aclose()
        self._check(error)


# Parsing a URL costs as much as encoding a request, and a client uses a few of them.
_url = functools.lru_cache(maxsize=256)(httpx.URL)


def _timeout(settings: Settings) -> dict[str, float | None]:
    connect = min(settings.timeout, LONGEST_CONNECT)
    return httpx.Timeout(settings.timeout, connect=connect).as_dict()


def _parts(
    request: Request, timeout: dict[str, float | None], form: Mapping[str, Any]
) -> dict[str, Any]:
    """Give what an ``httpx.Request`` is made of."""
    return {
        "method": request.method,
        "url": _url(request.url),
        "headers": request.headers,
        "content": request.content,
        "extensions": {"timeout": timeout},
        **form,
    }


def _blocks(response: httpx.Response) -> Iterator[bytes]:
    """Give the blocks of a body; ``iter_raw`` would count, check and re-chunk each of them."""
    if _is_decoded(response):
        yield from response.iter_bytes()
    else:
        # A blocking transport never gives the asynchronous half of httpx's union.
        yield from cast("httpx.SyncByteStream", response.stream)
        response.close()


def _ablocks(response: httpx.Response) -> AsyncIterator[bytes]:
    """Give the blocks of a body; see :func:`_blocks`."""
    if _is_decoded(response):
        return response.aiter_bytes()
    return aiter(cast("httpx.AsyncByteStream", response.stream))


def _is_decoded(response: httpx.Response) -> bool:
    """Say whether there is more than bytes: a packed body, or one that a mock made in memory."""
    return "content-encoding" in response.headers or response.is_stream_consumed


def _append(body: bytearray, block: bytes, most: int) -> None:
    body += block
    if len(body) > most:
        raise TooLarge(f"the answer is larger than {most:,} bytes")


def _reply(head: _Head, body: bytes, request: Request, elapsed: float) -> Reply:
    if head.status >= httpx.codes.BAD_REQUEST and len(request.secret) >= _SHORTEST_SECRET:
        # A service that quotes the request in its error must not put the key into our texts.
        body = body.replace(request.secret.encode(), b"***")
    return Reply(status=head.status, headers=head.headers, body=body, elapsed=elapsed)


def _as_ark(how: Route, reply: Reply) -> Reply:
    """Turn an answer into Ark's; one that is not of the dialect must not lose what it says."""
    try:
        return how.decode(reply)
    except (DoubaoError, *UNREADABLE) as error:
        if reply.status >= httpx.codes.BAD_REQUEST:
            # The status says enough, and a refusal must not pass for a lost answer.
            return reply
        if isinstance(error, DoubaoError):
            raise
        raise misshapen(error) from error


def _not_a_stream(reply: Reply) -> DoubaoError:
    """Say why an answer to a streamed request is none: an error status, or an error under 200."""
    try:
        checked(reply)
    except DoubaoError as failure:
        return failure
    # What is no JSON is no error of the service, but what a proxy or a wrong address answers.
    with suppress(Malformed):
        if error := reply.json().get("error"):
            return from_payload(error, status=reply.status, headers=reply.headers)
    kind = reply.headers.get("content-type", "no content type")
    return Malformed(
        f"asked for an event stream, got {kind!r}",
        status=reply.status,
        request_id=reply.headers.get("x-request-id"),
    )


def _translated(error: Exception, request: Request, *, answered: bool) -> DoubaoError:
    """Turn what httpx raises into ours; ``answered`` says that the head of an answer had come."""
    text = str(error) or type(error).__name__
    if isinstance(error, (httpx.InvalidURL, ImportError)):
        return ConfigError(f"cannot reach the service as configured: {text}")
    if isinstance(error, _NEVER_SENT):
        return ConnectionFailed(f"cannot connect to {urlsplit(request.url).netloc}: {text}")
    if isinstance(error, httpx.TimeoutException):
        return Timeout("the service sent nothing for as long as timeout= allows")
    if isinstance(error, httpx.DecodingError):
        return Malformed(f"the answer cannot be unpacked: {text}")
    if answered:
        return Truncated(f"the answer ended early: {text}")
    return ConnectionLost(f"the connection ended before the service answered: {text}")
