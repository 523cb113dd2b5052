"""Seedream pictures and Seedance videos as tools of an agent (ark.md 14, 15).

Each tool gives a short text for the model, with file names and task ids, and an artifact for the
program (:class:`~doubao_core.studio.ImageResult`, :class:`~doubao_core.studio.VideoResult`) with
paths, URLs, sizes and usage.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from abc import abstractmethod
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import aclosing, closing, contextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, TypeAlias

from langchain_core.callbacks import adispatch_custom_event, dispatch_custom_event
from langchain_core.tools import BaseTool, BaseToolkit, ToolException
from pydantic import ConfigDict, Field, PrivateAttr, model_validator

from doubao_core import DoubaoError, studio
from doubao_core.studio import Arguments, ImageResult, Progress, VideoResult
from langchain_doubao.connection import Connection, Folder

OnProgress: TypeAlias = Callable[[str, float], None]
Content: TypeAlias = str | list[str | dict[str, Any]]

PROGRESS_EVENT = "doubao_video_progress"
"""Name of the custom event for each look-up of a video task."""

_LOG = logging.getLogger(__name__)


class _MediaTool(Connection, BaseTool):
    """What the tools share: folders, limits, and errors that a model can act on."""

    model_config = ConfigDict(extra="forbid")

    output_dir: Folder = Path("doubao_media")
    """Folder for results; the model may name files in it as references."""
    allowed_folders: Sequence[Folder] = ()
    """Further folders from which the model may name files; none by default."""
    fixed: Mapping[str, Any] = Field(default_factory=dict)
    """Arguments that you decide: the model neither sees nor sets them. ``{"watermark": False}``
    fixes one, ``{"seed": None}`` hides one."""
    max_jobs: int | None = Field(default=None, ge=0)
    """Paid calls that this object may make; ``None`` for any number."""
    extra_body: Mapping[str, Any] | None = None
    """Fields of the request that no argument covers."""

    response_format: Literal["content", "content_and_artifact"] = "content_and_artifact"
    handle_tool_error: Any = True
    handle_validation_error: Any = Field(default=studio.complaint, exclude=True)

    arguments: ClassVar[type[Arguments]]

    _allowance: studio.Allowance = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Prepare the schema; no I/O."""
        super().model_post_init(context)
        self.args_schema = self._schema()
        self._allowance = studio.Allowance(self.max_jobs)

    def __getstate__(self) -> dict[Any, Any]:
        # A schema without the fixed arguments is a class of this process only.
        state = super().__getstate__()
        return {**state, "__dict__": {**state["__dict__"], "args_schema": None}}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        super().__setstate__(state)
        self.args_schema = self._schema()

    @property
    def _studio(self) -> studio.Studio:
        # Made anew each time: a field may have been changed, here or in an updated copy.
        return studio.Studio(self._blocking(), self._desk(), self._allowance)

    @property
    def _async_studio(self) -> studio.AsyncStudio:
        return studio.AsyncStudio(self._awaiting(), self._desk(), self._allowance)

    def _schema(self) -> type[Arguments]:
        return studio.without(self.arguments, studio.settled(self.arguments, self.fixed))

    def _desk(self) -> studio.Desk:
        return studio.Desk(output_dir=Path(self.output_dir))

    def _wanted(self, values: Sequence[Any], given: Mapping[str, Any]) -> Any:
        # LangChain passes a bare string as the only positional argument.
        named = dict(zip(self.arguments.model_fields, values, strict=False))
        return studio.parsed(self.arguments, {**named, **given}, self.fixed)

    def _references(self, *, assets: bool = False) -> studio.References:
        return studio.References(
            output_dir=Path(self.output_dir),
            allowed_folders=[Path(folder) for folder in self.allowed_folders],
            assets=assets,
        )

    @abstractmethod
    def _run(self, *values: Any, **given: Any) -> tuple[Content, Any]: ...

    @abstractmethod
    async def _arun(self, *values: Any, **given: Any) -> tuple[Content, Any]: ...


