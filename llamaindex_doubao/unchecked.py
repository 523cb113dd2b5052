"""Pydantic objects of fields that are known to be right, without validating them once more.

Validation is half of what a streamed chunk costs. The tests compare what is made here with what
the constructors make, field by field.
"""

from __future__ import annotations

from typing import Any, TypeVar

from llama_index.core.bridge.pydantic import BaseModel

M = TypeVar("M", bound=BaseModel)

# The slot in which pydantic keeps the fields; a class may hide it behind a property.
FIELDS: Any = BaseModel.__dict__["__dict__"]

_set = object.__setattr__


def build(kind: type[M], fields: dict[str, Any], given: set[str]) -> M:
    """Make a *kind* of all its *fields*; *given* names those that a constructor would be given."""
    made = kind.__new__(kind)
    FIELDS.__set__(made, fields)
    _set(made, "__pydantic_fields_set__", given)
    _set(made, "__pydantic_extra__", None)
    _set(made, "__pydantic_private__", None)
    return made
