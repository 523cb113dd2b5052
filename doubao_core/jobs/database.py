"""The database of the ledger: its tables, and connections whose transactions are atomic."""

from __future__ import annotations

import os
import time
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Column,
    Connection,
    Double,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    event,
    func,
    insert,
    make_url,
    select,
    text,
)
from sqlalchemy.exc import SQLAlchemyError

from doubao_core.jobs.errors import LedgerError
from doubao_core.pacing.rows import on_sqlite

VERSION = 2
"""Of the tables; an older ledger is brought to it, a newer one is refused."""
LONGEST_KEY = 200

_TABLES = MetaData()
JOBS = Table(
    "doubao_jobs",
    _TABLES,
    Column("key", String(LONGEST_KEY), primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("id", String(32), nullable=False),
    Column("provider", String(64), nullable=False),
    Column("model", String(255), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("request", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("mark", String(64)),
    Column("posted_at", Double),
    Column("lost_at", Double),
    Column("task_id", String(255)),
    Column("status", String(64)),
    Column("answer", Text),
    Column("result", Text),
    Column("error", Text),
    Column("reason", Text),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("owner", String(64)),
    Column("lease_until", Double),
    # Since version 2.
    Column("output_dir", Text),
    UniqueConstraint("provider", "task_id", name="doubao_jobs_task"),
)
VERSIONS = Table("doubao_jobs_version", _TABLES, Column("version", Integer, primary_key=True))
_MIGRATIONS = {2: "ALTER TABLE doubao_jobs ADD COLUMN output_dir TEXT"}
"""What makes a version of the one before it."""


def engine_of(url: str) -> Engine:
    """Make what connects to *url*; nothing is opened before it is used.

    Raises:
        LedgerError: It is no address of a database that lasts.
    """
    try:
        address = make_url(url)
        backend = address.get_backend_name()
        if backend == "postgresql":
            return _on_postgresql(address)
    except (SQLAlchemyError, ValueError) as error:
        # What has no scheme is a file's name, unless it looks like somebody's password.
        meant = "file" if {":", "@"} & {*url} else url
        raise LedgerError(
            f"the ledger's name is no database address: use sqlite:///{meant} or "
            "postgresql://user@host/database"
        ) from error
    if backend != "sqlite":
        raise LedgerError(f"a ledger is kept in SQLite or PostgreSQL, not in {backend}")
    return _on_sqlite(address)


def _on_postgresql(address: URL) -> Engine:
    if address.drivername == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
    # Each move is one statement, which is atomic; a stricter level of the server's would refuse
    # some instead of letting them wait for each other.
    return create_engine(address, pool_pre_ping=True, isolation_level="READ COMMITTED")


def _on_sqlite(address: URL) -> Engine:
    if address.database in {None, "", ":memory:"}:
        raise LedgerError(
            "a ledger in memory forgets what was paid for: name a file, as in sqlite:///jobs.sqlite3"
        )
    file = None
    if not str(address.database).startswith("file:"):
        # The process may change its folder between two connections.
        file = Path(str(address.database)).absolute()
        address = address.set(database=str(file))
    # Some builds of SQLite take less care by default, and a mark that a power cut undid would be a
    # second payment.
    engine = on_sqlite(address, synchronous="EXTRA")
    if file is not None:
        _watch(engine, file)
    return engine


def make_private(file: Path) -> None:
    """Make an empty database that only its owner may read, unless there is one.

    It will hold prompts, pictures and addresses that are signed.
    """
    # Where that cannot be, the database says so in its own words.
    with suppress(OSError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL, 0o600))


def _watch(engine: Engine, file: Path) -> None:
    """Refuse to go on with a file that was removed or replaced under an open connection.

    What is written to such a file is read by nobody: a job in it would be paid for again.
    """
    opened: list[tuple[int, int]] = []

    @event.listens_for(engine, "do_connect")
    def _create(*_: Any) -> None:
        if not opened:
            make_private(file)
        elif not file.exists():
            # SQLite would make an empty one, which the next process takes for the ledger.
            raise LedgerError(_gone(file))

    # Before a transaction is begun on it.
    @event.listens_for(engine, "begin", insert=True)
    def _check(_: Connection) -> None:
        try:
            found = file.stat()
        except OSError as error:
            raise LedgerError(_gone(file)) from error
        opened[:] = opened or [(found.st_dev, found.st_ino)]
        if opened[0] != (found.st_dev, found.st_ino):
            raise LedgerError(_gone(file))


def _gone(file: Path) -> str:
    return (
        f"the database {file.name} was removed or replaced while it was in use, and nothing was "
        "written or sent: put it back, or start again with another"
    )


def create(connection: Connection) -> None:
    """Make the tables, unless another process did."""
    _alone(connection)
    _TABLES.create_all(connection, checkfirst=True)
    if connection.execute(select(func.count()).select_from(VERSIONS)).scalar_one() == 0:
        connection.execute(insert(VERSIONS).values(version=VERSION))


def version_of(connection: Connection) -> int:
    """Give the version of the tables that are there."""
    return int(connection.execute(select(func.max(VERSIONS.c.version))).scalar_one())


def migrate(connection: Connection) -> None:
    """Bring the tables to this version, unless another process did.

    Columns are added, which releases before them do not notice while they run; started anew, they
    refuse the ledger.
    """
    _alone(connection)
    for version in range(version_of(connection) + 1, VERSION + 1):
        connection.execute(text(_MIGRATIONS[version]))
        connection.execute(insert(VERSIONS).values(version=version))


def _alone(connection: Connection) -> None:
    """Keep other processes from the tables until the transaction ends; SQLite's does so itself."""
    if connection.dialect.name == "postgresql":
        # Two processes that create one table at once fail, IF NOT EXISTS or not.
        connection.execute(select(func.pg_advisory_xact_lock(zlib.crc32(JOBS.name.encode()))))


def server_time(connection: Connection) -> float:
    """Give the time by which leases are measured: a server's own, as those of machines differ."""
    if connection.dialect.name != "postgresql":
        return time.time()
    epoch = select(func.extract("epoch", func.clock_timestamp()))
    return float(connection.execute(epoch).scalar_one())
