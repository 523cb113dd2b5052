"""Text that can be read in a picture: fonts, missing glyphs, wrapping (no boxes, ever).

Pillow ships one Latin font and no package index offers a small font with Chinese glyphs. So a
text that the Latin font cannot draw uses a Chinese font of the machine when it has one; otherwise
each missing character is spelled in Latin letters (``猫`` as ``Mao``), or as its code point, and
the text says so in front.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from anyascii import anyascii
from PIL import ImageFont

if TYPE_CHECKING:
    from PIL import ImageDraw

# Fonts with Chinese glyphs as Linux, macOS and Windows install them.
_CHINESE_FONTS = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansSC-Regular.otf",
    "SourceHanSansSC-Regular.otf",
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
    "DroidSansFallbackFull.ttf",
    "PingFang.ttc",
    "Hiragino Sans GB.ttc",
    "STHeiti Light.ttc",
    "msyh.ttc",
    "simhei.ttf",
    "Arial Unicode.ttf",
)
_SPELLED = "(in Latin letters) "
_PROBE_SIZE = 16
_LINE_HEIGHT = 1.3
_SMALLEST = 9
_LATIN_END = "\u024f"

Font = ImageFont.FreeTypeFont


@dataclass(frozen=True, slots=True)
class Lines:
    """A text broken into lines at the size that fits.

    Attributes:
        lines: The lines; the last ends in an ellipsis when the text was too long.
        font: The font, at the size that fits.
        leading: Pixels from one line to the next.
    """

    lines: tuple[str, ...]
    font: Font
    leading: int

    @property
    def height(self) -> int:
        """Height of the block in pixels."""
        return self.leading * len(self.lines)

    @property
    def width(self) -> int:
        """Width of the longest line in pixels."""
        return max((round(self.font.getlength(line)) for line in self.lines), default=0)

    def draw(self, canvas: ImageDraw.ImageDraw, at: tuple[int, int], fill: str) -> None:
        """Draw the lines with their upper left corner at `at`."""
        left, top = at
        for number, line in enumerate(self.lines):
            canvas.text((left, top + number * self.leading), line, font=self.font, fill=fill)


def latin(size: int) -> Font:
    """Return Pillow's own font at this pixel size."""
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise TypeError("Pillow was built without FreeType; install a Pillow wheel that has it.")
    return font


def fit(text: str, *, width: int, height: int, largest: int) -> Lines:
    """Break `text` into lines at the largest size that fits a box.

    Args:
        text: What to write, in any script.
        width: Width of the box in pixels.
        height: Height of the box in pixels.
        largest: Font size to start from; it shrinks down to 9 px, then the text is cut.
    """
    readable, chinese = _drawable(" ".join(text.split()))
    size = max(largest, _SMALLEST)
    while True:
        font = _chinese_font(size) if chinese else None
        block = _wrap(readable, font or latin(size), width)
        if block.height <= height:
            return block
        if size == _SMALLEST:
            return _cut(block, height)
        size = max(_SMALLEST, int(size * 0.88))


def _cut(block: Lines, height: int) -> Lines:
    kept = list(block.lines[: max(1, height // block.leading)])
    kept[-1] = f"{kept[-1][:-3].rstrip()}..."
    return Lines(tuple(kept), block.font, block.leading)


def _drawable(text: str) -> tuple[str, bool]:
    """Return the text to draw and whether it takes the machine's Chinese font."""
    missing = {char for char in text if not _has_glyph(latin(_PROBE_SIZE), char)}
    if not missing:
        return text, False
    font = _chinese_font(_PROBE_SIZE)
    if font is not None and all(_has_glyph(font, char) for char in set(text)):
        return text, True
    return _spell(text, missing), False


def _spell(text: str, missing: set[str]) -> str:
    pieces = []
    for char in text:
        name = _latin_name(char) if char in missing else char
        pieces.append(f" {name} " if char in missing and not _is_accented(char) else name)
    spelled = " ".join("".join(pieces).split())
    scripts = any(not _is_accented(char) for char in missing)
    return f"{_SPELLED}{spelled}" if scripts else spelled


def _latin_name(char: str) -> str:
    return anyascii(char) or f"U+{ord(char):04X}"


def _is_accented(char: str) -> bool:
    """Say whether the character stands inside Latin words, which needs no remark."""
    return char <= _LATIN_END or not char.isalnum()


def _wrap(text: str, font: Font, width: int) -> Lines:
    lines: list[str] = []
    line = ""
    for word in _breakable(text):
        if line and font.getlength(line + word.rstrip()) > width:
            lines.append(line.rstrip())
            line = ""
        line += word
        while font.getlength(line.rstrip()) > width and len(line) > 1:
            end = _longest_prefix(line, font, width)
            lines.append(line[:end])
            line = line[end:]
    if line.strip():
        lines.append(line.rstrip())
    return Lines(tuple(lines), font, max(1, round(font.size * _LINE_HEIGHT)))


def _breakable(text: str) -> list[str]:
    """Split into pieces between which a line may break: words, and each Chinese character."""
    pieces = [""]
    for char in text:
        if "\u2e80" <= char <= "\uffef":
            pieces.extend((char, ""))
        elif char == " ":
            pieces[-1] += char
            pieces.append("")
        else:
            pieces[-1] += char
    return [piece for piece in pieces if piece]


def _longest_prefix(line: str, font: Font, width: int) -> int:
    end = len(line)
    while end > 1 and font.getlength(line[:end]) > width:
        end = max(1, int(end * width / font.getlength(line[:end])))
    return end


@lru_cache(maxsize=4096)
def _has_glyph(font: Font, char: str) -> bool:
    if char.isspace():
        return True
    # A font draws its "missing" box for a code point that is never assigned.
    return bytes(font.getmask(char)) != bytes(font.getmask("\uffff"))


@lru_cache(maxsize=64)
def _chinese_font(size: int) -> Font | None:
    for name in _CHINESE_FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return None
