"""Conversations on their way to the service: the same by every method, and nobody else is asked."""

from __future__ import annotations

import base64
import socket
import struct
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llama_index.core.base.llms.types import (
    AudioBlock,
    CacheControl,
    CachePoint,
    ChatMessage,
    CitableBlock,
    CitationBlock,
    DocumentBlock,
    ImageBlock,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    VideoBlock,
)
from llama_index.core.bridge.pydantic import BaseModel
from pydantic_core import to_json

from doubao_core import ChatCompletion, ConfigError
from doubao_core.operation import Reply
from llamaindex_doubao.messages import wire_messages
from llamaindex_doubao.responses import Reading, chat_response

if TYPE_CHECKING:
    from collections.abc import Iterator

HEARING_MODEL = "doubao-seed-2-1-lite-260915"


def png(side: int) -> bytes:
    """A black square."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(side * (side + 1)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


PNG = png(16)


@pytest.fixture
def elsewhere() -> Iterator[socket.socket]:
    """A server that only listens: who connects to it can be seen."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def conversation(host: str, thought: ThinkingBlock) -> list[ChatMessage]:
    """Every block, in every role that may have it."""
    media = [
        ImageBlock(url=f"{host}/a.png?sig=x%2Fy", detail="high"),
        VideoBlock(url=f"{host}/a.mp4", fps=2),
        AudioBlock(url=f"{host}/a.mp3", format="mp3"),
        DocumentBlock(url=f"{host}/a.pdf", title="a.pdf"),
        CitableBlock(title="Tea", source="tea.md", content=[TextBlock(text="green")]),
        CachePoint(cache_control=CacheControl(type="ephemeral")),
    ]
    call = ToolCallBlock(tool_call_id="call_1", tool_name="look", tool_kwargs={"at": "茶"})
    cited = CitationBlock(
        cited_content="green", source="tea.md", title="Tea", additional_location_info={}
    )
    result = [TextBlock(text="Found."), ImageBlock(url=f"{host}/b.png"), *media[1:2]]
    return [
        ChatMessage(role="system", blocks=[TextBlock(text="Be exact."), *media]),
        ChatMessage(role="user", blocks=[TextBlock(text="See."), *media]),
        ChatMessage(role="assistant", blocks=[thought, TextBlock(text="Let me."), cited, call]),
        ChatMessage(role="tool", blocks=result, additional_kwargs={"tool_call_id": "call_1"}),
        ChatMessage(role="user", blocks=[ImageBlock(image=PNG)]),
    ]


def expected(host: str, thought: ThinkingBlock) -> list[dict[str, Any]]:
    video = {"type": "video_url", "video_url": {"url": f"{host}/a.mp4", "fps": 2}}
    media = [
        {"type": "image_url", "image_url": {"url": f"{host}/a.png?sig=x%2Fy", "detail": "high"}},
        video,
        {"type": "input_audio", "input_audio": {"url": f"{host}/a.mp3", "format": "mp3"}},
        {"type": "file", "file": {"file_url": f"{host}/a.pdf", "filename": "a.pdf"}},
        {"type": "text", "text": "[Tea](tea.md)"},
        {"type": "text", "text": "green"},
    ]
    function = {"name": "look", "arguments": '{"at":"茶"}'}
    picture = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    return [
        {"role": "system", "content": [{"type": "text", "text": "Be exact."}, *media]},
        {"role": "user", "content": [{"type": "text", "text": "See."}, *media]},
        {
            "role": "assistant",
            "reasoning_content": "hm",
            "encrypted_content": thought.additional_information["encrypted_content"],
            "content": [{"type": "text", "text": "Let me."}],
            "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
        },
        {
            "role": "tool",
            "tool_call_id": "call_1",
            "content": [
                {"type": "text", "text": "Found."},
                {"type": "image_url", "image_url": {"url": f"{host}/b.png"}},
                video,
            ],
        },
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": picture}}]},
    ]


async def test_every_block_is_sent_alike_and_no_url_is_fetched(
    make_llm, ask, elsewhere, emulator, sent
):
    host = f"http://127.0.0.1:{elsewhere.getsockname()[1]}"
    llm = make_llm(model=HEARING_MODEL)
    emulator.answer("So be it.", reasoning="hm", times=3)
    # The seal of the reasoning has to be genuine.
    thought = (await ask(llm, [ChatMessage(content="hi")])).message.blocks[0]
    messages = conversation(host, thought)
    before = [message.model_copy(deep=True) for message in messages]
    for _ in range(2):
        assert (await ask(llm, messages)).message.content == "So be it."
    _, first, second = sent()
    assert first["messages"] == expected(host, thought)
    assert first == second
    assert messages == before
    with pytest.raises(BlockingIOError):
        elsewhere.accept()


class HologramBlock(BaseModel):
    """A kind of block that LlamaIndex may have one day."""

    block_type: str = "hologram"


@pytest.mark.parametrize("role", ["system", "user", "assistant", "tool"])
async def test_an_unknown_block_is_an_error_that_names_it_and_the_role(llm, ask, emulator, role):
    message = ChatMessage(role=role, content="see", additional_kwargs={"tool_call_id": "call_1"})
    message.blocks.append(HologramBlock())
    with pytest.raises(ConfigError, match=f"HologramBlock in an? {role} message"):
        await ask(llm, [message])
    assert not emulator.requests


texts = st.text(max_size=20)
arguments = st.dictionaries(texts, st.none() | st.booleans() | st.integers() | texts, max_size=3)
calls = st.lists(
    st.builds(
        lambda number, name, given: {
            "id": f"call_{number}",
            "type": "function",
            "function": {"name": name, "arguments": to_json(given).decode()},
        },
        st.integers(0, 99),
        st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True),
        arguments,
    ),
    max_size=3,
    unique_by=lambda call: call["id"],
)
answers = st.builds(
    lambda said, thought, seal, called: {
        "role": "assistant",
        **({"reasoning_content": thought} if thought else {}),
        **({"encrypted_content": seal} if seal else {}),
        "content": said,
        **({"tool_calls": called} if called else {}),
    },
    texts,
    texts,
    texts,
    calls,
)


@given(answers)
def test_an_answer_goes_back_as_it_came(message: dict[str, Any]):
    """Also after it was stored: ``wire(from_wire(x)) == x`` (llamaindex.md 18)."""
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    reply = Reply(status=200, headers={}, body=to_json({"id": "1", "choices": [choice]}))
    read = chat_response(ChatCompletion.parse(reply), Reading(names={})).message
    stored = ChatMessage.model_validate_json(read.model_dump_json())
    assert wire_messages([read]) == wire_messages([stored]) == [message]
