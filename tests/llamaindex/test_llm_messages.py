"""LlamaIndex messages on the wire: every block, every role, nothing lost, nothing changed."""

from __future__ import annotations

import base64
import io
from types import SimpleNamespace
from typing import Any

import pytest
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

from doubao_core import ConfigError
from llamaindex_doubao.messages import wire_messages

PNG = b"\x89PNG\r\n\x1a\n" + bytes(24)
MP4 = b"\0\0\0\x18ftypisom" + bytes(24)
WAV = b"RIFF\x24\0\0\0WAVEfmt " + bytes(24)
PDF = b"%PDF-1.7\n" + bytes(24)


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def wire(message: ChatMessage, **options: Any) -> dict[str, Any]:
    (only,) = wire_messages([message], **options)
    return only


TABLE = {
    "text": (TextBlock(text="tea"), {"type": "text", "text": "tea"}),
    "image by url": (
        ImageBlock(url="https://example.com/a.png?sig=x%2Fy", detail="high"),
        {
            "type": "image_url",
            "image_url": {"url": "https://example.com/a.png?sig=x%2Fy", "detail": "high"},
        },
    ),
    "image by data url": (
        ImageBlock(url="data:image/png;base64,AAAA"),
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
    ),
    "image by bytes": (
        ImageBlock(image=PNG, image_mimetype="image/jpeg"),
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{b64(PNG)}"}},
    ),
    "image of unknown bytes": (
        ImageBlock(image=b"\0\1\2\3!", image_mimetype="image/AVIF"),
        {"type": "image_url", "image_url": {"url": "data:image/avif;base64,AAECAyE="}},
    ),
    "video by url": (
        VideoBlock(url="https://example.com/a", fps=2),
        {"type": "video_url", "video_url": {"url": "https://example.com/a", "fps": 2}},
    ),
    "video by bytes": (
        VideoBlock(video=MP4),
        {"type": "video_url", "video_url": {"url": f"data:video/mp4;base64,{b64(MP4)}"}},
    ),
    "audio by url": (
        AudioBlock(url="https://example.com/a", format="mp3"),
        {"type": "input_audio", "input_audio": {"url": "https://example.com/a", "format": "mp3"}},
    ),
    "audio by bytes": (
        AudioBlock(audio=WAV),
        {"type": "input_audio", "input_audio": {"data": b64(WAV), "format": "wav"}},
    ),
    "document by bytes": (
        DocumentBlock(data=PDF, title="tea.pdf"),
        {
            "type": "file",
            "file": {"file_data": f"data:application/pdf;base64,{b64(PDF)}", "filename": "tea.pdf"},
        },
    ),
    "document by url": (
        DocumentBlock(url="https://example.com/tea.pdf"),
        {
            "type": "file",
            "file": {"file_url": "https://example.com/tea.pdf"},
        },
    ),
}


@pytest.mark.parametrize("role", ["system", "developer", "user", "assistant", "tool"])
@pytest.mark.parametrize("case", TABLE)
def test_every_block_is_sent_in_every_role(role: str, case: str):
    block, part = TABLE[case]
    message = ChatMessage(
        role=role,
        blocks=[TextBlock(text="see"), block, ImageBlock(url="https://example.com/z")],
        additional_kwargs={"tool_call_id": "call_1"},
    )
    expected = [
        {"type": "text", "text": "see"},
        part,
        {"type": "image_url", "image_url": {"url": "https://example.com/z"}},
    ]
    assert wire(message)["content"] == expected


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ("system", "system"),
        ("developer", "system"),
        ("user", "user"),
        ("assistant", "assistant"),
        ("chatbot", "assistant"),
        ("model", "assistant"),
        ("tool", "tool"),
        ("function", "tool"),
    ],
)
def test_roles(role: str, expected: str):
    message = ChatMessage(role=role, content="x", additional_kwargs={"tool_call_id": "call_1"})
    assert wire(message)["role"] == expected


def test_system_messages_stay_where_they_are():
    """Agents put instructions into the middle of a conversation."""
    roles = ["system", "user", "assistant", "system", "user", "developer"]
    messages = [ChatMessage(role=role, content=str(place)) for place, role in enumerate(roles)]
    sent = [(message["role"], message["content"]) for message in wire_messages(messages)]
    assert sent == list(zip([*roles[:-1], "system"], "012345", strict=True))


def test_texts_are_joined_as_llamaindex_joins_them():
    message = ChatMessage(blocks=[TextBlock(text="a"), TextBlock(text=""), TextBlock(text="b")])
    assert wire(message) == {"role": "user", "content": message.content}


