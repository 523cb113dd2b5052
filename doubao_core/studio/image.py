"""From the arguments of ``generate_image`` to a request, checked before it costs (ark.md 14)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from doubao_core.errors import ConfigError
from doubao_core.studio.arguments import (
    Arguments,
    ImageArguments,
    refused_as,
    settled,
    without,
)
from doubao_core.studio.models import MOST_GROUP, ImageModel, image_model
from doubao_core.studio.references import References

_PIXELS = re.compile(r"(\d{2,5})\s*[xX×*]\s*(\d{2,5})")
_RATIO = re.compile(r"\d{1,2}:\d{1,2}")
_LONGEST_SIDE = 16
"""A picture may be this many times longer than wide, and back (ark.md 14.3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageOrder:
    """A checked request: ``create_images(model=…, prompt=…, **options)``."""

    model: str
    prompt: str
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRules:
    """What a developer allows, beside what the model can do.

    Attributes:
        most_images: Most pictures of one call.
        sizes: The only values of ``size`` that are allowed; empty allows all. The only one is what
            a call without a size gets.
        fixed: Arguments that the developer decides.
        response_format: How pictures come: as URLs that are fetched, or as base64 in the answer.
        extra_body: Fields of the request that no argument covers.
    """

    model: str
    references: References
    most_images: int = 4
    sizes: Sequence[str] = ()
    response_format: Literal["url", "b64_json"] = "url"
    fixed: Mapping[str, Any] = field(default_factory=dict)
    extra_body: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        """Refuse settings with which no call, or not every allowed one, could succeed."""
        limits = image_model(self.model)
        if limits is not None:
            for size in self.sizes:
                with refused_as("sizes"):
                    self._wire_size(size, limits)
        checks: dict[str, Callable[[Any, ImageModel | None], object]] = {
            "size": self._size,
            "max_images": lambda count, limits: self._check_count(count or 1, 0, limits),
            "output_format": self._format,
            "seed": self._seed,
        }
        for name, value in settled(ImageArguments, self.fixed).items():
            if check := checks.get(name):
                with refused_as("fixed"):
                    check(value, limits)

    def schema(self) -> type[Arguments]:
        """Give the arguments that the model may set, with what is allowed in their words."""
        limits = image_model(self.model)
        hidden = {*self.fixed, *(("seed",) if limits and not limits.seed else ())}
        most = (
            f"Most pictures to make as a coherent group, {self.most_images} at most; 1 if left out."
        )
        count = {"type": "integer", "minimum": 1, "maximum": self.most_images}
        notes: dict[str, Any] = {"max_images": {"description": most, **count}}
        if self.sizes:
            must = "; must be given" if len(self.sizes) > 1 else ""
            said = f"Size: {' or '.join(self.sizes)}{must}."
            notes["size"] = {"description": said, "type": "string", "enum": list(self.sizes)}
        return without(ImageArguments, hidden, notes)

    def order(self, wanted: ImageArguments) -> ImageOrder:
        """Turn arguments into a request.

        Raises:
            ConfigError: The model or the developer does not allow it; the text says what is.
        """
        limits = image_model(self.model)
        count = wanted.max_images or 1
        sources = [self.references.url(each) for each in wanted.images or ()]
        self._check_count(count, len(sources), limits)
        group = {"max_images": count} if count > 1 else None
        options: dict[str, Any] = {
            "image": sources[0] if len(sources) == 1 else sources or None,
            "size": self._size(wanted.size, limits),
            "response_format": self.response_format,
            "output_format": self._format(wanted.output_format, limits),
            "watermark": wanted.watermark,
            "seed": self._seed(wanted.seed, limits),
            "sequential_image_generation": "auto" if group else None,
            "sequential_image_generation_options": group,
            "extra_body": self.extra_body,
        }
        return ImageOrder(model=self.model, prompt=wanted.prompt, options=options)

    def _check_count(self, count: int, references: int, limits: ImageModel | None) -> None:
        if count > self.most_images:
            raise ConfigError(f"max_images may be {self.most_images} at most, not {count}")
        if limits is None:
            return
        if count > 1 and not limits.group:
            raise ConfigError(
                f"{self.model} makes one picture a call: leave max_images out and call again for "
                "each picture"
            )
        if references > limits.references:
            raise ConfigError(
                f"{self.model} takes {limits.references} pictures in images, not {references}"
            )
        if count > 1 and count + references > MOST_GROUP:
            raise ConfigError(
                f"images and max_images together may be {MOST_GROUP}, not {references} and {count}"
            )

    def _size(self, size: str | None, limits: ImageModel | None) -> str | None:
        allowed = self._allowed_size(size) if self.sizes else size
        return allowed if allowed is None or limits is None else self._wire_size(allowed, limits)

    def _allowed_size(self, size: str | None) -> str:
        if size is None:
            if len(self.sizes) > 1:
                raise ConfigError(f"say the size: {' or '.join(self.sizes)}")
            return self.sizes[0]
        for each in self.sizes:
            if each.lower() == size.strip().lower():
                return each
        raise ConfigError(f"size must be one of {', '.join(self.sizes)}, not {size!r}")

    def _wire_size(self, size: str, limits: ImageModel) -> str:
        if level := next((each for each in limits.levels if each.lower() == size.lower()), None):
            return level
        if _RATIO.fullmatch(size):
            return self._ratio(size, limits)
        if found := _PIXELS.fullmatch(size.strip()):
            return self._pixels(int(found[1]), int(found[2]), limits)
        raise ConfigError(f"size {size[:40]!r} is unknown: {self._choices(limits)}")

    def _ratio(self, ratio: str, limits: ImageModel) -> str:
        if ratio not in limits.by_ratio:
            raise ConfigError(f"ratio {ratio} is unknown: {self._choices(limits)}")
        return limits.by_ratio[ratio]

    def _pixels(self, width: int, height: int, limits: ImageModel) -> str:
        fewest, most = limits.pixels
        if not fewest <= width * height <= most:
            raise ConfigError(
                f"size {width}x{height} has {width * height:,} pixels, and {self.model} makes "
                f"{fewest:,} to {most:,}: {self._choices(limits)}"
            )
        if max(width, height) > _LONGEST_SIDE * min(width, height):
            raise ConfigError(f"size {width}x{height} is too narrow: {self._choices(limits)}")
        return f"{width}x{height}"

    def _choices(self, limits: ImageModel) -> str:
        ways = [
            f"a level ({', '.join(limits.levels)})" if limits.levels else "",
            f"a ratio ({', '.join(limits.by_ratio)})" if limits.by_ratio else "",
            "WIDTHxHEIGHT",
        ]
        return f"use {' or '.join(way for way in ways if way)}"

    def _format(self, wanted: str | None, limits: ImageModel | None) -> str | None:
        if wanted is None or limits is None:
            return wanted
        if wanted not in limits.formats:
            raise ConfigError(f"{self.model} makes {' or '.join(limits.formats)}, not {wanted}")
        # A model with one format takes no field for it (ark.md 14.1).
        return wanted if len(limits.formats) > 1 else None

    def _seed(self, seed: int | None, limits: ImageModel | None) -> int | None:
        if seed is not None and limits is not None and not limits.seed:
            raise ConfigError(f"{self.model} takes no seed: leave it out")
        return seed
