"""The three tools with one client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from langchain_core.tools import BaseTool, BaseToolkit
from pydantic import Field, PrivateAttr, model_validator

from doubao_core import ConfigError, studio
from langchain_doubao.connection import Connection, Folder
from langchain_doubao.tools.approval import Approval
from langchain_doubao.tools.base import MediaTool, Place
from langchain_doubao.tools.image import SeedreamImageTool
from langchain_doubao.tools.paid import PaidTool
from langchain_doubao.tools.video import SeedanceTaskTool, SeedanceVideoTool

_OPTIONS: dict[str, type[PaidTool]] = {
    "image_options": SeedreamImageTool,
    "video_options": SeedanceVideoTool,
}


class DoubaoToolkit(Connection, BaseToolkit):
    """``generate_image``, ``generate_video`` and ``check_video`` with one client for all three.

    The tools are made with it, once: what is changed later is to be changed in the tools.

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
    output_dir: Place = Path("doubao_media")
    """Folder or URL for results, the same for all three."""
    allowed_folders: Sequence[Folder] = ()
    """Further folders from which the model may name files."""
    approval: Approval = Field(default=None, exclude=True, repr=False)
    """Who is asked before a paid call; see the tools."""
    jobs: Any = Field(default=None, exclude=True, repr=False)
    """Ledger in which paid calls are written down; see the tools."""
    image_options: Mapping[str, Any] = Field(default_factory=dict)
    """More arguments for :class:`SeedreamImageTool`."""
    video_options: Mapping[str, Any] = Field(default_factory=dict)
    """More arguments for :class:`SeedanceVideoTool`."""

    _tools: list[MediaTool] = PrivateAttr()

    @model_validator(mode="before")
    @classmethod
    def _check_doubao_options(cls, given: Any) -> Any:
        """Say where an argument of a tool belongs: pydantic says only that it is not permitted."""
        for name in given if isinstance(given, Mapping) else ():
            places = [
                f"{place}={{{name!r}: …}}"
                for place, tool in _OPTIONS.items()
                if name in tool.model_fields and name not in cls.model_fields
            ]
            if places:
                raise ConfigError(
                    f"DoubaoToolkit has no {name}=, its tools have: pass {' or '.join(places)}"
                )
        return given

    @model_validator(mode="after")
    def _make_tools(self) -> Self:
        connection = {name: getattr(self, name) for name in Connection.model_fields}
        places = {"output_dir": self.output_dir, "allowed_folders": self.allowed_folders}
        shared = {**connection, **places}
        paid = {**shared, "approval": self.approval, "jobs": self.jobs}
        made: list[MediaTool] = [
            SeedreamImageTool(**{**paid, "model": self.image_model, **self.image_options}),
            SeedanceVideoTool(**{**paid, "model": self.video_model, **self.video_options}),
            SeedanceTaskTool(**shared),
        ]
        self._tools = [tool.sharing(self) for tool in made]
        return self

    def __setstate__(self, state: dict[Any, Any]) -> None:
        super().__setstate__(state)
        for tool in self._tools:
            tool.sharing(self)

    def close(self) -> None:
        """Close the connections of blocking calls; the next call opens new ones."""
        super().close()
        for tool in self._tools:
            tool.close()

    async def aclose(self) -> None:
        """Close the running event loop's connections; the next call opens new ones."""
        await super().aclose()
        for tool in self._tools:
            await tool.aclose()

    def cancel(self) -> None:
        """End blocking calls of the tools that wait in other threads; see the tools' ``cancel``."""
        for tool in self._tools:
            if isinstance(tool, PaidTool):
                tool.cancel()

    def get_tools(self) -> list[BaseTool]:
        """Give the three tools; always the same objects, so that their limits hold."""
        return list(self._tools)
