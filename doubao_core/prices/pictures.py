"""How many pictures a request makes and how many tokens they are (ark.md 14.1 to 14.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from doubao_core.prices.forecast import SEARCHES, Case, Forecast, of_family

PIXELS_PER_TOKEN = 256
_MOST_GROUP = 15
_MOST_LAYERS = 17
"""Sixteen layers and the picture below them."""
_PIXELS = re.compile(r"(\d+)x(\d+)", re.IGNORECASE)


def forecast(request: Mapping[str, Any], model: str) -> Forecast:
    """Count what *request* may cost.

    Args:
        request: Body of a picture request.
        model: The model, if the request names an endpoint that serves it.
    """
    inputs = references(request)
    count = _count(request, inputs)
    size, exact = _pixels(request, of_family("pictures", model))
    case = Case(
        tokens=None if size is None else round(count * size / PIXELS_PER_TOKEN),
        facts={"pixels": size, "layers": layered(request)},
        pictures=count,
        inputs=inputs,
    )
    notes = (SEARCHES,) if request.get("tools") else ()
    return Forecast(cases=(case,), certain=exact and count == 1, notes=notes)


def references(request: Mapping[str, Any]) -> int:
    """Count the pictures that *request* gives to work from."""
    image = request.get("image")
    return len(image) if isinstance(image, list | tuple) else int(image is not None)


def layered(request: Mapping[str, Any]) -> bool:
    """Say whether *request* takes a picture apart, which has prices of its own."""
    return bool(request.get("layer_decomposition"))


def pixels(size: str) -> int | None:
    """Count the pixels of a ``<width>x<height>``."""
    found = _PIXELS.fullmatch(size.strip())
    return int(found[1]) * int(found[2]) if found else None


def _count(request: Mapping[str, Any], inputs: int) -> int:
    if layered(request):
        return _MOST_LAYERS
    if request.get("sequential_image_generation") != "auto":
        return 1
    options = request.get("sequential_image_generation_options") or {}
    return max(1, min(options.get("max_images") or _MOST_GROUP, _MOST_GROUP - inputs))


def _pixels(
    request: Mapping[str, Any], family: Mapping[str, Any] | None
) -> tuple[int | None, bool]:
    """Give the most pixels of a picture, and whether it has exactly so many."""
    size = request.get("size")
    if size is not None and (exact := pixels(size)) is not None:
        return exact, True
    if family is None:
        return None, False
    if size is None and not layered(request):
        size = family["size"]
        if (exact := pixels(size)) is not None:
            return exact, True
    levels: Mapping[str, int] = family["levels"]
    # A level leaves the ratio to the prompt, and layers are as large as the picture they are of.
    return levels.get(str(size).upper(), family["largest"]), False
