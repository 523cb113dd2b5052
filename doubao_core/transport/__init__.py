"""How requests travel: :class:`Send` to :class:`Reply`, blocking and asyncio, side by side.

``Client`` imports this with the first request, so that importing the package and making a client
cost nothing. Plain requests go over connections of our own (``direct``), everything else through
httpx (``through_httpx``); what both give is an answer that comes in (``incoming``).
"""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic
from urllib.parse import urlsplit

import httpx

from doubao_core.config import NO_SUCH_PATH, Settings
from doubao_core.errors import (
    ConnectionFailed,
    DoubaoError,
    Malformed,
    NotFound,
    RequestError,
    ResponseError,
    ServerError,
    Timeout,
    checked,
    from_payload,
)
from doubao_core.gateways import Gateway, Route, normalise
from doubao_core.operation import Reply, Send
from doubao_core.pools import BlockingPool, FreeListPool, LoopPools
from doubao_core.request import Request, build
from doubao_core.transport import direct, redirect, through_httpx
from doubao_core.transport.blocking import BlockingConnections
from doubao_core.transport.incoming import AsyncIncoming, Head, Incoming, Patience
from doubao_core.transport.looped import LoopConnections

_MAX_ERROR_BYTES = 1024 * 1024
_REFUSED = 400
# Real keys are longer; cutting a shorter one (or the emulator's) out of a text garbles words.
_SHORTEST_SECRET = 10
# After these, what is not there now may be there later. A refusal for the rate is for everybody who
# shares it, and stays an error, which says how long to wait.
_LATER = (NotFound, ConnectionFailed, ResponseError, ServerError, Timeout)
_LOG = logging.getLogger("doubao_core")


class SyncTransport:
    """Sends through connections that are made when they are first needed; thread-safe."""

    def __init__(self, settings: Settings, injected: httpx.Client | None) -> None:
        self._settings = settings
        self._injected = injected
        self._plain = direct.Plain()
        self._own: _Own | None = None
        self._owner = os.getpid()
        self._lock = threading.Lock()

    def send(self, send: Send) -> Reply:
        """Send, and read the whole answer, of at most ``send.max_bytes``."""
        started = monotonic()
        request, how = build(send, self._settings)
        try:
            with self._open(request) as answer:
                body = answer.read(send.max_bytes, send.sift)
            reply = _reply(answer, body, request, monotonic() - started, self._settings.gateway)
            told = _as_ark(reply, request, how, self._settings)
            return told if send.known is None else checked(told)
        except DoubaoError as failure:
            return _known(send, failure, monotonic() - started)

    def stream(self, send: Send) -> Incoming:
        """Send, check the head of the answer, and give it; its blocks come when they come."""
        request, how = build(send, self._settings)
        answer = self._open(request)
        if answer.is_event_stream:
            return answer
        with answer:
            body = answer.read(_MAX_ERROR_BYTES)
        reply = _reply(answer, body, request, 0.0, self._settings.gateway)
        raise _not_a_stream(_as_ark(reply, request, how, self._settings))

    def fetch(self, url: str, addresses: Sequence[str] = ()) -> Incoming:
        """GET *url*, which is not the API, without the key; redirects are not followed.

        Args:
            url: What to get.
            addresses: Where its host is, each tried in turn, so that no name is looked up again;
                none to connect by name. A proxy connects by name, whatever is given.
        """
        request = Request(method="GET", url=url, headers={"Accept-Encoding": "identity"})
        sender = self._injected or self._connections().through_httpx
        patience = Patience.of(self._settings, request)
        *first, last = through_httpx.destinations(sender, request, addresses)
        for address in first:
            with suppress(ConnectionFailed):
                return through_httpx.fetch(sender, request, patience, address)
        return through_httpx.fetch(sender, request, patience, last)

    def _open(self, request: Request) -> Incoming:
        patience = Patience.of(self._settings, request)
        if self._injected is not None:
            return through_httpx.send(self._injected, request, patience, {})
        own = self._connections()
        target = self._plain.target(request)
        watched = direct.is_watched(httpx.HTTPTransport.handle_request, "ConnectionPool")
        if target is None or watched:
            return through_httpx.send(own.through_httpx, request, patience, {})
        return own.direct.send(request, target, patience)

    def _connections(self) -> _Own:
        if self._own is None or self._owner != os.getpid():
            with self._lock:
                if self._own is None or self._owner != os.getpid():
                    self._own, self._owner = _Own(), os.getpid()
                    # Adapters are dropped rather than closed; their sockets must not outlive them.
                    weakref.finalize(self, self._own.close)
        return self._own

    def close(self) -> None:
        """Close the connections; an injected client is its owner's to close."""
        if self._own is not None:
            self._own.close()
            self._own = None


class _Own:
    """The connections of one process."""

    def __init__(self) -> None:
        self.direct = BlockingConnections()
        self.through_httpx = BlockingPool()

    def close(self) -> None:
        self.direct.close()
        self.through_httpx.close()


