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
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from time import monotonic
from typing import Any, cast
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
        with self._open(request) as response:
            body = bytearray()
            for block in _blocks(response):
                _append(body, block, send.max_bytes)
        return _as_ark(how, _reply(response, body, request, monotonic() - started))

    @contextmanager
    def stream(self, send: Send) -> Generator[tuple[Mapping[str, str], Iterator[bytes]]]:
        """Send, check the head of the answer, and give its headers and blocks as they come."""
        request, how = build(send, self._settings)
        timeout = dict(self._timeout)
        with self._open(request, timeout) as response:
            if not _is_event_stream(response):
                body = bytearray()
                for block in _blocks(response):
                    _append(body, block, _MAX_ERROR_BYTES)
                raise _not_a_stream(_as_ark(how, _reply(response, body, request, 0.0)))
            yield _headers(response), _blocks(response)
            if not response.is_closed:
                timeout["read"] = REST_SECONDS
                _pass_over(response)

    @contextmanager
    def fetch(self, url: str) -> Generator[tuple[int, Mapping[str, str], Iterator[bytes]]]:
        """GET *url*, which is not the API, without the key; redirects are not followed."""
        request = Request(method="GET", url=url, headers={"Accept-Encoding": "identity"})
        with self._open(request, **_FOREIGN) as response:
            yield response.status_code, _headers(response), _blocks(response)

    @contextmanager
    def _open(
        self, request: Request, timeout: dict[str, float | None] | None = None, **options: Any
    ) -> Generator[httpx.Response]:
        with multipart(request) as form:
            try:
                parts = _parts(request, timeout or self._timeout, form)
                if self._injected is not None:
                    outgoing = self._injected.build_request(**parts)
                    response = self._injected.send(outgoing, stream=True, **options)
                else:
                    response = self._pool().send(httpx.Request(**parts))
            except (httpx.HTTPError, httpx.InvalidURL, ImportError) as error:
                raise _translated(error, request, answered=False) from error
        try:
            yield response
        except httpx.HTTPError as error:
            raise _translated(error, request, answered=True) from error
        finally:
            response.close()

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
        async with self._open(request) as response:
            body = bytearray()
            async for block in _ablocks(response):
                _append(body, block, send.max_bytes)
        return _as_ark(how, _reply(response, body, request, monotonic() - started))

    @asynccontextmanager
    async def stream(
        self, send: Send
    ) -> AsyncGenerator[tuple[Mapping[str, str], AsyncIterator[bytes]]]:
        """Send, check the head of the answer, and give its headers and blocks as they come."""
        request, how = build(send, self._settings)
        async with self._open(request) as response:
            if not _is_event_stream(response):
                body = bytearray()
                async for block in _ablocks(response):
                    _append(body, block, _MAX_ERROR_BYTES)
                raise _not_a_stream(_as_ark(how, _reply(response, body, request, 0.0)))
            blocks = _ablocks(response)
            yield _headers(response), blocks
            await _apass_over(blocks)

    @asynccontextmanager
    async def fetch(
        self, url: str
    ) -> AsyncGenerator[tuple[int, Mapping[str, str], AsyncIterator[bytes]]]:
        """GET *url*, which is not the API, without the key; redirects are not followed."""
        request = Request(method="GET", url=url, headers={"Accept-Encoding": "identity"})
        async with self._open(request, **_FOREIGN) as response:
            yield response.status_code, _headers(response), _ablocks(response)

    @asynccontextmanager
    async def _open(self, request: Request, **options: Any) -> AsyncGenerator[httpx.Response]:
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
        try:
            yield response
        except httpx.HTTPError as error:
            raise _translated(error, request, answered=True) from error
        finally:
            await response.aclose()

    async def aclose(self) -> None:
        """Close this event loop's connections; an injected client is its owner's to close."""
        await self._pools.aclose()


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


def _pass_over(response: httpx.Response) -> None:
    """Read the rest of a stream, so that its connection can be used again, if it comes soon."""
    deadline, size = monotonic() + REST_SECONDS, 0
    # Another iterator goes on where the one before is, with the timeout as it is now: httpcore
    # looks at the timeout of a request when the reading of its answer begins.
    rest = cast("httpx.SyncByteStream", response.stream)
    with suppress(httpx.HTTPError, httpx.StreamError):
        for block in rest:
            size += len(block)
            if size > _REST_BYTES or monotonic() > deadline:
                return


async def _apass_over(blocks: AsyncIterator[bytes]) -> None:
    """Read the rest of a stream; see :func:`_pass_over`."""
    size = 0
    with suppress(httpx.HTTPError, TimeoutError):
        async with asyncio.timeout(REST_SECONDS):
            async for block in blocks:
                size += len(block)
                if size > _REST_BYTES:
                    return


def _is_decoded(response: httpx.Response) -> bool:
    """Say whether there is more than bytes: a packed body, or one that a mock made in memory."""
    return "content-encoding" in response.headers or response.is_stream_consumed


def _append(body: bytearray, block: bytes, most: int) -> None:
    body += block
    if len(body) > most:
        raise TooLarge(f"the answer is larger than {most:,} bytes")


def _headers(response: httpx.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _reply(response: httpx.Response, body: bytearray, request: Request, elapsed: float) -> Reply:
    content = bytes(body)
    if response.is_error and len(request.secret) >= _SHORTEST_SECRET:
        # A service that quotes the request in its error must not put the key into our texts.
        content = content.replace(request.secret.encode(), b"***")
    return Reply(
        status=response.status_code, headers=_headers(response), body=content, elapsed=elapsed
    )


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


def _is_event_stream(response: httpx.Response) -> bool:
    content_type = str(response.headers.get("content-type", "")).lower()
    return response.is_success and content_type.startswith("text/event-stream")


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
    return Malformed(f"asked for an event stream, got {kind!r}", status=reply.status)


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
