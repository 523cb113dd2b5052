"""Where the state of an account is: in this process, in a SQL database, or in Redis."""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import urlsplit

import orjson

from doubao_core.pacing.rows import Row, explained, unreachable

if TYPE_CHECKING:
    from doubao_core.operation import JSON

T = TypeVar("T")
_TABLE = "doubao_plans"
_lock = threading.Lock()
_here: dict[tuple[int, str], MemoryRecord] = {}


class Record(ABC):
    """A state that one caller at a time changes, whoever else shares it."""

    @abstractmethod
    def change(self, step: Callable[[JSON], T]) -> T:
        """Let *step* change the state in place and give what it gives; it may be called again.

        What *step* did is forgotten if it raises.
        """


def record(url: str | None, name: str) -> Record:
    """Give the record *name*; nothing is connected before it is used."""
    if url is None:
        with _lock:
            return _here.setdefault((os.getpid(), name), MemoryRecord())
    with explained(url):
        remote = urlsplit(url).scheme.startswith("redis")
        return RedisRecord(url, name) if remote else SqlRecord(url, name)


class MemoryRecord(Record):
    """A state of this process."""

    def __init__(self) -> None:
        self._state = b"{}"
        self._changing = threading.Lock()

    def change(self, step: Callable[[JSON], T]) -> T:
        """Call *step* under a lock."""
        with self._changing:
            state = orjson.loads(self._state)
            given = step(state)
            self._state = orjson.dumps(state)
        return given


class SqlRecord(Record):
    """A state in one row of a SQLite or PostgreSQL database; every change is one transaction."""

    def __init__(self, url: str, name: str) -> None:
        self._row = Row(url, name, table=_TABLE, column="state", kind="TEXT", first="'{}'")

    def change(self, step: Callable[[JSON], T]) -> T:
        """Call *step* in a transaction that holds the row."""
        with self._row.held() as held:
            before = held.read()
            state = orjson.loads(before)
            given = step(state)
            if (after := orjson.dumps(state).decode()) != before:
                held.write(after)
        return given


class RedisRecord(Record):
    """A state under one key of a Redis server; who comes between makes the change begin again."""

    def __init__(self, url: str, name: str) -> None:
        from redis import Redis

        self._redis = Redis.from_url(url)
        self._key = f"{_TABLE}:{name}"
        self._where = urlsplit(url).hostname

    def change(self, step: Callable[[JSON], T]) -> T:
        """Call *step* until nobody has changed the state meanwhile."""
        from redis import RedisError

        def once(pipeline: Any) -> T:
            state = orjson.loads(pipeline.get(self._key) or b"{}")
            given = step(state)
            pipeline.multi()
            pipeline.set(self._key, orjson.dumps(state))
            return given

        # redis-py's types do not know that the function's value can be asked for.
        transaction = cast("Callable[..., T]", self._redis.transaction)
        try:
            return transaction(once, self._key, value_from_callable=True)
        except RedisError as error:
            raise unreachable(f"redis://{self._where}", error) from error
