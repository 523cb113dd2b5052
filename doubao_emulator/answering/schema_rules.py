"""What a JSON schema must look like before it can be filled (ark.md 4.5)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from doubao_emulator.wire import JSON

# ark.md names no limits; these are far beyond real schemas and keep every walk short.
MOST_VALUES = 20_000
DEEPEST = 100
_WORK = 10_000
_LARGEST = 1.8e308


class SchemaFaultError(Exception):
    """A schema that is malformed, or that no answer of a sane size fits.

    Attributes:
        where: The place inside the schema, empty or starting with a dot.
        sentence: What is wrong there, with its full stop.
    """

    def __init__(self, where: str, sentence: str) -> None:
        super().__init__(f"{where}: {sentence}")
        self.where = where
        self.sentence = sentence


class Budget:
    """The work one filling may cost; it ends fillings that have no end of their own."""

    def __init__(self) -> None:
        self._left = _WORK

    def spend(self, units: int) -> None:
        """Take `units` of work, about one for each value.

        Raises:
            SchemaFaultError: When the budget is used up.
        """
        self._left -= units
        if self._left < 0:
            raise unfillable()


def unfillable() -> SchemaFaultError:
    """Say that no answer of a sane size fits a schema."""
    return SchemaFaultError("", "no answer of a reasonable size fits the schema.")


def check(root: JSON) -> None:
    """Refuse a schema whose keywords have values of the wrong kind.

    Raises:
        SchemaFaultError: For the first such keyword, or for a schema that is too large or deep.
    """
    _check_size(root)
    if not isinstance(root, dict):
        raise SchemaFaultError("", "an object is expected.")
    pending: list[tuple[JSON, str]] = [(root, "")]
    seen: set[int] = set()
    while pending:
        schema, where = pending.pop()
        if not _is_schema(schema):
            raise SchemaFaultError(where, "a schema is expected.")
        if isinstance(schema, dict) and id(schema) not in seen:
            seen.add(id(schema))
            _check_keywords(schema, where)
            pending += _nested(root, schema, where)


def pointed_at(root: dict[str, JSON], reference: str) -> dict[str, JSON]:
    """Return what a local reference points at, an empty schema if nothing is there."""
    target = root
    for step in reference.removeprefix("#").strip("/").split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        nested = target.get(name) if step else target
        target = nested if isinstance(nested, dict) else {}
    return target


def _check_size(root: JSON) -> None:
    pending, count = [(root, 0)], 0
    while pending:
        value, depth = pending.pop()
        count += 1
        if count > MOST_VALUES or depth > DEEPEST:
            raise SchemaFaultError("", "the schema is too large or nested too deeply.")
        inner = value.values() if isinstance(value, dict) else value
        if isinstance(value, dict | list):
            pending += [(each, depth + 1) for each in inner]


def _check_keywords(schema: dict[str, JSON], where: str) -> None:
    for keyword, value in schema.items():
        if keyword in _KINDS:
            fits, expected = _KINDS[keyword]
            if not fits(value):
                raise SchemaFaultError(f"{where}.{keyword}", f"{expected} is expected.")


def _nested(
    root: dict[str, JSON], schema: dict[str, JSON], where: str
) -> Iterator[tuple[JSON, str]]:
    for keyword in ("properties", "$defs", "definitions"):
        for name, each in (schema.get(keyword) or {}).items():
            yield each, f"{where}.{keyword}.{name}"
    for keyword in ("anyOf", "oneOf", "allOf", "prefixItems"):
        for index, each in enumerate(schema.get(keyword, ())):
            yield each, f"{where}.{keyword}[{index}]"
    for keyword in ("items", "additionalProperties"):
        if isinstance(schema.get(keyword), dict):
            yield schema[keyword], f"{where}.{keyword}"
    if "$ref" in schema:
        # A reference may point at what is no schema, such as a default.
        yield pointed_at(root, schema["$ref"]), f"{where}.$ref"


def _is_schema(value: JSON) -> bool:
    return isinstance(value, dict | bool)


def _is_text(value: JSON) -> bool:
    return isinstance(value, str)


def _is_names(value: JSON) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _is_type(value: JSON) -> bool:
    return _is_text(value) or (value != [] and _is_names(value))


def _is_filled_list(value: JSON) -> bool:
    return isinstance(value, list) and bool(value)


def _is_number(value: JSON) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -_LARGEST <= value <= _LARGEST and not math.isnan(value)


def _is_size(value: JSON) -> bool:
    return _is_number(value) and value >= 0 and value == int(value)


_MAP = (lambda value: isinstance(value, dict), "an object")
# Clients send null for a function without parameters.
_OPTIONAL_MAP = (lambda value: value is None or isinstance(value, dict), "an object")
_SIZE = (_is_size, "an integer of at least 0")
_NUMBER = (_is_number, "a number")
_BOUND = (lambda value: isinstance(value, bool) or _is_number(value), "a number")
_TEXT = (_is_text, "a string")
_SCHEMA = (_is_schema, "a schema")
_LIST = (_is_filled_list, "an array that is not empty")
_KINDS: dict[str, tuple[Callable[[JSON], bool], str]] = {
    "type": (_is_type, "a type or an array of types"),
    "properties": _OPTIONAL_MAP,
    "$defs": _MAP,
    "definitions": _MAP,
    "required": (lambda value: value is None or _is_names(value), "an array of names"),
    "enum": _LIST,
    "anyOf": _LIST,
    "oneOf": _LIST,
    "allOf": _LIST,
    "prefixItems": (lambda value: isinstance(value, list), "an array"),
    "items": (lambda value: _is_schema(value) or isinstance(value, list), "a schema"),
    "additionalProperties": _SCHEMA,
    "$ref": _TEXT,
    "format": _TEXT,
    "pattern": _TEXT,
    "description": (lambda value: value is None or isinstance(value, str), "a string"),
    "uniqueItems": (lambda value: isinstance(value, bool), "a boolean"),
    "minimum": _NUMBER,
    "maximum": _NUMBER,
    "exclusiveMinimum": _BOUND,
    "exclusiveMaximum": _BOUND,
    "multipleOf": (lambda value: _is_number(value) and value > 0, "a number above 0"),
    **dict.fromkeys(
        ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"), _SIZE
    ),
}
