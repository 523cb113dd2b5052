"""Doitong as seed 003 shows it: two GraphQL mutations, a REST path, credits.

A query is answered with the fields that it selects, under the name that it calls; REST under the
page's own `generateimage`. GraphQL refuses with status 200, as such servers usually do, and REST
with the statuses of the page's table. A picture that is not done at once stays `processing` until
its webhook tells, once, that it is done. What that says of a picture that failed is not printed;
here it has no `url` and an `error`.

The page prints nothing to ask for a picture, only the name `checkJobStatus` of a function of a
sample. That there is a query of this name, what it takes and what it gives, is an assumption of
this emulator, so that a client to which somebody supplied a query has something to ask.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from starlette.routing import Route

from doubao_emulator import media, unfinished
from doubao_emulator.deliveries import Deliveries, Story
from doubao_emulator.dialects.dialect import Dialect, DialectError, bearer_key
from doubao_emulator.dialects.quota import Quota
from doubao_emulator.errors import unauthenticated
from doubao_emulator.exchange import exchange_of, json_reply
from doubao_emulator.progress import Phase
from doubao_emulator.render import Still, render_still

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from doubao_emulator.errors import ArkError
    from doubao_emulator.state import World
    from doubao_emulator.wire import JSON, Fields

CREDITS = 1000
"""What a key has at first."""
REST, GRAPHQL = "/v1/text_to_image", "/graphql"
_STANDARD, _HIGH = 15, 40
_STANDARD_PIXELS = 1024 * 1024
_STARTER = Quota(requests=30, window=60)
_OK = 200
_PAYMENT = 402
_TOO_MANY = 429
_SIDE = (64, 4096)
_QUERY = re.compile(
    r"\s*mutation\s+\w+\(\$input:\s*(\w+)!\)\s*"
    r"\{\s*(\w+)\(input:\s*\$input\)\s*\{([\w\s]+)\}\s*\}\s*"
)
_STATUS_QUERY = re.compile(
    r"\s*query\s+\w+\(\$id:\s*ID!\)\s*"
    r"\{\s*checkJobStatus\(id:\s*\$id\)\s*\{([\w\s]+)\}\s*\}\s*"
)
_MUTATIONS = {
    "generate": (
        "GenerateInput",
        {"id", "status", "type", "provider", "url", "metadata", "creditCost", "createdAt"},
    ),
    "generateImage": ("ImageGenerationInput", {"id", "url", "width", "height"}),
}
_OPTIONS = {"width", "height", "version", "quality", "webhookUrl"}
_FLAT = {"service", "prompt", "width", "height", "version", "webhookUrl"}
_TEXTS = ("prompt", "webhookUrl")
_NESTED = {"type", "provider", "input", "options", "webhookUrl"}
_VERSION = "seedream-4.0"
_GRAPHQL_CODES = {
    400: "BAD_USER_INPUT",
    401: "UNAUTHENTICATED",
    403: "FORBIDDEN",
    429: "RATE_LIMITED",
    500: "INTERNAL_SERVER_ERROR",
}
_QUOTA_CODES = frozenset({"SetLimitExceeded", "QuotaExceeded"})


@dataclass(eq=False, slots=True, kw_only=True)
class Picture:
    """A picture that was asked for."""

    id: str
    prompt: str
    size: tuple[int, int]
    cost: int
    created_at: float
    webhook_url: str | None = None
    url: str | None = None
    failure: str | None = None
    completed_at: float | None = None
    reads: int = 0


@dataclass(slots=True)
class Account:
    """The credits of one key."""

    credits: int = CREDITS


class _Desk:
    """Answers both paths."""

    def __init__(self, world: World) -> None:
        self._world = world
        # Nothing is said of repeating what was not acknowledged.
        self._deliveries = Deliveries(world, tries=1)

    async def graphql(self, request: Request) -> Response:
        """Run one of the two mutations, or the query that is assumed."""
        fields = exchange_of(request).fields()
        query = fields.required_string("query")
        if (asked_for := _STATUS_QUERY.fullmatch(query)) is not None:
            picture_id = fields.required_object("variables").required_string("id")
            return self._status(picture_id, asked_for[1].split())
        found = _QUERY.fullmatch(query)
        if found is None:
            raise _refused(_OK, "Syntax Error: Unexpected query", "GRAPHQL_PARSE_FAILED")
        kind, name, selected = found[1], found[2], found[3].split()
        known_kind, known_fields = _MUTATIONS.get(name, ("", set()))
        if kind != known_kind or not known_fields.issuperset(selected):
            said = f'Cannot query "{name}" of {kind} with these fields'
            raise _refused(_OK, said, "GRAPHQL_VALIDATION_FAILED")
        asked = fields.required_object("variables").required_object("input")
        flat = _flattened(asked) if name == "generate" else _checked(asked.data, _FLAT)
        picture = self._made(request, flat)
        shown = _described(picture)
        return json_reply({"data": {name: {field: shown[field] for field in selected}}})

    def _status(self, picture_id: str, selected: list[str]) -> Response:
        pictures = {each.id: each for each in self._world.table(Picture).values()}
        picture = pictures.get(picture_id)
        if picture is None:
            raise _refused(_OK, f"Job {picture_id} does not exist", "NOT_FOUND")
        self._finish(picture)
        picture.reads += 1
        shown = {**_described(picture), "error": picture.completed_at and picture.failure}
        if not shown.keys() >= set(selected):
            said = 'Cannot query "checkJobStatus" with these fields'
            raise _refused(_OK, said, "GRAPHQL_VALIDATION_FAILED")
        return json_reply({"data": {"checkJobStatus": {field: shown[field] for field in selected}}})

    async def rest(self, request: Request) -> Response:
        """Make a picture from the flat table of the page."""
        picture = self._made(request, _checked(exchange_of(request).fields().data, _FLAT))
        shown: dict[str, JSON] = {
            name: value
            for name, value in _described(picture).items()
            if name in {"id", "status", "url", "createdAt"}
        }
        if picture.url is None:
            shown["webhookUrl"] = picture.webhook_url
        else:
            shown["duration"] = None
        return json_reply({"data": {"generateimage": shown}})

    def _made(self, request: Request, asked: Mapping[str, JSON]) -> Picture:
        repeated = request.headers.get("idempotency-key", "")
        table = self._world.table(Picture)
        if repeated in table:
            return table[repeated]
        width, height = asked.get("width", 1024), asked.get("height", 1024)
        cost = _STANDARD if width * height <= _STANDARD_PIXELS else _HIGH
        unfinished.check(self._world, exchange_of(request))
        self._charge(_key(dict(request.headers), _below(request)), cost, _below(request))
        picture = Picture(
            id=self._world.ids.token(9),
            prompt=asked["prompt"],
            size=(width, height),
            cost=cost,
            created_at=self._world.clock.now(),
            webhook_url=asked.get("webhookUrl"),
        )
        table[repeated or picture.id] = picture
        unfinished.follow(self._world, exchange_of(request), partial(self._goes_on, picture))
        path = exchange_of(request).path
        if (fault := self._world.faults.strike("task_failed", path)) is not None:
            picture.failure = fault.text("message", "Generation failed")
        else:
            self._finish(picture)
        if picture.webhook_url is not None:
            follow = partial(self._story, picture)
            self._deliveries.follow(picture.id, picture.webhook_url, path, follow)
        return picture

    def _finish(self, picture: Picture) -> None:
        """Bring a picture up to date; it is done when it is old enough."""
        now = self._world.clock.now()
        phase = self._world.progress.phase(reads=picture.reads, age=now - picture.created_at)
        if phase is Phase.DONE and picture.completed_at is None:
            picture.completed_at = now
            picture.url = None if picture.failure else self._published(picture)

    def _goes_on(self, picture: Picture) -> bool:
        self._finish(picture)
        return picture.completed_at is None

    def _story(self, picture: Picture) -> Story | None:
        if picture not in self._world.table(Picture).values():
            return None
        self._finish(picture)
        if picture.completed_at is None:
            return Story(told=(), ended=False)
        return Story(told=(_announced(picture, picture.completed_at),), ended=True)

    def _charge(self, key: str, cost: int, path: str) -> None:
        account = self._world.table(Account).setdefault(key, Account())
        if account.credits < cost:
            raise _no_credits(path, cost, account.credits)
        account.credits -= cost

    def _published(self, picture: Picture) -> str:
        width, height = picture.size
        still = Still(prompt=picture.prompt, width=width, height=height)
        render = partial(render_still, still)
        return media.publish(self._world, extension="jpeg", size=picture.size, render=render)


def _flattened(asked: Fields) -> Mapping[str, JSON]:
    """Return the nested input of `generate` as the flat one of the others."""
    _known(asked.data, _NESTED)
    if (asked.get("type"), asked.get("provider")) != ("IMAGE", "seedream"):
        raise _refused(_OK, "Unknown type or provider", "BAD_USER_INPUT")
    options = asked.object("options")
    given = {} if options is None else dict(options.data)
    _known(given, _OPTIONS)
    given.pop("quality", None)
    beside = {"webhookUrl": asked.get("webhookUrl")} if asked.has("webhookUrl") else {}
    prompt = asked.required_object("input").required_string("text")
    return _checked({"service": "seedream", "prompt": prompt, **given, **beside}, _FLAT)


def _checked(asked: Mapping[str, JSON], known: set[str]) -> Mapping[str, JSON]:
    _known(asked, known)
    low, high = _SIDE
    sides = [asked.get(name, low) for name in ("width", "height")]
    fits = all(type(side) is int and low <= side <= high for side in sides)
    texts = all(isinstance(asked.get(name, "a text"), str) for name in _TEXTS)
    named = asked.get("service") == "seedream" and bool(asked.get("prompt"))
    if not (fits and texts and named and asked.get("version", _VERSION) == _VERSION):
        raise _refused(400, "Invalid parameters or malformed request", "BAD_USER_INPUT")
    return asked


def _known(asked: Mapping[str, JSON], known: set[str]) -> None:
    for name in asked.keys() - known:
        raise _refused(400, f'Field "{name}" is not defined', "BAD_USER_INPUT")


def _described(picture: Picture) -> dict[str, JSON]:
    width, height = picture.size
    return {
        "id": picture.id,
        "status": _status(picture),
        "type": "IMAGE",
        "provider": "seedream",
        "url": picture.url,
        "width": width,
        "height": height,
        "metadata": {"duration": None, "width": width, "height": height},
        "creditCost": picture.cost,
        "createdAt": _iso(picture.created_at),
    }


def _status(picture: Picture) -> str:
    if picture.completed_at is None:
        return "processing"
    return "failed" if picture.failure else "completed"


def _announced(picture: Picture, completed_at: float) -> dict[str, JSON]:
    """Return what is posted to the webhook."""
    shown = _described(picture)
    failed: dict[str, JSON] = {"error": {"message": picture.failure}} if picture.failure else {}
    return {
        "id": picture.id,
        "status": shown["status"],
        "url": picture.url,
        "service": "seedream",
        "createdAt": shown["createdAt"],
        "completedAt": _iso(completed_at),
        "metadata": shown["metadata"],
        **failed,
    }


def _iso(now: float) -> str:
    return datetime.fromtimestamp(int(now), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _refused(status: int, message: str, code: str, **extensions: JSON) -> DialectError:
    error = {"message": message, "extensions": {"code": code, **extensions}}
    return DialectError(status, {"errors": [error]})


def _no_credits(path: str, cost: int, left: int) -> DialectError:
    return _refused(
        _PAYMENT if path == REST else _OK,
        "Insufficient credits for this operation",
        "INSUFFICIENT_CREDITS",
        creditsRequired=cost,
        creditsAvailable=left,
    )


def _refusal(error: ArkError, _method: str, path: str) -> tuple[int, JSON]:
    if isinstance(error, DialectError):
        return error.status, error.payload
    if error.code in _QUOTA_CODES:
        broke = _no_credits(path, _HIGH, 0)
        return broke.status, broke.payload
    # The page prints 429; under GraphQL's usual 200 a client has to look twice.
    status = _OK if (path, error.status) == (GRAPHQL, _TOO_MANY) else error.status
    own = _refused(status, error.message, _GRAPHQL_CODES.get(error.status, error.code))
    return own.status, own.payload


def _below(request: Request) -> str:
    return DIALECT.below(exchange_of(request).path)


def _key(headers: Mapping[str, str], path: str) -> str:
    """Return the key: a bearer for GraphQL, a header of its own for REST."""
    key = headers.get("x-api-key", "").strip() if path == REST else bearer_key(headers)
    if not key:
        raise unauthenticated()
    return key


def _routes(world: World) -> list[BaseRoute]:
    desk = _Desk(world)
    return [
        Route(GRAPHQL, desk.graphql, methods=["POST"]),
        Route(REST, desk.rest, methods=["POST"]),
    ]


DIALECT = Dialect(name="doitong", routes=_routes, refusal=_refusal, key=_key, quota=_STARTER)
