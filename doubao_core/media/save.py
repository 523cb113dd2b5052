"""Files that appear whole or not at all, under names that we choose."""

from __future__ import annotations

import os
import re
import uuid
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Self

from doubao_core.errors import ConfigError, Malformed
from doubao_core.media.kinds import LONGEST_SIGNATURE, sniff

_UNSAFE = re.compile(r"[^\w.-]+")
# In bytes: file systems take 255, and a number and an extension follow.
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A file that was written: where, what it is by its bytes, and its size in bytes."""

    path: Path
    media_type: str
    size: int


class Target:
    """A file in the making: a temporary one beside the place of the real one, until ``commit``."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        safe = _UNSAFE.sub("-", name).strip(".-").encode()[:_LONGEST_NAME]
        self._name = safe.decode(errors="ignore") or "result"
        self._head = b""
        self._size = 0

    def __enter__(self) -> Self:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._temporary = self._folder / f".partial-{uuid.uuid4().hex}"
            self._file = self._temporary.open("xb")
        except OSError as error:
            raise self._unwritable(error) from error
        return self

    def __exit__(self, *exception: object) -> None:
        # Closing writes out what is buffered, which fails again on a full disk.
        with suppress(OSError):
            self._file.close()
        self._temporary.unlink(missing_ok=True)

    def write(self, block: bytes) -> None:
        """Append *block*."""
        if len(self._head) < LONGEST_SIGNATURE:
            self._head += block[:LONGEST_SIGNATURE]
        try:
            self._file.write(block)
        except OSError as error:
            raise self._unwritable(error) from error
        self._size += len(block)

    def commit(self, allowed: tuple[str, ...]) -> Saved:
        """Give the file its name, with the extension of what it is; never replaces a file.

        Args:
            allowed: Beginnings of the media types that are accepted.
        """
        kind = sniff(self._head)
        if kind is None or not kind[0].startswith(allowed):
            raise Malformed(f"the file is {kind[0] if kind else 'of no known type'}, not a result")
        media_type, extension = kind
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            path = self._place(extension)
        except OSError as error:
            raise self._unwritable(error) from error
        return Saved(path=path, media_type=media_type, size=self._size)

    def _place(self, extension: str) -> Path:
        for number in count():
            suffix = f"-{number}" if number else ""
            path = self._folder / f"{self._name}{suffix}.{extension}"
            try:
                self._link(path)
            except FileExistsError:
                continue
            return path
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
        return ConfigError(f"cannot write into {self._folder}: {error.strerror}")
