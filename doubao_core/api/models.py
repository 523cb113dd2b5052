"""The list of foundation models (ark.md 3.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from doubao_core.operation import JSON, Flow, Operation, Send


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model that the cloud has; whether the key may call it is not said.

    Attributes:
        status: ``None`` (in service), ``"Retiring"`` or ``"Shutdown"``.
        domain: ``"LLM"``, ``"VLM"``, ``"Embedding"``, ``"ImageGeneration"``, …
        context_window: Tokens of prompt and answer together.
        max_output_tokens: Tokens of the answer at most.
    """

    id: str
    name: str
    domain: str | None
    status: str | None
    task_types: tuple[str, ...]
    input_modalities: tuple[str, ...]
    context_window: int | None
    max_output_tokens: int | None
    raw: JSON = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Model:
        """Read an item of the list."""
        limits = raw.get("token_limits") or {}
        return cls(
            id=raw.get("id") or "",
            name=raw.get("name") or "",
            domain=raw.get("domain"),
            status=raw.get("status"),
            task_types=tuple(raw.get("task_type") or ()),
            input_modalities=tuple((raw.get("modalities") or {}).get("input_modalities") or ()),
            context_window=limits.get("context_window"),
            max_output_tokens=limits.get("max_output_token_length"),
            raw=dict(raw),
        )


@Operation
def list_models() -> Flow[list[Model]]:
    """List the cloud's models, including ones not opened for the account (ark.md 3.1)."""
    reply = yield Send(operation="models.list")
    return [Model.parse(item) for item in reply.json().get("data") or ()]
