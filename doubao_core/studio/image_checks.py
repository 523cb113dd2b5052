"""What a picture model can do, against what was asked of it, purely (ark.md 14.1, 14.4, 20.5)."""

from __future__ import annotations

from typing import Any

from doubao_core.errors import ConfigError
from doubao_core.studio.arguments import ImageArguments
from doubao_core.studio.models import MOST_GROUP, ImageModel
from doubao_core.studio.references import PictureLimits

_TRANSPARENT = "transparent"
_PNG = "png"


def lacks(limits: ImageModel | None) -> frozenset[str]:
    """Name the arguments that the model does not take; none if the model is unknown."""
    if limits is None:
        return frozenset()
    able = {
        "seed": limits.seed,
        "guidance_scale": limits.guidance,
        "web_search": limits.web_search,
        "background": limits.layers,
        "layers": limits.layers,
        "images": bool(limits.references),
        "max_images": limits.group,
        "optimize_prompt": len(limits.optimizers) > 1,
        "optimize_thinking": limits.optimizer_thinks,
    }
    return frozenset(name for name, can in able.items() if not can)


def check_one(name: str, value: Any, limits: ImageModel, model: str) -> None:
    """Refuse a value of one argument that no call could have.

    Raises:
        ConfigError: The model does not take it.
    """
    # How many pictures is check_count's.
    if value is None or value is False or name == "max_images":
        return
    if name == "output_format" and value not in limits.formats:
        raise ConfigError(f"{model} makes {' or '.join(limits.formats)}, not {value}")
    if name == "optimize_prompt":
        if value not in limits.optimizers:
            raise ConfigError(f"{model} takes no optimize_prompt={value}: leave it out")
    elif name in lacks(limits):
        raise ConfigError(f"{model} takes no {name}: leave it out")


def check(wanted: ImageArguments, limits: ImageModel, model: str) -> None:
    """Refuse what the model does not do.

    Raises:
        ConfigError: The text says what to change.
    """
    for name in type(wanted).model_fields:
        check_one(name, getattr(wanted, name), limits, model)
    pictures = len(wanted.images or ())
    if limits.edits and not pictures:
        raise ConfigError(f"{model} works on a picture: name it in images")
    if wanted.layers and (pictures != 1 or (wanted.max_images or 1) > 1):
        raise ConfigError("layers takes apart exactly one picture: name one in images")
    if wanted.background == _TRANSPARENT:
        if pictures != 1:
            raise ConfigError(
                "background=transparent needs exactly one picture in images, a png with "
                "transparency"
            )
        if wanted.output_format not in {None, _PNG}:
            raise ConfigError("background=transparent makes png: leave output_format out")


def check_count(count: int, references: int, limits: ImageModel, model: str) -> None:
    """Refuse more pictures than the model makes or takes.

    Raises:
        ConfigError: The text says how many it makes or takes.
    """
    if count > 1 and not limits.group:
        raise ConfigError(
            f"{model} makes one picture a call: leave max_images out and call again for each "
            "picture"
        )
    if references > limits.references:
        raise ConfigError(
            f"{model} takes {limits.references or 'no'} pictures in images, not {references}"
        )
    if count > 1 and count + references > MOST_GROUP:
        raise ConfigError(
            f"images and max_images together may be {MOST_GROUP}, not {references} and {count}"
        )


def output_format(wanted: ImageArguments, limits: ImageModel | None) -> str | None:
    """Give the file format to ask for: a model with one takes no field for it."""
    if wanted.background == _TRANSPARENT:
        return _PNG
    return wanted.output_format if limits is None or len(limits.formats) > 1 else None


def reference_limits(limits: ImageModel | None) -> PictureLimits:
    """Give what a reference picture may be (ark.md 14.4)."""
    aspect = float(limits.aspect if limits else 16)
    return PictureLimits(
        sides=(15, 36_000_000), aspect=(1 / aspect, aspect), most_pixels=36_000_000
    )
