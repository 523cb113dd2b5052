"""Everything the emulated service remembers; it never sees HTTP."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

from doubao_emulator.clock import Clock, SystemClock
from doubao_emulator.faults import Faults
from doubao_emulator.ids import Ids
from doubao_emulator.progress import AfterSeconds, Progress

if TYPE_CHECKING:
    from doubao_emulator.deliveries import Signature
    from doubao_emulator.limits import RateLimit
    from doubao_emulator.scripting import ScriptedAnswer
    from doubao_emulator.wire import JSON

Record = TypeVar("Record")

# A server that runs for days must not grow without bound.
MOST_REQUESTS = 10_000
MOST_PROMPTS = 10_000
MOST_BYTES = 256 * 1024 * 1024
_TRIM_EVERY = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRequest:
    """One request as it arrived.

    Attributes:
        method: Upper-case HTTP method.
        path: Path without the query, for example ``/api/v3/chat/completions``.
        query: Raw query string.
        headers: Header values by lower-case name.
        body: The decoded JSON, the raw bytes when it is not JSON, or None when empty.
        size: Bytes of the body.
        time: Unix seconds of the world's clock.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str] = field(repr=False)
    body: JSON
    size: int
    time: float


class World:
    """The state behind one emulator, shared by both clouds.

    Attributes:
        clock: Source of every time stamp and of task progress.
        ids: Source of every identifier.
        progress: How generation tasks and uploaded files advance.
        origin: ``http://127.0.0.1:<port>``, set when the server listens; media links start with
            it.
        requests: Every request that arrived, oldest first.
        rate_limit: What requests are measured against as they arrive; None lets all in.
        latency: Seconds from the arrival of a request to its answer.
        signature: How gateways sign what they post to webhooks; they do not when None.
        faults: The armed faults; handlers ask `faults.take(name, path)`.
        answers: Scripted chat answers, used before anything is composed.
        prompts: Digests of prompt prefixes for the implicit cache (ark.md 4.7), latest last.
    """

    def __init__(self, *, clock: Clock | None = None, progress: Progress | None = None) -> None:
        self.clock: Clock = clock or SystemClock()
        self.progress: Progress = progress or AfterSeconds()
        self.origin = ""
        self.rate_limit: RateLimit | None = None
        self.latency = 0.0
        self.signature: Signature | None = None
        self.faults = Faults()
        self.requests: list[RecordedRequest] = []
        self.answers: deque[ScriptedAnswer] = deque()
        self.reset()

    @property
    def base_url(self) -> str:
        """Base URL of the Ark cloud, ``<origin>/api/v3``."""
        return f"{self.origin}/api/v3"

    def reset(self) -> None:
        """Forget everything but the address and the settings: clock, progress, limit, latency."""
        self.ids = Ids(self.clock)
        self.faults.clear()
        if self.rate_limit is not None:
            self.rate_limit.clear()
        # Cleared in place: a test may hold on to the list across a reset.
        self.requests.clear()
        self.answers.clear()
        self.prompts: dict[bytes, None] = {}
        self._tables: dict[type, dict[str, Any]] = {}

    def saw_prompt(self, prefix: bytes) -> bool:
        """Remember a prompt prefix, forgetting the oldest beyond a bound; True if known."""
        known = prefix in self.prompts
        self.prompts.pop(prefix, None)
        self.prompts[prefix] = None
        if len(self.prompts) > MOST_PROMPTS:
            del self.prompts[next(iter(self.prompts))]
        return known

    def record(self, request: RecordedRequest) -> None:
        """Remember a request, now and then forgetting old ones beyond a bound."""
        self.requests.append(request)
        if len(self.requests) % _TRIM_EVERY == 0:
            self._trim()

    def _trim(self) -> None:
        kept, held = 0, 0
        for request in reversed(self.requests):
            held += request.size
            if kept == MOST_REQUESTS or held > MOST_BYTES:
                break
            kept += 1
        del self.requests[: len(self.requests) - kept]

    def table(self, kind: type[Record]) -> dict[str, Record]:
        """Return the table of one kind of record, by id; each module owns its own kinds.

        For example ``world.table(StoredFile)``. It is empty at first and after `reset`.
        """
        # The dictionary stored under a type holds only values of that type.
        return cast("dict[str, Record]", self._tables.setdefault(kind, {}))
