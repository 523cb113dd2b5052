"""Limits that are really enforced: requests and tokens of a minute, and tasks at once.

Ark limits an account per model (ark.md 2.2). Here each key is taken for an account of its own, so
that tests which share an emulator need not share a quota.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from doubao_emulator import tokens
from doubao_emulator.errors import ArkError

if TYPE_CHECKING:
    from doubao_emulator.wire import JSON

_MINUTE_S = 60.0
# A server that runs for days must not grow without bound.
_MOST_ARRIVALS = 100_000
# Where a request holds what the model reads as text (ark.md 4.2, 10, 11, 14.1, 15.2).
_TEXT_FIELDS = ("messages", "content", "input", "prompt", "instructions", "text")


class Arrival(NamedTuple):
    """One request that was measured against a limit."""

    time: float
    model: str
    tokens: int
    accepted: bool


class RateLimit:
    """Requests and tokens per minute, counted exactly, in the order of arrival.

    The window slides: at any moment, what was accepted during the last `window` seconds stays
    within the limits. Refused requests use up nothing.

    Args:
        requests_per_minute: Most requests; without limit when None.
        tokens_per_minute: Most tokens of the requests' texts; without limit when None. What
            pictures and answers cost is not known on arrival, and not counted.
        window: Seconds that are looked back on. A shorter one holds proportionally less, so the
            rate stays the same.
        retry_after: Send `Retry-After` with a refusal; whether Ark does is open (ark.md 22).
        jobs: Most generation tasks of a key that are not finished, whatever their models; without
            limit when None. Tasks that began before the limit are not among them.

    Attributes:
        accepted: How many requests were let in, by model.
        refused: How many were answered 429, by model.
        arrivals: Both, oldest first (at most the last 100 000).

    Raises:
        ValueError: When the window would hold not one request or token, or there may be no job.
    """

    def __init__(
        self,
        *,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        window: float = _MINUTE_S,
        retry_after: bool = False,
        jobs: int | None = None,
    ) -> None:
        if jobs is not None and jobs < 1:
            raise ValueError(f"jobs={jobs!r} lets no task begin; give 1 or more.")
        self._most_requests = _share("requests_per_minute", requests_per_minute, window)
        self._most_tokens = _share("tokens_per_minute", tokens_per_minute, window)
        self._window = window
        self._retry_after = retry_after
        self._most_jobs = jobs
        self.accepted: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.arrivals: deque[Arrival] = deque(maxlen=_MOST_ARRIVALS)
        self._spent: dict[tuple[str, str], _Spent] = {}
        self._jobs: dict[str, list[Callable[[], bool]]] = {}

    def clear(self) -> None:
        """Forget all arrivals; the limits stay."""
        self.accepted.clear()
        self.refused.clear()
        self.arrivals.clear()
        self._spent.clear()
        self._jobs.clear()

    def admit(self, body: JSON, key: str, now: float) -> None:
        """Count a request, unless it names no model.

        Args:
            body: What was sent.
            key: Whose quota it uses.
            now: When it arrived, in seconds that never go back.

        Raises:
            ArkError: 429 with Ark's code for the limit that is reached.
        """
        model = body.get("model") if isinstance(body, dict) else None
        if not isinstance(model, str):
            return
        asked = 0 if self._most_tokens is None else sum(map(tokens.count, _texts(body)))
        spent = self._spent.setdefault((key, model), _Spent())
        spent.forget(until=now - self._window)
        reached = self._reached(spent, asked)
        self.arrivals.append(Arrival(now, model, asked, not reached))
        if reached:
            self.refused[model] += 1
            unit, excess = reached
            leaves = spent.leaving_time(excess, default=now)
            raise self._refusal(unit, model, leaves + self._window - now)
        self.accepted[model] += 1
        spent.add(now, asked)

    def check_jobs(self, key: str, body: JSON) -> None:
        """Say whether a key may have one more task.

        Args:
            key: Whose quota it uses.
            body: The request for the task, which `admit` has let in.

        Raises:
            ArkError: 429 with Ark's code for too much at once.
        """
        if self._most_jobs is None:
            return
        going_on = self._jobs[key] = [each for each in self._jobs.get(key, ()) if each()]
        if len(going_on) < self._most_jobs:
            return
        model = body.get("model") if isinstance(body, dict) else None
        if isinstance(model, str):
            self.accepted[model] -= 1
        self.refused[str(model)] += 1
        raise ArkError(
            status=429,
            code="InflightBatchsizeExceeded",
            message=f"The limit of {self._most_jobs} unfinished tasks has been reached.",
        )

    def follow_job(self, key: str, goes_on: Callable[[], bool]) -> None:
        """Count a task of a key for as long as `goes_on` says so."""
        if self._most_jobs is not None:
            self._jobs.setdefault(key, []).append(goes_on)

    def _reached(self, spent: _Spent, asked: int) -> tuple[str, int] | None:
        """Return the unit of the limit in the way, and how much must leave the window first."""
        requests, used = spent.requests + 1, spent.tokens + asked
        if self._most_requests is not None and requests > self._most_requests:
            return "Requests", 0
        if self._most_tokens is not None and used > self._most_tokens:
            return "Tokens", used - self._most_tokens
        return None

    def _refusal(self, unit: str, model: str, wait: float) -> ArkError:
        short = f"{unit[0]}PM"
        if model.startswith("ep-"):
            code = f"RateLimitExceeded.Endpoint{short}Exceeded"
            whose = "the associated endpoint for your account"
        else:
            code = f"ModelAccount{short.capitalize()}RateLimitExceeded"
            whose = f"the model {model} for your account"
        return ArkError(
            status=429,
            code=code,
            message=f"The {unit} Per Minute ({short}) limit of {whose} has been exceeded.",
            headers={"Retry-After": str(math.ceil(wait))} if self._retry_after else None,
        )


class _Spent:
    """What one key has spent on one model within the window."""

    __slots__ = ("_entries", "tokens")

    def __init__(self) -> None:
        self._entries: deque[tuple[float, int]] = deque()
        self.tokens = 0

    @property
    def requests(self) -> int:
        return len(self._entries)

    def leaving_time(self, excess: int, *, default: float) -> float:
        """Return the time of the first entry with which `excess` tokens are gone."""
        for time, spent in self._entries:
            excess -= spent
            if excess <= 0:
                return time
        return default

    def add(self, now: float, spent: int) -> None:
        self._entries.append((now, spent))
        self.tokens += spent

    def forget(self, *, until: float) -> None:
        while self._entries and self._entries[0][0] <= until:
            self.tokens -= self._entries.popleft()[1]


def _share(name: str, per_minute: int | None, window: float) -> int | None:
    """Return how much of a minute's quota fits into the window."""
    if per_minute is None:
        return None
    share = math.floor(per_minute * window / _MINUTE_S)
    if share < 1:
        raise ValueError(
            f"{name}={per_minute!r} lets nothing through in {window!r} s; "
            "raise it or give a longer window."
        )
    return share


def _texts(value: JSON) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, Mapping):
        for name in _TEXT_FIELDS:
            yield from _texts(value.get(name))
