"""Function calling: what is sent, what is read, and what is done with bad arguments."""

from __future__ import annotations

import logging
from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, TextBlock, ToolCallBlock
from llama_index.core.tools import FunctionTool

from doubao_core import ConfigError
from llamaindex_doubao.messages import wire_messages

if TYPE_CHECKING:
    from llamaindex_doubao import Doubao


def weather(city: str) -> str:
    """Weather of a city."""
    return f"It is sunny in {city}."


def clock() -> str:
    """Time of day."""
    return "noon"


WEATHER = FunctionTool.from_defaults(fn=weather)
CLOCK = FunctionTool.from_defaults(fn=clock)
ODD = FunctionTool.from_defaults(fn=weather, name="weather.of[city]", description="x" * 2000)
NAMED = {"type": "function", "function": {"name": "weather"}}


@pytest.mark.parametrize(
    ("choice", "required", "wire"),
    [
        (None, False, None),
        (None, True, "required"),
        ("auto", True, "auto"),
        ("none", False, "none"),
        ("required", False, "required"),
        ("any", False, "required"),
        ("weather", False, NAMED),
        (NAMED, False, NAMED),
    ],
)
def test_forms_of_tool_choice(llm, choice, required, wire):
    request = llm._prepare_chat_with_tools(
        [WEATHER, CLOCK], user_msg="hi", tool_choice=choice, tool_required=required
    )
    assert request.get("tool_choice") == wire
    assert ("tool_choice" in request) is (wire is not None)


def test_a_choice_that_names_no_tool_lists_the_tools(llm):
    with pytest.raises(ConfigError, match="'nope'; the tools are 'weather', 'clock'"):
        llm._prepare_chat_with_tools([WEATHER, CLOCK], user_msg="hi", tool_choice="nope")


def test_two_tools_with_one_name_on_the_wire_are_refused(llm):
    twins = [FunctionTool.from_defaults(fn=weather, name=name) for name in ("a.b", "a b")]
    with pytest.raises(ConfigError, match=r"'a\.b' and 'a b'"):
        llm._prepare_chat_with_tools(twins, user_msg="hi")


async def test_a_name_that_is_too_long_for_the_wire_is_cut_and_given_back(llm, sent):
    name = "weather_of_" + "a_very_long_place_" * 5
    tool = FunctionTool.from_defaults(fn=weather, name=name)
    for response in await with_tools(llm, [tool], user_msg="Weather?", tool_choice=name):
        (call,) = llm.get_tool_calls_from_response(response)
        assert call.tool_name == name
    for body in sent():
        assert body["tools"][0]["function"]["name"] == name[:64]
        assert body["tool_choice"]["function"]["name"] == name[:64]


def test_without_tools_nothing_of_them_is_sent(llm, sent):
    history = [ChatMessage(content="first")]
    llm.chat_with_tools([], user_msg=ChatMessage(content="second"), chat_history=history)
    (body,) = sent()
    assert body.keys() == {"model", "messages"}
    assert [message["content"] for message in body["messages"]] == ["first", "second"]
    assert len(history) == 1


@pytest.mark.parametrize(
    ("own", "allowed", "expected"),
    [(None, True, True), (None, False, False), (False, True, False), (True, False, False)],
)
def test_parallel_calls_need_both_to_allow_them(make_llm, sent, own, allowed, expected):
    llm = make_llm(parallel_tool_calls=own)
    llm.chat_with_tools([WEATHER], user_msg="hi", allow_parallel_tool_calls=allowed)
    assert sent()[0]["parallel_tool_calls"] is expected


