"""Agentsflare's proxy of BytePlus: the two video requests of seed 002, and pictures.

Its own errors are `{"statusCode", "message"}`: a key that it does not know is 404, a path that it
does not pass on is 404 too, and 429 means no money as well as too many requests. Listing and
deleting are not on its page, so they are not here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import Route

from doubao_emulator import images, videos
from doubao_emulator.clouds import BYTEPLUS
from doubao_emulator.dialects.dialect import Dialect

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from doubao_emulator.errors import ArkError
    from doubao_emulator.state import World
    from doubao_emulator.wire import JSON

_UNKNOWN_KEY, _UNKNOWN_PATH = "AuthenticationError", "NotFound.Path"
_TOO_MANY = 429


def _routes(world: World) -> list[BaseRoute]:
    desk = videos.Desk(world, BYTEPLUS)
    return [
        Route(videos.PATH, desk.create, methods=["POST"]),
        Route(f"{videos.PATH}/{{task_id}}", desk.get, methods=["GET"]),
        *images.routes(world, BYTEPLUS),
    ]


def _refusal(error: ArkError, method: str, path: str) -> tuple[int, JSON]:
    if error.code == _UNKNOWN_KEY:
        return 404, {"statusCode": 404, "message": "Key not found"}
    if error.code == _UNKNOWN_PATH:
        said = f"Cannot {method} {path}"
        return 404, {"message": said, "error": "Not Found", "statusCode": 404}
    if error.status == _TOO_MANY:
        rate = "RateLimit" in error.code or "Inflight" in error.code
        said = "Too many requests" if rate else "Insufficient balance, please top up"
        return _TOO_MANY, {"statusCode": _TOO_MANY, "message": said}
    # What the upstream says is passed on as it is.
    shown = {"code": error.code, "message": error.message, "param": error.param, "type": error.type}
    return error.status, {"error": shown}


DIALECT = Dialect(name="agentsflare", base="/byteplus/v3", routes=_routes, refusal=_refusal)
