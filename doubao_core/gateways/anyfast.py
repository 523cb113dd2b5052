"""Anyfast: OpenAI's chat, Ark's pictures and films in an envelope of its own (gateways.md 3.2).

Chat is what its API document prints. Pictures and films are from its guide, whose address is
another one (``anyfast-ai``); neither was tried.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from doubao_core.errors import DoubaoError, Malformed, from_payload
from doubao_core.gateways import normalise
from doubao_core.gateways.gateway import Gateway, Route
from doubao_core.gateways.limits import Limit
from doubao_core.gateways.openai_compatible import KINDS
from doubao_core.operation import JSON, Reply

_FILMS = "/v1/video/generations"
_REFUSED = 400
# How long the link to a film is said to work.
_KEPT_S = 24 * 3600
_CHAT_LIMITS = {
    "max_tokens": Limit(low=1, high=8192),
    "temperature": Limit(low=0, high=2),
    "top_p": Limit(low=0, high=1),
    "frequency_penalty": Limit(low=-2, high=2),
    "presence_penalty": Limit(low=-2, high=2),
}
# What the task of Ark inside the envelope says better than the envelope.
_UPSTREAM = (
    *("usage", "seed", "resolution", "ratio", "duration", "framespersecond", "generate_audio"),
    *("service_tier", "execution_expires_after", "draft"),
)


def _failure(reply: Reply) -> DoubaoError | None:
    """Read an error object, or a look-up whose envelope says that it failed."""
    body = reply.json()
    if error := body.get("error"):
        return from_payload(error, status=reply.status, headers=reply.headers, kinds=KINDS)
    code = body.get("code")
    if not isinstance(code, str) or (code == "success" and reply.status < _REFUSED):
        return None
    return from_payload(body, status=reply.status, headers=reply.headers)


def _created(reply: Reply) -> Reply:
    body = reply.json()
    return normalise.retold(
        reply,
        {
            "id": body.get("task_id") or body.get("id"),
            "model": body.get("model"),
            "status": normalise.status(body.get("status")),
            "progress": normalise.progress(body.get("progress")),
            "created_at": normalise.seconds(body.get("created_at")),
        },
    )


def _looked_up(reply: Reply) -> Reply:
    body = reply.json()
    task = body.get("data", body)
    if not isinstance(task, dict):
        raise Malformed("the answer has no task")
    upstream = task.get("data")
    return normalise.retold(reply, _task(task, upstream if isinstance(upstream, dict) else {}))


def _task(task: Mapping[str, Any], upstream: Mapping[str, Any]) -> JSON:
    status = normalise.status(task.get("status"))
    content = dict(upstream.get("content") or {})
    content["video_url"] = (
        task.get("result_url") or task.get("video_url") or content.get("video_url")
    )
    error: Mapping[str, Any] | None = None
    if status == "succeeded" and not content["video_url"]:
        status, error = "failed", normalise.NO_OUTPUT
    elif status == "failed":
        # Of a success the same field may hold a URL: it is an error only now.
        inner = upstream.get("error") or {}
        error = {"code": inner.get("code"), "message": task.get("fail_reason")}
    finished = normalise.seconds(task.get("finish_time"))
    times = (finished, *map(normalise.seconds, (task.get("start_time"), task.get("submit_time"))))
    return {
        **{name: upstream.get(name) for name in _UPSTREAM},
        "model": upstream.get("model") or task.get("model"),
        "id": task.get("task_id") or task.get("id"),
        "status": status,
        "progress": normalise.progress(task.get("progress")),
        "content": content if status == "succeeded" else None,
        "error": error,
        "created_at": normalise.seconds(task.get("submit_time") or task.get("created_at")),
        "updated_at": next(filter(None, times), None),
        "expires_at": finished and finished + _KEPT_S,
    }


ANYFAST = Gateway(
    name="anyfast",
    title="Anyfast",
    base_url="https://www.anyfast.com.cn",
    key_env=("ANYFAST_API_KEY",),
    routes={
        "chat.create": Route("POST", "/v1/chat/completions", limits=_CHAT_LIMITS),
        "images.create": Route("POST", "/v1/images/generations"),
        "videos.create": Route("POST", _FILMS, decode=_created),
        "videos.get": Route("GET", f"{_FILMS}/{{task_id}}", decode=_looked_up),
    },
    failure=_failure,
)
GATEWAYS = (
    ANYFAST,
    ANYFAST.but(
        name="anyfast-ai", title="Anyfast (its guide's address)", base_url="https://www.anyfast.ai"
    ),
)
