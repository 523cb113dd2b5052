"""What a model would read out of an image prompt: how many pictures, in which shape."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_NUMBERS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14,
    "fifteen": 15, "一": 1, "两": 2, "二": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7,
    "八": 8, "九": 9, "十": 10, "十一": 11, "十二": 12, "十三": 13, "十四": 14, "十五": 15,
}  # fmt: skip
_DIGITS = rf"\d{{1,2}}|{'|'.join(sorted(_NUMBERS, key=len, reverse=True))}"
_COUNT = re.compile(
    rf"\b(?P<latin>{_DIGITS})(?:\s+\w+)?\s+"
    r"(?:pictures?|images?|photos?|illustrations?|panels?|frames?|posters?|stickers?)\b"
    rf"|(?P<chinese>{_DIGITS})\s*(?:张|幅|格)",
    re.IGNORECASE,
)
_RATIO = re.compile(r"(?<![\d:])(\d{1,2})\s*[:：]\s*(\d{1,2})(?![\d:])")
# The first that is found wins, so the more particular words come first.
_SHAPES = (
    ("21:9", ("panorama", "ultra-wide", "ultrawide", "全景")),
    ("9:16", ("vertical", "phone wallpaper", "竖屏", "竖版")),
    ("16:9", ("widescreen", "horizontal", "横屏", "横版")),
    ("3:4", ("portrait", "竖构图")),
    ("4:3", ("landscape orientation", "横构图")),
    ("1:1", ("square", "方形", "正方")),
)


def count(prompt: str) -> int | None:
    """Return how many pictures the prompt asks for ("four pictures", "四张"), if it says so."""
    match = _COUNT.search(prompt)
    if match is None:
        return None
    word = (match["latin"] or match["chinese"]).lower()
    number = int(word) if word.isdecimal() else _NUMBERS[word]
    return max(1, number)


def ratio(prompt: str, known: Iterable[str]) -> str | None:
    """Return the one of the `known` ratios that the prompt names or describes, if any."""
    choices = set(known)
    for width, height in _RATIO.findall(prompt):
        if f"{int(width)}:{int(height)}" in choices:
            return f"{int(width)}:{int(height)}"
    words = prompt.lower()
    for name, signs in _SHAPES:
        if name in choices and any(sign in words for sign in signs):
            return name
    return None


def nearest_ratio(size: tuple[int, int], known: Iterable[str]) -> str:
    """Return the ratio closest in shape to `size`."""
    shape = math.log(size[0] / size[1])
    return min(known, key=lambda name: abs(math.log(_value(name)) - shape))


def _value(name: str) -> float:
    width, height = name.split(":")
    return int(width) / int(height)
