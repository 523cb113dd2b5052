"""LangChain messages to the wire: what each message and block becomes, and what is refused."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)

from doubao_core import DoubaoError
from langchain_doubao.messages import to_wire
from langchain_doubao.parts import part

if TYPE_CHECKING:
    from collections.abc import Callable

    from doubao_emulator import Emulator
    from langchain_doubao import ChatDoubao

URL = "https://example.com/a"
EXTRAS = {"detail": "low", "image_pixel_limit": {"max_pixels": 4000}}
CALL = {"name": "get_weather", "args": {"城市": "巴黎"}, "id": "call_1", "type": "tool_call"}
WIRE_CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "get_weather", "arguments": '{"城市":"巴黎"}'},
}

PARTS: dict[str, tuple[Any, dict[str, Any]]] = {
    "string": ("Hi", {"type": "text", "text": "Hi"}),
    "text, with what others add to it": (
        {"type": "text", "text": "Hi", "id": "1", "index": 0, "cache_control": {}, "extras": {}},
        {"type": "text", "text": "Hi"},
    ),
    "plain text file": (
        {"type": "text-plain", "text": "Hi", "mime_type": "text/plain"},
        {"type": "text", "text": "Hi"},
    ),
    "plain text file as data": (
        {"type": "text-plain", "base64": "SGk=", "mime_type": "text/plain"},
        {"type": "text", "text": "Hi"},
    ),
    "text of Anthropic": (
        {"type": "document", "source": {"type": "text", "data": "Hi", "media_type": "text/plain"}},
        {"type": "text", "text": "Hi"},
    ),
    "text of OpenAI": ({"type": "input_text", "text": "Hi"}, {"type": "text", "text": "Hi"}),
    "answer of OpenAI": ({"type": "output_text", "text": "Hi"}, {"type": "text", "text": "Hi"}),
    "output of OpenAI's custom tools": (
        {"type": "custom_tool_call_output", "output": "27"},
        {"type": "text", "text": "27"},
    ),
    "output of OpenAI's custom tools, in blocks": (
        {
            "type": "custom_tool_call_output",
            "output": [{"type": "input_text", "text": "2"}, {"type": "output_text", "text": "7"}],
        },
        {"type": "text", "text": "27"},
    ),
    "what core does not know": (
        {"type": "non_standard", "value": {"type": "video_url", "video_url": {"url": URL}}},
        {"type": "video_url", "video_url": {"url": URL}},
    ),
    "search result": (
        {
            "type": "search_result",
            "title": "Tides",
            "source": URL,
            "content": [{"type": "text", "text": "They come."}],
        },
        {"type": "text", "text": f"Tides\n{URL}\nThey come."},
    ),
    "json of a tool": ({"type": "json", "json": {"城": 1}}, {"type": "text", "text": '{"城": 1}'}),
    "image by url": (
        {"type": "image", "url": URL, "id": "lc_1", "extras": EXTRAS},
        {"type": "image_url", "image_url": {"url": URL, **EXTRAS}},
    ),
    "image by data": (
        {"type": "image", "base64": "QUJD", "mime_type": "image/PNG"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
    ),
    "image by data URL": (
        {"type": "image", "url": "data:image/PNG;base64,QUJD"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
    ),
    "image by data, before v1": (
        {"type": "image", "source_type": "base64", "data": "QUJD", "mime_type": "image/png"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
    ),
    "image with another provider's caching": (
        {"type": "image", "url": URL, "extras": {"cache_control": {"type": "ephemeral"}}},
        {"type": "image_url", "image_url": {"url": URL}},
    ),
    "image by file id": (
        {"type": "image", "file_id": "file-1"},
        {"type": "image_url", "image_url": {"file_id": "file-1"}},
    ),
    "image of Anthropic": (
        {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"},
        },
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
    ),
    "image of Anthropic by url": (
        {"type": "image", "source": {"type": "url", "url": URL}},
        {"type": "image_url", "image_url": {"url": URL}},
    ),
    "image of OpenAI": (
        {"type": "image_url", "image_url": {"url": URL, "detail": "high"}, "index": 0},
        {"type": "image_url", "image_url": {"url": URL, "detail": "high"}},
    ),
    "image of OpenAI, short": (
        {"type": "image_url", "image_url": URL, "detail": "low"},
        {"type": "image_url", "image_url": {"url": URL, "detail": "low"}},
    ),
    "video by url": (
        {"type": "video", "url": URL, "extras": {"fps": 0.5}},
        {"type": "video_url", "video_url": {"url": URL, "fps": 0.5}},
    ),
    "video by data, with an option on the block": (
        {"type": "video", "base64": "QUJD", "mime_type": "video/mp4", "fps": 2},
        {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,QUJD", "fps": 2}},
    ),
    "video in the wire's form": (
        {"type": "video_url", "video_url": {"url": URL, "fps": 1}},
        {"type": "video_url", "video_url": {"url": URL, "fps": 1}},
    ),
    "audio by data": (
        {"type": "audio", "base64": "QUJD", "mime_type": "audio/mpeg"},
        {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "mp3"}},
    ),
    "audio by data, x-wav": (
        {"type": "audio", "base64": "QUJD", "mime_type": "audio/x-wav"},
        {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "wav"}},
    ),
    "audio by url": (
        {"type": "audio", "url": URL},
        {"type": "input_audio", "input_audio": {"url": URL}},
    ),
    "audio by data URL": (
        {"type": "audio", "url": "data:audio/mpeg;codecs=mp3;base64,QUJD"},
        {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "mp3"}},
    ),
    "file by id, before v1": (
        {"type": "file", "source_type": "id", "id": "file-1"},
        {"type": "file", "file": {"file_id": "file-1"}},
    ),
    "file by data, without a name": (
        {"type": "file", "base64": "QUJD", "mime_type": "application/pdf"},
        {
            "type": "file",
            "file": {"file_data": "data:application/pdf;base64,QUJD", "filename": "document.pdf"},
        },
    ),
    "file by data, named by core": (
        {
            "type": "file",
            "base64": "QUJD",
            "mime_type": "application/pdf",
            "extras": {"filename": "a.pdf"},
        },
        {
            "type": "file",
            "file": {"file_data": "data:application/pdf;base64,QUJD", "filename": "a.pdf"},
        },
    ),
    "file by data, named in its metadata": (
        {
            "type": "file",
            "base64": "QUJD",
            "mime_type": "application/pdf",
            "metadata": {"filename": "b.pdf"},
        },
        {
            "type": "file",
            "file": {"file_data": "data:application/pdf;base64,QUJD", "filename": "b.pdf"},
        },
    ),
    "file by url": ({"type": "file", "url": URL}, {"type": "file", "file": {"file_url": URL}}),
    "file by id": (
        {"type": "file", "file_id": "file-1"},
        {"type": "file", "file": {"file_id": "file-1"}},
    ),
    "file in the wire's form": (
        {"type": "file", "file": {"file_url": URL, "filename": None}},
        {"type": "file", "file": {"file_url": URL}},
    ),
    "document of Anthropic": (
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "QUJD"},
        },
        {
            "type": "file",
            "file": {"file_data": "data:application/pdf;base64,QUJD", "filename": "document.pdf"},
        },
    ),
}

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "unknown type": ({"type": "hologram"}, "'hologram'"),
    "no type": ({"text": "Hi"}, "None"),
    "data without its type": ({"type": "image", "base64": "QUJD"}, "mime_type"),
    "no source": ({"type": "video"}, "url, base64 or file_id"),
    "a file that is no PDF": (
        {"type": "file", "base64": "QUJD", "mime_type": "text/csv"},
        "'text/csv'",
    ),
    "a text file that would have to be fetched": (
        {"type": "text-plain", "url": URL, "mime_type": "text/plain"},
        "fetches none",
    ),
    "a text file that is no text": (
        {"type": "text-plain", "base64": "/w==", "mime_type": "text/plain"},
        "decode",
    ),
    "a block that core does not know, without it": ({"type": "non_standard"}, "'non_standard'"),
    "a picture of a custom tool": (
        {"type": "custom_tool_call_output", "output": [{"type": "image", "url": URL}]},
        "text only",
    ),
    "an empty native part": ({"type": "image_url"}, "image_url"),
}

MESSAGES: dict[str, tuple[BaseMessage, dict[str, Any]]] = {
    "system": (SystemMessage("Be terse."), {"role": "system", "content": "Be terse."}),
    "user with a name": (
        HumanMessage("Hi", name="ann"),
        {"role": "user", "content": "Hi", "name": "ann"},
    ),
    "user with blocks": (
        HumanMessage(["Hi", {"type": "image", "url": URL}]),
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Hi"},
                {"type": "image_url", "image_url": {"url": URL}},
            ],
        },
    ),
    "chat role": (
        ChatMessage(role="developer", content="Hi"),
        {"role": "developer", "content": "Hi"},
    ),
    "assistant": (AIMessage("Hi"), {"role": "assistant", "content": "Hi"}),
    "assistant without anything": (AIMessage(""), {"role": "assistant", "content": ""}),
    "assistant with an empty list": (AIMessage([]), {"role": "assistant", "content": ""}),
    "assistant to be continued": (
        AIMessage("The answer", additional_kwargs={"prefix": True}),
        {"role": "assistant", "content": "The answer", "prefix": True},
    ),
    "a streamed assistant": (
        AIMessageChunk("Hi", chunk_position="last"),
        {"role": "assistant", "content": "Hi"},
    ),
    "assistant that calls": (
        AIMessage("", tool_calls=[CALL]),
        {"role": "assistant", "tool_calls": [WIRE_CALL]},
    ),
    "assistant that calls and was not understood": (
        AIMessage(
            "Well",
            tool_calls=[CALL],
            invalid_tool_calls=[{"name": "f", "args": '{"a', "id": "call_2", "error": "cut"}],
        ),
        {
            "role": "assistant",
            "content": "Well",
            "tool_calls": [
                WIRE_CALL,
                {"id": "call_2", "type": "function", "function": {"name": "f", "arguments": '{"a'}},
            ],
        },
    ),
    "assistant of Anthropic": (
        AIMessage(
            [
                {"type": "thinking", "thinking": "Hm.", "signature": "EqRk"},
                {"type": "text", "text": "Let me see."},
                {"type": "tool_use", "id": "call_1", "name": "get_weather", "input": {}},
            ],
            tool_calls=[CALL],
            response_metadata={"model_provider": "anthropic"},
        ),
        {"role": "assistant", "content": "Let me see.", "tool_calls": [WIRE_CALL]},
    ),
    "assistant of OpenAI": (
        AIMessage([{"type": "output_text", "text": "A"}, {"text": "B"}, "C"]),
        {"role": "assistant", "content": "ABC"},
    ),
    "assistant of another model that thinks": (
        AIMessage(
            [
                {"type": "reasoning", "reasoning": "Hm.", "extras": {"encrypted_content": "gAAA"}},
                {"type": "text", "text": "Hi"},
            ],
            additional_kwargs={"reasoning_content": "Hm."},
            response_metadata={"model_provider": "openai"},
        ),
        {"role": "assistant", "content": "Hi"},
    ),
    "tool": (
        ToolMessage("Sunny", tool_call_id="call_1", name="get_weather", status="error"),
        {"role": "tool", "tool_call_id": "call_1", "content": "Sunny", "name": "get_weather"},
    ),
    "tool with blocks and an artifact": (
        ToolMessage([{"type": "text", "text": "Sunny", "id": "x"}], tool_call_id="1", artifact=[1]),
        {"role": "tool", "tool_call_id": "1", "content": [{"type": "text", "text": "Sunny"}]},
    ),
}


@pytest.mark.parametrize("name", PARTS)
def test_a_block_becomes_its_part(name: str) -> None:
    block, wanted = PARTS[name]
    before = copy.deepcopy(block)
    assert part(block) == wanted
    assert block == before


@pytest.mark.parametrize("name", REFUSED)
def test_a_block_that_cannot_be_sent_is_named(name: str) -> None:
    block, text = REFUSED[name]
    with pytest.raises(ValueError, match=text):
        to_wire([HumanMessage([block])])


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_becomes_its_wire_form(name: str) -> None:
    message, wanted = MESSAGES[name]
    before = copy.deepcopy(message)
    assert to_wire([message]) == [wanted]
    assert message == before


def test_a_message_without_a_counterpart_is_named() -> None:
    with pytest.raises(TypeError, match="RemoveMessage"):
        to_wire([RemoveMessage(id="1")])


def test_order_and_repeated_roles_stay() -> None:
    roles = [SystemMessage("a"), HumanMessage("b"), HumanMessage("c"), SystemMessage("d")]
    assert [wire["content"] for wire in to_wire(roles)] == ["a", "b", "c", "d"]


async def test_our_own_blocks_can_be_sent_as_core_shows_them(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    """Core wraps what it does not know, so that nobody but us can read it."""
    film = {"type": "video_url", "video_url": {"url": URL + ".mp4", "fps": 1}}
    shown = HumanMessage(["What is this?", film]).content_blocks
    assert shown[1]["type"] == "non_standard"
    history = [
        HumanMessage(content_blocks=shown),
        AIMessage([{"text": "A "}, {"type": "output_text", "text": "tide."}], tool_calls=[CALL]),
        ToolMessage([{"type": "custom_tool_call_output", "output": "27"}], tool_call_id="call_1"),
    ]
    chat().invoke(history)
    await chat().ainvoke(history)
    for request in emulator.requests:
        asked, answered, given = request.body["messages"]
        assert asked["content"] == [{"type": "text", "text": "What is this?"}, film]
        assert answered["content"] == "A tide."
        assert given["content"] == [{"type": "text", "text": "27"}]


def test_tokens_are_counted_of_blocks_in_every_form(chat: Callable[..., ChatDoubao]) -> None:
    """Core rewrites old blocks in requests, but nothing is rewritten before counting."""
    for name, (block, wanted) in PARTS.items():
        counted = chat().get_num_tokens_from_messages([HumanMessage([block])])
        assert counted == chat().get_num_tokens_from_messages([HumanMessage([wanted])]), name
    old = {"type": "image", "source_type": "base64", "data": "QUJD", "mime_type": "image/png"}
    assert part({**old, "id": "block-1"}) == part(old)


@pytest.mark.parametrize("name", PARTS)
async def test_streams_send_the_same_with_and_without_a_listener(
    name: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    """``test_chat_unheard`` has the blocks that core rewrites first."""
    emulator.answer(events=["[DONE]"], times=2)
    question = [HumanMessage([{"type": "text", "text": "See:"}, PARTS[name][0]])]
    for config in ({}, {"callbacks": [BaseCallbackHandler()]}):
        with pytest.raises(DoubaoError):
            list(chat().stream(question, config))
    alone, heard = emulator.requests
    assert alone.body == heard.body
