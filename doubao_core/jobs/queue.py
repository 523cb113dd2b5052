"""A durable queue of named tasks, on DBOS: each runs once, a few at a time, also after a kill.

The one module that knows DBOS. DBOS keeps its tables in the database that it is given and talks to
nothing else here: no telemetry, no Conductor, no server. It exists once in a process, and so does
an open queue.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Awaitable, Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, TypeVar
from urllib.parse import quote

from doubao_core.errors import ConfigError, install_hint
from doubao_core.operation import JSON

if TYPE_CHECKING:
    from dbos import DBOS

P = ParamSpec("P")
T = TypeVar("T")

_WORKFLOW = "doubao.batch.job"
_POLL_SECONDS = 0.25
# Tasks wait on the event loop; threads only speak with the database.
_THREADS = 16
_ENDED = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A task in the queue.

    Attributes:
        id: Its name in DBOS.
        task: What was given; empty if it was not asked for.
        outcome: What its run gave, or ``None`` as long as it has not ended.
    """

    id: str
    task: JSON
    outcome: JSON | None


class DurableQueue:
    """Tasks under names, worked on by this process and by others that open the same queue.

    Args:
        name: Of the queue.
        run: Works on a task; called again for one that a process left behind, so it must be
            idempotent. It runs on an event loop of DBOS's own.
        url: ``sqlite:///file`` or ``postgresql://…``: where the tasks are.
        concurrency: Most tasks at once, of all processes together.
        per_minute: Most tasks that are begun in a minute.
        machine: What tells this process from others that work on the queue at the same time; after
            a restart under the same name it takes up what it left.
    """

    _open: ClassVar[DurableQueue | None] = None
    _opening: ClassVar[threading.Lock] = threading.Lock()

    def __init__(
        self,
        name: str,
        run: Callable[[str, JSON], Awaitable[JSON]],
        *,
        url: str,
        concurrency: int,
        per_minute: int | None,
        machine: str,
    ) -> None:
        self.name = name
        self.run = run
        self._url = url
        self._concurrency = concurrency
        self._per_minute = per_minute
        self._machine = machine
        # DBOS must not be called where an event loop runs, as it does in notebooks.
        self._caller: ThreadPoolExecutor | None = None

    def open(self) -> None:
        """Start to work, first on what an earlier process left.

        Raises:
            ConfigError: DBOS is not installed, or is in use in this process already.
        """
        with DurableQueue._opening:
            if DurableQueue._open is not None:
                raise ConfigError(
                    f"batch {DurableQueue._open.name!r} is open in this process, and DBOS serves "
                    "one at a time: close it first, or use another process"
                )
            self._caller = ThreadPoolExecutor(1, thread_name_prefix="doubao-batch")
            # Before the start, because DBOS begins at once with what was left.
            DurableQueue._open = self
            try:
                self._call(self._launch)
            except BaseException:
                self._leave()
                raise

    def add(self, name: str, attempt: int, task: JSON) -> str:
        """Queue *task* under *name*, if it is not there already, and give its id."""
        return self._call(self._enqueue, f"{self._prefix(name)}{attempt:04}", name, task)

    def find(self, name: str) -> list[Entry]:
        """Give all attempts at *name*, the first first."""
        prefix = self._prefix(name)
        found = self._call(self._list, workflow_id_prefix=prefix)
        # The database takes capitals for small letters, and some signs for any other.
        ours = (entry for entry in found if entry.id.startswith(prefix))
        return sorted(ours, key=lambda entry: entry.id)

    def ended(self, ids: Collection[str]) -> list[Entry]:
        """Give those of *ids* that have ended."""
        if not ids:
            return []
        return self._call(self._list, workflow_ids=list(ids), status=_ENDED, load_input=False)

    def close(self) -> None:
        """Stop to work; what is not done is taken up by the next process that opens the queue."""
        with DurableQueue._opening:
            if self._caller is None:
                return
            try:
                self._call(_dbos().destroy)
            finally:
                self._leave()

    def _leave(self) -> None:
        if self._caller is not None:
            self._caller.shutdown()
        self._caller = None
        DurableQueue._open = None

    def _prefix(self, name: str) -> str:
        return f"{quote(self.name, safe='')}/{quote(name, safe='')}/"

    def _call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._caller is None:
            raise ConfigError(f"batch {self.name!r} is not open: use it in a with block")
        return self._caller.submit(function, *args, **kwargs).result()

    def _launch(self) -> None:
        dbos = _dbos()
        _refuse_a_second(dbos)
        _register(dbos)
        from dbos import DBOSPortableJSONSerializer
        from sqlalchemy import make_url

        from doubao_core.jobs.database import make_private

        address = make_url(self._url)
        if address.get_backend_name() == "sqlite" and address.database:
            make_private(Path(address.database))
        log = logging.getLogger("dbos")
        if not log.handlers:
            # Otherwise DBOS writes to the terminal by itself.
            log.addHandler(logging.NullHandler())
        # One for each batch, because DBOS works on all queues of an application.
        application = f"doubao-batch-{hashlib.sha256(self.name.encode()).hexdigest()[:16]}"
        dbos(
            config={
                "name": application,
                "system_database_url": self._url,
                # Always the same, because DBOS leaves alone what another version has queued.
                "application_version": f"{application}-1",
                "executor_id": self._machine,
                "max_executor_threads": _THREADS,
                "enable_otlp": False,
                "log_level": "ERROR",
                # Pickles would let whoever can write to the database run programs here.
                "serializer": DBOSPortableJSONSerializer(),
            }
        )
        try:
            dbos.launch()
            per_minute = self._per_minute
            dbos.register_queue(
                self.name,
                global_concurrency=self._concurrency,
                limiter=None if per_minute is None else {"limit": per_minute, "period": 60.0},
                polling_interval_sec=_POLL_SECONDS,
                on_conflict="always_update",
            )
        except Exception as error:
            dbos.destroy()
            raise ConfigError(
                f"the queue of batch {self.name!r} cannot be opened ({type(error).__name__}: "
                f"{error}): check the address in queue="
            ) from error

    def _enqueue(self, entry: str, name: str, task: JSON) -> str:
        from dbos import SetWorkflowID

        with SetWorkflowID(entry):
            _dbos().enqueue_workflow(self.name, _WORK["work"], name, task)
        return entry

    def _list(self, **filters: Any) -> list[Entry]:
        return [
            Entry(
                id=status.workflow_id,
                task=status.input["args"][1] if status.input else {},
                outcome=_outcome(status) if status.status in _ENDED else None,
            )
            for status in _dbos().list_workflows(**filters)
        ]

    @staticmethod
    async def work(name: str, task: JSON) -> JSON:
        """Run a task of the queue that is open in this process."""
        queue = DurableQueue._open
        if queue is None:  # pragma: no cover - DBOS works only while a queue is open
            raise ConfigError("no batch is open in this process")
        return await queue.run(name, task)


def _outcome(status: Any) -> JSON:
    if isinstance(status.output, Mapping):
        return dict(status.output)
    return {"problem": str(status.error or status.status)}


_WORK: dict[str, Any] = {}


def _register(dbos: type[DBOS]) -> None:
    """Tell DBOS the one function that it is to run, once in a process."""
    if not _WORK:
        # However often its process is killed, a job is not given up.
        register = dbos.workflow(name=_WORKFLOW, max_recovery_attempts=None)
        _WORK["work"] = register(DurableQueue.work)


def _dbos() -> type[DBOS]:
    try:
        from dbos import DBOS
    except ImportError as error:
        raise ConfigError(f"batches need the package dbos: {install_hint('jobs')}") from error
    return DBOS


def _refuse_a_second(dbos: type[DBOS]) -> None:
    from dbos import error

    try:
        dbos.list_queues()
    except error.DBOSException:
        return
    raise ConfigError(
        "this program uses DBOS itself, which exists once in a process: work on batches in a "
        "process of their own"
    )
