"""The retry decision, as a pure function, and the flow that obeys it.

A request is repeated when repeating it can help and cannot cost a second time:

* nothing reached the server: any request;
* a definite refusal that passes (a rate code of 429): any request;
* 408, 409, 5xx, or a connection that died before the answer: safe requests only;
* a timeout: none, because the first request may still be running and billed;
* a quota, plan or spending limit: none, however the status looks (ark.md 2.2).
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, TypeVar

from doubao_core import catalogue
from doubao_core.errors import (
    UNREADABLE,
    AmbiguousSubmit,
    ConnectionFailed,
    ConnectionLost,
    DoubaoError,
    NotFound,
    QuotaExceeded,
    RateLimited,
    ResponseError,
    ServerError,
    Truncated,
    checked,
    misshapen,
)
from doubao_core.operation import Flow, Repeat, Reply, Send, Wait, may_be_accepted

R = TypeVar("R")
Y = TypeVar("Y")

LONGEST_RETRY_AFTER = 120.0
"""A longer ``Retry-After``, in seconds, is not waited for: the error is raised at once."""

_LOG = logging.getLogger("doubao_core")
_SAFE_STATUSES = frozenset({408, 409})
# The vendor says not to repeat these at once; only the server's own Retry-After is a better guess.
_LATER_CODES = frozenset(
    {
        "RateLimitExceeded.EndpointFlexTPMExceeded",
        "ModelAccountFlexTpmRateLimitExceeded",
        "InflightBatchsizeExceeded",
    }
)
_NO_SUCH_MODEL = "InvalidEndpointOrModel.NotFound"
_KINDS = {"chat": "chat", "embeddings": "embedding", "images": "image", "videos": "video"}
_PERMANENT_STATES = frozenset({"InvalidAction.RunningTaskDeletion"})


@dataclass(frozen=True, slots=True)
class Policy:
    """How often to repeat, and what randomness to spread the repeats with."""

    max_retries: int = 2
    rand: Callable[[], float] = random.random


def decide(send: Send, attempt: int, error: DoubaoError, policy: Policy) -> float | None:
    """Seconds to wait before sending again, or ``None`` to give up.

    Args:
        send: The request that failed.
        attempt: 0 for the first attempt.
        error: What the attempt ended with.
        policy: The client's settings.
    """
    if attempt >= policy.max_retries or not _may_repeat(send.repeat, error):
        return None
    if error.retry_after is not None:
        return error.retry_after if error.retry_after <= LONGEST_RETRY_AFTER else None
    if error.code in _LATER_CODES:
        return None
    longest = 0.5 * 2.0 ** min(attempt, 4)
    return longest * (1 - 0.25 * policy.rand())


def _may_repeat(repeat: Repeat, error: DoubaoError) -> bool:
    if repeat is Repeat.NEVER or isinstance(error, QuotaExceeded):
        return False
    if isinstance(error, (ConnectionFailed, RateLimited)):
        return True
    if repeat is not Repeat.SAFE or error.code in _PERMANENT_STATES:
        return False
    return (
        isinstance(error, (ServerError, ConnectionLost, Truncated))
        or error.status in _SAFE_STATUSES
    )


def settled(send: Send, error: DoubaoError) -> DoubaoError:
    """What to raise for *error*: a paid request whose answer was lost is ambiguous, not failed.

    A model that does not exist gets the name of the one that was perhaps meant.
    """
    if isinstance(error, NotFound):
        _suggest(send, error)
    if send.repeat is not Repeat.REFUSED_ONLY or isinstance(error, AmbiguousSubmit):
        return error
    if not may_be_accepted(error):
        return error
    ambiguous = AmbiguousSubmit(
        f"{send.operation} was sent, but its answer was lost ({error.message}): it may have been "
        "accepted and charged; look for it before you send it again",
        status=error.status,
        request_id=error.request_id,
        gateway=error.gateway,
        operation=send.operation,
    )
    ambiguous.intent = send.intent
    ambiguous.__cause__ = error
    return ambiguous


def _suggest(send: Send, error: DoubaoError) -> None:
    asked = str((send.body or {}).get("model"))
    # Other providers have other codes; guides print ids with dots, which the vendor's never have.
    if error.code != _NO_SUCH_MODEL and "." not in asked:
        return
    kind = _KINDS.get(send.operation.partition(".")[0])
    meant = catalogue.nearest(asked, kind)
    if meant is not None:
        error.message = f"{error.message.rstrip('. ')}; did you mean {meant!r}?"
        error.args = (error.message,)


def attempts(send: Send, policy: Policy) -> Flow[Reply]:
    """Send, and again as long as :func:`decide` allows it."""
    spent = 0.0
    for attempt in count():
        try:
            reply = checked((yield send))
        except DoubaoError as error:
            error.elapsed += spent
            error.operation = error.operation or send.operation
            pause = decide(send, attempt, error, policy)
            if pause is None:
                failure = settled(send, error)
                if failure is error:
                    raise
                raise failure from error
            spent = error.elapsed + pause
            _LOG.info(
                "%s goes again in %.1f s, because it failed: %s", send.operation, pause, error
            )
        else:
            return replace(reply, elapsed=reply.elapsed + spent) if spent else reply
        yield Wait(seconds=pause)
    raise AssertionError  # pragma: no cover - count() does not end


def retrying(flow: Generator[Y, Reply, R], policy: Policy) -> Generator[Y | Send | Wait, Reply, R]:
    """Run *flow* with every request of it under :func:`attempts`; other steps pass through."""
    sent: Send | None = None
    try:
        step = next(flow)
        while True:
            if not isinstance(step, Send):
                yield step
                step = next(flow)
                continue
            sent = step
            try:
                reply = yield from attempts(sent, policy)
            except DoubaoError as error:
                step = flow.throw(error)
            else:
                step = _read(flow, reply)
    except StopIteration as done:
        result: R = done.value
        return result
    except DoubaoError as error:
        if sent is None:
            raise
        error.operation = error.operation or sent.operation
        # The flow could not read an answer that did come: for a paid request that is ambiguous too.
        if not isinstance(error, ResponseError) or (failure := settled(sent, error)) is error:
            raise
        raise failure from error
    finally:
        flow.close()


def _read(flow: Generator[Y, Reply, Any], reply: Reply) -> Y:
    try:
        return flow.send(reply)
    except DoubaoError as error:
        if isinstance(error, ResponseError):
            error.request_id = error.request_id or reply.headers.get("x-request-id")
        raise
    except UNREADABLE as error:
        raise misshapen(error, reply.headers.get("x-request-id")) from error


def resume(steps: Generator[Y, Reply, Any], outcome: Reply | DoubaoError) -> Y:
    """Hand the outcome of a request to the flow that asked for it, and give its next step."""
    if isinstance(outcome, DoubaoError):
        return steps.throw(outcome)
    return steps.send(outcome)
