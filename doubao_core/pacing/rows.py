"""One row of a SQL database that one caller at a time changes, whoever else shares it.

What the pace of a model (``stores``) and the plan of an account (``records``) have in common.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from doubao_core.errors import ConfigError, install_hint

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

_BUSY_SECONDS = 30


class Row:
    """A value in the row *name* of a table of a SQLite or PostgreSQL database.

    Args:
        url: The database; nothing is connected before it is used.
        name: The row, made with *first* when it is first held.
        table: Name of the table; made if it is not there.
        column: Name of the value's column.
        kind: Its SQL type.
        first: Its first value, as SQL.
    """

    def __init__(
        self, url: str, name: str, *, table: str, column: str, kind: str, first: str
    ) -> None:
        from sqlalchemy import text

        self._name = name
        self._table = table
        self._engine = opened(url)
        self.on_postgres = self._engine.dialect.name == "postgresql"
        # BEGIN IMMEDIATE has locked SQLite's file already.
        locking = " FOR UPDATE" if self.on_postgres else ""
        # The names are constants of the modules that use this.
        self._create = text(
            f"CREATE TABLE IF NOT EXISTS {table} (name VARCHAR(255) PRIMARY KEY, {column} {kind})"
        )
        self._add = text(
            f"INSERT INTO {table} VALUES (:name, {first}) ON CONFLICT (name) DO NOTHING"  # noqa: S608 - see above
        )
        self._read = text(f"SELECT {column} FROM {table} WHERE name = :name{locking}")  # noqa: S608 - see above
        self._write = text(f"UPDATE {table} SET {column} = :value WHERE name = :name")  # noqa: S608 - see above
        self._ready = False

    @contextmanager
    def held(self) -> Generator[Held]:
        """Hold the row in a transaction, which is undone if the block raises.

        Raises:
            ConfigError: The database cannot be used.
        """
        from sqlalchemy.exc import SQLAlchemyError

        try:
            with self._engine.begin() as connection:
                if not self._ready:
                    self._prepare(connection)
                yield Held(self, connection)
                self._ready = True
        except SQLAlchemyError as error:
            where = self._engine.url.render_as_string(hide_password=True)
            raise unreachable(where, getattr(error, "orig", None) or error) from error

    def _prepare(self, connection: Connection) -> None:
        if self.on_postgres:
            from sqlalchemy import text

            # Two processes that create one table at once fail, IF NOT EXISTS or not.
            lock = {"lock": zlib.crc32(self._table.encode())}
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), lock)
        connection.execute(self._create)
        connection.execute(self._add, {"name": self._name})

    def _value(self, connection: Connection) -> Any:
        return connection.execute(self._read, {"name": self._name}).scalar_one()

    def _set(self, connection: Connection, value: Any) -> None:
        connection.execute(self._write, {"name": self._name, "value": value})

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()


class Held:
    """A row while it is held: nobody else can read or change it."""

    def __init__(self, row: Row, connection: Connection) -> None:
        self._row = row
        self._connection = connection

    def read(self) -> Any:
        """Give the value."""
        return self._row._value(self._connection)  # noqa: SLF001 - the other half of the row

    def write(self, value: Any) -> None:
        """Set the value."""
        self._row._set(self._connection, value)  # noqa: SLF001 - the other half of the row

    def scalar(self, query: str) -> Any:
        """Ask the database something else meanwhile."""
        from sqlalchemy import text

        return self._connection.execute(text(query)).scalar_one()


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


def unreachable(where: str, error: BaseException) -> ConfigError:
    """Say that nothing can be counted at *where*, a URL without a password."""
    reason = str(error).partition("\n")[0]
    return ConfigError(f"cannot keep the rate limit at {where}: {reason}")


def opened(url: str) -> Engine:
    """Make the engine of a SQLite or PostgreSQL database, whose transactions are atomic."""
    from sqlalchemy import create_engine, make_url

    address = make_url(url)
    if address.drivername == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
    if address.get_backend_name() != "sqlite":
        return create_engine(address, pool_pre_ping=True)
    # A count that is lost in a power cut is no loss.
    return on_sqlite(address, synchronous="OFF")


def on_sqlite(address: URL, *, synchronous: str) -> Engine:
    """Make an engine for a file of SQLite whose transactions are atomic between processes.

    A connection whose execution options have ``doubao_reading`` only reads, beside who writes.

    Args:
        address: The file; nothing is connected before it is used.
        synchronous: How much care is taken for a power cut, as SQLite calls it.
    """
    from sqlalchemy import create_engine, event

    engine = create_engine(address, connect_args={"timeout": _BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _: Any) -> None:
        # sqlite3's own transactions begin too late to be atomic; the next listener begins them.
        connection.isolation_level = None
        # Of processes that switch a new file at once some are refused, whatever the timeout; the
        # file is switched then by another, and all of them go on.
        with suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={synchronous}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get("doubao_reading")
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine
