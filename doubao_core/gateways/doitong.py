"""Doitong's "Seedream 5": pictures by two GraphQL mutations and a REST path (gateways.md 3.4).

Its page shows all three and does not say which is current, so each is a provider: ``doitong`` (the
mutation ``generate``, which alone says status and cost), ``doitong-generate-image`` and
``doitong-rest``. A picture that is not finished at once has no documented look-up: it is announced
to the ``webhookUrl`` of ``extra_body``, where ``doubao_core.webhooks`` receives it. What its
signature is of, and with which secret, is not documented. Where that field belongs in ``generate``
is not documented either; it goes into ``options``, and ``extra_body={"input": {"webhookUrl": …}}``
puts it beside them. The model id ``seedream`` sends no ``version``; any other is sent as it.
:func:`with_status_query` is for who was told a query for a picture's status.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from pydantic_core import from_json

from doubao_core.errors import (
    AuthenticationError,
    ConfigError,
    DoubaoError,
    InsufficientCredits,
    InvalidRequest,
    Malformed,
    NotFound,
    PermissionDenied,
    QuotaExceeded,
    RateLimited,
    ServerError,
    from_payload,
)
from doubao_core.gateways import normalise
from doubao_core.gateways.gateway import Gateway, Route, Webhook, key_header
from doubao_core.operation import JSON, Reply

SERVICE = "seedream"
_GENERATE = (
    "mutation Generate($input: GenerateInput!) { generate(input: $input) "
    "{ id status type provider url metadata creditCost createdAt } }"
)
_GENERATE_IMAGE = (
    "mutation GenerateImage($input: ImageGenerationInput!) { generateImage(input: $input) "
    "{ id url width height } }"
)
_ANSWERS = frozenset({"generate", "generateimage"})
# The first is the page's own code; the others are those that GraphQL servers usually have.
_KINDS: Mapping[str, type[DoubaoError]] = {
    "INSUFFICIENT_CREDITS": InsufficientCredits,
    "BAD_USER_INPUT": InvalidRequest,
    "FORBIDDEN": PermissionDenied,
    "GRAPHQL_PARSE_FAILED": InvalidRequest,
    "GRAPHQL_VALIDATION_FAILED": InvalidRequest,
    "INTERNAL_SERVER_ERROR": ServerError,
    "NOT_FOUND": NotFound,
    "RATE_LIMITED": RateLimited,
    "RATE_LIMIT_EXCEEDED": RateLimited,
    "THROTTLED": RateLimited,
    "TOO_MANY_REQUESTS": RateLimited,
    "UNAUTHENTICATED": AuthenticationError,
}
_TOO_MANY = 429
_DAILY = re.compile(r"(?i)\bdaily\b|\bper day\b")

_TAKES_ID = re.compile(r"\$id\s*:")
_SELECTS_ID = re.compile(r"(?<![$\w])id\b(?!\s*:)")
_LEVELS = {"1k": (1024, 1024), "2k": (2048, 2048)}
_PIXELS = re.compile(r"([1-9]\d{1,4})\s*[xX×*]\s*([1-9]\d{1,4})")
_RATIO = re.compile(r"([1-9]\d?):([1-9]\d?)")
# The page's default size has this area, and more costs more; sides are what encoders like.
_AREA, _STEP = 1024 * 1024, 8
_TRANSLATED = frozenset(
    {
        *("model", "prompt", "size", "response_format"),
        *("sequential_image_generation", "sequential_image_generation_options"),
    }
)
# A batch, styles and better prompts are named on the page, without a parameter for any.
_LACKS = frozenset(
    {
        *("image", "response_format=b64_json", "output_format", "watermark", "seed"),
        *("guidance_scale", "sequential_image_generation=auto", "optimize_prompt_options"),
        *("tools", "background", "layer_decomposition", "stream", "n"),
    }
)


def dimensions(size: str) -> tuple[int, int]:
    """Give width and height of a ``size``: ``1K``, ``2K``, ``WIDTHxHEIGHT``, or a ratio.

    Raises:
        ConfigError: It is none of these.
    """
    if size.lower() in _LEVELS:
        return _LEVELS[size.lower()]
    if found := _PIXELS.fullmatch(size.strip()):
        return int(found[1]), int(found[2])
    if found := _RATIO.fullmatch(size.strip()):
        ratio = int(found[1]) / int(found[2])
        width, height = math.sqrt(_AREA * ratio), math.sqrt(_AREA / ratio)
        return int(width) // _STEP * _STEP, int(height) // _STEP * _STEP
    raise ConfigError(
        f"size {size[:40]!r} is unknown: use 1K, 2K, WIDTHxHEIGHT or a ratio such as 16:9",
        param="size",
    )


def _settings(body: Mapping[str, Any]) -> JSON:
    """Give what is optional, in Doitong's words: size, version, and what ``extra_body`` had."""
    said: JSON = {}
    if size := body.get("size"):
        said["width"], said["height"] = dimensions(size)
    if body.get("model") not in {None, SERVICE}:
        said["version"] = body["model"]
    return said | {name: value for name, value in body.items() if name not in _TRANSLATED}


