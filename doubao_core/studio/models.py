"""What each picture and video model can do, to check a request before it costs (ark.md 14, 15, 20).

Models are found by the family in their id, on both clouds. An id of no known family (``ep-…``, or a
new one) has no limits here: the service checks it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar

from doubao_core import catalogue
from doubao_core.catalogue import Kind
from doubao_core.errors import ConfigError

T = TypeVar("T")
_KINDS: dict[Kind, str] = {
    "chat": "a chat model",
    "embedding": "an embedding model",
    "image": "a picture model",
    "video": "a video model",
}

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
    """A picture model (ark.md 14.1, 14.3, 14.4, 20.5).

    Attributes:
        sizes: The size in pixels by level and ratio; empty when it takes no levels.
        pixels: Fewest and most pixels of a ``WIDTHxHEIGHT`` size.
        usual: The level that a ratio alone stands for.
        references: Most reference pictures.
        aspect: A reference may be this many times longer than wide, and back.
        edits: Whether it works on a picture only: one is needed, and the size is ``adaptive``.
        group: Whether one request can make several pictures.
        stream: Whether it gives pictures of a group as they are finished.
        formats: Values of ``output_format``; a model with one takes no such field.
        seed: Whether it takes a seed.
        guidance: Whether it takes ``guidance_scale``.
        optimizers: Values of ``optimize_prompt_options.mode``.
        optimizer_thinks: Whether ``optimize_prompt_options.thinking`` is taken.
        web_search: Whether it can search the web.
        layers: Whether it takes pictures apart, and makes transparent ones.
    """

    sizes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    pixels: tuple[int, int]
    usual: str = "2K"
    references: int = 0
    aspect: int = 16
    edits: bool = False
    group: bool = False
    stream: bool = False
    formats: tuple[str, ...] = ("jpeg",)
    seed: bool = False
    guidance: bool = False
    optimizers: tuple[str, ...] = ("standard",)
    optimizer_thinks: bool = False
    web_search: bool = False
    layers: bool = False

    @property
    def ratios(self) -> tuple[str, ...]:
        """Ratios that it makes."""
        return tuple(self.sizes.get(self.usual, ()))


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
        clips: Most reference films, and most reference sounds.
        audio_alone: Whether a reference sound may come without a picture or a film.
        adaptive_text: Whether a film from text alone may have the ratio ``adaptive``.
        follows_frame: Whether a film from a first frame has that frame's ratio and takes no other.
        draft: Whether it makes drafts.
        flex: Whether it takes the cheaper, slower service tier.
        frames: Whether the length may be given in frames.
        camera_fixed: Whether the camera can be held still.
        priority: Whether a task can go before others in the queue.
        web_search: Whether it can search the web.
        formats: Values of ``output_format``; a model with one takes no such field.
        task_types: Values of ``omni_reference_task_type``.
    """

    resolutions: tuple[str, ...]
    seconds: tuple[int, int]
    chooses: bool = True
    default_seconds: int = 5
    audio: bool = True
    last_frame: bool = True
    references: int = 0
    clips: int = 0
    audio_alone: bool = False
    adaptive_text: bool = True
    follows_frame: bool = False
    draft: bool = False
    flex: bool = False
    frames: bool = False
    camera_fixed: bool = False
    priority: bool = False
    web_search: bool = False
    formats: tuple[str, ...] = ("mp4",)
    task_types: tuple[str, ...] = ()


