"""How large a picture is, by its first bytes: as little of each format as that takes."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
# What every marker of a JPEG begins with.
_BEGIN = 0xFF
# Start-of-frame markers; the four left out among them mean something else.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})


def dimensions(content: bytes) -> tuple[int, int] | None:
    """Read width and height in pixels; ``None`` if the format is not known here or is cut off."""
    for signature, reader in _READERS:
        if content.startswith(signature):
            try:
                return reader(content)
            except (struct.error, IndexError):
                return None
    return None


def _png(content: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from(">II", content, 16)
    return width, height


def _gif(content: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<HH", content, 6)
    return width, height


def _bmp(content: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<ii", content, 18)
    # A negative height means that the rows stand from top to bottom.
    return width, abs(height)


def _jpeg(content: bytes) -> tuple[int, int] | None:
    for marker, start in _segments(content):
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", content, start + 3)
            return width, height
    return None


def _segments(content: bytes) -> Iterator[tuple[int, int]]:
    """Give each segment's marker and the place of its length."""
    place = len(_JPEG)
    while content[place] == _BEGIN:
        marker = content[place + 1]
        place += 2
        if marker == _BEGIN:
            # One of any number that fill up the space before it.
            place -= 1
        elif marker not in _STANDALONE:
            yield marker, place
            place += struct.unpack_from(">H", content, place)[0]


def _webp(content: bytes) -> tuple[int, int] | None:
    kind = content[12:16]
    if kind == b"VP8X":
        width, height = (int.from_bytes(content[at : at + 3], "little") for at in (24, 27))
        return width + 1, height + 1
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", content, 21)[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", content, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


_READERS: tuple[tuple[bytes, Callable[[bytes], tuple[int, int] | None]], ...] = (
    (_PNG, _png),
    (_JPEG, _jpeg),
    (b"GIF8", _gif),
    (b"BM", _bmp),
    (b"RIFF", _webp),
)
