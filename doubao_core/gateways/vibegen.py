"""vibegen.art: films, as tasks that can be listed and cancelled (gateways.md 3.6).

It is what the package ``seedance-sdk`` talks to, which is recommended under seedance2api's name;
what is known of it is that package. What it posts to ``callback_url`` is signed, by HMAC-SHA256 of
the raw body and nothing else: without a time in it an old delivery proves as much as a new one, so
a replay is harmless only because what was told before is dropped. ``delete_video`` cancels a task
and removes no record. The balance, at ``/credits``, is not asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from doubao_core.errors import DoubaoError, InsufficientCredits, from_payload
from doubao_core.gateways import normalise
from doubao_core.gateways.gateway import Gateway, Query, Route, Webhook
from doubao_core.gateways.limits import Limit
from doubao_core.gateways.parts import prompt_and_pictures
from doubao_core.operation import JSON, Reply

_NAME = "vibegen"
_TASK = "/tasks/{task_id}"
_REFUSED = 400
_SECONDS = {"seedance-2.0": (4, 8, 12), "kling-v2-6": (5, 10), "sora-2": (10,)}
_LIMITS = {
    "model": Limit(choices=frozenset(_SECONDS)),
    "prompt": Limit(high=1000),
    "duration": Limit(
        models={model: Limit(choices=frozenset(each)) for model, each in _SECONDS.items()}
    ),
    "aspect_ratio": Limit(choices=frozenset({"16:9", "9:16", "1:1", "4:3", "3:4"})),
    "resolution": Limit(choices=frozenset({"480p", "720p", "1080p"})),
}
# What leaves the choice to Ark's models has no word here: leaving the field out is that word.
_FILM_LACKS = frozenset(
    {
        *("ratio=adaptive", "duration=-1", "frames", "seed", "camera_fixed", "watermark"),
        *("return_last_frame", "draft", "service_tier", "execution_expires_after", "priority"),
        *("safety_identifier", "tools", "output_format", "omni_reference_task_type"),
    }
)
_LIST_LACKS = frozenset({"filter.task_ids", "filter.service_tier", "filter.status=expired"})
_PAIRS = {
    "page_num": "page",
    "page_size": "limit",
    "filter.status": "status",
    "filter.model": "model",
}
_STATUSES = {"queued": "pending", "running": "processing", "succeeded": "completed"}


def _film(body: JSON) -> JSON:
    said = {name: value for name, value in body.items() if name not in {"content", "ratio"}}
    said["prompt"], pictures = prompt_and_pictures(_NAME, body["content"])
    if pictures:
        said["image_urls"] = pictures
    if body.get("ratio"):
        said.setdefault("aspect_ratio", body["ratio"])
    return said


def _pairs(query: Query) -> Query:
    return tuple(
        (_PAIRS.get(name, name), _STATUSES.get(value, value) if name == "filter.status" else value)
        for name, value in query
    )


def _failure(reply: Reply) -> DoubaoError | None:
    """Read ``{"error": …}``, beside which ``credits_needed`` may stand."""
    body = reply.json()
    if reply.status < _REFUSED and body.get("success") is not False:
        return None
    error = body.get("error")
    if not error:
        return None
    fields = error if isinstance(error, dict) else {"message": str(error)}
    needed = body.get("credits_needed")
    if needed is not None:
        fields = {**fields, "credits_needed": needed}
    failure = from_payload(fields, status=reply.status, headers=reply.headers)
    if isinstance(failure, InsufficientCredits) and isinstance(needed, int | float):
        failure.required = needed
    return failure


def _task(reply: Reply) -> Reply:
    return normalise.retold(reply, _retold(reply.json()["data"]))


def _tasks(reply: Reply) -> Reply:
    page = reply.json()["data"]
    items = [{**_retold(task), "native": task} for task in page["tasks"]]
    total = (page.get("pagination") or {}).get("total")
    return normalise.retold(reply, {"items": items, "total": total})


def _delivered(reply: Reply) -> Reply | None:
    """Read what is posted to ``callback_url``: a whole task in the envelope of an event."""
    event = reply.json()
    task = event.get("data")
    if not isinstance(task, dict) or not task.get("id"):
        return None
    # Without a status it may be anything but a task that has not begun.
    status = task.get("status") or normalise.UNKNOWN
    told = {"updated_at": event.get("timestamp"), **task, "status": status}
    return normalise.retold(reply, _retold(told))


def _retold(task: Mapping[str, Any]) -> JSON:
    result = task.get("result") or {}
    status, url = normalise.status(task.get("status")), result.get("video_url")
    error: Mapping[str, Any] | None = None
    if status == "failed":
        error = _reason(task.get("error"))
    elif status == "succeeded" and not url:
        status, error = "failed", normalise.NO_OUTPUT
    credits_ = task.get("credits_consumed")
    return {
        "id": task.get("id"),
        "status": status,
        "native_status": task.get("status"),
        "model": task.get("model"),
        # An address that stands in a task before its end is not the film's yet.
        "content": {"video_url": url} if status == "succeeded" else None,
        "duration": result.get("duration"),
        "resolution": result.get("resolution"),
        "generate_audio": result.get("has_audio"),
        "usage": None if credits_ is None else {"credits": credits_},
        "error": error,
        "created_at": normalise.seconds(task.get("created_at")),
        "updated_at": normalise.seconds(task.get("updated_at")),
    }


def _reason(error: Any) -> Mapping[str, Any]:
    if isinstance(error, dict):
        return error
    return {"message": str(error or "the provider gave no reason")}


GATEWAYS = (
    Gateway(
        name=_NAME,
        title="vibegen.art",
        base_url="https://vibegen.art/api/v1",
        key_env=("VIBEGEN_API_KEY",),
        routes={
            "videos.create": Route(
                "POST",
                "/generations",
                encode=_film,
                decode=_task,
                lacks=_FILM_LACKS,
                limits=_LIMITS,
            ),
            "videos.get": Route("GET", _TASK, decode=_task),
            "videos.list": Route("GET", "/tasks", decode=_tasks, query=_pairs, lacks=_LIST_LACKS),
            "videos.delete": Route("POST", f"{_TASK}/cancel"),
        },
        failure=_failure,
        webhook=Webhook(read=_delivered, header="X-Seedance-Signature", signs="body"),
    ),
)
