"""Many documents to vectors, in one process or on Ray; killed and started again, it goes on.

    python examples/embed_at_scale.py --input FOLDER_OR_PARQUET --output PARQUET
                                      [--engine local|ray] [--rate-per-minute N]

The input is a folder of .txt, .md, .pdf and .parquet files, or one of them. The output is a folder
of Parquet files with one row a chunk. Set ``ARK_API_KEY`` (or ``DOUBAO_PROVIDER`` and that
provider's key) to ask the real service; with neither, the same code talks to the emulator.
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from quickstart_parts import INSTALL

try:
    from embed_at_scale_parts.chunks import CHUNK_CHARACTERS, CHUNK_OVERLAP, pieces
    from embed_at_scale_parts.job import Job
    from embed_at_scale_parts.output import Output
    from embed_at_scale_parts.progress import Progress
    from quickstart_parts import failures
    from quickstart_parts.service import Service, choose
except ImportError as missing:
    sys.exit(f"embed_at_scale: {missing}; {INSTALL}")

ENGINES = {"local": "local", "ray": "on_ray"}
ROWS_PER_PART = 500
IN_FLIGHT = 16
ACTORS = 2
FAILED = 1
USAGE = 2
STOPPED = 130


def main() -> int:
    """Embed what is not done yet, and give the exit code."""
    arguments = _arguments()
    try:
        return _run(arguments)
    except failures.EXPECTED as error:
        print(f"embed_at_scale: {failures.sentence(error)}", file=sys.stderr)
        print("What was finished is kept; the same command goes on.", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("\nembed_at_scale: stopped; the same command goes on", file=sys.stderr)
        return STOPPED


def _run(arguments: argparse.Namespace) -> int:
    service = choose()
    for line in _opening_lines(service):
        print(line, flush=True)
    job = _job(arguments, service)
    place = arguments.input.absolute()
    found = pieces(place, job.column, besides=Path(job.output.folder))
    done = job.output.open()
    if len(done):
        print(f"Going on: {len(done):,} rows are done.", flush=True)
    # Imported only now: Ray takes seconds, and only one of the engines needs it.
    engine = import_module(f"embed_at_scale_parts.{ENGINES[arguments.engine]}")
    progress = Progress(rate=job.rate)
    engine.run(job, found, done, progress)
    print(f"Embedded {progress}, {progress.tokens:,} tokens.")
    print(f"{len(job.output.open()):,} rows in {arguments.output}")
    if progress.refused:
        print(
            f"embed_at_scale: {progress.refused:,} rows have no vector; their column "
            "embedding_error says why",
            file=sys.stderr,
        )
    return 0


def _opening_lines(service: Service) -> list[str]:
    lines = [f"Service: {service.title}, model {service.embedding}."]
    if service.missing_key:
        lines.append(f"No API key ({service.missing_key} is not set): these are not real vectors.")
    return lines


def _job(arguments: argparse.Namespace, service: Service) -> Job:
    options: dict[str, Any] = {
        "model": service.embedding,
        "provider": service.provider,
        "max_concurrency": arguments.in_flight,
    }
    if arguments.rate_per_minute is not None:
        options["requests_per_minute"] = arguments.rate_per_minute
    if base_url := os.environ.get("DOUBAO_BASE_URL"):
        # Said here, it is so for the nodes of a cluster, too.
        options["base_url"] = base_url
    elif service.is_emulator:
        # Imported only now: with a key nobody needs it. One emulator, also for Ray's workers.
        options["base_url"] = import_module("doubao_emulator").shared_base_url()
    settings = {
        "provider": service.provider,
        "model": service.embedding,
        "chunks": f"{CHUNK_CHARACTERS} characters, {CHUNK_OVERLAP} of them again",
    }
    return Job(
        output=Output(str(arguments.output.absolute()), settings),
        options=options,
        column=arguments.text_column,
        rows_per_part=arguments.rows_per_part,
        in_flight=arguments.in_flight,
        actors=arguments.actors,
        rate=arguments.rate_per_minute,
    )


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
        prog="embed_at_scale",
        description="Embed many documents with Doubao into Parquet files, and go on after a kill.",
    )
    parser.add_argument(
        "--input",
        type=Path,
        required=True,
        metavar="FOLDER_OR_PARQUET",
        help="folder of .txt, .md, .pdf and .parquet files, or one such file",
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="PARQUET", help="folder of Parquet files"
    )
    parser.add_argument("--engine", choices=ENGINES, default="local")
    parser.add_argument(
        "--rate-per-minute",
        type=_count,
        metavar="N",
        help="requests that all workers may send together (default: no limit)",
    )
    parser.add_argument(
        "--text-column", default="text", metavar="NAME", help="of Parquet input (default: text)"
    )
    for name, default, what in (
        ("--rows-per-part", ROWS_PER_PART, "rows in a file of the output: what a kill can cost"),
        ("--in-flight", IN_FLIGHT, "requests at once, of this process or of each actor"),
        ("--actors", ACTORS, "workers on Ray"),
    ):
        parser.add_argument(
            name, type=_count, default=default, metavar="N", help=f"{what} (default: {default})"
        )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
