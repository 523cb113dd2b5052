"""Files: upload, look up, list, delete (ark.md 9)."""

from __future__ import annotations

import mimetypes
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.routing import Route

from doubao_emulator.errors import (
    ArkError,
    invalid_parameter,
    invalid_state,
    malformed_body,
    missing_parameter,
    not_found,
)
from doubao_emulator.exchange import json_reply
from doubao_emulator.progress import Phase

if TYPE_CHECKING:
    from starlette.datastructures import FormData, QueryParams
    from starlette.requests import Request
    from starlette.responses import Response

    from doubao_emulator.clouds import Cloud
    from doubao_emulator.state import World
    from doubao_emulator.wire import JSON

_DAY = 86_400
_DEFAULT_LIFE = 7 * _DAY
_SHORTEST_LIFE, _LONGEST_LIFE = _DAY, 30 * _DAY
_MAX_BYTES = 512 * 1024 * 1024
_DEFAULT_PAGE, _LARGEST_PAGE = 100, 100
_SLOWEST, _FASTEST = 0.2, 5
_VIDEO_OPTION = "preprocess_configs[video]["
_VIDEO_LIMITS = ("max_video_tokens", "min_frame_tokens", "max_frame_tokens", "min_frames")


@dataclass(slots=True, kw_only=True)
class StoredFile:
    """An uploaded file; its content is counted, not kept.

    Attributes:
        reads: How often it was looked up, which advances it in some progress modes.
    """

    id: str
    purpose: str
    filename: str
    size: int
    mime_type: str
    created_at: float
    expire_at: int
    video: dict[str, JSON] = field(default_factory=dict)
    reads: int = 0


def routes(world: World, cloud: Cloud) -> list[Route]:
    """Return the file routes of one cloud."""
    desk = _Desk(world, cloud)
    return [
        Route("/files", desk.upload, methods=["POST"]),
        Route("/files", desk.list, methods=["GET"]),
        Route("/files/{id}", desk.get, methods=["GET"]),
        Route("/files/{id}", desk.delete, methods=["DELETE"]),
    ]


def usable_file(world: World, identifier: str) -> StoredFile:
    """Return the file with this id for use in a request.

    Raises:
        ArkError: 404 when there is none, 403 while it is not `active` (ark.md 9).
    """
    stored = _find(world, identifier)
    if _status(world, stored) != "active":
        raise invalid_state(f"The file {identifier} is not active yet.")
    return stored


class _Desk:
    def __init__(self, world: World, cloud: Cloud) -> None:
        self._world = world
        purposes = {"ark": ("user_data", "agent"), "byteplus": ("user_data",)}
        self._purposes = purposes[cloud.name]

    async def upload(self, request: Request) -> Response:
        try:
            async with request.form() as form:
                stored = self._store(form)
        except HTTPException as error:
            # Starlette's answer to a broken form, when it believes itself inside an application.
            raise malformed_body(f"{error.detail}") from error
        self._world.table(StoredFile)[stored.id] = stored
        return json_reply(_describe(self._world, stored))

    async def get(self, request: Request) -> Response:
        stored = _find(self._world, request.path_params["id"])
        answer = _describe(self._world, stored)
        stored.reads += 1
        return json_reply(answer)

    async def list(self, request: Request) -> Response:
        query = request.query_params
        limit = _page_size(query)
        order = query.get("order", "desc")
        if order not in {"asc", "desc"}:
            raise invalid_parameter("order", "use `asc` or `desc`.")
        purpose = query.get("purpose")
        files = [
            stored
            for stored in self._world.table(StoredFile).values()
            if purpose in {None, stored.purpose} and not _expired(self._world, stored)
        ]
        if order == "desc":
            files.reverse()
        page, more = _page(files, query.get("after"), limit)
        return json_reply(
            {
                "object": "list",
                "data": [_describe(self._world, stored) for stored in page],
                "first_id": page[0].id if page else "",
                "last_id": page[-1].id if page else "",
                "has_more": more,
            }
        )

    async def delete(self, request: Request) -> Response:
        stored = _find(self._world, request.path_params["id"])
        del self._world.table(StoredFile)[stored.id]
        return json_reply({"id": stored.id, "object": "file", "deleted": True})

    def _store(self, form: FormData) -> StoredFile:
        purpose = form.get("purpose")
        if not purpose:
            raise missing_parameter("purpose")
        if purpose not in self._purposes:
            allowed = ", ".join(f"`{name}`" for name in self._purposes)
            raise invalid_parameter("purpose", f"use one of {allowed}.")
        filename, size, mime_type = _source(form)
        now = self._world.clock.now()
        return StoredFile(
            id=self._world.ids.file(),
            purpose=str(purpose),
            filename=filename,
            size=size,
            mime_type=mime_type,
            created_at=now,
            expire_at=_expiry(form, now),
            video=_video_options(form),
        )


