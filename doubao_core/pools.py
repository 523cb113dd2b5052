"""Connections: httpx's transports without its client, and a pool that does not collapse.

``httpx.Client`` adds cookies, redirects, authentication flows and hooks, which an API call does not
want and which cost as much CPU as the request itself.

httpcore's asyncio pool looks at all of its connections for every request, which costs milliseconds
of CPU per call at some hundred requests in flight. Here a free connection is the last one of a
list, whatever the number; ``benchmarks/`` measures the difference.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
import urllib.request
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from time import monotonic
from typing import Generic, Protocol, TypeAlias, TypeVar, cast
from weakref import WeakKeyDictionary, finalize

import httpx

from doubao_core.errors import ConfigError

KEEP_ALIVE_SECONDS = 55.0
"""How long an idle connection is kept; httpx's own 5 s would make most agents reconnect.

Less than the minute after which many load balancers close: who sends at that very moment never
learns whether the request was taken.
"""
MAX_CONNECTIONS = 1000
"""Requests in flight per client and event loop; more wait, without a timeout, for a place."""


_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})


@functools.cache
def tls_context() -> ssl.SSLContext:
    """Give the TLS context of this process: making one costs more than a request.

    Raises:
        ConfigError: The environment names certificates that cannot be used.
    """
    try:
        context = httpx.create_ssl_context()
    except (OSError, ValueError) as error:
        raise _misconfigured(error) from error
    context.set_alpn_protocols(["http/1.1"])
    return context


def _misconfigured(error: Exception) -> ConfigError:
    return ConfigError(f"cannot reach the service as configured: {error}")


def environment_proxy(url: httpx.URL) -> str | None:
    """Find the proxy that the environment asks for; httpx leaves it to custom transports."""
    # No proxy elsewhere could reach a server of this machine, such as the emulator.
    if url.host in _THIS_MACHINE:
        return None
    # With its port, too, which an exception may name.
    if any(map(urllib.request.proxy_bypass, (url.host, url.netloc.decode()))):
        return None
    proxies = urllib.request.getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy


Origin: TypeAlias = tuple[str, str, int | None]
T = TypeVar("T", httpx.HTTPTransport, httpx.AsyncHTTPTransport)
P = TypeVar("P", bound="LoopPool")


def _origin(url: httpx.URL) -> Origin:
    return url.scheme, url.host, url.port


def _is_to_address(request: httpx.Request) -> bool:
    """Whether this goes to an address that was checked, for the name that it must have there.

    Its connection is good for that name alone, and is closed with the answer: the next look-up of
    the name may give another address, and what is kept for this one would never be used again.
    """
    return "sni_hostname" in request.extensions


def _transport(kind: Callable[..., T], request: httpx.Request, limits: httpx.Limits) -> T:
    context = tls_context()
    try:
        # Who gives an address has looked for a proxy by the name.
        proxy = None if _is_to_address(request) else environment_proxy(request.url)
        return kind(verify=context, proxy=proxy, limits=limits)
    except (ImportError, OSError, ValueError) as error:
        # The proxy variables of the environment name what cannot be used.
        raise _misconfigured(error) from error


class BlockingPool:
    """httpx's own blocking pool, one for each origin; threads do not make it collapse."""

    _LIMITS = httpx.Limits(
        max_connections=None, max_keepalive_connections=100, keepalive_expiry=KEEP_ALIVE_SECONDS
    )

    def __init__(self) -> None:
        self._transports: dict[Origin, httpx.HTTPTransport] = {}

    def send(self, request: httpx.Request) -> httpx.Response:
        """Send, and give the answer as soon as its head is there."""
        if _is_to_address(request):
            return _sent_once(request, self._LIMITS)
        origin = _origin(request.url)
        transport = self._transports.get(origin)
        if transport is None:
            # Of two threads that come here at once, one makes a transport that is never used.
            made = _transport(httpx.HTTPTransport, request, self._LIMITS)
            transport = self._transports.setdefault(origin, made)
        return transport.handle_request(request)

    def close(self) -> None:
        """Close all connections."""
        while self._transports:
            self._transports.popitem()[1].close()


def _sent_once(request: httpx.Request, limits: httpx.Limits) -> httpx.Response:
    transport = _transport(httpx.HTTPTransport, request, limits)
    try:
        response = transport.handle_request(request)
    except BaseException:
        transport.close()
        raise
    return httpx.Response(
        status_code=response.status_code,
        headers=response.headers,
        stream=_Last(response.stream, transport),
        extensions=response.extensions,
    )


class _Last(httpx.SyncByteStream):
    """A response body with which its transport is closed."""

    def __init__(
        self,
        stream: httpx.SyncByteStream | httpx.AsyncByteStream,
        transport: httpx.HTTPTransport,
    ) -> None:
        # The blocking transport never gives the asynchronous half of httpx's union.
        self._stream = cast("httpx.SyncByteStream", stream)
        self._transport = transport

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._stream)

    def close(self) -> None:
        self._stream.close()
        self._transport.close()


