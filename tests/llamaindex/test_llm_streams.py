"""What a stream promises: deltas, snapshots, usage, calls in any order, honest ends.

The numbers are those of the invariants in llamaindex.md 5; the twelfth, that leaving a stream
closes its connection, is in test_llm_leaving.py.
"""

from __future__ import annotations

from typing import Any

import pytest
from llama_index.core.base.llms.types import (
    ChatMessage,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)

from doubao_core import ContentRejected, DoubaoError, Truncated

HI = [ChatMessage(content="hi")]
USAGE = {
    "prompt_tokens": 7,
    "completion_tokens": 5,
    "total_tokens": 12,
    "prompt_tokens_details": {"cached_tokens": 3},
    "completion_tokens_details": {"reasoning_tokens": 2},
}


def event(delta: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """One event; ``finish_reason`` goes into the choice."""
    reason = {"finish_reason": more.pop("finish_reason")} if "finish_reason" in more else {}
    choices = [] if delta is None else [{"delta": delta, "index": 0, **reason}]
    return {"choices": choices, "id": "0217", "model": "m-1", "usage": None, **more}


def fragment(index: int, text: str, **named: Any) -> dict[str, Any]:
    function = {"arguments": text, **({"name": named["name"]} if "name" in named else {})}
    return {"index": index, "function": function, **({"id": named["id"]} if "id" in named else {})}


SCRIPT = [
    event({"reasoning_content": "h", "role": "assistant"}),
    event({"content": "", "reasoning_content": "m", "role": "assistant"}),
    event({"content": "", "reasoning_content": "", "encrypted_content": "djF"}),
    event({"content": "Tea "}),
    event({"content": "is green."}),
    event({"content": None, "tool_calls": [fragment(0, "", id="call_1", name="f")]}),
    event({"tool_calls": [fragment(0, ' {"a":'), fragment(1, "{", id="call_2", name="g")]}),
    event({"tool_calls": [fragment(1, "}"), fragment(0, " 1}", id="", name="")]}),
    event({"content": ""}, finish_reason="tool_calls"),
    event(usage=USAGE),
]


@pytest.fixture
def chunks(emulator, llm, stream):
    async def chunks(events: list[Any] = SCRIPT, **options: Any) -> list[Any]:
        emulator.answer(events=[*events, "[DONE]"])
        return await stream(llm, HI, **options)

    return chunks


async def test_deltas_join_to_the_final_text_and_are_never_none(chunks):
    """Invariant 1."""
    responses = await chunks()
    deltas = [response.delta for response in responses]
    assert deltas == ["", "", "", "Tea ", "is green.", "", "", "", "", ""]
    assert "".join(deltas) == responses[-1].message.content


async def test_every_chunk_holds_all_that_has_come(chunks):
    """Invariants 2, 5 and 7: also the first chunk, which has no content."""
    responses = await chunks()
    contents = [response.message.content for response in responses]
    assert contents == ["", "", "", "Tea ", *["Tea is green."] * 6]
    thoughts = [response.message.blocks[0].content for response in responses]
    assert thoughts == ["h", *["hm"] * 9]
    assert {response.message.role.value for response in responses} == {"assistant"}


async def test_chunks_are_snapshots_read_in_any_order(chunks):
    """Invariant 3."""
    responses = await chunks()
    backwards = [response.message.content for response in reversed(responses)]
    assert backwards[::-1] == ["", "", "", "Tea ", *["Tea is green."] * 6]
    first, second = responses[3].message, responses[4].message
    first.blocks[1].text = "changed by its owner"
    assert second.content == "Tea is green."
    assert responses[3].message is first


async def test_reasoning_deltas_are_where_agents_look(chunks):
    """Invariant 4."""
    responses = await chunks()
    assert [response.additional_kwargs.get("thinking_delta") for response in responses] == [
        "h",
        "m",
        *[None] * 8,
    ]


async def test_the_last_chunk_is_complete(chunks):
    """Invariants 6 and 8: two calls in one chunk, interleaved."""
    last = (await chunks())[-1]
    assert last.delta == ""
    assert last.additional_kwargs.pop("request_id").startswith("02")
    assert last.raw["usage"] == USAGE
    assert last.additional_kwargs == {
        "prompt_tokens": 7,
        "completion_tokens": 5,
        "total_tokens": 12,
        "cached_tokens": 3,
        "reasoning_tokens": 2,
        "finish_reason": "tool_calls",
        "model": "m-1",
    }
    assert last.message.blocks == [
        ThinkingBlock(
            content="hm", num_tokens=2, additional_information={"encrypted_content": "djF"}
        ),
        TextBlock(text="Tea is green."),
        ToolCallBlock(tool_call_id="call_1", tool_name="f", tool_kwargs={"a": 1}),
        ToolCallBlock(tool_call_id="call_2", tool_name="g", tool_kwargs={}),
    ]
    assert last.message.additional_kwargs["tool_calls"] == [
        {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": ' {"a": 1}'}},
        {"id": "call_2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
    ]


async def test_half_written_arguments_stay_text_and_the_key_is_absent_without_calls(chunks):
    """Invariant 9."""
    responses = await chunks()
    assert "tool_calls" not in responses[4].message.additional_kwargs
    written = [block.tool_kwargs for block in responses[6].message.blocks[2:]]
    assert written == [' {"a":', "{"]


async def test_an_index_used_again_with_another_id_is_another_call(chunks):
    """Invariant 8."""
    responses = await chunks(
        [
            event({"tool_calls": [fragment(0, '{"n":1}', id="call_1", name="f")]}),
            event({"tool_calls": [fragment(0, '{"n":', id="call_2", name="f")]}),
            event({"tool_calls": [fragment(0, "2}")]}, finish_reason="tool_calls"),
        ]
    )
    calls = responses[-1].message.blocks
    assert [(call.tool_call_id, call.tool_kwargs) for call in calls] == [
        ("call_1", {"n": 1}),
        ("call_2", {"n": 2}),
    ]
    assert responses[-1].message.content is None


async def test_an_id_that_is_named_again_belongs_to_its_call(chunks):
    """Invariant 8, for servers that count all calls as the first or count none."""
    for index in (0, None):
        responses = await chunks(
            [
                event(
                    {
                        "tool_calls": [
                            fragment(index, '{"n":', id="call_1", name="f"),
                            fragment(index, '{"n":2}', id="call_2", name="g"),
                        ]
                    }
                ),
                event(
                    {"tool_calls": [fragment(index, "1}", id="call_1")]},
                    finish_reason="tool_calls",
                ),
            ]
        )
        calls = responses[-1].message.blocks
        assert [(call.tool_call_id, call.tool_name, call.tool_kwargs) for call in calls] == [
            ("call_1", "f", {"n": 1}),
            ("call_2", "g", {"n": 2}),
        ]


async def test_calls_without_ids_keep_those_they_were_given_when_an_earlier_one_begins(chunks):
    responses = await chunks(
        [
            event({"tool_calls": [fragment(1, "{}", name="g")]}),
            event({"tool_calls": [fragment(0, "{}", name="f")]}, finish_reason="tool_calls"),
        ]
    )
    (first,) = responses[0].message.blocks
    ids = {call.tool_name: call.tool_call_id for call in responses[-1].message.blocks}
    assert ids["g"] == first.tool_call_id
    assert ids["f"] != ids["g"]


@pytest.mark.parametrize("nothing", [{}, {"content": None}, {"content": ""}, None])
async def test_absent_null_and_empty_fields_are_the_same(chunks, nothing):
    """Invariant 7."""
    empty = {"choices": [{"delta": nothing, "index": 0}]}
    first, second, *_ = await chunks(
        [empty, event({"content": "x", "tool_calls": None}, finish_reason="stop"), {"choices": []}]
    )
    assert (first.delta, first.message.content) == ("", "")
    assert (second.delta, second.message.content) == ("x", "x")


async def test_usage_in_every_chunk_is_that_of_the_moment(chunks):
    running = {**USAGE, "completion_tokens": 1, "total_tokens": 8}
    responses = await chunks(
        [
            event({"content": "x"}, usage=running),
            event({"content": ""}, finish_reason="stop", usage=USAGE),
            event(usage=USAGE),
        ]
    )
    counted = [each.additional_kwargs["completion_tokens"] for each in responses]
    assert counted == [1, 5, 5]
    assert [each.raw["usage"]["completion_tokens"] for each in responses] == counted


async def test_a_call_without_id_gets_one_that_stays(chunks):
    responses = await chunks(
        [
            event({"tool_calls": [fragment(0, "{", name="f")]}),
            event({"tool_calls": [fragment(0, "}")]}, finish_reason="tool_calls"),
        ]
    )
    ids = {response.message.blocks[0].tool_call_id for response in responses}
    assert ids == {"call_0217_0"}


async def test_without_parallel_calls_only_the_first_is_given(chunks):
    responses = await chunks(
        parallel_tool_calls=False,
        tools=[
            {
                "type": "function",
                "function": {
                    "name": "f",
                    "description": "",
                    "parameters": {"type": "object", "properties": {}},
                },
            }
        ],
    )
    assert [len(each.message.additional_kwargs.get("tool_calls", [])) for each in responses] == [
        *[0] * 5,
        *[1] * 5,
    ]
    calls = [block for block in responses[-1].message.blocks if isinstance(block, ToolCallBlock)]
    assert [call.tool_call_id for call in calls] == ["call_1"]


async def test_usage_before_the_last_event_is_repeated_at_the_end(chunks):
    responses = await chunks(
        [
            event({"content": "x"}),
            event({"content": ""}, finish_reason="stop", usage=USAGE),
            event(),
        ]
    )
    assert len(responses) == 4
    assert responses[-1].raw["usage"] == USAGE
    assert responses[-1].raw["choices"] == []
    assert responses[-1].message.content == "x"


async def test_a_stream_that_says_nothing_ends_with_its_usage(chunks):
    """Invariant 11."""
    responses = await chunks([event({}, finish_reason="stop"), event(usage=USAGE)])
    last = responses[-1]
    assert (last.delta, last.message.content, last.raw["usage"]) == ("", "", USAGE)


async def test_usage_is_asked_for_unless_told_not_to(emulator, make_llm, stream, sent):
    """Invariant 6."""
    assert (await stream(make_llm(), HI))[-1].raw["usage"]["total_tokens"] > 0
    assert (await stream(make_llm(stream_usage=False), HI))[-1].raw["usage"] is None
    assert sent()[0]["stream_options"] == {"include_usage": True}
    assert "stream_options" not in sent()[1]


async def test_log_probabilities_come_with_their_text(chunks):
    probability = {"token": "x", "bytes": [120], "logprob": -0.5, "top_logprobs": []}
    scored = event({"content": "x"}, finish_reason="stop")
    scored["choices"][0]["logprobs"] = {"content": [probability]}
    (first,) = await chunks([scored], logprobs=True, model="doubao-1-5-pro-32k-250115")
    ((token,),) = first.logprobs
    assert (token.token, token.logprob, token.bytes) == ("x", -0.5, [120])


@pytest.mark.parametrize(
    "events",
    [
        [event({"content": "Tea "})],
        [event({"content": "Tea "}), "[DONE]"],
        [event({"content": "Tea ", "tool_calls": [fragment(0, "{", id="c", name="f")]}), "[DONE]"],
    ],
    ids=["no end marker", "no finish reason", "half a call"],
)
async def test_a_cut_stream_raises_with_the_text_that_came(emulator, llm, stream, events):
    """Invariant 10."""
    emulator.answer(events=events)
    with pytest.raises(Truncated) as caught:
        await stream(llm, HI)
    assert caught.value.partial == "Tea "


async def test_a_stream_is_asked_for_again_only_before_its_first_chunk(
    emulator, make_llm, stream, sent
):
    llm = make_llm(max_retries=2)
    emulator.answer(events=[event({"content": "Tea "})])
    with pytest.raises(Truncated):
        await stream(llm, HI)
    assert len(sent()) == 1
    with emulator.fault("rate_limit", retry_after=0, times=2):
        assert (await stream(llm, HI))[-1].message.content
    assert len(sent()) == 1 + 3


async def test_a_cut_completion_raises_with_the_text_that_came(emulator, llm):
    """Invariant 10."""
    emulator.answer(events=[event({"content": "Tea "})], times=2)
    with pytest.raises(Truncated) as caught:
        list(llm.stream_complete("hi"))
    assert caught.value.partial == "Tea "
    with pytest.raises(Truncated) as caught:
        _ = [each async for each in await llm.astream_complete("hi")]
    assert caught.value.partial == "Tea "


async def test_half_a_call_without_text_is_cut_too(emulator, llm, stream):
    emulator.answer(
        events=[event({"tool_calls": [fragment(0, '{"a":', id="c", name="f")]}), "[DONE]"]
    )
    with pytest.raises(Truncated):
        await stream(llm, HI)


async def test_an_error_in_the_stream_is_raised_with_code_and_text(emulator, llm, stream):
    """Invariant 10."""
    code = "OutputTextSensitiveContentDetected"
    failure = {"error": {"code": code, "message": "Blocked. Request id: 0217abc"}}
    emulator.answer(events=[event({"content": "Tea "}), failure])
    with pytest.raises(ContentRejected) as caught:
        await stream(llm, HI)
    assert (caught.value.code, caught.value.request_id) == (code, "0217abc")
    assert caught.value.partial == "Tea "


async def test_bytes_after_the_end_are_ignored(emulator, llm, stream):
    """Invariant 10."""
    emulator.answer(events=[event({"content": "x"}, finish_reason="stop"), "[DONE]", "rubbish"])
    assert (await stream(llm, HI))[-1].message.content == "x"


async def test_a_request_that_fails_raises_before_any_chunk(emulator, llm, stream):
    with emulator.fault("server_error"), pytest.raises(DoubaoError) as caught:
        await stream(llm, HI)
    assert caught.value.status == 500


async def test_completions_stream_the_same_with_the_reasoning_beside(emulator, llm):
    emulator.answer(events=[*SCRIPT, "[DONE]"], times=2)
    blocking = list(llm.stream_complete("hi"))
    awaited = [each async for each in await llm.astream_complete("hi")]
    for each in (*blocking, *awaited):
        each.additional_kwargs.pop("request_id", None)
    assert blocking == awaited
    assert "".join(each.delta for each in blocking) == blocking[-1].text == "Tea is green."
    assert blocking[0].additional_kwargs["thinking_delta"] == "h"
    assert blocking[-1].additional_kwargs["thinking"] == "hm"


async def test_calls_stand_in_the_order_of_their_indices(chunks):
    responses = await chunks(
        [
            event({"tool_calls": [fragment(1, "{}", id="call_2", name="g")]}),
            event({"tool_calls": [fragment(0, "{}", id="call_1", name="f")]}),
            event({"content": ""}, finish_reason="tool_calls"),
        ]
    )
    message = responses[-1].message
    assert [block.tool_call_id for block in message.blocks] == ["call_1", "call_2"]
    legacy = message.additional_kwargs["tool_calls"]
    assert [call["id"] for call in legacy] == ["call_1", "call_2"]
