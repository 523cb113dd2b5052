"""Virtual environments of this project, inside its folder, made once and made again when stale.

Standard library only: it runs before anything is installed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"
OLDEST_PYTHON = (3, 11)
DOT_EVERY = 2.0
"""Seconds between the signs of life of an installation."""
LAST_LINES = 15
"""How much of what pip said is shown when it fails."""


def require_python() -> None:
    """End with one sentence on a Python that is too old."""
    if sys.version_info < OLDEST_PYTHON:
        sys.exit(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}.")


def group(name: str) -> list[str]:
    """Read a dependency group of pyproject.toml; pip below 25.1 cannot."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    requirements: list[str] = project["dependency-groups"][name]
    return requirements


def prepare(folder: str, requirements: list[str], *, install: str) -> Path:
    """Make ``ROOT/folder`` hold *requirements* and this project; gives its ``bin``.

    What is there is kept as long as pyproject.toml, the Python and the requirements are the same.

    Args:
        folder: Name of the environment.
        requirements: What to install beside the project.
        install: How to install the project itself: a requirement, ``-e`` with extras, or a wheel.
    """
    environment = ROOT / folder
    stamp = environment / ".stamp"
    wanted = _fingerprint([*requirements, install])
    if not stamp.is_file() or stamp.read_text() != wanted:
        print(f"Setting up {folder}, once: pip installs into it, about a minute …", flush=True)
        shutil.rmtree(environment, ignore_errors=True)
        run([sys.executable, "-m", "venv", environment])
        pip(environment, [*requirements, *install.split(" ", 1)])
        stamp.write_text(wanted)
    return environment / "bin"


def pip(environment: Path, arguments: list[str]) -> None:
    """Install into *environment*, with a dot now and then; what pip says is shown if it fails."""
    command = [environment / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-input"]
    with subprocess.Popen(
        [*command, *arguments],
        cwd=ROOT,
        env=_variables(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as installing:
        said = _said_in_the_end(installing)
    if installing.returncode:
        print(*said.splitlines()[-LAST_LINES:], sep="\n", file=sys.stderr)
        sys.exit(
            f"\npip could not install what {environment.name} needs; above is the last of what it "
            "said. Often that is the network: then run the same line again."
        )


def _said_in_the_end(running: subprocess.Popen[str]) -> str:
    while True:
        try:
            said, _ = running.communicate(timeout=DOT_EVERY)
        except subprocess.TimeoutExpired:
            print(".", end="", flush=True)
        else:
            print(flush=True)
            return said


def run(command: list[str | Path], **environment: str) -> None:
    """Run *command* in the project's folder; if it fails, end with its exit code."""
    done = subprocess.run(command, cwd=ROOT, env=_variables(**environment), check=False)
    if done.returncode:
        sys.exit(done.returncode)


def _variables(**more: str) -> dict[str, str]:
    """Caches and temporary files stay inside the project: nothing outside of it changes."""
    (CACHE / "tmp").mkdir(parents=True, exist_ok=True)
    caches = {
        "PIP_CACHE_DIR": CACHE / "pip",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "XDG_CACHE_HOME": CACHE,
        "TMPDIR": CACHE / "tmp",
    }
    return {**os.environ, **{name: str(value) for name, value in caches.items()}, **more}


def _fingerprint(words: list[str]) -> str:
    digest = hashlib.sha256((ROOT / "pyproject.toml").read_bytes())
    digest.update("\n".join([sys.version, str(ROOT), *words]).encode())
    return digest.hexdigest()
