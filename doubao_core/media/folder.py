"""Results as files of this machine."""

from __future__ import annotations

import os
import tempfile
import uuid
from io import FileIO
from itertools import count
from pathlib import Path

from doubao_core.errors import ConfigError
from doubao_core.media.kinds import LONGEST_SIGNATURE, sniff
from doubao_core.media.save import Saved, Target, checked_name, safe_name, too_large


class Folder:
    """A folder as a :class:`~doubao_core.media.Storage`; made when first needed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __repr__(self) -> str:
        return f"Folder({str(self.path)!r})"

    @property
    def location(self) -> str:
        """The path, as it was given."""
        return str(self.path)

    def check(self) -> None:
        """Write a probe and take it away; see :meth:`Storage.check`."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.path, prefix=".probe-") as probe:
                probe.write(b"probe")
                probe.flush()
        except OSError as error:
            raise ConfigError(
                f"results cannot be saved in {self.location!r} ({error.strerror}), so nothing was "
                "sent: the developer must set output_dir to a folder that can be written"
            ) from error

    def target(self, name: str) -> Target:
        """Begin a file: a temporary one beside the place of the real one, until ``commit``."""
        return _FileTarget(self.path, name)

    def find(self, name: str) -> Saved | None:
        """Find an earlier result by the name that it was saved under."""
        # A name of ours has no character that means more in a pattern.
        safe = safe_name(name)
        for path in sorted(self.path.glob(f"{safe}.*")):
            if (found := _result(path, safe)) is not None:
                return found
        return None

    def read(self, name: str, most: int) -> bytes:
        """Read an earlier result; a link that leads out of the folder is refused."""
        path = self.path / checked_name(name, self.location)
        try:
            if not path.resolve().is_relative_to(self.path.resolve()):
                raise ConfigError(f"may not read {name!r}: it leads out of {self.location}")
            if not path.is_file():
                raise ConfigError(f"there is no file {name!r} in {self.location}: pass one that is")
            with path.open("rb") as file:
                content = file.read(most + 1)
        except (OSError, RuntimeError) as error:
            raise ConfigError(f"cannot read {name!r} in {self.location}: {error}") from error
        if len(content) > most:
            raise too_large(name, most)
        return content


class _FileTarget(Target):
    def __init__(self, folder: Path, name: str) -> None:
        super().__init__(name)
        self._folder = folder

    def _begin(self) -> tuple[Path, FileIO]:
        self._folder.mkdir(parents=True, exist_ok=True)
        temporary = self._folder / f".partial-{uuid.uuid4().hex}"
        return temporary, temporary.open("xb", buffering=0)

    def _place(self, media_type: str, extension: str) -> Saved:
        os.fsync(self._file.fileno())
        for number in count():
            suffix = f"-{number}" if number else ""
            path = self._folder / f"{self._name}{suffix}.{extension}"
            try:
                self._link(path)
            except FileExistsError:
                continue
            return _saved(path, media_type, self._size)
        raise AssertionError  # pragma: no cover - count() does not end

    def _link(self, path: Path) -> None:
        try:
            # A link fails where a rename would replace.
            os.link(self._temporary, path)
        except FileExistsError:
            raise
        except OSError:
            # Some file systems (exFAT, network drives) have no links: take the name, then fill it.
            path.open("xb").close()
            try:
                self._temporary.replace(path)
            except OSError:
                path.unlink()
                raise

    def _unwritable(self, error: OSError) -> ConfigError:
        return ConfigError(
            f"cannot write into {self._folder}: {error.strerror}; make room or rights there, or "
            "name another folder"
        )


def _saved(path: Path, media_type: str, size: int) -> Saved:
    return Saved(path=path, location=str(path), name=path.name, media_type=media_type, size=size)


def _result(path: Path, name: str) -> Saved | None:
    """Give what *path* holds if it is the result *name*, whose extension says what it is."""
    try:
        with path.open("rb") as file:
            kind = sniff(file.read(LONGEST_SIGNATURE))
        if kind is None or path.name != f"{name}.{kind[1]}":
            return None
        return _saved(path, kind[0], path.stat().st_size)
    except OSError:
        # What cannot be read is no result of ours: the film is fetched beside it.
        return None
