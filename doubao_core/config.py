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

from doubao_core.errors import ConfigError, DoubaoError
from doubao_core.gateways import Gateway, Route, ark, gateway
from doubao_core.operation import checked_headers, sendable
from doubao_core.pacing import Plan, RateLimit

if TYPE_CHECKING:
    from pydantic import SecretStr

_COPIED = re.compile(r"(?i)^bearer\s+")
_CREDENTIAL = re.compile("(?i)auth|cookie|key|token|secret|session|signature")
_ARK_ADDRESSES = [urlsplit(each.base_url) for each in ark.GATEWAYS if each.base_url]
# What web servers answer by themselves: no JSON, or the default of a framework.
_SILENT = (None, {"detail": "Not Found"})
KeySource: TypeAlias = "str | SecretStr | Callable[[], str] | None"

DEFAULT_TIMEOUT = 600.0
"""Seconds; the official SDK's own (ark.md 1.6), because thinking and pictures take minutes."""
LONGEST_CONNECT = 30.0
"""Seconds that a connect may take at most, whatever ``timeout`` is."""
NO_SUCH_PATH = frozenset({404, 405})
"""Statuses that a server answers to a path that it does not know."""


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
            'pass api_key=; to try without a key, use provider="emulator" or '
            "DOUBAO_PROVIDER=emulator"
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

    def explain(self, error: DoubaoError, route: Route, asked: str) -> None:
        """Add to *error*, if a path was not found, what ``base_url`` has to do with that.

        It is only said: nothing is ever put into a base URL or taken out of it (gateways.md 4.10).

        Args:
            error: What the server answered.
            route: What was asked for.
            asked: The path of the request.
        """
        # What says nothing may mean the id in a path.
        silent = error.code is None and error.body in _SILENT and "{" not in route.path
        if error.status not in NO_SUCH_PATH or not (silent or asked in error.message):
            return
        path, usual = urlsplit(self.locate()).path, _usual_path(self.gateway)
        if path == usual:
            return
        error.message = (
            f"{error.message.rstrip('. ')}; base_url has {_shown(path)}, and {route.path!r} was "
            f"appended to it: {_advice(self.gateway, usual, route.path)}"
        )
        error.args = (error.message,)


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
    # What comes from the environment is a text, and httpx's timeouts are objects.
    if timeout is not None and not (isinstance(timeout, int | float) and 0 < timeout < math.inf):
        raise ConfigError(
            f"timeout must be more than 0, a finite number of seconds, not {timeout!r}"
        )
    if max_retries is not None and not (isinstance(max_retries, int) and max_retries >= 0):
        raise ConfigError(f"max_retries must be 0 or more, a whole number, not {max_retries!r}")
    return Settings(
        gateway=chosen,
        base_url=_checked_url(url, chosen).rstrip("/") if url else None,
        key=ApiKey(api_key),
        timeout=DEFAULT_TIMEOUT if timeout is None else float(timeout),
        max_retries=2 if max_retries is None else max_retries,
        rate_limit=rate_limit or None,
        plan=plan,
        headers=checked_headers("default", default_headers or {}),
    )


def _checked_url(url: str, provider: Gateway) -> str:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ConfigError(f"base_url is not a URL: {error}") from error
    if "@" in parts.netloc:
        raise ConfigError("base_url must not hold a user name or password; pass api_key=")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError(f"base_url must start with https:// or http://, not {url[:80]!r}")
    if parts.query or parts.fragment or not sendable(url) or " " in url:
        raise ConfigError(
            "base_url must be a plain address, without a query, blanks or control characters"
        )
    _check_path(parts.path.rstrip("/"), parts.hostname, provider)
    return url


def _check_path(path: str, host: str, provider: Gateway) -> None:
    """Refuse a path that is certainly wrong: at Ark's own hosts, and before Ark's own routes."""
    usual = next((each.path for each in _ARK_ADDRESSES if each.hostname == host), None)
    # Other paths of these hosts exist, such as that of the Coding Plan (ark.md 1.1).
    if usual and path != usual and (f"{usual}/".startswith(f"{path}/") or path.endswith(usual * 2)):
        raise ConfigError(
            f"base_url has {_shown(path)}, but at {host} it must be {usual!r}: change it, or leave "
            "base_url out"
        )
    for route in provider.routes.values():
        # Services begin at paths of one word, such as /models; of gateways nothing is certain.
        ends = path.endswith(route.path) and route.path.count("/") > 1
        if ends and route in ark.ROUTES.values():
            raise ConfigError(
                f"base_url ends with {route.path!r}, which is appended to it with each request: "
                "leave that out"
            )


def _usual_path(provider: Gateway) -> str | None:
    """Give the path of the provider's own base URL, or Ark's where it speaks Ark's protocol."""
    own = provider.base_url
    if own is None and provider.routes.items() <= ark.ROUTES.items():
        own = ark.ARK.base_url
    return None if own is None else urlsplit(own).path


def _advice(provider: Gateway, usual: str | None, route: str) -> str:
    if usual is None:
        return f"make it all that the service's documents print before {route!r}"
    return f"provider {provider.name!r} has {_shown(usual)} there, so change base_url"


def _shown(path: str) -> str:
    return f"the path {path!r}" if path else "no path"
