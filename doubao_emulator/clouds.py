"""The two clouds: which models and routes each one has (ark.md 3, 18, 20)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeVar

from doubao_emulator import media_models, text_catalogue
from doubao_emulator.errors import model_not_for_this_api, model_not_found
from doubao_emulator.models import Model, by_name

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = TypeVar("Kind", bound=Model)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """One cloud as its clients see it.

    Attributes:
        name: Which cloud it is; the few documented differences hang on this.
        prefix: Path its routes are mounted at.
        models: Its models by id and alias; the first of a kind is what an endpoint id means.
        tokenization: Whether it has `POST /tokenization`.
        last_frame_format: Format of a video's last frame (ark.md 18).
    """

    name: Literal["ark", "byteplus"]
    prefix: str
    models: Mapping[str, Model] = field(repr=False)
    tokenization: bool
    last_frame_format: Literal["jpeg", "png"]

    def find(self, name: str, kind: type[Kind]) -> Kind:
        """Return the model of this kind that `name` stands for.

        An endpoint id (``ep-...``) stands for the cloud's first model of the kind.

        Raises:
            ArkError: 404 for an unknown name, 400 for a model that serves another route.
        """
        if name.startswith("ep-"):
            return next(model for model in self.models.values() if isinstance(model, kind))
        model = self.models.get(name)
        if model is None:
            raise model_not_found(name)
        if not isinstance(model, kind):
            raise model_not_for_this_api(name)
        return model


ARK = Cloud(
    name="ark",
    prefix="/api/v3",
    models=by_name((*text_catalogue.ARK, *media_models.ARK)),
    tokenization=True,
    last_frame_format="jpeg",
)
BYTEPLUS = Cloud(
    name="byteplus",
    prefix="/byteplus/api/v3",
    models=by_name((*text_catalogue.BYTEPLUS, *media_models.BYTEPLUS)),
    tokenization=False,
    last_frame_format="png",
)
