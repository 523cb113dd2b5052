"""Content parts of chat messages: what is accepted and what it costs (ark.md 4.2)."""

from __future__ import annotations

import base64
import binascii
import io
import re
from typing import TYPE_CHECKING

from PIL import Image

from doubao_emulator.chat_model import Media
from doubao_emulator.errors import (
    ArkError,
    empty_image_url,
    invalid_parameter,
    missing_parameter,
    unsupported_parameter,
)
from doubao_emulator.files import usable_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from doubao_emulator.chat_model import MediaKind
    from doubao_emulator.models import ChatModel
    from doubao_emulator.state import World
    from doubao_emulator.wire import Fields

_MB = 1024 * 1024
MIN_PIXELS, MAX_PIXELS = 196, 36_000_000
# A picture behind a URL is never fetched; it counts as one of this size.
_UNSEEN_PIXELS = 1024 * 1024
_VIDEO_TOKENS = 10_000
_TOKENS_PER_PAGE = 1280
_AUDIO_BYTES_PER_TOKEN = 4000
_DATA_URL = re.compile(r"data:(?P<type>[\w.+/-]+);base64,(?P<data>.*)", re.DOTALL)
_PDF_PAGE = re.compile(rb"/Type\s*/Page(?![a-zA-Z])")

# Pixel range after scaling by `detail`, for seed 2.0 and newer, and for older models.
_DETAIL_NEW = {
    "low": (1764, 2_257_920),
    "high": (2_257_920, 2_257_920),
    "auto": (2_257_920, 2_257_920),
    "xhigh": (2_257_920, 9_031_680),
}
_DETAIL_OLD = {
    "low": (3136, 1_048_576),
    "auto": (3136, 1_048_576),
    "high": (3136, 4_014_080),
    "xhigh": (3136, 4_014_080),
}
_LIMIT_NEW = (1764, 9_031_680)
_LIMIT_OLD = (3136, 4_014_080)
_NEW_PIXELS_PER_TOKEN = 1764
_AUDIO_FORMATS = ("mp3", "wav", "aac", "m4a")


