"""A deterministic tokenizer, the one measure for `/tokenization`, usage and every limit.

It is not Doubao's own (that one is not public), but behaves like it where clients can tell:
about one token per CJK character, one per short word with its leading blank, and offsets that
cover the text without gaps.
"""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PIECE = re.compile(r" ?[A-Za-z\u00c0-\u024f]{1,12}| ?\d{1,3}|\s+|.", re.DOTALL)
_VOCABULARY = 151_000


def pieces(text: str) -> Iterator[tuple[int, int]]:
    """Yield the start and end of each token; together they cover `text`."""
    for match in _PIECE.finditer(text):
        yield match.span()


def count(text: str) -> int:
    """Return the number of tokens in `text`."""
    return len(_PIECE.findall(text))


def token_id(piece: str) -> int:
    """Return the number a piece of text has in the vocabulary."""
    return zlib.crc32(piece.encode("utf-8", "surrogatepass")) % _VOCABULARY


def split(text: str) -> list[str]:
    """Return the tokens of `text` as strings."""
    return _PIECE.findall(text)


def cut(text: str, limit: int) -> str:
    """Return the first `limit` tokens of `text`."""
    return "".join(_PIECE.findall(text)[:limit])
