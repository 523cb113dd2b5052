"""Showing how a paid call gets on: to a callback of the developer, and as a progress bar."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Self, TypeAlias

from doubao_core.errors import ConfigError, install_hint
from doubao_core.operation import JSON
from doubao_core.studio.results import MadeImage, Progress

OnProgress: TypeAlias = Callable[[str, float], None]
OnPicture: TypeAlias = Callable[[MadeImage], None]

_LOG = logging.getLogger(__name__)


def check_bar(*, wanted: bool) -> None:
    """Refuse a progress bar that cannot be drawn.

    Raises:
        ConfigError: ``tqdm`` is not installed.
    """
    if wanted and find_spec("tqdm") is None:
        raise ConfigError(f"progress_bar=True needs tqdm: {install_hint('progress')}")


def news(step: Progress | MadeImage) -> JSON:
    """Give the facts of *step* for a framework's event: no prompt, no signed URL."""
    if isinstance(step, Progress):
        return {
            "task_id": step.task_id,
            "status": step.status,
            "seconds": round(step.seconds, 1),
        }
    return {
        "index": step.index,
        "file": step.name,
        "size": step.size,
        "media_type": step.media_type,
        "error": step.error,
    }


class Watch:
    """Shows the steps of one call; a broken callback or terminal never breaks the call.

    Use it as a context manager; a bar appears with the first step.

    Args:
        name: What the bar is called.
        on_progress: Called with the status and the seconds so far, at each look-up of a task.
        on_picture: Called with each picture as it comes.
        bar: Whether to draw a bar, in a terminal or a notebook.
        total: How many pictures there will be at most.
    """

    def __init__(
        self,
        name: str,
        *,
        on_progress: OnProgress | None = None,
        on_picture: OnPicture | None = None,
        bar: bool = False,
        total: int | None = None,
    ) -> None:
        self._name = name
        self._on_progress = on_progress
        self._on_picture = on_picture
        self._wanted = bar
        self._total = total
        self._bar: Any = None

    def show(self, step: Progress | MadeImage) -> None:
        """Show *step*."""
        with self.harmless("the progress bar"):
            self._draw(step)
        if isinstance(step, Progress) and self._on_progress is not None:
            with self.harmless("on_progress"):
                self._on_progress(step.status, step.seconds)
        if isinstance(step, MadeImage) and self._on_picture is not None:
            with self.harmless("on_picture"):
                self._on_picture(step)

    def _draw(self, step: Progress | MadeImage) -> None:
        if not self._wanted:
            return
        if self._bar is None:
            self._bar = _bar(self._name, self._total if isinstance(step, MadeImage) else None)
        if isinstance(step, MadeImage):
            self._bar.update(1)
        else:
            self._bar.set_postfix_str(f"{step.status} {step.task_id}")

    @contextmanager
    def harmless(self, what: str) -> Generator[None]:
        """Log how *what* breaks: what is shown has been paid for, and must not be lost by it."""
        try:
            yield
        except Exception:  # noqa: BLE001 - functions of the developer and of the framework
            _LOG.exception("%s failed in %s", what, self._name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            with self.harmless("the progress bar"):
                self._bar.close()


def _bar(name: str, total: int | None) -> Any:
    from tqdm.auto import tqdm  # noqa: PLC0415 - an extra, and few draw

    if total is not None:
        return tqdm(desc=name, total=total, unit="picture")
    # Nobody knows how long a film takes: seconds and the status, no share of anything.
    return tqdm(desc=name, bar_format="{desc} {elapsed}{postfix}", total=0)
