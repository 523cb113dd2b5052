"""The tools ``generate_video`` and ``check_video`` (ark.md 15)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field

from doubao_core import studio
from doubao_core.studio import Arguments, VideoResult
from doubao_core.studio.commission import Commission
from doubao_core.studio.watching import OnProgress
from langchain_doubao.tools.base import Content, MediaTool, told
from langchain_doubao.tools.events import VIDEO_EVENT
from langchain_doubao.tools.paid import PaidTool


class SeedanceVideoTool(PaidTool):
    """Tool ``generate_video``: makes a film with Seedance and waits for it; this costs money.

    The task is submitted once. A wait that outlasts ``wait_timeout`` is a result, not an error: the
    model is told the task id and to look it up with ``check_video``. Cancelling the call stops the
    waiting and cancels the task if it is still queued. Each look-up is a custom event
    (``doubao_video_progress``), an item of LangGraph's custom stream, and a call of
    ``on_progress``. The artifact is a ``VideoResult``.
    """

    name: str = "generate_video"
    description: str = (
        "Make a short video from a description, or from a first picture. Takes minutes and costs "
        "money: call once. Returns the file name and the task id."
    )
    arguments: ClassVar[type[Arguments]] = studio.VideoArguments
    event: ClassVar[str] = VIDEO_EVENT

    model: str = studio.VIDEO_MODEL
    """Model id (``doubao-seedance-…``; BytePlus has other names) or endpoint id."""
    poll_interval: float | None = Field(default=None, gt=0)
    """Seconds between look-ups; by default they adapt to the model and its tasks."""
    wait_timeout: float = Field(default=600.0, ge=0)
    """Seconds to wait at most."""
    max_duration: int | None = Field(default=None, ge=1)
    """Longest film in seconds; ``None`` for the model's own limit."""
    max_seconds: int | None = Field(default=None, ge=0)
    """Seconds of film that this object may make in all."""
    resolutions: Sequence[str] = ()
    """The only resolutions that the model may use; empty allows what Seedance takes."""
    on_progress: OnProgress | None = Field(default=None, exclude=True, repr=False)
    """Called with the status and the seconds so far, at each look-up."""

    @property
    def _rules(self) -> studio.VideoRules:
        return studio.VideoRules(
            model=self.model,
            references=self._references(assets=True),
            most_seconds=self.max_duration,
            resolutions=self.resolutions,
            fixed=self.fixed,
            shown=self.more_arguments,
            extra_body=self.extra_body,
        )

    def _schema(self) -> type[Arguments]:
        return self._rules.schema()

    def _limits(self) -> dict[str, Any]:
        return {**super()._limits(), "max_seconds": self.max_seconds}

    def _desk(self) -> studio.Desk:
        return studio.Desk(
            output_dir=self.output_dir,
            poll_interval=self.poll_interval,
            wait_timeout=self.wait_timeout,
        )

    def _commission(self) -> Commission:
        return Commission(rules=self._rules, on_progress=self.on_progress, **self._terms())

    def _shown(self, result: VideoResult) -> Content:
        return result.text


class SeedanceTaskTool(MediaTool):
    """Tool ``check_video``: looks a video task up by its id, and saves the film if it is done.

    It costs nothing. The artifact is a ``VideoResult``.
    """

    name: str = "check_video"
    description: str = "Look up a video by the task id that generate_video gave, and fetch it."
    arguments: ClassVar[type[Arguments]] = studio.TaskArguments

    def _run(self, *values: Any, **given: Any) -> tuple[Content, VideoResult]:
        self._check_key()
        studio = self._studio
        with told():
            result = studio.check(self._task_id(values, given))
            return result.text, result

    async def _arun(self, *values: Any, **given: Any) -> tuple[Content, VideoResult]:
        self._check_key()
        studio = self._async_studio
        with told():
            result = await studio.check(self._task_id(values, given))
            return result.text, result

    def _task_id(self, values: Sequence[Any], given: Mapping[str, Any]) -> str:
        wanted = studio.parsed(studio.TaskArguments, self._given(values, given), self.fixed)
        return wanted.task_id
