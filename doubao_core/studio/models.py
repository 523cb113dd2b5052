"""What each picture and video model can do, to check a request before it costs (ark.md 14, 15, 20).

Models are found by the family in their id, on both clouds. An unknown id (``ep-…``, or newer than
this file) has no limits here: the service checks it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeVar

T = TypeVar("T")

IMAGE_MODEL = "doubao-seedream-5-0-260128"
"""What the tools use if they are not told; Volcengine's name, BytePlus has others."""
VIDEO_MODEL = "doubao-seedance-2-0-260128"
"""Likewise."""
RATIOS = ("16:9", "4:3", "1:1", "3:4", "9:16", "21:9")
"""Ratios of films; ``adaptive`` follows the first picture or the prompt (ark.md 15.1)."""
MOST_GROUP = 15
"""References and pictures of one group together (ark.md 14.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageModel:
    """A picture model (ark.md 14.1, 14.3, 20.5).

    Attributes:
        levels: Sizes by name.
        pixels: Fewest and most pixels of a ``WIDTHxHEIGHT`` size.
        by_ratio: The size of the 2K level for a ratio.
        references: Most reference pictures.
        group: Whether one request can make several pictures.
        formats: Values of ``output_format``; a model with one takes no such field.
        seed: Whether it takes a seed.
    """

    levels: tuple[str, ...] = ()
    pixels: tuple[int, int]
    by_ratio: dict[str, str] = field(default_factory=dict)
    references: int = 0
    group: bool = False
    formats: tuple[str, ...] = ("jpeg",)
    seed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoModel:
    """A video model (ark.md 15.1, 15.2, 20.6).

    Attributes:
        resolutions: Values of ``resolution``.
        seconds: Shortest and longest ``duration``.
        chooses: Whether ``duration`` may be -1: the model chooses.
        default_seconds: What it does without a duration.
        audio: Whether it can make sound.
        last_frame: Whether a last frame may be given beside the first.
        references: Most reference pictures; 0 if it has no reference mode.
        adaptive_text: Whether a film from text alone may have the ratio ``adaptive``.
        follows_frame: Whether a film from a first frame has that frame's ratio and takes no other.
    """

    resolutions: tuple[str, ...]
    seconds: tuple[int, int]
    chooses: bool = True
    default_seconds: int = 5
    audio: bool = True
    last_frame: bool = True
    references: int = 0
    adaptive_text: bool = True
    follows_frame: bool = False


_PRO_2K = {
    "1:1": "2048x2048",
    "4:3": "2368x1776",
    "3:4": "1776x2368",
    "16:9": "2816x1584",
    "9:16": "1584x2816",
    "3:2": "2496x1664",
    "2:3": "1664x2496",
    "21:9": "3136x1344",
}
_OTHER_2K = _PRO_2K | {
    "4:3": "2304x1728",
    "3:4": "1728x2304",
    "16:9": "2848x1600",
    "9:16": "1600x2848",
}
_PRO = ImageModel(
    levels=("1K", "1.5K", "2K"),
    pixels=(921_600, 4_624_220),
    by_ratio=_PRO_2K,
    references=10,
    formats=("jpeg", "png"),
)
_LITE = ImageModel(
    levels=("2K", "3K", "4K"),
    pixels=(3_686_400, 16_777_216),
    by_ratio=_OTHER_2K,
    references=14,
    group=True,
    formats=("jpeg", "png"),
)
_V4_5 = replace(_LITE, levels=("2K", "4K"), formats=("jpeg",))
# Families in the order in which their names are tried: the longer before the shorter.
_IMAGES = {
    "seedream-5-0-pro": _PRO,
    "seedream-5-0-flash": _PRO,
    "seedream-5-0": _LITE,
    "seedream-4-5": _V4_5,
    "seedream-4-0": replace(
        _V4_5, levels=("1K", "2K", "4K"), pixels=(921_600, 16_777_216), seed=True
    ),
    "seedream-3-0": ImageModel(pixels=(512 * 512, 2048 * 2048), seed=True),
    "seededit-3-0": ImageModel(
        levels=("adaptive",), pixels=(512 * 512, 2048 * 2048), references=1, seed=True
    ),
}
_S2_0 = VideoModel(resolutions=("480p", "720p", "1080p", "4k"), seconds=(4, 15), references=9)
_S2_0_FAST = replace(_S2_0, resolutions=("480p", "720p"))
_S1_0 = VideoModel(
    resolutions=("480p", "720p", "1080p"),
    seconds=(2, 12),
    chooses=False,
    audio=False,
    adaptive_text=False,
)
_VIDEOS = {
    "seedance-2-5": VideoModel(
        resolutions=("480p", "720p", "1080p"),
        seconds=(4, 30),
        default_seconds=-1,
        references=30,
        follows_frame=True,
    ),
    "seedance-2-0-fast": _S2_0_FAST,
    "seedance-2-0-mini": _S2_0_FAST,
    "seedance-2-0": _S2_0,
    "seedance-1-5-pro": VideoModel(resolutions=("480p", "720p", "1080p"), seconds=(4, 12)),
    "seedance-1-0-pro-fast": replace(_S1_0, last_frame=False),
    "seedance-1-0-pro": _S1_0,
    "seedance-1-0-lite": replace(_S1_0, references=4),
}


def image_model(model: str) -> ImageModel | None:
    """Find the limits of a picture model, or ``None`` if it is unknown."""
    return _find(_IMAGES, model)


def video_model(model: str) -> VideoModel | None:
    """Find the limits of a video model, or ``None`` if it is unknown."""
    return _find(_VIDEOS, model)


def _find(families: dict[str, T], model: str) -> T | None:
    return next((limits for family, limits in families.items() if family in model), None)
