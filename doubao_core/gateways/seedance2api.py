"""seedance2api.com: pictures and films, as tasks where they take long (gateways.md 3.5).

What Ark has no field for goes through ``extra_body``: ``quality``, ``style``, ``num_images`` of
pictures, ``fps`` of films, ``webhook_url`` of both (or ``callback_url`` of films), which is sent
only if it is given. ``seedance2api-x-api-key`` is the same service with the other of its two
headers for the key. A task is looked up by its id below the configured address only; the
``check_status_url`` of an answer is kept in ``raw`` and never followed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from doubao_core.errors import (
    AuthenticationError,
    ConfigError,
    DoubaoError,
    InvalidRequest,
    PermissionDenied,
    RateLimited,
    ServerError,
    from_payload,
)
from doubao_core.gateways import normalise
from doubao_core.gateways.gateway import Gateway, Route, Webhook, key_header
from doubao_core.gateways.limits import Limit
from doubao_core.gateways.parts import prompt_and_pictures
from doubao_core.operation import JSON, Reply

_NAME = "seedance2api"
# For an error under a good status only: examples and table of the page disagree (C43).
_KINDS: Mapping[str, type[DoubaoError]] = {
    "FORBIDDEN": PermissionDenied,
    "INTERNAL_ERROR": ServerError,
    "INVALID_API_KEY": AuthenticationError,
    "INVALID_PROMPT": InvalidRequest,
    "INVALID_REQUEST": InvalidRequest,
    "RATE_LIMITED": RateLimited,
    "SERVICE_UNAVAILABLE": ServerError,
    "UNAUTHORIZED": AuthenticationError,
}
_REFUSED = 400
# What a user made is deleted after 30 days, as the page says.
_KEPT_S = 30 * 24 * 3600
_TASK, _RESULT = "/v1/tasks/{task_id}", "/v1/results/{task_id}"
_RESOLUTIONS = {"1k": "1024x1024", "2k": "2048x2048", "4k": "4k", "4096x4096": "4k"}
_GROUP = "sequential_image_generation"
_PROMPT = Limit(high=300)
_PICTURE_LIMITS = {
    "prompt": _PROMPT,
    "model": Limit(
        choices=frozenset({"seedream-3.0", "seedream-4.0", "seedream-4.5", "seedream-5.0"})
    ),
    "resolution": Limit(choices=frozenset({"1024x1024", "2048x2048", "4k"})),
    "quality": Limit(choices=frozenset({"standard", "high"})),
    "num_images": Limit(low=1, high=4),
}
_FILM_LIMITS = {
    "prompt": _PROMPT,
    "model": Limit(choices=frozenset({"seedance-1.0", "seedance-1.5-pro", "seedance-2.0"})),
    "duration": Limit(low=5, high=30),
    "resolution": Limit(choices=frozenset({"720p", "1080p", "4k"})),
    "fps": Limit(choices=frozenset({24, 30, 60})),
}
# What the same models do at Ark (ark.md 15.1), where the page says one thing of all of them.
_ARKS_SECONDS = {"seedance-1.0": (2, 12), "seedance-1.5-pro": (4, 12), "seedance-2.0": (4, 15)}
_ARKS_RESOLUTIONS = Limit(choices=frozenset({"480p", "720p", "1080p"}))
_FILM_UPSTREAM = {
    "duration": Limit(
        models={model: Limit(low=low, high=high) for model, (low, high) in _ARKS_SECONDS.items()}
    ),
    "resolution": Limit(
        models={"seedance-1.0": _ARKS_RESOLUTIONS, "seedance-1.5-pro": _ARKS_RESOLUTIONS}
    ),
    "fps": Limit(models={model: Limit(choices=frozenset({24})) for model in _ARKS_SECONDS}),
}
_PICTURE_LACKS = frozenset(
    {
        *("image", "response_format=b64_json", "output_format", "watermark", "guidance_scale"),
        *("optimize_prompt_options", "tools", "background", "layer_decomposition", "stream"),
    }
)
_FILM_LACKS = frozenset(
    {
        *("ratio", "frames", "seed", "camera_fixed", "watermark", "generate_audio"),
        *("return_last_frame", "draft", "service_tier", "execution_expires_after", "priority"),
        *("safety_identifier", "tools", "output_format", "omni_reference_task_type"),
    }
)


def _picture(body: JSON) -> JSON:
    ours = {"size", "response_format", _GROUP, f"{_GROUP}_options"}
    said = {name: value for name, value in body.items() if name not in ours}
    if size := body.get("size"):
        said.setdefault("resolution", _RESOLUTIONS.get(size.lower(), size))
    if body.get(_GROUP) == "auto":
        most = (body.get(f"{_GROUP}_options") or {}).get("max_images")
        if most is None:
            raise ConfigError(
                f"provider {_NAME!r} makes as many pictures as it is told: give "
                f"{_GROUP}_options max_images",
                param=f"{_GROUP}_options",
            )
        said.setdefault("num_images", most)
    return said


def _film(body: JSON) -> JSON:
    said = {name: value for name, value in body.items() if name not in {"content", "callback_url"}}
    if said.get("duration") is None:
        raise ConfigError(
            f"provider {_NAME!r} needs the duration of a film: give 5 to 30 seconds",
            param="duration",
        )
    said["prompt"], pictures = prompt_and_pictures(_NAME, body["content"], single=True)
    if pictures:
        said["image_input"] = pictures[0]
    if body.get("callback_url"):
        said.setdefault("webhook_url", body["callback_url"])
    return said


def _failure(reply: Reply) -> DoubaoError | None:
    """Read ``{"status": "error", "error": {…}}``; a task that failed is no failure of a request."""
    body = reply.json()
    if reply.status < _REFUSED and (body.get("status") != "error" or "task_id" in body):
        return None
    error = body.get("error")
    if not error:
        return None
    fields = error if isinstance(error, dict) else {"message": str(error)}
    details = fields.get("details")
    return from_payload(
        {**fields, "param": details.get("field") if isinstance(details, dict) else None},
        status=reply.status,
        headers=reply.headers,
        kinds=_KINDS if reply.status < _REFUSED else None,
    )


def _unwrapped(body: JSON) -> JSON:
    """Give the task, which some answers have in an envelope and others are (C36)."""
    inner = body.get("data")
    is_task = isinstance(inner, dict) and inner.keys() & {"task_id", "images", "status"}
    return {"status": body.get("status"), **inner} if isinstance(inner, dict) and is_task else body


def _task(reply: Reply) -> Reply:
    """Read a task of either kind."""
    return _retold(reply, _unwrapped(reply.json()))


def _delivered(reply: Reply) -> Reply | None:
    """Read what is posted to ``webhook_url``: a task in the envelope of an event.

    Of the events only ``task.completed`` has a documented name, so the status of the task says what
    happened (C46), and whether pictures or a film were made is said by the result (C47).
    """
    event = reply.json()
    task = _unwrapped(event)
    if not task.get("task_id"):
        return None
    # Without a status it may be anything but a task that has not begun.
    status = task.get("status") or normalise.UNKNOWN
    return _retold(reply, {"updated_at": event.get("timestamp"), **task, "status": status})


def _retold(reply: Reply, task: Mapping[str, Any]) -> Reply:
    result = task.get("result") or {}
    status = normalise.status(task.get("status"))
    pictures = [_shown(each) for each in task.get("images") or result.get("images") or ()]
    url = result.get("video_url")
    ended = normalise.seconds(task.get("completed_at") or task.get("updated_at"))
    error: Mapping[str, Any] | None = None
    if status == "failed":
        error = _reason(task)
    return normalise.retold(
        reply,
        {
            "id": task.get("task_id") or task.get("id"),
            "status": status,
            "native_status": task.get("status"),
            "model": task.get("model"),
            "progress": normalise.progress(task.get("progress")),
            "content": {"video_url": url} if url else None,
            "duration": result.get("duration"),
            "resolution": result.get("resolution") or task.get("resolution"),
            "data": pictures or None,
            "usage": {"generated_images": len(pictures)} if pictures else None,
            "error": error,
            "created_at": normalise.seconds(task.get("created_at")),
            "updated_at": ended,
            "expires_at": ended + _KEPT_S if ended and (url or pictures) else None,
        },
    )


def _result(reply: Reply) -> Reply:
    """Read the answer after which nothing else could say what a task has made."""
    read = _task(reply)
    task = read.json()
    if not _lacks_result(task):
        return read
    failed = {**task, "status": "failed", "error": normalise.NO_OUTPUT}
    return normalise.retold(reply, failed)


def _lacks_result(task: JSON) -> bool:
    return task["status"] == "succeeded" and not ("data" in task or "content" in task)


def _rest(operation: str) -> Callable[[Reply], str | None]:
    """Ask *operation* for the result of a task that has ended and does not say it (C37)."""
    return lambda reply: operation if _lacks_result(reply.json()) else None


def _shown(picture: Mapping[str, Any]) -> JSON:
    width, height = picture.get("width"), picture.get("height")
    return {
        **picture,
        "size": f"{width}x{height}" if width and height else None,
        "output_format": picture.get("format"),
    }


def _reason(task: Mapping[str, Any]) -> JSON:
    """Give why a task failed; only the sample of an SDK shows where that stands."""
    error = task.get("error")
    if isinstance(error, dict):
        return {"code": error.get("code"), "message": error.get("message")}
    return {"message": task.get("error_message") or error or "the provider gave no reason"}


SEEDANCE2API = Gateway(
    name=_NAME,
    title="seedance2api.com",
    base_url="https://api.seedance2api.com",
    key_env=("SEEDANCE2API_API_KEY", "SEEDANCE_API_KEY"),
    routes={
        "images.create": Route(
            "POST",
            "/v1/seedream/generate",
            encode=_picture,
            decode=_task,
            lacks=_PICTURE_LACKS,
            limits=_PICTURE_LIMITS,
        ),
        "images.get": Route("GET", _TASK, decode=_task, then=_rest("images.result")),
        "images.result": Route("GET", _RESULT, decode=_result),
        "videos.create": Route(
            "POST",
            "/v1/seedance/generate",
            encode=_film,
            decode=_task,
            lacks=_FILM_LACKS,
            limits=_FILM_LIMITS,
            upstream=_FILM_UPSTREAM,
        ),
        "videos.get": Route("GET", _TASK, decode=_task, then=_rest("videos.result")),
        "videos.result": Route("GET", _RESULT, decode=_result),
    },
    failure=_failure,
    # The signature that the page promises has neither a header nor a scheme there.
    webhook=Webhook(read=_delivered),
)
GATEWAYS = (
    SEEDANCE2API,
    SEEDANCE2API.but(
        name=f"{_NAME}-x-api-key", title="seedance2api.com (X-API-Key)", auth=key_header
    ),
)
