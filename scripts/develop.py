"""Make ``.venv-dev``: the project (editable), with the tools to test and to measure it."""

from __future__ import annotations

import environment


def main() -> None:
    """Make it, and say where it is."""
    environment.require_python()
    tools = [each for name in ("test", "lint", "benchmark") for each in environment.group(name)]
    binaries = environment.prepare(".venv-dev", tools, install="-e .[all]")
    print(f"Ready: {binaries.relative_to(environment.ROOT)}/pytest, …/ruff, …/mypy, …/python")


if __name__ == "__main__":
    main()