class SeedreamImageTool(_MediaTool):
    """Tool ``generate_image``: makes and edits pictures with Seedream; each picture costs money.

    Pictures are saved to ``output_dir``. Arguments are checked against the model's limits before
    anything is sent; the request is sent once. The artifact is an ``ImageResult``.

    .. code-block:: python

        from langchain_doubao import SeedreamImageTool

        tool = SeedreamImageTool(
            model="doubao-seedream-5-0-260128", output_dir="pictures", fixed={"watermark": False}
        )
        print(tool.invoke({"prompt": "A tea garden at dawn", "size": "16:9"}))
    """

    name: str = "generate_image"
    description: str = (
        "Make a picture from a description, or edit pictures. Returns the file names of the "
        "results. Costs money: call once for what is needed."
    )
    arguments: ClassVar[type[Arguments]] = studio.ImageArguments

    model: str = studio.IMAGE_MODEL
    """Model id (``doubao-seedream-…``; BytePlus has other names) or endpoint id."""
    image_response_format: Literal["url", "b64_json"] = "url"
    """How pictures come from the service; they are saved either way."""
    max_images_per_call: int = Field(default=4, ge=1, le=15)
    """Most pictures that the model may ask for at once."""
    sizes: Sequence[str] = ()
    """The only values of ``size`` that the model may use; empty allows what Seedream takes. The
    model must say one, but for the only one."""
    show: Literal["url", "base64"] | None = None
    """Show results to a model that can see, as content blocks; base64 makes states large."""

    @property
    def _rules(self) -> studio.ImageRules:
        # Made anew each time: a field may have been changed, here or in an updated copy.
        return studio.ImageRules(
            model=self.model,
            references=self._references(),
            most_images=self.max_images_per_call,
            sizes=self.sizes,
            response_format=self.image_response_format,
            fixed=self.fixed,
            extra_body=self.extra_body,
        )

    def _schema(self) -> type[Arguments]:
        return self._rules.schema()

    def _run(self, *values: Any, **given: Any) -> tuple[Content, ImageResult]:
        with _told():
            return self._shown(self._studio.images(self._order(values, given)))

    async def _arun(self, *values: Any, **given: Any) -> tuple[Content, ImageResult]:
        with _told():
            # Naming a file as a reference reads it.
            order = await asyncio.to_thread(self._order, values, given)
            return self._shown(await self._async_studio.images(order))

    def _order(self, values: Sequence[Any], given: Mapping[str, Any]) -> studio.ImageOrder:
        return self._rules.order(self._wanted(values, given))

    def _shown(self, result: ImageResult) -> tuple[Content, ImageResult]:
        if not any(image.charged for image in result.images):
            raise ToolException(result.text)
        if self.show is None:
            return result.text, result
        blocks: list[str | dict[str, Any]] = [{"type": "text", "text": result.text}]
        blocks += [
            {"type": "image", "url": image.url}
            if self.show == "url" and image.url
            else {
                "type": "image",
                "base64": base64.b64encode(image.path.read_bytes()).decode(),
                "mime_type": image.media_type,
            }
            for image in result.saved
            if image.path
        ]
        return blocks, result


class SeedanceVideoTool(_MediaTool):
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

    model: str = studio.VIDEO_MODEL
    """Model id (``doubao-seedance-…``; BytePlus has other names) or endpoint id."""
    poll_interval: float = Field(default=3.0, gt=0)
    """Seconds between look-ups."""
    wait_timeout: float = Field(default=600.0, ge=0)
    """Seconds to wait at most."""
    max_duration: int | None = Field(default=None, ge=1)
    """Longest film in seconds; ``None`` for the model's own limit."""
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
            extra_body=self.extra_body,
        )

    def _schema(self) -> type[Arguments]:
        return self._rules.schema()

    def _desk(self) -> studio.Desk:
        return studio.Desk(
            output_dir=Path(self.output_dir),
            poll_interval=self.poll_interval,
            wait_timeout=self.wait_timeout,
        )

    def _run(self, *values: Any, **given: Any) -> tuple[Content, VideoResult]:
        with _told():
            write = _stream_writer()
            with closing(self._studio.video(self._order(values, given))) as steps:
                for step in steps:
                    if isinstance(step, VideoResult):
                        return step.text, step
                    news = self._news(step, write)
                    with _outside_a_run():
                        dispatch_custom_event(PROGRESS_EVENT, news)
        raise AssertionError  # pragma: no cover - the last step is the result

    async def _arun(self, *values: Any, **given: Any) -> tuple[Content, VideoResult]:
        with _told():
            order = await asyncio.to_thread(self._order, values, given)
            write = _stream_writer()
            async with aclosing(self._async_studio.video(order)) as steps:
                async for step in steps:
                    if isinstance(step, VideoResult):
                        return step.text, step
                    news = self._news(step, write)
                    with _outside_a_run():
                        await adispatch_custom_event(PROGRESS_EVENT, news)
        raise AssertionError  # pragma: no cover - the last step is the result

    def _order(self, values: Sequence[Any], given: Mapping[str, Any]) -> studio.VideoOrder:
        return self._rules.order(self._wanted(values, given))

    def _news(self, step: Progress, write: Callable[[Any], None] | None) -> dict[str, Any]:
        """Report *step* to all but LangChain's events, for which the same facts are returned."""
        news = {"task_id": step.task_id, "status": step.status, "seconds": round(step.seconds, 1)}
        if self.on_progress is not None:
            try:
                self.on_progress(step.status, step.seconds)
            # The film is being paid for: a progress bar, however it breaks, must not lose it.
            except Exception:  # noqa: BLE001
                _LOG.exception("on_progress failed for video task %s", step.task_id)
        if write is not None:
            write({PROGRESS_EVENT: news})
        return news


