"""Files that appear whole or not at all, under names that we choose, wherever they are kept."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Protocol, Self, runtime_checkable

from doubao_core.errors import ConfigError, DoubaoError, Malformed
from doubao_core.media.errors import PlaceError
from doubao_core.media.kinds import LONGEST_SIGNATURE, sniff

_UNSAFE = re.compile(r"[^\w.-]+")
# Windows takes these, with any extension, for devices.
_DEVICE = re.compile(r"(con|prn|aux|nul|(com|lpt)[\d¹²³])(\.|$)", re.IGNORECASE)
# In bytes: file systems take 255, and a number and an extension follow.
_LONGEST_NAME = 200
# Of an id as it is; a word and a digest follow.
_LONGEST_IDENTIFIER = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A result that was written.

    Attributes:
        path: The file, if it is one of this machine.
        location: Where it is, as a text: the path, or the URL in its store, without secrets.
        name: Its file name, under which :meth:`Storage.read` finds it.
        media_type: What it is, by its bytes.
        size: In bytes.
    """

    path: Path | None
    location: str
    name: str
    media_type: str
    size: int


@runtime_checkable
class Storage(Protocol):
    """A place for results: a folder, or a folder of an object store.

    All methods block; on an event loop they belong into a thread.
    """

    @property
    def location(self) -> str:
        """Where it is, for texts: never with a secret."""

    def check(self) -> None:
        """Write a probe and take it away, before anything is paid.

        Raises:
            ConfigError: Nothing can be saved here; the text says what to do.
        """

    def target(self, name: str) -> Target:
        """Begin a file called *name*; what a name cannot hold is replaced."""

    def find(self, name: str) -> Saved | None:
        """Find what an earlier ``target(name)`` saved: the first of that name."""

    def read(self, name: str, most: int) -> bytes:
        """Read the file *name*, of at most *most* bytes; nothing outside of this place.

        Raises:
            ConfigError: There is no such file, it is larger, or it cannot be read.
        """


class Target(ABC):
    """A file in the making; leaving its ``with`` drops what was not committed."""

    def __init__(self, name: str) -> None:
        self._name = safe_name(name)
        self._head = b""
        self._size = 0

    @abstractmethod
    def _begin(self) -> tuple[Path, FileIO]:
        """Make the file that takes the bytes, and open it without a buffer."""

    @abstractmethod
    def _place(self, media_type: str, extension: str) -> Saved:
        """Give the whole file its name; never replaces one."""

    @abstractmethod
    def _unwritable(self, error: OSError) -> ConfigError:
        """Say that the bytes could not be written, and what to do."""

    def __enter__(self) -> Self:
        with self._reported():
            self._temporary, self._file = self._begin()
        return self

    def __exit__(self, *exception: object) -> None:
        # Closing writes out what is buffered, which fails again on a full disk.
        with suppress(OSError):
            self._file.close()
        # What was saved is no less so if its temporary file cannot be removed.
        with suppress(OSError):
            self._temporary.unlink(missing_ok=True)

    @contextmanager
    def _reported(self) -> Generator[None]:
        """Make whatever a storage raises one error: what is saved was paid for."""
        try:
            yield
        except DoubaoError:
            raise
        except OSError as error:
            raise self._unwritable(error) from error
        except Exception as error:
            text = f"{type(error).__name__}: {error}"[:300]
            raise PlaceError(
                f"the storage of results failed ({text}): mend or replace it",
                told=f"the storage of results failed ({type(error).__name__})",
            ) from error

    def write(self, block: bytes) -> None:
        """Append *block*."""
        if len(self._head) < LONGEST_SIGNATURE:
            self._head += block[:LONGEST_SIGNATURE]
        left = memoryview(block)
        with self._reported():
            # Unbuffered, so that a full disk is known at once, and how much it took.
            while left:
                taken = self._file.write(left)
                self._size += taken
                left = left[taken:]

    def written(self) -> bytes:
        """Give what has been written until now."""
        return self._temporary.read_bytes()

    def commit(self, allowed: tuple[str, ...]) -> Saved:
        """Give the file its name, with the extension of what it is; never replaces a file.

        Args:
            allowed: Beginnings of the media types that are accepted.

        Raises:
            Malformed: It is of another type, or of none that is known.
            ConfigError: It could not be written.
        """
        kind = sniff(self._head)
        if kind is None or not kind[0].startswith(allowed):
            raise Malformed(f"the file is {kind[0] if kind else 'of no known type'}, not a result")
        with self._reported():
            return self._place(*kind)


def safe_name(name: str) -> str:
    """Make of *name* what every file system takes as a name, and no shell or path reads more."""
    composed = unicodedata.normalize("NFC", name)
    safe = _UNSAFE.sub("-", composed).strip(".-").encode()[:_LONGEST_NAME]
    # Cutting may leave a dot at the end, which Windows drops.
    cut = safe.decode(errors="ignore").rstrip(".-") or "result"
    return f"file-{cut}" if _DEVICE.match(cut) else cut


def unique_name(identifier: str) -> str:
    """Make of *identifier* a name that no other one has: a result is found again by its name."""
    if len(identifier) <= _LONGEST_IDENTIFIER and safe_name(identifier) == identifier:
        return identifier
    digest = hashlib.sha256(identifier.encode()).hexdigest()[:16]
    return f"{safe_name(identifier[:_LONGEST_IDENTIFIER])}-{digest}"


def checked_name(name: str) -> str:
    """Give *name* back if it can be that of a result, and leads nowhere else."""
    if not name or _UNSAFE.search(name) or name != name.strip(".-") or _DEVICE.match(name):
        raise ConfigError(f"{name[:80]!r} is no file name of a result: pass that of an earlier one")
    return name


def missing(name: str) -> ConfigError:
    """Say that there is no result *name*; where it was looked for is the developer's."""
    return ConfigError(f"there is no file {name!r} among the results: pass one that is")


def too_large(name: str, most: int) -> ConfigError:
    """Say that a file is larger than what a request can carry."""
    return ConfigError(f"{name} has more than {most:,} bytes: pass a smaller one")
