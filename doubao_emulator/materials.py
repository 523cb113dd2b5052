"""Pictures and sounds that a request brings along: data URLs, links, assets (ark.md 14.4, 15.2).

A data URL is decoded and checked. One of this server's own links is resolved. Any other link is
believed and never fetched, because the emulator contacts no other host; where the picture would
be seen, a card names the link instead.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import av
from PIL import Image, UnidentifiedImageError

from doubao_emulator import media, render
from doubao_emulator.errors import ArkError, invalid_parameter

if TYPE_CHECKING:
    from collections.abc import Callable

    from doubao_emulator.media_models import Size
    from doubao_emulator.state import World

_DATA_URL = re.compile(r"data:(?P<type>[a-z]+/[a-z0-9.+-]+);base64,(?P<data>.*)", re.DOTALL)
# Pillow's names of the formats of ark.md 14.4; MPO is what cameras call a JPEG with a preview.
_FORMATS = frozenset({"JPEG", "MPO", "PNG", "WEBP", "BMP", "TIFF", "GIF"})
_MEBIBYTE = 1024 * 1024
_LARGEST_SOUND = 15 * _MEBIBYTE


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an input picture may be.

    Attributes:
        bytes: Largest file.
        sides: Shortest and longest side in pixels.
        aspect: Smallest and largest width divided by height.
        pixels: Most pixels in all.
    """

    bytes: int
    sides: tuple[int, int]
    aspect: tuple[float, float]
    pixels: int


REFERENCE_LIMITS = Limits(
    bytes=30 * _MEBIBYTE, sides=(15, 36_000_000), aspect=(1 / 16, 16), pixels=36_000_000
)
FRAME_LIMITS = Limits(bytes=30 * _MEBIBYTE, sides=(300, 6000), aspect=(0.4, 2.5), pixels=36_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One input picture.

    Attributes:
        size: Width and height in pixels; None when the picture was not seen.
        alpha: Whether it has an alpha channel; False when the picture was not seen.
        format: Pillow's name of its format, empty when the picture was not seen.
        read: Returns the encoded picture, or a card in its place.
    """

    size: Size | None
    alpha: bool = False
    format: str = ""
    read: Callable[[], bytes]

    @property
    def seen(self) -> bool:
        """Whether this is the picture itself, not a card that names a link."""
        return self.size is not None


def picture(world: World, url: str, param: str, *, limits: Limits, assets: bool) -> Picture:
    """Take in one input picture.

    Args:
        world: Its own links are resolved.
        url: A data URL, an http(s) URL, or ``asset://<id>``.
        param: Path of the field, for refusals.
        limits: What the picture may be.
        assets: Whether asset links are taken (video) or refused (images, ark.md 14.4).

    Raises:
        ArkError: 400 for a URL or a picture that the service would refuse.
    """
    if not url.strip():
        message = "The request failed because the image url is empty."
        raise ArkError(status=400, code="InvalidImageURL.EmptyURL", message=message, param=param)
    if url.startswith("data:"):
        return _from_data_url(url, param, limits)
    file = media.own_file(world, url)
    if isinstance(file, media.MediaFile) and file.extension in {"jpeg", "png"}:
        _check_size(file.size, param, limits)
        return Picture(size=file.size, format=file.extension.upper(), read=file.read)
    if file is not None:
        raise invalid_parameter(param, "resource download failed.")
    check_link(url, param, assets=assets)
    return Picture(size=None, read=partial(render.render_card, _name(url)))


def check_link(url: str, param: str, *, assets: bool) -> None:
    """Refuse what is neither an http(s) URL nor, if allowed, an asset.

    Raises:
        ArkError: 400 with the text of ark.md 14.4.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise invalid_parameter(param, "invalid url specified.") from error
    schemes = {"http", "https", *(["asset"] if assets else [])}
    if parts.scheme not in schemes or not parts.netloc:
        raise invalid_parameter(param, "invalid url specified.")


def data_url(url: str) -> tuple[str, str] | None:
    """Split a base64 data URL into media type and payload; None when it is not one."""
    match = _DATA_URL.fullmatch(url)
    return (match["type"], match["data"]) if match else None


def _name(url: str) -> str:
    """Name a link without its query, which may hold a signature."""
    parts = urlsplit(url)
    return f"{parts.hostname or parts.netloc}{parts.path}"


def _from_data_url(url: str, param: str, limits: Limits) -> Picture:
    split = data_url(url)
    if split is None or not split[0].startswith("image/"):
        raise _undecodable(param, "it must look like data:image/png;base64,...")
    try:
        data = base64.b64decode(split[1], validate=True)
    except binascii.Error as error:
        raise _undecodable(param, "its base64 is broken.") from error
    if len(data) > limits.bytes:
        raise _oversized(param, f"it must not exceed {limits.bytes // _MEBIBYTE} MB.")
    try:
        return _decoded(data, param, limits)
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise _undecodable(param, "it cannot be decoded as an image.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _oversized(param, f"it must not exceed {limits.pixels} pixels.") from error


def _decoded(data: bytes, param: str, limits: Limits) -> Picture:
    with Image.open(io.BytesIO(data)) as opened:
        if opened.format not in _FORMATS:
            raise invalid_parameter(
                param,
                "use jpeg, png, webp, bmp, tiff or gif.",
                code="InvalidParameter.UnsupportedImageFormat",
            )
        _check_size(opened.size, param, limits)
        opened.load()
        alpha = opened.has_transparency_data
        return Picture(size=opened.size, alpha=alpha, format=opened.format, read=lambda: data)


def _check_size(size: Size, param: str, limits: Limits) -> None:
    width, height = size
    if width * height > limits.pixels:
        raise _oversized(param, f"it must not exceed {limits.pixels} pixels.")
    low, high = limits.sides
    if not (low <= width <= high and low <= height <= high):
        raise invalid_parameter(param, f"image sides must be in [{low}, {high}] pixels.")
    low_aspect, high_aspect = limits.aspect
    if not low_aspect <= width / height <= high_aspect:
        raise invalid_parameter(
            param, f"image aspect ratio must be in [{low_aspect:g}, {high_aspect:g}]."
        )


def _undecodable(param: str, detail: str) -> ArkError:
    return invalid_parameter(param, detail, code="InvalidImageURL.InvalidFormat")


def _oversized(param: str, detail: str) -> ArkError:
    return invalid_parameter(param, detail, code="InvalidParameter.OversizedImage")


def sound_seconds(url: str, param: str) -> float:
    """Return the length of a sound given as a data URL.

    Raises:
        ArkError: 400 when it is not wav or mp3, or larger than 15 MB.
    """
    split = data_url(url)
    if split is None or not split[0].startswith("audio/"):
        raise invalid_parameter(param, "it must look like data:audio/wav;base64,...")
    try:
        data = base64.b64decode(split[1], validate=True)
    except binascii.Error as error:
        raise invalid_parameter(param, "its base64 is broken.") from error
    if len(data) > _LARGEST_SOUND:
        raise invalid_parameter(param, f"it must not exceed {_LARGEST_SOUND // _MEBIBYTE} MB.")
    try:
        with av.open(io.BytesIO(data), "r") as container:
            if container.format.name in {"wav", "mp3"} and container.duration is not None:
                return container.duration / av.time_base
    except av.FFmpegError as error:
        raise invalid_parameter(param, "it cannot be decoded as audio.") from error
    raise invalid_parameter(param, "use wav or mp3.")
