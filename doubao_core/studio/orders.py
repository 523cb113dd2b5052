"""A checked request as a thing of its own: to send, to store, and to tell from another."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self

import orjson

from doubao_core.api.images import ImageOptions
from doubao_core.api.videos import VideoOptions
from doubao_core.operation import JSON, body


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageOrder:
    """A checked request: ``create_images(model=…, prompt=…, **options)``."""

    model: str
    prompt: str
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    kind: ClassVar[Literal["image"]] = "image"

    def request(self) -> JSON:
        """Give the body that is sent, for a ledger; it holds the prompt and inlined pictures."""
        return body({"model": self.model, "prompt": self.prompt or None}, self.options)

    @classmethod
    def from_request(cls, request: Mapping[str, Any]) -> Self:
        """Make the order anew from what :meth:`request` gave."""
        options = _options(request, ("model", "prompt"), ImageOptions.__annotations__)
        return cls(model=request["model"], prompt=request.get("prompt") or "", options=options)

    @property
    def digest(self) -> str:
        """SHA-256 of the body, the same for equal orders in every process."""
        return _digest(self.request())


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoOrder:
    """A checked task: ``create_video(model=…, content=…, **options)``."""

    model: str
    content: Sequence[Mapping[str, Any]] = field(repr=False)
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    kind: ClassVar[Literal["video"]] = "video"

    def request(self) -> JSON:
        """Give the body that is sent; see :meth:`ImageOrder.request`."""
        return body({"model": self.model, "content": list(self.content)}, self.options)

    @classmethod
    def from_request(cls, request: Mapping[str, Any]) -> Self:
        """Make the order anew from what :meth:`request` gave."""
        options = _options(request, ("model", "content"), VideoOptions.__annotations__)
        return cls(model=request["model"], content=request["content"], options=options)

    @property
    def digest(self) -> str:
        """SHA-256 of the body, the same for equal orders in every process."""
        return _digest(self.request())


def _options(
    request: Mapping[str, Any], required: Sequence[str], known: Mapping[str, Any]
) -> dict[str, Any]:
    """Give the rest of *request* as options; what a client has no name for is ``extra_body``."""
    rest = {name: value for name, value in request.items() if name not in required}
    options = {name: value for name, value in rest.items() if name in known}
    extra = {name: value for name, value in rest.items() if name not in known}
    return {**options, "extra_body": extra} if extra else options


def _digest(request: JSON) -> str:
    return hashlib.sha256(orjson.dumps(request, option=orjson.OPT_SORT_KEYS)).hexdigest()