def test_an_empty_text_beside_a_picture_is_left_out():
    blocks = [TextBlock(text=""), ImageBlock(url="https://example.com/a")]
    assert [part["type"] for part in wire(ChatMessage(blocks=blocks))["content"]] == ["image_url"]


def test_files_are_read_and_typed_by_their_bytes(tmp_path):
    path = tmp_path / "picture.jpg"
    path.write_bytes(PNG)
    message = ChatMessage(blocks=[ImageBlock(path=path)])
    url = wire(message)["content"][0]["image_url"]["url"]
    assert url == f"data:image/png;base64,{b64(PNG)}"
    path.unlink()
    with pytest.raises(ConfigError, match="cannot read the file of the ImageBlock in a user"):
        wire(message)


def test_a_pdf_file_keeps_its_name(tmp_path):
    path = tmp_path / "leaf.pdf"
    path.write_bytes(PDF)
    part = wire(ChatMessage(blocks=[DocumentBlock(path=path)]))["content"][0]
    assert part["file"]["filename"] == "leaf.pdf"


@pytest.mark.parametrize(
    ("kind", "field", "content"),
    [
        (ImageBlock, "image", PNG),
        (VideoBlock, "video", MP4),
        (AudioBlock, "audio", WAV),
        (DocumentBlock, "data", PDF),
    ],
)
def test_files_open_files_and_bytes_are_the_same_on_the_wire(tmp_path, kind, field, content):
    path = tmp_path / "document.pdf"
    path.write_bytes(content)
    blocks = [kind(path=path), kind(**{field: io.BytesIO(content)}), kind(**{field: content})]
    first, second, third = [wire(ChatMessage(blocks=[block])) for block in blocks]
    assert first == second == third
    assert b64(content) in str(first)


def test_an_open_file_is_read_from_its_start_and_left_there():
    file = io.BytesIO(PNG)
    file.seek(7)
    message = ChatMessage(blocks=[ImageBlock(image=file)])
    first, second = wire(message), wire(message)
    assert first == second
    assert first["content"][0]["image_url"]["url"].endswith(b64(PNG))
    assert file.tell() == 0


def test_a_frame_rate_below_one_comes_from_our_own_key():
    message = ChatMessage(
        blocks=[VideoBlock(url="https://example.com/a")], additional_kwargs={"doubao": {"fps": 0.5}}
    )
    assert wire(message)["content"][0]["video_url"]["fps"] == 0.5


def test_citable_blocks_are_flattened_and_cache_points_and_citations_dropped():
    message = ChatMessage(
        blocks=[
            CitableBlock(title="Tea", source="tea.md", content=[TextBlock(text="green")]),
            CachePoint(cache_control=CacheControl(type="ephemeral")),
            CitationBlock(
                cited_content="green", source="tea.md", title="Tea", additional_location_info={}
            ),
        ]
    )
    assert wire(message)["content"] == [
        {"type": "text", "text": "[Tea](tea.md)"},
        {"type": "text", "text": "green"},
    ]


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        (ThinkingBlock(content="hm"), "ThinkingBlock in a user message"),
        (ToolCallBlock(tool_name="f"), "ToolCallBlock in a user message"),
        (ImageBlock(), "ImageBlock in a user message is empty"),
        (DocumentBlock(data=b"plain words", document_mimetype="text/plain"), "type text/plain"),
        (DocumentBlock(url="https://example.com/a.docx"), "document of type application/"),
    ],
)
def test_what_cannot_be_sent_is_an_error_that_names_it(block: Any, problem: str):
    with pytest.raises(ConfigError, match=problem):
        wire(ChatMessage(blocks=[TextBlock(text="see"), block]))


def test_a_tool_result_needs_the_id_of_its_call():
    with pytest.raises(ConfigError, match="tool_call_id"):
        wire(ChatMessage(role="tool", content="sun"))


def test_a_tool_result_without_blocks_is_an_empty_text():
    message = ChatMessage(role="tool", blocks=[], additional_kwargs={"tool_call_id": "call_1"})
    assert wire(message) == {"role": "tool", "tool_call_id": "call_1", "content": ""}


def test_only_known_extras_reach_the_wire():
    message = ChatMessage(
        role="assistant",
        content="done",
        additional_kwargs={
            "tool_call_id": "call_1",
            "usage": {},
            "prompt_tokens": 3,
            "name": "Tea",
        },
    )
    assert wire(message) == {"role": "assistant", "name": "Tea", "content": "done"}


