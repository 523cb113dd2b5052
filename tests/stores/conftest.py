"""Embeddings on the emulator, and a Redis server for the session."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from langchain_doubao import DoubaoEmbeddings
from llamaindex_doubao import DoubaoEmbedding

if TYPE_CHECKING:
    from doubao_emulator import Emulator

VISION = "doubao-embedding-vision-251215"


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ARK_API_KEY", "BYTEPLUS_API_KEY", "DOUBAO_PROVIDER", "DOUBAO_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def langchain_embeddings(emulator: Emulator) -> Iterator[Callable[..., DoubaoEmbeddings]]:
    """Make LangChain embeddings that talk to the emulator."""
    made: list[DoubaoEmbeddings] = []

    def make(**fields: Any) -> DoubaoEmbeddings:
        settings = {"model": VISION, "dimensions": 1024, "api_key": "k", "max_retries": 0, **fields}
        made.append(DoubaoEmbeddings(base_url=emulator.base_url, **settings))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def llamaindex_embedding(emulator: Emulator) -> Iterator[Callable[..., DoubaoEmbedding]]:
    """Make LlamaIndex embeddings that talk to the emulator."""
    made: list[DoubaoEmbedding] = []

    def make(**fields: Any) -> DoubaoEmbedding:
        settings = {
            "model_name": VISION,
            "dimensions": 1024,
            "api_key": "k",
            "max_retries": 0,
            **fields,
        }
        made.append(DoubaoEmbedding(base_url=emulator.base_url, **settings))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def sent(emulator: Emulator) -> Callable[[], list[str]]:
    """Give the texts that were sent, one for each request, sorted."""

    def sent() -> list[str]:
        return sorted(request.body["input"][0]["text"] for request in emulator.requests)

    return sent


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a Redis server of our own; Debian has one, the package registry of Python none."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed (Debian's package redis-server)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    folder = tmp_path_factory.mktemp("redis")
    with subprocess.Popen(
        [program, *options], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        yield f"redis://127.0.0.1:{port}/0"
        server.terminate()
