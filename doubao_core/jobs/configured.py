"""What both faces of the jobs are made of: a client, a ledger, a place for results."""

from __future__ import annotations

import hashlib
import math
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Self, TypeAlias, TypeVar

from doubao_core import media
from doubao_core.client import AsyncClient, Client
from doubao_core.errors import AmbiguousSubmit, ConfigError, install_hint
from doubao_core.gateways import gateway
from doubao_core.jobs.errors import LedgerError
from doubao_core.jobs.job import Job
from doubao_core.jobs.machine import ENDED, State
from doubao_core.jobs.reconcile import PATIENCE
from doubao_core.jobs.record import Record
from doubao_core.jobs.steps import Event
from doubao_core.studio import Allowance, AsyncStudio, Desk, ImageOrder, Studio, VideoOrder
from doubao_core.studio.results import VideoResult

if TYPE_CHECKING:
    from doubao_core.jobs.finish import Finish
    from doubao_core.jobs.leases import Leases
    from doubao_core.jobs.ledger import Ledger

LEDGER = "sqlite:///doubao_jobs.sqlite3"
"""Where jobs are written down if nothing else is said."""
_LEFT = frozenset(State) - ENDED

Order: TypeAlias = ImageOrder | VideoOrder
OnStatus: TypeAlias = Callable[[str, str], None]
C = TypeVar("C", Client, AsyncClient)


class Configured(ABC, Generic[C]):
    """What both faces are made of: the client, the ledger, the place for results."""

    _client: C

    def __init__(
        self,
        client: C | None = None,
        *,
        ledger: str | Path = LEDGER,
        output_dir: str | Path | media.Storage | None = None,
        scope: str = "",
        mark: bool | None = None,
        poll_interval: float | None = None,
        patience: float = PATIENCE,
        lease: float = 30.0,
        **connection: Any,
    ) -> None:
        if client is not None and connection:
            raise ConfigError(
                f"client= and {', '.join(connection)}= were given: use one of the two"
            )
        self._own = client is None
        self._client = self._made(**connection) if client is None else client
        marks = _marks(self._client.provider, mark)
        self._ledger, self._leases = _kept(ledger_url(ledger), lease)
        self._storage = None if output_dir is None else media.storage(output_dir)
        self._scope = scope
        self._marks = marks
        self._poll_interval = poll_interval
        self._patience = patience
        self._options: dict[str, Any] = {
            "ledger": ledger,
            "output_dir": output_dir,
            "scope": scope,
            "mark": mark,
            "poll_interval": poll_interval,
            "patience": patience,
            "lease": lease,
        }

    @abstractmethod
    def _made(self, **connection: Any) -> C: ...

    @property
    def client(self) -> C:
        """The client that sends."""
        return self._client

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def key_of(self, order: Order) -> str:
        """Give the key of an *order* that was given none: the same for equal orders in a scope."""
        check_order(order)
        identity = f"{self._scope}\0{order.digest}".encode()
        return f"{order.kind}-{hashlib.sha256(identity).hexdigest()[:32]}"

    def _draft(self, order: Order, key: str | None) -> Record:
        check_order(order)
        return Record(
            key=self.key_of(order) if key is None else key,
            kind=order.kind,
            state=State.NEW,
            id=uuid.uuid4().hex,
            provider=self._client.provider,
            model=order.model,
            digest=order.digest,
            request=order.request(),
        )

    def _work(self, allowance: Allowance | None = None) -> Finish:
        from doubao_core.jobs.finish import Finish
        from doubao_core.jobs.work import Rules

        limits = allowance or Allowance()

        def studio(place: media.Storage, wait_timeout: float) -> Studio | AsyncStudio:
            desk = Desk(
                output_dir=place,
                poll_interval=self._poll_interval,
                wait_timeout=wait_timeout,
            )
            if isinstance(self._client, Client):
                return Studio(self._client, desk, limits)
            return AsyncStudio(self._client, desk, limits)

        rules = Rules(
            provider=self._client.provider,
            storage=self._storage,
            marks=self._marks,
            patience=self._patience,
        )
        return Finish(self._ledger, self._leases, self._client, studio, limits, rules)

    def knows(self, task_id: str) -> bool:
        """Whether a task belongs to a job here: what a receiver of callbacks asks (``ours=``)."""
        return self._ledger.knows(self._client.provider, task_id)

    def taken(self) -> dict[str, datetime]:
        """Give the jobs that a process works on, and until when they are kept if it is dead.

        One that is alive renews its lease; :meth:`resume` waits for both.
        """
        now = datetime.now(UTC)
        return {key: now + timedelta(seconds=left) for key, left in self._ledger.taken().items()}

    def _left(self) -> list[str]:
        jobs = self._ledger.jobs(_LEFT)
        return [each.key for each in jobs if each.provider == self._client.provider]


def ledger_url(ledger: str | Path) -> str:
    """Give the address of a *ledger*, which may be the path of a file of SQLite.

    Raises:
        LedgerError: It is neither.
    """
    if isinstance(ledger, Path):
        return f"sqlite:///{ledger}"
    if not isinstance(ledger, str):
        raise LedgerError(
            f"ledger= cannot be {type(ledger).__name__}: give an address such as "
            "sqlite:///jobs.sqlite3, or the Path of a file"
        )
    return ledger


def _marks(provider: str, wanted: bool | None) -> bool:
    """Whether tasks carry the marks of their jobs: where the provider has a field for them."""
    films = gateway(provider).routes.get("videos.create")
    takes = films is None or "safety_identifier" not in films.lacks
    if wanted and not takes:
        raise ConfigError(
            f"provider {provider!r} has no field for the mark of a job (safety_identifier): leave "
            "mark= out, or give mark=False",
            param="mark",
        )
    return takes if wanted is None else wanted


def check_order(order: object) -> None:
    """Refuse what is no order, such as the fields of one.

    Raises:
        ConfigError: *order* is something else.
    """
    if not isinstance(order, ImageOrder | VideoOrder):
        raise ConfigError(
            "an order is an ImageOrder or a VideoOrder of doubao_core.studio, not a "
            f"{type(order).__name__}: ImageOrder.from_request(…) and VideoOrder.from_request(…) "
            "make one of a request's fields"
        )


def until(timeout: float | None) -> float:
    """Give the monotonic time at which *timeout* is over."""
    return math.inf if timeout is None else time.monotonic() + timeout


def rests(job: Job) -> bool:
    """Whether looking at *job* again would change nothing."""
    return job.ended or job.state is State.HELD


def outcome(work: Finish) -> Event:
    """Give what a job made, or how its film stands; raises what a bad end means."""
    job = Job.of(work.end).checked()
    if job.result is not None:
        return job.result
    if work.latest is not None:
        return work.latest
    if job.task_id is not None:
        return VideoResult(
            task_id=job.task_id, status=job.status or "queued", model=job.model, problem=job.reason
        )
    raise AmbiguousSubmit(job.text, gateway=job.provider)


def _kept(url: str, lease: float) -> tuple[Ledger, Leases]:
    try:
        from doubao_core.jobs.leases import Leases
        from doubao_core.jobs.ledger import Ledger

        ledger = Ledger(url, lease=lease)
    except ImportError as error:
        raise ConfigError(
            f"durable jobs need the package {error.name!r}: {install_hint('jobs')}"
        ) from error
    return ledger, Leases(ledger)
