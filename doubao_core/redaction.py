"""What no text for people may hold: keys, signatures of URLs, bodies in base64."""

from __future__ import annotations

import re

_SIGNED_QUERY = re.compile(r"(?i)(https?://[^\s?\"'<>]+)\?[^\s\"'<>]+")
_DATA_URL = re.compile(r"(data:[\w.+/-]*;base64,)[A-Za-z0-9+/=]{24,}")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{256,}={0,2}")
_BEARER = re.compile(r"(?i)(bearer\s+)[^\s\"',]{6,}")


def redact(text: str) -> str:
    """Take out of *text* what must never be in an error: keys, signed queries, base64 bodies."""
    text = _SIGNED_QUERY.sub(r"\1?…", text)
    text = _DATA_URL.sub(r"\1…", text)
    text = _BASE64.sub("…", text)
    return _BEARER.sub(r"\1…", text)
