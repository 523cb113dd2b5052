"""Examples as their users run them: each a process with an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLES = Path(__file__).parents[2] / "examples"


@dataclass(frozen=True)
class Run:
    """How a run ended, and the folders that it was given."""

    code: int
    stdout: str
    stderr: str
    out: Path
    home: Path
    work: Path


class Quickstart:
    """Starts the script in an empty working folder with an empty home and no settings."""

    def __init__(self, folder: Path) -> None:
        self.out = folder / "results"
        self.home = folder / "home"
        self.work = folder / "work"
        self.home.mkdir()
        self.work.mkdir()

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        inherited = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
        return subprocess.Popen(
            [
                sys.executable,
                EXAMPLES / "quickstart.py",
                "--out",
                self.out,
                *arguments,
            ],
            cwd=self.work,
            env={**inherited, "HOME": str(self.home), "PYTHONUTF8": "1", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def __call__(self, *arguments: str, **environment: str) -> Run:
        with self.start(*arguments, **environment) as process:
            stdout, stderr = process.communicate(timeout=50)
        return Run(process.returncode, stdout, stderr, self.out, self.home, self.work)


@pytest.fixture(scope="session")
def start_quickstart() -> type[Quickstart]:
    """For fixtures that share one run."""
    return Quickstart


@pytest.fixture
def quickstart(tmp_path: Path) -> Quickstart:
    return Quickstart(tmp_path)


@pytest.fixture
def run_example(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a script in an empty working folder with an empty home and no settings."""

    def run(script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        inherited = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
        return subprocess.run(
            [sys.executable, EXAMPLES / script, *arguments],
            cwd=tmp_path,
            env={**inherited, "HOME": str(tmp_path), "PYTHONUTF8": "1", **environment},
            capture_output=True,
            encoding="utf-8",
            timeout=50,
            check=False,
        )

    return run


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], object]:
    """Import a module of the quickstart as the script itself does."""
    from importlib import import_module

    monkeypatch.syspath_prepend(EXAMPLES)
    return lambda name: import_module(f"quickstart_parts.{name}")