def test_reasoning_goes_back_unchanged_and_in_the_order_of_the_wire():
    message = ChatMessage(
        role="assistant",
        blocks=[
            ToolCallBlock(tool_call_id="call_1", tool_name="weather", tool_kwargs={"city": "巴黎"}),
            TextBlock(text="Let me look."),
            ThinkingBlock(content="hm", additional_information={"encrypted_content": "djF+=="}),
        ],
    )
    expected = {
        "role": "assistant",
        "reasoning_content": "hm",
        "encrypted_content": "djF+==",
        "content": "Let me look.",
        "tool_calls": [
            {
                "id": "call_1",
                "type": "function",
                "function": {"name": "weather", "arguments": '{"city":"巴黎"}'},
            }
        ],
    }
    assert list(wire(message).items()) == list(expected.items())
    assert "reasoning_content" not in wire(message, send_thinking=False)
    assert "encrypted_content" not in wire(message, send_thinking=False)


def test_reasoning_is_taken_from_the_extras_of_messages_without_blocks_for_it():
    extra = {"reasoning_content": "hm", "encrypted_content": "dj"}
    message = ChatMessage(role="assistant", content="x", additional_kwargs=extra)
    assert wire(message) == {"role": "assistant", **extra, "content": "x"}


@pytest.mark.parametrize(
    ("arguments", "text"), [({}, "{}"), ("", "{}"), ('{"a": ', '{"a": '), ({"a": [1]}, '{"a":[1]}')]
)
def test_arguments_of_calls(arguments: Any, text: str):
    call = ToolCallBlock(tool_call_id="call_1", tool_name="f", tool_kwargs=arguments)
    message = wire(ChatMessage(role="assistant", blocks=[call]))
    assert message["tool_calls"][0]["function"]["arguments"] == text
    assert message["content"] == ""


@pytest.mark.parametrize(
    "legacy",
    [
        {"id": "call_2", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
        SimpleNamespace(id="call_2", function=SimpleNamespace(name="f", arguments='{"a":1}')),
        {"id": "call_2", "name": "f", "input": {"a": 1}},
    ],
    ids=["ours", "openai object", "anthropic"],
)
def test_calls_of_other_providers_are_understood_and_blocks_win(legacy: Any):
    block = ToolCallBlock(tool_call_id="call_1", tool_name="f", tool_kwargs={"a": 0})
    again = {"id": "call_1", "function": {"name": "f", "arguments": "{}"}}
    message = ChatMessage(
        role="assistant", blocks=[block], additional_kwargs={"tool_calls": [again, legacy]}
    )
    calls = wire(message)["tool_calls"]
    assert [(call["id"], call["function"]["arguments"]) for call in calls] == [
        ("call_1", '{"a":0}'),
        ("call_2", '{"a":1}'),
    ]


def test_a_call_that_cannot_be_read_is_an_error():
    message = ChatMessage(role="assistant", additional_kwargs={"tool_calls": [{"what": 1}]})
    with pytest.raises(ConfigError, match="ToolCallBlock"):
        wire(message)


def test_nothing_is_changed_and_the_wire_is_the_same_again():
    messages = [
        ChatMessage(blocks=[TextBlock(text="see"), ImageBlock(image=PNG)]),
        ChatMessage(role="assistant", blocks=[ToolCallBlock(tool_call_id="a", tool_name="f")]),
        ChatMessage(role="tool", content="x", additional_kwargs={"tool_call_id": "a"}),
    ]
    before = [message.model_copy(deep=True) for message in messages]
    assert wire_messages(messages) == wire_messages(messages)
    assert messages == before


async def test_arguments_with_half_a_surrogate_pair_go_back_as_they_came(emulator, llm, ask, sent):
    """Models cut emoji; an agent's loop must outlive that."""
    emulator.answer(tool_calls=[("f", r'{"mark": "\ud83d"}')])
    message = (await ask(llm, [ChatMessage(content="?")])).message
    result = ChatMessage(
        role="tool",
        content="ok",
        additional_kwargs={"tool_call_id": message.blocks[-1].tool_call_id},
    )
    await ask(llm, [ChatMessage(content="?"), message, result])
    (call,) = sent()[-1]["messages"][1]["tool_calls"]
    assert call["function"]["arguments"] == r'{"mark": "\ud83d"}'


async def test_arguments_that_no_json_can_hold_are_refused_by_the_name_of_their_tool(
    llm, ask, sent
):
    call = ToolCallBlock(tool_call_id="c", tool_name="plant", tool_kwargs={"what": object()})
    with pytest.raises(ConfigError, match="'plant' cannot be written as JSON"):
        await ask(llm, [ChatMessage(role="assistant", blocks=[call])])
    assert sent() == []
