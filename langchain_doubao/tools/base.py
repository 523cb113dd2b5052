"""What the tools share: places, arguments, and errors that a model can act on."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias

from langchain_core.tools import BaseTool, ToolException
from pydantic import BeforeValidator, ConfigDict, Field

from doubao_core import DoubaoError, studio
from doubao_core.config import ApiKey
from doubao_core.gateways import gateway
from doubao_core.media import Storage
from doubao_core.media.errors import PlaceError
from doubao_core.studio import Arguments
from doubao_core.studio.approval import NotAsked
from langchain_doubao.connection import Connection, Folder
from langchain_doubao.errors import translated

Content: TypeAlias = str | list[str | dict[str, Any]]


def _place(value: Any) -> Any:
    # A URL that goes through Path loses a slash.
    return Path(value) if isinstance(value, str) and "://" not in value else value


Place: TypeAlias = Annotated[Path | str | Storage, BeforeValidator(_place)]
"""A folder, a URL such as ``s3://bucket/folder`` (extra ``storage``), or a storage object."""


# Fields that are made of the others.
_MADE = frozenset({"args_schema"})


class MediaTool(Connection, BaseTool):
    """A tool whose arguments, errors and files are the studio's."""

    model_config = ConfigDict(extra="forbid")

    output_dir: Place = Path("doubao_media")
    """Where results go: a folder, or a URL such as ``s3://bucket/folder``; the model may name files
    in it as references."""
    allowed_folders: Sequence[Folder] = ()
    """Further folders from which the model may name files; none by default."""
    fixed: Mapping[str, Any] = Field(default_factory=dict)
    """Arguments that you decide: the model neither sees nor sets them. ``{"watermark": False}``
    fixes one, ``{"seed": None}`` hides one."""

    response_format: Literal["content", "content_and_artifact"] = "content_and_artifact"
    handle_tool_error: Any = True
    handle_validation_error: Any = Field(default=studio.complaint, exclude=True)

    arguments: ClassVar[type[Arguments]]

    def model_post_init(self, context: Any, /) -> None:
        """Prepare the schema; no I/O."""
        super().model_post_init(context)
        self._refresh()

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Copy the tool; what is updated counts, for the model's eyes too."""
        copied = super().model_copy(update=update, deep=deep)
        copied._refresh()  # noqa: SLF001 - it is of this very class
        return copied

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name in type(self).model_fields and name not in _MADE:
            self._refresh()

    def __getstate__(self) -> dict[Any, Any]:
        # A schema without the fixed arguments is a class of this process only.
        state = super().__getstate__()
        return {**state, "__dict__": {**state["__dict__"], "args_schema": None}}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        super().__setstate__(state)
        self._refresh()

    @property
    def _studio(self) -> studio.Studio:
        # Made anew each time: a field may have been changed, here or in an updated copy.
        return studio.Studio(self._blocking(), self._desk(), self._allowance())

    @property
    def _async_studio(self) -> studio.AsyncStudio:
        return studio.AsyncStudio(self._awaiting(), self._desk(), self._allowance())

    def _refresh(self) -> None:
        """Prepare what is made of the fields; no I/O."""
        self.args_schema = self._schema()

    def _schema(self) -> type[Arguments]:
        return studio.without(self.arguments, studio.settled(self.arguments, self.fixed))

    def _allowance(self) -> studio.Allowance:
        return studio.Allowance()

    def _desk(self) -> studio.Desk:
        return studio.Desk(output_dir=self.output_dir)

    def _given(self, values: Sequence[Any], given: Mapping[str, Any]) -> dict[str, Any]:
        # LangChain passes a bare string as the only positional argument.
        return {**dict(zip(self.arguments.model_fields, values, strict=False)), **given}

    def _references(self, *, assets: bool = False) -> studio.References:
        return studio.References(
            output_dir=self.output_dir,
            allowed_folders=[Path(folder) for folder in self.allowed_folders],
            assets=assets,
        )

    def _check_key(self) -> None:
        """Raise a missing key to the developer: a model could only apologise for it."""
        if self.api_key is None:
            with translated():
                ApiKey().resolve(gateway(self.provider))


@contextmanager
def told() -> Generator[None]:
    """Raise what goes wrong as LangChain's tool error, in words that a model can act on.

    That nobody could be asked for approval, or that a ledger or the place for results cannot be
    used, is not for a model: it stays what it is.
    """
    try:
        yield
    except (PlaceError, NotAsked):
        raise
    except DoubaoError as error:
        raise ToolException(studio.explained(error)) from error
