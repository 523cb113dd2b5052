"""Seedream pictures and Seedance videos as tools of an agent (ark.md 14, 15).

The tools return content blocks: a short text with file names and task ids, and the pictures. The
first block's ``result`` is everything for the program: paths, URLs, sizes, usage.
"""
# LlamaIndex finds the `ctx` parameter by its evaluated annotation, so annotations are not strings
# in this module (no `from __future__ import annotations`).

import asyncio
import logging
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import aclosing, closing, contextmanager
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

from llama_index.core.base.llms.types import ImageBlock, TextBlock, VideoBlock
from llama_index.core.bridge.pydantic import Field
from llama_index.core.tools import FunctionTool, ToolMetadata
from llama_index.core.tools.tool_spec.base import SPEC_FUNCTION_TYPE, BaseToolSpec
from llama_index.core.workflow import Context, Event

from doubao_core import AsyncClient, Client, ConfigError, ContentRejected, DoubaoError, studio
from doubao_core.config import KeySource
from doubao_core.studio import Arguments, ImageResult, MadeImage, Progress, VideoResult

A = TypeVar("A", bound=Arguments)
OnProgress: TypeAlias = Callable[[str, float], None]
Shown: TypeAlias = Literal["image", "video"]
Block: TypeAlias = TextBlock | ImageBlock | VideoBlock


_SHOW_IMAGES: tuple[Shown, ...] = ("image",)
_LOG = logging.getLogger(__name__)
_ARGUMENTS: dict[str, type[Arguments]] = {
    "generate_image": studio.ImageArguments,
    "generate_video": studio.VideoArguments,
    "check_video": studio.TaskArguments,
}


# A parameter annotated exactly `Context` is what agents fill in; every other caller has none.
_NO_CONTEXT: Any = None


class ResultBlock(TextBlock):
    """What a tool tells the model, and with it everything for the program.

    It is the first block of a tool's output (``tool_output.raw_output[0].result``); to a model and
    to stored messages it is its text.
    """

    result: ImageResult | VideoResult = Field(exclude=True, repr=False)


class VideoProgressEvent(Event):
    """A look-up of a video task that an agent waits for, in the workflow's event stream."""

    task_id: str
    status: str
    seconds: float


