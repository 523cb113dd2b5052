"""Rendered files at expiring, signed links, as an object store serves them (ark.md 15.4).

Links look like ``<origin>/media/<name>.mp4?X-Tos-Expires=86400&X-Tos-Date=...`` and need no key.
A file is rendered when it is first downloaded, in a worker thread.
"""

from __future__ import annotations

import asyncio
import hmac
import re
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.responses import Response
from starlette.routing import Route

from doubao_emulator.exchange import exchange_of
from doubao_emulator.faults import MEDIA_PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

    from doubao_emulator.media_models import Size
    from doubao_emulator.state import World

LIFETIME_S = 86_400

CONTENT_TYPES = {
    "jpeg": "image/jpeg",
    "png": "image/png",
    "mp4": "video/mp4",
    "mov": "video/quicktime",
}
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(eq=False, slots=True, kw_only=True)
class MediaFile:
    """One file behind a link.

    Attributes:
        extension: Kind of file, a key of `CONTENT_TYPES`.
        size: Width and height in pixels.
        seconds: Length of a film, 0 for a picture.
        query: The signed query that opens it.
        expires_at: Unix seconds after which the link is dead.
        render: Makes the file; called once at most.
        downloads_left: How many downloads remain; None for no limit (ark.md 15.4).
    """

    extension: str
    size: Size
    seconds: float = 0.0
    query: Mapping[str, str]
    expires_at: float
    render: Callable[[], bytes]
    downloads_left: int | None = None
    _data: bytes | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def read(self) -> bytes:
        """Return the contents, rendering them the first time; may take seconds."""
        with self._lock:
            if self._data is None:
                self._data = self.render()
            return self._data


class Refusal(NamedTuple):
    """Why an object store does not hand out a file."""

    status: int
    code: str
    message: str


_MISSING = Refusal(404, "NoSuchKey", "The specified key does not exist.")
_UNSIGNED = Refusal(403, "SignatureDoesNotMatch", "The request signature does not match.")
_EXPIRED = Refusal(403, "AccessDenied", "Request has expired.")
_USED_UP = Refusal(403, "AccessDenied", "The download limit of this object is reached.")


def publish(
    world: World,
    *,
    extension: str,
    size: Size,
    render: Callable[[], bytes],
    seconds: float = 0.0,
    downloads: int | None = None,
) -> str:
    """Put a file behind a fresh link that lives 24 h of the world's clock, and return the link."""
    now = world.clock.now()
    files = world.table(MediaFile)
    _drop_expired(files, now)
    query = {
        "X-Tos-Algorithm": "TOS4-HMAC-SHA256",
        "X-Tos-Date": datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ"),
        "X-Tos-Expires": str(LIFETIME_S),
        "X-Tos-Signature": world.ids.token(32),
    }
    name = f"{world.ids.token()}.{extension}"
    files[name] = MediaFile(
        extension=extension,
        size=size,
        seconds=seconds,
        query=query,
        expires_at=now + LIFETIME_S,
        render=render,
        downloads_left=downloads,
    )
    return f"{world.origin}{MEDIA_PREFIX}{name}?{urlencode(query)}"


def _drop_expired(files: dict[str, MediaFile], now: float) -> None:
    """Free the memory of dead links, a day after the store began to say that they expired."""
    for name in [key for key, file in files.items() if now >= file.expires_at + LIFETIME_S]:
        del files[name]


def find(world: World, name: str, query: Mapping[str, str]) -> MediaFile | Refusal:
    """Return the file that a link opens, or why it does not."""
    file = world.table(MediaFile).get(name)
    if file is None:
        return _MISSING
    given = query.get("X-Tos-Signature", "").encode()
    signed = dict(query) == dict(file.query)
    if not (signed and hmac.compare_digest(given, file.query["X-Tos-Signature"].encode())):
        return _UNSIGNED
    if world.clock.now() >= file.expires_at:
        return _EXPIRED
    return file


def own_file(world: World, url: str) -> MediaFile | Refusal | None:
    """Return what one of this server's own links opens; None for any other URL."""
    prefix = f"{world.origin}{MEDIA_PREFIX}"
    if not world.origin or not url.startswith(prefix):
        return None
    parts = urlsplit(url)
    return find(world, parts.path.removeprefix(MEDIA_PREFIX), dict(parse_qsl(parts.query)))


def routes(world: World) -> list[Route]:
    """Return the download route, to be mounted at the root of the server."""

    async def download(request: Request) -> Response:
        name = request.path_params["name"]
        found = find(world, name, request.query_params)
        if isinstance(found, Refusal):
            return _refused(found, request)
        if found.downloads_left == 0:
            return _refused(_USED_UP, request)
        data = await asyncio.to_thread(found.read)
        reply = _whole_or_part(data, found, request.headers.get("range", ""))
        if request.method == "GET" and found.downloads_left is not None:
            found.downloads_left -= 1
        return reply

    return [Route(f"{MEDIA_PREFIX}{{name}}", download, methods=["GET"])]


def _whole_or_part(data: bytes, file: MediaFile, asked: str) -> Response:
    headers = {"Accept-Ranges": "bytes", "ETag": f'"{file.query["X-Tos-Signature"]}"'}
    media_type = CONTENT_TYPES[file.extension]
    match = _RANGE.fullmatch(asked.replace(" ", ""))
    if match is None or match.groups() == ("", ""):
        # No range, several, or another unit: HTTP lets a server send everything.
        return Response(data, media_type=media_type, headers=headers)
    start, end = _bounds(match[1], match[2], len(data))
    if start >= end:
        headers["Content-Range"] = f"bytes */{len(data)}"
        return Response(status_code=416, headers=headers)
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(data)}"
    return Response(data[start:end], status_code=206, media_type=media_type, headers=headers)


def _bounds(first: str, last: str, length: int) -> tuple[int, int]:
    if not first:
        return max(0, length - int(last)), length
    return int(first), min(length, int(last) + 1) if last else length


def _refused(refusal: Refusal, request: Request) -> Response:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{refusal.code}</Code><Message>{refusal.message}</Message>"
        f"<RequestId>{exchange_of(request).request_id}</RequestId></Error>"
    )
    return Response(body, status_code=refusal.status, media_type="application/xml")
