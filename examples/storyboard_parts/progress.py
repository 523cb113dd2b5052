"""What the user sees while it runs: one bar in a terminal, a line for each result elsewhere."""

from __future__ import annotations

import sys
from typing import Never, Self

from tqdm import tqdm

from doubao_core.jobs import Done
from storyboard_parts.board import Panel

_COLUMNS = 78


class Bar:
    """A progress bar over the pictures and films.

    Args:
        total: How many there will be.
    """

    def __init__(self, total: int) -> None:
        self._bar: tqdm[Never] = tqdm(
            total=total,
            unit="job",
            bar_format="{n_fmt}/{total_fmt} {bar:24} {desc} [{elapsed}]",
            ncols=_COLUMNS,
            file=sys.stdout,
            disable=not sys.stdout.isatty(),
        )

    def show(self, panel: Panel, what: str, done: Done) -> None:
        """Count a picture or film."""
        said = f"scene {panel.scene.number}: {what} {'ready' if done.ok else 'missing'}"
        if self._bar.disable:
            print(said, flush=True)
        self._bar.set_description_str(said)
        self._bar.update()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.close()
