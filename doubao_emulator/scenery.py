"""A landscape for every prompt: the same words and seed always give the same one.

Coordinates are fractions of the picture, so that one scene can be drawn at any size.
"""

from __future__ import annotations

import hashlib
import math
import random
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from PIL import Image, ImageChops, ImageDraw, ImageFilter

if TYPE_CHECKING:
    from collections.abc import Iterator

Colour: TypeAlias = tuple[int, int, int]

_HILLS = 4


@dataclass(frozen=True, slots=True)
class Mood:
    """The colours of a time of day or a season, and the words that call for them."""

    words: tuple[str, ...]
    zenith: str
    horizon: str
    sun: str
    far: str
    near: str
    stars: bool = False


_MOODS = (
    Mood(
        ("night", "moon", "star", "dark", "夜", "月", "星"),
        "#0b1437", "#3b4f8f", "#f4f1d9", "#33427a", "#0a1026", stars=True,
    ),
    Mood(
        ("sunset", "dusk", "evening", "red", "夕", "晚霞", "黄昏", "红"),
        "#3d2a6d", "#ff9a62", "#ffe2a8", "#a0517d", "#2a1639",
    ),
    Mood(
        ("dawn", "sunrise", "morning", "pink", "晨", "日出", "粉"),
        "#7aa7d9", "#ffd7c2", "#fff6df", "#b59ac4", "#4a4272",
    ),
    Mood(
        ("snow", "winter", "ice", "white", "cold", "雪", "冬", "冰", "白"),
        "#8fb4d6", "#eef5fb", "#ffffff", "#c3d6e8", "#5d7f9f",
    ),
    Mood(
        ("autumn", "fall", "orange", "gold", "秋", "橙", "金"),
        "#7fb0cf", "#fbe3b4", "#fff1c4", "#d99a4e", "#6e3013",
    ),
    Mood(
        ("sea", "ocean", "lake", "river", "rain", "blue", "海", "湖", "河", "雨", "蓝"),
        "#2f7fb8", "#cfeaf3", "#fffbe6", "#6fb3c9", "#0f4763",
    ),
    Mood(
        ("spring", "summer", "grass", "forest", "tree", "green", "春", "夏", "树", "草", "绿"),
        "#4f9fdc", "#dff1f6", "#fff7cf", "#9ccf9a", "#1f5b3c",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ridge:
    """One line of hills: its colour, its height and the waves it is made of."""

    colour: Colour
    base: float
    waves: tuple[tuple[float, float, float], ...]
    trees: tuple[tuple[float, float], ...]
    nearness: float

    def height(self, x: float) -> float:
        """Return how far down the picture the ridge lies at `x`, both as fractions."""
        return self.base + sum(
            size * math.sin(x * turns * math.tau + phase) for size, turns, phase in self.waves
        )


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that is in one landscape."""

    mood: Mood
    sun: tuple[float, float, float]
    clouds: tuple[tuple[float, float, float], ...]
    stars: tuple[tuple[float, float, float], ...]
    ridges: tuple[Ridge, ...]


def imagine(prompt: str, *, seed: int, index: int = 0) -> Scene:
    """Choose the landscape for a prompt; words such as ``night`` or ``雪`` set its mood."""
    digest = hashlib.sha256(f"{seed}:{index}:{prompt}".encode()).digest()
    # Only for looks: the generator must be repeatable, not unpredictable.
    dice = random.Random(digest)  # noqa: S311
    mood = _mood(prompt, dice)
    return Scene(
        mood=mood,
        sun=(dice.uniform(0.18, 0.78), dice.uniform(0.2, 0.42), dice.uniform(0.055, 0.1)),
        clouds=tuple(
            (dice.uniform(0, 1), dice.uniform(0.08, 0.36), dice.uniform(0.08, 0.2))
            for _ in range(dice.randint(3, 6))
        ),
        stars=tuple(
            (dice.uniform(0, 1), dice.uniform(0, 0.55), dice.uniform(0.3, 1)) for _ in range(140)
        ),
        ridges=tuple(_ridge(mood, depth / (_HILLS - 1), dice) for depth in range(_HILLS)),
    )


def _mood(prompt: str, dice: random.Random) -> Mood:
    # Latin words are compared whole ("red" is not in "tired"); Chinese has no spaces to split at.
    said = set(re.findall("[a-z]+", prompt.lower()))
    asked = [
        mood
        for mood in _MOODS
        if any(word in (said if word.isascii() else prompt) for word in mood.words)
    ]
    return dice.choice(asked or _MOODS)


def _ridge(mood: Mood, nearness: float, dice: random.Random) -> Ridge:
    waves = tuple(
        # Whole numbers of waves: the line meets itself, so that a film can scroll it.
        (dice.uniform(0.5, 1.0) * (0.06 + 0.03 * nearness) / turns, turns, dice.uniform(0, 6.28))
        for turns in (1, 2, 3, 5, 9)
    )
    trees = tuple(
        (dice.uniform(0, 1), dice.uniform(0.02, 0.05) * (0.4 + nearness))
        for _ in range(round(26 * nearness))
    )
    return Ridge(
        colour=_blend(mood.far, mood.near, nearness),
        base=0.52 + 0.3 * nearness,
        waves=waves,
        trees=trees,
        nearness=nearness,
    )


def _blend(first: str, second: str, share: float) -> Colour:
    pairs = zip(_rgb(first), _rgb(second), strict=True)
    red, green, blue = (round(a + (b - a) * share) for a, b in pairs)
    return red, green, blue


def _rgb(colour: str) -> Colour:
    value = int(colour[1:], 16)
    return value >> 16, value >> 8 & 255, value & 255


def paint_sky(scene: Scene, size: tuple[int, int]) -> Image.Image:
    """Paint what never moves: the sky, its stars, and the sun or moon with its glow."""
    width, height = size
    sky = _gradient(scene.mood, size)
    if scene.mood.stars:
        _dot_stars(sky, scene)
    x, y, radius = scene.sun
    centre, reach = (x * width, y * height), radius * min(size)
    glow = _disc((width // 8 + 1, height // 8 + 1), centre, reach * 1.1, 8)
    glow = glow.filter(ImageFilter.GaussianBlur(reach / 6 + 1)).resize(size)
    sky.paste(scene.mood.sun, mask=glow.point(lambda level: level * 0.75))
    # Drawn at twice the size and halved, so that the rim is smooth.
    box = [round(value) for value in _square(centre, reach * 1.05)]
    small = Image.new("L", (2 * (box[2] - box[0]), 2 * (box[3] - box[1])))
    edge = round(reach * 0.1)
    ImageDraw.Draw(small).ellipse((edge, edge, small.width - edge, small.height - edge), fill=255)
    sky.paste(scene.mood.sun, (box[0], box[1]), mask=small.reduce(2))
    return sky


def _square(centre: tuple[float, float], reach: float) -> tuple[float, float, float, float]:
    x, y = centre
    return x - reach, y - reach, x + reach, y + reach


def _gradient(mood: Mood, size: tuple[int, int]) -> Image.Image:
    column = Image.new("RGB", (1, 64))
    for row in range(64):
        column.putpixel((0, row), _blend(mood.zenith, mood.horizon, min(1.0, row / 44) ** 1.2))
    return column.resize(size, Image.Resampling.BICUBIC)


def _disc(
    size: tuple[int, int], centre: tuple[float, float], radius: float, shrink: int
) -> Image.Image:
    mask = Image.new("L", size)
    box = [value / shrink for value in _square(centre, radius)]
    ImageDraw.Draw(mask).ellipse(box, fill=255)
    return mask


def _dot_stars(sky: Image.Image, scene: Scene) -> None:
    draw = ImageDraw.Draw(sky)
    unit = max(1.0, min(sky.size) / 480)
    for x, y, brightness in scene.stars:
        reach = unit * brightness
        level = round(120 + 135 * brightness)
        draw.ellipse(_square((x * sky.width, y * sky.height), reach), fill=(level, level, level))


def paint_clouds(scene: Scene, size: tuple[int, int]) -> Image.Image:
    """Paint the clouds alone, as a strip that repeats sideways: grey for a mask, soft edges."""
    width, height = size[0] // 4 + 1, size[1] // 4 + 1
    strip = Image.new("L", (width, height))
    draw = ImageDraw.Draw(strip)
    for x, y, length in scene.clouds:
        for shift in (-1, 0, 1):
            for part, (across, up, share) in enumerate(_PUFFS):
                reach = length * share * width
                centre = ((x + shift + across * length) * width, (y - up * length) * height)
                draw.ellipse(
                    (
                        centre[0] - reach,
                        centre[1] - reach * 0.34,
                        centre[0] + reach,
                        centre[1] + reach * 0.3,
                    ),
                    fill=150 + 20 * (part % 2),
                )
    soft = strip.filter(ImageFilter.GaussianBlur(max(1.0, min(width, height) / 60)))
    return soft.resize(size, Image.Resampling.BICUBIC)


_PUFFS = ((0.0, 0.0, 0.62), (-0.34, -0.05, 0.34), (0.36, -0.04, 0.38), (0.08, 0.2, 0.36))


def paint_ridge(ridge: Ridge, size: tuple[int, int]) -> tuple[Image.Image, int]:
    """Paint one line of hills as a mask that repeats sideways.

    Returns:
        The mask, cut to the part that is not empty, and the row where it starts.
    """
    width, height = size
    scale = 1 if width * height > _LARGE else 2
    canvas = Image.new("L", (width * scale, height * scale))
    draw = ImageDraw.Draw(canvas)
    draw.polygon(list(_outline(ridge, canvas.size)), fill=255)
    for x, tall in ridge.trees:
        for shift in (-1, 0, 1):
            _plant(draw, ridge, (x + shift, tall), canvas.size)
    mask = canvas.reduce(scale) if scale > 1 else canvas
    box = mask.getbbox()
    top = box[1] if box else height
    return mask.crop((0, top, width, height)), top


# Pictures above this many pixels are fine enough without smoothing.
_LARGE = 2_300_000


def _outline(ridge: Ridge, size: tuple[int, int]) -> Iterator[tuple[float, float]]:
    width, height = size
    steps = max(2, width // 4)
    yield 0, height
    for step in range(steps + 1):
        yield step * width / steps, ridge.height(step / steps) * height
    yield width, height


def _plant(
    draw: ImageDraw.ImageDraw, ridge: Ridge, tree: tuple[float, float], size: tuple[int, int]
) -> None:
    """Draw a fir whose foot stands a little below the ridge."""
    width, height = size
    x, tall = tree
    foot = (ridge.height(x) + 0.01) * height
    tip, half = tall * height, tall * height * 0.28
    for share in (0.0, 0.28, 0.52):
        base = foot - tip * share
        reach = half * (1 - share)
        draw.polygon(
            [(x * width - reach, base), (x * width + reach, base), (x * width, foot - tip)],
            fill=255,
        )


def paint(scene: Scene, size: tuple[int, int]) -> Image.Image:
    """Paint the whole landscape, standing still."""
    picture = paint_sky(scene, size)
    clouds = paint_clouds(scene, size)
    strength = 0.25 if scene.mood.stars else 0.8
    picture.paste("#ffffff", mask=clouds.point(lambda level: level * strength))
    for ridge in scene.ridges:
        mask, top = paint_ridge(ridge, size)
        picture.paste(ridge.colour, (0, top), mask=mask)
    return picture


def scroll(strip: Image.Image, pixels: int) -> Image.Image:
    """Shift a strip that repeats sideways to the left."""
    return ImageChops.offset(strip, -pixels, 0)
