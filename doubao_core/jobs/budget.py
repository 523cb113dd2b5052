"""Money that a batch may spend: reserved before a job is submitted, settled when it has ended.

The sum is kept beside the batch's queue, so that it holds after a restart and for all machines that
work on the batch.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import TYPE_CHECKING

from doubao_core.errors import ConfigError
from doubao_core.prices import Estimate

if TYPE_CHECKING:
    from sqlalchemy import Connection

_TABLE = "doubao_batch_spending"
_CREATE = (
    f"CREATE TABLE IF NOT EXISTS {_TABLE} (batch VARCHAR(200), job VARCHAR(200), "
    "amount VARCHAR(64), settled INTEGER, PRIMARY KEY (batch, job))"
)
# Of PostgreSQL's processes that create a table at once, some are refused.
_CREATING = "SELECT pg_advisory_xact_lock(7305808869229538660)"


class Room(Enum):
    """Whether the budget has room for a job."""

    YES = "yes"
    LATER = "later"
    """Others that run may turn out to be cheaper."""
    NO = "no"


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that all jobs of a batch may cost together, by the prices of a table.

    Args:
        amount: Such as ``"50"`` or ``Decimal("7.5")``.
        currency: ISO 4217 code of the prices, such as ``"CNY"``.
    """

    amount: Decimal
    currency: str

    def __init__(self, amount: Decimal | str | int, currency: str) -> None:
        try:
            limit = Decimal(amount)
        except (InvalidOperation, TypeError, ValueError) as error:
            raise ConfigError(f"a budget is an amount of money, not {amount!r}") from error
        if not limit.is_finite() or limit <= 0:
            raise ConfigError(f"a budget is an amount of more than 0, not {amount!r}")
        object.__setattr__(self, "amount", limit)
        object.__setattr__(self, "currency", currency)

    def checked(self, key: str, expected: Estimate) -> Decimal:
        """Give what job *key* costs at most.

        Raises:
            ConfigError: That is not known, or is money of another kind.
        """
        if expected.amount is None:
            raise ConfigError(
                f"job {key!r} cannot be held against the budget: {expected.text}, or leave the "
                "budget out"
            )
        if expected.currency != self.currency:
            raise ConfigError(
                f"job {key!r} costs {expected.currency}, and the budget is in {self.currency}: "
                "give the budget in the currency of the prices"
            )
        return expected.amount


class Spending:
    """What the jobs of one batch have cost and may cost; safe for many threads and machines.

    Args:
        url: The database of the queue.
        batch: Name of the batch.
        budget: Its limit, which may be another at the next start.
    """

    def __init__(self, url: str, batch: str, budget: Budget) -> None:
        from doubao_core.jobs.database import engine_of

        self._engine = engine_of(url)
        self._batch = batch
        self._limit = budget.amount
        with self._engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(_CREATING)
            connection.exec_driver_sql(_CREATE)

    def reserve(self, job: str, amount: Decimal) -> Room:
        """Set *amount* aside for *job*, if the budget has so much left."""
        with self._locked() as connection:
            known = self._rows(connection)
            if job in known:
                return Room.YES
            if sum((each for each, _ in known.values()), amount) <= self._limit:
                self._write(connection, job, amount, settled=False)
                return Room.YES
            running = any(not settled for _, settled in known.values())
            return Room.LATER if running else Room.NO

    def settle(self, job: str, amount: Decimal | None) -> None:
        """Say what *job* has cost; if that is not known, what it may have cost counts."""
        with self._locked() as connection:
            reserved, _ = self._rows(connection).get(job, (Decimal(0), False))
            self._write(connection, job, reserved if amount is None else amount, settled=True)

    def release(self, job: str) -> None:
        """Say that nothing was paid for *job*."""
        with self._locked() as connection:
            self._delete(connection, job)

    @property
    def total(self) -> Decimal:
        """What is spent and set aside."""
        with self._locked() as connection:
            return sum((each for each, _ in self._rows(connection).values()), Decimal(0))

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    @contextmanager
    def _locked(self) -> Generator[Connection]:
        # The transaction begins with a change of the batch's own row, which only one can make at a
        # time, in SQLite as in PostgreSQL.
        with self._engine.begin() as connection:
            self._write(connection, "", Decimal(0), settled=True)
            yield connection

    def _rows(self, connection: Connection) -> dict[str, tuple[Decimal, bool]]:
        from sqlalchemy import text

        query = text(f"SELECT job, amount, settled FROM {_TABLE} WHERE batch = :batch")  # noqa: S608 - a constant
        rows = connection.execute(query, {"batch": self._batch})
        return {job: (Decimal(amount), bool(settled)) for job, amount, settled in rows}

    def _write(self, connection: Connection, job: str, amount: Decimal, *, settled: bool) -> None:
        from sqlalchemy import text

        statement = text(
            f"INSERT INTO {_TABLE} VALUES (:batch, :job, :amount, :settled) "  # noqa: S608 - a constant
            "ON CONFLICT (batch, job) DO UPDATE SET amount = :amount, settled = :settled"
        )
        values = {"batch": self._batch, "job": job, "amount": str(amount), "settled": int(settled)}
        connection.execute(statement, values)

    def _delete(self, connection: Connection, job: str) -> None:
        from sqlalchemy import text

        statement = text(f"DELETE FROM {_TABLE} WHERE batch = :batch AND job = :job")  # noqa: S608 - a constant
        connection.execute(statement, {"batch": self._batch, "job": job})
