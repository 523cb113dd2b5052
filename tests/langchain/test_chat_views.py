"""One answer, many views: each way to ask for it ends in the same message.

The views: the sum of the chunks (v0), the sum of content blocks (``output_version="v1"``), protocol
events (v3), ``astream_events`` (v2), ``invoke`` while streaming, and the same answer sent whole.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, AIMessageChunk

if TYPE_CHECKING:
    from doubao_emulator import Emulator

# Core calls its own v3 events a beta.
pytestmark = pytest.mark.filterwarnings("ignore:.*is in beta")

USAGE = {
    "prompt_tokens": 10,
    "completion_tokens": 7,
    "total_tokens": 17,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 3},
}
HEAD = {
    "id": "0217abc",
    "created": 1790000000,
    "model": "doubao-seed-2-1-pro-260915",
    "service_tier": "default",
}


def event(delta: dict[str, Any], *, usage: dict[str, Any] | None = None, **choice: Any) -> Any:
    choices = [{"index": 0, "delta": {"role": "assistant", **delta}, **choice}]
    return {**HEAD, "object": "chat.completion.chunk", "choices": choices, "usage": usage}


def call(arguments: str | None, **fields: Any) -> dict[str, Any]:
    """Make a delta with one fragment of a tool call; ``name`` goes into its function."""
    name = {"name": fields.pop("name")} if "name" in fields else {}
    function = {**name, **({} if arguments is None else {"arguments": arguments})}
    return {"content": "", "tool_calls": [{"function": function, **fields}]}


def opened(index: int = 0, id_: str = "call_1", name: str = "get_weather") -> dict[str, Any]:
    return call("", id=id_, name=name, index=index, type="function")


def piece(arguments: str, **fields: Any) -> Any:
    return event(call(arguments, index=0, **fields))


def thought(text: str, **fields: Any) -> Any:
    return event({"content": "", "reasoning_content": text, **fields})


def says(text: str, **fields: Any) -> Any:
    return event({"content": text}, **fields)


def ended(reason: str) -> Any:
    return event({"content": ""}, finish_reason=reason)


STOP, CALLS, OPENED = ended("stop"), ended("tool_calls"), event(opened())
SEALED = thought("", encrypted_content="djSEAL")
USAGE_EVENT = {**event({}), "choices": [], "usage": USAGE}
PARIS = ("get_weather", '{"city": "Paris"}', "call_1")
ROME = ("get_time", '{"city": "Rome"}', "call_2")


def means(
    text: str = "",
    *calls: tuple[str, str, str],
    reasoning: str = "",
    seal: str = "",
    reason: str = "",
) -> dict[str, Any]:
    """Say what a stream means: what the same answer has when it is sent whole."""
    return {
        "text": text,
        "reasoning": reasoning,
        "seal": seal,
        "calls": calls,
        "reason": reason or ("tool_calls" if calls else "stop"),
    }


def counted(completion: int) -> dict[str, Any]:
    return {**USAGE, "completion_tokens": completion, "total_tokens": 10 + completion}


# What a stream means, and its events.
STREAMS: dict[str, tuple[Any, ...]] = {
    "text": (means("Hello"), says("Hel"), says("lo"), STOP),
    "deltas with a role only, and with nulls": (
        means("Hello"),
        event({}),
        event({"content": None, "reasoning_content": None, "tool_calls": None}),
        says("Hello"),
        STOP,
    ),
    "reasoning then text": (
        means("Done", reasoning="Let me think."),
        thought("Let me "),
        thought("think."),
        event({"content": "Done", "reasoning_content": ""}),
        STOP,
    ),
    "reasoning, its seal, text": (
        means("Done", reasoning="Hm.", seal="djSEAL"),
        thought("Hm."),
        SEALED,
        says("Done"),
        STOP,
    ),
    "a seal on every event from then on": (
        means("Done", reasoning="Hm.", seal="djSEAL"),
        thought("Hm."),
        SEALED,
        SEALED,
        event({"content": "Done", "encrypted_content": "djSEAL"}),
        STOP,
    ),
    "a seal without a summary, then a tool call": (
        means("", PARIS, seal="djSEAL"),
        SEALED,
        OPENED,
        piece(PARIS[1]),
        CALLS,
    ),
    "reasoning and text in one delta": (
        means("Yes", reasoning="Easy."),
        event({"content": "Yes", "reasoning_content": "Easy."}),
        STOP,
    ),
    "reasoning then a tool call": (
        means("", PARIS, reasoning="I need the weather.", seal="djSEAL"),
        thought("I need the weather."),
        SEALED,
        OPENED,
        piece(' {"city":'),
        piece(' "Paris"}'),
        CALLS,
    ),
    "text and a tool fragment in one delta": (
        means("Let me check. Now.", PARIS),
        event({**opened(), "content": "Let me check."}),
        event({**call(PARIS[1], index=0), "content": " Now."}),
        CALLS,
    ),
    "everything in one delta, with the finish reason": (
        means("Checking.", PARIS, reasoning="Weather.", seal="djSEAL"),
        event(
            {
                **call(PARIS[1], index=0, id="call_1", name="get_weather"),
                "content": "Checking.",
                "reasoning_content": "Weather.",
                "encrypted_content": "djSEAL",
            },
            finish_reason="tool_calls",
        ),
    ),
    "two whole calls in one delta, with the finish reason": (
        means("", PARIS, ROME),
        event(
            {
                "content": "",
                "tool_calls": [
                    {"index": place, "id": id_, "function": {"name": name, "arguments": text}}
                    for place, (name, text, id_) in enumerate((PARIS, ROME))
                ],
            },
            finish_reason="tool_calls",
        ),
    ),
    "empty ids and names on continuations": (
        means("", PARIS),
        OPENED,
        piece('{"city": ', id="", name="", type=""),
        piece('"Paris"}', id="", name="", type=""),
        CALLS,
    ),
    "repeated ids and names": (
        means("", PARIS),
        OPENED,
        piece('{"city": ', id="call_1", name="get_weather"),
        piece('"Paris"}', id="call_1", name="get_weather"),
        CALLS,
    ),
    "null ids and names": (means("", PARIS), OPENED, piece(PARIS[1], id=None, name=None), CALLS),
    "no index at all": (
        means("", PARIS, ROME),
        event(call('{"city": ', id="call_1", name="get_weather")),
        event(call('"Paris"}')),
        event(call('{"city": "Rome"', id="call_2", name="get_time")),
        event(call("}")),
        CALLS,
    ),
    "index 0 for every call": (
        means("", PARIS, ROME),
        OPENED,
        piece(PARIS[1]),
        event(opened(0, "call_2", "get_time")),
        piece(ROME[1]),
        CALLS,
    ),
    "indices with gaps": (
        means("", PARIS, ROME),
        event(opened(3)),
        event(call(PARIS[1], index=3)),
        event(opened(7, "call_2", "get_time")),
        event(call(ROME[1], index=7)),
        CALLS,
    ),
    "two interleaved calls": (
        means("", PARIS, ROME),
        OPENED,
        event(opened(1, "call_2", "get_time")),
        piece('{"city": "Par'),
        event(call('{"city": "Rome"}', index=1)),
        piece('is"}'),
        CALLS,
    ),
    "id and name one after the other": (
        means("", PARIS),
        piece("", id="call_1"),
        piece('{"city":', name="get_weather"),
        piece(' "Paris"}'),
        CALLS,
    ),
    "objects inside of arguments": (
        means("", ("get_weather", '{"a": 123, "b": [{"c": "}"}]}', "call_1")),
        OPENED,
        piece('{"a": 1'),
        piece("23, "),
        piece('"b": ['),
        piece('{"c": "}"}'),
        piece("]}"),
        CALLS,
    ),
    "raw line breaks in arguments": (
        means("", ("get_weather", '{"text": "say \\"a\\n\\tb\\\\"}', "call_1")),
        OPENED,
        piece('{\n  "text": "say \\"a\n'),
        piece('\tb\\\\"\n'),
        piece("}\n"),
        CALLS,
    ),
    "a call without arguments": (
        means("", ("now", "", "call_1")),
        event(opened(name="now")),
        CALLS,
    ),
    "a call with a blank for arguments": (
        means("", ("now", " ", "call_1")),
        event(opened(name="now")),
        piece(" "),
        CALLS,
    ),
    "a call without an id": (
        means("", ("get_weather", PARIS[1], "")),
        piece(PARIS[1], name="get_weather"),
        CALLS,
    ),
    "usage on every event": (
        means("ab"),
        says("a", usage=counted(5)),
        says("b", usage=counted(6)),
        says("", usage=USAGE, finish_reason="stop"),
    ),
    "the finish reason on every event": (
        means("ab"),
        says("a", finish_reason="stop"),
        says("b"),
        STOP,
        STOP,
    ),
    "two different finish reasons": (means("", PARIS), OPENED, piece(PARIS[1]), CALLS, STOP),
    "cut off by the limit": (means("Once", reason="length"), says("Once"), ended("length")),
    "cut off by the content filter": (
        means("Once", reasoning="Hm.", reason="content_filter"),
        thought("Hm."),
        says("Once"),
        ended("content_filter"),
    ),
    "nothing": (means(), STOP),
}


def whole(meaning: dict[str, Any]) -> dict[str, Any]:
    message = {
        "role": "assistant",
        "content": meaning["text"],
        "reasoning_content": meaning["reasoning"],
        "encrypted_content": meaning["seal"],
        "tool_calls": [
            {"id": id_, "type": "function", "function": {"name": name, "arguments": text}}
            for name, text, id_ in meaning["calls"]
        ],
    }
    choice = {"index": 0, "finish_reason": meaning["reason"], "message": message}
    return {**HEAD, "object": "chat.completion", "choices": [choice], "usage": USAGE}


def summary(message: AIMessage) -> dict[str, Any]:
    """Say all that a message says, and how its blocks say it again."""
    blocks = message.content_blocks
    thoughts = [block for block in blocks if block["type"] == "reasoning"]
    metadata = {k: v for k, v in message.response_metadata.items() if k != "output_version"}
    # The front door of the service gives it; each request has its own.
    assert metadata.pop("request_id").startswith("02")
    return {
        "text": str(message.text),
        "reasoning": "".join(block["reasoning"] for block in thoughts),
        "seal": "".join(block.get("extras", {}).get("encrypted_content", "") for block in thoughts),
        "beside": message.additional_kwargs,
        "calls": [(call["name"], call["args"], call["id"]) for call in message.tool_calls],
        "invalid": message.invalid_tool_calls,
        "blocks": [
            (block["type"], block["name"], block["args"], block["id"])
            if block["type"] == "tool_call"
            else block["type"]
            for block in blocks
        ],
        "usage": message.usage_metadata,
        "metadata": metadata,
    }


def expected(meaning: dict[str, Any]) -> dict[str, Any]:
    calls = [
        (tool, json.loads(text.strip() or "{}"), id_ or "call_0217abc_0")
        for tool, text, id_ in meaning["calls"]
    ]
    text, reasoning, seal = meaning["text"], meaning["reasoning"], meaning["seal"]
    kinds = (("reasoning", reasoning or seal), ("text", text))
    beside = {"reasoning_content": reasoning, "encrypted_content": seal}
    return {
        "text": text,
        "reasoning": reasoning,
        "seal": seal,
        "beside": {name: value for name, value in beside.items() if value},
        "calls": calls,
        "invalid": [],
        "blocks": [
            *(kind for kind, value in kinds if value),
            *(("tool_call", *call) for call in calls),
        ],
        "usage": {
            "input_tokens": 10,
            "output_tokens": 7,
            "total_tokens": 17,
            "input_token_details": {"cache_read": 4},
            "output_token_details": {"reasoning": 3},
        },
        "metadata": {
            "model_provider": "doubao",
            "model_name": HEAD["model"],
            "finish_reason": meaning["reason"],
            "id": HEAD["id"],
            "created": HEAD["created"],
            "service_tier": "default",
        },
    }


@pytest.mark.parametrize("name", STREAMS)
async def test_all_views_give_the_same_message(name: str, views: Any) -> None:
    meaning, *events = STREAMS[name]
    wanted = expected(meaning)
    for view, message in (await views.streamed([*events, USAGE_EVENT, "[DONE]"])).items():
        assert summary(message) == wanted, f"streamed: {view}"
    for view, message in (await views.whole(whole(meaning))).items():
        assert summary(message) == wanted, f"whole: {view}"


def state(chunk: AIMessageChunk) -> Any:
    # Each answer has a request id of its own.
    chunk.response_metadata.pop("request_id", None)
    return type(chunk), list(chunk.__dict__), chunk.__getstate__()


@pytest.mark.parametrize("name", STREAMS)
async def test_chunks_are_the_same_whether_or_not_a_handler_listens(
    name: str, emulator: Emulator, chat: Any
) -> None:
    emulator.answer(events=[*STREAMS[name][1:], USAGE_EVENT, "[DONE]"], times=4)
    model, named, ways = chat(), {"run_id": UUID(int=7)}, []
    for config in (named, {**named, "callbacks": [BaseCallbackHandler()]}):
        ways.append([state(chunk) for chunk in model.stream("Go", config)])
        ways.append([state(chunk) async for chunk in model.astream("Go", config)])
    assert ways[0] == ways[1] == ways[2] == ways[3]
    assert ways[0][0][2]["__dict__"]["id"] == f"lc_run--{UUID(int=7)}"
