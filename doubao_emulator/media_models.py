"""Image and video models of both clouds with their limits (ark.md 14.3, 15.3, 20.5, 20.6).

The first model of a kind is what an endpoint id (``ep-...``) stands for, so each list starts with
the one that offers most.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from doubao_emulator.models import Model

if TYPE_CHECKING:
    from collections.abc import Mapping

Size: TypeAlias = tuple[int, int]
Sizes: TypeAlias = "Mapping[str, Mapping[str, Size]]"

RATIOS = ("16:9", "4:3", "1:1", "3:4", "9:16", "21:9")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageModel(Model):
    """An image model (ark.md 14, 20.5).

    Attributes:
        sizes: Pixel size by level and ratio; empty when only `WxH` is taken.
        pixels: Fewest and most total pixels of a `WxH` size.
        default_size: The `size` of a request that names none.
        references: Most reference pictures.
        reference_aspect: A reference may be this many times longer than wide, and back.
        edits: Works on a picture only: one is required, and `size` is ``adaptive``.
        group: Whether one request may make several pictures.
        stream: Whether pictures can be streamed.
        formats: Accepted `output_format` values, the default first.
        optimizer_modes: Accepted `optimize_prompt_options.mode` values.
        optimizer_thinks: Whether `optimize_prompt_options.thinking` is offered.
        guidance: Default `guidance_scale`; None when neither it nor a seed is offered.
        seeded: Whether `seed` is accepted.
        web_search: Whether the web search tool is offered.
        layers: Whether `background` and `layer_decomposition` exist.
    """

    domain: ClassVar[str] = "ImageGeneration"

    outputs: frozenset[str] = frozenset({"image"})
    sizes: Sizes = field(default_factory=dict, repr=False)
    pixels: tuple[int, int]
    default_size: str
    references: int
    reference_aspect: int = 16
    edits: bool = False
    group: bool = False
    stream: bool = False
    formats: tuple[str, ...] = ("jpeg",)
    optimizer_modes: tuple[str, ...] = ("standard",)
    optimizer_thinks: bool = False
    guidance: float | None = None
    seeded: bool = False
    web_search: bool = False
    layers: bool = False

    def task_types(self) -> list[str]:
        """Return the `task_type` values of ark.md 3.1."""
        made = [] if self.edits else ["TextToImage"]
        return [*made, "ImageToImage"] if self.references else made


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """How many reference materials of each kind a video model takes, and how long (ark.md 15.2).

    Attributes:
        images: Most pictures.
        videos: Most films.
        audios: Most sounds.
        seconds: Longest single film or sound, and longest all of them together.
        audio_alone: Whether sound may come without a picture or a film.
    """

    images: int
    videos: int
    audios: int
    seconds: int
    audio_alone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoModel(Model):
    """A video model (ark.md 15, 20.6).

    Attributes:
        family: Generation as error texts print it, for example ``seedance-1-0-pro``.
        sizes: Pixel size by resolution and ratio.
        default_resolution: The resolution of a request that names none.
        default_ratio: The ratio of a text-only request that names none.
        adaptive_text: Whether a text-only request may ask for ``adaptive``.
        adaptive_only: Whether first frame, first and last frame, edit and extend fix the ratio.
        seconds: Shortest and longest duration.
        default_seconds: The duration of a request that names none; -1 leaves it to the model.
        chooses_seconds: Whether the duration may be -1.
        frame_count: Whether `frames` may be given instead of a duration.
        audio: Whether films have sound.
        last_frame: Whether a last frame may be given beside the first.
        references: Limits of the reference mode; None when there is none.
        draft: Whether previews are offered (ark.md 15.6).
        flex: Whether the `flex` service tier is offered.
        camera_fixed: Whether `camera_fixed` is offered.
        priority: Whether `priority` is offered.
        web_search: Whether the web search tool is offered.
        formats: Accepted `output_format` values, the default first.
        task_types_named: Whether `omni_reference_task_type` is offered.
        downloads: How often a film may be downloaded; None for no limit (ark.md 15.4).
    """

    domain: ClassVar[str] = "VideoGeneration"

    outputs: frozenset[str] = frozenset({"video"})
    family: str
    sizes: Sizes = field(repr=False)
    default_resolution: str = "720p"
    default_ratio: str = "adaptive"
    adaptive_text: bool = True
    adaptive_only: bool = False
    seconds: tuple[int, int]
    default_seconds: int = 5
    chooses_seconds: bool = True
    frame_count: bool = False
    audio: bool = True
    last_frame: bool = True
    references: References | None = None
    draft: bool = False
    flex: bool = False
    camera_fixed: bool = False
    priority: bool = False
    web_search: bool = False
    formats: tuple[str, ...] = ("mp4",)
    task_types_named: bool = False
    downloads: int | None = None

    def task_types(self) -> list[str]:
        """Return the `task_type` values of ark.md 3.1."""
        made = ["TextToVideo", "ImageToVideo"]
        return [*made, "MultimodalToVideo"] if self.references else made


def _sizes(ratios: str, levels: dict[str, str]) -> dict[str, dict[str, Size]]:
    """Read a size table whose rows are levels and whose columns are `ratios`."""
    return {
        level: dict(zip(ratios.split(), map(_size, row.split()), strict=True))
        for level, row in levels.items()
    }


def _size(text: str) -> Size:
    width, height = text.split("x")
    return int(width), int(height)


def _with_portraits(levels: Sizes) -> dict[str, dict[str, Size]]:
    """Add ``9:16`` and ``3:4``, which are the turned ``16:9`` and ``4:3``."""
    turned = {"9:16": "16:9", "3:4": "4:3"}
    return {
        level: {**sizes, **{name: sizes[of][::-1] for name, of in turned.items()}}
        for level, sizes in levels.items()
    }


_IMAGE_RATIOS = "1:1 4:3 3:4 16:9 9:16 3:2 2:3 21:9"
_PRO_SIZES = _sizes(
    _IMAGE_RATIOS,
    {
        "1K": "1024x1024 1152x864 864x1152 1424x800 800x1424 1248x832 832x1248 1568x672",
        "1.5K": "1536x1536 1792x1344 1344x1792 2048x1152 1152x2048 1872x1248 1248x1872 2352x1008",
        "2K": "2048x2048 2368x1776 1776x2368 2816x1584 1584x2816 2496x1664 1664x2496 3136x1344",
    },
)
# The tutorial prints other 1K sizes for 4.0; these are the reference's (ark.md 14.3, 22).
_OTHER_SIZES = _sizes(
    _IMAGE_RATIOS,
    {
        "1K": "1024x1024 1152x864 864x1152 1280x720 720x1280 1248x832 832x1248 1512x648",
        "2K": "2048x2048 2304x1728 1728x2304 2848x1600 1600x2848 2496x1664 1664x2496 3136x1344",
        "3K": "3072x3072 3456x2592 2592x3456 4096x2304 2304x4096 3744x2496 2496x3744 4704x2016",
        "4K": "4096x4096 4704x3520 3520x4704 5504x3040 3040x5504 4992x3328 3328x4992 6240x2656",
    },
)


def _levels(*names: str) -> Sizes:
    return {name: _OTHER_SIZES[name] for name in names}


_SEES = frozenset({"text", "image"})
_LITE = ImageModel(
    id="",
    inputs=_SEES,
    sizes=_levels("2K", "3K", "4K"),
    pixels=(3_686_400, 16_777_216),
    default_size="2048x2048",
    references=14,
    group=True,
    stream=True,
    formats=("jpeg", "png"),
    web_search=True,
)
_V4_5 = replace(_LITE, sizes=_levels("2K", "4K"), formats=("jpeg",), web_search=False)
_V4_0 = replace(
    _V4_5,
    sizes=_levels("1K", "2K", "4K"),
    pixels=(921_600, 16_777_216),
    optimizer_modes=("standard", "fast"),
    seeded=True,
)
_FLASH = ImageModel(
    id="",
    inputs=_SEES,
    sizes=_PRO_SIZES,
    pixels=(921_600, 4_624_220),
    default_size="2K",
    references=10,
    formats=("jpeg", "png"),
    optimizer_thinks=True,
    layers=True,
)
_PRO = replace(_FLASH, optimizer_modes=("standard", "fast"))
_V3_0 = ImageModel(
    id="",
    pixels=(512 * 512, 2048 * 2048),
    default_size="1024x1024",
    references=0,
    guidance=2.5,
    seeded=True,
)
_EDIT = replace(
    _V3_0,
    inputs=_SEES,
    default_size="adaptive",
    references=1,
    reference_aspect=3,
    edits=True,
    guidance=5.5,
)

_FILM_RATIOS = "16:9 4:3 1:1 21:9"
_SIZES_2_0 = _with_portraits(
    _sizes(
        _FILM_RATIOS,
        {
            "480p": "864x496 752x560 640x640 992x432",
            "720p": "1280x720 1112x834 960x960 1470x630",
            "1080p": "1920x1080 1664x1248 1440x1440 2206x946",
            "4k": "3840x2160 3326x2494 2880x2880 4398x1886",
        },
    )
)
_SIZES_2_5 = {
    "480p": {**_SIZES_2_0["480p"], "16:9": (854, 480), "9:16": (480, 854)},
    "720p": _SIZES_2_0["720p"],
    "1080p": _SIZES_2_0["1080p"],
}
_SIZES_1_0 = _with_portraits(
    _sizes(
        _FILM_RATIOS,
        {
            "480p": "864x480 736x544 640x640 960x416",
            "720p": "1248x704 1120x832 960x960 1504x640",
            "1080p": "1920x1088 1664x1248 1440x1440 2176x928",
        },
    )
)


def _resolutions(*names: str) -> Sizes:
    return {name: _SIZES_2_0[name] for name in names}


_ALL = frozenset({"text", "image", "video", "audio"})
_S2_0 = VideoModel(
    id="",
    family="seedance-2-0",
    inputs=_ALL,
    sizes=_SIZES_2_0,
    seconds=(4, 15),
    references=References(images=9, videos=3, audios=3, seconds=15),
    priority=True,
    web_search=True,
)
_S2_0_FAST = replace(_S2_0, family="seedance-2-0-fast", sizes=_resolutions("480p", "720p"))
_S2_0_MINI = replace(_S2_0_FAST, family="seedance-2-0-mini")
_S2_5 = replace(
    _S2_0,
    family="seedance-2-5",
    sizes=_SIZES_2_5,
    adaptive_only=True,
    seconds=(4, 30),
    default_seconds=-1,
    references=References(images=30, videos=10, audios=10, seconds=30, audio_alone=True),
    formats=("mp4", "mov"),
    task_types_named=True,
    downloads=100,
)
_S1_5 = VideoModel(
    id="",
    family="seedance-1-5-pro",
    inputs=_SEES,
    sizes=_resolutions("480p", "720p", "1080p"),
    seconds=(4, 12),
    draft=True,
    camera_fixed=True,
)
_S1_0 = VideoModel(
    id="",
    family="seedance-1-0-pro",
    inputs=_SEES,
    sizes=_SIZES_1_0,
    default_resolution="1080p",
    default_ratio="16:9",
    adaptive_text=False,
    seconds=(2, 12),
    chooses_seconds=False,
    frame_count=True,
    audio=False,
    flex=True,
    camera_fixed=True,
)
_S1_0_FAST = replace(_S1_0, family="seedance-1-0-pro-fast", last_frame=False)

ARK: tuple[Model, ...] = (
    replace(
        _LITE,
        id="doubao-seedream-5-0-260128",
        aliases=("doubao-seedream-5-0-lite-260128",),
    ),
    replace(_PRO, id="doubao-seedream-5-0-pro-260628"),
    replace(_FLASH, id="doubao-seedream-5-0-flash-260915"),
    replace(_V4_5, id="doubao-seedream-4-5-251128"),
    replace(_V4_0, id="doubao-seedream-4-0-250828"),
    replace(_V3_0, id="doubao-seedream-3-0-t2i-250415"),
    replace(_EDIT, id="doubao-seededit-3-0-i2i-250628"),
    replace(_S2_0, id="doubao-seedance-2-0-260128"),
    # Drafts moved to 2.5 on this cloud and stay on 1.5 pro on the other one (ark.md 18).
    replace(_S2_5, id="doubao-seedance-2-5-260628", draft=True),
    replace(_S2_0_FAST, id="doubao-seedance-2-0-fast-260128"),
    replace(_S2_0_MINI, id="doubao-seedance-2-0-mini-260615"),
    replace(_S1_5, id="doubao-seedance-1-5-pro-251215", status="Retiring"),
    replace(_S1_0, id="doubao-seedance-1-0-pro-250528"),
    replace(_S1_0_FAST, id="doubao-seedance-1-0-pro-fast-251015"),
)
BYTEPLUS: tuple[Model, ...] = (
    replace(_LITE, id="seedream-5-0-260128", aliases=("seedream-5-0-lite-260128",)),
    replace(_PRO, id="dola-seedream-5-0-pro-260628"),
    replace(_FLASH, id="dola-seedream-5-0-flash-260915"),
    replace(_V4_5, id="seedream-4-5-251128"),
    replace(_V4_0, id="seedream-4-0-250828"),
    replace(_V3_0, id="seedream-3-0-t2i-250415", status="Retiring"),
    replace(_S2_0, id="dreamina-seedance-2-0-260128", aliases=("seedance-2-0-260128",)),
    replace(_S2_5, id="dreamina-seedance-2-5-260628"),
    replace(_S2_0_FAST, id="dreamina-seedance-2-0-fast-260128"),
    replace(_S2_0_MINI, id="dreamina-seedance-2-0-mini-260615"),
    replace(_S1_5, id="seedance-1-5-pro-251215", flex=True),
    replace(_S1_0, id="seedance-1-0-pro-250528"),
    replace(_S1_0_FAST, id="seedance-1-0-pro-fast-251015"),
)
