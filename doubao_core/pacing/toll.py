"""One request and the limit that it is under: what it waits for, and what its answer says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from doubao_core import estimate
from doubao_core.errors import DoubaoError, QuotaExceeded, RateLimited, from_reply

if TYPE_CHECKING:
    from doubao_core.operation import JSON, Reply
    from doubao_core.pacing.pacer import Pacer

_TOO_MANY = 429
# Inside a text of the answer the quotes would have backslashes.
_TOTAL = re.compile(rb'"total_tokens"\s*:\s*(\d+)')


class Toll:
    """What one request has to pay before each attempt; without a pacer, nothing."""

    def __init__(self, pacer: Pacer | None, body: JSON) -> None:
        self._pacer = pacer
        self._tokens = estimate.count_all(body) if pacer and pacer.counts_tokens else 0

    def wait(self) -> None:
        """Wait until the request may go."""
        if self._pacer is not None:
            self._pacer.wait(self._tokens)

    async def await_(self) -> None:
        """Wait until the request may go, without blocking the event loop."""
        if self._pacer is not None:
            await self._pacer.await_(self._tokens)

    def settle(self, reply: Reply) -> None:
        """Take notice of an answer: a refusal, or how many tokens it really was."""
        if self._pacer is None:
            return
        if reply.status == _TOO_MANY:
            self.failed(from_reply(reply))
        elif self._pacer.counts_tokens:
            self._pacer.correct(self._more(reply))

    async def asettle(self, reply: Reply) -> None:
        """Take notice of an answer; see :meth:`settle`."""
        if self._pacer is None:
            return
        if reply.status == _TOO_MANY:
            await self.afailed(from_reply(reply))
        elif self._pacer.counts_tokens:
            await self._pacer.acorrect(self._more(reply))

    def failed(self, error: DoubaoError) -> None:
        """Take notice of a failure: one for the rate makes everybody pause."""
        if self._pacer is not None and _is_for_the_rate(error):
            self._pacer.refused(error.retry_after)

    async def afailed(self, error: DoubaoError) -> None:
        """Take notice of a failure; see :meth:`failed`."""
        if self._pacer is not None and _is_for_the_rate(error):
            await self._pacer.arefused(error.retry_after)

    def _more(self, reply: Reply) -> int:
        totals = _TOTAL.findall(reply.body)
        return int(totals[-1]) - self._tokens if totals else 0


FREE = Toll(None, {})
"""What a request pays that no limit is kept for."""


def _is_for_the_rate(error: DoubaoError) -> bool:
    return isinstance(error, RateLimited) and not isinstance(error, QuotaExceeded)
