"""Reads an image request as strictly as ark.md 14.1, 14.3 and 14.4 say.

Where that document leaves open whether a model refuses or ignores a field it does not have, it
refuses (400 `InvalidParameter.UnsupportedParameter`), so that the mistake is seen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from doubao_emulator import materials, prompt_hints
from doubao_emulator.errors import (
    invalid_parameter,
    missing_parameter,
    unsupported_parameter,
)
from doubao_emulator.media_models import ImageModel
from doubao_emulator.moderation import check_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from doubao_emulator.clouds import Cloud
    from doubao_emulator.materials import Picture
    from doubao_emulator.media_models import Size
    from doubao_emulator.render import Format
    from doubao_emulator.state import World
    from doubao_emulator.wire import Fields

MOST_PICTURES = 15
_LARGEST_SEED = 2_147_483_647
_WIDE = 16
_LAYERED_SIDES = (512, 6000)
# What a group holds when neither the prompt nor the request says how many.
_USUAL_GROUP = 4
_EDITED_PIXELS = 1024 * 1024
_EDITED_STEP = 16
_WIDTH_HEIGHT = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRequest:
    """A request that passed every check.

    Attributes:
        model: The real model, also when an endpoint was named.
        prompt: Text, possibly empty.
        pictures: Reference pictures.
        size: Width and height of every picture to make.
        count: How many pictures to make.
        encoded: Answer with base64 instead of links.
        format: File format.
        watermark: Whether the service's mark is drawn.
        seed: Seed, -1 for none.
        stream: Answer picture by picture.
        searches: Whether the web search tool was offered to the model.
        transparent: Whether the result takes over the reference's alpha channel.
        layered: Whether the reference is taken apart; `size` is then the base's.
    """

    model: ImageModel
    prompt: str
    pictures: tuple[Picture, ...]
    size: Size
    count: int
    encoded: bool
    format: Format
    watermark: bool
    seed: int
    stream: bool
    searches: bool
    transparent: bool
    layered: bool


def parse(world: World, cloud: Cloud, fields: Fields) -> ImageRequest:
    """Check a request.

    Raises:
        ArkError: 404 for an unknown model, 400 for anything else that is wrong.
    """
    model = cloud.find(fields.required_string("model"), ImageModel)
    layered = _read_layers(model, fields)
    prompt = fields.string("prompt") or ""
    if not prompt.strip() and not layered:
        raise missing_parameter("prompt")
    check_text(prompt)
    pictures = _read_pictures(world, model, fields)
    if layered:
        _check_layered(pictures)
    _check_tuning(model, fields)
    image_format = _read_format(model, fields)
    return ImageRequest(
        model=model,
        prompt=prompt,
        pictures=pictures,
        size=_read_layered_size(model, fields, pictures[0])
        if layered
        else _read_size(model, fields, prompt, pictures),
        count=_read_count(model, fields, prompt, len(pictures)),
        encoded=fields.string("response_format", choices=("url", "b64_json")) == "b64_json",
        format=image_format,
        watermark=_or_true(fields.boolean("watermark")),
        seed=_read_seed(model, fields),
        stream=_read_stream(model, fields),
        searches=_read_tools(model, fields),
        transparent=_read_background(model, fields, pictures, image_format),
        layered=layered,
    )


def _or_true(value: bool | None) -> bool:
    return True if value is None else value


def _read_layers(model: ImageModel, fields: Fields) -> bool:
    layered = fields.boolean("layer_decomposition")
    if layered and not model.layers:
        raise unsupported_parameter("layer_decomposition", model.id)
    return bool(layered)


def _check_layered(pictures: tuple[Picture, ...]) -> None:
    if len(pictures) != 1 or (pictures[0].seen and pictures[0].format not in {"PNG", "JPEG"}):
        detail = "layer decomposition requires exactly one png or jpeg image."
        raise invalid_parameter("image", detail)
    low, high = _LAYERED_SIDES
    if not all(low <= side <= high for side in pictures[0].size or (low, high)):
        raise invalid_parameter("image", f"image sides must be in [{low}, {high}] pixels.")


def _read_layered_size(model: ImageModel, fields: Fields, picture: Picture) -> Size:
    """Return the base's size: a level, or with ``auto`` that of the picture."""
    size = fields.string("size") or "auto"
    square = model.sizes[model.default_size]["1:1"]
    if size == "auto":
        return picture.size or square
    if size not in model.sizes:
        levels = ", ".join((*model.sizes, "auto"))
        raise invalid_parameter("size", f"`{size[:32]}` is not supported, use one of {levels}.")
    level = model.sizes[size]
    return level[prompt_hints.nearest_ratio(picture.size or square, level)]


def _read_pictures(world: World, model: ImageModel, fields: Fields) -> tuple[Picture, ...]:
    given = fields.get("image")
    urls = [] if given is None else given if isinstance(given, list) else [given]
    if not all(isinstance(url, str) for url in urls):
        raise invalid_parameter("image", "a string or an array of strings is expected.")
    if model.edits and not urls:
        raise missing_parameter("image")
    if urls and not model.references:
        raise unsupported_parameter("image", model.id)
    if len(urls) > model.references:
        raise invalid_parameter(
            "image", f"model {model.id} takes at most {model.references} images."
        )
    limits = materials.REFERENCE_LIMITS
    if model.reference_aspect != _WIDE:
        aspect = (1 / model.reference_aspect, float(model.reference_aspect))
        limits = replace(limits, aspect=aspect)
    return tuple(
        materials.picture(world, url, "image", limits=limits, assets=False) for url in urls
    )


