"""Processes that work on a job and are killed, and the two databases that the ledger is kept in.

On SQLite they are blocking, on PostgreSQL they are asyncio's.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from typing import TYPE_CHECKING

import psycopg
import pytest

from doubao_core.jobs import Jobs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from doubao_emulator import Emulator

MOST_SECONDS = 50.0
LEASE = 0.5
VARIABLES = ("ARK_API_KEY", "BYTEPLUS_API_KEY", "DOUBAO_PROVIDER", "DOUBAO_BASE_URL")

# Run by another interpreter, to which the modules of the tests are unknown. `plan["dies"]` says
# where it kills itself: "before Class.method", "after Class.method [state]" or "at <status>".
WORKER = """
import asyncio, json, os, signal, sys
from doubao_core import Client
from doubao_core.errors import DoubaoError
from doubao_core.jobs import AsyncJobs, Jobs
from doubao_core.jobs.ledger import Ledger
from doubao_core.media.save import Target
from doubao_core.studio import ImageOrder, VideoOrder

plan = json.loads(sys.argv[1])
when, _, point = (plan["dies"] or "never ").partition(" ")
place, _, state = point.partition(" ")

def die():
    os.kill(os.getpid(), signal.SIGKILL)

if when in ("before", "after"):
    owner, name = place.split(".")
    owner = {"Ledger": Ledger, "Client": Client, "Target": Target}[owner]
    if name == "create_video":
        sent = Client.create_video.flow
        def create_video(**options):
            yield from sent(**options)
            die()
        Client.create_video.flow = create_video
    else:
        real = getattr(owner, name)
        def deadly(self, *args, **options):
            if when == "before":
                die()
            given = real(self, *args, **options)
            if not state or str(args[1]) == state:
                die()
            return given
        setattr(owner, name, deadly)

order = {"film": VideoOrder, "pictures": ImageOrder}[plan["order"]].from_request(plan["request"])
print("ready", flush=True)
if plan["waits"]:
    sys.stdin.readline()

def seen(event):
    if when == "at" and getattr(event, "status", None) == point:
        die()

def block():
    with Jobs(**plan["jobs"]) as jobs:
        if plan["calls"] == "submit":
            jobs.submit(order, key=plan["key"])
            events = jobs.watch(plan["key"])
        else:
            events = jobs.run(order, key=plan["key"])
        for event in events:
            seen(event)

async def wait():
    async with AsyncJobs(**plan["jobs"]) as jobs:
        if plan["calls"] == "submit":
            await jobs.submit(order, key=plan["key"])
            events = jobs.watch(plan["key"])
        else:
            events = jobs.run(order, key=plan["key"])
        async for event in events:
            seen(event)

try:
    asyncio.run(wait()) if plan["awaits"] else block()
except DoubaoError as error:
    print(f"{type(error).__name__}: {error}", flush=True)
    sys.exit(1)
