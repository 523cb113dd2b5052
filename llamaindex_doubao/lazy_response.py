"""Responses whose text, or message, is put together when somebody looks at it.

LlamaIndex wants all that has come so far in every chunk of a stream. Written out each time, n
chunks cost n² in time and, when they are kept, in memory; yet most callers only read ``delta``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Self, SupportsIndex

from llama_index.core.base.llms.types import (
    ChatResponse,
    CompletionResponse,
    LogProb,
)
from llama_index.core.bridge.pydantic import BaseModel

from llamaindex_doubao.unchecked import FIELDS, build

_RECIPE = "recipe"


class _Unread:
    """A response that becomes a plain one, class included, when it is looked into.

    ``delta``, ``raw``, ``logprobs`` and ``additional_kwargs`` are there at once. Reading what is
    missing, or all fields (to compare, copy, pickle, print or serialise it), completes it.
    """

    __slots__ = ()

    _missing: ClassVar[str]
    _becomes: ClassVar[type[BaseModel]]

    @classmethod
    def of(
        cls,
        recipe: Callable[[], Any],
        *,
        raw: Any,
        delta: str | None,
        logprobs: list[list[LogProb]] | None,
        additional_kwargs: dict[str, Any],
    ) -> Self:
        """Make a response of fields that are known to be right, without validating them.

        Args:
            recipe: Makes the field that is missing; asked at most once.
            raw: The wire's JSON for this chunk.
            delta: The text that is new in this chunk.
            logprobs: Log probabilities of the new text.
            additional_kwargs: Facts beside the message.
        """
        fields = {
            "raw": raw,
            "delta": delta,
            "logprobs": logprobs,
            "additional_kwargs": additional_kwargs,
            _RECIPE: recipe,
        }
        given = {cls._missing, "raw", "delta", "logprobs", "additional_kwargs"}
        # A mixin of two pydantic classes is no pydantic class to mypy.
        kind: Any = cls
        made: Self = build(kind, fields, given)
        return made

    def _complete(self) -> Any:
        """Put the missing field in place and become an ordinary response."""
        fields = FIELDS.__get__(self)
        # Two threads may both get here: each leaves a whole response behind.
        if (recipe := fields.get(_RECIPE)) is not None:
            whole = {self._missing: recipe(), **fields}
            # Their order is that in which they are printed and dumped.
            FIELDS.__set__(self, {name: whole[name] for name in self._becomes.model_fields})
            object.__setattr__(self, "__class__", self._becomes)
        return self

    # To mypy an instance's fields are a variable; here they are made when asked for.
    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        fields: dict[str, Any] = FIELDS.__get__(self._complete())
        return fields

    def __getattr__(self, name: str) -> Any:
        # Only called for what is not among the fields yet.
        return getattr(self._complete(), name)

    def __eq__(self, other: object) -> bool:
        equal: bool = self._complete() == other
        return equal

    # As every pydantic object that can change; mypy wants a method here.
    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self._complete())

    def __copy__(self) -> Any:
        return self._complete().__copy__()

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Any:
        return self._complete().__deepcopy__(memo)

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        return self._complete().__reduce_ex__(protocol)


class LazyChatResponse(_Unread, ChatResponse):
    """A ``ChatResponse`` that puts its ``message`` together when it is read."""

    _missing: ClassVar[str] = "message"
    _becomes: ClassVar[type[BaseModel]] = ChatResponse


class LazyCompletionResponse(_Unread, CompletionResponse):
    """A ``CompletionResponse`` that puts its ``text`` together when it is read."""

    _missing: ClassVar[str] = "text"
    _becomes: ClassVar[type[BaseModel]] = CompletionResponse
