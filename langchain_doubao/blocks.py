"""From our messages to LangChain's standard content blocks: what ``content_blocks`` and v1 show.

Registered when the package is imported. Without it core would give a reasoning block and the first
tool call the same index, and would lose the arguments of a delta that has text and a tool fragment.
The string indices (``lc_…``) are those that core merges by and never adds up.
"""

from __future__ import annotations

from typing import Any, cast

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages import content as types
from langchain_core.messages.block_translators import register_translator

PROVIDER = "doubao"
"""``model_provider`` of every message and ``ls_provider`` of every trace; they must be equal."""

REASONING = "reasoning_content"
SEAL = "encrypted_content"
"""Names on the wire, and in ``additional_kwargs`` (ark.md 4.2)."""

Block = dict[str, Any]


def message_blocks(message: AIMessage) -> list[types.ContentBlock]:
    """Give a whole message as blocks: reasoning, text, tool calls."""
    blocks = _listed(message)
    if not any(block.get("type") == "reasoning" for block in blocks):
        blocks = [*_reasoning(message), *blocks]
    return _typed([*blocks, *_tool_calls(message)])


def chunk_blocks(chunk: AIMessageChunk) -> list[types.ContentBlock]:
    """Give one chunk, or a sum of chunks, as blocks that merge by their indices."""
    blocks = [{**block, "index": "lc_rs_0"} for block in _reasoning(chunk)]
    if isinstance(chunk.content, str):
        if chunk.content:
            blocks.append({"type": "text", "text": chunk.content, "index": "lc_txt_0"})
    else:
        blocks += _listed(chunk)
    if chunk.chunk_position == "last":
        blocks += _tool_calls(chunk)
    else:
        blocks += [
            {**fragment, "type": "tool_call_chunk", "index": f"lc_tc_{_place(fragment, position)}"}
            for position, fragment in enumerate(cast("list[Block]", chunk.tool_call_chunks))
        ]
    return _typed(blocks)


def _place(fragment: Block, position: int) -> int:
    index = fragment.get("index")
    return index if isinstance(index, int) else position


def _listed(message: AIMessage) -> list[Block]:
    """The content as blocks; tool calls come from ``tool_calls`` alone."""
    if isinstance(message.content, str):
        return [{"type": "text", "text": message.content}] if message.content else []
    return [
        {"type": "text", "text": block} if isinstance(block, str) else block
        for block in message.content
        if isinstance(block, str) or block.get("type") != "tool_call"
    ]


def _reasoning(message: AIMessage) -> list[Block]:
    text = message.additional_kwargs.get(REASONING)
    seal = message.additional_kwargs.get(SEAL)
    if not text and not seal:
        return []
    block: Block = {"type": "reasoning", "reasoning": text or ""}
    if seal:
        block["extras"] = {SEAL: seal}
    return [block]


def _tool_calls(message: AIMessage) -> list[Block]:
    return [
        {"type": "tool_call", "id": call["id"], "name": call["name"], "args": call["args"]}
        for call in message.tool_calls
    ]


def _typed(blocks: list[Block]) -> list[types.ContentBlock]:
    # Core's blocks are typed dicts; these were built as plain ones, with the same keys.
    return cast("list[types.ContentBlock]", blocks)


def register() -> None:
    """Make LangChain use these translators for our messages."""
    register_translator(PROVIDER, message_blocks, chunk_blocks)
