"""Pictures for image requests: a landscape, the prompt to read, and the mark EMULATED.

The same still always gives the same bytes on one machine; on another machine a Chinese prompt may
be set in another font (see `lettering`).
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from PIL import Image, ImageDraw, ImageOps

from doubao_emulator import lettering, scenery

if TYPE_CHECKING:
    from collections.abc import Sequence

Format = Literal["png", "jpeg"]
MARK = "EMULATED"

_PAPER = "#10141f"
_INK = "#ffffff"
_SUN = "#ffd38a"
_SHADE = 150
_CARD_SIZE = (640, 360)
_WATERMARK = "AI generated"
# More than this cannot be read in a picture, and fitting it would take seconds.
_LONGEST_CAPTION = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Still:
    """One picture to make.

    Attributes:
        prompt: Text to show; it also decides the landscape.
        width: Width in pixels.
        height: Height in pixels.
        seed: Another seed gives another landscape.
        index: Place in a group of pictures; each gets its own landscape.
        count: How many pictures the group has; above 1 the caption says which one this is.
        format: File format.
        watermark: Whether to add the service's own mark in the corner.
        references: Encoded pictures to show as thumbnails.
        cut_out: An encoded picture whose alpha channel the result takes over (needs png).
    """

    prompt: str
    width: int
    height: int
    seed: int = 0
    index: int = 0
    count: int = 1
    format: Format = "jpeg"
    watermark: bool = True
    references: tuple[bytes, ...] = ()
    cut_out: bytes | None = None


def render_still(still: Still) -> bytes:
    """Render a picture of exactly the requested size."""
    size = (still.width, still.height)
    scene = scenery.imagine(still.prompt, seed=still.seed, index=still.index)
    picture = scenery.paint(scene, size)
    show_references(picture, still.references)
    number = f"{still.index + 1}/{still.count}  " if still.count > 1 else ""
    decorate(picture, f"{number}{still.prompt}", watermark=still.watermark)
    if still.cut_out is not None:
        alpha = open_picture(still.cut_out).getchannel("A")
        picture.putalpha(alpha.resize(size))
    return encode(picture, still.format)


def render_card(name: str) -> bytes:
    """Render a card that stands for a picture the emulator did not fetch."""
    card = Image.new("RGB", _CARD_SIZE, _PAPER)
    box = {"width": card.width - 40, "height": card.height // 2 - 20}
    note = lettering.fit("not fetched by the emulator", largest=26, **box)
    note.draw(ImageDraw.Draw(card), (20, 20), _SUN)
    lettering.fit(name, largest=40, **box).draw(ImageDraw.Draw(card), (20, 80), _INK)
    return encode(card, "png")


def encode(picture: Image.Image, file_format: Format) -> bytes:
    """Encode a picture, quickly rather than small."""
    buffer = io.BytesIO()
    if file_format == "png":
        picture.save(buffer, "PNG", compress_level=1)
    else:
        picture.save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def open_picture(data: bytes) -> Image.Image:
    """Decode a picture to RGBA, upright."""
    with Image.open(io.BytesIO(data)) as picture:
        return ImageOps.exif_transpose(picture).convert("RGBA")


def show_references(picture: Image.Image, references: Sequence[bytes]) -> None:
    """Lay framed thumbnails of `references` over the middle of the picture, in rows."""
    if not references:
        return
    columns = min(len(references), 4 if picture.width >= picture.height else 2)
    rows = -(-len(references) // columns)
    cell = int(min(picture.width * 0.8 / columns, picture.height * 0.5 / rows))
    left = (picture.width - cell * columns) // 2
    top = round(picture.height * 0.14)
    frame = max(2, cell // 40)
    for place, data in enumerate(references):
        row, column = divmod(place, columns)
        thumbnail = _on_white(open_picture(data), round(cell * 0.88))
        framed = ImageOps.expand(thumbnail, border=frame, fill=_INK)
        x = left + column * cell + (cell - framed.width) // 2
        y = top + row * cell + (cell - framed.height) // 2
        picture.paste(framed, (x, y))


def _on_white(picture: Image.Image, longest: int) -> Image.Image:
    small = ImageOps.contain(picture, (max(1, longest), max(1, longest)))
    ground = Image.new("RGB", small.size, _INK)
    ground.paste(small, mask=small.getchannel("A"))
    return ground


def decorate(picture: Image.Image, prompt: str, *, watermark: bool) -> None:
    """Write the prompt at the bottom and the mark at the top; both fit any picture."""
    unit = max(9, round((picture.width * picture.height) ** 0.5 / 30))
    _draw_mark(picture, unit)
    foot = _draw_label(picture, _WATERMARK, unit) if watermark else picture.height
    if prompt.strip():
        _draw_caption(picture, prompt, unit, foot)


def _draw_mark(picture: Image.Image, unit: int) -> None:
    block = lettering.fit(MARK, width=picture.width // 2, height=unit * 2, largest=unit)
    pad = unit // 2
    width, height = block.width + 2 * pad, block.height + pad
    left, top = picture.width - width - pad, pad
    _shade(picture, (left, top, left + width, top + height), height // 2)
    block.draw(ImageDraw.Draw(picture), (left + pad, top + pad // 2), _INK)


def _draw_label(picture: Image.Image, text: str, unit: int) -> int:
    """Write the watermark at the lower right; return the row above it."""
    size = max(9, round(unit * 0.62))
    block = lettering.fit(text, width=picture.width // 2, height=size * 2, largest=size)
    top = picture.height - block.height - size // 2
    at = (picture.width - block.width - size, top)
    block.draw(ImageDraw.Draw(picture), (at[0] + 1, at[1] + 1), _PAPER)
    block.draw(ImageDraw.Draw(picture), at, _INK)
    return top


def _draw_caption(picture: Image.Image, prompt: str, unit: int, foot: int) -> None:
    pad = unit // 2
    width = picture.width - 6 * pad
    height = round(picture.height * 0.26)
    text = prompt if len(prompt) <= _LONGEST_CAPTION else f"{prompt[:_LONGEST_CAPTION]}..."
    block = lettering.fit(text, width=width, height=height, largest=round(unit * 1.25))
    bottom = foot - pad
    top = bottom - block.height - pad
    left = (picture.width - block.width) // 2
    _shade(picture, (left - pad, top, left + block.width + pad, bottom), pad)
    block.draw(ImageDraw.Draw(picture), (left, top + pad // 2), _INK)


def _shade(picture: Image.Image, box: tuple[int, int, int, int], radius: int) -> None:
    """Darken a rounded box, so that letters can be read on anything."""
    width, height = box[2] - box[0], box[3] - box[1]
    mask = Image.new("L", (width, height))
    draw = ImageDraw.Draw(mask)
    draw.rounded_rectangle((0, 0, width - 1, height - 1), radius, fill=_SHADE)
    picture.paste(_PAPER, box[:2], mask=mask)
