"""What a client is told: provider, base URL, key, timeout; and where each may come from.

Nothing is read at import. The environment is read when a client is made, the key when a request
is made, so that a key can rotate and construction needs none.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self, TypeAlias
from urllib.parse import urlsplit

from doubao_core.errors import ConfigError
from doubao_core.gateways import Gateway, gateway
from doubao_core.operation import checked_headers, sendable
from doubao_core.pacing import Plan, RateLimit

if TYPE_CHECKING:
    from pydantic import SecretStr

_COPIED = re.compile(r"(?i)^bearer\s+")
_CREDENTIAL = re.compile("(?i)auth|cookie|key|token|secret|session|signature")
KeySource: TypeAlias = "str | SecretStr | Callable[[], str] | None"

DEFAULT_TIMEOUT = 600.0
"""Seconds; the official SDK's own (ark.md 1.6), because thinking and pictures take minutes."""
LONGEST_CONNECT = 30.0
"""Seconds that a connect may take at most, whatever ``timeout`` is."""


class ApiKey:
    """A key, or where to find one; it never shows itself.

    ``repr`` masks it and pickling drops it: the copy looks into the environment again. A deep copy
    stays in this process and keeps it.
    """

    __slots__ = ("_source",)

    def __init__(self, source: KeySource | ApiKey = None) -> None:
        if isinstance(source, ApiKey):
            source = source._source  # noqa: SLF001 - of the same class
        self._source: KeySource = source

    def resolve(self, provider: Gateway) -> str:
        """Give the key for *provider*: the explicit one, else the first of its variables."""
        if (explicit := self._explicit()) is not None:
            return _clean(explicit)
        if not provider.key_env:
            return provider.name
        for variable in provider.key_env:
            if value := os.environ.get(variable):
                return _clean(value)
        raise ConfigError(
            f"no API key for provider {provider.name!r}: set {' or '.join(provider.key_env)}, or "
            'pass api_key=; to try without a key, use provider="emulator"'
        )

    def _explicit(self) -> str | None:
        source = self._source
        if source is None:
            return None
        given = source() if callable(source) else source
        if not isinstance(given, str) and hasattr(given, "get_secret_value"):
            given = given.get_secret_value()
        if not isinstance(given, str):
            # Another key than the one that was asked for would be billed to another account.
            raise ConfigError(
                f"api_key gave {type(given).__name__}, not a key: pass a string, a SecretStr, or a "
                "callable that returns one"
            )
        return given

    def __repr__(self) -> str:
        return "ApiKey('**********')" if self._source is not None else "ApiKey()"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[type[ApiKey], tuple[()]]:
        return ApiKey, ()


def _clean(key: str) -> str:
    """Refuse what cannot be sent in a header; the text must not show the key.

    Blanks around a key, and the ``Bearer`` of a copied header before it, are no part of it.
    """
    key = _COPIED.sub("", key.strip())
    if not key or not sendable(key):
        raise ConfigError("the API key is empty or has characters that a header cannot carry")
    return key


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A client's settings, resolved.

    Attributes:
        gateway: The provider's description.
        base_url: Where requests go; ``None`` for an emulator that is not started yet.
        key: The key or its source.
        timeout: Seconds for the connect, for the first byte and for every gap between events.
        max_retries: Attempts beyond the first.
        headers: Headers to add to every request.
        rate_limit: What a model may be asked in a minute; ``None`` if nothing is to be kept.
        plan: What the account may do in all; likewise.
    """

    gateway: Gateway
    base_url: str | None
    key: ApiKey = field(default_factory=ApiKey)
    timeout: float = DEFAULT_TIMEOUT
    max_retries: int = 2
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    rate_limit: RateLimit | None = None
    plan: Plan | None = None

    def portable(self) -> dict[str, Any]:
        """Give the arguments of :func:`resolve` that may be written down: none holds a secret.

        The key and headers that look like credentials are left out.
        """
        return {
            "provider": self.gateway.name,
            "api_key": None,
            "base_url": self.base_url,
            "timeout": self.timeout,
            "max_retries": self.max_retries,
            "default_headers": {
                name: value for name, value in self.headers.items() if not _CREDENTIAL.search(name)
            },
            "rate_limit": self.rate_limit and self.rate_limit.portable(),
            "plan": self.plan and self.plan.portable(),
        }

    def locate(self) -> str:
        """Give the base URL, starting the local emulator if that is what it takes."""
        if self.base_url is not None:
            return self.base_url
        if self.gateway.launch is None:
            raise ConfigError(
                f"provider {self.gateway.name!r} has no base URL of its own: pass base_url="
            )
        return self.gateway.launch().rstrip("/")


def resolve(
    *,
    provider: str | None,
    api_key: KeySource,
    base_url: str | None,
    timeout: float | None,
    max_retries: int | None,
    default_headers: Mapping[str, str] | None,
    rate_limit: RateLimit | None = None,
    plan: Plan | None = None,
) -> Settings:
    """Check the arguments of a client and fill in what the environment says."""
    chosen = gateway(provider or os.environ.get("DOUBAO_PROVIDER") or "ark")
    url = base_url or os.environ.get("DOUBAO_BASE_URL") or chosen.base_url
    if timeout is not None and not 0 < timeout < math.inf:
        raise ConfigError(f"timeout must be more than 0 and a finite time, not {timeout!r} s")
    if max_retries is not None and max_retries < 0:
        raise ConfigError(f"max_retries must be 0 or more, not {max_retries!r}")
    return Settings(
        gateway=chosen,
        base_url=_checked_url(url).rstrip("/") if url else None,
        key=ApiKey(api_key),
        timeout=DEFAULT_TIMEOUT if timeout is None else float(timeout),
        max_retries=2 if max_retries is None else max_retries,
        rate_limit=rate_limit or None,
        plan=plan,
        headers=checked_headers("default", default_headers or {}),
    )


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ConfigError(f"base_url is not a URL: {error}") from error
    if "@" in parts.netloc:
        raise ConfigError("base_url must not hold a user name or password; pass api_key=")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError(f"base_url must start with https:// or http://, not {url[:80]!r}")
    if parts.query or parts.fragment or not sendable(url):
        raise ConfigError("base_url must be a plain address, without a query or control characters")
    return url
