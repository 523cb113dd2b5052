"""Embeddings of texts, and of texts with pictures and films (ark.md 10, 11)."""

from __future__ import annotations

import base64
import binascii
import sys
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict, Unpack

from doubao_core import catalogue
from doubao_core.api.answers import Usage
from doubao_core.errors import ConfigError, InvalidRequest, Malformed
from doubao_core.operation import JSON, Flow, Operation, Send, body

MOST_INPUTS = 256
"""Texts in one request of the text endpoint (ark.md 10)."""
_INSTEAD = (
    "use embed_multimodal instead of embed, which DoubaoEmbeddings and DoubaoEmbedding do unless "
    "told multimodal=False"
)


class EmbeddingOptions(TypedDict, total=False):
    """Optional fields of a text embedding request (ark.md 10)."""

    dimensions: int | None
    user: str | None
    extra_body: Mapping[str, Any] | None


class MultimodalEmbeddingOptions(TypedDict, total=False):
    """Optional fields of a multimodal embedding request (ark.md 11)."""

    dimensions: int | None
    instructions: str | None
    sparse_embedding: Mapping[str, str] | None
    extra_body: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Embeddings:
    """Vectors in the order of the inputs, whatever order they came in."""

    vectors: list[list[float]]
    model: str
    usage: Usage | None
    raw: JSON = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MultimodalEmbedding:
    """One vector for all parts of one input; ``sparse`` maps token index to weight."""

    vector: list[float]
    sparse: dict[int, float] | None
    model: str
    usage: Usage | None
    raw: JSON = field(default_factory=dict, repr=False)


@Operation
def embed(
    *, model: str, texts: Sequence[str], **options: Unpack[EmbeddingOptions]
) -> Flow[Embeddings]:
    """Embed texts with a text model, one vector each (ark.md 10).

    Vectors travel as base64, which is about half the bytes and a third of the parsing.

    Args:
        model: Text embedding model; vision ones need ``embed_multimodal``.
        texts: 1 to 256 non-empty texts of at most 100 000 bytes each, sent untouched.
        options: See :class:`EmbeddingOptions`; a ``model`` in ``extra_body`` is not checked.

    Raises:
        ConfigError: No texts, too many, or an empty one; or a known vision embedding model.
        Malformed: The answer lacks a vector, or they differ in length.
    """
    _check_texts(texts)
    said = (options.get("extra_body") or {}).get("model")
    if said is None and _is_vision(model):
        raise ConfigError(f"{model!r} is a vision embedding model: {_INSTEAD}", param="model")
    fields = {"model": model, "input": list(texts), "encoding_format": "base64"}
    try:
        reply = yield Send(operation="embeddings.create", body=body(fields, options))
    except InvalidRequest as error:
        if error.param == "model" and _is_vision(said or model) is not False:
            error.message = f"{error.message.rstrip('. ')}; if it embeds pictures, {_INSTEAD}"
            error.args = (error.message,)
        raise
    raw = reply.json()
    return Embeddings(
        vectors=_ordered(raw.get("data"), len(texts)),
        model=raw.get("model") or model,
        usage=Usage.parse(raw["usage"]) if raw.get("usage") else None,
        raw={name: value for name, value in raw.items() if name != "data"},
    )


@Operation
def embed_multimodal(
    *,
    model: str,
    parts: Sequence[Mapping[str, Any]],
    **options: Unpack[MultimodalEmbeddingOptions],
) -> Flow[MultimodalEmbedding]:
    """Embed one document of any number of parts into **one** vector (ark.md 11).

    Args:
        model: Vision embedding model.
        parts: Parts in wire form: ``{"type": "text", "text": …}``,
            ``{"type": "image_url", "image_url": {"url": …}}`` or ``{"type": "video_url", …}``.
        options: See :class:`MultimodalEmbeddingOptions`; ``sparse_embedding`` is for text only.
    """
    if not parts:
        raise ConfigError("embed_multimodal needs at least one part")
    fields = {"model": model, "input": list(parts), "encoding_format": "base64"}
    reply = yield Send(operation="embeddings.multimodal", body=body(fields, options))
    raw = reply.json()
    data = raw.get("data")
    if isinstance(data, list):
        # The BytePlus SDK types a list here; the wire is an object (ark.md 11). Take both.
        data = data[0] if data else None
    if not isinstance(data, dict) or "embedding" not in data:
        raise Malformed("the answer has no embedding")
    return MultimodalEmbedding(
        vector=floats(data["embedding"]),
        sparse=_sparse(data.get("sparse_embedding")),
        model=raw.get("model") or model,
        usage=Usage.parse(raw["usage"]) if raw.get("usage") else None,
        raw={name: value for name, value in raw.items() if name != "data"},
    )


def _is_vision(model: str) -> bool | None:
    """Whether *model* embeds pictures, too; ``None`` if that is not known."""
    facts = catalogue.find(model)
    return None if facts is None else facts.kind == "embedding" and facts.takes("image") is True


def _check_texts(texts: Sequence[str]) -> None:
    if isinstance(texts, str):
        raise ConfigError("texts is one string: pass a list, or each letter would be a text")
    if not 1 <= len(texts) <= MOST_INPUTS:
        raise ConfigError(f"embed takes 1 to {MOST_INPUTS} texts in one request, not {len(texts)}")
    for position, text in enumerate(texts):
        if not isinstance(text, str) or not text:
            raise ConfigError(f"text {position} is empty or no string: the service refuses it")


def _ordered(data: Any, count: int) -> list[list[float]]:
    if not isinstance(data, list) or len(data) != count:
        got = len(data) if isinstance(data, list) else "none"
        raise Malformed(f"asked for {count} vectors, got {got}")
    vectors: list[list[float] | None] = [None] * count
    for position, item in enumerate(data):
        index = item.get("index", position)
        if not 0 <= index < count or vectors[index] is not None:
            raise Malformed(f"the vectors' indices are not 0 to {count - 1}, each once")
        vectors[index] = floats(item["embedding"])
    complete = [vector for vector in vectors if vector is not None]
    if len({len(vector) for vector in complete}) != 1:
        raise Malformed("the vectors differ in length")
    return complete


def floats(embedding: Any) -> list[float]:
    """Read a vector: base64 of little-endian float32, or the list of numbers itself."""
    try:
        if isinstance(embedding, list):
            values = array("d", embedding)
        else:
            values = array("f", base64.b64decode(embedding, validate=True))
            if sys.byteorder == "big":
                values.byteswap()
    except (binascii.Error, TypeError, ValueError) as error:
        raise Malformed(f"a vector is neither numbers nor base64 float32: {error}") from error
    if not values:
        raise Malformed("a vector is empty")
    return values.tolist()


def _sparse(items: Any) -> dict[int, float] | None:
    if items is None:
        return None
    return {
        item["index"]: item["value"] for item in ([items] if isinstance(items, dict) else items)
    }