async def test_names_the_wire_cannot_carry_come_back_as_they_were(emulator, llm, sent):
    emulator.answer(tool_calls=[("weather_of_city_", {"city": "Paris"})], times=2)
    whole = llm.chat_with_tools([ODD], user_msg="Weather?")
    *_, last = llm.stream_chat_with_tools([ODD], user_msg="Weather?")
    for response in (whole, last):
        (call,) = llm.get_tool_calls_from_response(response)
        assert (call.tool_name, call.tool_kwargs) == ("weather.of[city]", {"city": "Paris"})
    assert sent()[0]["tools"][0]["function"]["name"] == "weather_of_city_"
    assert "tool_names" not in sent()[0]
    llm.chat([ChatMessage(content="Weather?"), last.message, result(call.tool_id, "sun")])
    assert sent()[-1]["messages"][1]["tool_calls"][0]["function"]["name"] == "weather_of_city_"


def result(call_id: str, text: str) -> ChatMessage:
    return ChatMessage(role="tool", content=text, additional_kwargs={"tool_call_id": call_id})


async def test_predict_and_call_calls_the_tool(llm):
    question = "What is the weather in Paris?"
    assert str(llm.predict_and_call([WEATHER], user_msg=question)) == "It is sunny in Paris."
    assert str(await llm.apredict_and_call([WEATHER], user_msg=question)) == "It is sunny in Paris."


async def with_tools(llm: Doubao, tools: Any, **options: Any) -> list[ChatResponse]:
    """Ask by all four methods; gives the last response of each."""
    return [
        llm.chat_with_tools(tools, **options),
        await llm.achat_with_tools(tools, **options),
        list(llm.stream_chat_with_tools(tools, **options))[-1],
        [each async for each in await llm.astream_chat_with_tools(tools, **options)][-1],
    ]


@pytest.mark.parametrize("thinking", ["enabled", "disabled"])
@pytest.mark.parametrize(
    ("options", "choice", "parallel"),
    [
        ({}, None, False),
        ({"allow_parallel_tool_calls": True}, None, True),
        ({"tool_required": True}, "required", False),
        ({"tool_choice": "any"}, "required", False),
        ({"tool_choice": "none"}, "none", False),
        ({"tool_choice": "weather", "tool_required": True}, NAMED, False),
        ({"tool_choice": NAMED}, NAMED, False),
    ],
)
async def test_choices_are_sent_by_every_method(
    make_llm, sent, thinking, options, choice, parallel
):
    llm = make_llm(thinking=thinking)
    await with_tools(llm, [WEATHER, CLOCK], user_msg="What is the weather in Paris?", **options)
    assert len(sent()) == 4
    for body in sent():
        assert body.get("tool_choice") == choice
        assert body["parallel_tool_calls"] is parallel
        assert [tool["function"]["name"] for tool in body["tools"]] == ["weather", "clock"]
        assert body["thinking"] == {"type": thinking}


async def test_every_method_gives_the_same_calls(emulator, llm):
    calls = [("weather", {"city": "Paris"}), ("clock", {})]
    emulator.answer(reasoning="hm", tool_calls=calls, times=4)
    question = {"user_msg": "?", "allow_parallel_tool_calls": True}
    for response in await with_tools(llm, [WEATHER, CLOCK], **question):
        found = llm.get_tool_calls_from_response(response)
        assert [(call.tool_name, call.tool_kwargs) for call in found] == calls
        legacy = response.message.additional_kwargs["tool_calls"]
        assert [call["id"] for call in legacy] == [call.tool_id for call in found]


async def test_neither_history_nor_options_are_changed(llm):
    history = [ChatMessage(role="system", content="Be exact.")]
    choice = {"type": "function", "function": {"name": "weather"}}
    asked = {"user_msg": "Weather?", "chat_history": history, "tool_choice": choice}
    await with_tools(llm, [WEATHER], **asked)
    assert history == [ChatMessage(role="system", content="Be exact.")]
    assert choice == NAMED
    assert asked["chat_history"] is history


