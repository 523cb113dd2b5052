"""Whole answers: tool calls as they come, and content blocks that say nothing twice."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage


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
async def test_arguments_are_read(arguments: str, wanted: Any, views: Any) -> None:
    """Line breaks inside strings and blanks around objects occur (ark.md 4.4)."""
    body = reply(content="", tool_calls=[called(arguments, id="1")])
    for view, message in (await views.whole(body)).items():
        assert [call["args"] for call in message.tool_calls] == [wanted], view
        assert message.invalid_tool_calls == [], view


@pytest.mark.parametrize("arguments", ['{"a": 1', "[1]", "none", '{"a":' + "[" * 100_000])
async def test_arguments_that_are_no_object_make_an_invalid_call(
    arguments: str, views: Any
) -> None:
    body = reply(content="", tool_calls=[called(arguments, id="1")])
    for view, message in (await views.whole(body)).items():
        assert message.tool_calls == [], view
        (broken,) = message.invalid_tool_calls
        assert (broken["name"], broken["args"], broken["id"]) == ("f", arguments, "1"), view
        assert "JSON object" in broken["error"], view


async def test_calls_without_ids_get_the_same_ids_each_time(views: Any) -> None:
    body = reply(content=None, tool_calls=[called("{}"), called("{}", id=""), called("{}", id="9")])
    for view, message in (await views.whole(body)).items():
        ids = [call["id"] for call in message.tool_calls]
        assert ids == ["call_0217abc_0", "call_0217abc_1", "9"], view


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


async def test_what_describes_the_answer_is_beside_it(views: Any) -> None:
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
    for view, message in (await views.whole(body)).items():
        metadata = dict(message.response_metadata)
        assert metadata.pop("request_id"), view
        metadata.pop("output_version", None)
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
        }, view
