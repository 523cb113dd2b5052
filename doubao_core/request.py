"""From a :class:`Send` to the exact request, purely: URL, headers, body. Both transports use it."""

from __future__ import annotations

import math
import secrets
import time
import warnings
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlencode

import orjson
from pydantic_core import from_json, to_json

from doubao_core.config import Settings
from doubao_core.errors import UNREADABLE, ConfigError, ProfileWarning
from doubao_core.gateways import Gateway, Route, check, route
from doubao_core.gateways.gateway import Query
from doubao_core.operation import JSON, MAX_JSON_BYTES, Send, Upload, expand

# ``logit_bias`` is keyed by numbers; the numbers in a dataclass would escape the check for NaN.
_KEYS_AS_TEXT = orjson.OPT_NON_STR_KEYS
_NO_DATACLASSES = orjson.OPT_PASSTHROUGH_DATACLASS
USER_AGENT = "doubao-integrations-python"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as it goes out; ``content`` is the encoded body, or there is a multipart form."""

    method: str
    url: str
    headers: dict[str, str]
    content: bytes | None = None
    form: Mapping[str, str] | None = None
    upload: Upload | None = None
    patience: float | None = None
    secret: str = ""

    def __repr__(self) -> str:
        return f"Request({self.method} {self.url})"


def build(send: Send, settings: Settings) -> tuple[Request, Route]:
    """Give *send* its method, URL, headers and encoded body, as the provider wants them.

    ``X-Client-Request-Id`` is new in every call, so that each attempt has its own (ark.md 1.4).
    """
    how = route(settings.gateway, send.operation)
    url = settings.locate() + expand(how.path, send.path)
    if query := _queried(send, how, settings.gateway):
        url = f"{url}?{urlencode(query)}"
    key = settings.key.resolve(settings.gateway)
    headers = {
        "accept": "application/json",
        # Nothing unpacks without a bound if nothing comes packed.
        "accept-encoding": "identity",
        "user-agent": USER_AGENT,
        "x-client-request-id": client_request_id(),
        **_lower(settings.headers),
        **_lower(send.headers),
        **_lower(settings.gateway.auth(key)),
    }
    if how.once is not None and send.once:
        headers[how.once.lower()] = send.once
    content = None
    if send.body is not None or how.ask is not None:
        headers["content-type"] = "application/json"
        content = encode(_said(send, how, settings.gateway))
    request = Request(
        method=how.method,
        url=url,
        headers=headers,
        content=content,
        form=send.form,
        upload=send.upload,
        patience=send.patience,
        secret=key,
    )
    return request, how


def _queried(send: Send, how: Route, gateway: Gateway) -> Query:
    """Give the query as the provider wants it; what it has nothing for is refused."""
    if how.lacks:
        check(gateway, send.operation, dict(send.query))
    return how.query(send.query)


def _said(send: Send, how: Route, gateway: Gateway) -> JSON:
    """Give the body as the provider wants it; what it has nothing for is refused."""
    if how.ask is not None:
        return how.ask(send.path)
    asked = send.body or {}
    if how.lacks:
        check(gateway, send.operation, asked)
    try:
        said = how.encode(asked)
    except ConfigError:
        raise
    except UNREADABLE as error:
        raise ConfigError(
            f"the body of {send.operation} has another shape than Ark's, and cannot be put into "
            f"the words of provider {gateway.name!r} ({type(error).__name__}: {error})"
        ) from error
    if how.limits or how.upstream:
        for complaint in how.complaints(said):
            warnings.warn(f"provider {gateway.name!r} {complaint}", ProfileWarning, stacklevel=2)
    return said


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    """Make names comparable: a user's header replaces ours instead of standing beside it."""
    return {name.lower(): value for name, value in headers.items()}


def encode(body: JSON) -> bytes:
    """Encode a JSON body: UTF-8 without escapes; refuses what JSON or the service cannot take."""
    try:
        # Ten times faster than the other, which matters for long prompts and inline pictures.
        content = orjson.dumps(body, option=_KEYS_AS_TEXT | _NO_DATACLASSES)
        finite = _is_finite(body)
    except orjson.JSONEncodeError:
        content, finite = _encode_anything(body)
    if not finite:
        raise ConfigError(
            "the request cannot be written as JSON: a number in it is infinite or NaN"
        )
    if len(content) > MAX_JSON_BYTES:
        raise ConfigError(
            f"the request has {len(content):,} bytes and the service takes {MAX_JSON_BYTES:,} at "
            "most: pass large pictures, videos and files by URL or file id"
        )
    return content


def _is_finite(value: object) -> bool:
    """Say whether no number is infinite or NaN, for which orjson writes ``null``."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_is_finite, value))
    return True


def _encode_anything(body: JSON) -> tuple[bytes, bool]:
    """Encode what orjson does not take: integers beyond 64 bits, sets, pydantic models."""
    try:
        content = to_json(body, inf_nan_mode="constants")
    except ValueError as error:
        raise ConfigError(f"the request cannot be written as JSON: {error}") from error
    try:
        from_json(content, allow_inf_nan=False)
    except ValueError:
        return content, False
    return content, True


def client_request_id() -> str:
    """Make an id of the official SDK's form: local time and 20 random characters (ark.md 1.4)."""
    return time.strftime("%Y%m%d%H%M%S") + secrets.token_hex(10)


@contextmanager
def multipart(request: Request) -> Generator[dict[str, Any]]:
    """Give the keyword arguments with which httpx writes a multipart body, if there is one."""
    files: dict[str, Any] = {name: (None, value) for name, value in (request.form or {}).items()}
    with ExitStack() as opened:
        if (upload := request.upload) is not None:
            content = upload.content
            part = content if isinstance(content, bytes) else opened.enter_context(_opened(content))
            files["file"] = (upload.filename, part, upload.media_type)
        yield {"files": files} if files else {}


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