async def test_one_call_is_kept_in_blocks_and_list_unless_more_are_allowed(emulator, llm):
    two = [("weather", {"city": "Paris"}), ("clock", {})]
    tools = [WEATHER, CLOCK]
    emulator.answer(tool_calls=two, times=5)
    one = [
        llm.chat_with_tools(tools, user_msg="?"),
        await llm.achat_with_tools(tools, user_msg="?"),
        list(llm.stream_chat_with_tools(tools, user_msg="?"))[-1],
        [each async for each in await llm.astream_chat_with_tools(tools, user_msg="?")][-1],
    ]
    for response in one:
        assert [call.tool_name for call in llm.get_tool_calls_from_response(response)] == [
            "weather"
        ]
        assert len(response.message.additional_kwargs["tool_calls"]) == 1
    both = llm.chat_with_tools(tools, user_msg="?", allow_parallel_tool_calls=True)
    assert [call.tool_name for call in llm.get_tool_calls_from_response(both)] == [
        "weather",
        "clock",
    ]


def test_a_response_made_elsewhere_is_cut_to_one_call_without_changing_it(llm):
    blocks = [TextBlock(text="x"), *(ToolCallBlock(tool_call_id=i, tool_name="f") for i in "ab")]
    legacy = [{"id": i, "function": {"name": "f", "arguments": "{}"}} for i in "ab"]
    response = ChatResponse(
        message=ChatMessage(
            role="assistant", blocks=blocks, additional_kwargs={"tool_calls": legacy}
        )
    )
    kept = llm._validate_chat_with_tools_response(response, [WEATHER])
    assert [type(block).__name__ for block in kept.message.blocks] == ["TextBlock", "ToolCallBlock"]
    assert kept.message.additional_kwargs["tool_calls"] == legacy[:1]
    assert len(response.message.blocks) == 3
    allowed = llm._validate_chat_with_tools_response(
        response, [WEATHER], allow_parallel_tool_calls=True
    )
    assert allowed is response


def calling(arguments: Any, **facts: Any) -> ChatResponse:
    block = ToolCallBlock(tool_call_id="call_1", tool_name="f", tool_kwargs=arguments)
    message = ChatMessage(role="assistant", blocks=[block])
    return ChatResponse(message=message, additional_kwargs=facts)


@pytest.mark.parametrize(
    ("arguments", "parsed"),
    [
        ("", {}),
        ("{", {}),
        ('{"city": ', {}),
        ('{"city": "Pa', {"city": "Pa"}),
        (' {"city": "Paris", "da', {"city": "Paris"}),
        ({"city": "Paris"}, {"city": "Paris"}),
    ],
)
def test_half_written_arguments_are_given_as_far_as_they_go(llm, caplog, arguments, parsed):
    (call,) = llm.get_tool_calls_from_response(calling(arguments), error_on_no_tool_call=False)
    assert call.tool_kwargs == parsed
    assert not caplog.records


async def test_finished_arguments_that_are_no_object_stay_visible(emulator, llm, caplog):
    emulator.answer(tool_calls=[("weather", '{"city": Paris}')], times=4)
    for response in await with_tools(llm, [WEATHER], user_msg="Weather?"):
        (block,) = [each for each in response.message.blocks if isinstance(each, ToolCallBlock)]
        assert block.tool_kwargs == '{"city": Paris}'
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            (call,) = llm.get_tool_calls_from_response(response, error_on_no_tool_call=False)
        assert call.tool_kwargs == {}
        assert '{"city": Paris}' in caplog.text
        with pytest.raises(ValueError, match="no JSON object"):
            llm.get_tool_calls_from_response(response)


def test_a_call_of_another_provider_without_an_id_has_the_one_that_is_sent(llm):
    block = ToolCallBlock(tool_name="f", tool_kwargs={})
    message = ChatMessage(role="assistant", blocks=[block])
    (call,) = llm.get_tool_calls_from_response(ChatResponse(message=message))
    (wire,) = wire_messages([message])
    assert call.tool_id == wire["tool_calls"][0]["id"]


def test_no_arguments_at_all_are_an_empty_object(llm):
    (call,) = llm.get_tool_calls_from_response(calling("", finish_reason="tool_calls"))
    assert call.tool_kwargs == {}


