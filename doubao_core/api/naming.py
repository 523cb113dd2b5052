"""What was meant by a name that nothing here has: a misspelt one, or one of another library. Pure.

The value that came with it is never looked at: under a wrong name it may be a key.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from typing import Any

# How other integrations of chat models call the same things.
_ELSEWHERE = {
    "additional_kwargs": ("model_kwargs",),
    "api_base": ("base_url",),
    "ark_api_key": ("api_key",),
    "aspect_ratio": ("ratio",),
    "async_http_client": ("http_async_client",),
    "endpoint": ("base_url",),
    "extra_headers": ("default_headers",),
    "headers": ("default_headers",),
    "http_headers": ("default_headers",),
    "max_new_tokens": ("max_tokens", "max_completion_tokens"),
    "max_output_tokens": ("max_tokens", "max_completion_tokens"),
    "model": ("model_name",),
    "model_kwargs": ("additional_kwargs",),
    "model_name": ("model",),
    "n": ("max_images",),
    "openai_api_base": ("base_url",),
    "openai_api_key": ("api_key",),
    "reasoning": ("reasoning_effort", "thinking"),
    "request_timeout": ("timeout",),
    "stop_sequences": ("stop",),
}
_LIKENESS = 0.8
# Modules and functions before the name of a class.
_PLACES = re.compile(r"(?:\w+|<locals>)\.")


def renamed(name: str, known: Iterable[str]) -> tuple[str, ...]:
    """Say which of the *known* names stand for what other libraries call *name*."""
    names = set(known)
    return tuple(each for each in _ELSEWHERE.get(name, ()) if each in names)


def meant(name: str, known: Iterable[str], likeness: float = _LIKENESS) -> tuple[str, ...]:
    """Say which of the *known* names *name* may stand for; none if it is like no other.

    Args:
        name: What was written.
        known: What could have been written.
        likeness: How much alike two spellings are at least, from 0 to 1.
    """
    names = set(known)
    return renamed(name, names) or tuple(
        difflib.get_close_matches(name, sorted(names), 1, likeness)
    )


def question(names: Iterable[str]) -> str:
    """Ask whether one of *names* was meant."""
    return f"did you mean {' or '.join(map(repr, names))}?"


def check_arguments(kind: Any, given: Iterable[str]) -> None:
    """Refuse a constructor's argument of which it can be said what was meant.

    Args:
        kind: Pydantic class.
        given: Names of the arguments.

    Raises:
        ValueError: One is unknown and stands for another.
    """
    fields = kind.model_fields
    for name in sorted(set(given) - fields.keys()):
        known = {*fields, *_aliases(fields.values())}
        if name not in known and (others := meant(name, known)):
            raise ValueError(f"{kind.__name__} has no argument {name!r}: {question(others)}")


def _aliases(fields: Iterable[Any]) -> Iterator[str]:
    for field in fields:
        aliases = getattr(field.validation_alias, "choices", [field.validation_alias])
        yield from (each for each in aliases if isinstance(each, str))


def instead_of(kind: Any) -> str:
    """Say what to ask for instead of a type that is no class, such as ``list[Person]``."""
    shown = kind.__name__ if isinstance(kind, type) else _PLACES.sub("", str(kind))
    return (
        f"{shown} is no class with fields: ask for one that has a field of this type, or for "
        f"pydantic's RootModel[{shown}]"
    )
