"""What is known of each model: context, inputs, thinking, tools (ark.md 20). Data, not promises.

``catalogue.json`` holds one line per model id of Volcengine and BytePlus. Endpoint ids (``ep-…``)
and models that are newer than this file are unknown, and nothing may break for them.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal

from pydantic_core import from_json


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """One model; sizes in tokens, ``None`` where the vendor says nothing.

    Attributes:
        inputs: Modalities that it takes: ``text``, ``image``, ``video``, ``audio``, ``file`` (PDF).
        thinking: Values of ``thinking.type`` that it takes; empty if it does not think.
        default_effort: The ``reasoning_effort`` that applies when none is given.
        structured_output: Whether it takes ``response_format`` of type ``json_schema``.
    """

    name: str
    kind: Literal["chat", "embedding", "image", "video"]
    context_window: int | None
    max_input_tokens: int | None
    max_output_tokens: int | None
    inputs: frozenset[str]
    thinking: tuple[str, ...]
    default_effort: str | None
    tools: bool
    structured_output: bool


@functools.cache
def models() -> dict[str, ModelFacts]:
    """Every known model by id."""
    data = from_json((files("doubao_core") / "catalogue.json").read_bytes())
    return {
        name: ModelFacts(
            **{
                **facts,
                "name": name,
                "inputs": frozenset(facts["inputs"]),
                "thinking": tuple(facts["thinking"]),
            }
        )
        for name, facts in data.items()
    }


def find(model: str) -> ModelFacts | None:
    """What is known of *model*, or ``None``."""
    return models().get(model)
