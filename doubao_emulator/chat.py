"""POST /chat/completions (ark.md 4)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

from doubao_emulator import chat_answer, chat_request, chat_stream
from doubao_emulator.answering import reply
from doubao_emulator.answering.spoken import Reply
from doubao_emulator.exchange import JSON_TYPE, exchange_of, json_reply
from doubao_emulator.scripting import ScriptedBody, ScriptedStream, ScriptedTurn
from doubao_emulator.sse import EventStream
from doubao_emulator.wire import encode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from doubao_emulator.chat_answer import Answer
    from doubao_emulator.chat_model import ChatRequest
    from doubao_emulator.clouds import Cloud
    from doubao_emulator.exchange import Exchange
    from doubao_emulator.state import World
    from doubao_emulator.wire import JSON, Fields


def routes(world: World, cloud: Cloud) -> list[Route]:
    """Return the chat route of one cloud."""
    return [route(world, cloud, ARK)]


@dataclass(frozen=True, slots=True)
class Manner:
    """How answers look on the wire.

    Attributes:
        body: Makes the body of a whole answer.
        frames: Makes the framed events of a stream; the last argument says whether usage was asked
            for in every event.
    """

    body: Callable[[Answer], JSON]
    frames: Callable[[Answer, bool, bool], Iterable[bytes]]


def _ark_frames(answer: Answer, usage_chunk: bool, usage_everywhere: bool) -> Iterable[bytes]:
    return chat_stream.frames(answer, usage_chunk=usage_chunk, usage_everywhere=usage_everywhere)


ARK = Manner(body=chat_answer.body, frames=_ark_frames)
"""Ark's own (ark.md 4.3, 4.4)."""


def route(world: World, cloud: Cloud, manner: Manner) -> Route:
    """Return the chat route of a service that answers in this manner."""

    async def complete(request: Request) -> _Sent:
        return _Sent(_complete(exchange_of(request), world, cloud, manner))

    return Route("/chat/completions", complete, methods=["POST"])


class _Sent(Response):
    """A response that is another ASGI application: what Starlette calls an endpoint's answer."""

    def __init__(self, answer: ASGIApp) -> None:
        super().__init__()
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._answer(scope, receive, send)


def _complete(exchange: Exchange, world: World, cloud: Cloud, manner: Manner) -> ASGIApp:
    fields = exchange.fields()
    request = chat_request.read(fields, world, cloud)
    cached = _cached_tokens(fields, request, world)
    scripted = world.answers.popleft() if world.answers else None
    if isinstance(scripted, ScriptedBody):
        return _exact_body(scripted)
    if isinstance(scripted, ScriptedStream):
        return EventStream(
            world,
            exchange,
            scripted.frames(),
            burst=scripted.burst,
            interval=scripted.interval,
        )
    answer = chat_answer.finish(
        _said(scripted) if scripted else reply.compose(request),
        request,
        world,
        answer_id=exchange.request_id,
        cached_tokens=cached,
    )
    if not request.stream:
        return json_reply(manner.body(answer))
    events = manner.frames(answer, request.usage_chunk, request.usage_everywhere)
    return EventStream(world, exchange, events)


def _said(turn: ScriptedTurn) -> Reply:
    return Reply(
        content=turn.content,
        reasoning=turn.reasoning,
        calls=turn.tool_calls,
        finish_reason=turn.finish_reason,
        usage=turn.usage,
    )


def _exact_body(scripted: ScriptedBody) -> Response:
    raw = scripted.body if isinstance(scripted.body, bytes) else encode(scripted.body)
    return Response(raw, media_type=JSON_TYPE)


def _cached_tokens(fields: Fields, request: ChatRequest, world: World) -> int:
    """Return the size of the implicit cache's hit, and remember this prompt (ark.md 4.7).

    A prompt hits with the messages it shares with an earlier one from the start, counted in
    whole blocks.
    """
    block = request.model.cache_block
    if not block or request.prompt_tokens < block:
        return 0
    digest = hashlib.sha256(encode([request.model.id, fields.get("tools")]))
    length, hit = 0, 0
    raw_messages: list[JSON] = fields.get("messages")
    for raw, message in zip(raw_messages, request.messages, strict=True):
        digest.update(encode(raw))
        length += chat_request.message_tokens(message)
        if length < block:
            continue
        if world.saw_prompt(digest.digest()):
            hit = length // block * block
    return hit