class AsyncTransport:
    """Sends through connections that belong to the running event loop."""

    def __init__(self, settings: Settings, injected: httpx.AsyncClient | None) -> None:
        self._settings = settings
        self._injected = injected
        self._plain = direct.Plain()
        self._direct = LoopPools(LoopConnections)
        self._through_httpx = LoopPools(FreeListPool)

    async def send(self, send: Send) -> Reply:
        """Send, and read the whole answer, of at most ``send.max_bytes``."""
        started = monotonic()
        request, how = build(send, self._settings)
        try:
            async with await self._open(request) as answer:
                body = await answer.read(send.max_bytes, send.sift)
            reply = _reply(answer, body, request, monotonic() - started, self._settings.gateway)
            told = _as_ark(reply, request, how, self._settings)
            return told if send.known is None else checked(told)
        except DoubaoError as failure:
            return _known(send, failure, monotonic() - started)

    async def stream(self, send: Send) -> AsyncIncoming:
        """Send, check the head of the answer, and give it; its blocks come when they come."""
        request, how = build(send, self._settings)
        answer = await self._open(request)
        if answer.is_event_stream:
            return answer
        async with answer:
            body = await answer.read(_MAX_ERROR_BYTES)
        reply = _reply(answer, body, request, 0.0, self._settings.gateway)
        raise _not_a_stream(_as_ark(reply, request, how, self._settings))

    async def fetch(self, url: str, addresses: Sequence[str] = ()) -> AsyncIncoming:
        """GET *url* without the key; see :meth:`SyncTransport.fetch`."""
        request = Request(method="GET", url=url, headers={"Accept-Encoding": "identity"})
        sender = self._injected or await self._through_httpx.current()
        patience = Patience.of(self._settings, request)
        *first, last = through_httpx.destinations(sender, request, addresses)
        for address in first:
            with suppress(ConnectionFailed):
                return await through_httpx.afetch(sender, request, patience, address)
        return await through_httpx.afetch(sender, request, patience, last)

    async def _open(self, request: Request) -> AsyncIncoming:
        patience = Patience.of(self._settings, request)
        if self._injected is not None:
            return await through_httpx.asend(self._injected, request, patience, {})
        target = self._plain.target(request)
        transport = httpx.AsyncHTTPTransport.handle_async_request
        if target is None or direct.is_watched(transport, "AsyncConnectionPool"):
            sender = await self._through_httpx.current()
            return await through_httpx.asend(sender, request, patience, {})
        return await (await self._direct.current()).send(request, target, patience)

    async def aclose(self) -> None:
        """Close this event loop's connections; an injected client is its owner's to close."""
        await self._direct.aclose()
        await self._through_httpx.aclose()


def _reply(head: Head, body: bytes, request: Request, elapsed: float, gateway: Gateway) -> Reply:
    # Some providers refuse with a good status.
    may_refuse = head.status >= _REFUSED or gateway.failure is not None
    if may_refuse and len(request.secret) >= _SHORTEST_SECRET:
        # A service that quotes the request in its error must not put the key into our texts.
        body = body.replace(request.secret.encode(), b"***")
    headers = head.headers
    if (wait := normalise.pause(head.status, headers, time.time())) is not None:
        headers = {**headers, "retry-after": f"{wait:.3f}"}
    return Reply(status=head.status, headers=headers, body=body, elapsed=elapsed)


def _as_ark(reply: Reply, request: Request, how: Route, settings: Settings) -> Reply:
    """Turn an answer into Ark's; what a wrong ``base_url`` may cause is raised with that reason."""
    if reply.status in redirect.STATUSES:
        raise redirect.refusal(reply, request.url, settings.locate())
    try:
        told = settings.gateway.as_ark(how, reply)
        return checked(told) if told.status in NO_SUCH_PATH else told
    except RequestError as error:
        settings.explain(error, how, urlsplit(request.url).path)
        raise


def _known(send: Send, failure: DoubaoError, elapsed: float) -> Reply:
    """Give what was known before *send* asked for the rest of it, if asking later can help."""
    if send.known is None or not isinstance(failure, _LATER):
        raise failure
    _LOG.info("%s failed, so its task is not over: %s", send.operation, failure)
    return normalise.unfinished(send.known, failure, elapsed)


def _not_a_stream(reply: Reply) -> DoubaoError:
    """Say why an answer to a streamed request is none: an error status, or an error under 200."""
    try:
        checked(reply)
    except DoubaoError as failure:
        return failure
    whole = None
    # What is no JSON is no error of the service, but what a proxy or a wrong address answers.
    with suppress(Malformed):
        whole = reply.json()
        if error := whole.get("error"):
            return from_payload(error, status=reply.status, headers=reply.headers)
    kind = reply.headers.get("content-type", "no content type")
    return Malformed(
        f"asked for an event stream, got {kind!r}",
        status=reply.status,
        request_id=reply.headers.get("x-request-id"),
        # Some providers pass over that a stream was asked for: what they made was paid for.
        body=whole,
    )
