"""How many tokens a streamed answer was, by what its last event says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from doubao_core.operation import Around

if TYPE_CHECKING:
    from doubao_core.operation import Reader

T = TypeVar("T")
# More than the event with the usage and the end marker have.
_TAIL_BYTES = 4096
# Inside a text of the answer the quotes would have backslashes.
_TOTAL = re.compile(rb'"total_tokens"\s*:\s*(\d+)')


def total_of(body: bytes) -> int | None:
    """Give the tokens of an answer by the last count in *body*; ``None`` if it has none."""
    totals = _TOTAL.findall(body)
    return int(totals[-1]) if totals else None


class Metered(Around[T]):
    """A reader of a stream that keeps the end of it, where the usage is if it was asked for.

    Args:
        reader: Reads the stream.
    """

    def __init__(self, reader: Reader[T]) -> None:
        super().__init__(reader)
        self._tail = b""

    @property
    def total(self) -> int | None:
        """The tokens of the answer, once it has said them."""
        return total_of(self._tail)

    def feed(self, block: bytes) -> list[T]:
        """Take a block and give the events in it."""
        self._tail = (self._tail + block[-_TAIL_BYTES:])[-_TAIL_BYTES:]
        return super().feed(block)
