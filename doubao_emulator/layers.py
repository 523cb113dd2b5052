"""Takes a picture apart into a base and layers on it (ark.md 14.1, 14.2).

The service finds the things in a picture; the emulator knows none, and cuts it into two halves, so
that a client sees answers of the right shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFilter

from doubao_emulator.render import decorate, encode, open_picture

if TYPE_CHECKING:
    from doubao_emulator.media_models import Size
    from doubao_emulator.render import Format
    from doubao_emulator.wire import JSON

_THOUSAND = 1000
_SOFT = 24
_CORNER = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One picture of the answer.

    Attributes:
        z_index: Place from bottom to top; 0 is the base.
        box: Left, top, right and bottom in pixels of the base.
        name: What it shows; empty for the base.
    """

    z_index: int
    box: tuple[int, int, int, int]
    name: str = ""

    @property
    def size(self) -> Size:
        """Width and height of its picture."""
        left, top, right, bottom = self.box
        return right - left, bottom - top

    def facts(self, whole: Size) -> dict[str, JSON]:
        """Return what the answer says of it besides its picture; *whole* is the base's size."""
        if not self.name:
            return {"z_index": self.z_index}
        sides = (*whole, *whole)
        normalized = [
            round(place * _THOUSAND / side) for place, side in zip(self.box, sides, strict=True)
        ]
        return {
            "z_index": self.z_index,
            "name": self.name,
            "description": f"The {self.name} of the picture",
            "bounding_box": {"absolute": list(self.box), "normalized": normalized},
        }


def plan(whole: Size) -> tuple[Layer, ...]:
    """Return the base and the layers of a picture of this size, from bottom to top."""
    width, height = whole
    middle = height // 2
    return (
        Layer(z_index=0, box=(0, 0, width, height)),
        Layer(z_index=1, box=(0, middle, width, height), name="bottom"),
        Layer(z_index=2, box=(0, 0, width, middle), name="top"),
    )


def render_layer(
    data: bytes, whole: Size, layer: Layer, file_format: Format, *, watermark: bool
) -> bytes:
    """Render one layer of the encoded picture `data`; all but the base have round corners."""
    picture = open_picture(data).resize(whole)
    if not layer.name:
        base = picture.convert("RGB").filter(ImageFilter.GaussianBlur(_SOFT))
        decorate(base, "", watermark=watermark)
        return encode(base, file_format)
    part = picture.crop(layer.box)
    shape = Image.new("L", part.size)
    # Corners alone are cut off, because the mark must be seen.
    box = (0, 0, part.width - 1, part.height - 1)
    ImageDraw.Draw(shape).rounded_rectangle(box, _CORNER, fill=255)
    painted = part.convert("RGB")
    decorate(painted, layer.name, watermark=watermark)
    painted.putalpha(shape)
    return encode(painted, "png")
