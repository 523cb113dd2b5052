"""Fields of an answer that costs money, read for what they hold: an odd one must not lose the rest.

A picture or a task was paid for before its answer is read, so a field of another type than
documented is taken for one that is missing. What cannot be missing, its reader refuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def text(value: Any) -> str | None:
    """Give a text that is not empty."""
    return value if isinstance(value, str) and value else None


def number(value: Any) -> int | None:
    """Give a whole number, also one that was written with a point."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return int(value) if value == int(value) else None
    except (OverflowError, ValueError):
        # Infinity, and what is no number.
        return None


def fields(value: Any) -> Mapping[str, Any]:
    """Give an object; an empty one in place of anything else."""
    return value if isinstance(value, Mapping) else {}
