"""The emulator as a thing one starts and stops: `Emulator`, and the one shared by a process."""

from __future__ import annotations

import atexit
import os
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

import uvicorn

from doubao_emulator import dialects
from doubao_emulator.app import build
from doubao_emulator.clouds import ARK, BYTEPLUS
from doubao_emulator.connection import ExposedProtocol
from doubao_emulator.deliveries import Signature
from doubao_emulator.limits import RateLimit
from doubao_emulator.scripting import ScriptedBody, ScriptedStream, ScriptedTurn
from doubao_emulator.state import RecordedRequest, World

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType

    from doubao_emulator.clock import Clock
    from doubao_emulator.faults import Fault
    from doubao_emulator.progress import Progress
    from doubao_emulator.scripting import Event, ScriptedAnswer
    from doubao_emulator.wire import JSON

LOOPBACK = "127.0.0.1"
_START_LIMIT_S = 10.0
# Longer than any client keeps an idle connection, so that the client is never surprised.
_KEEP_ALIVE_S = 75


def places() -> dict[str, str]:
    """Return the path of each provider's base URL."""
    clouds = {cloud.name: cloud.prefix for cloud in (ARK, BYTEPLUS)}
    return clouds | {name: dialect.prefix for name, dialect in dialects.known().items()}


class Emulator:
    """A local server that speaks Ark's protocol, in a thread of its own.

    Use it as a context manager, or call `start` and `stop`; both may be repeated.

    Args:
        host: Address to listen on; loopback unless you mean it.
        port: Port to listen on, 0 for a free one.
        clock: Source of time stamps and task progress; the machine's clock by default.
        progress: How generation tasks and uploaded files advance; done after 3 s by default.
        requests_per_minute: Most requests per key and model; see `limit`.
        tokens_per_minute: Most tokens per key and model; see `limit`.
        latency: Seconds from the arrival of a request to its answer. Refusals for the key or the
            rate come at once.

    Attributes:
        requests: Every request that arrived, oldest first (at most the last 10 000).
    """

    def __init__(
        self,
        *,
        host: str = LOOPBACK,
        port: int = 0,
        clock: Clock | None = None,
        progress: Progress | None = None,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        latency: float = 0.0,
    ) -> None:
        if latency < 0:
            raise ValueError(
                f"An answer cannot come in {latency!r} s; give a latency of 0 or more."
            )
        self.world = World(clock=clock, progress=progress)
        self.world.latency = latency
        if requests_per_minute is not None or tokens_per_minute is not None:
            self.world.rate_limit = RateLimit(
                requests_per_minute=requests_per_minute, tokens_per_minute=tokens_per_minute
            )
        self.requests: list[RecordedRequest] = self.world.requests
        self._host = host
        self._port = port
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def base_url(self) -> str:
        """Base URL of the Ark cloud, ``http://127.0.0.1:<port>/api/v3``."""
        return self.world.origin + ARK.prefix

    @property
    def byteplus_base_url(self) -> str:
        """Base URL of the BytePlus cloud, with its own model ids."""
        return self.world.origin + BYTEPLUS.prefix

    def base_url_of(self, provider: str) -> str:
        """Return the base URL at which a gateway's dialect is spoken.

        Args:
            provider: Name of the gateway, such as ``anyfast``; ``ark`` and ``byteplus``, too.

        Raises:
            ValueError: For a name that has no dialect here.
        """
        known = places()
        if provider not in known:
            raise ValueError(f"No dialect is called {provider!r}; choose from {sorted(known)}.")
        return self.world.origin + known[provider]

    @property
    def rate_limit(self) -> RateLimit | None:
        """The limit in force and what it counted; None when there is none."""
        return self.world.rate_limit

    @property
    def connections(self) -> int:
        """How many client connections are open now."""
        return len(self._server.server_state.connections) if self._server else 0

    def start(self) -> Self:
        """Listen and serve; returns once requests are accepted.

        Raises:
            OSError: When the port is taken.
        """
        if self._server is not None:
            return self
        listener = listen(self._host, self._port)
        self.world.origin = f"http://{self._host}:{listener.getsockname()[1]}"
        self._server = _Server(_config(self.world))
        self._thread = threading.Thread(
            target=self._server.run,
            kwargs={"sockets": [listener]},
            name="doubao-emulator",
            daemon=True,
        )
        self._thread.start()
        if not self._server.ready.wait(_START_LIMIT_S):
            raise RuntimeError(f"The emulator did not start within {_START_LIMIT_S} s.")
        return self

    def stop(self) -> None:
        """Close every connection and end the thread."""
        if self._server is None or self._thread is None:
            return
        self.world.faults.clear()
        self._server.end()
        self._thread.join()
        self._server = self._thread = None

    def reset(self) -> None:
        """Forget requests, counts, faults, scripted answers, files and tasks; keep serving."""
        self.world.reset()

    @contextmanager
    def fault(
        self, name: str, *, times: int | None = None, path: str | None = None, **params: object
    ) -> Iterator[Fault]:
        """Arm a fault for the time of a ``with`` block.

        Args:
            name: One of the names in `doubao_emulator.faults.PARAMETERS`.
            times: How often it strikes; without limit when None.
            path: Strike only requests whose path contains this text.
            **params: What the fault takes, for example ``after_events=2``.
        """
        fault = self.world.faults.arm(name, times=times, path=path, **params)
        try:
            yield fault
        finally:
            self.world.faults.disarm(fault)

    @contextmanager
    def limit(
        self,
        *,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        window: float = 60.0,
        retry_after: bool = False,
        jobs: int | None = None,
    ) -> Iterator[RateLimit]:
        """Enforce a rate limit for the time of a ``with`` block, instead of any other.

        Requests beyond it are answered 429 with Ark's codes (ark.md 2.2). The limit holds per key
        and per model, over a sliding window, counting in the order of arrival.

        Args:
            requests_per_minute: Most requests; without limit when None.
            tokens_per_minute: Most tokens of the requests' texts; without limit when None.
            window: Seconds that are looked back on; a shorter one holds proportionally less.
            retry_after: Send `Retry-After` with a refusal.
            jobs: Most generation tasks of a key that are not finished; without limit when None.

        Yields:
            The limit, which says how many requests it `accepted` and `refused`.
        """
        before = self.world.rate_limit
        limit = RateLimit(
            requests_per_minute=requests_per_minute,
            tokens_per_minute=tokens_per_minute,
            window=window,
            retry_after=retry_after,
            jobs=jobs,
        )
        self.world.rate_limit = limit
        try:
            yield limit
        finally:
            self.world.rate_limit = before

    @contextmanager
    def sign_webhooks(
        self,
        secret: str,
        *,
        header: str,
        prefix: str = "",
        capitals: bool = False,
        timestamp_header: str | None = None,
        age: float = 0.0,
    ) -> Iterator[None]:
        """Sign what gateways post to webhooks, for the time of a ``with`` block.

        No gateway documents how; this is HMAC-SHA256 in hex.

        Args:
            secret: The key.
            header: Header for the signature.
            prefix: What to write before it.
            capitals: Write hex with capitals.
            timestamp_header: Header for the time of sending, which is then signed before the body,
                with a full stop between them.
            age: Seconds by which that time is too old.
        """
        before = self.world.signature
        self.world.signature = Signature(
            secret=secret,
            header=header,
            prefix=prefix,
            capitals=capitals,
            timestamp_header=timestamp_header,
            age=age,
        )
        try:
            yield
        finally:
            self.world.signature = before

    def answer(
        self,
        content: str = "",
        *,
        reasoning: str = "",
        tool_calls: Sequence[tuple[str, JSON]] = (),
        finish_reason: str | None = None,
        usage: Mapping[str, JSON] | None = None,
        body: Mapping[str, JSON] | bytes | None = None,
        events: Sequence[Event] | None = None,
        burst: bool = False,
        interval: float = 0.0,
        times: int = 1,
    ) -> None:
        """Dictate the answer to the next `times` chat requests.

        Give `body`, or `events`, or any of the others, which are made into a body or a stream as
        the request asks.

        Args:
            content: Text of the answer.
            reasoning: Chain of thought; sealed as usual on summary models.
            tool_calls: ``(name, arguments)`` pairs; arguments are JSON text or a value.
            finish_reason: Overrides the reason that follows from the rest, for example
                ``content_filter``.
            usage: Overrides single keys of the usage object.
            body: The whole body, sent as it stands.
            events: The whole stream: JSON payloads, texts to put after ``data: ``, or bytes sent
                exactly so in one write. Nothing is added, not even ``[DONE]``.
            burst: Send many events in one write, as fast as the client can read.
            interval: Seconds between writes.
            times: How many requests get this answer.
        """
        answer: ScriptedAnswer
        if body is not None:
            answer = ScriptedBody(body=body)
        elif events is not None:
            answer = ScriptedStream(events=events, burst=burst, interval=interval)
        else:
            answer = ScriptedTurn(
                content=content,
                reasoning=reasoning,
                tool_calls=tuple(tool_calls),
                finish_reason=finish_reason,
                usage=usage,
            )
        self.world.answers.extend([answer] * times)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class _Server(uvicorn.Server):
    """uvicorn's server, which also says when it is ready and ends at once when told to."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Clients of a test that is over: nothing to be graceful about.
        for open_connection in list(self.server_state.connections):
            open_connection.transport.abort()
        await super().shutdown(sockets)

    def end(self) -> None:
        self.should_exit = True


def listen(host: str, port: int) -> socket.socket:
    """Return a socket bound to the address.

    Raises:
        OSError: When the port is taken.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def _config(world: World) -> uvicorn.Config:
    return uvicorn.Config(
        build(world),
        http=ExposedProtocol,
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=1,
    )


class _Shared:
    """The one emulator of a process, started when first asked for."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Start anew: a forked child inherits the object and its lock, but not the thread."""
        self._lock = threading.Lock()
        self._emulator: Emulator | None = None

    def base_url(self) -> str:
        with self._lock:
            if self._emulator is None:
                self._emulator = Emulator().start()
            return self._emulator.base_url

    def stop(self) -> None:
        with self._lock:
            if self._emulator is not None:
                self._emulator.stop()
                self._emulator = None


_shared = _Shared()
atexit.register(_shared.stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_shared.forget)


def shared_base_url() -> str:
    """Return the Ark base URL of this process's own emulator, starting it when needed."""
    return _shared.base_url()
