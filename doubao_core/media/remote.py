"""Results in an object store, or on another machine, by a URL of fsspec.

A result is first written to a temporary file of this machine: its type decides its name, and what
is uploaded whole shows nothing half. Keys and settings of a store are those that fsspec finds for
itself (its configuration files, the store's own variables); a URL that holds a password is refused.
"""

from __future__ import annotations

import errno
import glob
import hashlib
import re
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from importlib import import_module
from io import FileIO
from itertools import count
from pathlib import Path
from typing import Any

from doubao_core.errors import DoubaoError, install_hint
from doubao_core.media import partial
from doubao_core.media.errors import PlaceError
from doubao_core.media.kinds import LONGEST_SIGNATURE, sniff
from doubao_core.media.save import Saved, Target, checked_name, missing, safe_name, too_large

_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<rest>[^?#\s]*[^?#\s/])/*")
# These show an object when its upload is complete, and can refuse to replace one. Elsewhere a file
# gets a temporary name first.
_WHOLE = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl"})
_S3 = frozenset({"s3", "s3a"})
# The default, ten parts of 50 MB at once, would hold a whole film in memory.
_PART = 8 * 1024 * 1024
_REMEDY = "make the store writable with the keys that fsspec finds, or set another output_dir"


class Remote:
    """A folder in a store as a :class:`~doubao_core.media.Storage`."""

    def __init__(self, url: str) -> None:
        match = _URL.fullmatch(url)
        if match is None or "::" in url:
            raise PlaceError(
                f"{url.partition('?')[0][:80]!r} is no address of a store: pass scheme://path "
                "without a query, such as s3://bucket/folder"
            )
        if ":" in match["rest"].partition("/")[0].rpartition("@")[0]:
            raise PlaceError(
                f"the {match['scheme']}:// address of the store holds a password, which would be "
                "in every result: put it into fsspec's configuration"
            )
        self.scheme = match["scheme"]
        self.location = f"{self.scheme}://{match['rest']}"

    def __repr__(self) -> str:
        return f"Remote({self.location!r})"

    @property
    def files(self) -> Any:
        """The file system; fsspec makes it when it is first needed, and keeps one per process."""
        try:
            fsspec: Any = import_module("fsspec.core")
        except ImportError as error:
            hint = install_hint("storage")
            raise PlaceError(f"{self.scheme}:// needs fsspec: {hint}") from error
        try:
            with self.reported("open"):
                # A listing that is remembered does not know of what other processes saved.
                return fsspec.url_to_fs(self.location, use_listings_cache=False)[0]
        except PlaceError as error:
            if not isinstance(error.__cause__, ImportError):
                raise
            raise PlaceError(
                f"{self.scheme}:// needs a package that is not installed ({error.__cause__}): "
                "install that package, or set another output_dir"
            ) from error.__cause__

    @contextmanager
    def reported(self, doing: str, remedy: str = _REMEDY) -> Generator[None]:
        """Make what a store raises one of our errors; each has classes of its own."""
        try:
            yield
        except DoubaoError:
            raise
        except Exception as error:
            text = f"{type(error).__name__}: {error}"[:300]
            raise PlaceError(
                f"cannot {doing} {self.location} ({text}): {remedy}",
                told=f"the store of results failed ({type(error).__name__})",
            ) from error

    def check(self) -> None:
        """Write a probe and take it away; see :meth:`Storage.check`."""
        # One name for all: where nothing may be deleted, one probe is left and not thousands.
        probe = f"{self.location}/.probe"
        try:
            files = self.files
        except PlaceError as error:
            raise PlaceError(f"nothing was sent: {error.message}", told=error.told) from error
        with self.reported("save results in", f"nothing was sent; the developer must {_REMEDY}"):
            self.make_folder()
            files.pipe_file(probe, b"probe")
        with suppress(Exception):
            files.rm_file(probe)

    def make_folder(self) -> None:
        """Make the folder, where there are folders; a bucket is nothing to make by accident."""
        if self.scheme not in _WHOLE:
            self.files.makedirs(self.location, exist_ok=True)

    def target(self, name: str) -> Target:
        """Begin a file: on this machine, until ``commit`` uploads it whole."""
        return _Upload(self, name)

    def find(self, name: str) -> Saved | None:
        """Find an earlier result by the name that it was saved under.

        What a killed process of this machine left of it unfinished is removed, here and there.
        """
        self.sweep(safe_name(name))
        with self.reported("look into"):
            # A name of ours has no character that means more in a pattern; the folder may.
            folder, safe = glob.escape(self.location), safe_name(name)
            for path in sorted(self.files.glob(f"{folder}/{safe}.*")):
                file = path.rpartition("/")[2]
                kind = sniff(self.files.cat_file(path, start=0, end=LONGEST_SIGNATURE))
                if kind is not None and file == f"{safe}.{kind[1]}":
                    return self.saved(file, kind[0], self.files.size(path))
        return None

    def read(self, name: str, most: int) -> bytes:
        """Read an earlier result of this folder."""
        url = f"{self.location}/{checked_name(name)}"
        with self.reported("read from"):
            try:
                if self.files.size(url) > most:
                    raise too_large(name, most)
                content: bytes = self.files.cat_file(url)
            except FileNotFoundError as error:
                raise missing(name) from error
            return content

    def waiting(self, name: str) -> str:
        """Give the beginning of what a file is called on this machine until it is uploaded."""
        return f"doubao-{hashlib.sha256(self.location.encode()).hexdigest()[:12]}-{name}-"

    def partial(self, token: str) -> str:
        """Give the URL that a file has until it is whole, where it cannot appear whole."""
        return f"{self.location}/.partial-{token}"

    def sweep(self, name: str) -> None:
        """Remove what killed processes of this machine left of the file *name*."""
        partial.sweep(Path(tempfile.gettempdir()), self.waiting(name), self._forgotten)

    def _forgotten(self, token: str) -> bool:
        if self.scheme in _WHOLE:
            return True
        # Stores have errors of their own; whatever it is, the next one tries again.
        with suppress(Exception):
            if self.files.exists(self.partial(token)):
                self.files.rm_file(self.partial(token))
            return True
        return False

    def saved(self, file: str, media_type: str, size: int) -> Saved:
        """Describe a file of this folder."""
        return Saved(
            path=None,
            location=f"{self.location}/{file}",
            name=file,
            media_type=media_type,
            size=size,
        )


class _Upload(Target):
    def __init__(self, remote: Remote, name: str) -> None:
        super().__init__(name)
        self._remote = remote

    def _begin(self) -> tuple[Path, FileIO]:
        waiting = self._remote.waiting(self._name)
        return partial.begin(Path(tempfile.gettempdir()), waiting, private=True)

    def _place(self, media_type: str, extension: str) -> Saved:
        self._remote.sweep(self._name)
        with self._remote.reported("save a result in"):
            self._remote.make_folder()
            for number in count():
                suffix = f"-{number}" if number else ""
                file = f"{self._name}{suffix}.{extension}"
                if self._uploaded(f"{self._remote.location}/{file}", media_type):
                    return self._remote.saved(file, media_type, self._size)
        raise AssertionError  # pragma: no cover - count() does not end

    def _uploaded(self, url: str, media_type: str) -> bool:
        """Upload to *url*; ``False`` if that is taken, also by somebody who was quicker."""
        files, scheme = self._remote.files, self._remote.scheme
        if files.exists(url):
            return False
        if scheme not in _WHOLE:
            return self._moved(url)
        how: dict[str, Any] = {}
        if scheme in _S3:
            how = {"ContentType": media_type, "chunksize": _PART, "max_concurrency": 1}
        try:
            files.put_file(str(self._temporary), url, mode="create", **how)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno != errno.ENOSYS:
                raise
            # Some that speak like S3 cannot refuse to replace: having looked must do.
            files.put_file(str(self._temporary), url, **how)
        return True

    def _moved(self, url: str) -> bool:
        """Upload beside *url* and move it there; who takes the name just then is replaced."""
        files = self._remote.files
        unfinished = self._remote.partial(self._temporary.name.rpartition("-")[2])
        try:
            files.put_file(str(self._temporary), unfinished)
            if files.exists(url):
                return False
            files.mv(unfinished, url)
        finally:
            # Moved, it is not there; else why it was not moved is what counts.
            with suppress(Exception):
                files.rm_file(unfinished)
        return True

    def _unwritable(self, error: OSError) -> PlaceError:
        return PlaceError(
            "cannot write into the temporary folder of this machine, where results wait for their "
            f"upload: {error.strerror}; make room there, or set TMPDIR to another folder",
            told=f"the folder for results cannot be written ({error.strerror})",
        )
