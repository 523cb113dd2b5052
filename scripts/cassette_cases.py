"""What is recorded: for each operation of each provider a good case and an instructive bad one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from doubao_core import (
    DoubaoError,
    InvalidRequest,
    JobFailed,
    NotFound,
    RequestError,
    ServerError,
)

Call = Callable[[Any, float], Any]
"""Does the case with a client; the other argument is the pause between look-ups, in seconds."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One cassette.

    Attributes:
        operation: Folder, by the name of the route.
        name: File name without its extension.
        call: What to do.
        error: What it ends with, ``None`` if it ends well.
        fault: The emulator's fault that it needs, and the parameters; such a case cannot be
            recorded from the live service.
        local: Whether it needs the emulator's clock for another reason.
        costs: What it makes on the live service, if that costs more than some tokens.
    """

    operation: str
    name: str
    call: Call
    error: type[DoubaoError] | None = None
    fault: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    local: bool = False
    costs: str = ""


MODELS = {
    "ark": {
        "chat": "doubao-seed-2-1-pro-260915",
        "text": "doubao-embedding-large-text-250515",
        "vision": "doubao-embedding-vision-251215",
        "image": "doubao-seedream-4-0-250828",
        "video": "doubao-seedance-2-0-fast-260128",
        "tokens": "doubao-seed-2-0-lite-260215",
    },
    "byteplus": {
        "chat": "seed-2-0-lite-260428",
        "vision": "skylark-embedding-vision-251215",
        "image": "seedream-4-0-250828",
        "video": "dreamina-seedance-2-0-fast-260128",
    },
}
"""Cheap models of each provider; BytePlus has neither text embeddings nor a tokenizer."""

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"location": {"type": "string"}},
            "required": ["location"],
        },
    },
}
QUESTION = [{"role": "user", "content": "What is the weather in Paris? 巴黎天气怎么样？"}]
HELLO = [{"role": "user", "content": "Say hello."}]
_PDF = b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\n%%EOF\n"


def cases(provider: str) -> list[Case]:
    """Give every case of *provider*."""
    models = MODELS[provider]
    found = [
        *_chat(models["chat"]),
        *_embeddings(models),
        *_images(models["image"]),
        *_videos(models["video"]),
        *_files(),
        Case(operation="models.list", name="first-models", call=lambda c, _: c.list_models()),
        Case(
            operation="models.list",
            name="server-error-then-good",
            call=lambda c, _: c.list_models(),
            fault="server_error",
            params={"times": 1},
        ),
    ]
    return found + (_tokens(models["tokens"]) if "tokens" in models else [])


def _chat(model: str) -> list[Case]:
    def ask(c: Any, _: float) -> Any:
        return c.chat(model=model, messages=HELLO)

    def stream(c: Any, _: float) -> Any:
        options = {"include_usage": True}
        return list(
            c.stream_chat(model=model, messages=QUESTION, tools=[WEATHER], stream_options=options)
        )

    def ask_unknown(c: Any, _: float) -> Any:
        return c.chat(model="doubao-nope", messages=HELLO)

    return [
        Case(operation="chat.create", name="answer", call=ask),
        Case(
            operation="chat.create",
            name="tool-call",
            call=lambda c, _: c.chat(model=model, messages=QUESTION, tools=[WEATHER]),
        ),
        Case(operation="chat.create", name="unknown-model", call=ask_unknown, error=NotFound),
        Case(
            operation="chat.create",
            name="rate-limited-then-good",
            call=ask,
            fault="rate_limit",
            params={"times": 1, "retry_after": 2},
        ),
        Case(operation="chat.stream", name="reasoning-tool-call-usage", call=stream),
        Case(
            operation="chat.stream",
            name="error-in-the-middle",
            call=lambda c, _: list(c.stream_chat(model=model, messages=HELLO)),
            error=ServerError,
            fault="error_mid_stream",
            params={"after_events": 3},
        ),
    ]


def _embeddings(models: Mapping[str, str]) -> list[Case]:
    vision, parts = models["vision"], [{"type": "text", "text": "red shoe"}]
    sparse = {"type": "enabled"}
    found = [
        Case(
            operation="embeddings.create",
            name="vision-model",
            # In extra_body nobody looks at it before it is sent.
            call=lambda c, _: c.embed(model=vision, texts=["a cat"], extra_body={"model": vision}),
            error=InvalidRequest,
        ),
        Case(
            operation="embeddings.multimodal",
            name="text-with-sparse",
            call=lambda c, _: c.embed_multimodal(
                model=vision, parts=parts, dimensions=1024, sparse_embedding=sparse
            ),
        ),
        Case(
            operation="embeddings.multimodal",
            name="wrong-dimensions",
            call=lambda c, _: c.embed_multimodal(model=vision, parts=parts, dimensions=7),
            error=InvalidRequest,
        ),
    ]
    if text := models.get("text"):
        found.append(
            Case(
                operation="embeddings.create",
                name="two-texts",
                call=lambda c, _: c.embed(model=text, texts=["a cat", "一只猫"], dimensions=512),
            )
        )
    return found


def _images(model: str) -> list[Case]:
    def group(stream: bool) -> Call:
        def call(c: Any, _: float) -> Any:
            make = c.stream_images if stream else c.create_images
            made = make(
                model=model,
                prompt="two cats, two pictures",
                size="1K",
                sequential_image_generation="auto",
                sequential_image_generation_options={"max_images": 2},
            )
            return list(made) if stream else made

        return call

    failed: dict[str, Any] = {"fault": "group_image_failed", "params": {"index": 1}}
    return [
        Case(
            operation="images.create",
            name="one-picture",
            call=lambda c, _: c.create_images(model=model, prompt="a red cat", size="1K"),
            costs="1 picture",
        ),
        Case(
            operation="images.create",
            name="too-small",
            call=lambda c, _: c.create_images(model=model, prompt="a red cat", size="16x16"),
            error=InvalidRequest,
        ),
        Case(
            operation="images.create", name="one-of-two-failed", call=group(stream=False), **failed
        ),
        Case(
            operation="images.stream",
            name="two-pictures",
            call=group(stream=True),
            costs="up to 2 pictures",
        ),
        Case(
            operation="images.stream", name="one-of-two-failed", call=group(stream=True), **failed
        ),
    ]


_CAT = [{"type": "text", "text": "A cat yawns"}]
_FILM = {"costs": "1 film of 4 s in 480p"}


def _videos(model: str) -> list[Case]:
    def create(c: Any, _: float = 0.0) -> Any:
        return c.create_video(model=model, content=_CAT, resolution="480p", duration=4)

    def watch(c: Any, poll: float) -> Any:
        *_, last = c.watch_video(create(c).id, poll_interval=poll)
        return last.checked()

    def listed(c: Any, _: float) -> Any:
        return c.list_videos(page_size=2, task_ids=[create(c).id])

    def too_large(c: Any, _: float) -> Any:
        return c.create_video(model=model, content=_CAT, resolution="4k")

    failed: dict[str, Any] = {"error": JobFailed, "fault": "task_failed"}
    unknown = "cgt-20260101000000-aaaaa"
    return [
        Case(operation="videos.create", name="text", call=create, **_FILM),
        Case(
            operation="videos.create", name="wrong-resolution", call=too_large, error=InvalidRequest
        ),
        Case(operation="videos.get", name="until-succeeded", call=watch, **_FILM),
        Case(operation="videos.get", name="until-failed", call=watch, **failed),
        Case(
            operation="videos.get",
            name="unknown",
            call=lambda c, _: c.get_video(unknown),
            error=NotFound,
        ),
        Case(operation="videos.list", name="one-task", call=listed, **_FILM),
        Case(
            operation="videos.list",
            name="page-too-large",
            call=lambda c, _: c.list_videos(page_size=501),
            error=InvalidRequest,
        ),
        *_removals(create),
    ]


def _removals(create: Call) -> list[Case]:
    def cancel(c: Any, poll: float) -> Any:
        task = create(c, poll)
        c.delete_video(task.id)
        return c.get_video(task.id)

    def delete_running(c: Any, poll: float) -> Any:
        task = create(c, poll)
        while c.get_video(task.id).status != "running":
            pass
        return c.delete_video(task.id)

    running: dict[str, Any] = {"error": RequestError, "local": True}
    return [
        Case(operation="videos.delete", name="queued", call=cancel, local=True),
        Case(operation="videos.delete", name="running", call=delete_running, **running),
    ]


def _files() -> list[Case]:
    def upload(c: Any, _: float = 0.0) -> Any:
        return c.upload_file(_PDF, filename="page.pdf", media_type="application/pdf")

    def delete(c: Any, _: float) -> Any:
        return c.delete_file(upload(c).id)

    def missing(action: str) -> Call:
        return lambda c, _: getattr(c, action)("file-20260101000000-aaaaa")

    return [
        Case(operation="files.create", name="page", call=upload),
        Case(
            operation="files.create",
            name="wrong-purpose",
            call=lambda c, _: c.upload_file(_PDF, filename="page.pdf", purpose="nope"),
            error=InvalidRequest,
        ),
        Case(operation="files.get", name="page", call=lambda c, _: c.get_file(upload(c).id)),
        Case(operation="files.get", name="unknown", call=missing("get_file"), error=NotFound),
        Case(
            operation="files.list",
            name="one-file",
            call=lambda c, _: (upload(c), c.list_files(limit=1)),
        ),
        Case(
            operation="files.list",
            name="limit-too-large",
            call=lambda c, _: c.list_files(limit=100_000),
            error=InvalidRequest,
        ),
        Case(operation="files.delete", name="page", call=delete),
        Case(operation="files.delete", name="unknown", call=missing("delete_file"), error=NotFound),
    ]


def _tokens(model: str) -> list[Case]:
    return [
        Case(
            operation="tokenization.create",
            name="two-texts",
            call=lambda c, _: c.tokenize(model=model, texts=["你好 world", "b"]),
        ),
        Case(
            operation="tokenization.create",
            name="unknown-model",
            call=lambda c, _: c.tokenize(model="doubao-nope", texts=["a"]),
            error=NotFound,
        ),
    ]