"""

REQUESTS = {
    "film": {
        "model": "doubao-seedance-1-0-pro-250528",
        "content": [{"type": "text", "text": "a lighthouse"}],
        "duration": 2,
        "resolution": "480p",
    },
    "pictures": {
        "model": "doubao-seedream-4-0-250828",
        "prompt": "a lighthouse, twice",
        "size": "1024x1024",
        "sequential_image_generation": "auto",
        "sequential_image_generation_options": {"max_images": 2},
    },
}


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


class Site:
    """A ledger, a folder for results and a service, and the processes that work on them."""

    requests = REQUESTS

    def __init__(self, ledger: str, read_only: str, folder: Path, emulator: Emulator) -> None:
        self.ledger = ledger
        # One of the two is enough for each case: what they do is written once.
        self.awaits = ledger.startswith("postgresql")
        self.read_only = read_only
        self.results = folder / "results"
        self.emulator = emulator
        self._environment = {
            **{name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ},
            "HOME": str(folder),
            "PYTHONUTF8": "1",
            "ARK_API_KEY": "test-key-6e1d",
            "DOUBAO_BASE_URL": emulator.base_url,
        }

    def options(self, **changes: object) -> dict[str, object]:
        return {
            "ledger": self.ledger,
            "output_dir": str(self.results),
            "poll_interval": 0.02,
            "patience": 0,
            "lease": LEASE,
            "max_retries": 2,
            **changes,
        }

    def jobs(self, **changes: object) -> Jobs:
        """Jobs of the test's own process."""
        connection = {"base_url": self.emulator.base_url, "api_key": "test-key-6e1d"}
        return Jobs(**self.options(**changes), **connection)

    def start(
        self,
        order: str,
        *,
        dies: str | None = None,
        calls: str = "run",
        waits: bool = False,
        **options: object,
    ) -> subprocess.Popen[str]:
        """Start a process that works on the job "scene"."""
        plan = {
            "order": order,
            "request": REQUESTS[order],
            "key": "scene",
            "dies": dies,
            "calls": calls,
            "waits": waits,
            "awaits": self.awaits,
            "jobs": self.options(**options),
        }
        return self._started([sys.executable, "-c", WORKER, json.dumps(plan)])

    def resume(self, patience: float) -> subprocess.Popen[str]:
        """Start ``doubao jobs resume`` as a person does."""
        command = [sys.executable, "-m", "doubao_core.cli", "jobs", "resume", "--json"]
        # Without --output-dir: the ledger knows where.
        return self._started([*command, "--ledger", self.ledger, "--patience", str(patience)])

    def _started(self, command: list[object]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            cwd=self.results.parent,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def creates(self) -> int:
        """How many paid requests arrived."""
        paid = ("/contents/generations/tasks", "/images/generations")
        return sum(
            each.method == "POST" and each.path.endswith(paid) for each in self.emulator.requests
        )

    def downloads(self) -> int:
        """How many results were fetched."""
        return sum("/media/" in each.path for each in self.emulator.requests)

    def files(self) -> list[Path]:
        """The results; what a killed process left unfinished has a hidden name."""
        return sorted(each for each in self.results.glob("[!.]*") if each.is_file())


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for a process; gives its code and what it said."""
    with process:
        out, err = process.communicate(timeout=MOST_SECONDS)
    return process.returncode, out, err


@pytest.fixture
def end() -> Callable[[subprocess.Popen[str]], tuple[int, str, str]]:
    """Wait for a process; gives its code and what it said."""
    return ended


@pytest.fixture
def kill() -> Callable[[subprocess.Popen[str]], None]:
    """End a process that the test started, at once."""

    def kill(process: subprocess.Popen[str]) -> None:
        os.kill(process.pid, signal.SIGKILL)
        ended(process)

    return kill


@pytest.fixture
def wait_for() -> Callable[[Callable[[], object]], object]:
    """Give what *found* gives as soon as it is something."""

    def wait_for(found: Callable[[], object]) -> object:
        until = time.monotonic() + MOST_SECONDS
        while not (value := found()):
            assert time.monotonic() < until, "it never happened"
            time.sleep(0.01)
        return value

    return wait_for


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, tmp_path: Path, emulator: Emulator) -> Site:
    """Give a place to work in, once with each database."""
    if request.param == "sqlite":
        ledger = f"sqlite:///{tmp_path}/jobs.sqlite3"
        read_only = f"sqlite:///file:{tmp_path}/jobs.sqlite3?mode=ro&uri=true"
    else:
        server = request.getfixturevalue("postgres")
        name = f"jobs_{uuid.uuid4().hex}"
        with psycopg.connect(f"host={server} user=postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        ledger = f"postgresql://postgres@/{name}?host={server}"
        read_only = f"{ledger}&options=-c%20default_transaction_read_only%3Don"
    return Site(ledger, read_only, tmp_path, emulator)
