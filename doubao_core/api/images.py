"""Seedream pictures, at once or as they are finished (ark.md 14)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict, Unpack

from doubao_core.api import lenient, statuses
from doubao_core.api.reader import EventReader
from doubao_core.errors import (
    ConfigError,
    DoubaoError,
    JobFailed,
    Malformed,
    RateLimited,
    RequestError,
    from_payload,
)
from doubao_core.operation import (
    ENDED,
    JSON,
    Flow,
    Opening,
    Operation,
    Repeat,
    Reply,
    Send,
    Streaming,
    Wait,
    body,
    identifier,
)

# Fifteen pictures of 30 MB as base64.
_MOST_BYTES = 640 * 1024 * 1024

_FAILED = ENDED - {"succeeded"}
_UNDER_WAY = frozenset({"queued", "running", "unknown"})
_UNFINISHED = (
    "the picture was accepted and is not finished; do not ask for it again, that would cost twice: "
    "look its task up later, or wait for the webhook"
)
# Pauses between the look-ups of a picture task, in seconds (gateways.md 4.5).
_FIRST_LOOK, _SLOWER, _LONGEST_PAUSE = 2.0, 1.5, 15.0


class ImageOptions(TypedDict, total=False):
    """Optional fields of a picture request, by their names on the wire (ark.md 14.1).

    Defaults of the service that cost or show: ``size`` 2K, ``watermark`` **true**,
    ``response_format`` ``"url"`` (valid 24 h). ``sequential_image_generation="auto"`` makes a
    group; each picture of it is paid for.
    """

    image: str | Sequence[str] | None
    size: str | None
    response_format: Literal["url", "b64_json"] | None
    output_format: str | None
    watermark: bool | None
    seed: int | None
    guidance_scale: float | None
    sequential_image_generation: Literal["auto", "disabled"] | None
    sequential_image_generation_options: Mapping[str, Any] | None
    optimize_prompt_options: Mapping[str, Any] | None
    tools: Sequence[Mapping[str, Any]] | None
    background: str | None
    layer_decomposition: bool | None
    extra_body: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One picture of an answer, or why it is missing.

    Attributes:
        index: Place in the group, from 0.
        url: Where it is for 24 hours, unless base64 was asked for.
        b64_json: The picture itself as plain base64.
        size: ``"<width>x<height>"`` in pixels, as it really is.
        created: When it was made, in unix seconds.
        error: Why this one failed; the others of the group are not affected.
    """

    index: int
    url: str | None = field(default=None, repr=False)
    b64_json: str | None = field(default=None, repr=False)
    size: str | None = None
    output_format: str | None = None
    created: int | None = None
    error: DoubaoError | None = None
    raw: JSON = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, item: Any, index: int, created: int | None = None) -> Image:
        """Read an item of ``data``, or a ``partial_…`` event, whatever it is.

        One with neither a picture nor a reason is a failed one: the others were paid for.
        """
        item = lenient.fields(item)
        place = lenient.number(item.get("image_index"))
        url, content = lenient.text(item.get("url")), lenient.text(item.get("b64_json"))
        error = from_payload(item["error"]) if item.get("error") else None
        if url is None and content is None and error is None:
            error = Malformed("the service gave neither a picture nor a reason")
        return cls(
            index=index if place is None or place < 0 else place,
            url=url,
            b64_json=content,
            size=lenient.text(item.get("size")),
            output_format=lenient.text(item.get("output_format")),
            created=lenient.number(item.get("created")) or created,
            error=error,
            raw=dict(item),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageUsage:
    """What a picture request cost: pictures that succeeded, and tokens (width x height / 256)."""

    generated_images: int
    output_tokens: int
    total_tokens: int
    raw: JSON = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, usage: Any) -> ImageUsage | None:
        """Read a ``usage`` object; ``None`` if it says nothing."""
        said = lenient.fields(usage)
        if not said:
            return None
        return cls(
            generated_images=lenient.number(said.get("generated_images")) or 0,
            output_tokens=lenient.number(said.get("output_tokens")) or 0,
            total_tokens=lenient.number(said.get("total_tokens")) or 0,
            raw=dict(said),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """The answer to a picture request (ark.md 14.2); failed pictures have an ``error``.

    Attributes:
        status: Where the work is; anything but ``succeeded`` is a task of a provider that makes
            pictures in their own time, and the one picture's ``error`` says what to do.
        task_id: The task's id, where the provider has one.
    """

    images: tuple[Image, ...]
    model: str
    usage: ImageUsage | None
    created: int | None = None
    request_id: str | None = None
    status: str = "succeeded"
    task_id: str | None = None
    raw: JSON = field(default_factory=dict, repr=False)

    @property
    def pending(self) -> bool:
        """Whether asking for the task again may give the pictures."""
        can_be_asked_for = self.task_id and self.raw.get("can_be_looked_up", True)
        return bool(can_be_asked_for) and self.status != "succeeded"

    @classmethod
    def parse(cls, reply: Reply) -> Images:
        """Read the answer; one in which every picture failed is raised as that failure."""
        raw = reply.json()
        items = raw.get("data") or []
        # Ark says no status; a service that says one beside its pictures has made them.
        status = "succeeded" if items else lenient.text(raw.get("status"))
        if status in _FAILED:
            raise _ended_badly(raw, reply)
        if status in _UNDER_WAY:
            statuses.note(f"picture task {raw.get('id')}", status, raw)
            items = [{"error": {"code": "unfinished", "message": _UNFINISHED}}]
        if not items and raw.get("error"):
            raise from_payload(raw["error"], status=reply.status, headers=reply.headers)
        if not isinstance(items, list) or not items:
            raise Malformed("the answer has no pictures", status=reply.status)
        created = lenient.number(raw.get("created"))
        images = tuple(Image.parse(item, index, created) for index, item in enumerate(items))
        if all(isinstance(image.error, Malformed) for image in images):
            raise Malformed("the answer has no pictures that can be read", status=reply.status)
        return cls(
            images=images,
            model=lenient.text(raw.get("model")) or "",
            usage=ImageUsage.parse(raw.get("usage")),
            created=created,
            request_id=reply.headers.get("x-request-id"),
            status=status or "succeeded",
            task_id=lenient.text(raw.get("id")),
            raw={name: value for name, value in raw.items() if name != "data"},
        )


def _ended_badly(raw: JSON, reply: Reply) -> JobFailed:
    error = from_payload(raw["error"]) if raw.get("error") else None
    return JobFailed(
        f"picture task {raw.get('id')} ended as {raw['status']}: "
        f"{error.message if error else 'the service gave no reason'}",
        code=error.code if error else None,
        request_id=reply.headers.get("x-request-id"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageEvent:
    """One event of a picture stream (ark.md 14.5): a finished picture, a failed one, or the end.

    A consumer must not need the ``completed`` event: it may be missing.
    """

    type: str
    image: Image | None = None
    usage: ImageUsage | None = None
    raw: JSON = field(default_factory=dict, repr=False)


class ImageReader(EventReader[ImageEvent]):
    """Decoder of one picture stream."""

    def __init__(self) -> None:
        super().__init__()
        self._pictures = 0

    def _event(self, raw: JSON) -> ImageEvent:
        kind = str(raw.get("type") or "")
        is_picture = kind.startswith("image_generation.partial_")
        # A failed picture is an event with an error; any other error is the whole request's
        # (ark.md 1.8, 14.5).
        if raw.get("error") and not is_picture:
            raise from_payload(raw["error"])
        image = None
        if is_picture:
            image = Image.parse(raw, self._pictures)
            self._pictures += 1
        usage = ImageUsage.parse(raw.get("usage"))
        return ImageEvent(type=kind, image=image, usage=usage, raw=raw)

    @property
    def partial(self) -> str:
        """Nothing: pictures were given out as they came."""
        return ""


def _request(
    model: str, prompt: str, options: Mapping[str, Any], *, stream: bool | None = None
) -> Send:
    if not prompt.strip() and not options.get("layer_decomposition"):
        raise ConfigError("prompt is empty: say what the picture should show")
    return Send(
        operation="images.create",
        body=body({"model": model, "prompt": prompt or None, "stream": stream}, options),
        once=secrets.token_hex(16),
        repeat=Repeat.REFUSED_ONLY,
        max_bytes=_MOST_BYTES,
    )


@Operation
def create_images(
    *, model: str, prompt: str, wait_timeout: float = 600.0, **options: Unpack[ImageOptions]
) -> Flow[Images]:
    """Make pictures and wait for all of them; this costs money (ark.md 14).

    Sent once: it is repeated only after a definite refusal (a rate limit, no connection). A
    provider that answers with a task is asked for it until it ends; where there is no way to ask,
    or the time is over, the task is the answer.

    Args:
        model: Picture model id (``doubao-seedream-…``) or endpoint id.
        prompt: What to show; at most about 300 Chinese characters or 600 English words.
        wait_timeout: Seconds to ask for a task; Ark has none, it answers with the pictures.
        options: See :class:`ImageOptions`.

    Raises:
        AmbiguousSubmit: The answer was lost; the pictures may have been made and charged.
        ContentRejected: The prompt, a reference or every picture was refused.
        DoubaoError: Any other of the tree.
    """
    images = Images.parse((yield _request(model, prompt, options)))
    pause, spent = _FIRST_LOOK, 0.0
    while images.pending and spent + pause <= wait_timeout:
        yield Wait(seconds=pause)
        try:
            reply = yield _look_up(images.task_id or "")
        except DoubaoError as error:
            if isinstance(error, RequestError) and not isinstance(error, RateLimited):
                # There is no way to ask; the pictures are paid for, and the task is all there is.
                return images
            spent += error.elapsed
        else:
            images = Images.parse(reply)
            spent += reply.elapsed
        spent += pause
        pause = min(pause * _SLOWER, _LONGEST_PAUSE)
    return images


@Operation
def get_images(task_id: str) -> Flow[Images]:
    """Look a picture task up; only providers that make pictures in their own time have them.

    Raises:
        UnsupportedOperation: The provider has no such tasks, or documents no way to ask for one.
        JobFailed: The task made nothing.
    """
    return Images.parse((yield _look_up(task_id)))


def _look_up(task_id: str) -> Send:
    return Send(operation="images.get", path={"task_id": identifier("task_id", task_id)})


@Streaming
def stream_images(
    *, model: str, prompt: str, **options: Unpack[ImageOptions]
) -> Opening[ImageEvent]:
    """Make pictures and get each when it is finished; this costs money (ark.md 14.5).

    Only Seedream 5.0 lite, 4.5 and 4.0 stream. A failed picture of a group is an event, not an
    exception. The arguments are those of :func:`create_images` but for ``wait_timeout``.

    Raises:
        AmbiguousSubmit: The connection was lost; what had come was given out before.
    """
    return Opening(_request(model, prompt, options, stream=True), ImageReader)