class PartReader:
    """Reads the parts of one request for one model."""

    def __init__(self, model: ChatModel, world: World) -> None:
        self._model = model
        self._world = world
        self._readers: dict[str, Callable[[Fields], Media]] = {
            "image_url": self._image,
            "video_url": self._video,
            "input_audio": self._audio,
            "file": self._file,
        }

    def read(self, part: Fields) -> str | Media:
        """Return the text of a text part, or the medium of any other."""
        kind = part.required_string("type")
        if kind == "text":
            text = part.string("text")
            if text is None:
                raise missing_parameter(part.param("text"))
            return text
        if kind not in self._readers:
            known = ", ".join(f"`{name}`" for name in ("text", *self._readers))
            raise invalid_parameter(
                part.param("type"), f"`{kind[:64]}` is not supported, use one of {known}."
            )
        return self._readers[kind](part.required_object(kind))

    def _image(self, image: Fields) -> Media:
        self._require("image")
        low, high = self._pixel_range(image)
        if self._by_file(image):
            pixels, description = _UNSEEN_PIXELS, "an uploaded picture"
        else:
            pixels, description = _picture(image)
        scaled = min(max(pixels, low), high)
        tokens = max(1, scaled // self._model.pixels_per_token)
        return Media(kind="image", description=description, tokens=tokens)

    def _pixel_range(self, image: Fields) -> tuple[int, int]:
        new = self._model.pixels_per_token == _NEW_PIXELS_PER_TOKEN
        details = _DETAIL_NEW if new else _DETAIL_OLD
        detail = image.string("detail") or ("high" if new else "low")
        if detail not in details:
            raise ArkError(
                status=400,
                code="InvalidArgumentError.InvalidImageDetail",
                message=f"Invalid image detail {detail[:32]!r}, must be one of auto, high, low.",
                param=image.param("detail"),
            )
        limit = image.object("image_pixel_limit")
        if limit is None:
            return details[detail]
        low = limit.integer("min_pixels")
        high = limit.integer("max_pixels")
        low = details[detail][0] if low is None else low
        high = details[detail][1] if high is None else high
        least, most = _LIMIT_NEW if new else _LIMIT_OLD
        # A half taken from `detail` yields to the half that was given.
        low = min(low, high) if not limit.has("min_pixels") else low
        high = max(low, high) if not limit.has("max_pixels") else high
        if not least <= low <= high <= most:
            raise ArkError(
                status=400,
                code="InvalidArgumentError.InvalidPixelLimit",
                message=(
                    f"Invalid pixel limit: min_pixels {low} must not exceed max_pixels {high}, "
                    f"and both must be in [{least}, {most}]."
                ),
                param=limit.path,
            )
        return low, high

    def _video(self, video: Fields) -> Media:
        self._require("video")
        video.number("fps", low=0.2, high=5)
        if not self._by_file(video):
            _address(video, "url", "video", limit=50 * _MB)
        return Media(kind="video", description="a video", tokens=_VIDEO_TOKENS)

    def _audio(self, audio: Fields) -> Media:
        self._require("audio")
        declared = audio.string("format", choices=_AUDIO_FORMATS)
        if self._by_file(audio):
            size, name = 0, "uploaded"
        elif audio.has("data"):
            if declared is None:
                raise missing_parameter(audio.param("format"))
            size, name = len(_base64(audio, "data", limit=25 * _MB)), declared
        else:
            size, name = len(_address(audio, "url", "audio", limit=25 * _MB)), declared or "linked"
        tokens = max(1, size // _AUDIO_BYTES_PER_TOKEN)
        return Media(kind="audio", description=f"a sound recording ({name})", tokens=tokens)

    def _file(self, file: Fields) -> Media:
        self._require("file")
        if self._by_file(file):
            pages, name = 1, "an uploaded document"
        elif file.has("file_data"):
            name = f"the document {file.required_string('filename')!r}"
            raw = _data_url(file, "file_data", "application/pdf", limit=50 * _MB)
            pages = _pdf_pages(raw, file.param("file_data"))
        else:
            _address(file, "file_url", "application", limit=50 * _MB)
            pages, name = 1, "a linked document"
        description = f"{name} with {pages} page{'s' if pages != 1 else ''}"
        return Media(kind="file", description=description, tokens=pages * _TOKENS_PER_PAGE)

    def _require(self, kind: MediaKind) -> None:
        if kind not in self._model.inputs:
            raise ArkError(
                status=400,
                code="InvalidParameter",
                message=f"Model do not support {kind} input.",
            )

    def _by_file(self, part: Fields) -> bool:
        identifier = part.string("file_id")
        if not identifier:
            return False
        if not self._model.file_ids:
            raise unsupported_parameter(part.param("file_id"), self._model.id)
        usable_file(self._world, identifier)
        return True


def _picture(image: Fields) -> tuple[int, str]:
    """Return pixel count and description of a picture given by URL."""
    url = image.string("url")
    if not url:
        raise empty_image_url(image.param("url"))
    if url.startswith(("http://", "https://")):
        return _UNSEEN_PIXELS, "a picture behind a link"
    match = _DATA_URL.fullmatch(url)
    if match is None or not re.fullmatch(r"image/[a-z0-9.+-]+", match["type"]):
        raise _undecodable(image)
    raw = _base64(image, "url", text=match["data"], limit=10 * _MB)
    try:
        with Image.open(io.BytesIO(raw)) as picture:
            width, height = picture.size
            kind = picture.format or match["type"]
    except (OSError, Image.DecompressionBombError, ValueError) as error:
        raise _undecodable(image) from error
    if not MIN_PIXELS <= width * height <= MAX_PIXELS:
        raise invalid_parameter(
            image.param("url"),
            f"total pixels of the image must be in [{MIN_PIXELS}, {MAX_PIXELS}].",
        )
    return width * height, f"a {kind} picture of {width}x{height} pixels"


def _undecodable(image: Fields) -> ArkError:
    return ArkError(
        status=400,
        code="InvalidImageURL.InvalidFormat",
        message="The image cannot be fetched or decoded.",
        param=image.param("url"),
    )


def _address(part: Fields, name: str, family: str, *, limit: int) -> bytes:
    """Check a URL or data URL; return the bytes of the latter, nothing for the former."""
    url = part.required_string(name)
    if url.startswith(("http://", "https://")):
        return b""
    return _data_url(part, name, f"{family}/", limit=limit)


def _data_url(part: Fields, name: str, family: str, *, limit: int) -> bytes:
    match = _DATA_URL.fullmatch(part.required_string(name))
    if match is None or not match["type"].startswith(family):
        raise invalid_parameter(
            part.param(name), f"a data URL of type {family} with base64 is expected."
        )
    return _base64(part, name, text=match["data"], limit=limit)


def _base64(part: Fields, name: str, *, limit: int, text: str | None = None) -> bytes:
    text = part.required_string(name) if text is None else text
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid_parameter(part.param(name), "it is not valid base64.") from error
    if not raw or len(raw) >= limit:
        raise invalid_parameter(part.param(name), f"its size must be in (0, {limit}) bytes.")
    return raw


def _pdf_pages(raw: bytes, param: str) -> int:
    if not raw.startswith(b"%PDF"):
        raise invalid_parameter(param, "the file is not a PDF document.")
    return max(1, len(_PDF_PAGE.findall(raw)))
