"""What is known of each model: limits, inputs, thinking, tools (ark.md 4.1, 4.6, 20). No promises.

``catalogue.json`` has a line per model id of Volcengine (ark.md 20.1, 20.2) and BytePlus (20.3),
and one per family; a model has what its family has unless its own line says otherwise. A fact that
is absent is not known. An id that both clouds have has the smaller limits, and is said to refuse
only what both refuse: what each takes is from the vendor's list, for BytePlus ``json_schema`` from
trying it (20.3).

Endpoint ids (``ep-…``) and models that are newer than this file are unknown, and nothing may break
for them. ``scripts/refresh_catalogue.py`` compares the file with what a cloud lists.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from pydantic_core import from_json

Kind: TypeAlias = Literal["chat", "embedding", "image", "video"]

OFF = "off"
"""What a model makes of a ``reasoning_effort`` that turns its thinking off."""
# Below this a suggestion is a guess; a name with a typo is well above.
_CLOSE = 0.75
_DATED = re.compile(r"-\d{6}$")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """One model; sizes in tokens, ``None`` where the vendor says nothing.

    Attributes:
        family: Key of the line in ``families`` whose facts it shares.
        max_input_tokens: Longest prompt.
        max_output_tokens: Longest answer; without the chain of thought in ark.md 20.1, but with it
            for BytePlus (20.3) and seed-1.8, and 20.2 does not say.
        max_reasoning_tokens: Longest chain of thought.
        inputs: Modalities that it takes: ``text``, ``image``, ``video``, ``audio``, ``file`` (PDF).
        more_inputs: Whether it may take others, too, of which the vendor says nothing.
        thinking: Values of ``thinking.type`` that it takes, the default first; empty if it does not
            think, ``None`` if that is not known.
        reasoning: Whether its chain of thought comes as it is or as a summary with a seal.
        default_effort: The ``reasoning_effort`` that applies when none is given.
        efforts: Each ``reasoning_effort`` that it takes, and what it makes of it: another effort,
            ``"off"``, or ``None`` where that is not said. Empty if not known.
        tools: Whether it takes ``tools``.
        structured_output: Whether it follows ``response_format`` of type ``json_schema``.
        forced: Parameters whose value it replaces by its own, and that value.
        refuses: Parameters that it does not take, or values of them, as ``parameter=value``.
        unsupported_while_thinking: Parameters that it does not support while it thinks.
        max_stops: Most texts in ``stop``.
        flex: Whether ``service_tier`` may be ``flex``.
    """

    name: str
    family: str
    kind: Kind
    context_window: int | None = None
    max_input_tokens: int | None = None
    max_output_tokens: int | None = None
    max_reasoning_tokens: int | None = None
    inputs: frozenset[str] | None = None
    more_inputs: bool = False
    thinking: tuple[str, ...] | None = None
    reasoning: Literal["raw", "summary"] | None = None
    default_effort: str | None = None
    efforts: Mapping[str, str | None] = field(default_factory=dict)
    tools: bool | None = None
    structured_output: bool | None = None
    forced: Mapping[str, float] = field(default_factory=dict)
    refuses: frozenset[str] = frozenset()
    unsupported_while_thinking: frozenset[str] = frozenset()
    max_stops: int = 4
    flex: bool | None = None

    def takes(self, modality: str) -> bool | None:
        """Whether it reads *modality*; ``None`` if that is not known."""
        if self.inputs is None:
            return None
        return True if modality in self.inputs else None if self.more_inputs else False

    @property
    def thinks(self) -> bool | None:
        """Whether it can think at all; ``None`` if that is not known."""
        if self.thinking is None:
            return True if self.reasoning else None
        return bool(self.thinking)


_READ_AS: Mapping[str, Any] = {
    "inputs": frozenset,
    "thinking": tuple,
    "efforts": MappingProxyType,
    "forced": MappingProxyType,
    "refuses": frozenset,
    "unsupported_while_thinking": frozenset,
}


def _facts(line: Mapping[str, Any]) -> ModelFacts:
    return ModelFacts(
        **{
            name: _READ_AS[name](value) if name in _READ_AS and value is not None else value
            for name, value in line.items()
        }
    )


def _read() -> Mapping[str, ModelFacts]:
    data = from_json(Path(__file__).with_name("catalogue.json").read_bytes())
    families = data["families"]
    return MappingProxyType(
        {
            name: _facts({**families[line["family"]], **line, "name": name})
            for name, line in data["models"].items()
        }
    )


# At import, because making a model object, which looks here, must read no files.
_MODELS = _read()


def models() -> Mapping[str, ModelFacts]:
    """Every known model by id."""
    return _MODELS


def find(model: str) -> ModelFacts | None:
    """What is known of *model*, or ``None``."""
    return _MODELS.get(model)


def kin(model: str) -> ModelFacts | None:
    """What is known of *model* or else of its latest earlier date, or ``None``.

    For descriptions only: a later date may take what an earlier one refuses.
    """
    if (known := find(model)) is not None or not _DATED.search(model):
        return known
    stem = _DATED.sub("", model)
    earlier = [name for name in models() if _DATED.sub("", name) == stem and name < model]
    return find(max(earlier, default=""))


def nearest(model: str, kind: str | None = None) -> str | None:
    """Find the known model whose date or spelling *model* misses, the newest of several.

    ``None`` if there is none, and for a model that is known.
    """
    known = [name for name, facts in models().items() if kind in {None, facts.kind}]
    if model in known:
        return None
    stem = model.lower().replace(".", "-")
    dated = [name for name in known if name.rpartition("-")[0] == stem]
    close = difflib.get_close_matches(stem, known, 1, _CLOSE)
    return max(dated, default=close[0] if close else None)
