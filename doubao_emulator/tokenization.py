"""POST /tokenization, which only the Ark cloud has (ark.md 12)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import Route

from doubao_emulator import tokens
from doubao_emulator.errors import invalid_parameter, missing_parameter
from doubao_emulator.exchange import exchange_of, json_reply
from doubao_emulator.models import Model

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from doubao_emulator.clouds import Cloud
    from doubao_emulator.state import World
    from doubao_emulator.wire import JSON, Fields


def routes(world: World, cloud: Cloud) -> list[Route]:
    """Return the tokenization route, or nothing where the cloud has none."""
    if not cloud.tokenization:
        return []

    async def tokenize(request: Request) -> Response:
        exchange = exchange_of(request)
        fields = exchange.fields()
        model = cloud.find(fields.required_string("model"), Model)
        texts = _texts(fields)
        return json_reply(
            {
                "id": exchange.request_id,
                "object": "list",
                "created": int(world.clock.now()),
                "model": model.id,
                "data": [_entry(index, text) for index, text in enumerate(texts)],
            }
        )

    return [Route("/tokenization", tokenize, methods=["POST"])]


def _texts(fields: Fields) -> list[str]:
    value = fields.get("text")
    if value is None:
        raise missing_parameter("text")
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise invalid_parameter("text", "a string or an array of strings is expected.")
    return texts


def _entry(index: int, text: str) -> dict[str, JSON]:
    spans = list(tokens.pieces(text))
    return {
        "index": index,
        "object": "tokenization",
        "total_tokens": len(spans),
        "token_ids": [tokens.token_id(text[start:end]) for start, end in spans],
        "offset_mapping": [list(span) for span in spans],
    }
