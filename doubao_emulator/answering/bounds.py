"""Values brought within the limits of a schema: numbers, patterns, distinct items."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from doubao_emulator.wire import JSON

_MOST_PATTERN, _MOST_GROUPS, _MOST_CHOICES, _MOST_REPEATS = 200, 12, 8, 4
_MOST_SEARCHED, _LONGEST_WORD, _MOST_WORDS = 1000, 32, 100
_VARIABLE = re.compile(r"[*+?]|\{\d*,\d*\}")
_REPEATED_GROUP = re.compile(r"\)(?:[*+]|\{)")
_NO_SYNTAX = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?(?::|[=!]|<[=!]|P?<\w+>)")


def number_within(number: float, schema: dict[str, JSON], kind: str) -> int | float:
    """Return the number nearest to `number` that the schema allows."""
    step = schema.get("multipleOf") or (1 if kind == "integer" else 0)
    margin = step or 1e-6
    low = schema.get("minimum", -math.inf)
    high = schema.get("maximum", math.inf)
    if isinstance(above := schema.get("exclusiveMinimum"), int | float):
        low = max(low, above + margin)
    if isinstance(below := schema.get("exclusiveMaximum"), int | float):
        high = min(high, below - margin)
    number = min(max(number if math.isfinite(number) else 0.0, low), high)
    if step and math.isfinite(float(number) / float(step)):
        lowest, highest = _up(float(low) / step), _down(float(high) / step)
        number = min(max(round(number / step), lowest), highest) * step
    return int(number) if kind == "integer" or float(number).is_integer() else number


def distinct(values: list[JSON], item: dict[str, JSON]) -> list[JSON]:
    """Make equal numbers and texts different, numbers away from an upper bound."""
    step = item.get("multipleOf", 1) * (-1 if "maximum" in item else 1)
    seen: set[str] = set()
    kept: list[JSON] = []
    counts: dict[str, int] = {}
    for value in values:
        key = _key(value)
        unique = value
        while _key(unique) in seen and isinstance(value, int | float | str):
            counts[key] = counts.get(key, 0) + 1
            shift = counts[key]
            unique = f"{value}*{shift}" if isinstance(value, str) else value + step * shift
            if unique == value:
                # Beyond the precision of a float nothing is added.
                break
        seen.add(_key(unique))
        kept.append(unique)
    return kept


def search(pattern: str, text: str) -> str | None:
    """Return the part of `text` that fits a pattern, None when nothing does.

    Patterns that Python cannot read, or that could take it for ever, are ignored: ark.md 4.5
    does not count `pattern` among the keywords with a meaning.
    """
    repeats = _repeats(pattern)
    if repeats is None:
        return None
    try:
        compiled = re.compile(pattern)
    except (re.error, OverflowError):
        return None
    pieces = [text[:_MOST_SEARCHED] if repeats else text]
    if repeats > 1:
        spoken = (word for word in text.split() if len(word) <= _LONGEST_WORD)
        pieces = [word for word, _ in zip(spoken, range(_MOST_WORDS), strict=False)]
    return next((match.group() for piece in pieces if (match := compiled.search(piece))), None)


def _repeats(pattern: str) -> int | None:
    """Count what may repeat a varying number of times; None for what is too much to try."""
    syntax = _NO_SYNTAX.sub(lambda found: "(" if found.group().startswith("(") else "a", pattern)
    repeats = len(_VARIABLE.findall(syntax))
    nested = _REPEATED_GROUP.search(syntax) and (repeats > 1 or "|" in syntax)
    too_much = (
        len(pattern) > _MOST_PATTERN
        or syntax.count("(") > _MOST_GROUPS
        or (syntax.count("|") > _MOST_CHOICES and "(" in syntax)
        or repeats > _MOST_REPEATS
    )
    return None if nested or too_much else repeats


def _key(value: JSON) -> str:
    return json.dumps(value, sort_keys=True)


def _up(bound: float) -> float:
    return math.ceil(bound) if math.isfinite(bound) else bound


def _down(bound: float) -> float:
    return math.floor(bound) if math.isfinite(bound) else bound
