"""Sizes of pictures: a level, a ratio, both, or pixels, as the model takes them (ark.md 14.3)."""

from __future__ import annotations

import re

from doubao_core.errors import ConfigError
from doubao_core.studio.models import ImageModel

_PIXELS = re.compile(r"(\d{2,5})\s*[xX×*]\s*(\d{2,5})")
_RATIO = re.compile(r"\d{1,2}:\d{1,2}")
_LONGEST_SIDE = 16
"""A picture may be this many times longer than wide, and back."""
_ADAPTIVE = "adaptive"
_AUTO = "auto"


def on_the_wire(size: str, limits: ImageModel, model: str) -> str:
    """Give *size* as the service takes it from *model*.

    Raises:
        ConfigError: The model does not make it; the text says what it makes.
    """
    if limits.edits:
        return _adaptive(size, model)
    # The level first, in whatever order a model wrote the two.
    match sorted(size.replace(",", " ").split(), key=lambda word: ":" in word):
        case [word] if level := _level(word, limits):
            return level
        case [ratio] if _RATIO.fullmatch(ratio):
            return _ratio(ratio, limits.usual, limits)
        case [word, ratio] if (level := _level(word, limits)) and _RATIO.fullmatch(ratio):
            return _ratio(ratio, level, limits)
    if found := _PIXELS.fullmatch(size.strip()):
        return _pixels(int(found[1]), int(found[2]), limits, model)
    raise ConfigError(f"size {size[:40]!r} is unknown: {_choices(limits)}")


def of_layers(size: str, limits: ImageModel) -> str:
    """Give *size* as it is taken where a picture is taken apart: a level, or ``auto``.

    Raises:
        ConfigError: It is neither.
    """
    if size.strip().lower() == _AUTO:
        return _AUTO
    if level := _level(size.strip(), limits):
        return level
    raise ConfigError(f"with layers, size is {_AUTO} or a level ({', '.join(limits.sizes)})")


def _adaptive(size: str, model: str) -> str:
    if size.strip().lower() != _ADAPTIVE:
        raise ConfigError(f"{model} keeps the shape of the picture in images: leave size out")
    return _ADAPTIVE


def _level(word: str, limits: ImageModel) -> str | None:
    return next((level for level in limits.sizes if level.lower() == word.lower()), None)


def _ratio(ratio: str, level: str, limits: ImageModel) -> str:
    if ratio not in limits.ratios:
        raise ConfigError(f"ratio {ratio} is unknown: {_choices(limits)}")
    return limits.sizes[level][ratio]


def _pixels(width: int, height: int, limits: ImageModel, model: str) -> str:
    fewest, most = limits.pixels
    if not fewest <= width * height <= most:
        raise ConfigError(
            f"size {width}x{height} has {width * height:,} pixels, and {model} makes "
            f"{fewest:,} to {most:,}: {_choices(limits)}"
        )
    if max(width, height) > _LONGEST_SIDE * min(width, height):
        raise ConfigError(f"size {width}x{height} is too narrow: {_choices(limits)}")
    return f"{width}x{height}"


def described(limits: ImageModel) -> str:
    """Tell a model which sizes there are."""
    if limits.edits:
        return f"Size: {_ADAPTIVE}, that of the picture."
    fewest, most = limits.pixels
    both = f", both as in {limits.usual} 16:9" if limits.sizes else ""
    return f"Size: {_choices(limits).removeprefix('use ')} of {fewest:,} to {most:,} pixels{both}."


def _choices(limits: ImageModel) -> str:
    ways = [
        f"a level ({', '.join(limits.sizes)})" if limits.sizes else "",
        f"a ratio ({', '.join(limits.ratios)})" if limits.ratios else "",
        "WIDTHxHEIGHT",
    ]
    return f"use {' or '.join(way for way in ways if way)}"