def _generate(body: JSON) -> JSON:
    options = _settings(body)
    beside = options.pop("input", {})
    wanted = {
        "type": "IMAGE",
        "provider": SERVICE,
        "input": {"text": body["prompt"]},
        "options": options,
        **beside,
    }
    return {"query": _GENERATE, "variables": {"input": wanted}}


def _flat(body: JSON) -> JSON:
    return {"service": SERVICE, "prompt": body["prompt"], **_settings(body)}


def _generate_image(body: JSON) -> JSON:
    return {"query": _GENERATE_IMAGE, "variables": {"input": _flat(body)}}


def _failure(reply: Reply) -> DoubaoError | None:
    """Read the first of ``errors``, which GraphQL servers send with 200 as well (C28)."""
    errors = reply.json().get("errors")
    if not errors:
        return None
    first: JSON = errors[0] if isinstance(errors[0], dict) else {"message": str(errors[0])}
    extensions = first.get("extensions") or {}
    kinds, code = dict(_KINDS), str(extensions.get("code") or "")
    is_for_the_rate = reply.status == _TOO_MANY or kinds.get(code) is RateLimited
    if is_for_the_rate and _DAILY.search(str(first.get("message"))):
        kinds[code] = QuotaExceeded
    failure = from_payload(
        {**first, "code": extensions.get("code")},
        status=reply.status,
        headers=reply.headers,
        kinds=kinds,
    )
    if isinstance(failure, InsufficientCredits):
        failure.required = _credits(extensions.get("creditsRequired"))
        failure.available = _credits(extensions.get("creditsAvailable"))
    return failure


def _credits(value: Any) -> float | None:
    return value if isinstance(value, int | float) and value >= 0 else None


def _made(reply: Reply, *, at: str = "", can_be_asked_for: bool = False) -> Reply:
    """Read a picture, which is where the status query of a user says, or under one of the names."""
    job = _within(reply.json(), at) if at else _job(reply.json())
    url = job.get("url")
    metadata = _metadata(job.get("metadata"))
    # One of the mutations asks for no status: without a URL the picture is on its way.
    native = job.get("status") or ("completed" if url else "processing")
    status, error = normalise.status(native), job.get("error")
    if isinstance(error, str):
        # No document shows a picture that failed.
        error = {"message": error}
    if status == "succeeded" and not url:
        status, error = "failed", normalise.NO_OUTPUT
    picture = {"url": url, "size": _size(job) or _size(metadata)}
    cost = job.get("creditCost")
    usage = {"generated_images": int(bool(url)), **({} if cost is None else {"credits": cost})}
    return normalise.retold(
        reply,
        {
            "id": job.get("id"),
            "status": status,
            "native_status": job.get("status"),
            "model": job.get("version") or job.get("provider") or job.get("service"),
            "created": normalise.seconds(job.get("createdAt")),
            "created_at": normalise.seconds(job.get("createdAt")),
            "updated_at": normalise.seconds(job.get("completedAt")),
            "data": [picture] if url else None,
            "usage": usage,
            "error": error,
            # No document shows how to ask for one.
            "can_be_looked_up": can_be_asked_for,
        },
    )


def _within(body: JSON, at: str) -> JSON:
    held: Any = body.get("data")
    for name in at.split("."):
        held = held.get(name) if isinstance(held, dict) else None
    if not isinstance(held, dict):
        raise Malformed(f"the answer to the status query has no picture at {at!r}")
    return held


