"""From the arguments of ``generate_image`` to a request, checked before it costs (ark.md 14)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from doubao_core.errors import ConfigError
from doubao_core.studio import image_checks, image_size
from doubao_core.studio.arguments import (
    Arguments,
    ImageArguments,
    asked,
    hidden,
    refused_as,
    settled,
    without,
)
from doubao_core.studio.models import ImageModel, check_kind, image_model
from doubao_core.studio.orders import ImageOrder
from doubao_core.studio.references import References, check_body

_SEARCH = ({"type": "web_search"},)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRules:
    """What a developer allows, beside what the model can do.

    Attributes:
        most_images: Most pictures of one call.
        sizes: The only values of ``size`` that are allowed; empty allows all. The only one is what
            a call without a size gets.
        fixed: Arguments that the developer decides.
        shown: Rarely used arguments that the model may set, too: see ``ImageArguments.rare``.
        response_format: How pictures come: as URLs that are fetched, or as base64 in the answer.
        extra_body: Fields of the request that no argument covers.
    """

    model: str
    references: References
    most_images: int = 4
    sizes: Sequence[str] = ()
    response_format: Literal["url", "b64_json"] = "url"
    fixed: Mapping[str, Any] = field(default_factory=dict)
    shown: Sequence[str] = ()
    extra_body: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        """Refuse settings with which no call, or not every allowed one, could succeed."""
        check_kind(self.model, "generate_image", "image")
        limits = image_model(self.model)
        if limits is not None:
            for size in self.sizes:
                with refused_as("sizes"):
                    image_size.on_the_wire(size, limits, self.model)
        self._hidden()
        checks: dict[str, Callable[[Any, ImageModel | None], object]] = {
            "size": self._size,
            "max_images": lambda count, limits: self._check_count(count or 1, 0, limits),
        }
        for name, value in settled(ImageArguments, self.fixed).items():
            with refused_as("fixed"):
                if check := checks.get(name):
                    check(value, limits)
                if limits is not None:
                    image_checks.check_one(name, value, limits, self.model)

    def schema(self) -> type[Arguments]:
        """Give the arguments that the model may set, with what is allowed in their words."""
        most = (
            f"Most pictures to make as a coherent group, {self.most_images} at most; 1 if left out."
        )
        count = {"type": "integer", "minimum": 1, "maximum": self.most_images}
        notes: dict[str, Any] = {"max_images": {"description": most, **count}}
        limits = image_model(self.model)
        if self.sizes:
            must = "; must be given" if len(self.sizes) > 1 else ""
            said = f"Size: {' or '.join(self.sizes)}{must}."
            notes["size"] = {"description": said, "type": "string", "enum": list(self.sizes)}
        elif limits is not None:
            notes["size"] = {"description": image_size.described(limits), "type": "string"}
        return without(ImageArguments, self._hidden(), notes)

    def asked(self, given: Mapping[str, Any]) -> ImageOrder:
        """Turn what a model wrote into a request; what is fixed wins, what is hidden is refused.

        Raises:
            ConfigError: As for :meth:`order`.
        """
        return self.order(asked(ImageArguments, given, self.fixed, self._hidden()))

    def order(self, wanted: ImageArguments) -> ImageOrder:
        """Turn arguments into a request.

        Raises:
            ConfigError: The model or the developer does not allow it; the text says what is.
        """
        limits = image_model(self.model)
        count = wanted.max_images or 1
        self._check_count(count, len(wanted.images or ()), limits)
        if limits is not None:
            image_checks.check(wanted, limits, self.model)
        sources = [
            self.references.picture(each, image_checks.reference_limits(limits))
            for each in wanted.images or ()
        ]
        check_body([wanted.prompt, *sources])
        group = {"max_images": count} if count > 1 else None
        optimizer = {"mode": wanted.optimize_prompt, "thinking": wanted.optimize_thinking}
        options: dict[str, Any] = {
            "image": sources[0] if len(sources) == 1 else sources or None,
            "size": self._size(wanted.size, limits, layers=bool(wanted.layers)),
            "response_format": self.response_format,
            "output_format": image_checks.output_format(wanted, limits),
            "watermark": wanted.watermark,
            "seed": wanted.seed,
            "guidance_scale": wanted.guidance_scale,
            "sequential_image_generation": "auto" if group else None,
            "sequential_image_generation_options": group,
            "optimize_prompt_options": {
                name: value for name, value in optimizer.items() if value is not None
            }
            or None,
            "tools": _SEARCH if wanted.web_search else None,
            "background": wanted.background,
            "layer_decomposition": wanted.layers or None,
            "extra_body": self.extra_body,
        }
        return ImageOrder(model=self.model, prompt=wanted.prompt, options=options)

    @property
    def lacks(self) -> frozenset[str]:
        """The arguments that the model does not take; none if it is unknown."""
        return image_checks.lacks(image_model(self.model))

    def _hidden(self) -> frozenset[str]:
        return hidden(ImageArguments, self.fixed, self.shown, self.lacks)

    def _check_count(self, count: int, references: int, limits: ImageModel | None) -> None:
        if count > self.most_images:
            raise ConfigError(f"max_images may be {self.most_images} at most, not {count}")
        if limits is not None:
            image_checks.check_count(count, references, limits, self.model)

    def _size(
        self, size: str | None, limits: ImageModel | None, *, layers: bool = False
    ) -> str | None:
        allowed = self._allowed_size(size) if self.sizes else size
        if allowed is None or limits is None:
            return allowed
        if layers:
            return image_size.of_layers(allowed, limits)
        return image_size.on_the_wire(allowed, limits, self.model)

    def _allowed_size(self, size: str | None) -> str:
        if size is None:
            if len(self.sizes) > 1:
                raise ConfigError(f"say the size: {' or '.join(self.sizes)}")
            return self.sizes[0]
        for each in self.sizes:
            if each.lower() == size.strip().lower():
                return each
        raise ConfigError(f"size must be one of {', '.join(self.sizes)}, not {size!r}")
