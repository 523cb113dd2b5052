"""The guarded download of a result, purely: the drivers do the requests (client.py).

The URL comes from a provider's answer. It is fetched without the key, from public addresses only
(or from the API's own host, which is how the local emulator serves its files), over at most
``_MOST_REDIRECTS`` redirects that are checked like the first URL, and up to a size.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Mapping
from urllib.parse import urljoin, urlsplit

from doubao_core.errors import (
    ConfigError,
    ConnectionFailed,
    Malformed,
    NotFound,
    PermissionDenied,
    ResponseError,
    ServerError,
    TooLarge,
    Truncated,
)

MAX_BYTES = 1024 * 1024 * 1024
_MOST_REDIRECTS = 5
_OK = 200
_SERVER_FAULT = 500
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Fetch:
    """State of one download.

    Args:
        url: Where the provider says that the result is.
        api: The API's base URL; its host is trusted although its address may be private.
        max_bytes: Largest file to accept.
    """

    def __init__(self, url: str, api: str | None, max_bytes: int) -> None:
        self._api = urlsplit(api) if api else None
        self._most = max_bytes
        self._size = 0
        self._expected: int | None = None
        self._hops = 0
        self._go(url)

    def _go(self, url: str) -> None:
        try:
            parts = urlsplit(url)
        except ValueError as error:
            raise ConfigError(f"will not download: the address is no URL ({error})") from error
        trusted = self._api is not None and parts.netloc == self._api.netloc
        if not parts.hostname or parts.scheme not in ({"https", "http"} if trusted else {"https"}):
            raise ConfigError(
                f"will not download from {parts.scheme or 'no scheme'}://{parts.hostname or ''}: "
                "results are at https URLs"
            )
        self.url = url
        self.host = parts.hostname
        self._trusted = trusted

    def check(self, addresses: Iterable[str]) -> None:
        """Refuse a host that is not on the public internet."""
        if self._trusted:
            return
        for address in addresses:
            if not ipaddress.ip_address(address).is_global:
                raise ConfigError(f"will not download from {self.host}: its address is not public")

    def redirected(self, status: int, headers: Mapping[str, str]) -> bool:
        """Take the head of the answer; True if another URL is to be fetched instead."""
        if status in _REDIRECTS and (location := headers.get("location")):
            self._hops += 1
            if self._hops > _MOST_REDIRECTS:
                raise ResponseError(f"{self.host} redirected more than {_MOST_REDIRECTS} times")
            self._go(urljoin(self.url, location))
            return True
        if status != _OK:
            raise self._refused(status)
        length = headers.get("content-length", "")
        # A packed body has another length than the file in it.
        known = length.isdecimal() and "content-encoding" not in headers
        self._expected = int(length) if known else None
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
        """Count *block*; a file that grows over the limit is refused."""
        self._size += len(block)
        if self._size > self._most:
            raise TooLarge(f"the file is larger than {self._most:,} bytes")
        return block

    def finished(self) -> tuple[str, ...]:
        """Say that the body ended; gives the media types that a result may have."""
        if self._expected is not None and self._size != self._expected:
            raise Truncated(f"the download ended after {self._size:,} of {self._expected:,} bytes")
        if not self._size:
            raise Malformed("the download is empty")
        return ("image/", "video/", "audio/", "application/zip")


def resolve(host: str) -> list[str]:
    """Look up the addresses of *host*."""
    try:
        return sorted({str(info[4][0]) for info in socket.getaddrinfo(host, None)})
    except (OSError, UnicodeError) as error:
        raise ConnectionFailed(f"cannot find the address of {host}: {error}") from error
