"""Identifiers in Ark's formats (ark.md 1.11), reproducible from a clock and a counter."""

from __future__ import annotations

import hashlib
import itertools
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from doubao_emulator.clock import Clock

BEIJING = timezone(timedelta(hours=8), "Asia/Shanghai")
_ALPHANUMERICS = "abcdefghijklmnopqrstuvwxyz0123456789"


class Ids:
    """Makes every identifier the emulator hands out.

    The same clock readings and the same order of calls give the same identifiers, so that
    recordings and tests can be repeated.
    """

    def __init__(self, clock: Clock, *, seed: str = "doubao") -> None:
        self._clock = clock
        self._seed = seed
        self._counter = itertools.count(1)

    def request(self) -> str:
        """Return a request id: ``02``, 13 digits of unix milliseconds, 38 hex characters."""
        milliseconds = int(self._clock.now() * 1000)
        return f"02{milliseconds:013d}{self._digest('request').hex()[:38]}"

    def client_request(self) -> str:
        """Return the ``unknown-`` id invented for a client that sent none (ark.md 1.4)."""
        return f"unknown-{self._stamp()}-{self._letters('client', 8)}"

    def tool_call(self) -> str:
        """Return ``call_`` and 24 lower-case alphanumerics."""
        return f"call_{self._letters('call', 24)}"

    def task(self) -> str:
        """Return ``cgt-``, Beijing time and 5 alphanumerics."""
        return f"cgt-{self._stamp()}-{self._letters('task', 5)}"

    def file(self) -> str:
        """Return ``file-``, Beijing time and 5 alphanumerics."""
        return f"file-{self._stamp()}-{self._letters('file', 5)}"

    def token(self, length: int = 16) -> str:
        """Return `length` lower-case alphanumerics, for signed links and file names."""
        return self._letters("token", length)

    def number(self, below: int) -> int:
        """Return a whole number in ``[0, below)``, for seeds the service would draw itself."""
        return int.from_bytes(self._digest("number")[:8]) % below

    def _stamp(self) -> str:
        moment = datetime.fromtimestamp(self._clock.now(), UTC)
        return moment.astimezone(BEIJING).strftime("%Y%m%d%H%M%S")

    def _digest(self, kind: str) -> bytes:
        return hashlib.sha256(f"{self._seed}:{kind}:{next(self._counter)}".encode()).digest()

    def _letters(self, kind: str, length: int) -> str:
        digest = self._digest(kind)
        return "".join(_ALPHANUMERICS[byte % len(_ALPHANUMERICS)] for byte in digest[:length])
