"""`python -m doubao_emulator`: serve until stopped."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        # Not at the top, so that a missing extra is one sentence.
        from doubao_emulator import Emulator  # noqa: PLC0415
    except ImportError as error:
        return _fail(str(error))
    stopped = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stopped.set())
    try:
        emulator = Emulator(**vars(options)).start()
    except ValueError as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(
            f"Cannot listen on {options.host}:{options.port} ({error.strerror or error}); "
            "choose another address with --host or --port."
        )
    with emulator:
        sys.stdout.write(f"Doubao emulator (not the real service): {emulator.base_url}\n")
        sys.stdout.flush()
        stopped.wait()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m doubao_emulator",
        description="A local server that speaks Volcengine Ark's protocol; any key will do.",
        epilog=_places(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8765, help="port to listen on, 0 for any")
    parser.add_argument(
        "--requests-per-minute",
        type=int,
        metavar="N",
        help="answer 429 beyond this many requests per key and model",
    )
    parser.add_argument(
        "--tokens-per-minute",
        type=int,
        metavar="N",
        help="answer 429 beyond this many tokens per key and model",
    )
    parser.add_argument(
        "--latency", type=float, default=0.0, metavar="SECONDS", help="wait before each answer"
    )
    return parser


def _places() -> str:
    """Say where the other protocols are spoken; nothing without the extra that speaks them."""
    try:
        from doubao_emulator.server import places  # noqa: PLC0415
    except ImportError:
        return ""
    lines = [f"  {name:<24} {path}" for name, path in sorted(places().items())]
    return "\n".join(["base URLs below the server's address:", *lines])


def _fail(sentence: str) -> int:
    sys.stderr.write(f"{sentence}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
