"""Whole answers: tool calls as they come, and content blocks that say nothing twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage

if TYPE_CHECKING:
    from collections.abc import Callable

    from doubao_emulator import Emulator
    from langchain_doubao import ChatDoubao


def reply(**message: Any) -> dict[str, Any]:
    return {
        "id": "0217abc",
        "model": "m",
        "choices": [{"index": 0, "finish_reason": "tool_calls", "message": message}],
    }


def called(arguments: str, **fields: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "f", "arguments": arguments}, **fields}


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [('{"a": 1}', {"a": 1}), (' {"a": "x\ny"}', {"a": "x\ny"}), ("", {}), (" ", {}), ("{}", {})],
)
async def test_arguments_are_read(
    arguments: str, wanted: Any, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    """Line breaks inside strings and blanks around objects occur (ark.md 4.4)."""
    emulator.answer(body=reply(content="", tool_calls=[called(arguments, id="1")]), times=2)
    for message in (chat().invoke("Go"), await chat().ainvoke("Go")):
        assert [call["args"] for call in message.tool_calls] == [wanted]
        assert message.invalid_tool_calls == []


@pytest.mark.parametrize("arguments", ['{"a": 1', "[1]", "none"])
def test_arguments_that_are_no_object_make_an_invalid_call(
    arguments: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    emulator.answer(body=reply(content="", tool_calls=[called(arguments, id="1")]))
    message = chat().invoke("Go")
    assert message.tool_calls == []
    (broken,) = message.invalid_tool_calls
    assert (broken["name"], broken["args"], broken["id"]) == ("f", arguments, "1")
    assert "JSON object" in broken["error"]


def test_calls_without_ids_get_the_same_ids_each_time(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    calls = [called("{}"), called("{}", id=""), called("{}", id="call_9")]
    emulator.answer(body=reply(content=None, tool_calls=calls), times=2)
    ids = [[call["id"] for call in chat().invoke("Go").tool_calls] for _ in range(2)]
    assert ids == [["call_0217abc_0", "call_0217abc_1", "call_9"]] * 2


def test_blocks_in_the_content_are_not_repeated_from_elsewhere() -> None:
    """As when content blocks were stored as content, beside what they were made from."""
    blocks = [
        {"type": "reasoning", "reasoning": "hm"},
        {"type": "text", "text": "Hi"},
        {"type": "tool_call", "id": "1", "name": "f", "args": {}},
    ]
    message = AIMessage(
        blocks,
        additional_kwargs={"reasoning_content": "hm"},
        tool_calls=[{"id": "1", "name": "f", "args": {}}],
        response_metadata={"model_provider": "doubao"},
    )
    assert message.content_blocks == blocks


def test_a_call_without_an_id_is_a_block_too() -> None:
    message = AIMessage(
        "",
        tool_calls=[{"id": None, "name": "f", "args": {}}],
        response_metadata={"model_provider": "doubao"},
    )
    assert message.content_blocks == [{"type": "tool_call", "id": None, "name": "f", "args": {}}]


def test_what_describes_the_answer_is_beside_it(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    body = {
        **reply(content="Hi"),
        "created": 1790000000,
        "service_tier": "flex",
        "service_status": {"model_fallback": {"fallback_triggered": True}},
    }
    body["choices"][0] |= {
        "finish_reason": "content_filter",
        "moderation_hit_type": "violence",
        "logprobs": {"content": []},
    }
    emulator.answer(body=body)
    metadata = chat().invoke("Go").response_metadata
    assert metadata.pop("request_id")
    assert metadata == {
        "model_provider": "doubao",
        "model_name": "m",
        "finish_reason": "content_filter",
        "id": "0217abc",
        "created": 1790000000,
        "service_tier": "flex",
        "service_status": {"model_fallback": {"fallback_triggered": True}},
        "moderation_hit_type": "violence",
        "logprobs": {"content": []},
    }
