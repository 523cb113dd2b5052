"""What an account may do in a minute, and where that is counted."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from doubao_core.errors import ConfigError

SCHEMES = ("sqlite", "postgresql", "postgresql+psycopg", "redis", "rediss")


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """Requests and tokens per minute that all who share this limit may use together.

    Attributes:
        requests_per_minute: Most requests in any minute, retries among them.
        tokens_per_minute: Most tokens in any minute. They are estimated before a request and
            corrected by what its answer says.
        url: Where the count is kept, to share it between processes and machines:
            ``sqlite:///path/to/file`` (one machine), ``postgresql://…`` or ``redis://…``; needs the
            extra ``limits``. By default it is this process's own. Clocks of machines that share a
            limit should agree to a fraction of a second.
        name: Which requests count together; by default those to one model at one base URL. Pass
            a name for a limit that several models share.
    """

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    url: str | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        for field in ("requests_per_minute", "tokens_per_minute"):
            value = getattr(self, field)
            if value is not None and not 0 < value < float("inf"):
                raise ConfigError(f"{field} is {value!r}: give a number above 0, or leave it out")
        if self.url is None:
            return
        if self.requests_per_minute is None and self.tokens_per_minute is None:
            raise ConfigError(
                "a rate limit has a url but limits nothing: give requests_per_minute= or "
                "tokens_per_minute="
            )
        if (scheme := urlsplit(self.url).scheme) not in SCHEMES:
            raise ConfigError(
                f"a rate limit cannot be kept at a {scheme or 'relative'!r} address: use "
                "sqlite:///path, postgresql://… or redis://…"
            )

    def __bool__(self) -> bool:
        return self.requests_per_minute is not None or self.tokens_per_minute is not None
