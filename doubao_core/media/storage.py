"""Where results go, from what a developer writes: a folder, a URL, or a storage of their own."""

from __future__ import annotations

import re
from pathlib import Path

from doubao_core.media.errors import PlaceError
from doubao_core.media.folder import Folder
from doubao_core.media.remote import Remote
from doubao_core.media.save import Storage

_FILE = re.compile(r"(?:file|local)://(?:localhost(?=/))?(/.*)")
# Two letters: one is a drive of Windows.
_FLATTENED = re.compile(r"[a-z][a-z0-9+.-]+:[/\\]")


def storage(where: str | Path | Storage) -> Storage:
    """Give the storage that *where* names.

    Args:
        where: A folder, made when first needed; a URL of fsspec such as ``s3://bucket/folder``
            (needs the extra ``storage`` and the store's own package); or a storage, given back.

    Raises:
        PlaceError: It is neither, or a URL with a password in it.
    """
    if isinstance(where, str):
        if file := _FILE.fullmatch(where):
            return Folder(Path(file[1]))
        return Remote(where) if "://" in where else Folder(_path(where))
    if isinstance(where, Path):
        return Folder(_path(str(where)))
    if isinstance(where, Storage):
        return where
    raise PlaceError(
        f"results cannot go to a {type(where).__name__}: pass a folder, a URL such as "
        "s3://bucket/folder, or a media.Storage"
    )


def address_of(place: Storage) -> str | None:
    """Give what names *place* for :func:`storage` in any process of this machine.

    A folder is given by its absolute path. ``None`` for a developer's own storage: only they can
    make it again. What needs a key has none in its address, so there is none in what is given.
    """
    if isinstance(place, Folder):
        return str(place.path.absolute())
    return place.location if isinstance(place, Remote) else None


def _path(text: str) -> Path:
    if _FLATTENED.match(text):
        raise PlaceError(
            f"{text[:80]!r} is a URL that went through Path, which drops a slash: pass the URL as "
            "a string"
        )
    return Path(text)
