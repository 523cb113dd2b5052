"""Sums in a question: `What is 17 * 3?` deserves 51."""

from __future__ import annotations

import operator
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_SUM = re.compile(
    r"(?<![\w.])(?P<a>-?\d+(?:\.\d+)?)\s*(?P<op>[-+*/×÷x]|plus|minus|times|divided by)\s*"
    r"(?P<b>-?\d+(?:\.\d+)?)(?![\w.]*\w)"
)
_OPERATIONS: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "plus": operator.add,
    "-": operator.sub,
    "minus": operator.sub,
    "*": operator.mul,
    "x": operator.mul,
    "×": operator.mul,
    "times": operator.mul,
    "/": operator.truediv,
    "÷": operator.truediv,
    "divided by": operator.truediv,
}


def solve(text: str) -> tuple[str, str] | None:
    """Return the first sum in the text and its result, None when there is none."""
    match = _SUM.search(text)
    if match is None:
        return None
    try:
        result = _OPERATIONS[match["op"]](float(match["a"]), float(match["b"]))
    except ZeroDivisionError:
        return None
    return match.group().strip(), f"{result:g}"
