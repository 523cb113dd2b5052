"""Results as files of this machine."""

from __future__ import annotations

import os
import tempfile
from io import FileIO
from itertools import count
from pathlib import Path

from doubao_core.errors import ConfigError
from doubao_core.media import partial
from doubao_core.media.errors import PlaceError
from doubao_core.media.kinds import LONGEST_SIGNATURE, sniff
from doubao_core.media.save import Saved, Target, checked_name, missing, safe_name, too_large


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
            raise PlaceError(
                f"results cannot be saved in {self.location!r} ({error.strerror}), so nothing was "
                "sent: the developer must set output_dir to a folder that can be written",
                told=f"results cannot be saved ({error.strerror}), so nothing was sent: only the "
                "developer can mend that, tell the user",
            ) from error

    def target(self, name: str) -> Target:
        """Begin a file: a temporary one beside the place of the real one, until ``commit``."""
        return _FileTarget(self.path, name)

    def find(self, name: str) -> Saved | None:
        """Find an earlier result by the name that it was saved under.

        What a killed process left of it unfinished is removed.
        """
        # A name of ours has no character that means more in a pattern.
        safe = safe_name(name)
        partial.sweep(self.path, _unfinished(safe))
        for path in sorted(self.path.glob(f"{safe}.*")):
            if (found := _result(path, safe)) is not None:
                return found
        return None

    def read(self, name: str, most: int) -> bytes:
        """Read an earlier result; a link that leads out of the folder is refused."""
        path = self.path / checked_name(name)
        try:
            if not path.resolve().is_relative_to(self.path.resolve()):
                raise ConfigError(f"may not read {name!r}: it leads out of the results")
            if not path.is_file():
                raise missing(name)
            with path.open("rb") as file:
                content = file.read(most + 1)
        except (OSError, RuntimeError) as error:
            why = getattr(error, "strerror", None) or type(error).__name__
            raise ConfigError(f"cannot read {name!r} ({why}): pass another result") from error
        if len(content) > most:
            raise too_large(name, most)
        return content


class _FileTarget(Target):
    def __init__(self, folder: Path, name: str) -> None:
        super().__init__(name)
        self._folder = folder

    def _begin(self) -> tuple[Path, FileIO]:
        self._folder.mkdir(parents=True, exist_ok=True)
        return partial.begin(self._folder, _unfinished(self._name))

    def _place(self, media_type: str, extension: str) -> Saved:
        partial.sweep(self._folder, _unfinished(self._name))
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

    def _unwritable(self, error: OSError) -> PlaceError:
        return PlaceError(
            f"cannot write into {self._folder}: {error.strerror}; make room or rights there, or "
            "name another folder",
            told=f"the folder for results cannot be written ({error.strerror})",
        )


def _unfinished(name: str) -> str:
    """Give the beginning of what a file is called until it is whole: no result's begins so."""
    return f".partial-{name}-"


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
