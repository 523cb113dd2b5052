"""Input parts of multimodal embeddings: limits, token cost, vectors (ark.md 11)."""

from __future__ import annotations

import base64
import binascii
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from PIL import Image

from doubao_emulator import tokens, vectors
from doubao_emulator.errors import (
    ArkError,
    empty_image_url,
    invalid_parameter,
    missing_parameter,
    unsupported_parameter,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from doubao_emulator.models import EmbeddingModel
    from doubao_emulator.wire import Fields

MAX_TEXT_BYTES = 100_000
_MB = 1024 * 1024
_SHORTEST_SIDE = 15
_MAX_PIXELS = 36_000_000
_MAX_ASPECT = 100
_PIXELS_PER_TOKEN = 784
_MOST_IMAGE_TOKENS = 1312
_UNSEEN_IMAGE_TOKENS = 1176
_VIDEO_TOKENS = 10_240
_PICTURE_URL = re.compile(r"data:image/[a-z0-9.+-]+;base64,(?P<data>.*)", re.DOTALL)
_VIDEO_URL = re.compile(r"data:video/[a-z0-9.+-]+;base64,(?P<data>.*)", re.DOTALL)
_FRAME_OPTIONS = {
    "max_video_tokens": (10_240, 204_800),
    "min_frame_tokens": (16, 128),
    "max_frame_tokens": (128, 640),
    "min_frames": (5, 16),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of the input.

    Attributes:
        text: Its text, empty unless it is one.
        raw: Its bytes, empty when it is a link.
        address: Its link or data URL.
    """

    kind: Literal["text", "image", "video"]
    tokens: int
    text: str = ""
    raw: bytes = b""
    address: str = ""

    @property
    def extra_text_tokens(self) -> int:
        """Text tokens that come with a picture or film."""
        return 0 if self.kind == "text" else 4

    def vector(self, dimensions: int) -> NDArray[np.float32]:
        """Return the unit vector of this part alone."""
        if self.kind == "text":
            return vectors.text_vector(self.text, dimensions)
        if self.kind == "image" and self.raw:
            return vectors.picture_vector(self.raw, dimensions)
        return vectors.opaque_vector(self.address, dimensions)

    def token_vectors(self, dimensions: int) -> list[NDArray[np.float32]]:
        """Return the rows of this part in `multi_embedding`: one per text token, or medium."""
        if self.kind != "text":
            return [self.vector(dimensions)]
        return [vectors.text_vector(piece, dimensions) for piece in tokens.split(self.text)]


def read_parts(fields: Fields, model: EmbeddingModel) -> list[Part]:
    """Read the `input` array.

    Raises:
        ArkError: 400 for a bad part.
    """
    if isinstance(fields.get("input"), str):
        raise invalid_parameter("input", "an array of content parts is expected.")
    entries = fields.objects("input")
    if entries is None:
        raise missing_parameter("input")
    if not entries:
        raise invalid_parameter("input", "at least one part is expected.")
    return [_read(entry, model) for entry in entries]


def check_mix(parts: Sequence[Part], model: EmbeddingModel) -> None:
    """Refuse more than one text and one picture where the model takes no more (ark.md 11)."""
    kinds = [part.kind for part in parts]
    if model.single and (max(kinds.count("text"), kinds.count("image")) > 1):
        raise invalid_parameter(
            "input", f"model {model.id} takes one text, one image, or one of each."
        )


def _read(entry: Fields, model: EmbeddingModel) -> Part:
    kind = entry.string("type", choices=("text", "image_url", "video_url"))
    if kind is None:
        raise missing_parameter(entry.param("type"))
    if kind == "text":
        return _read_text(entry)
    if kind.removesuffix("_url") not in model.inputs:
        raise invalid_parameter(
            entry.param("type"), f"`{kind}` is not supported by model {model.id}."
        )
    if kind == "image_url":
        return _read_image(entry.required_object(kind))
    return _read_video(entry.required_object(kind), model)


def _read_text(entry: Fields) -> Part:
    text = entry.required_string("text")
    if len(text.encode("utf-8", "surrogatepass")) > MAX_TEXT_BYTES:
        raise invalid_parameter(
            entry.param("text"), f"it must have at most {MAX_TEXT_BYTES} bytes."
        )
    return Part(kind="text", text=text, tokens=tokens.count(text))


def _read_image(image: Fields) -> Part:
    url = image.string("url")
    if not url:
        raise empty_image_url(image.param("url"))
    if url.startswith(("http://", "https://")):
        return Part(kind="image", address=url, tokens=_UNSEEN_IMAGE_TOKENS)
    raw = _decoded(image, _PICTURE_URL, limit=10 * _MB)
    try:
        with Image.open(io.BytesIO(raw)) as picture:
            width, height = picture.size
            # Decode now, so that a broken picture is refused rather than failing later.
            picture.load()
    except (OSError, Image.DecompressionBombError, ValueError, SyntaxError) as error:
        raise _undecodable(image) from error
    _check_size(image, width, height)
    cost = min(width * height // _PIXELS_PER_TOKEN, _MOST_IMAGE_TOKENS)
    return Part(kind="image", raw=raw, address=url, tokens=max(1, cost))


def _check_size(image: Fields, width: int, height: int) -> None:
    short, long = sorted((width, height))
    if short < _SHORTEST_SIDE:
        raise invalid_parameter(image.param("url"), "both sides must be longer than 14 pixels.")
    if width * height >= _MAX_PIXELS:
        raise invalid_parameter(image.param("url"), f"it must have under {_MAX_PIXELS} pixels.")
    if long > short * _MAX_ASPECT:
        raise invalid_parameter(image.param("url"), "its aspect ratio must be in [1/100, 100].")


def _read_video(video: Fields, model: EmbeddingModel) -> Part:
    url = video.required_string("url")
    video.number("fps", low=0.2, high=5)
    for name, (low, high) in _FRAME_OPTIONS.items():
        if video.integer(name, low=low, high=high) is not None and not model.rich:
            raise unsupported_parameter(video.param(name), model.id)
    # Their ranges already make the largest minimum the smallest maximum.
    raw = b""
    if not url.startswith(("http://", "https://")):
        raw = _decoded(video, _VIDEO_URL, limit=50 * _MB)
    return Part(kind="video", raw=raw, address=url, tokens=_VIDEO_TOKENS)


def _decoded(part: Fields, pattern: re.Pattern[str], *, limit: int) -> bytes:
    match = pattern.fullmatch(part.required_string("url"))
    if match is None:
        raise _undecodable(part)
    try:
        raw = base64.b64decode(match["data"], validate=True)
    except (binascii.Error, ValueError) as error:
        raise _undecodable(part) from error
    if not raw or len(raw) >= limit:
        raise invalid_parameter(part.param("url"), f"its size must be in (0, {limit}) bytes.")
    return raw


def _undecodable(part: Fields) -> ArkError:
    return ArkError(
        status=400,
        code="InvalidImageURL.InvalidFormat",
        message="The media cannot be fetched or decoded.",
        param=part.param("url"),
    )
