"""POST /embeddings and /embeddings/multimodal (ark.md 10, 11)."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from starlette.routing import Route

from doubao_emulator import tokens, vectors
from doubao_emulator.embedding_parts import MAX_TEXT_BYTES, check_mix, read_parts
from doubao_emulator.errors import (
    invalid_parameter,
    missing_parameter,
    model_not_for_this_api,
    unsupported_parameter,
)
from doubao_emulator.exchange import exchange_of, json_reply
from doubao_emulator.models import EmbeddingModel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from starlette.requests import Request
    from starlette.responses import Response

    from doubao_emulator.clouds import Cloud
    from doubao_emulator.embedding_parts import Part
    from doubao_emulator.exchange import Exchange
    from doubao_emulator.state import World
    from doubao_emulator.wire import JSON, Fields

_MAX_ITEMS = 256


def routes(world: World, cloud: Cloud) -> list[Route]:
    """Return the two embedding routes of one cloud."""

    async def texts(request: Request) -> Response:
        exchange = exchange_of(request)
        return json_reply(_text_answer(exchange, world, cloud))

    async def multimodal(request: Request) -> Response:
        exchange = exchange_of(request)
        return json_reply(_multimodal_answer(exchange, world, cloud))

    return [
        Route("/embeddings", texts, methods=["POST"]),
        Route("/embeddings/multimodal", multimodal, methods=["POST"]),
    ]


def _text_answer(exchange: Exchange, world: World, cloud: Cloud) -> JSON:
    fields = exchange.fields()
    model = _model(fields, cloud, multimodal=False)
    texts = _texts(fields, model)
    dimensions = _dimensions(fields, model)
    base64_wanted = _is_base64(fields)
    fields.string("user")
    used = sum(tokens.count(text) for text in texts)
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": _encoded(vectors.text_vector(text, dimensions), base64_wanted),
        }
        for index, text in enumerate(texts)
    ]
    usage = {"prompt_tokens": used, "total_tokens": used}
    return {**_head(exchange, world, model), "data": data, "usage": usage}


def _multimodal_answer(exchange: Exchange, world: World, cloud: Cloud) -> JSON:
    fields = exchange.fields()
    model = _model(fields, cloud, multimodal=True)
    parts = read_parts(fields, model)
    check_mix(parts, model)
    dimensions = _dimensions(fields, model)
    base64_wanted = _is_base64(fields)
    instructions = _instructions(fields, model)
    _check_length(parts, model)
    vector = vectors.combine([part.vector(dimensions) for part in parts])
    data: dict[str, JSON] = {"object": "embedding", "embedding": _encoded(vector, base64_wanted)}
    if _wants_sparse(fields, model, parts):
        text = "\n".join(part.text for part in parts)
        data["sparse_embedding"] = [
            {"index": index, "value": value} for index, value in vectors.sparse(text)
        ]
    if _wants_multi(fields, model):
        rows = (row for part in parts for row in part.token_vectors(dimensions))
        data["multi_embedding"] = [row.tolist() for row in rows]
    usage = _multimodal_usage(parts, instructions)
    return {**_head(exchange, world, model), "data": data, "usage": usage}


def _model(fields: Fields, cloud: Cloud, *, multimodal: bool) -> EmbeddingModel:
    name = fields.required_string("model")
    if name.startswith("ep-"):
        return next(
            model
            for model in cloud.models.values()
            if isinstance(model, EmbeddingModel) and (model.multimodal or not multimodal)
        )
    model = cloud.find(name, EmbeddingModel)
    if model.multimodal is not multimodal:
        raise model_not_for_this_api(name)
    return model


def _texts(fields: Fields, model: EmbeddingModel) -> list[str]:
    value = fields.get("input")
    if value is None:
        raise missing_parameter("input")
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise invalid_parameter("input", "a string or an array of strings is expected.")
    if not 1 <= len(texts) <= _MAX_ITEMS:
        raise invalid_parameter("input", f"it must have 1 to {_MAX_ITEMS} items.")
    for index, text in enumerate(texts):
        _check_text(text, f"input[{index}]")
        if tokens.count(text) > model.context:
            raise invalid_parameter(
                f"input[{index}]", f"it must have at most {model.context} tokens."
            )
    return texts


def _check_text(text: str, param: str) -> None:
    if not text:
        raise invalid_parameter(param, "it must not be empty.")
    if len(text.encode("utf-8", "surrogatepass")) > MAX_TEXT_BYTES:
        raise invalid_parameter(param, f"it must have at most {MAX_TEXT_BYTES} bytes.")


def _dimensions(fields: Fields, model: EmbeddingModel) -> int:
    asked = fields.integer("dimensions")
    if asked is None:
        return model.dimensions[0]
    if asked not in model.dimensions:
        allowed = ", ".join(str(length) for length in model.dimensions)
        raise invalid_parameter("dimensions", f"model {model.id} supports {allowed}.")
    return asked


def _is_base64(fields: Fields) -> bool:
    return fields.string("encoding_format", choices=("float", "base64")) == "base64"


def _encoded(vector: NDArray[np.float32], base64_wanted: bool) -> JSON:
    if base64_wanted:
        return base64.b64encode(vector.astype("<f4").tobytes()).decode()
    return vector.tolist()


def _instructions(fields: Fields, model: EmbeddingModel) -> str:
    instructions = fields.string("instructions")
    if instructions is not None and not model.rich:
        raise unsupported_parameter("instructions", model.id)
    return instructions or ""


def _check_length(parts: list[Part], model: EmbeddingModel) -> None:
    used = sum(part.tokens for part in parts)
    if used > model.context:
        raise invalid_parameter("input", f"it must have at most {model.context} tokens.")


def _wants_sparse(fields: Fields, model: EmbeddingModel, parts: list[Part]) -> bool:
    option = fields.object("sparse_embedding")
    if option is None:
        return False
    kind = option.string("type", choices=("enabled", "disabled"))
    if kind is None:
        raise missing_parameter("sparse_embedding.type")
    if kind == "disabled":
        return False
    if not model.sparse:
        raise unsupported_parameter("sparse_embedding", model.id)
    if any(part.kind != "text" for part in parts):
        raise invalid_parameter("sparse_embedding", "it is only supported for text input.")
    return True


def _wants_multi(fields: Fields, model: EmbeddingModel) -> bool:
    option = fields.object("multi_embedding")
    if option is None:
        return False
    kind = option.string("type", choices=("enabled", "disabled"))
    if kind is None:
        raise missing_parameter("multi_embedding.type")
    compression = option.string("compression", choices=("zstd", "blosc2"))
    if kind == "disabled":
        return False
    if not model.rich:
        raise unsupported_parameter("multi_embedding", model.id)
    if compression is not None:
        # Neither codec is in the standard library, and a wrong answer helps nobody.
        raise invalid_parameter(
            "multi_embedding.compression", "the emulator only sends uncompressed vectors."
        )
    return True


def _multimodal_usage(parts: list[Part], instructions: str) -> dict[str, JSON]:
    seen = sum(part.tokens for part in parts if part.kind != "text")
    read = sum(part.tokens for part in parts if part.kind == "text") + tokens.count(instructions)
    # A few text tokens are added for each picture or film (ark.md 11).
    read += sum(part.extra_text_tokens for part in parts)
    return {
        "prompt_tokens": seen + read,
        "total_tokens": seen + read,
        "prompt_tokens_details": {"text_tokens": read, "image_tokens": seen},
    }


def _head(exchange: Exchange, world: World, model: EmbeddingModel) -> dict[str, JSON]:
    return {
        "id": exchange.request_id,
        "object": "list",
        "created": int(world.clock.now()),
        "model": model.id,
    }