class DoubaoToolSpec(BaseToolSpec):
    """Tools ``generate_image``, ``generate_video`` and ``check_video``, blocking and async.

    Results are saved to ``output_dir``. Arguments are checked against the model's limits before
    anything is sent, and a paid request is sent once. Errors say what to change; agents show them
    to the model. A video that takes longer than ``wait_timeout`` is a result: it names the task id
    for ``check_video``. A cancelled call cancels its task if that is still queued.

    .. code-block:: python

        from llama_index.core.agent.workflow import FunctionAgent
        from llamaindex_doubao import Doubao, DoubaoToolSpec

        tools = DoubaoToolSpec(output_dir="media", max_duration=5).to_tool_list()
        agent = FunctionAgent(llm=Doubao(model="doubao-seed-2-1-pro-260915"), tools=tools)

    Args:
        image_model: Model of ``generate_image``; BytePlus has other names.
        video_model: Model of ``generate_video``; BytePlus has other names.
        output_dir: Folder for results; the model may name files in it as references.
        allowed_folders: Further folders from which the model may name files; none by default.
        fixed: Arguments that you decide, by tool: ``{"generate_image": {"watermark": False}}``. The
            model neither sees nor sets them; ``None`` hides one.
        image_response_format: How pictures come from the service; they are saved either way.
        max_images_per_call: Most pictures that the model may ask for at once.
        max_image_jobs: Paid calls of ``generate_image``; ``None`` for any number.
        max_video_jobs: Paid calls of ``generate_video``; ``None`` for any number.
        max_duration: Longest film in seconds; ``None`` for the model's own limit.
        sizes: The only picture sizes allowed; empty allows what the model takes. The model must say
            one, but for the only one.
        resolutions: The only film resolutions allowed; empty allows what the model takes.
        poll_interval: Seconds between look-ups of a task.
        wait_timeout: Seconds to wait for a task at most.
        on_progress: Called with the status and the seconds so far, at each look-up.
        show: Which results to show to the model as blocks, besides the text; every one costs input
            tokens from then on, and a model that cannot see refuses them.
        image_extra_body: Fields of picture requests that no argument covers.
        video_extra_body: Fields of video tasks that no argument covers.
        provider: See :class:`doubao_core.Client`, as for the arguments after it.
        api_key: Likewise.
        base_url: Likewise.
        timeout: Likewise.
        max_retries: Likewise.
        default_headers: Likewise.
        http_client: Likewise, for blocking calls.
        http_async_client: Likewise, for async calls.
    """

    # The base declares an instance attribute; it is read only.
    spec_functions: list[SPEC_FUNCTION_TYPE] = [  # noqa: RUF012
        ("generate_image", "agenerate_image"),
        ("generate_video", "agenerate_video"),
        ("check_video", "acheck_video"),
    ]

    def __init__(
        self,
        *,
        image_model: str = studio.IMAGE_MODEL,
        video_model: str = studio.VIDEO_MODEL,
        output_dir: str | Path = "doubao_media",
        allowed_folders: Sequence[str | Path] = (),
        fixed: Mapping[str, Mapping[str, Any]] | None = None,
        image_response_format: Literal["url", "b64_json"] = "url",
        max_images_per_call: int = 4,
        max_image_jobs: int | None = None,
        max_video_jobs: int | None = None,
        max_duration: int | None = None,
        sizes: Sequence[str] = (),
        resolutions: Sequence[str] = (),
        poll_interval: float = 3.0,
        wait_timeout: float = 600.0,
        on_progress: OnProgress | None = None,
        show: Collection[Shown] = _SHOW_IMAGES,
        image_extra_body: Mapping[str, Any] | None = None,
        video_extra_body: Mapping[str, Any] | None = None,
        provider: str | None = None,
        api_key: KeySource = None,
        base_url: str | None = None,
        timeout: float | None = None,
        max_retries: int | None = None,
        default_headers: Mapping[str, str] | None = None,
        http_client: Any = None,
        http_async_client: Any = None,
    ) -> None:
        self._fixed = _checked(fixed or {})
        self._on_progress = on_progress
        self._show = show
        folder = Path(output_dir)
        folders = tuple(Path(each) for each in allowed_folders)
        self._image_rules = studio.ImageRules(
            model=image_model,
            references=studio.References(output_dir=folder, allowed_folders=folders),
            most_images=max_images_per_call,
            sizes=sizes,
            response_format=image_response_format,
            fixed=self._fixed.get("generate_image", {}),
            extra_body=image_extra_body,
        )
        self._video_rules = studio.VideoRules(
            model=video_model,
            references=studio.References(output_dir=folder, allowed_folders=folders, assets=True),
            most_seconds=max_duration,
            resolutions=resolutions,
            fixed=self._fixed.get("generate_video", {}),
            extra_body=video_extra_body,
        )
        connection: dict[str, Any] = {
            "provider": provider,
            "api_key": api_key,
            "base_url": base_url,
            "timeout": timeout,
            "max_retries": max_retries,
            "default_headers": default_headers,
        }
        self._client = Client(**connection, http_client=http_client)
        self._async_client = AsyncClient(**connection, http_client=http_async_client)
        desk = studio.Desk(
            output_dir=folder, poll_interval=poll_interval, wait_timeout=wait_timeout
        )
        for_images, for_videos = studio.Allowance(max_image_jobs), studio.Allowance(max_video_jobs)
        self._pictures = studio.Studio(self._client, desk, for_images)
        self._films = studio.Studio(self._client, desk, for_videos)
        self._async_pictures = studio.AsyncStudio(self._async_client, desk, for_images)
        self._async_films = studio.AsyncStudio(self._async_client, desk, for_videos)

    def to_tool_list(
        self,
        spec_functions: list[SPEC_FUNCTION_TYPE] | None = None,
        func_to_metadata_mapping: dict[str, ToolMetadata] | None = None,
    ) -> list[FunctionTool]:
        """Make the tools; ``generate_video`` reports its progress when an agent calls it."""
        tools = super().to_tool_list(spec_functions, func_to_metadata_mapping)
        for tool in tools:
            if tool.ctx_param_name:
                # Agents replace it; other callers have no workflow to report to.
                tool.partial_params = {**tool.partial_params, tool.ctx_param_name: None}
        return tools

    # The base asks with its own list of functions; ours is fixed.
    def get_metadata_from_fn_name(
        self,
        fn_name: str,
        spec_functions: list[SPEC_FUNCTION_TYPE] | None = None,  # noqa: ARG002
    ) -> ToolMetadata:
        """Describe a tool to the model: its docstring, and the arguments that it may set."""
        name = fn_name.removeprefix("a") if fn_name not in _ARGUMENTS else fn_name
        schema = self._schema(name)
        said = (getattr(self, name).__doc__ or "").strip()
        return ToolMetadata(name=name, description=said, fn_schema=schema)

    def _schema(self, name: str) -> type[Arguments]:
        if name == "generate_image":
            return self._image_rules.schema()
        if name == "generate_video":
            return self._video_rules.schema()
        return studio.without(_ARGUMENTS[name], self._fixed.get(name, {}))

    def generate_image(
        self,
        prompt: str = "",
        size: str | None = None,
        max_images: int | None = None,
        images: list[str] | None = None,
        seed: int | None = None,
        watermark: bool | None = None,
        output_format: str | None = None,
    ) -> list[Block]:
        """Make a picture from a description, or edit pictures; returns file names. Costs money."""
        with _told():
            order = self._image_order(locals())
            return self._shown(self._pictures.images(order))

    async def agenerate_image(
        self,
        prompt: str = "",
        size: str | None = None,
        max_images: int | None = None,
        images: list[str] | None = None,
        seed: int | None = None,
        watermark: bool | None = None,
        output_format: str | None = None,
    ) -> list[Block]:
        """Make a picture from a description, or edit pictures; returns file names. Costs money."""
        with _told():
            # Naming a file as a reference reads it.
            order = await asyncio.to_thread(self._image_order, locals())
            return self._shown(await self._async_pictures.images(order))

    def generate_video(
        self,
        prompt: str = "",
        duration: int | None = None,
        ratio: str | None = None,
        resolution: str | None = None,
        first_frame: str | None = None,
        last_frame: str | None = None,
        reference_images: list[str] | None = None,
        generate_audio: bool | None = None,
        seed: int | None = None,
        watermark: bool | None = None,
        return_last_frame: bool | None = None,
        ctx: Context = _NO_CONTEXT,
    ) -> list[Block]:
        """Make a short video; takes minutes and costs money; returns file name and task id."""
        with _told(), closing(self._films.video(self._video_order(locals()))) as steps:
            for step in steps:
                if isinstance(step, VideoResult):
                    return self._shown(step)
                self._report(step, ctx)
        raise AssertionError  # pragma: no cover - the last step is the result

    async def agenerate_video(
        self,
        prompt: str = "",
        duration: int | None = None,
        ratio: str | None = None,
        resolution: str | None = None,
        first_frame: str | None = None,
        last_frame: str | None = None,
        reference_images: list[str] | None = None,
        generate_audio: bool | None = None,
        seed: int | None = None,
        watermark: bool | None = None,
        return_last_frame: bool | None = None,
        ctx: Context = _NO_CONTEXT,
    ) -> list[Block]:
        """Make a short video; takes minutes and costs money; returns file name and task id."""
        with _told():
            order = await asyncio.to_thread(self._video_order, locals())
            async with aclosing(self._async_films.video(order)) as steps:
                async for step in steps:
                    if isinstance(step, VideoResult):
                        return self._shown(step)
                    self._report(step, ctx)
        raise AssertionError  # pragma: no cover - the last step is the result

    def check_video(self, task_id: str = "") -> list[Block]:
        """Look up a video by the task id that generate_video gave, and fetch it when it is done."""
        with _told():
            return self._shown(self._films.check(self._task_id(task_id)))

    async def acheck_video(self, task_id: str = "") -> list[Block]:
        """Look up a video by the task id that generate_video gave, and fetch it when it is done."""
        with _told():
            return self._shown(await self._async_films.check(self._task_id(task_id)))

    def close(self) -> None:
        """Close the blocking client's connections; the next request opens new ones."""
        self._client.close()

    async def aclose(self) -> None:
        """Close the running event loop's connections; the next request opens new ones."""
        await self._async_client.aclose()

    def _image_order(self, given: Mapping[str, Any]) -> studio.ImageOrder:
        return self._image_rules.order(self._parsed(studio.ImageArguments, "generate_image", given))

    def _video_order(self, given: Mapping[str, Any]) -> studio.VideoOrder:
        return self._video_rules.order(self._parsed(studio.VideoArguments, "generate_video", given))

    def _task_id(self, task_id: str) -> str:
        given = {"task_id": task_id}
        return self._parsed(studio.TaskArguments, "check_video", given).task_id

    def _parsed(self, arguments: type[A], tool: str, given: Mapping[str, Any]) -> A:
        named = {name: given[name] for name in arguments.model_fields if given[name] is not None}
        return studio.parsed(arguments, named, self._fixed.get(tool, {}))

    def _report(self, step: Progress, ctx: Context | None) -> None:
        if self._on_progress is not None:
            try:
                self._on_progress(step.status, step.seconds)
            # The film is being paid for: a progress bar, however it breaks, must not lose it.
            except Exception:  # noqa: BLE001
                _LOG.exception("on_progress failed for video task %s", step.task_id)
        if ctx is not None:
            ctx.write_event_to_stream(
                VideoProgressEvent(
                    task_id=step.task_id, status=step.status, seconds=round(step.seconds, 1)
                )
            )

    def _shown(self, result: ImageResult | VideoResult) -> list[Block]:
        told = ResultBlock(text=result.text, result=result)
        if isinstance(result, VideoResult):
            shown = [VideoBlock(path=result.path)] if result.path and "video" in self._show else []
            return [told, *shown]
        if not any(image.charged for image in result.images):
            raise ContentRejected(result.text)
        if "image" not in self._show:
            return [told]
        return [told, *(_picture(image) for image in result.saved)]


def _picture(image: MadeImage) -> ImageBlock:
    # The URL costs a later request a line, the file its whole content.
    if image.url:
        return ImageBlock(url=image.url, image_mimetype=image.media_type)
    return ImageBlock(path=image.path, image_mimetype=image.media_type)


def _checked(fixed: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
    for tool, arguments in fixed.items():
        if tool not in _ARGUMENTS:
            raise ConfigError(f"fixed= names no tool: {tool!r}; there are {', '.join(_ARGUMENTS)}")
        studio.settled(_ARGUMENTS[tool], arguments)
    return fixed


@contextmanager
def _told() -> Generator[None]:
    """Put what goes wrong into words that a model can act on; the error stays what it is."""
    try:
        yield
    except DoubaoError as error:
        error.message = studio.explained(error)
        raise