class FreeListPool:
    """Hands out the most recently used of the idle one-connection transports of an origin."""

    def __init__(self) -> None:
        self._idle: defaultdict[Origin, deque[_Connection]] = defaultdict(deque)
        self._places = asyncio.Semaphore(MAX_CONNECTIONS)
        self._closed = False

    async def send(self, request: httpx.Request) -> httpx.Response:
        """Send on a free connection, which comes back when the response is closed."""
        is_once = _is_to_address(request)
        idle = deque() if is_once else self._idle[_origin(request.url)]
        await self._places.acquire()
        try:
            connection = idle.pop() if idle else _Connection(request)
            try:
                response = await connection.transport.handle_async_request(request)
            except BaseException:
                await connection.transport.aclose()
                raise
        except BaseException:
            self._places.release()
            raise
        return httpx.Response(
            status_code=response.status_code,
            headers=response.headers,
            stream=_Returning(response.stream, self, connection, idle, is_once=is_once),
            extensions=response.extensions,
        )

    async def give_back(
        self, connection: _Connection, idle: deque[_Connection], *, usable: bool
    ) -> None:
        """Take a connection back and drop those that have been idle for too long."""
        self._places.release()
        if self._closed or not usable:
            await connection.transport.aclose()
            return
        connection.idle_since = now = monotonic()
        idle.append(connection)
        # Other tasks take connections while one is being closed.
        while idle and now - idle[0].idle_since > KEEP_ALIVE_SECONDS:
            await idle.popleft().transport.aclose()

    async def aclose(self) -> None:
        """Close the idle connections now, and those in use when they come back."""
        self._closed = True
        # Whoever drops a client at the end of a loop has this cancelled: the stack goes on.
        async with AsyncExitStack() as closing:
            for idle in self._idle.values():
                while idle:
                    closing.push_async_callback(idle.pop().transport.aclose)


class _Connection:
    """A transport of httpx that may hold one connection."""

    _LIMITS = httpx.Limits(max_connections=1, keepalive_expiry=KEEP_ALIVE_SECONDS)

    def __init__(self, request: httpx.Request) -> None:
        self.idle_since = 0.0
        self.transport = _transport(httpx.AsyncHTTPTransport, request, self._LIMITS)


class _Returning(httpx.AsyncByteStream):
    """A response body that gives its connection back when it is closed."""

    def __init__(
        self,
        stream: httpx.SyncByteStream | httpx.AsyncByteStream,
        owner: FreeListPool,
        connection: _Connection,
        idle: deque[_Connection],
        *,
        is_once: bool,
    ) -> None:
        # The asynchronous transport never gives the blocking half of httpx's union.
        self._stream = cast("httpx.AsyncByteStream", stream)
        self._owner = owner
        self._connection: _Connection | None = connection
        self._idle = idle
        self._is_once = is_once
        self._ended = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for block in self._stream:
            yield block
        self._ended = True

    async def aclose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        usable = False
        try:
            await self._stream.aclose()
            # One that was cancelled, while it was read or closed, may still count as in use inside
            # httpcore: whoever got it next would wait for it until the timeout.
            usable = self._ended and not self._is_once
        finally:
            await self._owner.give_back(connection, self._idle, usable=usable)


class LoopPool(Protocol):
    """Connections of one event loop."""

    async def aclose(self) -> None:
        """Close them."""


class LoopPools(Generic[P]):
    """One pool for each event loop, closed with its loop.

    A connection belongs to the loop that opened it. Each pool lives in an asynchronous generator
    that its loop knows of: ``asyncio.run`` closes those generators before it closes the loop.

    Args:
        make: Makes a pool.
    """

    def __init__(self, make: Callable[[], P]) -> None:
        self._make = make
        self._lifetimes: WeakKeyDictionary[
            asyncio.AbstractEventLoop, tuple[AsyncGenerator[P], P]
        ] = WeakKeyDictionary()
        # The collector finalises all that died together in any order. What is held from elsewhere
        # does not die with this object: sockets would be, before what closes them.
        finalize(self, self._lifetimes.clear)

    async def current(self) -> P:
        """Give the running loop's pool.

        Raises:
            ConfigError: There is none, as under trio.
        """
        loop = _running_loop()
        if (known := self._lifetimes.get(loop)) is not None:
            return known[1]
        # A pool refers to its loop, so a closed loop would never leave a weak mapping by itself.
        # Loops of other threads come and go meanwhile; keyrefs() is a copy.
        for reference in self._lifetimes.keyrefs():
            if (other := reference()) is not None and other.is_closed():
                self._lifetimes.pop(other, None)
        lifetime = _lifetime(self._make())
        pool = await anext(lifetime)
        self._lifetimes[loop] = lifetime, pool
        return pool

    async def aclose(self) -> None:
        """Close the running loop's pool, if there is one."""
        if not self._lifetimes:
            return
        if (known := self._lifetimes.pop(_running_loop(), None)) is not None:
            await known[0].aclose()


def _running_loop() -> asyncio.AbstractEventLoop:
    try:
        return asyncio.get_running_loop()
    except RuntimeError as error:
        raise ConfigError(
            "an AsyncClient needs a running event loop of asyncio: under another library, such as "
            "trio, use Client in a thread"
        ) from error


async def _lifetime(pool: P) -> AsyncGenerator[P]:
    try:
        yield pool
    finally:
        await pool.aclose()
