"""Files in the making: whoever writes one holds its lock, which ends with the process.

So what a killed process left is told from what another one is writing right now: nobody holds its
lock. Windows has no such locks, and needs none: there an open file cannot be removed.
"""

from __future__ import annotations

import os
import re
import sys
import uuid
from collections.abc import Callable
from contextlib import suppress
from io import FileIO
from pathlib import Path

if sys.platform != "win32":
    import fcntl

_FOR_ALL, _FOR_THE_OWNER = 0o666, 0o600
_TOKEN = re.compile(r"[0-9a-f]{32}")


def begin(folder: Path, prefix: str, *, private: bool = False) -> tuple[Path, FileIO]:
    """Make a new file ``<prefix><token>`` in *folder* and lock it; it is written unbuffered.

    Args:
        folder: Where it is to be.
        prefix: Beginning of its name, the same for all that are to become the same file.
        private: Whether nobody else may read it.
    """
    while True:
        path = folder / f"{prefix}{uuid.uuid4().hex}"
        mode = _FOR_THE_OWNER if private else _FOR_ALL
        file = FileIO(os.open(path, _flags(os.O_CREAT | os.O_EXCL), mode), "wb")
        # Who sweeps may have found it before it was locked, and then it is gone.
        if not _locked(file.fileno(), wait=True) or path.exists():
            return path, file
        file.close()


def sweep(folder: Path, prefix: str, before: Callable[[str], bool] | None = None) -> None:
    """Remove the files of :func:`begin` that belong to no process any more.

    Args:
        folder: Where they are.
        prefix: Beginning of their names.
        before: Called with the token of each; if it gives ``False`` the file stays for the next
            time, where that is possible.
    """
    # What cannot be listed or removed is somebody else's, and in nobody's way.
    with suppress(OSError):
        for entry in os.scandir(folder):
            if entry.name.startswith(prefix) and _TOKEN.fullmatch(entry.name[len(prefix) :]):
                with suppress(OSError):
                    _remove(Path(entry.path), entry.name[len(prefix) :], before)


def _remove(path: Path, token: str, before: Callable[[str], bool] | None) -> None:
    if sys.platform == "win32":
        path.unlink()
        if before is not None:
            before(token)
        return
    number = os.open(path, _flags(0))
    try:
        if _locked(number, wait=False) and (before is None or before(token)):
            path.unlink()
    finally:
        os.close(number)


def _flags(more: int) -> int:
    # A shared folder may hold links and pipes of those names.
    careful = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    return os.O_RDWR | careful | getattr(os, "O_BINARY", 0) | more


def _locked(number: int, *, wait: bool) -> bool:
    """Lock an open file; ``False`` if another one has the lock, or there are no locks here."""
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(number, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True
