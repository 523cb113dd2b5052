"""Limits that a provider prints: facts about the provider, never about the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What the page of a provider says that a field may be.

    Attributes:
        low: Smallest number, or shortest text.
        high: Largest number, or longest text.
        choices: The only values; empty for any.
    """

    low: float | None = None
    high: float | None = None
    choices: frozenset[Any] = frozenset()

    def complaint(self, value: Any) -> str | None:
        """Say what *value* breaks, ``None`` if it keeps to the limit."""
        if not isinstance(value, str | int | float):
            # What is neither a number nor a text is the provider's to refuse.
            return None
        if self.choices:
            known = ", ".join(sorted(map(str, self.choices)))
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
        if name in body and (said := limit.complaint(body[name])) is not None:
            yield f"{name} {said}"
