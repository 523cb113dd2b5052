"""Pydantic objects of fields that are known to be right, without validating them once more.

Validation is half of what a streamed chunk costs. The tests compare what is made here with what
the constructors make, field by field.
"""

from __future__ import annotations

from typing import Any, TypeVar

from llama_index.core.bridge.pydantic import BaseModel

M = TypeVar("M", bound=BaseModel)

# The slots of every pydantic object. Set by their descriptors they cost a third less than by name.
_SLOTS: Any = BaseModel.__dict__
FIELDS = _SLOTS["__dict__"]
"""The slot in which pydantic keeps the fields; a class may hide it behind a property."""
_set_fields = FIELDS.__set__
_set_given = _SLOTS["__pydantic_fields_set__"].__set__
_set_extra = _SLOTS["__pydantic_extra__"].__set__
_set_private = _SLOTS["__pydantic_private__"].__set__
_new = object.__new__


def build(kind: type[M], fields: dict[str, Any], given: set[str]) -> M:
    """Make a *kind* of all its *fields*; *given* names those that a constructor would be given."""
    made = _new(kind)
    _set_fields(made, fields)
    _set_given(made, given)
    _set_extra(made, None)
    _set_private(made, None)
    return made
