"""The receiver as an ASGI application, without a framework: mount it, or serve it as it is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, TypeAlias

from doubao_core.webhooks.receiver import MAX_BYTES, Later, Receiver
from doubao_core.webhooks.scheme import Refused

BODY_SECONDS = 10.0
"""How long a body may take to come."""
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
_LOG = logging.getLogger("doubao_core.webhooks")
_OK, _NO_SUCH = 200, 404


class App:
    """Answers ``POST <wherever it is mounted>/<token>``, and says 404 to everything else.

    ``Mount("/doubao", App(receiver))`` under Starlette, ``app.mount("/doubao", App(receiver))``
    under FastAPI. Mounted or not, the token is the last part of the path: keep it out of access
    logs. Refusals never say what was wrong.

    Args:
        receiver: What takes the deliveries.
    """

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request, or the life of a server."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            status = await self._answer(scope, receive)
            if status is not None:
                await _respond(send, status)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})

    async def _answer(self, scope: Message, receive: Receive) -> int | None:
        """Give the status of the answer; ``None`` if nobody waits for it any more."""
        token = scope["path"].rstrip("/").rpartition("/")[2]
        if not self._receiver.admits(token) or scope["method"] != "POST":
            return _NO_SUCH
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        try:
            async with asyncio.timeout(BODY_SECONDS):
                raw = await _body(receive)
            await self._receiver.receive(headers, raw)
        except _Gone:
            return None
        except tuple(_STATUSES) as error:
            _LOG.warning("a delivery was not taken: %s", error)
            return _STATUSES[type(error)]
        return _OK

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            event = (await receive())["type"]
            if event == "lifespan.shutdown":
                await self._receiver.finish()
            await send({"type": f"{event}.complete"})
            if event == "lifespan.shutdown":
                return


class _Gone(Exception):
    """The one who sent the request has hung up."""


class _TooLarge(Exception):
    """A body is larger than any task is."""


_STATUSES: Mapping[type[Exception], int] = {
    Refused: 400,
    TimeoutError: 408,
    _TooLarge: 413,
    Later: 503,
}


async def _body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        body += message.get("body", b"")
        if len(body) > MAX_BYTES:
            raise _TooLarge(f"the body has more than {MAX_BYTES:,} bytes")
        if not message.get("more_body", False):
            return bytes(body)


async def _respond(send: Send, status: int) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})
