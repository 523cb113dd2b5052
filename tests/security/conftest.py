"""Hostile URLs and names as data, a server of redirects, and both clients."""

from __future__ import annotations

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import settings

from doubao_core import AsyncClient, Client

settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.load_profile("repeatable")

HERE = Path(__file__).parent


def rows(file):
    """Read one of the lists."""
    lines = (HERE / file).read_text("utf-8").splitlines()
    return [SimpleNamespace(**json.loads(line)) for line in lines]


def pytest_generate_tests(metafunc):
    """Give a test that asks for ``hostile_url`` or ``hostile_name`` every row of the list."""
    for fixture in ("hostile_url", "hostile_name"):
        if fixture in metafunc.fixturenames:
            found = rows(f"{fixture}s.jsonl")
            shown = [f"{at}-{row.reason}" for at, row in enumerate(found)]
            metafunc.parametrize(fixture, found, ids=shown)


@pytest.fixture
def hostile_urls():
    """Return all rows of the list."""
    return rows("hostile_urls.jsonl")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def server():
    """Serve what ``answers`` has under a path: status, headers, body; ``asked`` is what came."""
    answers, asked = {}, []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            asked.append((self.path, dict(self.headers)))
            status, headers, body = answers.get(self.path, (404, {}, b""))
            self.send_response(status)
            for name, value in {"content-length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.daemon_threads = True
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield SimpleNamespace(
        answers=answers,
        asked=asked,
        http=running,
        url=f"http://127.0.0.1:{running.server_port}",
    )
    running.shutdown()
    thread.join()
    running.server_close()


@pytest.fixture(params=["sync", "async"])
def download(request, server):
    """Download with a client of the server, blocking and awaited."""

    def blocking(*arguments, **options):
        with Client(**made) as client:
            return client.download(*arguments, **options)

    async def awaited(*arguments, **options):
        async with AsyncClient(**made) as client:
            return await client.download(*arguments, **options)

    def call(*arguments, **options):
        return asyncio.run(awaited(*arguments, **options))

    made = {"api_key": "sk-live-9f8e7d6c5b4a3210", "base_url": f"{server.url}/api/v3"}
    made |= {"timeout": 5.0, "max_retries": 0}
    return blocking if request.param == "sync" else call
