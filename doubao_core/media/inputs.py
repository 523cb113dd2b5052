"""What may be sent as a picture, film or sound: URLs as they are, files only where allowed.

An agent chooses these strings, so a path is read only below folders that a person named. A URL is
handed on to the service, which fetches it itself: nothing here looks its host up or connects to it,
so that one of a private host reaches nothing but the service, which refuses it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from pathlib import Path

from doubao_core.errors import ConfigError
from doubao_core.media.kinds import LONGEST_SIGNATURE, sniff
from doubao_core.media.save import too_large

MAX_INPUT_BYTES = 30 * 1024 * 1024
"""Largest file to inline; the API takes pictures of up to 30 MB (ark.md 14.4, 15.2)."""
_AS_IS = ("https://", "http://", "data:", "asset://")
# One letter before a colon is a drive of Windows.
_SCHEME = re.compile(r"(?!file:)[a-z][a-z0-9+.-]+:", re.IGNORECASE)
_FILE = re.compile(
    r"file:|.*[/\\]|.*\.(?:png|jpe?g|gif|webp|bmp|tiff?|hei[cf]|mp4|mov|avi|mp3|wav|aac|m4a|pdf)$",
    re.IGNORECASE | re.DOTALL,
)


def as_url(source: str | bytes | Path, *, roots: Sequence[Path] = (), kind: str = "image") -> str:
    """Make *source* something that a request can carry.

    Args:
        source: A URL or data URL (passed through), bytes, or the path of a file.
        roots: Folders from which files may be read; none by default.
        kind: ``"image"``, ``"video"`` or ``"audio"``: what the bytes must be.

    Raises:
        ConfigError: A file outside the roots, missing, too large, or of another kind.
    """
    if isinstance(source, bytes):
        return data_url(source, kind)
    if isinstance(source, str) and source.startswith(_AS_IS):
        return source
    return data_url(_read(Path(source), roots), kind)


def is_path(url: str) -> bool:
    """Whether *url* is the path of a file, which the service cannot fetch.

    It has no scheme, or ``file:``. A bare word without slashes may be an id and is none, unless it
    ends like a file.
    """
    return _SCHEME.match(url) is None and _FILE.match(url) is not None


def data_url(content: bytes, kind: str) -> str:
    """Write *content* as a data URL; its type is that of its bytes (ark.md 4.2: lower case)."""
    found = sniff(content[:LONGEST_SIGNATURE])
    if found is None or not found[0].startswith(f"{kind}/"):
        raise ConfigError(
            f"expected {kind} bytes, got {found[0] if found else 'an unknown format'}"
        )
    return f"data:{found[0]};base64,{base64.b64encode(content).decode()}"


def _read(path: Path, roots: Sequence[Path]) -> bytes:
    try:
        real = path.expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError(
            f"{str(path)[:120]!r} is no path of a file: pass a URL, or another path"
        ) from error
    if not any(real.is_relative_to(root.expanduser().resolve()) for root in roots):
        # Not which: what a machine's folders are called is nothing for a model.
        allowed = len(roots) or "none"
        raise ConfigError(
            f"may not read {str(path)[:120]!r}: pass a URL, or a file below one of the folders "
            f"that allowed_folders= names (now {allowed})"
        )
    try:
        if not real.is_file():
            raise ConfigError(f"there is no file {str(path)[:120]!r}: pass one that is, or a URL")
        with real.open("rb") as file:
            content = file.read(MAX_INPUT_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    if len(content) > MAX_INPUT_BYTES:
        raise too_large(str(path), MAX_INPUT_BYTES)
    return content
