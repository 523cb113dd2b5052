"""From the arguments of ``generate_image`` to a request, checked before it costs (ark.md 14)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from doubao_core.errors import ConfigError
from doubao_core.studio.arguments import ImageArguments
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
        sizes: The only values of ``size`` that are allowed; empty allows all.
        response_format: How pictures come: as URLs that are fetched, or as base64 in the answer.
        extra_body: Fields of the request that no argument covers.
    """

    model: str
    references: References
    most_images: int = 4
    sizes: Sequence[str] = ()
    response_format: Literal["url", "b64_json"] = "url"
    extra_body: Mapping[str, Any] | None = None

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
        if size is None:
            return None
        if self.sizes and size not in self.sizes:
            raise ConfigError(f"size must be one of {', '.join(self.sizes)}, not {size!r}")
        if limits is None:
            return size
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
