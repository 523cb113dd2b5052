"""Set up, then check everything: format, lint, types, import contracts, tests of the built wheel.

``python3 scripts/check.py [arguments for pytest]``. Continuous integration runs the same.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import environment

PACKAGES = ["doubao_core", "doubao_emulator", "langchain_doubao", "llamaindex_doubao"]


def main() -> None:
    """Run all checks; the first that fails ends it with its exit code."""
    environment.require_python()
    tools = environment.group("test") + environment.group("lint")
    # The dependencies are installed once; the project itself is built and installed each time.
    binaries = environment.prepare(".venv-test", tools, install="-e .[all]")
    _step("format", [binaries / "ruff", "format", "--check", "."])
    _step("lint", [binaries / "ruff", "check", "."])
    _step("types", [binaries / "mypy"])
    _step("import contracts", [binaries / "lint-imports"])
    with tempfile.TemporaryDirectory(dir=environment.CACHE) as folder:
        _install_wheel(binaries, Path(folder))
        wheel_only = {"DOUBAO_TEST_INSTALLED": "1"}
        _step(
            "tests",
            [binaries / "pytest", "-n", "2", "--dist", "worksteal", *sys.argv[1:]],
            **wheel_only,
        )
    print("All checks passed.")


def _install_wheel(binaries: Path, folder: Path) -> None:
    """Build the wheel and put it in the place of the editable install: users get the wheel."""
    _step(
        "build", [binaries / "python", "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, "."]
    )
    (wheel,) = folder.glob("*.whl")
    environment.pip(binaries.parent, ["--no-deps", "--force-reinstall", str(wheel)])


def _step(name: str, command: list[str | Path], **variables: str) -> None:
    print(f"— {name}", flush=True)
    environment.run(command, **variables)


if __name__ == "__main__":
    main()
