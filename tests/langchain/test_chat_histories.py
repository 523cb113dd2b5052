"""Whole conversations over HTTP: other providers' messages, media, prefill; never changed by us."""

from __future__ import annotations

import base64
import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from doubao_emulator import Emulator
    from langchain_doubao import ChatDoubao

pytestmark = pytest.mark.filterwarnings("ignore:.*is in beta")

URL = "https://example.com/a"
CALL = {"name": "get_weather", "args": {"city": "巴黎"}, "id": "call_1", "type": "tool_call"}
QUESTION = HumanMessage("The weather?")
RESULT = ToolMessage(
    [{"type": "text", "text": "Sunny", "id": "x", "index": 0, "extras": {"a": 1}}],
    tool_call_id="call_1",
    name="get_weather",
    artifact={"secret": "not for the model"},
    status="error",
)
WIRE_RESULT = {
    "role": "tool",
    "tool_call_id": "call_1",
    "name": "get_weather",
    "content": [{"type": "text", "text": "Sunny"}],
}
WIRE_CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "get_weather", "arguments": '{"city":"巴黎"}'},
}
SAID = {"role": "assistant", "content": "Let me see.", "tool_calls": [WIRE_CALL]}

# As the other packages give them, each with a call that is answered.
FOREIGN: dict[str, AIMessage] = {
    "Anthropic": AIMessage(
        [
            {"type": "thinking", "thinking": "Hm.", "signature": "EqRk"},
            {"type": "redacted_thinking", "data": "EmwK"},
            {"type": "text", "text": "Let me ", "cache_control": {"type": "ephemeral"}},
            {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "x"}},
            {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []},
            {"type": "text", "text": "see.", "citations": [{"url": URL}]},
            {"type": "tool_use", "id": "call_1", "name": "get_weather", "input": {}},
        ],
        tool_calls=[CALL],
        response_metadata={"model_provider": "anthropic", "stop_reason": "tool_use"},
    ),
    "Gemini": AIMessage(
        [
            {"type": "thinking", "thinking": "Hm.", "index": 0},
            {"type": "executable_code", "executable_code": "1", "language": "PYTHON"},
            {"type": "code_execution_result", "code_execution_result": "1", "outcome": 1},
            "Let me see.",
        ],
        additional_kwargs={
            "function_call": {"name": "get_weather", "arguments": "{}"},
            "__gemini_function_call_thought_signatures__": {"call_1": "Ep0B"},
        },
        tool_calls=[CALL],
        response_metadata={"model_provider": "google_genai"},
    ),
    "OpenAI Responses": AIMessage(
        [
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
            {"type": "web_search_call", "id": "ws_1", "status": "completed"},
            {"type": "text", "text": "Let me see.", "annotations": [], "id": "msg_1"},
            {"type": "function_call", "name": "get_weather", "arguments": "{}", "call_id": "c"},
        ],
        additional_kwargs={"refusal": None, "tool_calls": [WIRE_CALL]},
        tool_calls=[CALL],
        response_metadata={"model_provider": "openai", "id": "resp_1"},
    ),
    "OpenAI-compatible with reasoning": AIMessage(
        "Let me see.",
        additional_kwargs={"reasoning_content": "Hm.", "encrypted_content": "gAAA"},
        tool_calls=[CALL],
        response_metadata={"model_provider": "deepseek"},
    ),
    "standard blocks of anyone": AIMessage(
        [
            {"type": "reasoning", "reasoning": "Hm.", "extras": {"signature": "EqRk"}},
            {"type": "text", "text": "Let me see."},
            {"type": "image", "base64": "QUJD", "mime_type": "image/png"},
            {"type": "server_tool_call", "id": "s", "name": "web_search", "args": {}},
            {"type": "server_tool_result", "tool_call_id": "s", "status": "success"},
            {"type": "non_standard", "value": {"type": "audio_transcript"}},
            {"type": "tool_call_chunk", "name": "get_weather", "args": "{", "id": "call_1"},
            {"type": "tool_call", "name": "get_weather", "args": {}, "id": "call_1"},
        ],
        tool_calls=[CALL],
        response_metadata={"model_provider": "someone", "output_version": "v1"},
    ),
}


def sent(emulator: Emulator) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = emulator.requests[-1].body["messages"]
    return messages


