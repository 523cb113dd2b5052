"""Which options a request has, when the object, its defaults and the call all say something."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llamaindex_doubao.parts import JSON

# Without anything in them they are as good as not given, and may be refused.
_LISTS = {"stop", "tools"}
# The two limits exclude each other (ark.md 4.1): who sets one takes back the other.
_LIMITS = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}


def merged(*layers: Mapping[str, Any]) -> JSON:
    """Merge layers of wire options; later ones win, and ``None`` takes an option back.

    Objects are merged key by key, except those that say by a ``type`` what they are, such as
    ``thinking`` and ``response_format``. ``extra_body`` belongs to its layer: what it has wins over
    the layer's other options, not over later layers.
    """
    result: JSON = {}
    for layer in layers:
        options = {**layer, **(layer.get("extra_body") or {})}
        options.pop("extra_body", None)
        for name, value in options.items():
            result[name] = _merged(result.get(name), _wire(name, value))
            if value is not None and name in _LIMITS and _LIMITS[name] not in options:
                result.pop(_LIMITS[name], None)
    return {name: value for name, value in result.items() if _says_something(name, value)}


def set_apart(options: Mapping[str, Any], *layers: Mapping[str, Any]) -> JSON:
    """Put those of *options* that an ``extra_body`` of *layers* decided into an ``extra_body``.

    Nothing else is sent for it, but the core checks names and values of everything else.
    """
    apart: set[str] = set()
    for layer in layers:
        apart -= layer.keys()
        apart |= (layer.get("extra_body") or {}).keys()
    checked = {name: value for name, value in options.items() if name not in apart}
    extra = {name: value for name, value in options.items() if name in apart}
    return {**checked, "extra_body": extra} if extra else checked


def _says_something(name: str, value: Any) -> bool:
    return value is not None and not (name in _LISTS and not value)


def _wire(name: str, value: Any) -> Any:
    return {"type": value} if name == "thinking" and isinstance(value, str) else value


def _merged(old: Any, new: Any) -> Any:
    if isinstance(old, Mapping) and isinstance(new, Mapping) and "type" not in new:
        return {**old, **new}
    return new
