"""Waits until a request may go, and makes everybody who shares a limit pause after a refusal."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from doubao_core.errors import ConfigError
from doubao_core.pacing.limit import RateLimit

if TYPE_CHECKING:
    import asyncio

    from doubao_core.pacing.bucket import Bucket

LONGEST_PAUSE = 30.0
"""Seconds that a refusal without ``Retry-After`` stops everybody at most; the first: one."""
RAMP = 10.0
"""Seconds after a pause in which the pace goes from half to whole."""
_NOTICEABLE = 0.5
_LONG = 5.0
"""Seconds of waiting that are said aloud, or else they look like a hang."""
_LOG = logging.getLogger("doubao_core.pacing")
_lock = threading.Lock()
_pacers: dict[tuple[int, RateLimit, str], Pacer] = {}


def pacer(limit: RateLimit, name: str) -> Pacer:
    """Give this process's pacer of *limit* for the requests called *name*.

    Args:
        limit: What may be used; equal limits with equal names share one pacer.
        name: What counts together, if the limit has no name of its own.
    """
    # A child process must not use its parent's connections.
    key = os.getpid(), limit, limit.name or name
    with _lock:
        if (found := _pacers.get(key)) is None:
            found = _pacers[key] = _made(limit, limit.name or name)
        return found


def _made(limit: RateLimit, name: str) -> Pacer:
    from doubao_core.pacing.bucket import Bucket
    from doubao_core.pacing.stores import store

    def bucket(per_minute: float | None, unit: str) -> Bucket | None:
        if per_minute is None:
            return None
        return Bucket(per_minute, store(limit.url, f"{name} {unit}"))

    return Pacer(
        limit,
        bucket(limit.requests_per_minute, "requests"),
        bucket(limit.tokens_per_minute, "tokens"),
    )


class Pacer:
    """Paces the requests of one limit; for any number of threads and event loops.

    One caller of a process waits at a time, the others behind it, so that a shared store is asked
    once per request and not by all who wait.
    """

    def __init__(self, limit: RateLimit, requests: Bucket | None, tokens: Bucket | None) -> None:
        self._limit = limit
        self._requests = requests
        self._tokens = tokens
        self._shared = limit.url is not None
        self._turn = threading.Lock()
        self._turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = (
            WeakKeyDictionary()
        )
        self._refusals = 0
        self._paused_until = 0.0
        self._slow_until = 0.0
        self._owed = 0.0

    @property
    def counts_tokens(self) -> bool:
        """Whether it needs to know how many tokens a request has."""
        return self._tokens is not None

    def wait(self, tokens: int = 0) -> None:
        """Wait until a request of *tokens* tokens may go; a long wait is logged once.

        Raises:
            ConfigError: It has more tokens than any minute may have.
        """
        self._check(tokens)
        told = False
        with self._turn:
            for bucket, weight, later in self._shares(tokens):
                while (seconds := bucket.take(weight)) > 0:
                    self._noticed(bucket, weight, seconds)
                    told = told or self._told(bucket, seconds + later)
                    time.sleep(seconds)

    async def await_(self, tokens: int = 0) -> None:
        """Wait until a request of *tokens* tokens may go; see :meth:`wait`."""
        import asyncio

        self._check(tokens)
        told = False
        loop = asyncio.get_running_loop()
        async with self._turns.setdefault(loop, asyncio.Lock()):
            for bucket, weight, later in self._shares(tokens):
                while (seconds := await self._taken(bucket, weight)) > 0:
                    self._noticed(bucket, weight, seconds)
                    told = told or self._told(bucket, seconds + later)
                    await asyncio.sleep(seconds)

    def refused(self, retry_after: float | None = None) -> None:
        """Tell that the service refused a request for its rate: everybody pauses, then ramps up.

        Args:
            retry_after: Seconds that the service asks for; else 1, doubling up to
                :data:`LONGEST_PAUSE` while it goes on refusing.
        """
        now = time.monotonic()
        if now >= self._paused_until:
            # Requests that were in flight together are refused together: one reason to pause.
            again = now < self._slow_until
            self._refusals = self._refusals + 1 if again else 1
        pause = retry_after or min(2.0 ** (self._refusals - 1), LONGEST_PAUSE)
        self._paused_until = max(self._paused_until, now + pause)
        self._slow_until = self._paused_until + RAMP
        for bucket in (self._requests, self._tokens):
            if bucket is not None:
                bucket.push(pause=pause)

    async def arefused(self, retry_after: float | None = None) -> None:
        """Tell that the service refused a request; see :meth:`refused`."""
        if self._shared:
            import asyncio

            await asyncio.to_thread(self.refused, retry_after)
        else:
            self.refused(retry_after)

    def correct(self, tokens: int) -> None:
        """Count *tokens* more than were waited for, or fewer if negative."""
        if self._tokens is not None and tokens:
            self._tokens.push(units=tokens)

    async def acorrect(self, tokens: int) -> None:
        """Count *tokens* more, or fewer; see :meth:`correct`."""
        if self._shared:
            import asyncio

            await asyncio.to_thread(self.correct, tokens)
        else:
            self.correct(tokens)

    async def _taken(self, bucket: Bucket, weight: int) -> float:
        if self._shared:
            import asyncio

            return await asyncio.to_thread(bucket.take, weight)
        return bucket.take(weight)

    def _check(self, tokens: int) -> None:
        most = self._limit.tokens_per_minute
        if most is not None and tokens > most:
            raise ConfigError(
                f"this request has about {tokens} tokens, more than tokens_per_minute={most:g} "
                "allows in any minute: raise the limit or split it"
            )

    def _shares(self, tokens: int) -> Iterator[tuple[Bucket, int, float]]:
        """Give what to take of which bucket, and the seconds that the rest takes at least."""
        if (requests := self._requests) is not None:
            yield requests, min(1 + self._surcharge(), requests.burst), 0.0
        if (bucket := self._tokens) is not None:
            while tokens > 0:
                share = min(tokens, bucket.burst)
                tokens -= share
                yield bucket, share, tokens * bucket.unit

    def _surcharge(self) -> int:
        """Let a request count for two: every one right after a pause, then fewer and fewer."""
        left = self._slow_until - time.monotonic()
        if left <= 0:
            return 0
        self._owed += min(left / RAMP, 1.0)
        if self._owed < 1:
            return 0
        self._owed -= 1
        return 1

    def _told(self, bucket: Bucket, seconds: float) -> bool:
        """Log that a request waits *seconds*, if that is long."""
        if seconds <= _LONG:
            return False
        name = "requests_per_minute" if bucket is self._requests else "tokens_per_minute"
        _LOG.warning("waiting %.0f s for %s=%s", seconds, name, getattr(self._limit, name))
        return True

    def _noticed(self, bucket: Bucket, weight: int, seconds: float) -> None:
        """Ramp up after a pause that another process was the reason of, too."""
        if bucket is self._requests and seconds > weight * bucket.unit + _NOTICEABLE:
            self._slow_until = max(self._slow_until, time.monotonic() + seconds + RAMP)
