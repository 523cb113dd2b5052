"""One answer, three views: v0 chunks, v1 content blocks and v3 events end in the same message."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.utils import message_chunk_to_message
from langchain_tests.utils.stream_lifecycle import assert_valid_event_stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from doubao_emulator import Emulator
    from langchain_doubao import ChatDoubao

# Core calls its own v3 events a beta.
pytestmark = pytest.mark.filterwarnings("ignore:.*is in beta")

USAGE = {
    "prompt_tokens": 10,
    "completion_tokens": 7,
    "total_tokens": 17,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 3},
}


def event(delta: dict[str, Any], *, usage: dict[str, Any] | None = None, **choice: Any) -> Any:
    return {
        "id": "0217abc",
        "object": "chat.completion.chunk",
        "created": 1790000000,
        "model": "doubao-seed-2-1-pro-260915",
        "service_tier": "default",
        "choices": [{"index": 0, "delta": {"role": "assistant", **delta}, **choice}],
        "usage": usage,
    }


def call(arguments: str | None, **fields: Any) -> dict[str, Any]:
    """Make a delta with one fragment of a tool call; ``name`` goes into its function."""
    name = {"name": fields.pop("name")} if "name" in fields else {}
    function = {**name, **({} if arguments is None else {"arguments": arguments})}
    return {"content": "", "tool_calls": [{"function": function, **fields}]}


def opened(index: int = 0, id_: str = "call_1", name: str = "get_weather") -> dict[str, Any]:
    return call("", id=id_, name=name, index=index, type="function")


STOP = event({"content": ""}, finish_reason="stop")
CALLS = event({"content": ""}, finish_reason="tool_calls")
USAGE_EVENT = {**event({}), "choices": [], "usage": USAGE}
PARIS = [("get_weather", {"city": "Paris"}, "call_1")]

# name: events, then the text, the reasoning and the tool calls that they mean
STREAMS: dict[str, tuple[list[Any], str, str, list[Any]]] = {
    "text": ([event({"content": "Hel"}), event({"content": "lo"}), STOP], "Hello", "", []),
    "reasoning then text": (
        [
            event({"content": "", "reasoning_content": "Let me "}),
            event({"content": "", "reasoning_content": "think."}),
            event({"content": "Done", "reasoning_content": ""}),
            STOP,
        ],
        "Done",
        "Let me think.",
        [],
    ),
    "reasoning and text in one delta": (
        [event({"content": "Yes", "reasoning_content": "Easy."}), STOP],
        "Yes",
        "Easy.",
        [],
    ),
    "reasoning then a tool call": (
        [
            event({"content": "", "reasoning_content": "I need the weather."}),
            event(opened()),
            event(call(' {"city":', index=0)),
            event(call(' "Paris"}', index=0)),
            CALLS,
        ],
        "",
        "I need the weather.",
        PARIS,
    ),
    "text and a tool fragment in one delta": (
        [
            event({**opened(), "content": "Let me check."}),
            event({**call('{"city": "Paris"}', index=0), "content": " Now."}),
            CALLS,
        ],
        "Let me check. Now.",
        "",
        PARIS,
    ),
    "everything in one delta": (
        [
            event(
                {
                    **call('{"city": "Paris"}', index=0, id="call_1", name="get_weather"),
                    "content": "Checking.",
                    "reasoning_content": "Weather.",
                },
                finish_reason="tool_calls",
            )
        ],
        "Checking.",
        "Weather.",
        PARIS,
    ),
    "empty ids and names on continuations": (
        [
            event(opened()),
            event(call('{"city": ', index=0, id="", name="", type="")),
            event(call('"Paris"}', index=0, id="", name="", type="")),
            CALLS,
        ],
        "",
        "",
        PARIS,
    ),
    "repeated ids and names": (
        [
            event(opened()),
            event(call('{"city": ', index=0, id="call_1", name="get_weather")),
            event(call('"Paris"}', index=0, id="call_1", name="get_weather")),
            CALLS,
        ],
        "",
        "",
        PARIS,
    ),
    "null ids and names": (
        [
            event(opened()),
            event(call('{"city": "Paris"}', index=0, id=None, name=None)),
            CALLS,
        ],
        "",
        "",
        PARIS,
    ),
    "no index at all": (
        [
            event(call('{"city": ', id="call_1", name="get_weather")),
            event(call('"Paris"}')),
            event(call('{"city": "Rome"', id="call_2", name="get_weather")),
            event(call("}")),
            CALLS,
        ],
        "",
        "",
        [*PARIS, ("get_weather", {"city": "Rome"}, "call_2")],
    ),
    "index 0 for every call": (
        [
            event(opened()),
            event(call('{"city": "Paris"}', index=0)),
            event(opened(0, "call_2", "get_time")),
            event(call('{"city": "Rome"}', index=0)),
            CALLS,
        ],
        "",
        "",
        [*PARIS, ("get_time", {"city": "Rome"}, "call_2")],
    ),
    "two interleaved calls": (
        [
            event(opened()),
            event(opened(1, "call_2", "get_time")),
            event(call('{"city": "Par', index=0)),
            event(call('{"city": "Rome"}', index=1)),
            event(call('is"}', index=0)),
            CALLS,
        ],
        "",
        "",
        [*PARIS, ("get_time", {"city": "Rome"}, "call_2")],
    ),
    "a call without arguments": (
        [event(opened(name="now")), CALLS],
        "",
        "",
        [("now", {}, "call_1")],
    ),
    "a call without an id": (
        [event(call('{"city": "Paris"}', index=0, name="get_weather")), CALLS],
        "",
        "",
        [("get_weather", {"city": "Paris"}, "call_0217abc_0")],
    ),
    "usage on every event": (
        [
            event({"content": "a"}, usage={**USAGE, "completion_tokens": 5, "total_tokens": 15}),
            event({"content": "b"}, usage={**USAGE, "completion_tokens": 6, "total_tokens": 16}),
            event({"content": ""}, usage=USAGE, finish_reason="stop"),
        ],
        "ab",
        "",
        [],
    ),
    "the finish reason on every event": (
        [event({"content": "a"}, finish_reason="stop"), event({"content": "b"}), STOP, STOP],
        "ab",
        "",
        [],
    ),
    "two different finish reasons": (
        [event(opened()), event(call('{"city": "Paris"}', index=0)), CALLS, STOP],
        "",
        "",
        PARIS,
    ),
    "nothing": ([STOP], "", "", []),
}


def summary(message: AIMessage) -> dict[str, Any]:
    blocks = message.content_blocks
    return {
        "text": str(message.text),
        "reasoning": "".join(
            block["reasoning"] for block in blocks if block["type"] == "reasoning"
        ),
        "calls": [(call["name"], call["args"], call["id"]) for call in message.tool_calls],
        "call blocks": [
            (block["name"], block["args"], block["id"])
            for block in blocks
            if block["type"] == "tool_call"
        ],
        "blocks": [block["type"] for block in blocks],
        "invalid": list(message.invalid_tool_calls),
        "usage": message.usage_metadata,
        "metadata": {
            name: value
            for name, value in message.response_metadata.items()
            if name != "output_version"
        },
    }


def added(chunks: list[AIMessageChunk]) -> AIMessage:
    full = chunks[0]
    for chunk in chunks[1:]:
        full += chunk
    return message_chunk_to_message(full)


def expected(text: str, reasoning: str, calls: list[Any], reason: str) -> dict[str, Any]:
    parts = (("reasoning", reasoning), ("text", text))
    kinds = [kind for kind, value in parts if value]
    return {
        "text": text,
        "reasoning": reasoning,
        "calls": calls,
        "call blocks": calls,
        "blocks": [*kinds, *("tool_call" for _ in calls)],
        "invalid": [],
        "usage": {
            "input_tokens": 10,
            "output_tokens": 7,
            "total_tokens": 17,
            "input_token_details": {"cache_read": 4},
            "output_token_details": {"reasoning": 3},
        },
        "metadata": {
            "model_provider": "doubao",
            "model_name": "doubao-seed-2-1-pro-260915",
            "finish_reason": reason,
            "id": "0217abc",
            "created": 1790000000,
            "service_tier": "default",
        },
    }


@pytest.mark.parametrize("name", STREAMS)
def test_all_views_give_the_same_message(
    name: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    events, *meaning = STREAMS[name]
    emulator.answer(events=[*events, USAGE_EVENT, "[DONE]"], times=4)
    reason = "tool_calls" if meaning[2] else "stop"
    wanted = expected(*meaning, reason)
    assert summary(added(list(chat().stream("Go")))) == wanted
    assert summary(added(list(chat(output_version="v1").stream("Go")))) == wanted
    assert summary(chat(streaming=True).invoke("Go")) == wanted
    stream = chat().stream_events("Go", version="v3")
    assert_valid_event_stream(list(stream))
    assert summary(stream.output) == wanted


@pytest.mark.parametrize("name", STREAMS)
async def test_all_async_views_give_the_same_message(
    name: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    events, *meaning = STREAMS[name]
    emulator.answer(events=[*events, USAGE_EVENT, "[DONE]"], times=4)
    reason = "tool_calls" if meaning[2] else "stop"
    wanted = expected(*meaning, reason)
    assert summary(added([chunk async for chunk in chat().astream("Go")])) == wanted
    v1 = chat(output_version="v1")
    assert summary(added([chunk async for chunk in v1.astream("Go")])) == wanted
    assert summary(await chat(streaming=True).ainvoke("Go")) == wanted
    stream = await chat().astream_events("Go", version="v3")
    assert_valid_event_stream([event async for event in stream])
    assert summary(await stream.output) == wanted


def test_usage_is_on_one_chunk_only(emulator: Emulator, chat: Callable[..., ChatDoubao]) -> None:
    events, *_ = STREAMS["usage on every event"]
    emulator.answer(events=[*events, "[DONE]"])
    counted = [chunk.usage_metadata for chunk in chat().stream("Go") if chunk.usage_metadata]
    assert [usage["total_tokens"] for usage in counted] == [17]


def test_usage_is_asked_for_unless_turned_off(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    list(chat().stream("Go"))
    list(chat(stream_usage=False).stream("Go"))
    list(chat().stream("Go", stream_usage=False))
    chat().invoke("Go")
    asked = [request.body.get("stream_options") for request in emulator.requests]
    assert asked == [{"include_usage": True}, None, None, None]


def test_the_seal_comes_whole_and_once(emulator: Emulator, chat: Callable[..., ChatDoubao]) -> None:
    """A server that repeats the sealed reasoning must not double it."""
    sealed = event({"content": "", "reasoning_content": "", "encrypted_content": "djSEAL"})
    thought = event({"content": "", "reasoning_content": "hm"})
    events = [thought, sealed, sealed, event({"content": "x"}), STOP, "[DONE]"]
    emulator.answer(events=events, times=3)
    block = {"type": "reasoning", "reasoning": "hm", "extras": {"encrypted_content": "djSEAL"}}
    v0 = added(list(chat().stream("Go")))
    assert v0.additional_kwargs == {"reasoning_content": "hm", "encrypted_content": "djSEAL"}
    v1 = added(list(chat(output_version="v1").stream("Go")))
    v3 = chat().stream_events("Go", version="v3").output
    for message in (v0, v1, v3):
        assert {k: v for k, v in message.content_blocks[0].items() if k != "index"} == block


def test_log_probabilities_are_gathered(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    def scored(token: str) -> Any:
        return event({"content": token}, logprobs={"content": [{"token": token, "logprob": -0.5}]})

    emulator.answer(events=[scored("a"), scored("b"), STOP, "[DONE]"], times=2)
    tokens = [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -0.5}]
    full = added(list(chat().stream("Go")))
    assert full.response_metadata["logprobs"] == {"content": tokens}
    output = chat().stream_events("Go", version="v3").output
    assert output.response_metadata["logprobs"] == {"content": tokens}


def test_cut_arguments_are_an_invalid_call_in_a_whole_answer(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    emulator.answer(tool_calls=[("get_weather", '{"city": "Par')], finish_reason="length")
    message = chat().invoke("Go")
    assert message.tool_calls == []
    assert [broken["args"] for broken in message.invalid_tool_calls] == ['{"city": "Par']


async def test_tokens_reach_callbacks_of_every_view(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    from langchain_core.callbacks import BaseCallbackHandler

    class Heard(BaseCallbackHandler):
        def __init__(self) -> None:
            self.tokens: list[Any] = []

        def on_llm_new_token(self, token: Any, **_: Any) -> None:
            self.tokens.append(token)

    emulator.answer(events=[*STREAMS["text"][0], "[DONE]"], times=4)
    for view in ("stream", "events", "astream", "aevents"):
        heard = Heard()
        config = {"callbacks": [heard]}
        if view == "stream":
            list(chat().stream("Go", config))
        elif view == "events":
            list(chat().stream_events("Go", config, version="v3"))
        elif view == "astream":
            [_ async for _ in chat().astream("Go", config)]
        else:
            [_ async for _ in await chat().astream_events("Go", config, version="v3")]
        assert heard.tokens == ["Hel", "lo", ""], view


def test_bodies_are_plain_json_on_the_wire(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    """What the tests above scripted is what really arrives."""
    emulator.answer(events=[json.dumps(STREAMS["text"][0][0]), json.dumps(STOP), "[DONE]"])
    assert [chunk.content for chunk in chat().stream("Go")] == ["Hel", ""]