def _delivered(reply: Reply) -> Reply | None:
    """Read what is posted to ``webhookUrl``: the job by itself, once it is finished."""
    return _made(reply) if reply.json().get("id") else None


def _job(body: JSON) -> JSON:
    """Find the job: the page's keys differ from the mutations' names, in case at least (C23)."""
    data = body.get("data")
    held = data if isinstance(data, dict) else {}
    objects = {name.lower(): each for name, each in held.items() if isinstance(each, dict)}
    named = [each for name, each in objects.items() if name in _ANSWERS]
    whole = [each for each in (held, body) if each.get("id")]
    for job in (*named, *objects.values(), *whole):
        return job
    raise Malformed("the answer has no job")


def _metadata(value: Any) -> JSON:
    """Read a field whose type is not documented: an object, or one as a text."""
    try:
        read = from_json(value) if isinstance(value, str) else value
    except ValueError:
        read = None
    return read if isinstance(read, dict) else {}


def _size(holder: Mapping[str, Any]) -> str | None:
    width, height = holder.get("width"), holder.get("height")
    return f"{width}x{height}" if width and height else None


DOITONG = Gateway(
    name="doitong",
    title="Doitong (GraphQL generate)",
    base_url="https://api.doitong.com",
    key_env=("DOITONG_API_KEY",),
    routes={
        "images.create": Route(
            "POST",
            "/graphql",
            encode=_generate,
            decode=_made,
            lacks=_LACKS,
            once="Idempotency-Key",
        )
    },
    failure=_failure,
    # That its value is an HMAC, and of which bytes, is a guess that the user has to make.
    webhook=Webhook(read=_delivered, header="X-Doitong-Signature", prefix="sha256="),
)


def with_status_query(query: str, *, at: str, name: str) -> Gateway:
    """Give ``doitong`` with a way to look a picture up, which its page has no query for (C27).

    Hand it to :func:`doubao_core.gateways.add`, or to an entry point: then ``create_images`` waits
    for what is not finished at once, ``get_images`` asks for it, and an unsigned webhook is proved
    by a look-up. Look-ups count as requests, as far as anybody knows.

    Args:
        query: GraphQL, with the id of the picture as its variable ``$id``. It has to select the
            ``id`` again, and should select ``status`` and ``url``; ``creditCost``, ``createdAt``,
            ``metadata`` and ``error`` are read as well.
        at: Where the picture is in the ``data`` of the answer; a dot leads deeper.
        name: What ``provider=`` is to be.

    Raises:
        ConfigError: The query takes no ``$id``, selects no ``id``, or *at* is empty.
    """
    if not _TAKES_ID.search(query) or not _SELECTS_ID.search(query):
        raise ConfigError(
            "a status query for Doitong takes the id of a picture as $id, and selects the id again",
            param="query",
        )
    if not at:
        raise ConfigError(
            "say where the picture is in the answer to the status query, such as 'checkJobStatus'",
            param="at",
        )

    def ask(ids: Mapping[str, str]) -> JSON:
        return {"query": query, "variables": {"id": ids["task_id"]}}

    # What receives webhooks looks a task of any kind up as it does films.
    read = partial(_made, at=at, can_be_asked_for=True)
    asked = Route("POST", "/graphql", decode=read, ask=ask)
    made = replace(DOITONG.routes["images.create"], decode=partial(_made, can_be_asked_for=True))
    return DOITONG.but(
        name=name,
        title="Doitong (with a status query)",
        routes={"images.create": made, "images.get": asked, "videos.get": asked},
    )


_FLAT_LACKS = _LACKS | {"quality"}
GATEWAYS = (
    DOITONG,
    DOITONG.but(
        name="doitong-generate-image",
        title="Doitong (GraphQL generateImage)",
        routes={
            "images.create": Route(
                "POST",
                "/graphql",
                encode=_generate_image,
                decode=_made,
                lacks=_FLAT_LACKS,
                once="Idempotency-Key",
            )
        },
    ),
    DOITONG.but(
        name="doitong-rest",
        title="Doitong (REST)",
        auth=key_header,
        routes={
            "images.create": Route(
                "POST",
                "/v1/text_to_image",
                encode=_flat,
                decode=_made,
                lacks=_FLAT_LACKS,
                once="Idempotency-Key",
            )
        },
    ),
)
