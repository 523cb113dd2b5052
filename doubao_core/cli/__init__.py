"""The command ``doubao``: what a person does with jobs, and the receiver of callbacks.

Exit codes: 0 it is done, 1 a job ended badly, 2 it could not be tried, 3 a job goes on, 4 a person
must decide, 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from doubao_core.cli import jobs, webhooks
from doubao_core.errors import DoubaoError

_CANNOT = 2
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; gives its exit code."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except DoubaoError as error:
        print(f"doubao: {error}", file=sys.stderr)
        return _CANNOT
    except KeyboardInterrupt:
        return _INTERRUPTED
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="doubao", description="Doubao pictures and films.")
    commands = parser.add_subparsers(required=True, metavar="command")
    jobs.add_arguments(commands.add_parser("jobs", help="what was ordered, paid for and made"))
    webhooks.add_arguments(commands.add_parser("webhooks", help="the service's callbacks"))
    return parser
