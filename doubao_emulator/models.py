"""What a catalogue row is, and how the service answers `GET /models` (ark.md 3.1, 20)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from doubao_emulator.wire import JSON

_DATED = re.compile(r"(?P<name>.+)-(?P<version>\d{6})")
# Models without a date in their name get the day of the document that lists them.
_UNDATED = datetime(2026, 10, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One foundation model of one cloud.

    Attributes:
        id: Public name, usually ending in a date.
        aliases: Other names the service accepts; `GET /models` leaves them out (ark.md 3.1).
        inputs: Modalities it reads, among ``text``, ``image``, ``video``, ``audio``, ``file``.
        outputs: Modalities it makes.
        status: ``Retiring``, ``Shutdown`` or empty for an ordinary model.
    """

    domain: ClassVar[str] = ""

    id: str
    aliases: tuple[str, ...] = ()
    inputs: frozenset[str] = frozenset({"text"})
    outputs: frozenset[str] = frozenset({"text"})
    status: str = ""

    def task_types(self) -> list[str]:
        """Return the `task_type` values of ark.md 3.1."""
        return []

    def token_limits(self) -> dict[str, int]:
        """Return the `token_limits` of ark.md 3.1, empty when it has none."""
        return {}

    def features(self) -> dict[str, JSON]:
        """Return the `features` of ark.md 3.1, empty when it has none."""
        return {}

    def kind(self) -> str:
        """Return the `domain` of ark.md 3.1."""
        return self.domain

    def describe(self) -> dict[str, JSON]:
        """Return the entry of `GET /models`."""
        dated = _DATED.fullmatch(self.id)
        name, version = (dated["name"], dated["version"]) if dated else (self.id, "")
        entry: dict[str, JSON] = {
            "id": self.id,
            "name": name,
            "version": version,
            "object": "model",
            "created": int(_release(version).timestamp()),
            "domain": self.kind(),
            "task_type": self.task_types(),
            "modalities": {
                "input_modalities": sorted(self.inputs),
                "output_modalities": sorted(self.outputs),
            },
            "token_limits": self.token_limits(),
            "features": self.features(),
            "status": self.status,
        }
        return {key: value for key, value in entry.items() if value or key == "version"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatModel(Model):
    """A text or multimodal chat model (ark.md 4, 20.1 to 20.3).

    Attributes:
        context: Context window in tokens.
        max_input: Longest prompt in tokens.
        max_answer: Longest answer in tokens, without the chain of thought.
        max_reasoning: Longest chain of thought in tokens.
        thinking: Accepted `thinking.type` values, the default first; empty when it cannot think.
        effort: Name of the row of `efforts` in `chat_thinking`, empty when unsupported.
        summary: Whether it hides its raw thoughts (ark.md 4.6).
        tools: Whether it takes tools.
        structured: Accepted `response_format.type` values besides ``text``.
        ignores_schema: Accepts ``json_schema`` and answers in prose all the same (ark.md 20.3).
        flex: Whether `service_tier` ``flex`` is offered (ark.md 4.1).
        penalties: Whether frequency and presence penalties are offered.
        logprobs: Whether `logprobs` is offered even while it thinks.
        max_stops: Most entries of `stop`.
        cache_block: Tokens per block of the implicit cache, 0 without one (ark.md 4.7).
        pixels_per_token: Image pixels per prompt token (ark.md 4.2).
        file_ids: Whether parts may name uploaded files (ark.md 4.2).
        total_limit: Whether `max_completion_tokens` is offered.
        counts_thought: Whether `max_tokens` bounds answer and thought together.
        default_usage_chunk: Whether streams end with usage unasked (ark.md 4.4).
    """

    context: int
    max_input: int
    max_answer: int
    max_reasoning: int = 0
    thinking: tuple[str, ...] = ()
    effort: str = ""
    summary: bool = False
    tools: bool = True
    structured: frozenset[str] = frozenset()
    ignores_schema: bool = False
    flex: bool = False
    penalties: bool = True
    logprobs: bool = False
    max_stops: int = 4
    cache_block: int = 0
    pixels_per_token: int = 1764
    file_ids: bool = False
    total_limit: bool = True
    counts_thought: bool = False
    default_usage_chunk: bool = False

    def kind(self) -> str:
        """Return ``VLM`` for a model that sees, else ``LLM``."""
        return "VLM" if "image" in self.inputs else "LLM"

    def task_types(self) -> list[str]:
        """Return the `task_type` values of ark.md 3.1."""
        seeing = ["VisualQuestionAnswering"] if "image" in self.inputs else []
        return [*seeing, "TextGeneration"]

    def token_limits(self) -> dict[str, int]:
        """Return the `token_limits` of ark.md 3.1."""
        limits = {
            "context_window": self.context,
            "max_input_token_length": self.max_input,
            "max_output_token_length": self.max_answer,
            "max_reasoning_token_length": self.max_reasoning,
        }
        return {key: value for key, value in limits.items() if value}

    def features(self) -> dict[str, JSON]:
        """Return the `features` of ark.md 3.1."""
        return {
            "cache": {"prefix_cache": self.cache_block > 0, "session_cache": self.cache_block > 0},
            "structured_outputs": {
                "json_object": "json_object" in self.structured,
                "json_schema": "json_schema" in self.structured,
            },
            "tools": {"function_calling": self.tools},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingModel(Model):
    """An embedding model (ark.md 10, 11, 20.4).

    Attributes:
        context: Longest input in tokens.
        dimensions: Accepted vector lengths, the default first.
        multimodal: Whether it is served by ``/embeddings/multimodal`` (else by ``/embeddings``).
        single: Takes only one text, one picture, or one of each.
        sparse: Whether it makes sparse vectors.
        rich: Whether it takes instructions, multi vectors and frame options (251215 and later).
    """

    domain: ClassVar[str] = "Embedding"

    context: int
    dimensions: tuple[int, ...]
    multimodal: bool = False
    single: bool = False
    sparse: bool = False
    rich: bool = False
    outputs: frozenset[str] = frozenset({"embedding"})

    def task_types(self) -> list[str]:
        """Return the `task_type` values of ark.md 3.1."""
        if not self.multimodal:
            return ["TextEmbedding"]
        return ["TextEmbedding", "ImageEmbedding", "MultimodalEmbedding"]

    def token_limits(self) -> dict[str, int]:
        """Return the `token_limits` of ark.md 3.1."""
        return {"context_window": self.context, "max_input_token_length": self.context}


def by_name(models: tuple[Model, ...]) -> Mapping[str, Model]:
    """Index models by id and alias, in the order of the catalogue."""
    return {name: model for model in models for name in (model.id, *model.aliases)}


def _release(version: str) -> datetime:
    """Read the release day out of a ``yymmdd`` version."""
    if not version:
        return _UNDATED
    return datetime.strptime(version, "%y%m%d").replace(tzinfo=UTC)
