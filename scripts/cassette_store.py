"""How a cassette looks: readable bodies, headers by allow-list, no secret and no signed link.

vcrpy records and replays; this module decides what is written. A body that is JSON is written as a
YAML tree under ``json``, anything else as text under ``text``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import vcr
import yaml
from vcr.request import Request

REQUEST_HEADERS = frozenset({"content-type"})
RESPONSE_HEADERS = frozenset({"content-type", "retry-after", "x-request-id", "x-doubao-emulator"})
_SIGNED_QUERY = re.compile(r"(https?://[^\s\"\\?]+)\?[^\s\"\\]+")
_BOUNDARY = re.compile(r"boundary=([^\s;]+)")
# The whole list of models is long, and its first items show all that there is to see.
_MODELS_KEPT = 3


class LeakError(RuntimeError):
    """A secret would have been written; nothing was."""


def recorder(
    source: str, *, moves: Mapping[str, str] | None = None, secret: str = "", mode: str = "none"
) -> vcr.VCR:
    """Make what records or replays cassettes.

    Args:
        source: What is recorded from, in words; written at the top of the file.
        moves: Texts to replace in addresses and bodies: where a local server happens to listen,
            by where the service itself would.
        secret: The key in use, which must not be written.
        mode: vcrpy's record mode; by default nothing is recorded and nothing is sent.
    """
    places = dict(moves or {})

    def clean(response: Mapping[str, Any]) -> dict[str, Any]:
        return _clean_response(response, places, secret)

    tape = vcr.VCR(
        record_mode=mode,
        match_on=["method", "uri", "body"],
        serializer="readable",
        before_record_request=lambda request: _clean_request(request, places, secret),
        before_record_response=None if mode == "none" else clean,
    )
    tape.register_serializer("readable", _Readable(source, secret))
    return tape


def load(text: str) -> dict[str, Any]:
    """Read a cassette as the plain tree that is written in it."""
    tree: dict[str, Any] = yaml.safe_load(text)
    return tree


def dump(tree: Mapping[str, Any]) -> str:
    """Write a cassette's tree as YAML for people."""
    return yaml.dump(tree, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=100, indent=2)


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


class _Readable:
    """The serializer that vcrpy calls."""

    def __init__(self, source: str, secret: str) -> None:
        self._source = source
        self._secret = secret

    def serialize(self, cassette: Mapping[str, Any]) -> str:
        """Write what vcrpy recorded."""
        interactions = [_readable(each) for each in cassette["interactions"]]
        text = dump({"recorded_from": self._source, "interactions": interactions})
        if self._secret and self._secret in text:
            raise LeakError("the key is in what was recorded: nothing was written")
        return text

    def deserialize(self, text: str) -> dict[str, Any]:
        """Read a file into what vcrpy replays."""
        return {"version": 1, "interactions": [_raw(each) for each in load(text)["interactions"]]}


def _readable(interaction: Mapping[str, Any]) -> dict[str, Any]:
    request, response = interaction["request"], interaction["response"]
    return {
        "request": {
            "method": request["method"],
            "uri": request["uri"],
            **_headers(request["headers"]),
            **_body(request["body"]),
        },
        "response": {
            "status": response["status"]["code"],
            **_headers(response["headers"]),
            **_body(response["body"]["string"]),
        },
    }


def _raw(interaction: Mapping[str, Any]) -> dict[str, Any]:
    request, response = interaction["request"], interaction["response"]
    return {
        "request": {
            "method": request["method"],
            "uri": request["uri"],
            "headers": request.get("headers", {}),
            "body": _bytes(request),
        },
        "response": {
            "status": {"code": response["status"], "message": None},
            "headers": {name: [value] for name, value in response.get("headers", {}).items()},
            "body": {"string": _bytes(response) or ""},
        },
    }


def _headers(headers: Mapping[str, Any]) -> dict[str, Any]:
    single = {
        name: value[0] if isinstance(value, list) else value for name, value in headers.items()
    }
    return {"headers": single} if single else {}


def _body(body: str | None) -> dict[str, Any]:
    if not body:
        return {}
    try:
        return {"json": json.loads(body)}
    except ValueError:
        return {"text": body}


def _bytes(part: Mapping[str, Any]) -> str | None:
    if "json" in part:
        return json.dumps(part["json"], ensure_ascii=False)
    text: str | None = part.get("text")
    return text


def _clean_request(request: Request, places: Mapping[str, str], secret: str) -> Request:
    kept = {
        name: value for name, value in request.headers.items() if name.lower() in REQUEST_HEADERS
    }
    body = request.body or None
    # An error while a cassette is closed would leave httpx patched for the rest of the process.
    if secret and (secret in request.uri or secret.encode() in (body or b"")):
        raise LeakError("the key is in a request's address or body: it was not sent nor written")
    if found := _BOUNDARY.search(kept.get("content-type", "")):
        # httpx draws a new one for each request.
        kept["content-type"] = "multipart/form-data; boundary=boundary"
        body = body.replace(found.group(1).encode(), b"boundary")
    return Request(request.method, _moved(request.uri, places), body, kept)


def _clean_response(
    response: Mapping[str, Any], places: Mapping[str, str], secret: str
) -> dict[str, Any]:
    headers = {
        name.lower(): value
        for name, value in response["headers"].items()
        if name.lower() in RESPONSE_HEADERS
    }
    if "x-doubao-emulator" in headers:
        # Its version changes with every release.
        headers["x-doubao-emulator"] = ["yes"]
    text = _moved(response["body"]["string"].decode(), places)
    text = _SIGNED_QUERY.sub(r"\1?signature=removed", text)
    if secret:
        text = text.replace(secret, "***")
    return {**response, "headers": headers, "body": {"string": _shortened(text).encode()}}


def _shortened(text: str) -> str:
    try:
        body = json.loads(text)
        is_long = len(body["data"]) > _MODELS_KEPT and body["data"][0]["object"] == "model"
    except (ValueError, LookupError, TypeError):
        return text
    if not is_long:
        return text
    return json.dumps({**body, "data": body["data"][:_MODELS_KEPT]}, ensure_ascii=False)


def _moved(text: str, places: Mapping[str, str]) -> str:
    for here, there in places.items():
        text = text.replace(here, there)
    return text
