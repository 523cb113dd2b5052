"""seedance2api.com as seed 004 shows it: pictures at once, films as tasks, results apart.

What is not printed is chosen so that a client notices what it takes for granted: a field that no
table has is refused, a task that has ended does not say its result (another path does), and 4k
pictures come as 2048x2048, as in the page's own example. Pictures are made at once only if tasks
are done at once. A webhook is told of progress, of the end and of a failure; of the events' names
only `task.completed` is printed, and what is signed how is not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from starlette.routing import Route

from doubao_emulator import films, media, unfinished
from doubao_emulator.chat_request import REFUSED_PHRASE
from doubao_emulator.deliveries import Deliveries, Story
from doubao_emulator.dialects.dialect import Dialect, DialectError, bearer_key
from doubao_emulator.dialects.quota import Quota
from doubao_emulator.exchange import exchange_of, json_reply
from doubao_emulator.progress import Phase
from doubao_emulator.render import Still, render_still

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from doubao_emulator.errors import ArkError
    from doubao_emulator.faults import Fault
    from doubao_emulator.state import World
    from doubao_emulator.wire import JSON

LONGEST_PROMPT = 300
_PRO = Quota(requests=1000, window=3600)
_WAIT_S = 45
# That deliveries are repeated is said, how often is not.
_TRIES = 3
_TYPES: dict[str, type] = {"num_images": int, "seed": int, "duration": int, "fps": int}
_CHOICES: dict[str, dict[str, frozenset[JSON]]] = {
    "image": {
        "model": frozenset({"seedream-3.0", "seedream-4.0", "seedream-4.5", "seedream-5.0"}),
        "resolution": frozenset({"1024x1024", "2048x2048", "4k"}),
        "quality": frozenset({"standard", "high"}),
        "num_images": frozenset(range(1, 5)),
    },
    "video": {
        "model": frozenset({"seedance-1.0", "seedance-1.5-pro", "seedance-2.0"}),
        "resolution": frozenset({"720p", "1080p", "4k"}),
        "duration": frozenset(range(5, 31)),
        "fps": frozenset({24, 30, 60}),
    },
}
_FREE = {
    "image": {"prompt", "seed", "style", "webhook_url"},
    "video": {"prompt", "image_input", "webhook_url"},
}
_URLS = {"image_input", "webhook_url"}
_REQUIRED = {"image": ("prompt", "model"), "video": ("prompt", "model", "duration")}
_PIXELS = {
    "1024x1024": (1024, 1024),
    "2048x2048": (2048, 2048),
    "4k": (2048, 2048),
    "720p": (1280, 720),
    "1080p": (1920, 1080),
}
# Its own code for each status of the page's table, for the faults that know Ark's only.
_CODES = {
    400: "INVALID_REQUEST",
    401: "INVALID_API_KEY",
    403: "FORBIDDEN",
    429: "RATE_LIMITED",
    500: "INTERNAL_ERROR",
    503: "SERVICE_UNAVAILABLE",
}


@dataclass(eq=False, slots=True, kw_only=True)
class Job:
    """A picture or film that was asked for."""

    id: str
    kind: str
    asked: Mapping[str, JSON]
    created_at: float
    updated_at: float
    failure: str | None = None
    reads: int = 0
    made: dict[str, JSON] | None = None
    events: list[JSON] = field(default_factory=list)


class _Desk:
    """Answers the four requests."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._deliveries = Deliveries(world, tries=_TRIES)

    async def picture(self, request: Request) -> Response:
        """Make pictures, or accept them as a task."""
        job = self._accepted(request, "image")
        if self._phase(job) is not Phase.DONE:
            return json_reply(_queued(job))
        self._finish(job)
        model, resolution = job.asked["model"], job.asked.get("resolution", "1024x1024")
        facts: dict[str, JSON] = {"model": model, "resolution": resolution}
        data = {"task_id": job.id, **(job.made or {}), **facts, "processing_time_ms": 2500}
        return json_reply({"status": "success", "data": data})

    async def film(self, request: Request) -> Response:
        """Accept a film."""
        return json_reply(_queued(self._accepted(request, "video")))

    async def task(self, request: Request) -> Response:
        """Say where a task is; its result is elsewhere."""
        job = self._known(request)
        phase = self._phase(job)
        job.reads += 1
        status, progress = {
            Phase.QUEUED: ("queued", 0),
            Phase.RUNNING: ("processing", 45),
            Phase.DONE: ("failed", 100) if job.failure else ("completed", 100),
        }[phase]
        if phase is Phase.DONE:
            self._finish(job)
        shown: dict[str, JSON] = {
            "task_id": job.id,
            "status": status,
            "progress": progress,
            "created_at": _iso(job.created_at),
            "updated_at": _iso(job.updated_at),
        }
        if status == "failed":
            shown["error_message"] = job.failure
        return json_reply(shown)

    async def result(self, request: Request) -> Response:
        """Give what a finished task has made."""
        job = self._known(request)
        lags = self._world.faults.strike("result_lag", exchange_of(request).path)
        if job.made is None or lags:
            raise _refused(404, "NOT_FOUND", f"Task {job.id} has no result")
        answer = {"task_id": job.id, "status": "completed", "result": job.made}
        return json_reply({**answer, "completed_at": _iso(job.updated_at)})

    def _accepted(self, request: Request, kind: str) -> Job:
        exchange = exchange_of(request)
        asked = exchange.fields().data
        _check(asked, kind)
        unfinished.check(self._world, exchange)
        fault = self._world.faults.strike("task_failed", exchange.path)
        now = self._world.clock.now()
        job = Job(
            id=f"task-{self._world.ids.token()}",
            kind=kind,
            asked=asked,
            created_at=now,
            updated_at=now,
            failure=_reason(fault),
        )
        self._world.table(Job)[job.id] = job
        unfinished.follow(self._world, exchange, lambda: self._phase(job) is not Phase.DONE)
        if url := asked.get("webhook_url"):
            self._deliveries.follow(job.id, url, exchange.path, partial(self._story, job))
        return job

    def _story(self, job: Job) -> Story | None:
        if self._world.table(Job).get(job.id) is not job:
            return None
        phase = self._phase(job)
        if phase is Phase.RUNNING and not job.events:
            self._tell(job, "task.progress", status="processing", progress=45)
        elif phase is Phase.DONE and job.failure:
            self._tell(job, "task.failed", status="failed", error_message=job.failure)
        elif phase is Phase.DONE:
            self._finish(job)
            self._tell(job, "task.completed", status="completed", result=job.made)
        return Story(told=job.events, ended=phase is Phase.DONE)

    def _tell(self, job: Job, event: str, **said: JSON) -> None:
        data = {"task_id": job.id, "model": job.asked["model"], **said}
        now = _iso(self._world.clock.now())
        job.events.append({"event": event, "timestamp": now, "data": data})

    def _known(self, request: Request) -> Job:
        task_id = request.path_params["task_id"]
        job = self._world.table(Job).get(task_id)
        if job is None:
            raise _refused(404, "NOT_FOUND", f"Task {task_id} does not exist")
        return job

    def _phase(self, job: Job) -> Phase:
        age = self._world.clock.now() - job.created_at
        return self._world.progress.phase(reads=job.reads, age=age)

    def _finish(self, job: Job) -> None:
        if job.made is None and job.failure is None:
            job.updated_at = self._world.clock.now()
            job.made = self._pictures(job) if job.kind == "image" else self._film(job)

    def _pictures(self, job: Job) -> dict[str, JSON]:
        count = job.asked.get("num_images", 1)
        return {"images": [self._picture(job, index, count) for index in range(count)]}

    def _picture(self, job: Job, index: int, count: int) -> dict[str, JSON]:
        width, height = _PIXELS[job.asked.get("resolution", "1024x1024")]
        still = Still(
            prompt=job.asked["prompt"],
            width=width,
            height=height,
            seed=job.asked.get("seed", 0),
            index=index,
            count=count,
            format="png",
        )
        render = partial(render_still, still)
        url = media.publish(self._world, extension="png", size=(width, height), render=render)
        shape = {"width": width, "height": height, "format": "png"}
        name = f"img-{self._world.ids.token()}"
        return {"id": name, "url": url, **shape, "size_bytes": width * height}

    def _film(self, job: Job) -> dict[str, JSON]:
        resolution = job.asked.get("resolution", "720p")
        size = _PIXELS[resolution] if resolution != "4k" else _PIXELS["1080p"]
        seconds = job.asked["duration"]
        url = films.publish(self._world, job.asked["prompt"], size, seconds, audio=False)
        return {"video_url": url, "duration": seconds, "resolution": resolution}


