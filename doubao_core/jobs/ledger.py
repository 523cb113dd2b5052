"""The ledger: one row per job, in SQLite or PostgreSQL, changed by compare-and-swap only.

With ``database`` the one place that knows SQLAlchemy. Every change names the state and the attempt
that it starts from, so that of two processes one succeeds and the other is told. Who works on a job
holds a lease of it: leases keep work from being done twice, and the moves keep it from being *paid*
twice. No key of the service is ever written.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Collection, Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields, replace
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, inspect, or_, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from doubao_core.errors import ConfigError
from doubao_core.jobs.database import (
    JOBS,
    LONGEST_KEY,
    VERSION,
    VERSIONS,
    create,
    engine_of,
    migrate,
    server_time,
    version_of,
)
from doubao_core.jobs.errors import LedgerError
from doubao_core.jobs.machine import ENDED, State, moved, sources
from doubao_core.jobs.record import Record

# Databases bound the number of values in a query.
_AT_ONCE = 500
_JSON = frozenset({"request", "answer", "result", "error"})
# What only the process that sent the request can know.
_ANSWERS = frozenset({State.ACCEPTED, State.MADE, State.REFUSED})
# A list needs neither the bodies, which may hold pictures, nor the answers.
_LARGE = frozenset({"request", "answer"})

_COLUMNS = [JOBS.c[each.name] for each in fields(Record)]
_SMALL = [column for column in _COLUMNS if column.name not in _LARGE]


class Ledger:
    """The jobs of one database; serves many threads, and nothing is opened before it is used.

    Args:
        url: ``sqlite:///file``, or ``postgresql://…`` for several machines.
        lease: Seconds after which work of a process that no longer says so may be taken over.
    """

    def __init__(self, url: str, *, lease: float = 30.0) -> None:
        if not lease > 0:
            raise ConfigError(f"lease must be more than 0 seconds, not {lease!r}")
        self.lease = lease
        self._engine = engine_of(url)
        self._process = os.getpid()
        self._ready = False

    @property
    def where(self) -> str:
        """The address without its user, password and options."""
        url = self._engine.url
        host = f"{url.host or ''}{f':{url.port}' if url.port else ''}"
        return f"{url.get_backend_name()}://{host}/{url.database or ''}"

    def intend(self, draft: Record) -> Record:
        """Write down what is about to be sent, or give what the key stands for already.

        Raises:
            ConfigError: The key stands for another order, or the ledger cannot be written.
        """
        check_key(draft.key)
        known = self.find(draft.key)
        if known is None:
            now = time.time()
            draft = replace(draft, created_at=now, updated_at=now)
            values = {each.name: getattr(draft, each.name) for each in fields(Record)}
            # Another process may be first.
            with suppress(IntegrityError), self._writing() as connection:
                connection.execute(insert(JOBS).values(_row(values)))
            known = self.get(draft.key)
        if (known.kind, known.digest) != (draft.kind, draft.digest):
            raise ConfigError(
                f"job {draft.key!r} stands for another order already: a key means one order for "
                "ever; give this one another key"
            )
        return known

    def find(self, key: str) -> Record | None:
        """Give the job of *key*, if there is one."""
        with self._reading() as connection:
            row = connection.execute(select(*_COLUMNS).where(JOBS.c.key == key)).mappings().first()
        return None if row is None else _record(row)

    def get(self, key: str) -> Record:
        """Give the job of *key*.

        Raises:
            ConfigError: There is none.
        """
        if (record := self.find(key)) is None:
            raise ConfigError(f"there is no job {key!r} in the ledger at {self.where}")
        return record

    def jobs(self, states: Collection[State] | None = None) -> list[Record]:
        """Give the jobs in any of *states*, oldest first, without their requests."""
        query = select(*_SMALL).order_by(JOBS.c.created_at, JOBS.c.key)
        if states is not None:
            query = query.where(JOBS.c.state.in_(_names(states)))
        with self._reading() as connection:
            return [_record(row) for row in connection.execute(query).mappings()]

    def unknown(self, besides: Record) -> list[Record]:
        """Give the films, *besides* one, of which nobody knows whether they were created."""
        lost = (State.SUBMITTING, State.UNSURE, State.HELD)
        query = select(*_COLUMNS).where(
            JOBS.c.provider == besides.provider,
            JOBS.c.kind == "video",
            JOBS.c.state.in_(_names(lost)),
            JOBS.c.key != besides.key,
        )
        with self._reading() as connection:
            return [_record(row) for row in connection.execute(query).mappings()]

    def bound(self, besides: Record, ids: Sequence[str]) -> dict[str, str | None]:
        """Give those of *ids* that are tasks of other jobs, with the marks that they carry."""
        found: dict[str, str | None] = {}
        with self._reading() as connection:
            for start in range(0, len(ids), _AT_ONCE):
                query = select(JOBS.c.task_id, JOBS.c.mark).where(
                    JOBS.c.provider == besides.provider,
                    JOBS.c.task_id.in_(ids[start : start + _AT_ONCE]),
                    JOBS.c.key != besides.key,
                )
                found |= {row.task_id: row.mark for row in connection.execute(query)}
        return found

    def knows(self, provider: str, task_id: str) -> bool:
        """Whether *task_id* is the task of any job of *provider*."""
        query = select(JOBS.c.key).where(JOBS.c.provider == provider, JOBS.c.task_id == task_id)
        with self._reading() as connection:
            return connection.execute(query).first() is not None

    def move(
        self, record: Record, after: State, *, token: str | None = None, **changes: Any
    ) -> Record | None:
        """Move a job to *after*, if it is still what *record* says.

        An answer that came after all also beats whatever was concluded from its absence.

        Args:
            record: The job, as it was read.
            after: Where to.
            token: Who works on it from now on, for one lease.
            changes: Other columns to set.

        Returns:
            The job as it is now; ``None`` if another process was faster.
        """
        moved(record.state, after)
        before = {record.state}
        if after in _ANSWERS:
            # Also one that a person released meanwhile: the attempt tells whether it was sent anew.
            before = {*sources(after), State.NEW}
        return self._swap(record, before, {"state": after, **changes}, token)

    def marked(self, key: str, attempt: int, token: str) -> Record | None:
        """Give the job of *key* if this attempt at it is being sent under *token*."""
        query = select(*_COLUMNS).where(
            JOBS.c.key == key,
            JOBS.c.attempt == attempt,
            JOBS.c.owner == token,
            JOBS.c.state == State.SUBMITTING.value,
        )
        with self._reading() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else _record(row)

    def note(self, record: Record, **changes: Any) -> Record | None:
        """Set columns of a job that is still in the same state; gives what :meth:`move` gives."""
        return self._swap(record, {record.state}, changes, None)

    def _swap(
        self,
        record: Record,
        before: Collection[State],
        changes: dict[str, Any],
        token: str | None,
    ) -> Record | None:
        changes["updated_at"] = time.time()
        where = (
            JOBS.c.key == record.key,
            JOBS.c.attempt == record.attempt,
            JOBS.c.state.in_(_names(before)),
        )
        try:
            with self._writing() as connection:
                lease = self._leased(connection, token) if token else {}
                statement = update(JOBS).where(*where).values(**_row(changes), **lease)
                if connection.execute(statement).rowcount != 1:
                    return None
        except IntegrityError:
            # The task was bound to another job in the meantime.
            return None
        return replace(record, **changes)

    def claim(self, key: str, token: str) -> bool:
        """Take the lease of a job that is not done, if it is free, lapsed or our own."""
        with self._writing() as connection:
            now = server_time(connection)
            free = or_(JOBS.c.owner.is_(None), JOBS.c.owner == token, JOBS.c.lease_until < now)
            statement = (
                update(JOBS)
                .where(JOBS.c.key == key, JOBS.c.state.not_in(_names(ENDED)), free)
                .values(self._leased(connection, token))
            )
            return connection.execute(statement).rowcount == 1

    def taken(self) -> dict[str, float]:
        """Give the jobs that anybody works on, with the seconds for which their leases last."""
        with self._reading() as connection:
            now = server_time(connection)
            query = select(JOBS.c.key, JOBS.c.lease_until).where(
                JOBS.c.owner.is_not(None),
                JOBS.c.lease_until >= now,
                JOBS.c.state.not_in(_names(ENDED)),
            )
            return {row.key: row.lease_until - now for row in connection.execute(query)}

    def renew(self, tokens: Iterable[str]) -> None:
        """Say that the work under these tokens goes on."""
        with self._writing() as connection:
            until = server_time(connection) + self.lease
            owned = JOBS.c.owner.in_(sorted(tokens))
            connection.execute(update(JOBS).where(owned).values(lease_until=until))

    def drop(self, token: str) -> None:
        """Give back what was taken under *token*."""
        with self._writing() as connection:
            statement = update(JOBS).where(JOBS.c.owner == token)
            connection.execute(statement.values(owner=None, lease_until=None))

    def close(self) -> None:
        """Close the connections; the next use opens new ones."""
        self._engine.dispose()

    def _leased(self, connection: Connection, token: str) -> dict[str, Any]:
        return {"owner": token, "lease_until": server_time(connection) + self.lease}

    @contextmanager
    def _reading(self) -> Generator[Connection]:
        with self._explained("read"):
            self._prepare()
            with self._begun(reading=True) as connection:
                yield connection

    @contextmanager
    def _writing(self) -> Generator[Connection]:
        with self._explained("written"):
            self._prepare()
            with self._begun(reading=False) as connection:
                yield connection

    @contextmanager
    def _begun(self, *, reading: bool) -> Generator[Connection]:
        if self._process != os.getpid():
            # Connections that were forked are the parent's: two who use one garble it.
            self._engine.dispose(close=False)
            self._process = os.getpid()
        with self._engine.connect() as connection:
            connection.execution_options(doubao_reading=reading)
            with connection.begin():
                yield connection

    def _prepare(self) -> None:
        """Make the tables if there are none; a ledger that is only read needs no right to."""
        if self._ready:
            return
        with self._begun(reading=True) as connection:
            known = inspect(connection).has_table(VERSIONS.name)
        if not known:
            with self._begun(reading=False) as connection:
                create(connection)
        with self._begun(reading=True) as connection:
            version = version_of(connection)
        if version > VERSION:
            raise LedgerError(
                f"the job ledger at {self.where} has version {version} of the tables, and this "
                f"library knows version {VERSION}: use the release that wrote it, or another ledger"
            )
        if version < VERSION:
            doing = f"brought from version {version} of the tables to {VERSION}"
            with self._explained(doing), self._begun(reading=False) as connection:
                migrate(connection)
        self._ready = True

    @contextmanager
    def _explained(self, used: str) -> Generator[None]:
        try:
            yield
        except IntegrityError:
            raise
        except SQLAlchemyError as error:
            reason = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
            raise LedgerError(
                f"the job ledger at {self.where} cannot be {used}: {reason}; make it so, or name "
                "another ledger"
            ) from error


def _names(states: Collection[State]) -> list[str]:
    return sorted(state.value for state in states)


def _row(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _cell(name, value) for name, value in values.items()}


def _cell(name: str, value: Any) -> Any:
    if isinstance(value, State):
        return value.value
    return json.dumps(value) if name in _JSON and value is not None else value


def _record(row: RowMapping) -> Record:
    values = dict(row)
    for name in _JSON & values.keys():
        values[name] = None if values[name] is None else json.loads(values[name])
    return Record(**{**values, "state": State(values["state"])})


def check_key(key: str) -> None:
    """Refuse a key that no ledger can keep.

    Raises:
        ConfigError: It is empty, too long or has signs that cannot be shown.
    """
    if not isinstance(key, str) or not 0 < len(key) <= LONGEST_KEY or not key.isprintable():
        raise ConfigError(
            f"{str(key)[:80]!r} is no job key: use 1 to {LONGEST_KEY} printable characters"
        )
