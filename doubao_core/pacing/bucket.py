"""One limited quantity, requests or tokens: take some, or learn how long to wait (GCRA)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from pyrate_limiter import GCRA, Decision, Duration, Rate, StateAlgorithm, StateStore
from pyrate_limiter.abstracts.algorithm import State

_SHARE = 0.97
"""The part of the limit that is used: requests do not arrive as evenly as they are sent."""
_BURST_SECONDS = 1.0
"""What may go at once after an idle time; share and burst together stay below the limit."""
_GCRA = GCRA()


class Bucket:
    """At most ``per_minute`` units in any minute, counted in ``store``."""

    def __init__(self, per_minute: float, store: StateStore) -> None:
        self._store = store
        self.burst = max(1, int(per_minute / 60 * _BURST_SECONDS))
        # In hundreds of minutes, because a rate's limit is a whole number.
        limit = max(1, round(per_minute * _SHARE * 100))
        self._rates = [Rate(limit, Duration.MINUTE * 100, self.burst)]
        self._unit = Duration.MINUTE * 100 * 1000 / limit

    @property
    def unit(self) -> float:
        """Seconds between two units at full speed."""
        return self._unit / 1e6

    def take(self, weight: int) -> float:
        """Take *weight* units, of which ``burst`` is most; else give the seconds to wait."""
        decision = self._check(_GCRA, weight)
        return 0.0 if decision.allowed else (decision.retry_after_ms or 1) / 1000

    def push(self, *, units: int = 0, pause: float = 0.0) -> None:
        """Spend *units* more (or give them back), and let nobody take any for *pause* seconds."""
        until = self._now() * 1000 + math.ceil(pause * 1e6) if pause else 0
        shift = math.ceil(units * self._unit)
        hold = math.ceil((self.burst - 1) * self._unit)
        self._check(_Push(shift=shift, until=until + hold if pause else 0), 1)

    def _check(self, algorithm: StateAlgorithm, weight: int) -> Decision:
        # The stores that are made here are the blocking ones, and so are their clocks.
        return cast("Decision", self._store.check(algorithm, self._rates, self._now(), weight))

    def _now(self) -> int:
        return cast("int", self._store.default_clock.now())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Push(StateAlgorithm):
    """Moves a GCRA's "theoretical arrival time", in microseconds: by *shift*, to at least *until*.

    As a transition of the store it is as atomic as taking is, whoever shares the store. There is
    one rate and the weight says nothing here; both are of the interface.
    """

    shift: int
    until: int

    def initial(self, rates: Sequence[Rate]) -> State:
        return (0,) * len(rates)

    def step(
        self, rates: Sequence[Rate], state: State, now: int, weight: int
    ) -> tuple[State, Decision]:
        arrival = max(int(state[0]), now * 1000) + self.shift
        return (max(arrival, self.until),), Decision()

    def decode(self, values: Sequence[str]) -> State:
        return tuple(int(value) for value in values)

    def redis_script(self) -> str:
        return _PUSH_LUA

    def redis_args(self, rates: Sequence[Rate]) -> list[int | float]:
        return [self.shift, self.until]


_PUSH_LUA = """
local arrival = tonumber(ARGV[1]) * 1000
local stored = tonumber(redis.call('HGET', KEYS[1], 'tat1') or '0')
if stored > arrival then arrival = stored end
arrival = math.max(arrival + tonumber(ARGV[5]), tonumber(ARGV[6]))
redis.call('HSET', KEYS[1], 'tat1', string.format('%.0f', arrival))
local left = math.ceil((arrival - tonumber(ARGV[1]) * 1000) / 1000)
redis.call('PEXPIRE', KEYS[1], math.max(tonumber(ARGV[3]), left + tonumber(ARGV[3])))
return {-1, 0}
"""
