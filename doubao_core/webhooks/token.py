"""The secret part of a callback URL: all that keeps strangers out where nothing is signed."""

from __future__ import annotations

import re
import secrets
from urllib.parse import urlsplit

from doubao_core.errors import ConfigError

_BYTES = 32
# 128 bits in base64; nothing in it needs quoting in a path.
_TOKEN = re.compile(r"[A-Za-z0-9_-]{22,200}")


def new_token() -> str:
    """Make a token that nobody can guess; keep it where the API key is kept."""
    return secrets.token_urlsafe(_BYTES)


def checked_token(token: str) -> str:
    """Give *token* if it can be one; the error does not show it."""
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise ConfigError(
            "the token of a callback URL must have at least 22 letters, digits, '-' or '_': make "
            "one with doubao_core.webhooks.new_token()"
        )
    return token


def callback_url(base: str, token: str) -> str:
    """Give the ``callback_url`` of a video task (ark.md 15.5).

    Args:
        base: Where the receiver is reached from outside, with the path below which it is mounted.
        token: The receiver's token.

    Raises:
        ConfigError: The base is no plain http or https URL, or the token too easy to guess.
    """
    parts = urlsplit(base)
    plain = not (parts.query or parts.fragment or parts.username or parts.password)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not plain:
        raise ConfigError(
            "the base of a callback URL must be http:// or https:// with a host and at most a path"
        )
    return f"{base.rstrip('/')}/{checked_token(token)}"
