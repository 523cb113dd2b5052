"""The constructor arguments of the tool spec, and what is made of them."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Collection, Generator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Literal, Self

from llama_index.core.bridge.pydantic import Field, PrivateAttr
from pydantic import SkipValidation, model_validator

from doubao_core import ConfigError, media, studio
from doubao_core.jobs import AsyncJobs, Jobs, Order
from doubao_core.jobs.calls import acheck_limits, amade, awaiting, blocking, check_limits, made
from doubao_core.studio import Arguments
from doubao_core.studio.commission import Commission, Step, Stop
from doubao_core.studio.watching import OnPicture, OnProgress, check_bar
from llamaindex_doubao.connection import Connection
from llamaindex_doubao.tools.approval import Approval
from llamaindex_doubao.tools.blocks import Shown
from llamaindex_doubao.tools.events import job_key
from llamaindex_doubao.tools.maker import Maker

IMAGE, VIDEO, TASK = "generate_image", "generate_video", "check_video"
ARGUMENTS: dict[str, type[Arguments]] = {
    IMAGE: studio.ImageArguments,
    VIDEO: studio.VideoArguments,
    TASK: studio.TaskArguments,
}
_SHOW_IMAGES: tuple[Shown, ...] = ("image",)
_NOT_MADE = (None, None)
# Two threads that call first must not open a ledger twice.
_MAKING = threading.Lock()


def _without_tool(name: str) -> str:
    """Give the *name* of a field as LangChain's tools, of which each is its own, have it."""
    return name.replace("image_", "").replace("video_", "")