def _check_tuning(model: ImageModel, fields: Fields) -> None:
    """Check what steers the real model and changes nothing here."""
    if fields.has("guidance_scale") and model.guidance is None:
        raise unsupported_parameter("guidance_scale", model.id)
    fields.number("guidance_scale", low=1, high=10)
    fields.boolean("optimize_prompt")
    options = fields.object("optimize_prompt_options")
    if options is None:
        return
    mode = options.string("mode", choices=("standard", "fast"))
    if mode is not None and mode not in model.optimizer_modes:
        raise unsupported_parameter(options.param("mode"), model.id)
    thinking = options.string("thinking", choices=("auto", "enabled", "disabled"))
    if thinking is not None and not model.optimizer_thinks:
        raise unsupported_parameter(options.param("thinking"), model.id)


def _read_format(model: ImageModel, fields: Fields) -> Format:
    name = fields.string("output_format", choices=("png", "jpeg")) or "jpeg"
    if name not in model.formats:
        raise unsupported_parameter("output_format", model.id)
    return "png" if name == "png" else "jpeg"


def _read_seed(model: ImageModel, fields: Fields) -> int:
    seed = fields.integer("seed", low=-1, high=_LARGEST_SEED)
    if seed is None or seed < 0:
        return -1
    if not model.seeded:
        raise unsupported_parameter("seed", model.id)
    return seed


def _read_stream(model: ImageModel, fields: Fields) -> bool:
    stream = bool(fields.boolean("stream"))
    if stream and not model.stream:
        raise unsupported_parameter("stream", model.id)
    return stream


def _read_tools(model: ImageModel, fields: Fields) -> bool:
    tools = fields.objects("tools") or []
    if tools and not model.web_search:
        raise unsupported_parameter("tools", model.id)
    for tool in tools:
        if tool.string("type", choices=("web_search",)) is None:
            raise missing_parameter(tool.param("type"))
    return bool(tools)


def _read_background(
    model: ImageModel, fields: Fields, pictures: tuple[Picture, ...], image_format: Format
) -> bool:
    background = fields.string("background", choices=("opaque", "transparent"))
    if background is not None and not model.layers:
        raise unsupported_parameter("background", model.id)
    if background != "transparent":
        return False
    if len(pictures) != 1:
        raise invalid_parameter("background", "transparent requires exactly one image.")
    if not pictures[0].seen:
        raise invalid_parameter(
            "image", "the emulator fetches nothing, give the transparent image as a data URL."
        )
    if not pictures[0].alpha:
        raise invalid_parameter("background", "transparent requires an image with alpha channel.")
    if image_format != "png":
        raise invalid_parameter("background", "transparent requires output_format png.")
    return True


def _read_count(model: ImageModel, fields: Fields, prompt: str, references: int) -> int:
    choices = ("auto", "disabled")
    grouped = fields.string("sequential_image_generation", choices=choices) == "auto"
    if grouped and not model.group:
        raise unsupported_parameter("sequential_image_generation", model.id)
    options = fields.object("sequential_image_generation_options")
    most = None if options is None else options.integer("max_images", low=1, high=MOST_PICTURES)
    if not grouped:
        if most is not None:
            name = "sequential_image_generation_options.max_images"
            raise invalid_parameter(name, "sequential_image_generation must be auto.")
        return 1
    if most is not None and references + most > MOST_PICTURES:
        raise invalid_parameter(
            "sequential_image_generation_options.max_images",
            f"reference images plus max_images must not exceed {MOST_PICTURES}.",
        )
    bound = most or MOST_PICTURES - references
    return min(prompt_hints.count(prompt) or most or _USUAL_GROUP, bound)


def _read_size(
    model: ImageModel, fields: Fields, prompt: str, pictures: tuple[Picture, ...]
) -> Size:
    size = fields.string("size") or model.default_size
    if model.edits:
        return _adapted(size, pictures[0])
    if size in model.sizes:
        level = model.sizes[size]
        return level[_wanted_ratio(prompt, pictures, level)]
    match = _WIDTH_HEIGHT.fullmatch(size)
    if match is None:
        levels = ", ".join((*model.sizes, "WxH"))
        raise invalid_parameter("size", f"`{size[:32]}` is not supported, use one of {levels}.")
    width, height = int(match[1]), int(match[2])
    _check_pixels(model, width, height)
    return width, height


def _check_pixels(model: ImageModel, width: int, height: int) -> None:
    """Refuse in the words of ark.md 14.3; pro and flash say "area"."""
    low, high = model.pixels
    noun = "image area" if model.layers else "image size"
    if width * height < low:
        raise invalid_parameter("size", f"{noun} must be at least {low} pixels.")
    if width * height > high:
        raise invalid_parameter("size", f"{noun} must be at most {high} pixels.")
    if max(width, height) > _WIDE * min(width, height):
        raise invalid_parameter("size", "image aspect ratio must be between 1/16 and 16.")


def _wanted_ratio(prompt: str, pictures: tuple[Picture, ...], level: Mapping[str, Size]) -> str:
    """Choose as the model would: by the prompt, else by the only reference, else square."""
    named = prompt_hints.ratio(prompt, level)
    if named is not None:
        return named
    if len(pictures) == 1 and pictures[0].size is not None:
        return prompt_hints.nearest_ratio(pictures[0].size, level)
    return "1:1"


def _adapted(size: str, picture: Picture) -> Size:
    """Give an edited picture about a million pixels in the shape of the original."""
    if size != "adaptive":
        raise invalid_parameter("size", "only adaptive is supported.")
    width, height = picture.size or (1, 1)
    scale = (_EDITED_PIXELS / (width * height)) ** 0.5
    return _stepped(width * scale), _stepped(height * scale)


def _stepped(side: float) -> int:
    return round(side / _EDITED_STEP) * _EDITED_STEP
