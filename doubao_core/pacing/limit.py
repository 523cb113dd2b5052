"""What an account may do in a minute, and where that is counted."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qsl, urlsplit

from doubao_core.errors import ConfigError

URL_VARIABLE = "DOUBAO_RATE_LIMIT_URL"
SCHEMES = ("sqlite", "postgresql", "postgresql+psycopg", "redis", "rediss")


def check_place(url: str | None) -> None:
    """Refuse a *url* at which nothing can be counted; ``None`` is this process."""
    if url is not None and (scheme := urlsplit(url).scheme) not in SCHEMES:
        raise ConfigError(
            f"a rate limit cannot be kept at a {scheme or 'relative'!r} address: use "
            "sqlite:///path, postgresql://… or redis://…"
        )


def has_password(url: str | None) -> bool:
    """Say whether *url* holds a password, before its host or in its query."""
    if url is None:
        return False
    parts = urlsplit(url)
    return bool(parts.password) or any(
        name.lower().endswith("password") for name, _ in parse_qsl(parts.query)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """Requests and tokens per minute that all who share this limit may use together.

    Attributes:
        requests_per_minute: Most requests in any minute, retries among them.
        tokens_per_minute: Most tokens in any minute. They are estimated before a request and
            corrected by what its answer says; a stream says it if it was asked for its usage
            (``stream_options={"include_usage": True}``) and is read to its end.
        url: Where the count is kept, to share it between processes and machines:
            ``sqlite:///path/to/file`` (one machine), ``postgresql://…`` or ``redis://…``; needs the
            extra ``limits``. Default ``DOUBAO_RATE_LIMIT_URL``, then this process's own. Clocks of
            machines that share a limit in Redis should agree to a fraction of a second.
        name: Which requests count together; by default those to one model at one base URL. Pass
            a name for a limit that several models share.
    """

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    url: str | None = field(default_factory=lambda: os.environ.get(URL_VARIABLE), repr=False)
    name: str | None = None

    def __post_init__(self) -> None:
        for name in ("requests_per_minute", "tokens_per_minute"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise ConfigError(f"{name} is {value!r}: give a number above 0, or leave it out")
        check_place(self.url)

    def __bool__(self) -> bool:
        return self.requests_per_minute is not None or self.tokens_per_minute is not None

    @classmethod
    def of(cls, requests: float | None, tokens: float | None, url: str | None) -> Self | None:
        """Make the limit of a class that takes its numbers one by one; ``None`` limits nothing."""
        if requests is None and tokens is None:
            if url is not None:
                raise ConfigError(
                    "rate_limit_url limits nothing by itself: give requests_per_minute= or "
                    "tokens_per_minute="
                )
            return None
        where = {} if url is None else {"url": url}
        return cls(requests_per_minute=requests, tokens_per_minute=tokens, **where)

    def portable(self) -> Self:
        """Give this limit for a pickle, which is a file that travels and may hold no password."""
        if has_password(self.url):
            raise TypeError(
                f"a rate limit whose url holds a password cannot be pickled: set {URL_VARIABLE} "
                "for each process instead"
            )
        return self
