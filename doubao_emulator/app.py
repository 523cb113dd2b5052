"""The front door: reads, records and authorises each request, then routes it.

Everything that is the same for every route happens here: request ids, the error envelope, the
body limit and the faults that do not need to know what was asked.
"""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.parse import unquote

from starlette.exceptions import HTTPException
from starlette.routing import Mount, Router

from doubao_emulator import (
    chat,
    dialects,
    embeddings,
    files,
    images,
    media,
    model_list,
    strikes,
    tokenization,
    videos,
)
from doubao_emulator.clouds import ARK, BYTEPLUS
from doubao_emulator.errors import (
    ArkError,
    body_too_large,
    internal_error,
    route_not_found,
    unauthenticated,
)
from doubao_emulator.exchange import JSON_TYPE, Exchange
from doubao_emulator.faults import MEDIA_PREFIX
from doubao_emulator.state import RecordedRequest
from doubao_emulator.version import VERSION
from doubao_emulator.wire import JSON, encode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from doubao_emulator.clouds import Cloud
    from doubao_emulator.state import World

logger = logging.getLogger("doubao_emulator")

BODY_LIMIT = 64 * 1024 * 1024


class Front:
    """The whole emulator as one ASGI application."""

    def __init__(self, world: World) -> None:
        self._world = world
        clouds = [Mount(cloud.prefix, app=_router(world, cloud)) for cloud in (BYTEPLUS, ARK)]
        spoken = [
            Mount(dialect.prefix, app=_closed(dialect.routes(world)))
            for dialect in dialects.known().values()
        ]
        self._router = Router([*media.routes(world), *clouds, *spoken], default=_no_route)
        self._router.redirect_slashes = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise ValueError(f"The emulator serves HTTP, not {scope['type']!r}.")
        headers = {
            key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]
        }
        envelope = Envelope(self._world, headers, send, scope)
        try:
            await self._serve(scope, headers, receive, envelope)
        except ArkError as error:
            await envelope.refuse(error)
        except HTTPException:
            # Starlette's 405: a known path, another method.
            await envelope.refuse(route_not_found(scope["method"], scope["path"]))
        except Exception:
            logger.exception("The emulator failed to answer %s %s", scope["method"], scope["path"])
            await envelope.refuse(internal_error())

    async def _serve(
        self, scope: Scope, headers: Mapping[str, str], receive: Receive, envelope: Envelope
    ) -> None:
        raw = await _read_body(headers, receive)
        if raw is None:
            return
        path: str = scope["path"]
        decoded = _decode(raw)
        self._record(scope, headers, raw, decoded)
        key = ""
        with ExitStack() as admitted:
            if not path.startswith(MEDIA_PREFIX):
                # Before anything else, so that a stranger learns nothing (ark.md 21.1).
                key = _authorise(headers, path)
                envelope.greet(key)
                if (dialect := dialects.of(path)) is not None:
                    admitted.enter_context(dialect.admitted(self._world, key))
                await self._admit(key, decoded)
            exchange = Exchange(
                request_id=envelope.request_id, path=path, raw=raw, decoded=decoded, key=key
            )
            scope["exchange"] = exchange
            # Starlette raises its 405 only when it believes itself inside an application.
            scope["app"] = self
            replay = _replay(raw, receive)
            await strikes.serve(self._world, exchange, self._router, scope, replay, envelope.send)

    async def _admit(self, key: str, decoded: JSON) -> None:
        """Measure the request against the limit as it arrives, then take the time to answer."""
        world = self._world
        if world.rate_limit is not None:
            world.rate_limit.admit(decoded, key, world.clock.now())
        if world.latency:
            await asyncio.sleep(world.latency)

    def _record(self, scope: Scope, headers: Mapping[str, str], raw: bytes, decoded: JSON) -> None:
        request = RecordedRequest(
            method=scope["method"],
            path=scope["path"],
            query=unquote(scope["query_string"].decode("latin-1")),
            headers=dict(headers),
            body=decoded if raw else None,
            size=len(raw),
            time=self._world.clock.now(),
        )
        self._world.record(request)


