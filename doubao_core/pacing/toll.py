"""One request and the limits that it is under: what it waits for, and what its answer says."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Self, TypeVar

from doubao_core import estimate
from doubao_core.errors import (
    ConfigError,
    ConnectionFailed,
    DoubaoError,
    InsufficientCredits,
    Malformed,
    ProfileWarning,
    QuotaExceeded,
    RateLimited,
    RequestError,
    from_reply,
)
from doubao_core.gateways.normalise import rate
from doubao_core.operation import may_be_accepted
from doubao_core.pacing.account import Outcome
from doubao_core.pacing.metering import Metered, total_of
from doubao_core.pacing.news import CREATES, begun, seen, tells

if TYPE_CHECKING:
    from types import TracebackType

    from doubao_core.operation import Reader, Reply, Send
    from doubao_core.pacing.gate import Gate
    from doubao_core.pacing.pacer import Pacer

T = TypeVar("T")
_REFUSED = 400
_FREE_ENDS = (ConfigError, ConnectionFailed, RequestError)


class Toll:
    """What one request has to pay before each attempt: a context around its sending.

    Entering waits until the request may go; leaving takes notice of its end, be that an answer
    (:meth:`answered`), a failure or a cancellation.

    Args:
        pacer: Keeps the pace of a model, if there is a limit.
        gate: Keeps the plan of an account, if there is one.
        send: The request; ``None`` if there is neither.
    """

    def __init__(self, pacer: Pacer | None, gate: Gate | None, send: Send | None) -> None:
        self._pacer = pacer
        self._gate = gate
        self._send = send
        self._limited = pacer is not None or gate is not None
        self._paid = send is not None and is_paid(send)
        limits_jobs = gate is not None and gate.limits_jobs
        self._job = limits_jobs and send is not None and send.operation in CREATES
        self._looks = limits_jobs and send is not None and tells(send)
        self._waits = gate is not None and (self._paid or gate.counts_look_ups)
        self._tokens = 0
        if send is not None and pacer is not None and pacer.counts_tokens:
            self._tokens = estimate.count_all(send.body or {})
        self._meter: Metered[Any] | None = None
        self._token = ""
        self._reply: Reply | None = None
        self._is_streamed = False
        self._headers: Mapping[str, str] = {}

    def answered(self, reply: Reply) -> None:
        """Take notice of an answer: how many tokens it was, what it cost, or a refusal."""
        # The toll of all that are free must hold nothing.
        if self._limited:
            self._reply, self._headers = reply, reply.headers

    def began(self, headers: Mapping[str, str]) -> None:
        """Take notice of the head of an answer that comes in pieces."""
        if self._limited:
            self._headers, self._is_streamed = headers, True

    def reads(self, reader: Reader[T]) -> Reader[T]:
        """Give what reads an answer that comes in pieces, and counts its tokens if that matters."""
        if self._pacer is None or not self._pacer.counts_tokens:
            return reader
        self._meter = Metered(reader)
        return self._meter

    def __enter__(self) -> Self:
        """Wait until the request may go.

        Raises:
            ConfigError: It has more tokens than any minute may have, or the count cannot be kept.
            QuotaExceeded: The plan has no room for it for too long.
            InsufficientCredits: The plan's credits are used up.
        """
        if self._pacer is not None:
            self._pacer.wait(self._tokens)
        # Last, because it counts what goes now, and may hold a place meanwhile.
        if self._gate is not None:
            self._begin()
            if self._waits:
                self._token = self._gate.enter(paid=self._paid, job=self._job)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._limited:
            return
        failure = self._failure(error)
        if self._pacer is not None:
            if _is_for_the_rate(failure):
                self._pacer.refused(failure.retry_after if failure else None)
            else:
                self._pacer.correct(self._more())
        if self._gate is not None:
            if self._waits:
                self._gate.leave(self._token, self._outcome(error, failure))
            self._gate.hear(self._news(failure))

    async def __aenter__(self) -> Self:
        """Wait until the request may go, without blocking the event loop."""
        if self._pacer is not None:
            await self._pacer.await_(self._tokens)
        if self._gate is not None:
            self._begin()
            if self._waits:
                self._token = await self._gate.aenter(paid=self._paid, job=self._job)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._limited:
            return
        failure = self._failure(error)
        if self._pacer is not None:
            if _is_for_the_rate(failure):
                await self._pacer.arefused(failure.retry_after if failure else None)
            else:
                await self._pacer.acorrect(self._more())
        if self._gate is not None:
            if self._waits:
                await self._gate.aleave(self._token, self._outcome(error, failure))
            await self._gate.ahear(self._news(failure))

    def _begin(self) -> None:
        self._reply, self._is_streamed, self._headers = None, False, {}

    def _failure(self, error: BaseException | None) -> DoubaoError | None:
        if isinstance(error, DoubaoError):
            return error
        refused = self._reply is not None and self._reply.status >= _REFUSED
        return from_reply(self._reply) if refused and self._reply else None

    def _more(self) -> int:
        """Count the tokens that the request was more than was thought."""
        if self._pacer is None or not self._pacer.counts_tokens:
            return 0
        if self._meter is not None:
            total = self._meter.total
        else:
            total = None if self._reply is None else total_of(self._reply.body)
        return 0 if total is None else total - self._tokens

    def _outcome(self, error: BaseException | None, failure: DoubaoError | None) -> Outcome:
        closed = _closed(self._headers)
        if isinstance(error, ProfileWarning):
            # Made an error by a filter of warnings, it stops a request before it is sent.
            return Outcome(free=True)
        if failure is None:
            # Who was cancelled may have been charged.
            cost = None if self._reply is None else _cost(self._reply)
            return Outcome(
                cost=cost, answered=error is None, closed=closed, job=self._goes_on(None)
            )
        if isinstance(failure, RateLimited):
            closed = max(closed, failure.retry_after or 0.0)
        broke = failure if isinstance(failure, InsufficientCredits) else None
        return Outcome(
            free=isinstance(failure, _FREE_ENDS),
            required=broke.required if broke else None,
            available=broke.available if broke else None,
            closed=closed,
            job=self._goes_on(failure),
        )

    def _goes_on(self, failure: DoubaoError | None) -> str | None:
        """Name the job that the provider may go on with; ``None`` if there is none."""
        # What comes in pieces is made while it is read.
        if not self._job or self._send is None or self._is_streamed:
            return None
        if failure is not None:
            return self._token if may_be_accepted(failure) else None
        # Who was cancelled has perhaps been accepted.
        return begun(self._send, self._reply, self._token) if self._reply else self._token

    def _news(self, failure: DoubaoError | None) -> Mapping[str, bool]:
        """Give the jobs that the answer tells of, and whether each has ended."""
        if not self._looks or failure is not None or self._send is None or self._reply is None:
            return {}
        return seen(self._send, self._reply)


def is_paid(send: Send) -> bool:
    """Whether *send* can cost anything; look-ups and what else names no model do not."""
    return send.body is not None and "model" in send.body


FREE = Toll(None, None, None)
"""What a request pays that no limit is kept for."""
ANNOUNCED: ContextVar[Callable[[Toll], Toll] | None] = ContextVar("ANNOUNCED", default=None)
"""Wraps the toll of a paid request, for who must know when it has waited and is sent now."""


def _is_for_the_rate(error: DoubaoError | None) -> bool:
    return isinstance(error, RateLimited) and not isinstance(error, QuotaExceeded)


def _closed(headers: Mapping[str, str]) -> float:
    """Seconds for which nothing remains, by the rate headers (gateways.md 4.4)."""
    told = rate(headers)
    if told.remaining is None or told.remaining > 0:
        return 0.0
    # What a refused request should wait stands in good answers, too (C44).
    return told.until_reset(time.time()) or 0.0


def _cost(reply: Reply) -> float | None:
    """Credits that an answer says it has cost, where our gateways put them."""
    with suppress(Malformed):
        usage = reply.json().get("usage")
        cost = usage.get("credits") if isinstance(usage, dict) else None
        return cost if isinstance(cost, int | float) and cost >= 0 else None
    return None
