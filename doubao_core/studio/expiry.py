"""When a URL of the service stops to work (ark.md 14.1, 15.4)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

_LIFETIME = timedelta(hours=24)


def expires_at(url: str | None, made: int | None) -> datetime | None:
    """Read it from the signature, or count 24 hours from when the result was made.

    Args:
        url: As the service gave it.
        made: Unix seconds, if the service said so.
    """
    if url is None or not url.startswith("http"):
        return None
    return _signed(url) or _counted(made)


def _counted(made: int | None) -> datetime | None:
    try:
        return datetime.fromtimestamp(made, UTC) + _LIFETIME if made else None
    except (OverflowError, OSError, TypeError, ValueError):
        # Milliseconds, or a text: the result is worth more than this.
        return None


def _signed(url: str) -> datetime | None:
    try:
        query = parse_qs(urlsplit(url).query)
        begun = datetime.strptime(query["X-Tos-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        return begun + timedelta(seconds=int(query["X-Tos-Expires"][0]))
    except (KeyError, ValueError, OverflowError):
        return None
