"""Where a bucket's state is: in this process, in a SQL database, or in Redis."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, cast
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

from doubao_core.errors import ConfigError, install_hint

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

_TABLE = "doubao_rate_limits"
_CREATE = f"CREATE TABLE IF NOT EXISTS {_TABLE} (name VARCHAR(255) PRIMARY KEY, arrival BIGINT)"
_ADD = f"INSERT INTO {_TABLE} VALUES (:name, 0) ON CONFLICT (name) DO NOTHING"  # noqa: S608 - a constant
_READ = f"SELECT arrival FROM {_TABLE} WHERE name = :name"  # noqa: S608 - a constant
_WRITE = f"UPDATE {_TABLE} SET arrival = :arrival WHERE name = :name"  # noqa: S608 - a constant
_NOW = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"
_BUSY_SECONDS = 30


def store(url: str | None, name: str) -> StateStore:
    """Make the store of the bucket *name*; nothing is connected before it is used."""
    if url is None:
        return InMemoryStateStore()
    with explained(url):
        remote = urlsplit(url).scheme.startswith("redis")
        return RedisStore(url, name) if remote else SqlStore(url, name)


@contextmanager
def explained(url: str) -> Generator[None]:
    """Say how to install the package that a count at *url* needs, if it is missing."""
    try:
        yield
    except ImportError as error:
        raise ConfigError(
            f"a rate limit at a {urlsplit(url).scheme} address needs the package {error.name!r}: "
            f"{install_hint('limits')}"
        ) from error


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
        from sqlalchemy import text

        self._text = text
        self._name = name
        self._engine = opened(url)
        self._postgres = self._engine.dialect.name == "postgresql"
        self._ready = False

    def check(
        self, algorithm: StateAlgorithm, rates: Sequence[Rate], now: int, weight: int
    ) -> Decision:
        """Apply ``algorithm.step`` to the row, which no other writer can touch meanwhile."""
        with self._transaction() as connection:
            before, now = self._locked(connection, now)
            (after, *_), decision = algorithm.step(list(rates), (before,), now, weight)
            if decision.allowed:
                values = {"name": self._name, "arrival": int(after)}
                connection.execute(self._text(_WRITE), values)
        return decision

    def read(self, algorithm: StateAlgorithm, rates: Sequence[Rate]) -> State:
        """Give the state, for reports."""
        with self._transaction() as connection:
            return (self._locked(connection, 0)[0],)

    def reset(self) -> None:
        """Forget what was used."""
        with self._transaction() as connection:
            connection.execute(self._text(_WRITE), {"name": self._name, "arrival": 0})

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def _locked(self, connection: Connection, now: int) -> tuple[int, int]:
        """Read the row and the time; a server's own clock, because those of machines differ."""
        # BEGIN IMMEDIATE has locked SQLite's file already.
        locking = " FOR UPDATE" if self._postgres else ""
        arrival = connection.execute(self._text(_READ + locking), {"name": self._name}).scalar_one()
        if self._postgres:
            now = int(connection.execute(self._text(_NOW)).scalar_one())
        return int(arrival), now

    @contextmanager
    def _transaction(self) -> Generator[Connection]:
        from sqlalchemy.exc import SQLAlchemyError

        try:
            with self._engine.begin() as connection:
                if not self._ready:
                    self._prepare(connection)
                yield connection
                self._ready = True
        except SQLAlchemyError as error:
            where = self._engine.url.render_as_string(hide_password=True)
            raise unreachable(where, getattr(error, "orig", None) or error) from error

    def _prepare(self, connection: Connection) -> None:
        if self._postgres:
            # Two processes that create one table at once fail, IF NOT EXISTS or not.
            lock = {"lock": zlib.crc32(_TABLE.encode())}
            connection.execute(self._text("SELECT pg_advisory_xact_lock(:lock)"), lock)
        connection.execute(self._text(_CREATE))
        connection.execute(self._text(_ADD), {"name": self._name})


def unreachable(where: str, error: BaseException) -> ConfigError:
    """Say that nothing can be counted at *where*, a URL without a password."""
    reason = str(error).partition("\n")[0]
    return ConfigError(f"cannot keep the rate limit at {where}: {reason}")


def opened(url: str) -> Engine:
    """Make the engine of a SQLite or PostgreSQL database, whose transactions are atomic."""
    from sqlalchemy import create_engine, event, make_url

    address = make_url(url)
    if address.drivername == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
    if address.get_backend_name() != "sqlite":
        return create_engine(address, pool_pre_ping=True)
    engine = create_engine(address, connect_args={"timeout": _BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _: Any) -> None:
        # sqlite3's own transactions begin too late to be atomic; the next listener begins them.
        connection.isolation_level = None
        # Of processes that switch a new file at once some are refused, whatever the timeout; the
        # file is switched then by another, and all of them go on.
        with suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA journal_mode=WAL")
        # A count that is lost in a power cut is no loss.
        connection.execute("PRAGMA synchronous=OFF")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
