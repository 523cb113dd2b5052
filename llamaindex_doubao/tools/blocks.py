"""From a result to the blocks that a tool gives back."""

from __future__ import annotations

import logging
from collections.abc import Collection, Generator
from contextlib import contextmanager
from typing import Literal, TypeAlias

from llama_index.core.base.llms.types import ImageBlock, TextBlock, VideoBlock
from llama_index.core.bridge.pydantic import Field

from doubao_core import ConfigError, DoubaoError, media, studio
from doubao_core.media.errors import PlaceError
from doubao_core.studio import ImageResult, MadeImage, VideoResult
from doubao_core.studio.approval import Refusal

_LOG = logging.getLogger(__name__)

Shown: TypeAlias = Literal["image", "image_url", "video"]
Block: TypeAlias = TextBlock | ImageBlock | VideoBlock
Result: TypeAlias = ImageResult | VideoResult | Refusal


class ResultBlock(TextBlock):
    """What a tool tells the model, and with it everything for the program.

    It is the first block of a tool's output (``tool_output.raw_output[0].result``); to a model and
    to stored messages it is its text.
    """

    result: Result = Field(exclude=True, repr=False)


def blocks(result: Result, shown: Collection[Shown], storage: media.Storage) -> list[Block]:
    """Give the text, and what of *result* the model is to see."""
    told = ResultBlock(text=result.text, result=result)
    if isinstance(result, VideoResult):
        film = [VideoBlock(path=result.path)] if result.path and "video" in shown else []
        return [told, *film]
    if isinstance(result, Refusal):
        return [told]
    if not {"image", "image_url"} & set(shown):
        return [told]
    by_url = "image_url" in shown
    pictures = (_picture(image, storage, by_url=by_url) for image in result.saved)
    return [told, *filter(None, pictures)]


def _picture(image: MadeImage, storage: media.Storage, *, by_url: bool) -> ImageBlock | None:
    if by_url and image.url:
        return ImageBlock(url=image.url, image_mimetype=image.media_type)
    if image.path is not None:
        return ImageBlock(path=image.path, image_mimetype=image.media_type)
    try:
        content = storage.read(image.name or "", media.MAX_BYTES)
    except ConfigError as error:
        # It is made and paid for: that it cannot be shown is no reason to lose the result.
        _LOG.warning("a picture is not shown to the model: %s", error)
        return None
    return ImageBlock(image=content, image_mimetype=image.media_type)


@contextmanager
def told() -> Generator[None]:
    """Put what goes wrong into words that a model can act on; the error stays what it is.

    Agents show every error to the model. What only a developer can mend keeps their words as a note
    of the error, which tracebacks show and agents do not pass on.
    """
    try:
        yield
    except DoubaoError as error:
        if isinstance(error, PlaceError):
            error.add_note(error.message)
        error.message = studio.explained(error)
        raise
