"""What may go straight to the service, over connections of our own, and what needs httpx for it.

httpx and what is under it cost several times what a request costs here (``benchmarks/``), and a
plain request to the API needs none of what they can do. Whatever is not plain goes through httpx.
"""

from __future__ import annotations

import functools
import os
import re
import select
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Any, TypeAlias

import httpx

from doubao_core.errors import (
    ConfigError,
    ConnectionFailed,
    ConnectionLost,
    DoubaoError,
    Timeout,
    Truncated,
)
from doubao_core.pools import KEEP_ALIVE_SECONDS, environment_proxy
from doubao_core.request import Request
from doubao_core.transport.http1 import AnswerReader, request_head

KEPT_IDLE = 100
"""Idle connections that are kept for each origin."""
REFUSED = 300
"""The first status with which a service does not want the rest of a request any more."""
SWITCH = "DOUBAO_TRANSPORT"
"""The environment variable that, set to ``httpx``, sends all requests through httpx."""

Origin: TypeAlias = tuple[str, str, int]
"""Scheme, host and port."""

_PLAIN_URL = re.compile(
    r"(https?)://([a-z0-9.-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?"
    r"((?:/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?(?:\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?)"
)
_PORTS = {"http": 80, "https": 443}
_KEPT = re.compile(r"(?i)(?:^|[,;\s])timeout\s*=\s*([0-9]{1,9})")
# A request that leaves just before the server's time is over arrives after it.
_UNDERWAY_SECONDS = 1.0
# More milliseconds than these the system does not wait for.
_LONGEST_POLL = 2**31 - 1
# With these a request is framed or answered in another way.
_UNUSUAL = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a plain request goes; ``authority`` is the host and, if it must be said, the port."""

    origin: Origin
    authority: str
    path: str


@functools.lru_cache(maxsize=256)
def target(url: str) -> Target | None:
    """Take *url* apart; ``None`` if it is not so plain that nothing can be misread."""
    found = _PLAIN_URL.fullmatch(url)
    if found is None:
        return None
    scheme, host, port, path = found.groups()
    if "/." in path or not path.startswith("/"):
        # httpx resolves and completes these.
        return None
    usual = _PORTS[scheme]
    number = int(port or usual)
    if not 0 < number < 65536:  # noqa: PLR2004 - what a port may be
        return None
    authority = host if number == usual else f"{host}:{number}"
    return Target((scheme, host.strip("[]"), number), authority, path)


class Plain:
    """Says which requests may go directly; asks the environment for a proxy once per origin.

    Raises:
        ConfigError: ``DOUBAO_TRANSPORT`` is neither empty nor ``httpx``.
    """

    def __init__(self) -> None:
        self._proxied: dict[Origin, bool] = {}
        self._is_off = _all_through_httpx()

    def target(self, request: Request) -> Target | None:
        """Give where *request* may go directly, if it may."""
        if self._is_off:
            return None
        found = target(request.url)
        if (
            found is None
            or request.form
            or request.upload
            or not _UNUSUAL.isdisjoint(request.headers)
        ):
            return None
        proxied = self._proxied.get(found.origin)
        if proxied is None:
            proxied = environment_proxy(httpx.URL(request.url)) is not None
            self._proxied[found.origin] = proxied
        return None if proxied else found


def _all_through_httpx() -> bool:
    switch = os.environ.get(SWITCH, "").strip()
    if switch not in {"", "httpx"}:
        raise ConfigError(f"{SWITCH} is {switch[:80]!r}: set it to 'httpx', or do not set it")
    return bool(switch)


def is_watched(transport: Callable[..., object], pool: str) -> bool:
    """Say whether somebody stands in httpx's place: to record, to mock, to trace.

    vcrpy, pytest-httpx, respx and OpenTelemetry replace functions of httpx or httpcore, and want to
    see our requests like all others.

    Args:
        transport: The function of httpx that would send a request.
        pool: The name of httpcore's class behind it.
    """
    # While another thread imports httpcore, its names are not there yet: nobody replaced them.
    known = getattr(sys.modules.get("httpcore"), pool, None)
    return _is_foreign(transport) or (known is not None and _is_foreign(_sends(known)))


def _sends(pool: Any) -> object:
    return getattr(pool, "handle_request", None) or pool.handle_async_request


def _is_foreign(function: object) -> bool:
    # A wrapper that copies the name of what it wraps still has the globals of its own module.
    return type(function) is not FunctionType or not function.__globals__["__name__"].startswith(
        ("httpx.", "httpcore.")
    )


def is_readable(descriptor: int) -> bool:
    """Say whether there are bytes, or the end, to be read from a socket."""
    if not hasattr(select, "poll"):
        return bool(select.select([descriptor], [], [], 0)[0])
    watch = select.poll()
    watch.register(descriptor, select.POLLIN)
    return bool(watch.poll(0))


def seconds_kept(headers: Mapping[str, str]) -> float:
    """Say how long an idle connection can be used: as long as we keep it, or the server says."""
    said = headers.get("keep-alive")
    found = None if said is None else _KEPT.search(said)
    if found is None:
        return KEEP_ALIVE_SECONDS
    return min(KEEP_ALIVE_SECONDS, int(found[1]) - _UNDERWAY_SECONDS)


def wait_for_room(descriptor: int, seconds: float, *, or_bytes: bool) -> bool:
    """Wait until a socket takes bytes or, with *or_bytes*, has some; gives whether it has.

    Raises:
        TimeoutError: Neither happened in time.
    """
    if hasattr(select, "poll"):
        watch = select.poll()
        watch.register(descriptor, select.POLLOUT | (select.POLLIN if or_bytes else 0))
        happened = watch.poll(min(seconds * 1000, _LONGEST_POLL))
        is_silent, has_bytes = not happened, any(each & ~select.POLLOUT for _, each in happened)
    else:
        has, takes, _ = select.select([descriptor] if or_bytes else [], [descriptor], [], seconds)
        is_silent, has_bytes = not (has or takes), bool(has)
    if is_silent:
        raise TimeoutError
    return or_bytes and has_bytes


def head(request: Request, to: Target) -> bytes:
    """Write the head of *request*."""
    length = None if request.content is None else len(request.content)
    return request_head(request.method, to.path, to.authority, request.headers, length)


def unreachable(to: Target, error: Exception) -> ConnectionFailed:
    """Say that there is no connection; nothing was sent."""
    text = str(error) or type(error).__name__
    return ConnectionFailed(f"cannot connect to {to.authority}: {text}")


def silent() -> Timeout:
    """Say that nothing came, or that nothing was taken."""
    return Timeout("the service sent nothing for as long as timeout= allows")


def lost(reader: AnswerReader, error: Exception) -> DoubaoError:
    """Say that a connection ended, or spoke no HTTP: before the answer's head, or after it."""
    text = str(error) or type(error).__name__
    if reader.status:
        return Truncated(f"the answer ended early: {text}")
    return ConnectionLost(f"the connection ended before the service answered: {text}")
