"""Limits that a provider prints: facts about the provider, never about the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What the page of a provider says that a field may be.

    Attributes:
        low: Smallest number, or shortest text.
        high: Largest number, or longest text.
        choices: The only values; empty for any.
        models: The limits of single models, by their ids, in place of this one.
    """

    low: float | None = None
    high: float | None = None
    choices: frozenset[Any] = frozenset()
    models: Mapping[str, Self] = field(default_factory=dict)

    def of(self, model: Any) -> Limit:
        """Give the limit of *model*, which is this one unless it has its own."""
        return self.models.get(str(model), self)

    def complaint(self, value: Any) -> str | None:
        """Say what *value* breaks, ``None`` if it keeps to the limit."""
        if not isinstance(value, str | int | float):
            # What is neither a number nor a text is the provider's to refuse.
            return None
        if self.choices:
            known = ", ".join(map(str, sorted(self.choices, key=_by_size)))
            return None if value in self.choices else f"is {value!r}, and known are {known}"
        size = len(value) if isinstance(value, str) else value
        unit = " characters" if isinstance(value, str) else ""
        said = f"{'has' if unit else 'is'} {size}{unit}"
        if self.high is not None and size > self.high:
            return f"{said}, above {self.high}{unit}"
        if self.low is not None and size < self.low:
            return f"{said}, below {self.low}{unit}"
        return None


def broken(limits: Mapping[str, Limit], body: Mapping[str, Any]) -> Iterator[str]:
    """Say which of *limits* the provider's *body* breaks, each in a few words."""
    for name, limit in limits.items():
        of_model = limit.of(body.get("model"))
        if name in body and (said := of_model.complaint(body[name])) is not None:
            yield f"{name} {said}"


def _by_size(choice: Any) -> tuple[bool, Any]:
    """Put numbers in their order, before texts."""
    return isinstance(choice, str), choice
