"""``doubao jobs``: look at the ledger, finish what was left, decide what only a person can."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from doubao_core import media
from doubao_core.errors import ConfigError, DoubaoError
from doubao_core.jobs import LEDGER, OUTPUT_DIR, Job, Jobs, State
from doubao_core.jobs.job import GONE
from doubao_core.jobs.reconcile import PATIENCE

_OK, _BAD, _GOES_ON, _HELD = 0, 1, 3, 4
_CODES = {
    State.DONE: _OK,
    State.FAILED: _BAD,
    State.REFUSED: _BAD,
    State.CANCELLED: _BAD,
    State.HELD: _HELD,
}
_HEADINGS = ("KEY", "STATE", "KIND", "TASK", "UPDATED", "MODEL")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's words."""
    commands = parser.add_subparsers(required=True, metavar="command")
    listing = _command(commands, "list", _list, "show every job, oldest first")
    listing.add_argument(
        "--state", action="append", choices=[state.value for state in State], help="only these"
    )
    _keyed(_command(commands, "show", _show, "show one job"))
    resume = _command(commands, "resume", _resume, "finish every job that has not ended")
    wait = _keyed(_command(commands, "wait", _wait, "finish one job"))
    for each in (resume, wait):
        each.add_argument(
            "--timeout", type=float, metavar="SECONDS", help="default: as long as it takes"
        )
    _keyed(_command(commands, "cancel", _cancel, "withdraw a job that is not made yet"))
    release = _keyed(
        _command(commands, "release", _release, "let a held job be paid for once more")
    )
    release.add_argument("--task", metavar="ID", help="no: this is the task that it paid for")


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    act: Callable[[Jobs, argparse.Namespace], int],
    about: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=about, description=f"{about.capitalize()}.")
    parser.add_argument(
        "--ledger",
        default=os.environ.get("DOUBAO_LEDGER") or LEDGER,
        metavar="URL",
        help=f"default: DOUBAO_LEDGER, then {LEDGER}",
    )
    parser.add_argument(
        "--output-dir",
        metavar="PLACE",
        help="folder or URL for results, default: where the program that ordered each job saves; "
        f"if the ledger does not know, ./{OUTPUT_DIR}",
    )
    parser.add_argument("--provider", help="default: DOUBAO_PROVIDER, then ark")
    parser.add_argument("--base-url", metavar="URL", help="default: DOUBAO_BASE_URL")
    parser.add_argument(
        "--patience",
        type=float,
        default=PATIENCE,
        metavar="SECONDS",
        help="how long the task of a lost answer is looked for",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=lambda options: _run(act, options))
    return parser


def _keyed(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("key", help="the job")
    return parser


def _run(act: Callable[[Jobs, argparse.Namespace], int], options: argparse.Namespace) -> int:
    _check_there(options.ledger)
    with Jobs(
        ledger=options.ledger,
        output_dir=options.output_dir,
        patience=options.patience,
        provider=options.provider,
        base_url=options.base_url,
    ) as jobs:
        return act(jobs, options)


def _check_there(ledger: str) -> None:
    """Refuse a file that is not there: an empty one, made for a slip, has nothing left to do."""
    _, local, path = ledger.partition("sqlite:///")
    if local and not path.startswith("file:"):
        file = Path(path.partition("?")[0])
        if not file.exists():
            raise ConfigError(
                f"there is no ledger at {str(file.absolute())!r}: name it with --ledger or "
                "DOUBAO_LEDGER, or start where the program that made it was started"
            )


def _list(jobs: Jobs, options: argparse.Namespace) -> int:
    states = None if options.state is None else [State(each) for each in options.state]
    found = jobs.list(states)
    if options.json:
        _print_json([job.to_dict() for job in found])
    else:
        _print_table(found)
    return _OK


def _show(jobs: Jobs, options: argparse.Namespace) -> int:
    return _told(jobs.get(options.key), options)


class _Teller:
    """Says on the terminal what moves, while the command works."""

    def __init__(self, output_dir: str | None) -> None:
        self._place = None if output_dir is None else media.storage(output_dir).location
        self._said: dict[str, str] = {}

    def begin(self, jobs: Jobs, wanted: Iterable[Job]) -> None:
        """Say where results go, and which of the *wanted* jobs another process has."""
        ours = [job for job in wanted if job.provider == jobs.client.provider and not job.ended]
        if not ours:
            return
        self._say_where(ours)
        keys = {job.key for job in ours}
        taken = jobs.taken()
        for key in sorted(keys & taken.keys()):
            _say(
                f"{key}: another process works on it; if that one died, it is taken over at "
                f"{taken[key].astimezone():%H:%M:%S}."
            )

    def _say_where(self, jobs: Iterable[Job]) -> None:
        if self._place is not None:
            _say(f"Results go to {self._place} (--output-dir).")
            return
        for place, count in sorted(Counter(job.output_dir or "" for job in jobs).items()):
            known = f"{place}, where their program saves" if place else f"./{OUTPUT_DIR}"
            _say(f"Results of {count} {'job' if count == 1 else 'jobs'} go to {known}.")

    def tell(self, key: str, status: str) -> None:
        """Say that a job moved."""
        if self._said.get(key) != status:
            self._said[key] = status
            _say(f"{key}: {status}")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _resume(jobs: Jobs, options: argparse.Namespace) -> int:
    tell = None
    if not options.json:
        teller = _Teller(options.output_dir)
        teller.begin(jobs, jobs.list())
        tell = teller.tell
    found = jobs.resume(timeout=options.timeout, on_status=tell)
    if options.json:
        _print_json([job.to_dict() for job in found])
    elif not found:
        print("Nothing is left to do.")
    for job in [] if options.json else found:
        print(f"{job.key}: {job.text}")
    codes = [_code(job) for job in found]
    # What needs a person goes before what goes on, and that before what ended badly.
    return max(codes, default=_OK)


def _wait(jobs: Jobs, options: argparse.Namespace) -> int:
    if not options.json:
        _Teller(options.output_dir).begin(jobs, [jobs.get(options.key)])
    try:
        job = jobs.wait(options.key, timeout=options.timeout)
    except DoubaoError:
        job = jobs.get(options.key)
        if job.state not in _CODES:
            raise
    return _told(job, options)


def _cancel(jobs: Jobs, options: argparse.Namespace) -> int:
    job = jobs.cancel(options.key)
    _told(job, options)
    return _OK if job.state is State.CANCELLED else _code(job)


def _release(jobs: Jobs, options: argparse.Namespace) -> int:
    _told(jobs.release(options.key, task_id=options.task), options)
    return _OK


def _told(job: Job, options: argparse.Namespace) -> int:
    if options.json:
        _print_json(job.to_dict())
    else:
        print(job.text)
    return _code(job)


def _code(job: Job) -> int:
    if job.state is State.ACCEPTED and job.status == GONE:
        return _HELD
    return _CODES.get(job.state, _GOES_ON)


def _print_json(value: object) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))


def _print_table(jobs: Iterable[Job]) -> None:
    rows = [_HEADINGS, *(_row(job) for job in jobs)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())


def _row(job: Job) -> Sequence[str]:
    updated = f"{job.updated_at.astimezone():%Y-%m-%d %H:%M:%S}"
    return (job.key, job.state.value, job.kind, job.task_id or "-", updated, job.model)
