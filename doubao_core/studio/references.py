"""Pictures that a model names: URLs, results of earlier calls, files that a developer allowed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from doubao_core import media
from doubao_core.errors import ConfigError

_ASSET = "asset://"


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """Where a named picture may come from.

    Attributes:
        output_dir: Folder of earlier results; a bare file name is looked up there.
        allowed_folders: Further folders from which files may be read.
        assets: Whether ``asset://`` ids are taken; video tasks take them, pictures do not
            (ark.md 14.4, 15.2).
    """

    output_dir: Path
    allowed_folders: Sequence[Path] = ()
    assets: bool = False

    def url(self, name: str) -> str:
        """Make *name* something that a request can carry.

        Raises:
            ConfigError: It is no URL, no earlier result, and no file that may be read.
        """
        if name.startswith(_ASSET) and not self.assets:
            raise ConfigError(f"{name[:80]!r} cannot be used for pictures: pass an http(s) URL")
        try:
            return media.as_url(self._source(name), roots=(self.output_dir, *self.allowed_folders))
        except ConfigError:
            raise
        except (OSError, RuntimeError, ValueError) as error:
            # What a model writes need not be a possible path: too long, with a NUL, of no user.
            raise ConfigError(
                f"{name[:80]!r} is neither a URL nor the name of a file: pass an http(s) URL or "
                "the file name of an earlier result"
            ) from error

    def _source(self, name: str) -> str | Path:
        earlier = self.output_dir / name
        if earlier.name != name or self._may_read(Path(name)):
            return earlier if earlier.name == name and earlier.is_file() else name
        # A bare name is a result, there or not: what the working folder holds is not told.
        return earlier

    def _may_read(self, path: Path) -> bool:
        folders = (self.output_dir, *self.allowed_folders)
        real = path.resolve()
        return any(real.is_relative_to(folder.expanduser().resolve()) for folder in folders)