class ToolOptions(Connection):
    """Models, places, limits and helpers of the three tools; the connection's fields besides."""

    image_model: str = studio.IMAGE_MODEL
    """Model of ``generate_image``; BytePlus has other names."""
    video_model: str = studio.VIDEO_MODEL
    """Model of ``generate_video``; BytePlus has other names."""
    output_dir: SkipValidation[str | Path | media.Storage] = "doubao_media"
    """Where results go: a folder, a URL such as ``s3://bucket/folder`` (extra ``storage``), or a
    :class:`doubao_core.media.Storage`; the model may name files in it as references."""
    allowed_folders: Sequence[str | Path] = ()
    """Further folders from which the model may name files; none by default."""
    fixed: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict)
    """Arguments that you decide, by tool: ``{"generate_image": {"watermark": False}}``. The model
    neither sees nor sets them; ``None`` hides one."""
    more_arguments: Mapping[str, Sequence[str]] = Field(default_factory=dict)
    """Rarer arguments that the model may set too, by tool:
    ``{"generate_video": ["draft", "draft_task"]}``."""
    image_response_format: Literal["url", "b64_json"] = "url"
    """How pictures come from the service; they are saved either way."""
    max_images_per_call: int = 4
    """Most pictures that the model may ask for at once."""
    max_image_jobs: int | None = None
    """Paid calls of ``generate_image``; ``None`` for any number."""
    max_video_jobs: int | None = None
    """Paid calls of ``generate_video``; ``None`` for any number."""
    max_image_cost: Decimal | None = None
    """Money for pictures by list prices, in the provider's currency. A call whose price is not
    known is refused then."""
    max_video_cost: Decimal | None = None
    """The same for films."""
    max_video_seconds: int | None = None
    """Seconds of film in all."""
    max_duration: int | None = None
    """Longest film in seconds; ``None`` for the model's own limit."""
    sizes: Sequence[str] = ()
    """The only picture sizes allowed; empty allows what the model takes. The model must say one,
    but for the only one."""
    resolutions: Sequence[str] = ()
    """The only film resolutions allowed; empty allows what the model takes."""
    poll_interval: float | None = None
    """Seconds between look-ups of a task; by default they adapt to the model and its tasks."""
    wait_timeout: float = 600.0
    """Seconds to wait for a task at most."""
    on_progress: OnProgress | None = Field(default=None, exclude=True, repr=False)
    """Called with the status and the seconds so far, at each look-up."""
    on_picture: OnPicture | None = Field(default=None, exclude=True, repr=False)
    """Called with each :class:`doubao_core.studio.MadeImage` as it comes."""
    progress_bar: bool = False
    """Draw a bar in the terminal or notebook; needs ``tqdm``."""
    show: Collection[Shown] = _SHOW_IMAGES
    """Which results to show to the model as blocks, besides the text; every one costs input tokens
    from then on, and a model that cannot see refuses them. ``"image"`` shows the saved file,
    ``"image_url"`` the service's URL, which is signed and ends after 24 hours, and with it a saved
    conversation; ``"video"`` the film's file."""
    approval: Approval = Field(default=None, exclude=True, repr=False)
    """Who is asked before anything is sent. ``"event"`` asks in the agent's event stream
    (:class:`~llamaindex_doubao.tools.ApprovalRequiredEvent`) and waits. A function gets a
    :class:`~doubao_core.studio.approval.Question` and gives yes, no or arguments to change; it may
    be async. A refusal is a result that says so."""
    prices: Any = Field(default=None, exclude=True, repr=False)
    """Your own price table for estimates, as :func:`doubao_core.prices.estimate` takes it."""
    jobs: Any = Field(default=None, exclude=True, repr=False)
    """Write each call down before it is paid, and finish it after a crash: the URL of a ledger,
    such as ``"sqlite:///jobs.sqlite3"``, or a :class:`doubao_core.jobs.Jobs` or ``AsyncJobs`` that
    saves to the same place. The same tool call of an agent, made again by a
    workflow that was stored, gets the same job; a call outside of an agent is known by what it
    orders. Needs the extra ``jobs``."""
    image_extra_body: Mapping[str, Any] | None = None
    """Fields of picture requests that no argument covers."""
    video_extra_body: Mapping[str, Any] | None = None
    """Fields of video tasks that no argument covers."""

    _for_images: studio.Allowance = PrivateAttr(default_factory=studio.Allowance)
    _for_videos: studio.Allowance = PrivateAttr(default_factory=studio.Allowance)
    _stop: Stop = PrivateAttr(default_factory=Stop)
    # Each with what it was made of: a field that was changed counts, in an updated copy too.
    _ledger: tuple[Any, Jobs | None] = PrivateAttr(default=_NOT_MADE)
    _async_ledger: tuple[Any, AsyncJobs | None] = PrivateAttr(default=_NOT_MADE)

    @model_validator(mode="before")
    @classmethod
    def _check_doubao_options(cls, given: Any) -> Any:
        """Say which tool's an argument is to be: pydantic says only that it is not permitted."""
        for name in given if isinstance(given, Mapping) else ():
            meant = [
                f"{each}="
                for each in cls.model_fields
                if each not in given and _without_tool(each) == name != each
            ]
            if meant:
                raise ConfigError(
                    f"{cls.__name__} has no {name}=, it has one for each tool: pass "
                    f"{' or '.join(meant)}"
                )
        return given

    @model_validator(mode="after")
    def _check_doubao_tools(self) -> Self:
        """Refuse settings with which no call could succeed; no I/O."""
        check_bar(wanted=self.progress_bar)
        for option, by_tool in (("fixed", self.fixed), ("more_arguments", self.more_arguments)):
            for tool in by_tool:
                if tool not in ARGUMENTS:
                    known = ", ".join(ARGUMENTS)
                    raise ConfigError(f"{option}= names no tool: {tool!r}; there are {known}")
        for tool in ARGUMENTS:
            self._schema(tool)
        return self

    def model_post_init(self, context: Any, /) -> None:
        """Prepare the limits; no I/O."""
        super().model_post_init(context)
        for tool in (IMAGE, VIDEO):
            self._allowance(tool)

    def close(self) -> None:
        """Close blocking calls' connections, to a ledger too; the next call opens new ones."""
        super().close()
        if isinstance(self.jobs, str) and self._ledger[1] is not None:
            self._ledger[1].close()

    async def aclose(self) -> None:
        """Close the running event loop's connections, and those to a ledger of async calls."""
        await super().aclose()
        if isinstance(self.jobs, str) and self._async_ledger[1] is not None:
            await self._async_ledger[1].aclose()

    def cancel(self) -> None:
        """End the blocking calls of this object that wait for films in other threads.

        Each withdraws its task if that is still queued, at its next look-up. A signal handler may
        use it. Async calls end when their asyncio task is cancelled.
        """
        self._stop.now()

    def __getstate__(self) -> dict[Any, Any]:
        state = super().__getstate__()
        # A ledger's connections belong to this process; the copy opens its own.
        private = {
            **state["__pydantic_private__"],
            "_ledger": _NOT_MADE,
            "_async_ledger": _NOT_MADE,
        }
        return {**state, "__pydantic_private__": private}

    def _schema(self, tool: str) -> type[Arguments]:
        if tool == IMAGE:
            return self._image_rules().schema()
        if tool == VIDEO:
            return self._video_rules().schema()
        fixed = self.fixed.get(tool, {})
        return studio.without(ARGUMENTS[tool], studio.settled(ARGUMENTS[tool], fixed))

    # Made anew for each call: cheap, and a field that was changed counts.
    def _image_rules(self) -> studio.ImageRules:
        return studio.ImageRules(
            model=self.image_model,
            references=self._references(),
            most_images=self.max_images_per_call,
            sizes=self.sizes,
            response_format=self.image_response_format,
            fixed=self.fixed.get(IMAGE, {}),
            shown=self.more_arguments.get(IMAGE, ()),
            extra_body=self.image_extra_body,
        )

    def _video_rules(self) -> studio.VideoRules:
        return studio.VideoRules(
            model=self.video_model,
            references=self._references(assets=True),
            most_seconds=self.max_duration,
            resolutions=self.resolutions,
            fixed=self.fixed.get(VIDEO, {}),
            shown=self.more_arguments.get(VIDEO, ()),
            extra_body=self.video_extra_body,
        )

    def _references(self, *, assets: bool = False) -> studio.References:
        folders = tuple(Path(each) for each in self.allowed_folders)
        return studio.References(output_dir=self.output_dir, allowed_folders=folders, assets=assets)

    def _desk(self) -> studio.Desk:
        return studio.Desk(
            output_dir=self.output_dir,
            poll_interval=self.poll_interval,
            wait_timeout=self.wait_timeout,
        )

    def _allowance(self, tool: str) -> studio.Allowance:
        # The limits are the fields', which may have been changed; the count is shared with copies.
        if tool == IMAGE:
            return self._for_images.limited(
                self.max_image_jobs, max_cost=self.max_image_cost, prices=self.prices
            )
        return self._for_videos.limited(
            self.max_video_jobs,
            max_cost=self.max_video_cost,
            max_seconds=self.max_video_seconds,
            prices=self.prices,
        )

    def _studio(self, tool: str) -> studio.Studio:
        return studio.Studio(self._client, self._desk(), self._allowance(tool))

    def _async_studio(self, tool: str) -> studio.AsyncStudio:
        return studio.AsyncStudio(self._async_client, self._desk(), self._allowance(tool))

    def _jobs(self) -> Jobs | None:
        client, options = self._client, self._ledger_options()
        with _MAKING:
            if self._ledger[0] != (wanted := (self.jobs, client, options)):
                self._ledger = (wanted, blocking(self.jobs, client, **options))
            return self._ledger[1]

    def _async_jobs(self) -> AsyncJobs | None:
        client, options = self._async_client, self._ledger_options()
        with _MAKING:
            if self._async_ledger[0] != (wanted := (self.jobs, client, options)):
                self._async_ledger = (wanted, awaiting(self.jobs, client, **options))
            return self._async_ledger[1]

    def _ledger_options(self) -> dict[str, Any]:
        return {"output_dir": self.output_dir, "poll_interval": self.poll_interval}

    def _maker(self, tool: str, rules: studio.ImageRules | studio.VideoRules) -> Maker:
        return Maker(
            commission=self._commission(tool, rules),
            check=partial(self._check_limits, tool),
            async_check=partial(self._acheck_limits, tool),
            steps=partial(self._steps, tool),
            async_steps=partial(self._async_steps, tool),
            storage=self._desk().storage,
            approval=self.approval,
            show=self.show,
        )

    def _check_limits(self, tool: str, order: Order) -> None:
        check_limits(self._jobs(), order, **self._room(tool, order))

    async def _acheck_limits(self, tool: str, order: Order) -> None:
        await acheck_limits(self._async_jobs(), order, **self._room(tool, order))

    def _room(self, tool: str, order: Order) -> dict[str, Any]:
        return {
            "key": job_key(tool, order.digest),
            "allowance": self._allowance(tool),
            "provider": self._client.provider,
        }

    def _steps(self, tool: str, order: Order) -> Generator[Step]:
        return made(self._studio(tool), self._jobs(), order, **self._terms(tool, order))

    def _async_steps(self, tool: str, order: Order) -> AsyncGenerator[Step]:
        terms = self._terms(tool, order)
        return amade(self._async_studio(tool), self._async_jobs(), order, **terms)

    def _terms(self, tool: str, order: Order) -> dict[str, Any]:
        return {
            "key": job_key(tool, order.digest),
            "timeout": self.wait_timeout,
            "allowance": self._allowance(tool),
        }

    def _commission(self, tool: str, rules: studio.ImageRules | studio.VideoRules) -> Commission:
        return Commission(
            tool=tool,
            rules=rules,
            pricing=studio.Pricing(provider=self._client.provider, table=self.prices),
            progress_bar=self.progress_bar,
            on_progress=self.on_progress,
            on_picture=self.on_picture,
            stop=self._stop,
        )