def _source(form: FormData) -> tuple[str, int, str]:
    """Return name, size and type of what is uploaded or linked."""
    file, url = form.get("file"), form.get("url")
    if bool(file) == bool(url):
        if file:
            raise invalid_parameter("file", "`file` and `url` exclude one another.")
        raise missing_parameter("file")
    if isinstance(file, UploadFile):
        name, size = file.filename or "file", file.size or 0
        if size > _MAX_BYTES:
            raise invalid_parameter("file", f"it must have at most {_MAX_BYTES} bytes.")
        declared = file.content_type
    elif isinstance(url, str):
        _check_link(form, url)
        name, size, declared = urlsplit(url).path.rpartition("/")[2] or "file", 0, None
    else:
        raise invalid_parameter("file", "a file part is expected.")
    guessed = mimetypes.guess_type(name)[0]
    return name, size, guessed or declared or "application/octet-stream"


def _check_link(form: FormData, url: str) -> None:
    scheme, _, rest = url.partition("://")
    if scheme in {"http", "https"} and rest:
        return
    if scheme == "tos" and "/" in rest:
        if not form.get("tos[bucket]"):
            raise missing_parameter("tos[bucket]")
        return
    if scheme == "tos":
        raise ArkError(
            status=400,
            code="InvalidParameter.TosURLInvalid",
            message="The TOS URL must look like tos://<bucket>/<key>.",
            param="url",
        )
    raise invalid_parameter("url", "use an http(s):// or tos:// address.")


def _expiry(form: FormData, now: float) -> int:
    value = form.get("expire_at")
    if not value:
        return int(now) + _DEFAULT_LIFE
    moment = _number(form, "expire_at")
    if not now + _SHORTEST_LIFE - 1 <= moment <= now + _LONGEST_LIFE + 1:
        raise invalid_parameter("expire_at", "it must be 1 to 30 days from now.")
    return int(moment)


def _video_options(form: FormData) -> dict[str, JSON]:
    options: dict[str, JSON] = {}
    if form.get(f"{_VIDEO_OPTION}fps]"):
        fps = _number(form, f"{_VIDEO_OPTION}fps]")
        if not _SLOWEST <= fps <= _FASTEST:
            raise invalid_parameter("preprocess_configs.video.fps", "it must be in [0.2, 5].")
        options["fps"] = fps
    if model := form.get(f"{_VIDEO_OPTION}model]"):
        options["model"] = str(model)
    for name in _VIDEO_LIMITS:
        if form.get(f"{_VIDEO_OPTION}{name}]"):
            options[name] = int(_number(form, f"{_VIDEO_OPTION}{name}]"))
    return options


def _number(form: FormData, name: str) -> float:
    try:
        return float(str(form.get(name)))
    except ValueError as error:
        raise invalid_parameter(name, "a number is expected.") from error


def _page_size(query: QueryParams) -> int:
    text = query.get("limit", str(_DEFAULT_PAGE))
    if not text.isdigit() or not 1 <= int(text) <= _LARGEST_PAGE:
        raise invalid_parameter("limit", f"it must be in [1, {_LARGEST_PAGE}].")
    return int(text)


def _page(files: list[StoredFile], after: str | None, limit: int) -> tuple[list[StoredFile], bool]:
    if after:
        ids = [stored.id for stored in files]
        if after not in ids:
            raise not_found("file", after)
        files = files[ids.index(after) + 1 :]
    return files[:limit], len(files) > limit


def _find(world: World, identifier: str) -> StoredFile:
    stored = world.table(StoredFile).get(identifier)
    if stored is None or _expired(world, stored):
        raise not_found("file", identifier)
    return stored


def _expired(world: World, stored: StoredFile) -> bool:
    return world.clock.now() >= stored.expire_at


def _status(world: World, stored: StoredFile) -> str:
    age = world.clock.now() - stored.created_at
    done = world.progress.phase(reads=stored.reads, age=age) is Phase.DONE
    return "active" if done else "processing"


def _describe(world: World, stored: StoredFile) -> dict[str, JSON]:
    answer: dict[str, JSON] = {
        "object": "file",
        "id": stored.id,
        "purpose": stored.purpose,
        "filename": stored.filename,
        "bytes": stored.size,
        "mime_type": stored.mime_type,
        "created_at": int(stored.created_at),
        "expire_at": stored.expire_at,
        "status": _status(world, stored),
    }
    if stored.video:
        answer["preprocess_configs"] = {"video": stored.video}
    return answer
