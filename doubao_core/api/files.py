"""Files that chat requests refer to by id (ark.md 9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from doubao_core.errors import ConfigError, Malformed
from doubao_core.operation import JSON, Flow, Operation, Repeat, Send, Upload, identifier


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """An uploaded file (ark.md 9).

    Attributes:
        status: ``processing``, then ``active`` or ``failed``; only an active one can be used.
        expire_at: Unix seconds when the service removes it.
    """

    id: str
    status: str
    filename: str | None = None
    bytes: int | None = None
    mime_type: str | None = None
    created_at: int | None = None
    expire_at: int | None = None
    raw: JSON = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> File:
        """Read a file object."""
        if not raw.get("id"):
            raise Malformed("the answer has no file id")
        return cls(
            id=raw["id"],
            status=raw.get("status") or "processing",
            filename=raw.get("filename"),
            bytes=raw.get("bytes"),
            mime_type=raw.get("mime_type"),
            created_at=raw.get("created_at"),
            expire_at=raw.get("expire_at"),
            raw=dict(raw),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """A page of files; ask again with ``after=last_id`` while ``has_more``."""

    items: tuple[File, ...]
    has_more: bool
    last_id: str | None


@Operation
def upload_file(
    content: bytes | Path,
    *,
    filename: str | None = None,
    purpose: str = "user_data",
    expire_at: int | None = None,
    media_type: str = "application/octet-stream",
    video_fps: float | None = None,
) -> Flow[File]:
    """Upload a file of at most 512 MB (ark.md 9). Never repeated once it may have been stored.

    Args:
        content: The bytes, or the path of the file, which is read while it is sent.
        filename: Default the path's own name; needed with bytes.
        purpose: ``"user_data"``, or ``"agent"`` on Volcengine.
        expire_at: Unix seconds, from 1 to 30 days ahead; the service's default is 7 days.
        media_type: MIME type of the content.
        video_fps: Frames per second to sample from a film, 0.2 to 5; the default is 1.
    """
    name = filename or (content.name if isinstance(content, Path) else None)
    if not name:
        raise ConfigError("upload_file needs filename= with bytes")
    if isinstance(content, Path) and not content.is_file():
        raise ConfigError(f"there is no file {content}")
    form = {"purpose": purpose}
    if expire_at is not None:
        form["expire_at"] = str(expire_at)
    if video_fps is not None:
        form["preprocess_configs[video][fps]"] = str(video_fps)
    upload = Upload(filename=name, content=content, media_type=media_type)
    reply = yield Send(
        operation="files.create", form=form, upload=upload, repeat=Repeat.REFUSED_ONLY
    )
    return File.parse(reply.json())


@Operation
def get_file(file_id: str) -> Flow[File]:
    """Look a file up."""
    reply = yield Send(operation="files.get", path={"file_id": identifier("file_id", file_id)})
    return File.parse(reply.json())


@Operation
def list_files(
    *, after: str | None = None, limit: int | None = None, order: str | None = None
) -> Flow[Files]:
    """List files (ark.md 9).

    Args:
        after: Id of the last file of the page before.
        limit: Files per page, 1 to 100.
        order: ``"desc"`` (newest first) or ``"asc"``.
    """
    pairs = (("after", after), ("limit", limit), ("order", order))
    query = tuple((name, str(value)) for name, value in pairs if value is not None)
    raw = (yield Send(operation="files.list", query=query)).json()
    return Files(
        items=tuple(File.parse(item) for item in raw.get("data") or ()),
        has_more=bool(raw.get("has_more")),
        last_id=raw.get("last_id"),
    )


@Operation
def delete_file(file_id: str) -> Flow[None]:
    """Remove a file."""
    yield Send(operation="files.delete", path={"file_id": identifier("file_id", file_id)})
