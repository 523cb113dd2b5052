"""vibegen.art as the client of its package reads it: films, a list, cancelling, credits.

What that client does not show is chosen so that another one notices what it takes for granted: a
field or filter that it does not send is refused, only a task that has not begun can be cancelled,
and no credits come back. An error is a text. Deliveries are signed if `Emulator.sign_webhooks` is
told so, with the header `X-Seedance-Signature`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from starlette.routing import Route

from doubao_emulator import films, unfinished
from doubao_emulator.chat_request import REFUSED_PHRASE
from doubao_emulator.deliveries import Deliveries, Story
from doubao_emulator.dialects.dialect import Dialect, DialectError, bearer_key
from doubao_emulator.exchange import exchange_of, json_reply
from doubao_emulator.progress import Phase

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from doubao_emulator.errors import ArkError
    from doubao_emulator.state import World
    from doubao_emulator.wire import JSON

CREDITS = 1000
"""What a key has at first."""
COST = 100
"""What a film costs, as in the one example of an answer."""
LONGEST_PROMPT = 1000
_WAIT_S = 60
_TRIES = 3
_PAGE = 20
_PAYMENT = 402
# The first of each is what a film has if nothing is asked.
_SECONDS: dict[str, tuple[int, ...]] = {
    "seedance-2.0": (4, 8, 12),
    "kling-v2-6": (5, 10),
    "sora-2": (10,),
}
_FROM_TEXT_ONLY = frozenset({"sora-2"})
_RATIOS = {"16:9": (16, 9), "9:16": (9, 16), "1:1": (1, 1), "4:3": (4, 3), "3:4": (3, 4)}
_SHORT_SIDES = {"720p": 720, "480p": 480, "1080p": 1080}
_TYPES: dict[str, type] = {
    "model": str,
    "prompt": str,
    "image_urls": list,
    "duration": int,
    "aspect_ratio": str,
    "resolution": str,
    "generate_audio": bool,
    "callback_url": str,
}
_FILTERS = frozenset({"page", "limit", "status", "model"})
_UNFINISHED = frozenset({"pending", "processing"})
_STATUSES = _UNFINISHED | {"completed", "failed", "cancelled"}
# What Ark's faults for a used-up account are here.
_QUOTA_CODES = frozenset({"SetLimitExceeded", "QuotaExceeded"})
_TEXTS = {401: "Invalid API key", 404: "Not found"}


@dataclass(eq=False, slots=True, kw_only=True)
class Task:
    """A film that was asked for."""

    id: str
    asked: Mapping[str, JSON]
    created_at: float
    updated_at: float
    failure: str | None = None
    cancelled: bool = False
    reads: int = 0
    made: dict[str, JSON] | None = None


@dataclass(slots=True)
class Account:
    """The credits of one key."""

    used: int = 0
    changed_at: float = 0.0


class _Desk:
    """Answers the five requests."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._deliveries = Deliveries(world, tries=_TRIES)

    async def create(self, request: Request) -> Response:
        """Accept a film, and charge for it."""
        exchange = exchange_of(request)
        asked = exchange.fields().data
        _check(asked)
        unfinished.check(self._world, exchange)
        self._charge(request)
        fault = self._world.faults.strike("task_failed", exchange.path)
        now = self._world.clock.now()
        task = Task(
            id=f"task_{self._world.ids.token()}",
            asked=asked,
            created_at=now,
            updated_at=now,
            failure=None if fault is None else fault.text("message", "Generation failed"),
        )
        self._world.table(Task)[task.id] = task
        unfinished.follow(self._world, exchange, lambda: self._status(task) in _UNFINISHED)
        if url := asked.get("callback_url"):
            self._deliveries.follow(task.id, url, exchange.path, partial(self._story, task))
        return _answer(_described(task, "pending"))

    async def get(self, request: Request) -> Response:
        """Say where a task is, and what it has made."""
        task = self._known(request)
        shown = self._shown(task)
        task.reads += 1
        return _answer(shown)

    async def list(self, request: Request) -> Response:
        """Give a page of the tasks, newest first."""
        query = dict(request.query_params)
        if unknown := query.keys() - _FILTERS:
            raise _refused(400, f"Unknown parameter {min(unknown)}")
        if query.get("status", "pending") not in _STATUSES:
            raise _refused(400, "Invalid status")
        page, limit = _count(query, "page", 1), _count(query, "limit", _PAGE)
        tasks = [self._shown(each) for each in reversed(self._world.table(Task).values())]
        for name in ("status", "model"):
            tasks = [each for each in tasks if each[name] == query.get(name, each[name])]
        total = len(tasks)
        pages = -(-total // limit)
        pagination = {"page": page, "limit": limit, "total": total, "total_pages": pages}
        shown = tasks[(page - 1) * limit : page * limit]
        return _answer({"tasks": shown, "pagination": pagination})

    async def cancel(self, request: Request) -> Response:
        """Cancel a task that has not begun."""
        task = self._known(request)
        if self._shown(task)["status"] != "pending":
            raise _refused(400, f"Task {task.id} can no longer be cancelled")
        task.cancelled, task.updated_at = True, self._world.clock.now()
        return _answer(self._shown(task))

    async def credits(self, request: Request) -> Response:
        """Say what a key has left."""
        account = self._account(request)
        changed = account.changed_at or self._world.clock.now()
        left = CREDITS - account.used
        balance = {"total": CREDITS, "used": account.used, "remaining": left}
        return _answer({**balance, "last_updated": _iso(changed)})

    def _account(self, request: Request) -> Account:
        key = bearer_key(request.headers)
        return self._world.table(Account).setdefault(key, Account())

    def _charge(self, request: Request) -> None:
        account = self._account(request)
        if account.used + COST > CREDITS:
            raise _no_credits()
        account.used += COST
        account.changed_at = self._world.clock.now()

    def _known(self, request: Request) -> Task:
        task_id = request.path_params["task_id"]
        task = self._world.table(Task).get(task_id)
        if task is None:
            raise _refused(404, f"Task {task_id} not found")
        return task

    def _shown(self, task: Task) -> dict[str, JSON]:
        """Bring a task up to date, and describe it."""
        return _described(task, self._status(task))

    def _status(self, task: Task) -> str:
        if task.cancelled:
            return "cancelled"
        now = self._world.clock.now()
        phase = self._world.progress.phase(reads=task.reads, age=now - task.created_at)
        if phase is not Phase.DONE:
            return {Phase.QUEUED: "pending", Phase.RUNNING: "processing"}[phase]
        if task.failure is not None:
            return "failed"
        if task.made is None:
            task.made, task.updated_at = self._made(task.asked), now
        return "completed"

    def _made(self, asked: Mapping[str, JSON]) -> dict[str, JSON]:
        seconds = asked.get("duration", _SECONDS[asked["model"]][0])
        resolution = asked.get("resolution", "720p")
        size = _pixels(resolution, asked.get("aspect_ratio", "16:9"))
        audio = asked.get("generate_audio", False)
        url = films.publish(self._world, asked["prompt"], size, seconds, audio=audio)
        shape = {"duration": seconds, "resolution": resolution, "has_audio": audio}
        return {"video_url": url, "thumbnail_url": None, **shape}

    def _story(self, task: Task) -> Story | None:
        """Tell of the two ends that have an event."""
        if self._world.table(Task).get(task.id) is not task:
            return None
        shown = self._shown(task)
        status = shown["status"]
        if status not in {"completed", "failed"}:
            return Story(told=(), ended=status == "cancelled")
        event = {"event": f"task.{status}", "timestamp": shown["updated_at"], "data": shown}
        return Story(told=(event,), ended=True)


def _check(asked: Mapping[str, JSON]) -> None:
    for name, value in asked.items():
        if name not in _TYPES:
            raise _refused(400, f"Unknown field {name}")
        if type(value) is not _TYPES[name]:
            raise _refused(400, f"Invalid type of {name}")
    model, prompt = asked.get("model"), asked.get("prompt", "")
    if model not in _SECONDS:
        raise _refused(400, "Invalid model")
    if not 1 <= len(prompt) <= LONGEST_PROMPT:
        raise _refused(400, f"The prompt must have 1 to {LONGEST_PROMPT} characters")
    if REFUSED_PHRASE in prompt:
        raise _refused(400, "The prompt is not allowed")
    choices = {"duration": _SECONDS[model], "aspect_ratio": _RATIOS, "resolution": _SHORT_SIDES}
    for name, known in choices.items():
        if name in asked and asked[name] not in known:
            raise _refused(400, f"Invalid {name} for {model}")
    pictures = asked.get("image_urls", [])
    if pictures and model in _FROM_TEXT_ONLY:
        raise _refused(400, f"{model} does not start from pictures")
    for url in (*pictures, asked.get("callback_url", "https://")):
        if not (isinstance(url, str) and url.startswith(("http://", "https://"))):
            raise _refused(400, "Invalid URL")


def _described(task: Task, status: str) -> dict[str, JSON]:
    kind = "image_to_video" if task.asked.get("image_urls") else "text_to_video"
    return {
        "id": task.id,
        "status": status,
        "model": task.asked["model"],
        "task_type": kind,
        "created_at": _iso(task.created_at),
        "updated_at": _iso(task.updated_at),
        "estimated_time": _WAIT_S,
        "credits_consumed": COST,
        "result": task.made if status == "completed" else None,
        "error": task.failure if status == "failed" else None,
    }


def _pixels(resolution: str, ratio: str) -> tuple[int, int]:
    across, down = _RATIOS[ratio]
    unit = _SHORT_SIDES[resolution] / min(across, down)
    # Encoders want even sides.
    return round(across * unit / 2) * 2, round(down * unit / 2) * 2


def _count(query: Mapping[str, str], name: str, usual: int) -> int:
    text = query.get(name, str(usual))
    if not text.isdecimal() or int(text) < 1:
        raise _refused(400, f"Invalid {name}")
    return int(text)


def _answer(data: JSON) -> Response:
    return json_reply({"success": True, "data": data})


def _refused(status: int, message: str) -> DialectError:
    return DialectError(status, {"error": message})


def _no_credits() -> DialectError:
    return DialectError(_PAYMENT, {"error": "Insufficient credits", "credits_needed": COST})


def _iso(now: float) -> str:
    return datetime.fromtimestamp(int(now), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _routes(world: World) -> list[BaseRoute]:
    desk = _Desk(world)
    return [
        Route("/generations", desk.create, methods=["POST"]),
        Route("/tasks", desk.list, methods=["GET"]),
        Route("/tasks/{task_id}", desk.get, methods=["GET"]),
        Route("/tasks/{task_id}/cancel", desk.cancel, methods=["POST"]),
        Route("/credits", desk.credits, methods=["GET"]),
    ]


def _refusal(error: ArkError, _method: str, _path: str) -> tuple[int, JSON]:
    if error.code in _QUOTA_CODES:
        error = _no_credits()
    if isinstance(error, DialectError):
        return error.status, error.payload
    return error.status, {"error": _TEXTS.get(error.status, error.message)}


DIALECT = Dialect(name="vibegen", base="/api/v1", routes=_routes, refusal=_refusal)
