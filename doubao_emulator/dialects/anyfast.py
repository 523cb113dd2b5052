"""Anyfast: the chat of seed 001, and the pictures and films of its public guide.

Streams carry no usage: the page prints no event at all, so a client must do without. A film is a
task of Ark in an envelope; on success `fail_reason` holds a copy of the link, as it was seen to do.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from starlette.routing import Mount, Route

from doubao_emulator import chat, images
from doubao_emulator.clouds import ARK, Cloud
from doubao_emulator.dialects import openai_style
from doubao_emulator.dialects.dialect import Dialect
from doubao_emulator.exchange import json_reply
from doubao_emulator.models import ChatModel
from doubao_emulator.video_tasks import Task
from doubao_emulator.videos import Desk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from doubao_emulator.chat_answer import Answer
    from doubao_emulator.state import World
    from doubao_emulator.wire import JSON

_FILMS = "/video/generations"
_LITE = "doubao-seed-1-6-lite-251015"
_LONGEST = 8192


def _models() -> Cloud:
    """Return the models, of which one has shorter answers than on Ark: the page says how short."""
    lite = openai_style.MODELS.models[_LITE]
    if not isinstance(lite, ChatModel):
        raise TypeError(_LITE)
    models = {**openai_style.MODELS.models, _LITE: replace(lite, max_answer=_LONGEST)}
    return replace(openai_style.MODELS, models=models)


MODELS = _models()
_STATUS = {
    "queued": "QUEUED",
    "running": "IN_PROGRESS",
    "succeeded": "SUCCESS",
    "failed": "FAILURE",
    "expired": "FAILURE",
    "cancelled": "FAILURE",
}
_PROGRESS = {"queued": "0%", "running": "50%"}


def _frames(answer: Answer, _usage_chunk: bool, _usage_everywhere: bool) -> Iterator[bytes]:
    return openai_style.frames(answer, False, False)


class _Films:
    """Ark's video tasks, as the gateway tells of them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._desk = Desk(world, ARK)

    async def create(self, request: Request) -> Response:
        """Accept a task; it has no status yet."""
        made = _read(await self._desk.create(request))
        task = self._world.table(Task)[made["id"]]
        answer: dict[str, JSON] = {
            "id": made["id"],
            "task_id": made["id"],
            "object": "video",
            "model": task.asked_model,
            "status": "",
            "progress": 0,
            "created_at": int(task.created_at),
        }
        return json_reply(answer)

    async def get(self, request: Request) -> Response:
        """Show a task in its envelope."""
        task = _read(await self._desk.get(request))
        ended = task["status"] not in _PROGRESS
        link = (task.get("content") or {}).get("video_url", "")
        reason = (task.get("error") or {}).get("message", "")
        data: dict[str, JSON] = {
            "task_id": task["id"],
            "action": "generate",
            "status": _STATUS[task["status"]],
            "progress": _PROGRESS.get(task["status"], "100%"),
            "result_url": link,
            "fail_reason": reason or link,
            "submit_time": task["created_at"],
            "start_time": 0 if task["status"] == "queued" else task["created_at"],
            "finish_time": task["updated_at"] if ended else 0,
            "data": task,
        }
        return json_reply({"code": "success", "message": "", "data": data})


def _read(response: Response) -> dict[str, JSON]:
    read: dict[str, JSON] = json.loads(bytes(response.body))
    return read


def _routes(world: World) -> list[BaseRoute]:
    films = _Films(world)
    manner = replace(openai_style.MANNER, frames=_frames)
    return [
        Mount(
            "/v1",
            routes=[
                chat.route(world, MODELS, manner),
                *images.routes(world, ARK),
                Route(_FILMS, films.create, methods=["POST"]),
                Route(f"{_FILMS}/{{task_id}}", films.get, methods=["GET"]),
            ],
        )
    ]


DIALECT = Dialect(name="anyfast", routes=_routes, refusal=openai_style.refusal)
