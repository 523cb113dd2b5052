"""Set up once, then run the main job: ``python3 scripts/quickstart.py [its options]``."""

from __future__ import annotations

import sys

import environment


def main() -> None:
    """Make ``.venv`` and hand over to examples/quickstart.py."""
    environment.require_python()
    extras = "-e .[langchain,llamaindex,emulator,examples]"
    binaries = environment.prepare(".venv", [], install=extras)
    environment.run([binaries / "python", "examples/quickstart.py", *sys.argv[1:]])


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
