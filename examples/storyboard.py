"""A script becomes pictures and films; killed and started again, it goes on and pays nothing twice.

    python examples/storyboard.py [SCRIPT.md] [--out FOLDER] [--budget AMOUNT] [--at-once N]

Each scene of the script becomes a picture, and a film that begins with it. Set ``ARK_API_KEY`` (or
``DOUBAO_PROVIDER`` and that provider's key) to ask the real service, which costs money; with
neither, the same code talks to the emulator, on this machine only.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

from quickstart_parts import INSTALL

try:
    from quickstart_parts import failures
    from quickstart_parts.service import Service, choose
    from storyboard_parts import emulated, page
    from storyboard_parts.board import Board, total
    from storyboard_parts.progress import Bar
    from storyboard_parts.script import read_script

    from doubao_core.jobs import Batch, Budget
    from doubao_core.jobs.batch import CONCURRENCY
except ImportError as missing:
    sys.exit(f"storyboard: {missing}; {INSTALL}")

SCRIPT = Path(__file__).parent / "storyboard_parts" / "a-day-at-the-lighthouse.md"
# A start after a kill waits so long until it takes over what the killed one was at.
LEASE_SECONDS = 5.0
AGAIN = "What is made is kept; the same command goes on."
MORE = "What is made is kept; with a larger --budget, or none, the same command makes the rest."
FAILED = 1
USAGE = 2
STOPPED = 130


def main() -> int:
    """Make what is not made yet, and give the exit code."""
    arguments = _arguments()
    try:
        return _run(arguments)
    except failures.EXPECTED as error:
        print(f"storyboard: {failures.sentence(error)}. {AGAIN}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print(f"\nstoryboard: stopped. {AGAIN}", file=sys.stderr)
        return STOPPED


def _run(arguments: argparse.Namespace) -> int:
    service = choose()
    script = read_script(arguments.script)
    for line in _opening_lines(service):
        print(line, flush=True)
    folder: Path = arguments.out.absolute()
    _prepare(folder)
    board = Board(script, service, folder / "media")
    with _batch(arguments, service, folder) as batch:
        estimates = board.estimates(batch)
        print(
            f"{len(script.scenes)} scenes, {len(estimates)} jobs, at most {total(estimates)} by "
            "list prices.",
            flush=True,
        )
        skipped = False
        with Bar(len(estimates)) as bar:
            for panel, what, done in board.fill(batch):
                bar.show(panel, what, done)
                skipped = skipped or done.skipped
                page.write(board, service, folder)
    if service.is_emulator:
        emulated.dismiss(folder)
    return _report(board, page.write(board, service, folder), MORE if skipped else AGAIN)


def _opening_lines(service: Service) -> list[str]:
    if not service.is_emulator:
        return [f"Service: {service.title}, models {service.image} and {service.video}."]
    why = f"{service.missing_key} is not set" if service.missing_key else "you asked for it"
    said = f"The local emulator, not Doubao ({why})"
    return [f"{said}: pictures and films are placeholders, and nothing is paid."]


def _prepare(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise failures.BadInput(
            f"cannot write into {str(folder)!r} ({error.strerror}): choose a folder with --out"
        ) from error


def _batch(arguments: argparse.Namespace, service: Service, folder: Path) -> Batch:
    options: dict[str, Any] = {"provider": service.provider}
    if service.is_emulator and not os.environ.get("DOUBAO_BASE_URL"):
        options["base_url"] = emulated.base_url(folder)
    currency = "USD" if service.provider.startswith("byteplus") else "CNY"
    return Batch(
        "storyboard",
        ledger=f"sqlite:///{folder / 'jobs.sqlite3'}",
        output_dir=folder / "media",
        concurrency=arguments.at_once,
        budget=None if arguments.budget is None else Budget(arguments.budget, currency),
        lease=LEASE_SECONDS,
        **options,
    )


def _report(board: Board, index: Path, advice: str) -> int:
    problems = [
        f"storyboard: scene {panel.scene.number}: {problem}"
        for panel in board.panels
        for problem in panel.problems
    ]
    pictures = sum(panel.picture is not None for panel in board.panels)
    films = sum(panel.film is not None for panel in board.panels)
    costs = [cost for panel in board.panels for cost in panel.costs]
    print(f"{pictures} pictures and {films} films in {index.parent / 'media'}")
    print(f"Cost by list prices: {total(costs)} (no bill was looked at).")
    print(f"Open {index} to see it all.")
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        print(advice, file=sys.stderr)
    return FAILED if problems else 0


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say in one sentence what is wrong, without the usage that argparse puts before it."""
        self.exit(USAGE, f"{self.prog}: {message}; see --help\n")


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def _arguments() -> argparse.Namespace:
    parser = _Parser(
        prog="storyboard",
        description="Make a picture and a film of each scene of a script, and go on after a kill.",
    )
    parser.add_argument(
        "script",
        type=Path,
        nargs="?",
        default=SCRIPT,
        metavar="SCRIPT.md",
        help="Markdown with a heading ## for each scene (default: a day at a lighthouse)",
    )
    parser.add_argument("--out", type=Path, default=Path("storyboard"), metavar="FOLDER")
    parser.add_argument(
        "--budget",
        metavar="AMOUNT",
        help="stop before the list prices of all jobs exceed this (CNY; USD at BytePlus)",
    )
    parser.add_argument(
        "--at-once",
        type=_count,
        default=CONCURRENCY,
        metavar="N",
        help=f"jobs at once (default: {CONCURRENCY}, what an enterprise account may)",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
