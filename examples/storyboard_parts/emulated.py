"""The emulator as a process of its own, so that a storyboard that is killed can go on offline.

The real service remembers its tasks, and so must the emulator: it is left running when the
storyboard is killed, found again by the next start, and ends by itself when nobody asks it.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

_ADDRESS = "emulator.address"
_START_SECONDS = 60.0
_IDLE_SECONDS = 120.0


def base_url(folder: Path) -> str:
    """Give the address of the emulator that serves *folder*; start it if there is none."""
    file = folder / _ADDRESS
    known = _alive(file)
    if known is not None:
        return known
    file.unlink(missing_ok=True)
    subprocess.Popen(  # noqa: S603 - this file, with this interpreter
        [sys.executable, Path(__file__), file.absolute()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # Neither Ctrl-C in the terminal nor the end of the storyboard ends it.
        start_new_session=True,
    )
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if (started := _alive(file)) is not None:
            return started
        time.sleep(0.05)
    # Imported only now: the emulator's own process knows this file alone.
    from quickstart_parts.failures import QuickstartError  # noqa: PLC0415

    raise QuickstartError(f"the emulator did not start within {_START_SECONDS:.0f} s")


def dismiss(folder: Path) -> None:
    """Let the emulator of *folder* end: nothing is left to do."""
    (folder / _ADDRESS).unlink(missing_ok=True)


def _alive(file: Path) -> str | None:
    try:
        address = file.read_text(encoding="utf-8")
        server = urlsplit(address)
        with socket.create_connection((server.hostname or "", server.port or 0), timeout=5):
            return address
    except (OSError, ValueError):
        return None


def _serve(file: Path) -> None:
    from doubao_emulator import AfterSeconds, Emulator  # noqa: PLC0415 - only in this process

    with Emulator(progress=AfterSeconds(2.0)) as emulator:
        partial = file.with_suffix(".partial")
        partial.write_text(emulator.base_url, encoding="utf-8")
        partial.replace(file)
        seen, idle_since = 0, time.monotonic()
        while file.exists() and time.monotonic() - idle_since < _IDLE_SECONDS:
            time.sleep(0.2)
            if len(emulator.requests) != seen:
                seen, idle_since = len(emulator.requests), time.monotonic()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
