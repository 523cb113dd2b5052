"""What a gateway lets a key do in a window of time and at once; it says so in headers and refuses.

A window begins with the first request after the last one ended. A request that is refused uses up
nothing.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from doubao_emulator.errors import ArkError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doubao_emulator.state import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """A plan; put another into ``world.table(Quota)`` under the name of the dialect.

    Attributes:
        requests: Most requests of a window.
        window: Its seconds.
        at_once: Most requests that have no answer yet; None for any number.
    """

    requests: int
    window: float
    at_once: int | None = None


@dataclass(slots=True)
class _Used:
    """What one key has used."""

    began: float
    requests: int = 0
    at_once: int = 0


def headers(world: World, dialect: str, key: str, usual: Quota) -> dict[str, str]:
    """Return the rate headers that an answer to one more request has."""
    quota, used = _used(world, dialect, key, usual)
    return {
        "X-RateLimit-Limit": str(quota.requests),
        "X-RateLimit-Remaining": str(max(0, quota.requests - used.requests - 1)),
        # Whole seconds, and never before the end.
        "X-RateLimit-Reset": str(math.ceil(used.began + quota.window)),
    }


@contextmanager
def admitted(world: World, dialect: str, key: str, usual: Quota) -> Iterator[None]:
    """Count a request that is answered meanwhile.

    Raises:
        ArkError: 429, because the plan has no room for it.
    """
    quota, used = _used(world, dialect, key, usual)
    if used.requests >= quota.requests:
        raise _too_many(f"{quota.requests} requests in {quota.window:g} s")
    if quota.at_once is not None and used.at_once >= quota.at_once:
        raise _too_many(f"{quota.at_once} requests at once")
    used.requests += 1
    used.at_once += 1
    try:
        yield
    finally:
        used.at_once -= 1


def _used(world: World, dialect: str, key: str, usual: Quota) -> tuple[Quota, _Used]:
    quota = world.table(Quota).get(dialect, usual)
    now = world.clock.now()
    used = world.table(_Used).setdefault(f"{dialect}/{key}", _Used(began=now))
    if now >= used.began + quota.window:
        used.began, used.requests = now, 0
    return quota, used


def _too_many(limit: str) -> ArkError:
    text = f"Rate limit exceeded: {limit}"
    return ArkError(status=429, code="RATE_LIMITED", message=text, type="TooManyRequests")
