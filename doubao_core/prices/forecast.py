"""What a request may come to, before it is made: the cases on which its price depends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pydantic_core import from_json

SEARCHES = "web searches are charged separately"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One way in which a request may come out.

    Attributes:
        tokens: What it is counted as; ``None`` if that is not known.
        facts: What a price may depend on, by the names that prices use; ``None`` where unknown.
        pictures: Pictures made, for prices per picture; ``None`` if that is not known.
        inputs: Pictures given with the request.
    """

    tokens: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    pictures: int | None = 0
    inputs: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """All ways in which a request may come out.

    Attributes:
        certain: Whether there is only one, so that the count is no upper limit but the count.
        notes: What is not in the count, in sentences without an end.
    """

    cases: tuple[Case, ...]
    certain: bool = True
    notes: tuple[str, ...] = ()


@cache
def sizes() -> Mapping[str, Any]:
    """Read the tables of sizes (ark.md 14.3, 15.3)."""
    read: Mapping[str, Any] = from_json(Path(__file__).with_name("sizes.json").read_bytes())
    return read


def of_family(table: str, model: str) -> Mapping[str, Any] | None:
    """Find what *table* says of the family that *model* belongs to, on either cloud."""
    families: Mapping[str, Mapping[str, Any]] = sizes()[table]
    return next((facts for name, facts in families.items() if name in model), None)
