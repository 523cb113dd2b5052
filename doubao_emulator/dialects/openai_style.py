"""What services that imitate OpenAI's chat have in common: answers, events, error objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from doubao_emulator import chat, chat_stream
from doubao_emulator.clouds import Cloud
from doubao_emulator.models import by_name
from doubao_emulator.sse import DONE, frame
from doubao_emulator.text_catalogue import ARK as ARK_MODELS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doubao_emulator.chat_answer import Answer, Call
    from doubao_emulator.errors import ArkError
    from doubao_emulator.wire import JSON

_SIZES = (5, 3, 8)
_COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")

MODELS = Cloud(
    name="ark",
    prefix="",
    models=by_name(ARK_MODELS),
    tokenization=False,
    last_frame_format="jpeg",
)
"""The chat models of Ark under their official ids."""


def body(answer: Answer) -> dict[str, JSON]:
    """Return a whole answer."""
    message: dict[str, JSON] = {"role": "assistant", "content": answer.content}
    if answer.reasoning:
        message["reasoning_content"] = answer.reasoning
    if answer.calls:
        message["tool_calls"] = [_call(call) for call in answer.calls]
    return {
        **_head(answer, "chat.completion"),
        "choices": [{"index": 0, "message": message, "finish_reason": answer.finish_reason}],
        "usage": _usage(answer),
    }


def frames(answer: Answer, usage_chunk: bool, _usage_everywhere: bool) -> Iterator[bytes]:
    """Yield the events of a stream; usage only if it was asked for."""
    head = _head(answer, "chat.completion.chunk")

    def event(delta: JSON, finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return frame({**head, "choices": [choice]})

    yield event({"role": "assistant", "content": ""})
    for fragment in chat_stream.fragments(answer.reasoning, _SIZES):
        yield event({"reasoning_content": fragment})
    for fragment in chat_stream.fragments(answer.content, _SIZES):
        yield event({"content": fragment})
    for index, call in enumerate(answer.calls):
        yield event({"tool_calls": [{"index": index, **_call(call)}]})
    yield event({}, answer.finish_reason)
    if usage_chunk:
        yield frame({**head, "choices": [], "usage": _usage(answer)})
    yield DONE


def refusal(error: ArkError, _method: str, _path: str) -> tuple[int, JSON]:
    """Return the error object with its two documented fields."""
    return error.status, {"error": {"code": error.code, "message": error.message}}


def _head(answer: Answer, kind: str) -> dict[str, JSON]:
    return {
        "id": f"chatcmpl-{answer.id[-24:]}",
        "object": kind,
        "created": answer.created,
        "model": answer.model,
    }


def _call(call: Call) -> dict[str, JSON]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}


def _usage(answer: Answer) -> dict[str, JSON]:
    return {name: answer.usage[name] for name in _COUNTS}


MANNER = chat.Manner(body=body, frames=frames)