class SeedanceTaskTool(_MediaTool):
    """Tool ``check_video``: looks a video task up by its id, and saves the film if it is done.

    It costs nothing. The artifact is a ``VideoResult``.
    """

    name: str = "check_video"
    description: str = "Look up a video by the task id that generate_video gave, and fetch it."
    arguments: ClassVar[type[Arguments]] = studio.TaskArguments

    def _run(self, *values: Any, **given: Any) -> tuple[Content, VideoResult]:
        with _told():
            result = self._studio.check(self._wanted(values, given).task_id)
            return result.text, result

    async def _arun(self, *values: Any, **given: Any) -> tuple[Content, VideoResult]:
        with _told():
            result = await self._async_studio.check(self._wanted(values, given).task_id)
            return result.text, result


class DoubaoToolkit(Connection, BaseToolkit):
    """``generate_image``, ``generate_video`` and ``check_video`` with one client for all three.

    .. code-block:: python

        from langchain.agents import create_agent
        from langchain_doubao import ChatDoubao, DoubaoToolkit

        tools = DoubaoToolkit(output_dir="media", video_options={"max_duration": 5}).get_tools()
        agent = create_agent(ChatDoubao(model="doubao-seed-2-1-pro-260915"), tools)
    """

    image_model: str = studio.IMAGE_MODEL
    """Model of ``generate_image``."""
    video_model: str = studio.VIDEO_MODEL
    """Model of ``generate_video``."""
    output_dir: Folder = Path("doubao_media")
    """Folder for results, the same for all three."""
    allowed_folders: Sequence[Folder] = ()
    """Further folders from which the model may name files."""
    image_options: Mapping[str, Any] = Field(default_factory=dict)
    """More arguments for :class:`SeedreamImageTool`."""
    video_options: Mapping[str, Any] = Field(default_factory=dict)
    """More arguments for :class:`SeedanceVideoTool`."""

    _tools: list[_MediaTool] = PrivateAttr()

    @model_validator(mode="after")
    def _make_tools(self) -> Self:
        connection = {name: getattr(self, name) for name in Connection.model_fields}
        places = {"output_dir": self.output_dir, "allowed_folders": self.allowed_folders}
        shared = {**connection, **places}
        made: list[_MediaTool] = [
            SeedreamImageTool(**{**shared, "model": self.image_model, **self.image_options}),
            SeedanceVideoTool(**{**shared, "model": self.video_model, **self.video_options}),
            SeedanceTaskTool(**shared),
        ]
        self._tools = [tool.sharing(self) for tool in made]
        return self

    def __setstate__(self, state: dict[Any, Any]) -> None:
        super().__setstate__(state)
        for tool in self._tools:
            tool.sharing(self)

    def get_tools(self) -> list[BaseTool]:
        """Give the three tools; always the same objects, so that their limits hold."""
        return list(self._tools)


@contextmanager
def _told() -> Generator[None]:
    """Raise what goes wrong as LangChain's tool error, in words that a model can act on."""
    try:
        yield
    except DoubaoError as error:
        raise ToolException(studio.explained(error)) from error


@contextmanager
def _outside_a_run() -> Generator[None]:
    """Let a tool that runs without LangChain's ``invoke`` do without events."""
    try:
        yield
    except RuntimeError as error:
        _LOG.debug("no run to report progress to: %s", error)


def _stream_writer() -> Callable[[Any], None] | None:
    """Find LangGraph's custom stream, if this call happens in a graph."""
    try:
        from langgraph.config import get_stream_writer  # noqa: PLC0415 - an optional dependency

        writer: Callable[[Any], None] = get_stream_writer()
    except (ImportError, KeyError, RuntimeError):
        return None
    return writer
