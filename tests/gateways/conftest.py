"""An environment without keys, the gateways' dialects, both clients, and a server to order."""

from __future__ import annotations

import asyncio
import inspect
import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from doubao_core import AsyncClient, Client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from doubao_emulator import Emulator

VARIABLES = """
    DOUBAO_PROVIDER DOUBAO_BASE_URL ARK_API_KEY BYTEPLUS_API_KEY ANYFAST_API_KEY XROUTE_API_KEY
    AGENTSFLARE_API_KEY DOITONG_API_KEY SEEDANCE2API_API_KEY SEEDANCE_API_KEY
    OPENAI_COMPATIBLE_API_KEY VIBEGEN_API_KEY
"""
KEY = "k-0123456789"


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES.split():
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def at(emulator: Emulator) -> Callable[[str], dict[str, Any]]:
    """Return the arguments with which a class of an adapter talks to a gateway's dialect."""

    def arguments(provider: str, dialect: str | None = None) -> dict[str, Any]:
        return {
            "provider": provider,
            "base_url": emulator.base_url_of(dialect or provider),
            "api_key": KEY,
            "max_retries": 0,
        }

    return arguments


def _blocking(settings: dict[str, Any], ask: Callable[[Any], Any]) -> Any:
    with Client(**settings) as client:
        answer = ask(client)
        return list(answer) if inspect.isgenerator(answer) else answer


def _awaiting(settings: dict[str, Any], ask: Callable[[Any], Any]) -> Any:
    async def asked() -> Any:
        async with AsyncClient(**settings) as client:
            answer = ask(client)
            if inspect.isasyncgen(answer):
                return [each async for each in answer]
            return await answer

    return asyncio.run(asked())


@pytest.fixture(params=[_blocking, _awaiting], ids=["sync", "async"])
def ask(request: pytest.FixtureRequest) -> Callable[[dict[str, Any], Callable[[Any], Any]], Any]:
    """Return how to ask a client that is made for it; what it streams comes as a list."""
    asking: Callable[[dict[str, Any], Callable[[Any], Any]], Any] = request.param
    return asking


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Record how long the clients want to sleep, and do not sleep."""
    slept: list[float] = []
    here, real = threading.get_ident(), asyncio.sleep

    async def nap(seconds: float, result: Any = None) -> Any:
        if not seconds or threading.get_ident() != here:
            # Somebody else's: the emulator's loop runs in this process too.
            return await real(seconds, result)
        slept.append(seconds)
        return await real(0, result)

    monkeypatch.setattr("doubao_core.client.time", SimpleNamespace(sleep=slept.append))
    monkeypatch.setattr(asyncio, "sleep", nap)
    return slept


@dataclass(frozen=True)
class Asked:
    """A request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


class Gate(ThreadingHTTPServer):
    """A gateway that gives the answers it is told, in turn, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Turn)
        self.base_url = f"http://127.0.0.1:{self.server_port}"
        self.asked: list[Asked] = []
        self.answers: list[tuple[int, dict[str, str], bytes]] = []

    def answer(self, body: Any, status: int = 200, **headers: str) -> None:
        """Give *body* to one more request, as JSON unless it is bytes.

        An underscore in a header's name stands for a dash.
        """
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answers.append((status, named, content))

    def settings(self, provider: str, **options: Any) -> dict[str, Any]:
        """Give the arguments with which a client or a class of an adapter talks to this."""
        return {
            "provider": provider,
            "base_url": self.base_url,
            "api_key": KEY,
            "max_retries": 0,
            **options,
        }


class _Turn(BaseHTTPRequestHandler):
    server: Gate

    def _take(self) -> None:
        sent = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = json.loads(sent) if sent else None
        self.server.asked.append(Asked(self.command, self.path, headers, body))
        status, given, content = self.server.answers.pop(0)
        self.send_response(status)
        said = {"Content-Type": "application/json", "Content-Length": str(len(content)), **given}
        for name, value in said.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def __getattr__(self, name: str) -> Callable[[], None]:
        """Answer all methods of HTTP alike."""
        if not name.startswith("do_"):
            raise AttributeError(name)
        return self._take

    def log_message(self, *_: Any) -> None:
        """Say nothing: what was asked is remembered."""


@pytest.fixture
def gate() -> Iterator[Gate]:
    """Run a gateway whose answers are dictated, over HTTP on this machine."""
    with Gate() as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        try:
            yield server
        finally:
            server.shutdown()
            serving.join()
