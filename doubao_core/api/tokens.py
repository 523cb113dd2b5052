"""Exact token counts (ark.md 12). Volcengine only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from doubao_core.errors import ConfigError, Malformed
from doubao_core.operation import Flow, Operation, Send


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokenization:
    """How a model cuts one text: ids, and the ``[start, end)`` characters of each token."""

    total_tokens: int
    token_ids: list[int]
    offset_mapping: list[tuple[int, int]]


@Operation
def tokenize(*, model: str, texts: Sequence[str]) -> Flow[list[Tokenization]]:
    """Cut texts as *model* does, in the order given (ark.md 12)."""
    if isinstance(texts, str) or not texts:
        raise ConfigError("tokenize needs a list of at least one text")
    reply = yield Send(operation="tokenization.create", body={"model": model, "text": list(texts)})
    data = reply.json().get("data")
    if not isinstance(data, list) or len(data) != len(texts):
        raise Malformed(f"asked for {len(texts)} tokenizations, got another number")
    return [
        Tokenization(
            total_tokens=item["total_tokens"],
            token_ids=item["token_ids"],
            offset_mapping=[(start, end) for start, end in item["offset_mapping"]],
        )
        for item in sorted(data, key=lambda item: int(item["index"]))
    ]