@pytest.mark.parametrize("provider", FOREIGN)
async def test_the_history_of_another_provider_is_continued(
    provider: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    """Its text and calls go out; its thoughts, server tools and results stay with it."""
    history = [QUESTION, FOREIGN[provider], RESULT]
    model = chat()
    assert model.invoke(history).text
    wanted = [{"role": "user", "content": "The weather?"}, SAID, WIRE_RESULT]
    assert sent(emulator) == wanted
    assert (await model.ainvoke(history)).text
    assert sent(emulator) == wanted


WAYS: dict[str, Callable[[Any, list[BaseMessage]], Any]] = {
    "invoke": lambda model, history: model.invoke(history),
    "stream": lambda model, history: list(model.stream(history)),
    "stream v1": lambda model, history: list(model.stream(history, output_version="v1")),
    "events": lambda model, history: list(model.stream_events(history, version="v3")),
    "tokens": lambda model, history: model.get_num_tokens_from_messages(history),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_callers_messages_are_left_alone(
    way: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    history = [SystemMessage("Be terse."), QUESTION]
    for message in FOREIGN.values():
        history += [message, RESULT]
    history.append(HumanMessage([{"type": "image", "url": URL, "extras": {"detail": "low"}}]))
    before = copy.deepcopy(history)
    assert WAYS[way](chat(), history)
    assert history == before
    assert [message.__dict__ for message in history] == [message.__dict__ for message in before]


async def test_the_callers_messages_are_left_alone_async(chat: Callable[..., ChatDoubao]) -> None:
    history = [QUESTION, FOREIGN["standard blocks of anyone"], RESULT]
    before = copy.deepcopy(history)
    model = chat()
    await model.ainvoke(history)
    [_ async for _ in model.astream(history)]
    [_ async for _ in await model.astream_events(history, version="v3")]
    assert [message.__dict__ for message in history] == [message.__dict__ for message in before]
    await model.aclose()


async def test_system_messages_stay_where_they_are(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    history = [
        SystemMessage("Be terse.", name="root"),
        HumanMessage("Hi", name="ann"),
        AIMessage("Hello", name="bot"),
        SystemMessage([{"type": "text", "text": "Be polite."}]),
        HumanMessage("And now?"),
        HumanMessage("Well?"),
    ]
    wanted = [
        {"role": "system", "content": "Be terse.", "name": "root"},
        {"role": "user", "content": "Hi", "name": "ann"},
        {"role": "assistant", "content": "Hello", "name": "bot"},
        {"role": "system", "content": [{"type": "text", "text": "Be polite."}]},
        {"role": "user", "content": "And now?"},
        {"role": "user", "content": "Well?"},
    ]
    assert chat().invoke(history).text
    assert sent(emulator) == wanted
    assert (await chat().ainvoke(history)).text
    assert sent(emulator) == wanted


async def test_a_last_assistant_message_is_continued(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    """One model wants ``prefix`` with it (ark.md 4.2); the others need nothing."""
    asked = {"role": "user", "content": "One word: the capital of France?"}
    for extra in ({}, {"prefix": True}):
        begun = AIMessage("The capital is", additional_kwargs=extra)
        assert chat().invoke([HumanMessage(asked["content"]), begun]).text
        wanted = [asked, {"role": "assistant", "content": "The capital is", **extra}]
        assert sent(emulator) == wanted
        assert (await chat().ainvoke([HumanMessage(asked["content"]), begun])).text
        assert sent(emulator) == wanted


async def test_real_media_of_every_kind_arrive(
    emulator: Emulator, chat: Callable[..., ChatDoubao], png: bytes, pdf: bytes, wav: bytes
) -> None:
    """With their options, in messages and in results of tools."""
    image, document, sound = (base64.b64encode(data).decode() for data in (png, pdf, wav))
    limit = {"min_pixels": 3136, "max_pixels": 3014080}
    blocks = [
        {"type": "text", "text": "What is this?"},
        {
            "type": "image",
            "base64": image,
            "mime_type": "image/png",
            "extras": {"detail": "high", "image_pixel_limit": limit},
        },
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{image}"}},
        {"type": "video", "url": f"{URL}.mp4", "extras": {"fps": 0.5}},
        {"type": "video_url", "video_url": {"url": f"{URL}.mp4", "fps": 2}},
        {"type": "audio", "base64": sound, "mime_type": "audio/x-wav"},
        {"type": "audio", "url": f"data:audio/wav;base64,{sound}"},
        {"type": "file", "base64": document, "mime_type": "application/pdf"},
        {"type": "file", "url": f"data:application/pdf;base64,{document}"},
    ]
    file = {"file_data": f"data:application/pdf;base64,{document}", "filename": "document.pdf"}
    picture = {"url": f"data:image/png;base64,{image}"}
    parts = [
        {"type": "text", "text": "What is this?"},
        {
            "type": "image_url",
            "image_url": {**picture, "detail": "high", "image_pixel_limit": limit},
        },
        {"type": "image_url", "image_url": picture},
        {"type": "video_url", "video_url": {"url": f"{URL}.mp4", "fps": 0.5}},
        {"type": "video_url", "video_url": {"url": f"{URL}.mp4", "fps": 2}},
        {"type": "input_audio", "input_audio": {"data": sound, "format": "wav"}},
        {"type": "input_audio", "input_audio": {"data": sound, "format": "wav"}},
        {"type": "file", "file": file},
        {"type": "file", "file": file},
    ]
    said = AIMessage("", tool_calls=[CALL])
    history = [HumanMessage(blocks), said, ToolMessage(blocks, tool_call_id="call_1")]
    assert chat().invoke(history).text
    assert [sent(emulator)[place]["content"] for place in (0, 2)] == [parts, parts]
    assert (await chat().ainvoke(history)).text
    assert [sent(emulator)[place]["content"] for place in (0, 2)] == [parts, parts]


@pytest.mark.parametrize("kind", ["hologram", "tool_result", "non_standard"])
async def test_an_unknown_block_is_named_and_nothing_is_sent(
    kind: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    history = [HumanMessage([{"type": kind, "value": {}}])]
    model = chat()
    for ask in (model.invoke, lambda each: list(model.stream(each))):
        with pytest.raises(ValueError, match=f"'{kind}' is not supported"):
            ask(history)
    with pytest.raises(ValueError, match=f"'{kind}' is not supported"):
        await model.ainvoke(history)
    with pytest.raises(ValueError, match=f"'{kind}' is not supported"):
        [_ async for _ in model.astream(history)]
    assert len(emulator.requests) == 0


def test_a_body_has_no_nulls_at_any_depth(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    history = [QUESTION, *(each for one in FOREIGN.values() for each in (one, RESULT))]
    chat().invoke(history)
    assert "null" not in json.dumps(emulator.requests[-1].body)
