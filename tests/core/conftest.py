"""Both drivers behind one face, a pump that drives flows without I/O, and recorded naps."""

from __future__ import annotations

import asyncio
import inspect
import json
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from hypothesis import settings

from doubao_core import AsyncClient, Client, DoubaoError, retry
from doubao_core.operation import Emit, Reply, Send, Wait
from doubao_emulator import AfterSeconds

# Where the recorder of the cassettes is.
sys.path.append(str(Path(__file__).parents[2] / "scripts"))

settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.load_profile("repeatable")

KEY = "sk-live-9f8e7d6c5b4a3210"
VARIABLES = ("ARK_API_KEY", "BYTEPLUS_API_KEY", "DOUBAO_PROVIDER", "DOUBAO_BASE_URL")
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def key():
    """Return the key that clients in these tests use; it must never be seen anywhere."""
    return KEY


@pytest.fixture
def naps(monkeypatch):
    """Record how long the drivers want to sleep, and do not sleep."""
    slept: list[float] = []
    here, real = threading.get_ident(), asyncio.sleep

    async def nap(seconds, result=None):
        if threading.get_ident() != here:
            # The emulator's loop runs in this process too.
            return await real(seconds, result)
        slept.append(seconds)
        return await real(0, result)

    monkeypatch.setattr("doubao_core.client.time", SimpleNamespace(sleep=slept.append))
    monkeypatch.setattr(asyncio, "sleep", nap)
    return slept


class Direct:
    """A ``Client``, as it is."""

    http = httpx.Client

    def __init__(self, **options: Any) -> None:
        self.native = Client(**options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.native, name)

    def finish(self) -> None:
        self.native.close()


