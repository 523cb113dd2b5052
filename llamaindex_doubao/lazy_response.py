"""A ``ChatResponse`` whose message is put together when somebody looks at it.

LlamaIndex wants the whole message so far in every chunk of a stream. Written out each time, n
chunks cost n² in time and, when they are kept, in memory; yet most callers only read ``delta``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self, SupportsIndex

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, LogProb

from llamaindex_doubao.unchecked import FIELDS, build

_RECIPE = "recipe"


class LazyChatResponse(ChatResponse):
    """A response that becomes a plain ``ChatResponse``, class included, when it is looked into.

    ``delta``, ``raw``, ``logprobs`` and ``additional_kwargs`` are there at once. Reading
    ``message``, or all fields (to compare, copy, pickle, print or serialise it), completes it.
    """

    @classmethod
    def of(
        cls,
        recipe: Callable[[], ChatMessage],
        *,
        raw: dict[str, Any],
        delta: str,
        logprobs: list[list[LogProb]] | None,
        additional_kwargs: dict[str, Any],
    ) -> Self:
        """Make a response of fields that are known to be right, without validating them.

        Args:
            recipe: Makes the message; asked at most once.
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
        return build(cls, fields, {"message", "raw", "delta", "logprobs", "additional_kwargs"})

    def _complete(self) -> ChatResponse:
        """Put the message in place and become an ordinary response."""
        fields = FIELDS.__get__(self)
        # Two threads may both get here: each leaves a whole response behind.
        if (recipe := fields.get(_RECIPE)) is not None:
            whole = {"message": recipe(), **fields}
            del whole[_RECIPE]
            FIELDS.__set__(self, whole)
            object.__setattr__(self, "__class__", ChatResponse)
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
        return self._complete() == other

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
