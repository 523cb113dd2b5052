"""Seedance video tasks: create, look up, list, delete, and watch until they end (ark.md 15)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict, Unpack

from doubao_core.api import lenient, statuses
from doubao_core.errors import (
    ConfigError,
    ConnectionFailed,
    DoubaoError,
    JobExpired,
    JobFailed,
    Malformed,
    RateLimited,
    ResponseError,
    ServerError,
    Timeout,
    from_payload,
)
from doubao_core.operation import (
    ENDED,
    JSON,
    Emit,
    Flow,
    Operation,
    Repeat,
    Send,
    Wait,
    Watch,
    WatchFlow,
    body,
    identifier,
)

# A look-up that fails like this says nothing about the task: it is still there and still paid for.
_PASSING = (ConnectionFailed, ServerError, ResponseError, Timeout, RateLimited)


class VideoOptions(TypedDict, total=False):
    """Optional fields of a video task, by their names on the wire (ark.md 15.1).

    Defaults of the service that cost or show: ``resolution`` 720p (2.x), ``duration`` 5 s or the
    model's choice, ``generate_audio`` **true** where the model can, ``watermark`` false.
    """

    resolution: str | None
    ratio: str | None
    duration: int | None
    frames: int | None
    seed: int | None
    camera_fixed: bool | None
    watermark: bool | None
    generate_audio: bool | None
    return_last_frame: bool | None
    draft: bool | None
    service_tier: str | None
    execution_expires_after: int | None
    priority: int | None
    callback_url: str | None
    safety_identifier: str | None
    tools: Sequence[Mapping[str, Any]] | None
    output_format: str | None
    omni_reference_task_type: str | None
    extra_body: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoTask:
    """A task as the service last described it (ark.md 15.4).

    Attributes:
        status: ``queued``, ``running``, ``succeeded``, ``failed``, ``cancelled`` or ``expired``;
            one that is newer than this library stays as it came.
        video_url: Where the film is for 24 hours; a look-up by id gives a fresh one where possible.
        last_frame_url: The last picture, if it was asked for.
        error: Why it failed.
        completion_tokens: What it cost, once it has succeeded.
        progress: Percent done, where the provider says so; Ark does not.
    """

    id: str
    status: str
    model: str = ""
    video_url: str | None = field(default=None, repr=False)
    last_frame_url: str | None = field(default=None, repr=False)
    error: DoubaoError | None = None
    completion_tokens: int | None = None
    created_at: int | None = None
    updated_at: int | None = None
    progress: int | None = None
    raw: JSON = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> VideoTask:
        """Read a task object; unknown fields stay in ``raw``, and odd ones only there."""
        task_id = raw.get("id")
        if isinstance(task_id, int) and not isinstance(task_id, bool):
            task_id = str(task_id)
        if not lenient.text(task_id):
            if raw.get("error"):
                raise from_payload(raw["error"])
            raise Malformed("the answer has no task id")
        status = lenient.text(raw.get("status")) or "queued"
        statuses.note(f"video task {task_id}", status, raw)
        content = lenient.fields(raw.get("content"))
        return cls(
            id=str(task_id),
            status=status,
            model=lenient.text(raw.get("model")) or "",
            video_url=lenient.text(content.get("video_url")),
            last_frame_url=lenient.text(content.get("last_frame_url")),
            error=from_payload(raw["error"]) if raw.get("error") else None,
            completion_tokens=lenient.number(
                lenient.fields(raw.get("usage")).get("completion_tokens")
            ),
            created_at=lenient.number(raw.get("created_at")),
            updated_at=lenient.number(raw.get("updated_at")),
            progress=lenient.number(raw.get("progress")),
            raw=dict(raw),
        )

    @property
    def ended(self) -> bool:
        """Whether the task will not change any more."""
        return self.status in ENDED

    def may_follow(self, known: VideoTask | None) -> bool:
        """Whether this can be the state after *known*: a task never goes back (ark.md 15.4)."""
        return known is None or not (known.ended or _stage(self) < _stage(known))

    def checked(self) -> VideoTask:
        """Give the task back, or raise what a bad end means.

        Raises:
            JobFailed: It failed or was cancelled; ``code`` and ``message`` are the service's.
            JobExpired: It was not finished in time.
        """
        if self.status not in ENDED - {"succeeded"}:
            return self
        kind = JobExpired if self.status == "expired" else JobFailed
        reason = self.error.message if self.error else "the service gave no reason"
        raise kind(
            f"video task {self.id} ended as {self.status}: {reason}",
            code=self.error.code if self.error else None,
            request_id=self.error.request_id if self.error else None,
            operation="videos.get",
        ) from self.error


def _stage(task: VideoTask) -> int:
    # A status that is newer than this library may be anywhere between the first and the last.
    return 0 if task.status == "queued" else 2 if task.ended else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoTasks:
    """A page of tasks, and how many there are in all."""

    total: int
    items: tuple[VideoTask, ...]


@Operation
def create_video(
    *, model: str, content: Sequence[Mapping[str, Any]], **options: Unpack[VideoOptions]
) -> Flow[VideoTask]:
    """Submit a video task; this costs money once it succeeds (ark.md 15.1, 15.2).

    Sent once: it is repeated only after a definite refusal (a rate limit, no connection).

    Args:
        model: Video model id (``doubao-seedance-…``) or endpoint id.
        content: Parts in wire form; ``role`` stands beside ``type``.
        options: See :class:`VideoOptions`.

    Returns:
        The task, as ``queued``; the answer itself has only its id.

    Raises:
        AmbiguousSubmit: The answer was lost; the task may exist. Look at ``list_videos``.
        DoubaoError: Any other of the tree.
    """
    if not content:
        raise ConfigError("content is empty: give at least a text or a picture")
    reply = yield Send(
        operation="videos.create",
        body=body({"model": model, "content": list(content)}, options),
        once=secrets.token_hex(16),
        repeat=Repeat.REFUSED_ONLY,
    )
    return VideoTask.parse(reply.json())


@Operation
def get_video(task_id: str) -> Flow[VideoTask]:
    """Look a task up; a failed one is returned, not raised (see :meth:`VideoTask.checked`)."""
    reply = yield _look_up(task_id)
    return VideoTask.parse(reply.json())


def _look_up(task_id: str) -> Send:
    return Send(operation="videos.get", path={"task_id": identifier("task_id", task_id)})


@Operation
def list_videos(
    *,
    page_num: int | None = None,
    page_size: int | None = None,
    status: str | None = None,
    model: str | None = None,
    service_tier: str | None = None,
    task_ids: Sequence[str] = (),
) -> Flow[VideoTasks]:
    """List the tasks of the last 7 days, newest first (ark.md 15.4).

    Args:
        page_num: Page from 1; at most 500.
        page_size: Tasks per page, 1 to 500; the service's default is 20.
        status: Only tasks with this status.
        model: Only tasks of this **endpoint id**; model ids do not filter.
        service_tier: ``"default"`` (the service's default) or ``"flex"``.
        task_ids: Only these tasks.
    """
    if isinstance(task_ids, str):
        raise ConfigError("task_ids is one string: pass a list of ids")
    pairs = [
        ("page_num", page_num),
        ("page_size", page_size),
        ("filter.status", status),
        ("filter.model", model),
        ("filter.service_tier", service_tier),
        *(("filter.task_ids", identifier("task_ids", each)) for each in task_ids),
    ]
    query = tuple((name, str(value)) for name, value in pairs if value is not None)
    raw = (yield Send(operation="videos.list", query=query)).json()
    items = tuple(VideoTask.parse(item) for item in raw.get("items") or ())
    return VideoTasks(total=raw.get("total") or len(items), items=items)


@Operation
def delete_video(task_id: str) -> Flow[None]:
    """Cancel a queued task, or remove the record of one that has ended (ark.md 15.4).

    Raises:
        RequestError: The task is running (409 ``InvalidAction.RunningTaskDeletion``).
        NotFound: There is no such task.
    """
    identifier("task_id", task_id)
    yield Send(operation="videos.delete", path={"task_id": task_id})


@Watch
def watch_video(
    task_id: str, *, poll_interval: float = 3.0, wait_timeout: float = 600.0
) -> WatchFlow[VideoTask]:
    """Look a task up again and again, giving each state, until it ends or the time is over.

    It never raises for a task that ended badly and never for one that goes on: look at the last
    state. Look-ups that fail in passing are repeated within the time.

    Args:
        task_id: The task.
        poll_interval: Seconds between look-ups.
        wait_timeout: Seconds in all, of waiting and of look-ups.

    Raises:
        NotFound: There is no such task.
        DoubaoError: The look-ups failed until the time was over.
    """
    if not poll_interval > 0:
        raise ConfigError(f"poll_interval must be more than 0 seconds, not {poll_interval!r}")
    if not wait_timeout >= 0:
        raise ConfigError(f"wait_timeout must be 0 or more seconds, not {wait_timeout!r}")
    spent = 0.0
    while True:
        failure: DoubaoError | None = None
        try:
            reply = yield _look_up(task_id)
            spent += reply.elapsed
            task = VideoTask.parse(reply.json())
        except _PASSING as error:
            failure = error
            spent += error.elapsed
        else:
            yield Emit(task)
            if task.ended:
                return
        if spent + poll_interval > wait_timeout:
            if failure is not None:
                raise failure
            return
        yield Wait(seconds=poll_interval)
        spent += poll_interval
