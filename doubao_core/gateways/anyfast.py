"""Anyfast: OpenAI's chat, Ark's pictures and films in an envelope of its own (gateways.md 3.2).

Its API document prints chats of texts only; its guide, whose address is another one
(``anyfast-ai``), has tools, pictures to look at, reasoning, and pictures and films. What the guide
has is sent to both; ``anyfast-text`` keeps to the document, should it be the truth. Neither was
tried.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from doubao_core.errors import DoubaoError, Malformed, UnsupportedOperation, from_payload
from doubao_core.gateways import normalise
from doubao_core.gateways.gateway import Gateway, Route
from doubao_core.gateways.limits import Limit
from doubao_core.gateways.openai_compatible import KINDS
from doubao_core.operation import JSON, Reply

_TEXT = "anyfast-text"
_CHATS, _FILMS = "/v1/chat/completions", "/v1/video/generations"
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


# The schema of the API document, and what asks for the usage of a stream, which may be left out.
_PRINTED = frozenset({"model", "messages", "stream", "stop", *_CHAT_LIMITS})
_PRINTED_ROLES = frozenset({"system", "user", "assistant"})
_NEEDLESS = frozenset({"stream_options"})


def _text_only(body: JSON) -> JSON:
    """Keep to the fields, the roles and the texts that the API document prints."""
    for name in body.keys() - _PRINTED - _NEEDLESS:
        raise _beyond(name, name)
    said = {name: value for name, value in body.items() if name in _PRINTED}
    return {**said, "messages": [_plain(message) for message in body["messages"]]}


def _plain(message: Mapping[str, Any]) -> JSON:
    if message["role"] not in _PRINTED_ROLES:
        raise _beyond(f"messages of the role {message['role']!r}", "messages")
    for name in message.keys() - {"role", "content"}:
        raise _beyond(f"{name} of a message", "messages")
    content = message["content"]
    if not isinstance(content, str):
        for part in content:
            if part["type"] != "text":
                raise _beyond(f"parts of the type {part['type']!r}", "messages")
        content = "\n".join(part["text"] for part in content)
    return {"role": message["role"], "content": content}


def _beyond(what: str, param: str) -> UnsupportedOperation:
    return UnsupportedOperation(
        f"provider {_TEXT!r} has nothing for {what} in chat.create: leave it out, or use provider "
        "'anyfast', which sends it",
        gateway=_TEXT,
        operation="chat.create",
        param=param,
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
            "native_status": body.get("status"),
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
        "native_status": task.get("status"),
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
        "chat.create": Route("POST", _CHATS, limits=_CHAT_LIMITS),
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
    ANYFAST.but(
        name=_TEXT,
        title="Anyfast (its API document only)",
        routes={"chat.create": Route("POST", _CHATS, encode=_text_only, limits=_CHAT_LIMITS)},
    ),
)
