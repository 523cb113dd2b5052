"""The TCP connection under a request: where faults below HTTP happen.

ASGI hides the connection on purpose. A protocol class that uvicorn is told to use puts its
transport into each request's scope, so that a handler can really reset or cut it.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

    from starlette.types import Receive, Scope

# `struct linger` with a wait of zero: closing sends RST instead of FIN.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class ExposedProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 protocol, with the transport visible as ``scope["transport"]``."""

    # The arguments are uvicorn's and are passed on untouched.
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        inner = self.app

        async def with_transport(scope: Any, receive: Any, send: Any) -> None:
            scope["transport"] = self.transport
            await inner(scope, receive, send)

        self.app = with_transport


async def reset(scope: Scope, receive: Receive) -> None:
    """Kill the connection with RST; what was not yet sent is lost."""
    transport = _transport(scope)
    sock = cast("socket.socket", transport.get_extra_info("socket"))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    transport.abort()
    await gone(receive)


async def cut(scope: Scope, receive: Receive) -> None:
    """Close the connection with FIN after what was sent, in the middle of the body."""
    _transport(scope).close()
    await gone(receive)


async def gone(receive: Receive) -> None:
    """Wait until the connection is closed, by whichever side."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def discard(_message: object) -> None:
    """Send nothing: the answer whose connection is about to die."""


def _transport(scope: Scope) -> asyncio.Transport:
    return cast("asyncio.Transport", scope["transport"])
