"""Doubao over your own documents, with LangChain and LlamaIndex: answer, picture, film, page.

    python examples/quickstart.py [--docs FOLDER] [--question TEXT] [--out FOLDER]
                                  [--framework langchain|llamaindex|both] [--no-media]

Set ``ARK_API_KEY`` (or ``DOUBAO_PROVIDER`` and that provider's key) to ask the real service.
With neither, the same code talks to the emulator, on this machine only.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from quickstart_parts import INSTALL

try:
    from quickstart_parts import failures, report, terminal
    from quickstart_parts.documents import Section, read_folder
    from quickstart_parts.result import Result
    from quickstart_parts.service import Service, choose
except ImportError as missing:
    sys.exit(f"quickstart: {missing}; {INSTALL}")

FRAMEWORKS = {"langchain": "LangChain", "llamaindex": "LlamaIndex"}
QUESTION = (
    "When and where was the first Fresnel lens lit, "
    "and how does such a lens gather light into a beam?"
)
FAILED = 1
USAGE = 2
STOPPED = 130


def main() -> int:
    """Run the whole of it and give the exit code."""
    arguments = _arguments()
    # If the environment asks for it, LangChain traces to LangSmith; a trial run should not.
    os.environ["LANGSMITH_TRACING"] = os.environ["LANGCHAIN_TRACING_V2"] = "false"
    try:
        return _run(arguments)
    except BrokenPipeError:
        # Whoever read the output, such as `head`, has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except failures.EXPECTED as error:
        print(f"quickstart: {failures.sentence(error)}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("\nquickstart: stopped; a video that is running is still made", file=sys.stderr)
        return STOPPED


def _run(arguments: argparse.Namespace) -> int:
    service = choose()
    for line in service.opening_lines(media=arguments.media):
        terminal.note(line)
    sections = read_folder(arguments.docs)
    report.prepare(arguments.out)
    terminal.note(f"{len({each.file for each in sections})} documents from {arguments.docs}.")

    results = _ask_each(arguments, sections, service)
    if any(result.answer for result in results):
        index = report.write(results, service, arguments.out)
        print(f"\nOpen {index} to see it all.")
    for result in results:
        if result.failure:
            print(f"quickstart: {result.framework}: {result.failure}", file=sys.stderr)
    return FAILED if any(result.failure for result in results) else 0


def _ask_each(
    arguments: argparse.Namespace, sections: Sequence[Section], service: Service
) -> list[Result]:
    """Let each framework do the whole job; one that fails does not stop the other."""
    results = []
    for framework in arguments.frameworks:
        result = Result(framework=FRAMEWORKS[framework], question=arguments.question)
        results.append(result)
        terminal.heading(f"{result.framework}: {result.question}")
        try:
            # Imported only now: a framework takes a second to load.
            half = import_module(f"quickstart_parts.with_{framework}")
            folder = arguments.out / framework if arguments.media else None
            half.run(result, sections, service, folder)
        # Whatever a framework raises, the other's results must still be written.
        except Exception as error:  # noqa: BLE001
            result.failure = failures.sentence(error)
            if failures.concerns_everyone(error):
                break
    return results


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say in one sentence what is wrong, without the usage that argparse puts before it."""
        self.exit(USAGE, f"{self.prog}: {message}; see --help\n")


def _arguments() -> argparse.Namespace:
    parser = _Parser(
        prog="quickstart",
        description="Answer a question over a folder of documents with Doubao, and illustrate it.",
    )
    parser.add_argument(
        "--docs",
        type=Path,
        default=Path(__file__).with_name("docs"),
        metavar="FOLDER",
        help="folder of .txt, .md and .pdf files (default: texts on lighthouses)",
    )
    parser.add_argument("--question", default=QUESTION, metavar="TEXT")
    parser.add_argument("--out", type=Path, default=Path("out"), metavar="FOLDER")
    parser.add_argument("--framework", choices=[*FRAMEWORKS, "both"], default="both")
    parser.add_argument(
        "--no-media",
        dest="media",
        action="store_false",
        help="no picture and no video, which cost money on the real service",
    )
    arguments = parser.parse_args()
    both = arguments.framework == "both"
    arguments.frameworks = list(FRAMEWORKS) if both else [arguments.framework]
    if not arguments.question.strip():
        parser.error("--question is empty")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
