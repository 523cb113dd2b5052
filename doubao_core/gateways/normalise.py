"""What providers say in many ways, said in one: statuses, progress, times, rate headers. Pure.

Source: gateways.md 2.1 and 4. What a provider says that is not understood is ``None`` (or
``"unknown"`` for a status), never an error: the native answer is kept beside it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from doubao_core.errors import DoubaoError
from doubao_core.operation import Reply

UNKNOWN = "unknown"
"""A status that no provider was known to have: neither a success nor a failure."""
_STATUSES = {
    "queued": (
        "queued pending accepted submitted created not_start in_queue waiting preparing starting"
    ),
    "running": "running processing in_progress generating",
    "succeeded": "succeeded succeed success completed complete done",
    "failed": "failed fail failure error",
    "cancelled": "cancelled canceled",
    "expired": "expired",
}
_STATUS_OF = {native: ours for ours, all_of in _STATUSES.items() for native in all_of.split()}
_WHOLE = 100
_MILLISECONDS = 1e11
_EPOCH = 1e9
_DIGITS = re.compile(r"\d+(\.\d+)?")
_TOO_MANY = 429
_UNAVAILABLE = 503


def status(native: Any) -> str:
    """Give the status that *native* is a name of, in Ark's words; ``""`` and ``None`` are queued.

    A task that was just accepted has an empty status at some providers (gateways.md 3.2).
    """
    if native in (None, ""):
        return "queued"
    name = re.sub(r"[-\s]+", "_", str(native).strip().lower())
    return _STATUS_OF.get(name, UNKNOWN)


def progress(native: Any) -> int | None:
    """Give percents from 0 to 100: of a whole number, a fraction below 1, or a text with ``%``."""
    if isinstance(native, str) and native.strip().endswith("%"):
        native = _number(native.strip().removesuffix("%"))
    elif isinstance(native, float) and 0 <= native <= 1:
        native = native * _WHOLE
    if isinstance(native, bool) or not isinstance(native, int | float) or not math.isfinite(native):
        return None
    return min(max(round(native), 0), _WHOLE)


def moment(native: Any) -> datetime | None:
    """Give a time in UTC: of unix seconds, unix milliseconds, or an ISO 8601 text."""
    number = _number(native) if isinstance(native, str) else native
    if isinstance(number, int | float) and not isinstance(number, bool):
        if not number > 0:
            # Zero stands for "not yet" (gateways.md 3.2).
            return None
        seconds = number / 1000 if number > _MILLISECONDS else number
        try:
            return datetime.fromtimestamp(seconds, UTC)
        except (OverflowError, ValueError, OSError):
            return None
    try:
        read = datetime.fromisoformat(str(native))
    except ValueError:
        return None
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)


def seconds(native: Any) -> int | None:
    """Give a time as the unix seconds that Ark's answers have."""
    at = moment(native)
    return None if at is None else int(at.timestamp())


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What the headers of an answer say of the rate; ``None`` for what they do not say.

    Attributes:
        limit: Most requests of the window.
        remaining: Requests that are left of it.
        reset: When the window ends: unix seconds if that is more than 10^9, else seconds from now.
        retry_after: Seconds to wait before the next request; a hint only if one was refused.
        retry_at: The same as unix seconds, where the header has a date.
    """

    limit: int | None = None
    remaining: int | None = None
    reset: float | None = None
    retry_after: float | None = None
    retry_at: float | None = None

    def pause(self, now: float) -> float | None:
        """Seconds that a refused request should wait, at *now* in unix seconds."""
        if self.retry_after is not None:
            return self.retry_after
        if self.retry_at is not None:
            return max(0.0, self.retry_at - now)
        return self.until_reset(now)

    def until_reset(self, now: float) -> float | None:
        """Seconds until the window ends, at *now* in unix seconds."""
        if self.reset is not None and self.reset > _EPOCH:
            return max(0.0, self.reset - now)
        return self.reset


def rate(headers: Mapping[str, str]) -> Rate:
    """Read the rate headers (gateways.md 4.4): ``Retry-After``, ``X-RateLimit-*``, ``RateLimit-*``.

    Args:
        headers: Values by lower-case name.
    """

    def said(name: str) -> float | None:
        return _number(headers.get(f"x-ratelimit-{name}", headers.get(f"ratelimit-{name}", "")))

    limit, remaining, reset = said("limit"), said("remaining"), said("reset")
    hint = headers.get("retry-after", "")
    after = _number(hint)
    at = None if after is not None else http_date(hint)
    if after is None and at is None:
        after = said("retryafter")
    return Rate(
        limit=None if limit is None else int(limit),
        remaining=None if remaining is None else int(remaining),
        reset=reset / 1000 if reset is not None and reset > _MILLISECONDS else reset,
        retry_after=after,
        retry_at=at,
    )


def pause(status_code: int, headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that a refusal asks to wait, ``None`` if it says nothing or is none for the rate.

    Args:
        status_code: HTTP status; only 429 and 503 are refusals that pass.
        headers: Values by lower-case name.
        now: Unix seconds.
    """
    if status_code not in {_TOO_MANY, _UNAVAILABLE}:
        return None
    return rate(headers).pause(now)


def http_date(text: str) -> float | None:
    """Give the unix seconds of a date in a header, ``None`` if *text* is none."""
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return at.replace(tzinfo=at.tzinfo or UTC).timestamp()


def _number(text: str) -> float | None:
    if not _DIGITS.fullmatch(text.strip()):
        return None
    number = float(text)
    return int(number) if number.is_integer() else number


def retold(reply: Reply, ark: Mapping[str, Any]) -> Reply:
    """Give *reply* with a body in Ark's shape; what came stays in it, as ``native``.

    What the headers say of the rate is in it, too, as ``rate``.

    Args:
        reply: The provider's answer.
        ark: The fields; those that are ``None`` are left out.
    """
    fields = {name: value for name, value in ark.items() if value is not None}
    told = {name: value for name, value in asdict(rate(reply.headers)).items() if value is not None}
    if told:
        fields["rate"] = told
    fields["native"] = reply.json()
    return replace(reply, body=orjson.dumps(fields))


def unfinished(known: Reply, failure: DoubaoError, elapsed: float) -> Reply:
    """Give a task that is said to have ended as one that goes on: its result is not there yet.

    Why is in it, as ``unfinished``; what came before stays in it, too.

    Args:
        known: The task, in Ark's shape.
        failure: What asking for its result ended with.
        elapsed: Seconds that this took.
    """
    why = {"status": failure.status, "code": failure.code, "message": failure.message}
    said = {name: value for name, value in why.items() if value is not None}
    fields = {**known.json(), "status": "running", "unfinished": said}
    return replace(known, body=orjson.dumps(fields), elapsed=known.elapsed + elapsed)


NO_OUTPUT: Mapping[str, str] = {
    "code": "missing_output",
    "message": "the task is said to have succeeded and has no result",
}
"""The error of such a task: a success without a result is a failure (gateways.md 2.1)."""
