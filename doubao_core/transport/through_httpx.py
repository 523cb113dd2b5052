"""Answers that httpx brings: of an injected client, through a proxy, to uploads and downloads.

This is the only module of the package that knows httpx's requests, responses and errors.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any, cast
from urllib.parse import urlsplit

import httpx

from doubao_core.errors import (
    ConfigError,
    ConnectionFailed,
    ConnectionLost,
    DoubaoError,
    Malformed,
    Timeout,
    Truncated,
)
from doubao_core.pools import BlockingPool, FreeListPool, environment_proxy
from doubao_core.request import Request, multipart
from doubao_core.transport import incoming
from doubao_core.transport.incoming import Patience

# A download goes to hosts that may know nothing of an injected client's own credentials, and each
# redirect is checked by media/fetch.py before it is followed.
_FOREIGN: Mapping[str, Any] = {"auth": None, "follow_redirects": False}

_NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
# What is unpacked at once: a thousand times as much may come out.
_SLICE = 8 * 1024
_WRONG = (httpx.HTTPError, httpx.InvalidURL, ImportError)


def send(
    sender: httpx.Client | BlockingPool,
    request: Request,
    patience: Patience,
    options: Mapping[str, Any],
    address: str | None = None,
) -> Incoming:
    """Send with *sender*, to *address* if there is one; only a client takes *options*."""
    timeout = _timeout(patience)
    with multipart(request) as form:
        try:
            parts = _parts(request, timeout, form, address)
            if isinstance(sender, BlockingPool):
                response = sender.send(httpx.Request(**parts))
            else:
                response = sender.send(sender.build_request(**parts), stream=True, **options)
        except _WRONG as error:
            raise _translated(error, request, answered=False) from error
    return Incoming(response, request, timeout)


async def asend(
    sender: httpx.AsyncClient | FreeListPool,
    request: Request,
    patience: Patience,
    options: Mapping[str, Any],
    address: str | None = None,
) -> AsyncIncoming:
    """Send with *sender*; see :func:`send`."""
    with multipart(request) as form:
        try:
            parts = _parts(request, _timeout(patience), form, address)
            if isinstance(sender, FreeListPool):
                response = await sender.send(httpx.Request(**parts))
            else:
                response = await sender.send(sender.build_request(**parts), stream=True, **options)
        except _WRONG as error:
            raise _translated(error, request, answered=False) from error
    return AsyncIncoming(response, request)


def fetch(
    sender: httpx.Client | BlockingPool, request: Request, patience: Patience, address: str | None
) -> Incoming:
    """Send a download: without the credentials of a client, and without following redirects."""
    return send(sender, request, patience, _FOREIGN, address)


async def afetch(
    sender: httpx.AsyncClient | FreeListPool,
    request: Request,
    patience: Patience,
    address: str | None,
) -> AsyncIncoming:
    """Send a download; see :func:`fetch`."""
    return await asend(sender, request, patience, _FOREIGN, address)


def destinations(
    sender: httpx.Client | httpx.AsyncClient | BlockingPool | FreeListPool,
    request: Request,
    addresses: Sequence[str],
) -> Sequence[str | None]:
    """Give the addresses to connect to; ``None`` is by name, as through a proxy."""
    try:
        url = _url(request.url)
    except httpx.InvalidURL as error:
        raise _translated(error, request, answered=False) from error
    if isinstance(sender, BlockingPool | FreeListPool):
        is_routed = environment_proxy(url) is not None
    else:
        # Proxies and other routes of a client; one that goes by names cannot be given addresses.
        is_routed = bool(getattr(sender, "_mounts", None))
    return [None] if is_routed or not addresses else addresses


# Parsing a URL costs as much as encoding a request, and a client uses a few of them.
_url = functools.lru_cache(maxsize=256)(httpx.URL)


def _timeout(patience: Patience) -> dict[str, float]:
    each, connect = patience
    return {"connect": connect, "read": each, "write": each, "pool": each}


def _parts(
    request: Request, timeout: dict[str, float], form: Mapping[str, Any], address: str | None
) -> dict[str, Any]:
    """Give what an ``httpx.Request`` is made of."""
    url, headers = _url(request.url), request.headers
    extensions: dict[str, Any] = {"timeout": timeout}
    if address is not None:
        # The server is asked, and its certificate checked, by the name.
        headers = {**headers, "Host": url.netloc.decode()}
        extensions["sni_hostname"] = url.host
        url = url.copy_with(host=address)
    return {
        "method": request.method,
        "url": url,
        "headers": headers,
        "content": request.content,
        "extensions": extensions,
        **form,
    }


def _lower(headers: httpx.Headers) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


class Incoming(incoming.Incoming):
    """An answer of a blocking client or pool of httpx."""

    def __init__(
        self, response: httpx.Response, request: Request, timeout: dict[str, float]
    ) -> None:
        super().__init__(response.status_code, _lower(response.headers))
        self._response = response
        self._request = request
        self._timeout = timeout
        self.blocks = _blocks(response)

    def pass_over(self) -> None:
        """Read the rest of a stream, so that its connection can be used again, if it comes soon."""
        if self._response.is_closed:
            return
        self._timeout["read"] = incoming.REST_SECONDS
        deadline, size = monotonic() + incoming.REST_SECONDS, 0
        # Another iterator goes on where the one before is, with the timeout as it is now: httpcore
        # looks at the timeout of a request when the reading of its answer begins.
        rest = cast("httpx.SyncByteStream", self._response.stream)
        with suppress(httpx.HTTPError, httpx.StreamError):
            for block in rest:
                size += len(block)
                if size > incoming.REST_BYTES or monotonic() > deadline:
                    return

    def __exit__(self, _kind: object, error: object, _traceback: object) -> None:
        self._response.close()
        _check(error, self._request)


class AsyncIncoming(incoming.AsyncIncoming):
    """An answer of an asyncio client or pool of httpx."""

    def __init__(self, response: httpx.Response, request: Request) -> None:
        super().__init__(response.status_code, _lower(response.headers))
        self._response = response
        self._request = request
        self.blocks = _ablocks(response)

    async def pass_over(self) -> None:
        """Read the rest of a stream; see :meth:`Incoming.pass_over`."""
        size = 0
        with suppress(httpx.HTTPError, TimeoutError):
            async with asyncio.timeout(incoming.REST_SECONDS):
                async for block in self.blocks:
                    size += len(block)
                    if size > incoming.REST_BYTES:
                        return

    async def __aexit__(self, _kind: object, error: object, _traceback: object) -> None:
        await self._response.aclose()
        _check(error, self._request)


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


class _Packed(httpx.SyncByteStream):
    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks

    def __iter__(self) -> Iterator[bytes]:
        for block in self._blocks:
            yield from _slices(block)


class _AsyncPacked(httpx.AsyncByteStream):
    def __init__(self, blocks: AsyncIterator[bytes]) -> None:
        self._blocks = blocks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for block in self._blocks:
            for part in _slices(block):
                yield part


def _slices(block: bytes) -> Iterator[bytes]:
    return (block[at : at + _SLICE] for at in range(0, len(block), _SLICE))


def unpacked(blocks: Iterator[bytes], headers: Mapping[str, str]) -> Iterator[bytes]:
    """Unpack a body that came packed although nobody asked for that."""
    if (packing := _packing(headers)) is None:
        return blocks
    return _unpacked(httpx.Response(200, headers=packing, stream=_Packed(blocks)))


def aunpacked(blocks: AsyncIterator[bytes], headers: Mapping[str, str]) -> AsyncIterator[bytes]:
    """Unpack a body; see :func:`unpacked`."""
    if (packing := _packing(headers)) is None:
        return blocks
    return _aunpacked(httpx.Response(200, headers=packing, stream=_AsyncPacked(blocks)))


def _packing(headers: Mapping[str, str]) -> dict[str, str] | None:
    packing = headers.get("content-encoding")
    return None if packing is None else {"content-encoding": packing}


def _unpacked(response: httpx.Response) -> Iterator[bytes]:
    try:
        yield from response.iter_bytes()
    except httpx.DecodingError as error:
        raise _unreadable(error) from error


async def _aunpacked(response: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for block in response.aiter_bytes():
            yield block
    except httpx.DecodingError as error:
        raise _unreadable(error) from error


def _unreadable(error: Exception) -> Malformed:
    return Malformed(f"the answer cannot be unpacked: {error}")


def _check(error: object, request: Request) -> None:
    """Raise what broke the reading of the body as one of ours."""
    if isinstance(error, httpx.HTTPError):
        raise _translated(error, request, answered=True) from error


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
        return _unreadable(error)
    if answered:
        return Truncated(f"the answer ended early: {text}")
    return ConnectionLost(f"the connection ended before the service answered: {text}")
