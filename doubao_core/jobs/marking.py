"""The mark of a job, made when its request goes onto the wire and not while it waits to.

A request may wait long: for a rate limit, a plan, a refusal that passes. Who is killed meanwhile
has sent nothing, and the ledger says so.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

from doubao_core.errors import (
    ConfigError,
    ConnectionFailed,
    DoubaoError,
    QuotaExceeded,
    RateLimited,
    from_reply,
)
from doubao_core.jobs.driver import to_its_end
from doubao_core.jobs.ledger import Ledger
from doubao_core.jobs.machine import State
from doubao_core.jobs.record import Record
from doubao_core.operation import Reader, Reply
from doubao_core.pacing import ANNOUNCED, Toll

T = TypeVar("T")
_LOG = logging.getLogger(__name__)
_REFUSED = 400


class OvertakenError(ConfigError):
    """Another process sends the job's request; this one sent nothing."""


class Marking:
    """Marks one attempt at a job in the ledger, and takes the mark back when it was refused.

    Args:
        ledger: Where the job is.
        record: The job, as nothing of this attempt was sent.
        token: Who works on it.
        keep: Keeps the lease that comes with the mark.
        changes: What the mark sets besides.

    Attributes:
        marked: The job as it was last marked; ``None`` before that.
    """

    def __init__(
        self,
        ledger: Ledger,
        record: Record,
        *,
        token: str,
        keep: Callable[[str], None],
        changes: Mapping[str, Any],
    ) -> None:
        self.marked: Record | None = None
        self._ledger = ledger
        self._before = record
        self._token = token
        self._keep = keep
        self._changes = {"attempt": record.attempt + 1, **changes}
        self._standing = False

    @property
    def stands(self) -> bool:
        """Whether the request may be on the wire."""
        return self._standing

    @contextmanager
    def announced(self) -> Generator[None]:
        """Mark what is sent within, as soon as it has waited for its turn."""
        before = ANNOUNCED.get()
        ANNOUNCED.set(partial(_Marked, self))
        try:
            yield
        finally:
            # Not by a token: an asyncio generator may be closed in another context.
            ANNOUNCED.set(before)

    def make(self) -> Record:
        """Become the one who sends.

        Raises:
            OvertakenError: That is another process.
            ConfigError: The ledger cannot be written.
        """
        if self._standing and self.marked is not None:
            return self.marked
        changes = {**self._changes, "posted_at": time.time()}
        failure = None
        try:
            marked = self._ledger.move(self._before, State.SUBMITTING, token=self._token, **changes)
        except ConfigError as error:
            marked, failure = None, error
        if marked is None:
            # A connection may have broken when the mark was made, or was not taken back, already.
            marked = self._ledger.marked(self._before.key, changes["attempt"], self._token)
        if marked is None:
            raise failure or OvertakenError(
                f"another process submits job {self._before.key!r}: this one sent nothing"
            )
        self.marked, self._standing = marked, True
        self._keep(self._token)
        return marked

    def take_back(self) -> None:
        """Say that nothing was sent, or that it was refused and will be sent again."""
        if self.marked is None or not self._standing:
            return
        # Whatever happens here: who sends again finds out first whether the job is still its own.
        self._standing = False
        try:
            back = self._ledger.move(self.marked, State.NEW)
        except ConfigError as error:
            _LOG.warning(
                "job %r waits, and the ledger does not say so: %s", self._before.key, error
            )
        else:
            self._before = back or self._before


class _Marked(Toll):
    """What a request waits for, and then the mark."""

    def __init__(self, marking: Marking, toll: Toll) -> None:
        super().__init__(None, None, None)
        self._marking = marking
        self._inner = toll
        self._status_error: DoubaoError | None = None

    def answered(self, reply: Reply) -> None:
        self._inner.answered(reply)
        self._status_error = from_reply(reply) if reply.status >= _REFUSED else None

    def began(self, headers: Mapping[str, str]) -> None:
        self._inner.began(headers)

    def reads(self, reader: Reader[T]) -> Reader[T]:
        return self._inner.reads(reader)

    def __enter__(self) -> Self:
        self._status_error = None
        self._inner.__enter__()
        try:
            self._marking.make()
        except BaseException as error:
            self._inner.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._inner.__exit__(kind, error, trace)
        if self._passes(error):
            self._marking.take_back()

    async def __aenter__(self) -> Self:
        self._status_error = None
        await self._inner.__aenter__()
        try:
            await to_its_end(self._marking.make)
        except BaseException as error:
            await to_its_end(self._marking.take_back)
            await self._inner.__aexit__(type(error), error, None)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._inner.__aexit__(kind, error, trace)
        if self._passes(error):
            await to_its_end(self._marking.take_back)

    def _passes(self, error: BaseException | None) -> bool:
        """Whether nothing was bought, and the client may send it again after a while."""
        failure = self._status_error if error is None else error
        return isinstance(failure, ConnectionFailed | RateLimited) and not isinstance(
            failure, QuotaExceeded
        )
