"""Strict reading of JSON bodies: types, ranges, and null meaning absent (ark.md 1.5)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeAlias

from doubao_emulator.errors import invalid_parameter, malformed_body, missing_parameter

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

# A decoded JSON value. Spelling it out recursively makes every literal need a cast, so it is
# a name for Any that says what is meant.
JSON: TypeAlias = Any


class Fields:
    """Reads the fields of one JSON object and names the field in every refusal.

    Each reader returns None for a field that is absent or null, and raises the 400 of
    ark.md 2.2 for one of the wrong type or outside its range.
    """

    def __init__(self, data: dict[str, JSON], path: str = "") -> None:
        self.data = data
        self.path = path

    def param(self, name: str) -> str:
        """Return the path of field `name` as error messages print it."""
        return f"{self.path}.{name}" if self.path else name

    def get(self, name: str) -> JSON:
        """Return the raw value, None when absent or null."""
        return self.data.get(name)

    def has(self, name: str) -> bool:
        """Say whether the field is present and not null."""
        return self.data.get(name) is not None

    def string(self, name: str, *, choices: Collection[str] | None = None) -> str | None:
        """Read a string, one of `choices` if given."""
        value = self.data.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise invalid_parameter(self.param(name), "a string is expected.")
        if choices is not None and value not in choices:
            allowed = ", ".join(f"`{choice}`" for choice in choices)
            raise invalid_parameter(
                self.param(name), f"`{value[:64]}` is not supported, use one of {allowed}."
            )
        return value

    def required_string(self, name: str) -> str:
        """Read a string that must be there and not be empty."""
        value = self.string(name)
        if not value:
            raise missing_parameter(self.param(name))
        return value

    def boolean(self, name: str) -> bool | None:
        """Read a boolean."""
        value = self.data.get(name)
        if value is not None and not isinstance(value, bool):
            raise invalid_parameter(self.param(name), "a boolean is expected.")
        return value

    def integer(self, name: str, *, low: int | None = None, high: int | None = None) -> int | None:
        """Read a whole number in ``[low, high]``."""
        value = self.data.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            raise invalid_parameter(self.param(name), "an integer is expected.")
        self._check_range(name, value, low, high)
        return value

    def number(
        self, name: str, *, low: float | None = None, high: float | None = None
    ) -> float | None:
        """Read a number in ``[low, high]``."""
        value = self.data.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise invalid_parameter(self.param(name), "a number is expected.")
        self._check_range(name, value, low, high)
        return float(value)

    def object(self, name: str) -> Fields | None:
        """Read a nested object."""
        value = self.data.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise invalid_parameter(self.param(name), "an object is expected.")
        return Fields(value, self.param(name))

    def required_object(self, name: str) -> Fields:
        """Read a nested object that must be there."""
        value = self.object(name)
        if value is None:
            raise missing_parameter(self.param(name))
        return value

    def array(self, name: str) -> list[JSON] | None:
        """Read an array of anything."""
        value = self.data.get(name)
        if value is not None and not isinstance(value, list):
            raise invalid_parameter(self.param(name), "an array is expected.")
        return value

    def objects(self, name: str) -> list[Fields] | None:
        """Read an array of objects."""
        value = self.array(name)
        return None if value is None else list(self._as_objects(name, value))

    def _as_objects(self, name: str, items: list[JSON]) -> Iterator[Fields]:
        for index, item in enumerate(items):
            path = f"{self.param(name)}[{index}]"
            if not isinstance(item, dict):
                raise invalid_parameter(path, "an object is expected.")
            yield Fields(item, path)

    def _check_range(self, name: str, value: float, low: float | None, high: float | None) -> None:
        if (low is not None and value < low) or (high is not None and value > high):
            bounds = f"[{'-∞' if low is None else low}, {'∞' if high is None else high}]"
            raise invalid_parameter(self.param(name), f"it must be in {bounds}.")


def decode_object(raw: bytes) -> Fields:
    """Decode a request body that must be a JSON object.

    Raises:
        ArkError: 400 when it is not JSON, or JSON of another kind.
    """
    try:
        value = json.loads(raw)
    except ValueError as error:
        raise malformed_body("it is not valid JSON.") from error
    except RecursionError as error:
        raise malformed_body("it is nested too deeply.") from error
    if not isinstance(value, dict):
        raise malformed_body("a JSON object is expected.")
    return Fields(value)


def encode(value: JSON) -> bytes:
    """Encode JSON as the service does: compact, UTF-8, not escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # Half a surrogate pair, escaped in a request, may come back; UTF-8 has no place for it.
    return text.encode(errors="replace")
