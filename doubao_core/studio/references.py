"""Pictures, films and sounds that a model names: URLs, earlier results, files that are allowed."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from doubao_core import media
from doubao_core.errors import ConfigError
from doubao_core.media.folder import Folder
from doubao_core.operation import MAX_JSON_BYTES
from doubao_core.studio.dimensions import dimensions

_ASSET = "asset://"
_LINKS = ("https://", "http://", _ASSET)
_AS_IS = (*_LINKS, "data:")
_MOST_BYTES = {"image": 30 * 1024 * 1024, "audio": 15 * 1024 * 1024}
# Characters of base64 in which the size of a picture is looked for; a multiple of four.
_HEAD = 2 * 1024 * 1024
# What stands around the pictures in a request.
_ENVELOPE = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureLimits:
    """What a picture in a request may be (ark.md 14.4, 15.2).

    Attributes:
        sides: Shortest and longest side in pixels.
        aspect: Least and most width divided by height.
        most_pixels: Most pixels in all; ``None`` for any number.
    """

    sides: tuple[int, int]
    aspect: tuple[float, float]
    most_pixels: int | None = None


FRAME_LIMITS = PictureLimits(sides=(300, 6000), aspect=(0.4, 2.5))
"""Of a picture for a film (ark.md 15.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """Where what a model names may come from.

    Attributes:
        output_dir: Place of earlier results; a bare file name is looked up there.
        allowed_folders: Further folders from which files may be read.
        assets: Whether ``asset://`` ids are taken; video tasks take them, pictures do not
            (ark.md 14.4, 15.2).
    """

    output_dir: str | Path | media.Storage
    allowed_folders: Sequence[Path] = ()
    assets: bool = False

    def picture(self, name: str, limits: PictureLimits) -> str:
        """Make the picture *name* something that a request can carry.

        Raises:
            ConfigError: It is none, may not be read, or is not as the service takes it.
        """
        url = self.url(name)
        if url.startswith("data:"):
            _check_picture(name, url, limits)
        return url

    def film(self, name: str) -> str:
        """Check the film *name*: the service takes films by URL only (ark.md 15.2).

        Raises:
            ConfigError: It is a file or a data URL.
        """
        if not name.startswith(_LINKS):
            raise ConfigError(
                f"reference_videos cannot be {name[:80]!r}: the service takes videos by http(s) "
                "URL only, no files"
            )
        return self.url(name)

    def sound(self, name: str) -> str:
        """Make the sound *name* something that a request can carry.

        Raises:
            ConfigError: It is none, may not be read, or is larger than 15 MB.
        """
        return self.url(name, "audio")

    def url(self, name: str, kind: str = "image") -> str:
        """Make *name* something that a request can carry, whatever it looks like.

        Raises:
            ConfigError: It is no URL, no earlier result, and no file that may be read.
        """
        if name.startswith(_ASSET) and not self.assets:
            raise ConfigError(f"{name[:80]!r} cannot be used for pictures: pass an http(s) URL")
        if name.startswith(_AS_IS):
            return name
        try:
            return media.as_url(self._content(name, kind), roots=self._roots(), kind=kind)
        except ConfigError:
            raise
        except (OSError, RuntimeError, ValueError) as error:
            # What a model writes need not be a possible path: too long, with a NUL, of no user.
            raise ConfigError(
                f"{name[:80]!r} is neither a URL nor the name of a file: pass an http(s) URL or "
                "the file name of an earlier result"
            ) from error

    def _content(self, name: str, kind: str) -> bytes | Path:
        if Path(name).name != name:
            return Path(name)
        try:
            # A bare name is a result, there or not: what the working folder holds is not told.
            return media.storage(self.output_dir).read(name, _MOST_BYTES[kind])
        except ConfigError:
            if not self._may_read(Path(name)):
                raise
            return Path(name)

    def _roots(self) -> tuple[Path, ...]:
        place = media.storage(self.output_dir)
        return (*((place.path,) if isinstance(place, Folder) else ()), *self.allowed_folders)

    def _may_read(self, path: Path) -> bool:
        real = path.resolve()
        return any(real.is_relative_to(root.expanduser().resolve()) for root in self._roots())


def check_body(parts: Iterable[str]) -> None:
    """Refuse what does not fit into one request together (ark.md 1.5).

    Raises:
        ConfigError: The files are larger than that.
    """
    if sum(map(len, parts)) + _ENVELOPE > MAX_JSON_BYTES:
        raise ConfigError(
            f"the files are too large for one request of {MAX_JSON_BYTES // 1024 // 1024} MiB: use "
            "fewer or smaller ones, or http(s) URLs"
        )


def _check_picture(name: str, url: str, limits: PictureLimits) -> None:
    try:
        size = dimensions(base64.b64decode(url.partition(",")[2][:_HEAD]))
    except ValueError as error:
        raise ConfigError(f"{name[:80]!r} is no data URL with base64: {error}") from error
    if size is None:
        return
    width, height = size
    shortest, longest = limits.sides
    if not (shortest <= min(size) and max(size) <= longest):
        raise ConfigError(
            f"{name[:80]!r} is {width}x{height}: its sides must have {shortest:,} to {longest:,} "
            "pixels, use another picture"
        )
    least, most = limits.aspect
    if not least <= width / height <= most:
        raise ConfigError(
            f"{name[:80]!r} is {width}x{height}: its width divided by its height must be "
            f"{least:g} to {most:g}, use another picture"
        )
    if limits.most_pixels is not None and width * height > limits.most_pixels:
        raise ConfigError(
            f"{name[:80]!r} is {width}x{height}: {limits.most_pixels:,} pixels are the most, use "
            "another picture"
        )
