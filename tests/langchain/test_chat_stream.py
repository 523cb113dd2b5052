"""What chunks carry and when: tokens, usage, seals, request ids, calls that broke off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from langchain_core.callbacks import BaseCallbackHandler

if TYPE_CHECKING:
    from collections.abc import Callable

    from doubao_emulator import Emulator
    from langchain_doubao import ChatDoubao

# Core calls its own v3 events a beta.
pytestmark = pytest.mark.filterwarnings("ignore:.*is in beta")


def event(delta: dict[str, Any], **choice: Any) -> Any:
    return {"id": "0217abc", "model": "m", "choices": [{"index": 0, "delta": delta, **choice}]}


STOP = event({"content": ""}, finish_reason="stop")
HELLO = [event({"content": "Hel"}), event({"content": "lo"}), STOP, "[DONE]"]


def usage(completion: int) -> dict[str, int]:
    total = 10 + completion
    return {"prompt_tokens": 10, "completion_tokens": completion, "total_tokens": total}


async def test_usage_is_on_one_chunk_only(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    """The service may send it on every event, each time as the sum so far."""
    so_far = [{**one, "usage": usage(place)} for place, one in enumerate(HELLO[:-1], 5)]
    emulator.answer(events=[*so_far, "[DONE]"], times=2)
    blocking = list(chat().stream("Go"))
    awaited = [chunk async for chunk in chat().astream("Go")]
    for chunks in (blocking, awaited):
        counted = [chunk.usage_metadata for chunk in chunks if chunk.usage_metadata]
        assert [usage["total_tokens"] for usage in counted] == [17]


async def test_usage_is_asked_for_unless_turned_off(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    list(chat().stream("Go"))
    list(chat(stream_usage=False).stream("Go"))
    list(chat().stream("Go", stream_usage=False))
    chat().invoke("Go")
    [_ async for _ in chat().astream("Go")]
    [_ async for _ in chat(stream_usage=False).astream("Go")]
    await chat().ainvoke("Go")
    asked = [request.body.get("stream_options") for request in emulator.requests]
    on = {"include_usage": True}
    assert asked == [on, None, None, None, on, None, None]


async def test_each_event_is_a_chunk_as_soon_as_it_is_there(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    emulator.answer(events=HELLO, times=2)
    blocking = [chunk.content for chunk in chat().stream("Go")]
    awaited = [chunk.content async for chunk in chat().astream("Go")]
    assert blocking == awaited == ["Hel", "lo", ""]


async def test_a_seal_belongs_to_the_block_of_its_reasoning(views: Any) -> None:
    """It comes alone, behind the reasoning (ark.md 4.4)."""
    sealed = event({"content": "", "reasoning_content": "", "encrypted_content": "djSEAL"})
    events = [event({"reasoning_content": "hm"}), sealed, event({"content": "x"}), STOP, "[DONE]"]
    block = {"type": "reasoning", "reasoning": "hm", "extras": {"encrypted_content": "djSEAL"}}
    for view, message in (await views.streamed(events)).items():
        first = {k: v for k, v in message.content_blocks[0].items() if k != "index"}
        assert first == block, view


async def test_log_probabilities_are_gathered(views: Any) -> None:
    tokens = [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -0.5}]
    scored = [event({"content": one["token"]}, logprobs={"content": [one]}) for one in tokens]
    for view, message in (await views.streamed([*scored, STOP, "[DONE]"])).items():
        assert message.response_metadata["logprobs"] == {"content": tokens}, view


async def test_of_several_choices_the_metadata_is_that_of_the_first(views: Any) -> None:
    first = {
        "index": 0,
        "finish_reason": "stop",
        "moderation_hit_type": "violence",
        "logprobs": {"content": [{"token": "yes", "logprob": -0.5}]},
    }
    other = {
        "index": 1,
        "finish_reason": "length",
        "logprobs": {"content": [{"token": "no", "logprob": -0.1}]},
    }
    form = {"content": "yes"}, {"content": "no"}
    said = {
        name: {"id": "0217abc", "choices": [other | {name: form[1]}, first | {name: form[0]}]}
        for name in ("delta", "message")
    }
    streamed = await views.streamed([said["delta"], "[DONE]"])
    whole = await views.whole(said["message"])
    for view, message in [*streamed.items(), *whole.items()]:
        metadata = message.response_metadata
        assert message.text == "yes", view
        assert metadata["finish_reason"] == "stop", view
        assert metadata["moderation_hit_type"] == "violence", view
        assert metadata["logprobs"] == first["logprobs"], view


# Arguments as they came, and as they are found among the invalid calls of a stream.
BROKEN = {
    "in a string": ('{"path": "/home/a', '{"path": "/home/a"]'),
    "behind a backslash": ('{"path": "C:\\', '{"path": "C:\\""]'),
    "behind an escaped quote": ('{"path": "a\\"', '{"path": "a\\""]'),
    "behind a value": ('{"path": "/home/a"', '{"path": "/home/a"]'),
    "in a list": ('{"paths": ["/a", "/b"', '{"paths": ["/a", "/b"}'),
    "behind a list": ('{"paths": ["/a"]', '{"paths": ["/a"]]'),
    "in a nested object": ('{"a": {"b": "]}', '{"a": {"b": "]}"]'),
    "at the start": ("{", "{]"),
    "with more behind the object": ('{"a": 1} and so on', '{"a": 1} and so on]'),
    "a list": ("[1]", "[1]]"),
    "a null": ("null", "null]"),
    "no JSON at all": ("none", "none"),
}


@pytest.mark.parametrize("reason", ["length", "content_filter", "tool_calls"])
@pytest.mark.parametrize("name", BROKEN)
async def test_no_view_takes_broken_arguments_for_whole_ones(
    name: str, reason: str, views: Any
) -> None:
    """Core completes cut JSON when it adds up chunks: a tool would be called with half a path."""
    came, streamed = BROKEN[name]

    def call(arguments: str, **function: Any) -> dict[str, Any]:
        fragment = {"function": {"arguments": arguments, **function}, "index": 0}
        return {"tool_calls": [{"id": "call_1", **fragment} if function else fragment]}

    def invalid(message: Any) -> list[Any]:
        assert message.tool_calls == []
        assert message.response_metadata["finish_reason"] == reason
        return [(bad["name"], bad["args"], bad["id"]) for bad in message.invalid_tool_calls]

    pieces = [event(call(" ", name="remove")), *(event(call(piece)) for piece in came)]
    ending = event({"content": ""}, finish_reason=reason)
    for view, message in (await views.streamed([*pieces, ending, "[DONE]"])).items():
        assert invalid(message) == [("remove", streamed, "call_1")], f"streamed: {view}"
    choice = {"index": 0, "finish_reason": reason, "message": call(f" {came}", name="remove")}
    for view, message in (await views.whole({"id": "1", "choices": [choice]})).items():
        assert invalid(message) == [("remove", came, "call_1")], f"whole: {view}"


class Heard(BaseCallbackHandler):
    def __init__(self) -> None:
        self.tokens: list[Any] = []

    def on_llm_new_token(self, token: Any, **_: Any) -> None:
        self.tokens.append(token)


@pytest.mark.parametrize("view", ["stream", "events", "astream", "aevents"])
async def test_tokens_reach_callbacks_of_every_view(
    view: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    emulator.answer(events=HELLO)
    heard, model = Heard(), chat()
    config = {"callbacks": [heard]}
    if view == "stream":
        list(model.stream("Go", config))
    elif view == "events":
        list(model.stream_events("Go", config, version="v3"))
    elif view == "astream":
        [_ async for _ in model.astream("Go", config)]
    else:
        [_ async for _ in await model.astream_events("Go", config, version="v3")]
    assert heard.tokens == ["Hel", "lo", ""]
    await model.aclose()


async def test_the_request_id_is_that_of_the_answers_head(views: Any) -> None:
    """The body's id is the answer's; what support asks for is in the head."""
    heads: list[str] = []

    def note(response: httpx.Response) -> None:
        heads.append(response.headers["x-request-id"])

    async def anote(response: httpx.Response) -> None:
        note(response)

    async with httpx.AsyncClient(event_hooks={"response": [anote]}) as async_client:
        with httpx.Client(event_hooks={"response": [note]}) as client:
            clients = {"http_client": client, "http_async_client": async_client}
            streamed = await views.streamed(HELLO, **clients)
            choice = {"index": 0, "finish_reason": "stop", "message": {"content": "Hello"}}
            whole = await views.whole({"id": "0217abc", "choices": [choice]}, **clients)
    messages = [*streamed.values(), *whole.values()]
    assert [message.response_metadata["request_id"] for message in messages] == heads
    assert {message.response_metadata["id"] for message in messages} == {"0217abc"}
    assert len(set(heads)) == len(messages)
