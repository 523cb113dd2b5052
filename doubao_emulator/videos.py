"""`/contents/generations/tasks`: create, look at, list and delete video tasks (ark.md 15)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from starlette.routing import Route

from doubao_emulator import callbacks, media, unfinished, video_request, video_tasks
from doubao_emulator.errors import (
    ArkError,
    invalid_parameter,
    invalid_state,
    not_found,
    sensitive_content,
)
from doubao_emulator.exchange import exchange_of, json_reply
from doubao_emulator.render_video import FPS, render_film, render_last_frame
from doubao_emulator.video_tasks import Filter, Status, Task

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from doubao_emulator.clouds import Cloud
    from doubao_emulator.exchange import Exchange
    from doubao_emulator.state import World
    from doubao_emulator.video_request import VideoRequest
    from doubao_emulator.wire import JSON

PATH = "/contents/generations/tasks"
_PAGE = (1, 500)
_DEFAULT_PAGE_SIZE = 20
# The service draws small numbers, as its answers show.
_SEEDS = 100_000
_LAG_S = 60


def routes(world: World, cloud: Cloud) -> list[Route]:
    """Return the task routes of one cloud."""
    desk = Desk(world, cloud)
    return [
        Route(PATH, desk.create, methods=["POST"]),
        Route(PATH, desk.page, methods=["GET"]),
        Route(f"{PATH}/{{task_id}}", desk.get, methods=["GET"]),
        Route(f"{PATH}/{{task_id}}", desk.delete, methods=["DELETE"]),
    ]


class Desk:
    """Answers the four requests of one cloud."""

    def __init__(self, world: World, cloud: Cloud) -> None:
        self._world = world
        self._cloud = cloud
        # The event loop itself holds its tasks only weakly.
        self._reports: set[asyncio.Task[None]] = set()

    async def create(self, request: Request) -> Response:
        """Accept a task, or refuse it at once for what is wrong with it."""
        exchange = exchange_of(request)
        fields = exchange.fields()
        loop = asyncio.get_running_loop()

        def drafted(task_id: str) -> VideoRequest:
            # The task table belongs to the event loop; the worker thread only waits for it.
            return asyncio.run_coroutine_threadsafe(self._drafted(task_id), loop).result()

        # Decoding reference pictures would hold up every other request.
        asked = await asyncio.to_thread(
            video_request.parse, self._world, self._cloud, fields, drafted=drafted
        )
        unfinished.check(self._world, exchange)
        task = self._new_task(exchange, asked, fields.required_string("model"))
        self._world.table(Task)[task.id] = task
        unfinished.follow(self._world, exchange, partial(self._goes_on, task))
        if asked.callback_url is not None:
            self._follow(task, asked.callback_url)
        answer = {"id": task.id}
        if asked.safety_identifier is not None:
            answer["safety_identifier"] = asked.safety_identifier
        return json_reply(answer)

    async def get(self, request: Request) -> Response:
        """Show one task; the reading counts for `AfterReads`."""
        task = self._known(request.path_params["task_id"])
        self._look(task)
        task.reads += 1
        return json_reply(video_tasks.describe(task))

    async def page(self, request: Request) -> Response:
        """Show a page of tasks, newest first; each one shown counts as read."""
        page, size = (
            _number(request, "page_num", 1),
            _number(request, "page_size", _DEFAULT_PAGE_SIZE),
        )
        wanted = _filter(request)
        shown = self._listed(exchange_of(request).path)
        tasks = [task for task in shown if self._look(task) and wanted.admits(task)]
        # The table is in the order of creation.
        tasks.reverse()
        items: list[dict[str, JSON]] = []
        for task in tasks[(page - 1) * size : page * size]:
            task.reads += 1
            items.append(video_tasks.describe(task))
        if self._world.faults.strike("list_without_marks", exchange_of(request).path):
            for item in items:
                item.pop("safety_identifier", None)
        return json_reply({"total": len(tasks), "items": items})

    async def delete(self, request: Request) -> Response:
        """Cancel a queued task, or remove the record of a finished one."""
        task = self._known(request.path_params["task_id"])
        self._look(task)
        if video_tasks.delete(task, self._world.clock.now()):
            del self._world.table(Task)[task.id]
        return json_reply({})

    def _tasks(self) -> list[Task]:
        """Return this cloud's tasks, dropping records that are too old."""
        table, now = self._world.table(Task), self._world.clock.now()
        for task in [task for task in table.values() if not video_tasks.remembered(task, now)]:
            del table[task.id]
        return [task for task in table.values() if task.cloud == self._cloud.name]

    def _listed(self, path: str) -> list[Task]:
        tasks = self._tasks()
        if (lag := self._world.faults.strike("list_lag", path)) is None:
            return tasks
        since = self._world.clock.now() - lag.number("seconds", _LAG_S)
        return [task for task in tasks if task.created_at < since]

    def _known(self, task_id: str) -> Task:
        for task in self._tasks():
            if task.id == task_id:
                return task
        raise not_found("task", task_id)

    def _new_task(self, exchange: Exchange, asked: VideoRequest, model: str) -> Task:
        now = self._world.clock.now()
        failure = self._failure(exchange.path, asked)
        return Task(
            id=self._world.ids.task(),
            cloud=self._cloud.name,
            asked_model=model,
            request=asked,
            seed=self._world.ids.number(_SEEDS) if asked.seed < 0 else asked.seed,
            created_at=now,
            updated_at=now,
            failure=None if failure is None else failure.nested(exchange.request_id),
        )

    def _failure(self, path: str, asked: VideoRequest) -> ArkError | None:
        """Return what the task will end with, if not with a film."""
        fault = self._world.faults.strike("task_failed", path)
        usual = sensitive_content("OutputVideoSensitiveContentDetected")
        if fault is not None:
            code, message = fault.text("code", usual.code), fault.text("message", usual.message)
        elif asked.task_failure is not None:
            code, message = asked.task_failure
        else:
            return None
        return ArkError(status=usual.status, code=code, message=message)

    def _look(self, task: Task) -> bool:
        """Bring a task up to date; False when its record is gone."""
        video_tasks.advance(task, self._world.progress, self._world.clock.now())
        if task.status is Status.SUCCEEDED and not self._linked(task):
            task.content = self._publish(task)
        return self._world.table(Task).get(task.id) is task

    def _goes_on(self, task: Task) -> bool:
        return self._look(task) and not task.status.final

    def _linked(self, task: Task) -> bool:
        """Say whether the film is behind a link that works; else a look-up signs a new one.

        ark.md 15.4 does not say that the service does this, only how long a link lives.
        """
        if task.content is None:
            return False
        file = media.own_file(self._world, task.content["video_url"])
        return isinstance(file, media.MediaFile)

    def _publish(self, task: Task) -> dict[str, str]:
        """Put the film and its last frame behind links; both are rendered when downloaded."""
        asked = task.request
        film = media.publish(
            self._world,
            extension=asked.output_format,
            size=asked.size,
            seconds=asked.frames / FPS,
            render=partial(_render_film, task),
            downloads=asked.model.downloads,
        )
        content = {"video_url": film}
        if asked.return_last_frame:
            content["last_frame_url"] = media.publish(
                self._world,
                extension=self._cloud.last_frame_format,
                size=asked.size,
                render=partial(_render_last_frame, task, self._cloud),
            )
        return content

    async def _drafted(self, task_id: str) -> VideoRequest:
        """Return what a finished draft was made of."""
        task = self._known(task_id)
        if not task.request.draft:
            raise invalid_parameter("content", f"task {task_id} is not a draft.")
        self._look(task)
        if task.status is not Status.SUCCEEDED:
            raise invalid_state(f"The draft {task_id} is {task.status.value}, not succeeded.")
        return replace(task.request, seed=task.seed)

    def _follow(self, task: Task, url: str) -> None:
        report = asyncio.create_task(callbacks.report(task, url, partial(self._look, task)))
        self._reports.add(report)
        report.add_done_callback(self._reports.discard)


def _render_film(task: Task) -> bytes:
    return render_film(task.request.film(task.seed))


def _render_last_frame(task: Task, cloud: Cloud) -> bytes:
    return render_last_frame(task.request.film(task.seed), cloud.last_frame_format)


def _filter(request: Request) -> Filter:
    query = request.query_params
    status = query.get("filter.status") or None
    if status is not None and status not in set(Status):
        allowed = ", ".join(f"`{known}`" for known in Status)
        raise invalid_parameter("filter.status", f"use one of {allowed}.")
    return Filter(
        status=status,
        model=query.get("filter.model") or None,
        service_tier=query.get("filter.service_tier") or "default",
        task_ids=frozenset(query.getlist("filter.task_ids")),
    )


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    low, high = _PAGE
    if not text.isascii() or not text.isdecimal() or not low <= int(text) <= high:
        raise invalid_parameter(name, f"it must be an integer in [{low}, {high}].")
    return int(text)
