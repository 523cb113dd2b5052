"""From a result to the blocks that a tool gives back."""

from __future__ import annotations

from collections.abc import Collection, Generator
from contextlib import contextmanager
from typing import Literal, TypeAlias

from llama_index.core.base.llms.types import ImageBlock, TextBlock, VideoBlock
from llama_index.core.bridge.pydantic import Field

from doubao_core import DoubaoError, media, studio
from doubao_core.studio import ImageResult, MadeImage, VideoResult
from doubao_core.studio.approval import Refusal

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
    return [told, *(_picture(image, storage, by_url=by_url) for image in result.saved)]


def _picture(image: MadeImage, storage: media.Storage, *, by_url: bool) -> ImageBlock:
    if by_url and image.url:
        return ImageBlock(url=image.url, image_mimetype=image.media_type)
    if image.path is not None:
        return ImageBlock(path=image.path, image_mimetype=image.media_type)
    content = storage.read(image.name or "", media.MAX_BYTES)
    return ImageBlock(image=content, image_mimetype=image.media_type)


@contextmanager
def told() -> Generator[None]:
    """Put what goes wrong into words that a model can act on; the error stays what it is."""
    try:
        yield
    except DoubaoError as error:
        error.message = studio.explained(error)
        raise
