"""The faults that strike a request whatever it asks for (public_api.md, `doubao_emulator`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from doubao_emulator import connection
from doubao_emulator.errors import ACCOUNT, ArkError, internal_error, model_not_open
from doubao_emulator.sse import held

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from doubao_emulator.exchange import Exchange
    from doubao_emulator.faults import Fault
    from doubao_emulator.state import World

_GATEWAY_PAGE = b"<html><body><h1>502 Bad Gateway</h1></body></html>"


async def serve(
    world: World, exchange: Exchange, app: ASGIApp, scope: Scope, receive: Receive, send: Send
) -> None:
    """Let `app` answer, unless a fault strikes.

    Raises:
        ArkError: For the faults that are an error answer of Ark.
    """
    faults, path = world.faults, exchange.path
    if hang := faults.strike("hang", path):
        # The request has arrived, and nothing is done with it.
        if await held(hang, receive):
            await connection.reset(scope, receive)
        return
    if faults.strike("reset_before_answer", path):
        await connection.reset(scope, receive)
        return
    _raise_scripted_error(world, exchange)
    if failure := faults.strike("server_error", path):
        await _fail(failure, send)
        return
    if faults.strike("lost_answer", path):
        # The work is done and stored; only the answer dies.
        await app(scope, receive, connection.discard)
        await connection.reset(scope, receive)
        return
    reply = _StruckReply(world, exchange, scope, receive, send)
    await app(scope, receive, reply.send)
    await reply.finish()


def _raise_scripted_error(world: World, exchange: Exchange) -> None:
    faults, path = world.faults, exchange.path
    if limit := faults.strike("rate_limit", path):
        raise _rate_limited(limit)
    if quota := faults.strike("quota", path):
        raise _quota_used_up(quota, _model(exchange))
    if faults.strike("model_not_open", path):
        raise model_not_open(_model(exchange))


def _rate_limited(fault: Fault) -> ArkError:
    wait = fault.params.get("retry_after")
    return ArkError(
        status=429,
        code=fault.text("code", "RateLimitExceeded.EndpointTPMExceeded"),
        message=(
            "The Tokens Per Minute (TPM) limit of the associated endpoint for your account has "
            "been exceeded."
        ),
        headers=None if wait is None else {"Retry-After": str(wait)},
    )


def _quota_used_up(fault: Fault, model: str) -> ArkError:
    return ArkError(
        status=429,
        code=fault.text("code", "SetLimitExceeded"),
        message=(
            f"Your account [{ACCOUNT}] has reached the set inference limit for the [{model}] "
            "model, and the model service has been paused."
        ),
    )


async def _fail(fault: Fault, send: Send) -> None:
    """Answer 500 in Ark's words, or another 5xx as a gateway would: not in JSON (ark.md 2.1)."""
    status = fault.number("status", 500)
    if status == internal_error().status:
        raise internal_error()
    headers = [
        (b"content-type", b"text/html"),
        (b"content-length", str(len(_GATEWAY_PAGE)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": _GATEWAY_PAGE})


def _model(exchange: Exchange) -> str:
    body = exchange.decoded
    return str(body.get("model", "")) if isinstance(body, dict) else ""


class _StruckReply:
    """Passes an answer on; `stall` and `malformed_json` strike its body unless it is a stream."""

    def __init__(
        self, world: World, exchange: Exchange, scope: Scope, receive: Receive, send: Send
    ) -> None:
        self._world = world
        self._exchange = exchange
        self._scope = scope
        self._receive = receive
        self._send = send
        self._malformed = False
        self._stall: Fault | None = None
        self._held_back: list[Message] = []

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and not _is_stream(message):
            self._malformed = bool(self._strike("malformed_json"))
            self._stall = self._strike("stall")
        is_body = message["type"] == "http.response.body"
        if self._malformed or (self._stall and is_body):
            self._held_back.append(message)
        else:
            await self._send(message)

    async def finish(self) -> None:
        """Send what was held back, broken or late."""
        if self._malformed:
            await self._send_half()
        elif self._stall and await held(self._stall, self._receive):
            for message in self._held_back:
                await self._send(message)

    async def _send_half(self) -> None:
        start, *rest = self._held_back
        body = b"".join(message.get("body", b"") for message in rest)
        half = body[: len(body) // 2] or b"{"
        headers = [pair for pair in start["headers"] if pair[0] != b"content-length"]
        headers.append((b"content-length", str(len(half)).encode()))
        await self._send({**start, "headers": headers})
        await self._send({"type": "http.response.body", "body": half})

    def _strike(self, name: str) -> Fault | None:
        return self._world.faults.strike(name, self._exchange.path)


def _is_stream(message: Message) -> bool:
    return any(
        key == b"content-type" and value.startswith(b"text/event-stream")
        for key, value in message["headers"]
    )