def test_no_call_is_an_error_only_when_asked_to_be(emulator, llm):
    emulator.answer("I would rather talk.", finish_reason="content_filter")
    response = llm.chat_with_tools([WEATHER], user_msg="hi")
    assert llm.get_tool_calls_from_response(response, error_on_no_tool_call=False) == []
    with pytest.raises(ValueError, match=r"content_filter.*I would rather talk"):
        llm.get_tool_calls_from_response(response)


@pytest.mark.parametrize(
    "call",
    [
        {"id": "call_9", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
        SimpleNamespace(id="call_9", function=SimpleNamespace(name="f", arguments='{"a":1}')),
    ],
    ids=["dict", "object"],
)
def test_legacy_calls_are_read_where_there_are_no_blocks(llm, call):
    message = ChatMessage(role="assistant", additional_kwargs={"tool_calls": [call]})
    (found,) = llm.get_tool_calls_from_response(ChatResponse(message=message))
    assert (found.tool_id, found.tool_name, found.tool_kwargs) == ("call_9", "f", {"a": 1})


async def test_reasoning_goes_back_with_the_results_and_is_accepted(emulator, llm, ask, sent):
    """The emulator seals the reasoning of this model and refuses what was tampered with."""
    question = ChatMessage(content="What is the weather in Paris?")
    first = await ask(llm, [question], tools=[WEATHER.metadata.to_openai_tool()])
    stored = ChatMessage.model_validate_json(first.message.model_dump_json())
    (call,) = llm.get_tool_calls_from_response(ChatResponse(message=stored))
    answer = await ask(llm, [question, stored, result(call.tool_id, "It rains tea.")])
    thinking = first.message.blocks[0]
    assert (
        sent()[1]["messages"][1]["encrypted_content"]
        == (thinking.additional_information["encrypted_content"])
    )
    assert sent()[1]["messages"][1]["reasoning_content"] == thinking.content
    assert "It rains tea." in answer.message.content


def test_arguments_of_another_type_than_text_are_none_of_a_tool(llm):
    call = {"id": "c", "function": {"name": "f", "arguments": [1]}}
    message = ChatMessage(role="assistant", additional_kwargs={"tool_calls": [call]})
    for facts in ({}, {"finish_reason": "stop"}):
        response = ChatResponse(message=message, additional_kwargs=facts)
        (selection,) = llm.get_tool_calls_from_response(response, error_on_no_tool_call=False)
        assert selection.tool_kwargs == {}
        with pytest.raises(ValueError, match=r"no JSON object: \[1\]"):
            llm.get_tool_calls_from_response(response)


@pytest.mark.parametrize("blocking", [True, False])
async def test_long_arguments_that_come_in_are_not_kept_once_for_each_chunk(
    emulator, llm, blocking
):
    text = '{"text": "' + "word " * 8_000 + '"}'
    pieces = [text[at : at + 10] for at in range(0, len(text), 10)]
    calls = [{"index": 0, "id": "c", "function": {"name": "f", "arguments": ""}}]
    calls += [{"index": 0, "function": {"arguments": piece}} for piece in pieces]
    events = [{"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]} for call in calls]
    events[-1]["choices"][0]["finish_reason"] = "tool_calls"
    emulator.answer(events=[*events, "[DONE]"])
    if blocking:
        responses = list(llm.stream_chat([ChatMessage(content="?")]))
    else:
        stream = await llm.astream_chat([ChatMessage(content="?")])
        responses = [each async for each in stream]
    kept = [
        selection.tool_kwargs.get("text", "")
        for response in responses
        for selection in llm.get_tool_calls_from_response(response, error_on_no_tool_call=False)
    ]
    assert len(kept) == len(responses) == len(pieces) + 1
    assert kept[-1] == "word " * 8_000
    assert all(later.startswith(earlier) for earlier, later in pairwise(kept))
    assert max(len(later) - len(earlier) for earlier, later in pairwise(kept)) < 400
    assert len({id(each) for each in kept}) < len(kept) / 5