def _levels(rows: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Read rows of a table whose columns are the ratios of ark.md 14.3."""
    ratios = ("1:1", "4:3", "3:4", "16:9", "9:16", "3:2", "2:3", "21:9")
    return {level: dict(zip(ratios, row.split(), strict=True)) for level, row in rows.items()}


_PRO_SIZES = _levels(
    {
        "1K": "1024x1024 1152x864 864x1152 1424x800 800x1424 1248x832 832x1248 1568x672",
        "1.5K": "1536x1536 1792x1344 1344x1792 2048x1152 1152x2048 1872x1248 1248x1872 2352x1008",
        "2K": "2048x2048 2368x1776 1776x2368 2816x1584 1584x2816 2496x1664 1664x2496 3136x1344",
    }
)
_SIZES = _levels(
    {
        "1K": "1024x1024 1152x864 864x1152 1280x720 720x1280 1248x832 832x1248 1512x648",
        "2K": "2048x2048 2304x1728 1728x2304 2848x1600 1600x2848 2496x1664 1664x2496 3136x1344",
        "3K": "3072x3072 3456x2592 2592x3456 4096x2304 2304x4096 3744x2496 2496x3744 4704x2016",
        "4K": "4096x4096 4704x3520 3520x4704 5504x3040 3040x5504 4992x3328 3328x4992 6240x2656",
    }
)
_FLASH = ImageModel(
    sizes=_PRO_SIZES,
    pixels=(921_600, 4_624_220),
    references=10,
    formats=("jpeg", "png"),
    optimizer_thinks=True,
    layers=True,
)
_LITE = ImageModel(
    sizes={level: _SIZES[level] for level in ("2K", "3K", "4K")},
    pixels=(3_686_400, 16_777_216),
    references=14,
    group=True,
    stream=True,
    formats=("jpeg", "png"),
    web_search=True,
)
_V4_5 = replace(
    _LITE,
    sizes={level: _SIZES[level] for level in ("2K", "4K")},
    formats=("jpeg",),
    web_search=False,
)
_V3_0 = ImageModel(pixels=(512 * 512, 2048 * 2048), seed=True, guidance=True)
# Families in the order in which their names are tried: the longer before the shorter.
_IMAGES = {
    "seedream-5-0-pro": replace(_FLASH, optimizers=("standard", "fast")),
    "seedream-5-0-flash": _FLASH,
    "seedream-5-0": _LITE,
    "seedream-4-5": _V4_5,
    "seedream-4-0": replace(
        _V4_5,
        sizes={level: _SIZES[level] for level in ("1K", "2K", "4K")},
        pixels=(921_600, 16_777_216),
        # The reference says 3.0 only; a probe saw 4.0 take it (ark.md 14.1).
        seed=True,
        optimizers=("standard", "fast"),
    ),
    "seedream-3-0": _V3_0,
    "seededit-3-0": replace(_V3_0, edits=True, references=1, aspect=3),
}
_S2_0 = VideoModel(
    resolutions=("480p", "720p", "1080p", "4k"),
    seconds=(4, 15),
    references=9,
    clips=3,
    priority=True,
    web_search=True,
)
_S2_0_FAST = replace(_S2_0, resolutions=("480p", "720p"))
_S2_5 = replace(
    _S2_0,
    resolutions=("480p", "720p", "1080p"),
    seconds=(4, 30),
    default_seconds=-1,
    references=30,
    clips=10,
    audio_alone=True,
    follows_frame=True,
    formats=("mp4", "mov"),
    task_types=("auto", "reference", "edit", "extend"),
)
_S1_5 = VideoModel(
    resolutions=("480p", "720p", "1080p"), seconds=(4, 12), draft=True, camera_fixed=True
)
_S1_0 = VideoModel(
    resolutions=("480p", "720p", "1080p"),
    seconds=(2, 12),
    chooses=False,
    audio=False,
    adaptive_text=False,
    flex=True,
    frames=True,
    camera_fixed=True,
)
_VIDEOS = {
    # Drafts are made by 2.5 on Volcengine, and by 1.5 only on BytePlus (ark.md 18).
    "dreamina-seedance-2-5": _S2_5,
    "seedance-2-5": replace(_S2_5, draft=True),
    "seedance-2-0-fast": _S2_0_FAST,
    "seedance-2-0-mini": _S2_0_FAST,
    "seedance-2-0": _S2_0,
    # The cheaper tier of 1.5 is BytePlus's (ark.md 15.1).
    "doubao-seedance-1-5-pro": _S1_5,
    "seedance-1-5-pro": replace(_S1_5, flex=True),
    "seedance-1-0-pro-fast": replace(_S1_0, last_frame=False),
    "seedance-1-0-pro": _S1_0,
    "seedance-1-0-lite-i2v": replace(_S1_0, references=4),
    "seedance-1-0-lite": _S1_0,
}


def image_model(model: str) -> ImageModel | None:
    """Find the limits of a picture model, or ``None`` if it is unknown."""
    return _find(_IMAGES, model)


def video_model(model: str) -> VideoModel | None:
    """Find the limits of a video model, or ``None`` if it is unknown."""
    return _find(_VIDEOS, model)


def check_kind(model: str, tool: str, kind: Literal["image", "video"]) -> None:
    """Refuse a model of which it is known that it makes something else.

    Raises:
        ConfigError: It does; nothing that *tool* sends to it could succeed.
    """
    known = _kind(model)
    if known is not None and known != kind:
        raise ConfigError(
            f"{tool} cannot use {model}, which is {_KINDS[known]}: set {_KINDS[kind]}, such as "
            f"{IMAGE_MODEL if kind == 'image' else VIDEO_MODEL}"
        )


def _kind(model: str) -> Kind | None:
    facts = catalogue.find(model)
    if facts is not None:
        return facts.kind
    if image_model(model) is not None:
        return "image"
    return None if video_model(model) is None else "video"


def _find(families: dict[str, T], model: str) -> T | None:
    return next((limits for family, limits in families.items() if family in model), None)
