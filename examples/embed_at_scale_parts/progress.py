"""What was done so far, how fast, and which share of the quota that took."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field

_SECONDS_BETWEEN_LINES = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PartDone:
    """What a worker says after a part.

    Attributes:
        worker: Who made it.
        rows: Rows in it.
        refused: Rows among them without a vector.
        requests: Requests that this worker had answered so far.
        tokens: Tokens that this worker has used so far.
        skipped: Why sources could not be read, a line each.
        failure: Why nobody should go on, if so.
    """

    worker: str
    rows: int = 0
    refused: int = 0
    requests: int = 0
    tokens: int = 0
    skipped: str = ""
    failure: str = ""


@dataclass(slots=True)
class Progress:
    """Adds up what the workers say, and prints a line now and then.

    Attributes:
        rate: The quota in requests per minute, if there is one.
    """

    rate: float | None = None
    rows: int = 0
    refused: int = 0
    skipped: int = 0
    _started: float = field(default_factory=time.monotonic)
    _printed: float = 0.0
    _latest: dict[str, PartDone] = field(default_factory=dict)

    def start(self) -> None:
        """Start the clock anew: from now on requests can be sent."""
        self._started = time.monotonic()

    def add(self, part: PartDone) -> None:
        """Count a part."""
        self.rows += part.rows
        self.refused += part.refused
        for reason in part.skipped.splitlines():
            self.skipped += 1
            print(f"embed_at_scale: skipped: {reason}", file=sys.stderr, flush=True)
        before = self._latest.get(part.worker)
        if before is None or before.requests <= part.requests:
            self._latest[part.worker] = part
        if time.monotonic() - self._printed >= _SECONDS_BETWEEN_LINES:
            self._printed = time.monotonic()
            print(f"  {self}", flush=True)

    def __str__(self) -> str:
        seconds = max(time.monotonic() - self._started, 1e-9)
        requests = sum(part.requests for part in self._latest.values())
        per_minute = requests / seconds * 60
        speed = f"{self.rows:,} rows, {self.rows / seconds:,.0f} rows/s, {requests:,} requests"
        if self.rate is None:
            return f"{speed}, {per_minute:,.0f} a minute"
        return f"{speed}, {per_minute / self.rate:.0%} of the quota of {self.rate:,.0f} a minute"

    @property
    def tokens(self) -> int:
        """Tokens that all workers used."""
        return sum(part.tokens for part in self._latest.values())