class Envelope:
    """Adds the headers every answer carries, and sends refusals (ark.md 1.4, 2.1)."""

    def __init__(self, world: World, headers: Mapping[str, str], send: Send, scope: Scope) -> None:
        self.request_id = world.ids.request()
        client_id = headers.get("x-client-request-id") or world.ids.client_request()
        self._world = world
        self._method, self._path = scope["method"], scope["path"]
        self._dialect = dialects.of(self._path)
        self._headers = [(b"x-doubao-emulator", VERSION.encode())]
        if self._dialect is None:
            self._headers += [
                (b"x-request-id", self.request_id.encode()),
                (b"x-client-request-id", client_id.encode("latin-1")),
            ]
        self._send = send
        self._started = False

    def greet(self, key: str) -> None:
        """Add what a gateway tells every key."""
        if self._dialect is not None:
            told = self._dialect.headers(self._world, key).items()
            self._headers += [(name.lower().encode(), value.encode()) for name, value in told]

    async def send(self, message: Message) -> None:
        """Pass one ASGI message on, with the common headers added to the first."""
        if message["type"] == "http.response.start":
            self._started = True
            message = {**message, "headers": [*message.get("headers", ()), *self._headers]}
        await self._send(message)

    async def refuse(self, error: ArkError) -> None:
        """Answer with an error, unless an answer is already under way."""
        if self._started:
            raise RuntimeError(f"{error} was raised after its answer had begun.") from error
        status, payload = error.status, error.body(self.request_id)
        if self._dialect is not None:
            below = self._dialect.below(self._path)
            status, payload = self._dialect.refusal(error, self._method, below)
        body = encode(payload)
        headers = [
            (b"content-type", JSON_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            *((key.lower().encode(), value.encode()) for key, value in error.headers.items()),
        ]
        if error.status == body_too_large(BODY_LIMIT).status:
            # The rest of the body was never read.
            headers.append((b"connection", b"close"))
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})


def _router(world: World, cloud: Cloud) -> Router:
    capabilities = (chat, embeddings, files, images, model_list, tokenization, videos)
    return _closed([route for each in capabilities for route in each.routes(world, cloud)])


def _closed(routes: Sequence[BaseRoute]) -> Router:
    """Make a router that has nothing but `routes`."""
    router = Router(routes, default=_no_route)
    router.redirect_slashes = False
    return router


async def _no_route(scope: Scope, _receive: Receive, _send: Send) -> None:
    # The real service was seen to answer unknown GET paths with an empty 200, and to take a POST
    # below the task collection for a creation (ark.md 3). A test server that did so would hide
    # typing errors, so this one says plainly that there is no such route.
    raise route_not_found(scope["method"], scope["path"])


def _authorise(headers: Mapping[str, str], path: str) -> str:
    """Return the key that the request was sent with."""
    if (dialect := dialects.of(path)) is not None:
        return dialect.key(headers, dialect.below(path))
    scheme, _, key = headers.get("authorization", "").partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key or key == "None":
        raise unauthenticated()
    return key


async def _read_body(headers: Mapping[str, str], receive: Receive) -> bytes | None:
    """Read the whole body; None when the client left before it was complete."""
    declared = headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > BODY_LIMIT:
        raise body_too_large(BODY_LIMIT)
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > BODY_LIMIT:
            raise body_too_large(BODY_LIMIT)
        if not message.get("more_body", False):
            return bytes(body)


def _decode(raw: bytes) -> JSON:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        # Multipart, or broken JSON that the handler will refuse in its own words.
        return raw


def _replay(raw: bytes, receive: Receive) -> Receive:
    """Give the body that was read already to whoever reads the request again."""
    pending = [raw]

    async def replay() -> Message:
        if pending:
            return {"type": "http.request", "body": pending.pop(), "more_body": False}
        return await receive()

    return replay


def build(world: World) -> ASGIApp:
    """Return the emulator's ASGI application over `world`."""
    return Front(world)