def _check(asked: Mapping[str, JSON], kind: str) -> None:
    choices = _CHOICES[kind]
    for name in asked.keys() - _FREE[kind] - choices.keys():
        raise _refused(400, "INVALID_REQUEST", f"Unknown field {name}", name, "unknown")
    for name in _REQUIRED[kind]:
        if not asked.get(name):
            raise _refused(400, "INVALID_REQUEST", f"Missing field {name}", name, "required")
    for name, value in asked.items():
        if type(value) is not _TYPES.get(name, str):
            raise _refused(400, "INVALID_REQUEST", f"Invalid type of {name}", name, "type")
        if name in choices and value not in choices[name]:
            raise _refused(400, "INVALID_REQUEST", f"Invalid value of {name}", name, "choices")
    for name in _URLS & asked.keys():
        if not asked[name].startswith(("http://", "https://")):
            raise _refused(400, "INVALID_REQUEST", f"Invalid URL in {name}", name, "url")
    prompt = asked["prompt"]
    if len(prompt) > LONGEST_PROMPT:
        said = f"Prompt is too long (max {LONGEST_PROMPT} characters)"
        details = {"value": prompt[:20], "limit": LONGEST_PROMPT}
        raise _refused(400, "INVALID_PROMPT", said, "prompt", "max_length", **details)
    if REFUSED_PHRASE in prompt:
        raise _refused(400, "INVALID_PROMPT", "Prompt is not allowed", "prompt", "content")


