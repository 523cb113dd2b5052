"""What the user sees while it runs: dimmed reasoning, the answer, sources, a progress bar."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterable, Mapping
from typing import Self

from tqdm import tqdm

from quickstart_parts.result import Result, Source

_DIM, _BOLD, _PLAIN = "\033[2m", "\033[1m", "\033[0m"
_LONGEST_CALL = 100
_COLUMNS = 70
_STAGES = ("queued", "running", "succeeded")


def _styled(text: str, style: str) -> str:
    in_terminal = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return f"{style}{text}{_PLAIN}" if in_terminal and text else text


def heading(text: str) -> None:
    """Begin a part."""
    print(f"\n{_styled(text, _BOLD)}", flush=True)


def note(text: str) -> None:
    """Tell something about the run itself."""
    print(_styled(text, _DIM), flush=True)


class Transcript:
    """Prints a streamed answer piece by piece and keeps it: the reasoning, then the text."""

    def __init__(self, result: Result) -> None:
        self._result = result

    def think(self, piece: str) -> None:
        """Show a piece of the reasoning."""
        self._result.reasoning += piece
        print(_styled(piece, _DIM), end="", flush=True)

    def say(self, piece: str) -> None:
        """Show a piece of the answer."""
        if piece and self._result.reasoning and not self._result.answer:
            print("\n")
        self._result.answer += piece
        print(piece, end="", flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        print(flush=True)


def sources(found: Iterable[Source]) -> None:
    """List what the model was given to answer from."""
    print("\nSources:")
    for number, source in enumerate(found, start=1):
        print(f"  [{number}] {source.file}, {source.place}  ({source.score:.2f})")


def tool_call(name: str, arguments: Mapping[str, object]) -> None:
    """Say what the agent does."""
    shown = ", ".join(f"{key}: {value}" for key, value in arguments.items())
    note(f"agent: {name}({textwrap.shorten(shown, _LONGEST_CALL, placeholder='…')})")


class VideoBar:
    """A progress bar with the stages of a video task; the service tells no percentage."""

    def __init__(self) -> None:
        self._bar: tqdm[None] | None = None
        self._status = ""

    def show(self, status: str, _seconds: float) -> None:
        """Move to the stage that the task is in; where no bar can move, write a line for each."""
        if self._bar is None:
            self._bar = tqdm(
                total=len(_STAGES),
                bar_format="video: {bar:24} {desc} [{elapsed}]",
                ncols=_COLUMNS,
                file=sys.stdout,
                disable=not sys.stdout.isatty(),
            )
        if self._bar.disable and status != self._status:
            note(f"video: {status}")
        if status in _STAGES:
            self._bar.n = _STAGES.index(status) + 1
        self._bar.set_description_str(status)
        self._status = status

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.close()
