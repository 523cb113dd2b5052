"""What the plan of an account allows in all: per minute, hour and day, at once, and in credits."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from doubao_core.errors import ConfigError
from doubao_core.pacing.limit import URL_VARIABLE, check_place, has_password

PATIENCE = 120.0
"""Seconds that a request waits for its turn if nothing else is said; more is an error."""
_WHOLE = (
    *("requests_per_minute", "requests_per_hour", "requests_per_day"),
    *("in_flight", "jobs_in_flight"),
)
_CREDITS = ("credits", "credits_per_request", "low_credits")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an account may do at one provider; all models of it count together.

    A request that the plan has no room for is never sent. It waits for a place, and for its minute;
    if the wait for an hour or a day would be longer than ``patience``, it is
    :class:`~doubao_core.QuotaExceeded`, whose ``retry_after`` says when it goes on. Whatever the
    numbers, nobody sends while the service's rate headers say that nothing remains, so that
    ``Plan()`` alone keeps to those (gateways.md 4.4).

    Attributes:
        requests_per_minute: Most requests in any minute, retries among them. Unlike those of
            :class:`RateLimit`, they may go at once.
        requests_per_hour: Most requests in any hour.
        requests_per_day: Most requests in any 24 hours.
        in_flight: Most requests whose answer has not come to its end; others wait, however long. A
            stream keeps its place until it is read or closed. One that a process left behind when
            it was killed is free again after 15 minutes.
        jobs_in_flight: Most jobs (films, and pictures that are made later) that the provider has
            accepted and not finished; a submit waits for a place. A place is free again when a
            look-up (``get_video``, ``list_videos``, ``watch_video``, ``get_images`` and all that
            use them), ``delete_video`` or a webhook that is proven genuine shows the end of its
            job; one that nobody has heard of for 15 minutes is free, too, and one whose answer was
            lost is held as long. A wait goes on as long as somebody, in whatever process, looks at
            a job that is in the way; where nobody has for ``patience`` seconds, it would last for
            ever, and is :class:`~doubao_core.QuotaExceeded`.
        credits: Most credits that may be spent, ever: raise it when you have bought some. What a
            request costs is what its answer says, or ``credits_per_request``. A request for which
            too few may be left is :class:`~doubao_core.InsufficientCredits` and not sent; until it
            is known what one costs, one goes at a time.
        credits_per_request: What a request costs at most; default the most that one has cost so
            far. Needed where answers do not say.
        low_credits: A warning is logged when fewer are left.
        on_low_credits: Called with what is left when fewer than ``low_credits`` are, once, by the
            thread or task that has spent them.
        patience: Most seconds to wait for the end of a minute, an hour or a day, of a pause that
            the service asks for, or for a sign of life of jobs.
        count_look_ups: Count look-ups of tasks and everything else that names no model, too, in the
            three limits of time; services rarely say whether they do.
        url: Where all of it is counted, for processes that share an account and so that a restart
            forgets nothing: ``sqlite:///path/to/file`` (one machine), ``postgresql://…`` or
            ``redis://…``; needs the extra ``limits``. Default ``DOUBAO_RATE_LIMIT_URL``, then this
            process. Clocks of machines that share it should agree.
        name: Whose plan it is; by default that of the base URL. Accounts of their own at one
            provider need a name each.

    Raises:
        ConfigError: A number cannot be, or the url is of another kind.
    """

    requests_per_minute: int | None = None
    requests_per_hour: int | None = None
    requests_per_day: int | None = None
    in_flight: int | None = None
    jobs_in_flight: int | None = None
    credits: float | None = None
    credits_per_request: float | None = None
    low_credits: float | None = None
    on_low_credits: Callable[[float], None] | None = field(default=None, repr=False)
    patience: float = PATIENCE
    count_look_ups: bool = False
    url: str | None = field(default_factory=lambda: os.environ.get(URL_VARIABLE), repr=False)
    name: str | None = None

    def __post_init__(self) -> None:
        for name in _WHOLE:
            value = getattr(self, name)
            if value is not None and not (isinstance(value, int) and value >= 1):
                raise ConfigError(f"{name} is {value!r}: give a whole number, or leave it out")
        for name in _CREDITS:
            value = getattr(self, name)
            if value is not None and not 0 <= value < math.inf:
                raise ConfigError(f"{name} is {value!r}: give 0 or more, or leave it out")
        if not self.patience >= 0:
            raise ConfigError(f"patience is {self.patience!r}: give seconds, 0 or more")
        for name in _CREDITS[1:]:
            if self.credits is None and getattr(self, name) is not None:
                raise ConfigError(f"{name} says nothing without credits: give both")
        if self.on_low_credits is not None and self.low_credits is None:
            raise ConfigError("on_low_credits needs low_credits, to know when")
        check_place(self.url)

    def portable(self) -> Self:
        """Give this plan for a pickle, which is a file that travels and may hold no password."""
        if has_password(self.url):
            raise TypeError(
                f"a plan whose url holds a password cannot be pickled: set {URL_VARIABLE} for each "
                "process instead"
            )
        return self
