"""The places of an account's jobs: a part of its state, and pure steps of it.

A job is what a provider goes on making after it has answered: a film, or a picture that is made
later. Its place is taken by the request for it, and passes to the job when the answer names one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from doubao_core.operation import JSON

JOB_LEASE = 900.0
"""Seconds after which a place is free again if nobody has heard of its job: longer than films take
(275 to 479 s for 30 s of film, gateways.md 4.5), and an end for jobs that nobody can ask for."""


class Jobs:
    """The places of jobs in the state of an account.

    Args:
        state: The account's, changed in place.
        now: Unix seconds.
    """

    def __init__(self, state: JSON, now: float) -> None:
        self._now = now
        # Until when each is held, and when its job was last heard of: ``None`` on the wire.
        self._held: dict[str, list[Any]] = state.setdefault("jobs", {})
        # Jobs whose end was heard before the answer that names them.
        self._early: dict[str, float] = state.setdefault("early", {})

    def set_back(self, seconds: float) -> None:
        """Move all times with a clock that was set back."""
        for place in self._held.values():
            place[0] -= seconds
            if place[1] is not None:
                place[1] -= seconds
        for name in self._early:
            self._early[name] -= seconds

    def forget(self) -> None:
        """Drop what nobody has heard of for too long."""
        for name in [each for each, (until, _) in self._held.items() if until <= self._now]:
            del self._held[name]
        for name in [each for each, until in self._early.items() if until <= self._now]:
            del self._early[name]

    def __len__(self) -> int:
        return len(self._held)

    @property
    def quiet(self) -> float | None:
        """Seconds since any job was heard of; ``None`` while a request for one is on the wire."""
        heard = [at for _, at in self._held.values()]
        return None if None in heard else self._now - max(heard, default=self._now)

    @property
    def latest(self) -> float:
        """Seconds after which a place is free again, whatever is heard of its job until then."""
        first: float = min(until for until, _ in self._held.values())
        return first - self._now

    def take(self, token: str) -> None:
        """Hold a place for the request *token*."""
        self._held[token] = [self._now + JOB_LEASE, None]

    def end(self, token: str, name: str | None) -> None:
        """Pass the place of the request *token* to the job *name*, or give it back for none."""
        self._held.pop(token, None)
        if name is not None and self._early.pop(name, None) is None:
            self._held[name] = [self._now + JOB_LEASE, self._now]

    def hear(self, news: Mapping[str, bool]) -> bool:
        """Take notice of jobs, and of whether each has ended; say whether that changed anything."""
        held = news.keys() & self._held.keys()
        for name in held:
            if news[name]:
                del self._held[name]
            else:
                self._held[name] = [self._now + JOB_LEASE, self._now]
        # A page of the list has ended ones in great number, and none that is so young.
        if held or len(news) != 1 or self.quiet is not None:
            return bool(held)
        ((name, ended),) = news.items()
        if ended:
            self._early[name] = self._now + JOB_LEASE
        return ended
