"""The guarded download of a result, purely: the drivers do the requests (saving.py).

The URL comes from a provider's answer. It is fetched without the key, from public addresses only
(or from the API's own origin, which is how the local emulator serves its files), over at most
``_MOST_REDIRECTS`` redirects that are checked like the first URL, up to a size and a time. A name
is looked up once: the addresses that were checked are those that are connected to, so that a name
server that gives another answer the second time leads nowhere.
"""

from __future__ import annotations

import ipaddress
import re
import time
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import SplitResult, urljoin, urlsplit

from doubao_core.errors import (
    ConfigError,
    Malformed,
    NotFound,
    PermissionDenied,
    ResponseError,
    ServerError,
    Timeout,
    TooLarge,
    Truncated,
)
from doubao_core.media.address import is_public

MAX_BYTES = 1024 * 1024 * 1024
MAX_SECONDS = 1800.0
"""How long a download may take: a server that sends a byte now and then must not hold a worker."""
_MOST_REDIRECTS = 5
_OK = 200
_SERVER_FAULT = 500
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HTTPS = 443
_PORTS = {"https": _HTTPS, "http": 80}
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")
# Parsers disagree about these, and so about which host a URL names.
_AMBIGUOUS = re.compile(r"[\x00-\x20\x7f-\xa0\\]")


class Fetch:
    """State of one download.

    Args:
        url: Where the provider says that the result is.
        api: The API's base URL; its origin is trusted although its address may be private.
        max_bytes: Largest file to accept.
        max_seconds: Longest time to take.
        clock: Seconds, as they pass.
    """

    def __init__(
        self,
        url: str,
        api: str | None,
        max_bytes: int,
        max_seconds: float = MAX_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = _origin(urlsplit(api)) if api else None
        self._most = max_bytes
        self._clock = clock
        self._seconds = max_seconds
        self._deadline = clock() + max_seconds
        self._size = 0
        self._expected: int | None = None
        self._hops = 0
        self.url = ""
        self._go(url)

    def _go(self, url: str) -> None:
        if _AMBIGUOUS.search(url):
            raise ConfigError(
                "will not download: the address holds a space, a backslash or a control character"
            )
        try:
            # A redirect may be relative.
            url = urljoin(self.url, url)
            parts = urlsplit(url)
            origin = _origin(parts)
        except ValueError as error:
            raise ConfigError(f"will not download: the address is no URL ({error})") from error
        self._trusted = origin == self._api and "@" not in parts.netloc
        if not self._trusted:
            _check(parts, origin)
        self.url = url
        self.host = parts.hostname or ""

    def addresses(self, resolve: Callable[[str], Sequence[str]]) -> Sequence[str]:
        """Give the addresses to connect to, all of them public; none for the API's own origin.

        Args:
            resolve: Looks the addresses of a name up; called once at most.

        Raises:
            ConfigError: An address, be it one of many, is not on the public internet.
        """
        if self._trusted:
            return ()
        found = resolve(self.host)
        if not found or not all(map(is_public, found)):
            raise ConfigError(f"will not download from {self.host}: its address is not public")
        return found

    def redirected(self, status: int, headers: Mapping[str, str]) -> bool:
        """Take the head of the answer; True if another URL is to be fetched instead."""
        self._check_time()
        if status in _REDIRECTS and (location := headers.get("location")):
            self._hops += 1
            if self._hops > _MOST_REDIRECTS:
                raise ResponseError(f"{self.host} redirected more than {_MOST_REDIRECTS} times")
            self._go(location)
            return True
        if status != _OK:
            raise self._refused(status)
        length = headers.get("content-length", "")
        # A packed body has another length than the file in it.
        known = length.isdecimal() and "content-encoding" not in headers
        self._expected = int(length) if known else None
        if self._expected is not None and self._expected > self._most:
            raise self._too_large()
        return False

    def _refused(self, status: int) -> Exception:
        text = f"the download from {self.host} was refused with HTTP {status}"
        if status >= _SERVER_FAULT:
            return ServerError(text, status=status)
        if status in {401, 403}:
            # Object stores answer 403 to an expired signature (ark.md 15.4: URLs live 24 h).
            text += "; result URLs expire after 24 hours, look the task up for a fresh one"
            return PermissionDenied(text, status=status)
        return NotFound(text, status=status)

    def counted(self, block: bytes) -> bytes:
        """Count *block*; a file that grows over the limit, or takes too long, is refused."""
        self._size += len(block)
        if self._size > self._most:
            raise self._too_large()
        self._check_time()
        return block

    def _check_time(self) -> None:
        if self._clock() > self._deadline:
            raise Timeout(f"the download from {self.host} took longer than {self._seconds:g} s")

    def _too_large(self) -> TooLarge:
        return TooLarge(f"the file is larger than {self._most:,} bytes")

    def finished(self) -> tuple[str, ...]:
        """Say that the body ended; gives the media types that a result may have."""
        if self._expected is not None and self._size != self._expected:
            raise Truncated(f"the download ended after {self._size:,} of {self._expected:,} bytes")
        if not self._size:
            raise Malformed("the download is empty")
        return ("image/", "video/", "audio/", "application/zip")


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    """Give scheme, host and port, which make an origin only together."""
    port = _PORTS.get(parts.scheme) if parts.port is None else parts.port
    return parts.scheme, parts.hostname, port


def _check(parts: SplitResult, origin: tuple[str, str | None, int | None]) -> None:
    """Refuse what no service gives as the address of a result."""
    scheme, host, port = origin
    shown = f"will not download from {scheme or 'no scheme'}://{(host or '')[:80]}"
    if scheme != "https" or not host:
        raise ConfigError(f"{shown}: results are at https URLs")
    if "@" in parts.netloc:
        raise ConfigError(f"{shown}: its address holds a user name or a password")
    if port != _HTTPS:
        raise ConfigError(f"{shown}: results are at port {_HTTPS}, not {port}")
    if not (_HOST.fullmatch(host) or _is_literal(host)):
        raise ConfigError(f"{shown}: that is no name of a host")


def _is_literal(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True
