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
            raise ConfigError(f"{name[:80]!r} cannot be used for pictures: pass an https URL")
        earlier = self.output_dir / name
        known = "/" not in name and "\\" not in name and earlier.is_file()
        source = earlier if known else name
        return media.as_url(source, roots=(self.output_dir, *self.allowed_folders))
