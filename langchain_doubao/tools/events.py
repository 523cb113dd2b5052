"""What a running tool reports: LangChain's custom events and LangGraph's custom stream."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, TypeAlias

from langchain_core.callbacks import adispatch_custom_event, dispatch_custom_event

from doubao_core.studio import MadeImage, Progress
from doubao_core.studio.watching import news

VIDEO_EVENT = "doubao_video_progress"
"""Name of the custom event for each look-up of a video task."""
IMAGE_EVENT = "doubao_image_progress"
"""Name of the custom event for each picture of a call, as it is finished and saved."""

Write: TypeAlias = Callable[[Any], None]
_LOG = logging.getLogger(__name__)


class Reporter:
    """Reports the steps of one call of a tool, as far as there is somebody who listens.

    Args:
        event: Name of the custom event; also the key of the items in LangGraph's stream.
    """

    def __init__(self, event: str) -> None:
        self._event = event
        self._write = _stream_writer()

    def report(self, step: Progress | MadeImage) -> None:
        """Report *step*."""
        facts = self._streamed(step)
        with _outside_a_run():
            dispatch_custom_event(self._event, facts)

    async def areport(self, step: Progress | MadeImage) -> None:
        """Report *step*."""
        facts = self._streamed(step)
        with _outside_a_run():
            await adispatch_custom_event(self._event, facts)

    def _streamed(self, step: Progress | MadeImage) -> dict[str, Any]:
        facts = news(step)
        if self._write is not None:
            self._write({self._event: facts})
        return facts


@contextmanager
def _outside_a_run() -> Generator[None]:
    """Let a tool that runs without LangChain's ``invoke`` do without events."""
    try:
        yield
    except RuntimeError as error:
        _LOG.debug("no run to report progress to: %s", error)


def _stream_writer() -> Write | None:
    """Find LangGraph's custom stream, if this call happens in a graph."""
    try:
        from langgraph.config import get_stream_writer  # noqa: PLC0415 - an optional dependency

        writer: Write = get_stream_writer()
    except (ImportError, KeyError, RuntimeError):
        return None
    return writer
