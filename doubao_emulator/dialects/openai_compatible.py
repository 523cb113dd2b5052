"""The generic service of seed 000: chat, embeddings, and moderation "if available".

The guide prints model ids with dots, which the service behind it would have to know; its embedding
model is an assumption of its own. Moderation has OpenAI's shape, as none is printed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from starlette.routing import Route

from doubao_emulator import chat, vectors
from doubao_emulator.chat_request import REFUSED_PHRASE
from doubao_emulator.dialects import openai_style
from doubao_emulator.dialects.dialect import Dialect
from doubao_emulator.errors import invalid_parameter, model_not_found, unsupported_parameter
from doubao_emulator.exchange import exchange_of, json_reply

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from doubao_emulator.state import World
    from doubao_emulator.wire import JSON

EMBEDDING_MODEL = "doubao-seed-1.6-embedding"
_DIMENSIONS = 256
_EMBEDDING_FIELDS = {"model", "input"}
_PRINTED = {"doubao-seed-1.6-flash-250615": "doubao-seed-1-6-flash-250615"}
_CATEGORIES = ("harassment", "hate", "self-harm", "sexual", "violence")
_SURE, _UNSURE = 0.91, 0.01

MODELS = replace(
    openai_style.MODELS,
    models={
        **openai_style.MODELS.models,
        **{printed: openai_style.MODELS.models[real] for printed, real in _PRINTED.items()},
    },
)


def _routes(world: World) -> list[BaseRoute]:
    return [
        chat.route(world, MODELS, openai_style.MANNER),
        Route("/embeddings", _embed, methods=["POST"]),
        Route("/moderations", _moderate, methods=["POST"]),
    ]


async def _embed(request: Request) -> Response:
    fields = exchange_of(request).fields()
    model = fields.required_string("model")
    if model != EMBEDDING_MODEL:
        raise model_not_found(model)
    for name in fields.data.keys() - _EMBEDDING_FIELDS:
        raise unsupported_parameter(name, model)
    texts = fields.get("input")
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise invalid_parameter("input", "a list of strings is expected.")
    rows = [vectors.text_vector(text, _DIMENSIONS).tolist() for text in texts]
    return json_reply({"data": [{"embedding": row} for row in rows]})


async def _moderate(request: Request) -> Response:
    exchange = exchange_of(request)
    fields = exchange.fields()
    text = fields.required_string("input")
    flagged = REFUSED_PHRASE in text
    named = [each for each in _CATEGORIES if each in text.lower()] if flagged else []
    hit = named or (["violence"] if flagged else [])
    result: dict[str, JSON] = {
        "flagged": flagged,
        "categories": {name: name in hit for name in _CATEGORIES},
        "category_scores": {name: _SURE if name in hit else _UNSURE for name in _CATEGORIES},
    }
    model = fields.string("model") or "moderation-latest"
    return json_reply({"id": f"modr-{exchange.request_id}", "model": model, "results": [result]})


DIALECT = Dialect(
    name="openai-compatible",
    base="/v1",
    routes=_routes,
    refusal=openai_style.refusal,
)