class Awaited:
    """An ``AsyncClient`` that is called like a ``Client``, on an event loop of its own."""

    http = httpx.AsyncClient

    def __init__(self, **options: Any) -> None:
        self.native = AsyncClient(**options)
        self.runner = asyncio.Runner()

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.native, name)
        return self._blocking(value) if callable(value) else value

    def _blocking(self, method: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            result = method(*args, **kwargs)
            if inspect.isasyncgen(result):
                return Steps(self.runner, result)
            return self.runner.run(result)

        return call

    def finish(self) -> None:
        with self.runner:
            self.runner.run(self.native.aclose())


class Steps:
    """An asynchronous generator as an iterator with ``close``."""

    def __init__(self, runner: asyncio.Runner, generator: Any) -> None:
        self._runner = runner
        self._generator = generator

    def __iter__(self) -> Steps:
        return self

    def __next__(self) -> Any:
        async def step() -> Any:
            return await anext(self._generator)

        try:
            return self._runner.run(step())
        except StopAsyncIteration:
            raise StopIteration from None

    def close(self) -> None:
        self._runner.run(self._generator.aclose())


@pytest.fixture(params=[Direct, Awaited], ids=["sync", "async"])
def driver(request):
    """Return how to make a client: as ``Client`` or as ``AsyncClient``; both are called alike."""
    return request.param


@pytest.fixture
def make_client(driver, naps):
    """Make clients that end with the test; ``naps`` holds what they would have slept."""
    made = []

    def make(**options: Any) -> Any:
        client = driver(**{"api_key": KEY, "timeout": 5.0, **options})
        made.append(client)
        return client

    yield make
    for client in made:
        client.finish()


@pytest.fixture
def client(make_client, emulator):
    """Return a client of the emulator, once for each driver."""
    return make_client(base_url=emulator.base_url)


@pytest.fixture
def patient(emulator, progress):
    """Return the emulator, whose tasks go on for longer than any test."""
    progress(AfterSeconds(6000))
    return emulator


@pytest.fixture
def seedance2api(make_client, emulator):
    """Return a client of the emulator's seedance2api, once for each driver."""
    return make_client(provider="seedance2api", base_url=emulator.base_url_of("seedance2api"))


@pytest.fixture
def answering(driver, make_client):
    """Make a client whose http_client is injected and answered by a function of the request."""

    def make(answer: Callable[[httpx.Request], httpx.Response], **options: Any) -> Any:
        injected = driver.http(transport=httpx.MockTransport(answer), **options)
        return make_client(base_url="https://api.example/v3", http_client=injected)

    return make


@pytest.fixture
def at_gateway(driver, make_client):
    """Make a client of a provider whose requests are answered by a function of the request."""

    def make(provider: str, answer: Callable[[httpx.Request], httpx.Response], **options: Any):
        injected = driver.http(transport=httpx.MockTransport(answer))
        return make_client(provider=provider, http_client=injected, **options)

    return make


@dataclass
class Pumped:
    """What a flow did: what it sent, waited for and showed, and its result."""

    sends: list[Send] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    shown: list[Any] = field(default_factory=list)
    result: Any = None


def _pump(flow, *outcomes, max_retries=0):
    """Drive *flow* under the retry rules; each outcome is a reply, a JSON body or an error."""
    done, queue = Pumped(), list(outcomes)
    policy = retry.Policy(max_retries=max_retries, rand=lambda: 0.0)
    steps = retry.retrying(flow, policy)
    try:
        step = next(steps)
        while True:
            if isinstance(step, Send):
                done.sends.append(step)
                step = retry.resume(steps, _outcome(queue.pop(0)))
                continue
            if isinstance(step, Wait):
                done.waits.append(step.seconds)
            elif isinstance(step, Emit):
                done.shown.append(step.value)
            step = next(steps)
    except StopIteration as end:
        done.result = end.value
    assert not queue, "the flow did not ask for every outcome"
    return done


def _outcome(outcome):
    if isinstance(outcome, (Reply, DoubaoError)):
        return outcome
    body = outcome if isinstance(outcome, bytes) else json.dumps(outcome).encode()
    return Reply(status=200, headers={"x-request-id": "0217"}, body=body, elapsed=1.0)


@pytest.fixture(scope="session")
def pump():
    """Drive a flow without I/O."""
    return _pump


@pytest.fixture
def refusal():
    """Make the reply that carries one of the service's error codes."""

    def make(status, code=None, message="no", headers=None):
        error = {"code": code, "message": message, "param": "", "type": "x"}
        body = json.dumps({"error": error}).encode() if code else b"<html>Bad Gateway</html>"
        return Reply(status=status, headers=headers or {}, body=body, elapsed=1.0)

    return make


class RawServer(threading.Thread):
    """Runs *script* with each connection, in a thread; what it reads are whole requests."""

    def __init__(self, script, tls=None):
        super().__init__(daemon=True)
        self._script = script
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.scheme = "https" if tls else "http"
        self.base_url = f"{self.scheme}://127.0.0.1:{self._listener.getsockname()[1]}/api/v3"
        self.accepted = []
        self.requests = []

    def run(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.accepted.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with suppress(OSError):
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self.accepted.append(connection)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._script(self, connection)

    def read(self, connection):
        """Wait for a whole request and give its head and body; None at the connection's end."""
        data = bytearray()
        while b"\r\n\r\n" not in data:
            if not (block := connection.recv(65536)):
                return None
            data += block
        head, _, body = data.partition(b"\r\n\r\n")
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line[15:])
        while len(body) < length:
            body += connection.recv(65536)
        request = bytes(head), bytes(body)
        self.requests.append(request)
        return request

    def stop(self):
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.join()
        for each in self.accepted:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


def _answering(answers, *, close):
    """Make a script that gives the same bytes to every request, in as many sends."""

    def script(server, connection):
        while server.read(connection):
            for each in answers:
                connection.sendall(each)
            if close:
                connection.shutdown(socket.SHUT_RDWR)
                connection.close()
                return

    return script


@pytest.fixture
def serve():
    """Start servers of bytes: the same to every request, or what a script makes of connections."""
    started = []

    def start(*answers, script=None, close=False, tls=None):
        server = RawServer(script or _answering(answers, close=close), tls)
        server.start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()
