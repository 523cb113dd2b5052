"""Server-sent event streams, and the faults that strike inside them (ark.md 1.8)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from doubao_emulator import connection
from doubao_emulator.errors import internal_error
from doubao_emulator.wire import JSON, encode

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Iterable

    from starlette.types import Receive, Scope, Send

    from doubao_emulator.exchange import Exchange
    from doubao_emulator.faults import Fault
    from doubao_emulator.state import World

DONE = b"data: [DONE]\n\n"
STREAM_FAULTS = (
    "reset_mid_stream",
    "truncated_stream",
    "error_mid_stream",
    "malformed_json",
    "stall",
)
_BURST_BYTES = 64 * 1024


def frame(payload: JSON, *, event: str | None = None) -> bytes:
    """Frame one JSON payload; images name the event type on a line of its own."""
    head = f"event: {event}\n".encode() if event else b""
    return b"%sdata: %s\n\n" % (head, encode(payload))


class EventStream:
    """An answer sent event by event, each in one write.

    Args:
        world: Asked for faults; `error_mid_stream` and its kin strike only here.
        exchange: The request being answered.
        events: Framed events, the terminator included.
        burst: Join events into large writes, for speed.
        interval: Seconds to wait between events; the stream ends when the client leaves.
    """

    def __init__(
        self,
        world: World,
        exchange: Exchange,
        events: Iterable[bytes] | AsyncIterable[bytes],
        *,
        burst: bool = False,
        interval: float = 0.0,
    ) -> None:
        self._world = world
        self._exchange = exchange
        self._events = events
        self._burst = burst
        self._interval = interval

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream as an ASGI application."""
        headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        fault = self._fault()
        if fault is not None:
            await self._send_with_fault(fault, scope, receive, send)
            return
        departure = asyncio.ensure_future(connection.gone(receive))
        try:
            await self._send_all(send, departure)
        finally:
            departure.cancel()

    async def _send_all(self, send: Send, departure: asyncio.Future[None]) -> None:
        blocks = _joined(self._events) if self._burst else _iterate(self._events)
        async for block in blocks:
            await send(_body(block))
            if self._interval:
                await asyncio.wait({departure}, timeout=self._interval)
            if departure.done():
                return
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _fault(self) -> Fault | None:
        path = self._exchange.path
        struck = (self._world.faults.strike(name, path) for name in STREAM_FAULTS)
        return next((fault for fault in struck if fault is not None), None)

    async def _send_with_fault(
        self, fault: Fault, scope: Scope, receive: Receive, send: Send
    ) -> None:
        events = _iterate(self._events)
        left = fault.number("after_events", 0)
        while left > 0 and (event := await anext(events, None)) is not None:
            await send(_body(event))
            left -= 1
        if fault.name == "reset_mid_stream":
            await connection.reset(scope, receive)
            return
        if fault.name == "truncated_stream" and fault.params.get("cut"):
            await connection.cut(scope, receive)
            return
        if fault.name == "stall" and not await held(fault, receive):
            return
        if fault.name == "error_mid_stream":
            await send(_body(frame({"error": self._error(fault)})))
        if fault.name == "malformed_json":
            await send(_body(b'data: {"choices":[{"delta":{"content":"\n\n'))
        if fault.name in {"stall", "malformed_json"}:
            async for event in events:
                await send(_body(event))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _error(self, fault: Fault) -> dict[str, JSON]:
        usual = internal_error().body(self._exchange.request_id)["error"]
        chosen = {key: fault.params[key] for key in ("code", "message") if key in fault.params}
        return {**usual, **chosen}


async def held(fault: Fault, receive: Receive) -> bool:
    """Wait until a stalling fault lets go; False when the client left first."""
    departure = asyncio.ensure_future(connection.gone(receive))
    # Shielded, because one fault may hold several answers and cancelling would release them all.
    release = asyncio.shield(asyncio.wrap_future(fault.released))
    await asyncio.wait({departure, release}, return_when=asyncio.FIRST_COMPLETED)
    left = departure.done()
    departure.cancel()
    return not left


async def _iterate(events: Iterable[bytes] | AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    if hasattr(events, "__aiter__"):
        async for event in events:
            yield event
    else:
        for event in events:
            yield event


async def _joined(events: Iterable[bytes] | AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    block = bytearray()
    async for event in _iterate(events):
        block += event
        if len(block) >= _BURST_BYTES:
            yield bytes(block)
            block.clear()
    yield bytes(block)


def _body(data: bytes) -> dict[str, object]:
    return {"type": "http.response.body", "body": data, "more_body": True}
