"""Where a bucket's state is: in this process, in a SQL database, or in Redis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast
from urllib.parse import urlsplit

from pyrate_limiter import (
    Decision,
    InMemoryStateStore,
    Rate,
    RedisStateStore,
    StateAlgorithm,
    StateStore,
    WallClock,
)
from pyrate_limiter.abstracts.algorithm import State

from doubao_core.pacing.rows import Row, explained, unreachable

_TABLE = "doubao_rate_limits"
_NOW = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"


def store(url: str | None, name: str) -> StateStore:
    """Make the store of the bucket *name*; nothing is connected before it is used."""
    if url is None:
        return InMemoryStateStore()
    with explained(url):
        remote = urlsplit(url).scheme.startswith("redis")
        return RedisStore(url, name) if remote else SqlStore(url, name)


class RedisStore(RedisStateStore):
    """State in one hash of a Redis server; every check is one script."""

    def __init__(self, url: str, name: str) -> None:
        from redis import Redis

        super().__init__(Redis.from_url(url), f"{_TABLE}:{name}")
        self._where = urlsplit(url).hostname

    def check(
        self, algorithm: StateAlgorithm, rates: Sequence[Rate], now: int, weight: int
    ) -> Decision:
        """Run the algorithm's script."""
        from redis import RedisError

        try:
            # pyrate-limiter leaves this one untyped; with a blocking client it is no awaitable.
            check = cast("Callable[..., Decision]", super().check)
            return check(algorithm, rates, now, weight)
        except RedisError as error:
            raise unreachable(f"redis://{self._where}", error) from error


class SqlStore(StateStore):
    """State in one row of a SQLite or PostgreSQL database; every check is one transaction."""

    default_clock = WallClock()

    def __init__(self, url: str, name: str) -> None:
        self._row = Row(url, name, table=_TABLE, column="arrival", kind="BIGINT", first="0")

    def check(
        self, algorithm: StateAlgorithm, rates: Sequence[Rate], now: int, weight: int
    ) -> Decision:
        """Apply ``algorithm.step`` to the row, which no other writer can touch meanwhile."""
        with self._row.held() as held:
            before = int(held.read())
            if self._row.on_postgres:
                # The server's own clock, because those of machines differ.
                now = int(held.scalar(_NOW))
            (after, *_), decision = algorithm.step(list(rates), (before,), now, weight)
            if decision.allowed:
                held.write(int(after))
        return decision

    def read(self, algorithm: StateAlgorithm, rates: Sequence[Rate]) -> State:
        """Give the state, for reports."""
        with self._row.held() as held:
            return (int(held.read()),)

    def reset(self) -> None:
        """Forget what was used."""
        with self._row.held() as held:
            held.write(0)

    def close(self) -> None:
        """Close the connections."""
        self._row.close()