def _refused(
    status: int, code: str, message: str, field: str = "", constraint: str = "", **more: JSON
) -> DialectError:
    error: dict[str, JSON] = {"code": code, "message": message}
    if field:
        error["details"] = {"field": field, "constraint": constraint, **more}
    return DialectError(status, {"status": "error", "error": error})


def _queued(job: Job) -> dict[str, JSON]:
    data: dict[str, JSON] = {
        "task_id": job.id,
        "status": "queued",
        "estimated_wait_time_seconds": _WAIT_S,
        "check_status_url": f"/v1/tasks/{job.id}",
    }
    return {"status": "accepted", "data": data}


def _reason(fault: Fault | None) -> str | None:
    return None if fault is None else fault.text("message", "Generation failed")


def _iso(now: float) -> str:
    return datetime.fromtimestamp(int(now), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _routes(world: World) -> list[BaseRoute]:
    desk = _Desk(world)
    return [
        Route("/v1/seedream/generate", desk.picture, methods=["POST"]),
        Route("/v1/seedance/generate", desk.film, methods=["POST"]),
        Route("/v1/tasks/{task_id}", desk.task, methods=["GET"]),
        Route("/v1/results/{task_id}", desk.result, methods=["GET"]),
    ]


def _refusal(error: ArkError, _method: str, _path: str) -> tuple[int, JSON]:
    if isinstance(error, DialectError):
        return error.status, error.payload
    code = _CODES.get(error.status, error.code)
    return error.status, {"status": "error", "error": {"code": code, "message": error.message}}


def _key(headers: Mapping[str, str], _path: str) -> str:
    return headers.get("x-api-key", "").strip() or bearer_key(headers)


DIALECT = Dialect(
    name="seedance2api",
    routes=_routes,
    refusal=_refusal,
    key=_key,
    quota=_PRO,
    # The page prints a waiting time on a good answer, too.
    more_headers={"X-RateLimit-RetryAfter": "3600"},
)
