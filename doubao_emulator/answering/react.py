"""Replies to ReAct prompts, where tools are called in prose (LlamaIndex's ReActAgent)."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from doubao_emulator.answering import plan, schema_rules
from doubao_emulator.chat_model import Message, Tool, ToolCall

if TYPE_CHECKING:
    from collections.abc import Sequence

_TOOL = re.compile(
    r"Tool Name:\s*(?P<name>\S+)\s*\n\s*Tool Description:\s*(?P<description>.*?)\s*"
    r"\n\s*Tool Args:\s*(?P<schema>\{.*\})",
    re.DOTALL,
)
_ACTION = re.compile(
    r"^Action:\s*(?P<name>\S+)(?:\s*\n\s*Action Input:\s*(?P<input>\{.*))?", re.MULTILINE
)
_OBSERVATION = re.compile(r"^Observation:\s*(?P<text>.*)", re.DOTALL)


def tools_in(messages: Sequence[Message]) -> tuple[Tool, ...]:
    """Return the tools a ReAct prompt describes; none when it is no such prompt."""
    text = next(
        (m.text for m in messages if "Action Input:" in m.text and "Tool Name:" in m.text), ""
    )
    blocks = re.split(r"(?=^\W*Tool Name:)", text, flags=re.MULTILINE)
    return tuple(tool for block in blocks if (tool := _read_tool(block)) is not None)


def conversation(messages: Sequence[Message]) -> list[Message]:
    """Rewrite a ReAct conversation as one with tool calls and tool messages."""
    rewritten: list[Message] = []
    for message in messages:
        observed = _OBSERVATION.match(message.text.strip())
        acted = list(_ACTION.finditer(message.text)) if message.role == "assistant" else []
        if message.role == "user" and observed:
            # An observation answers the action just before it.
            rewritten.append(
                Message(
                    role="tool", text=observed["text"].strip(), tool_call_id=str(len(rewritten))
                )
            )
        elif acted:
            call = ToolCall(
                id=str(len(rewritten) + 1),
                name=acted[-1]["name"],
                arguments=acted[-1]["input"] or "{}",
            )
            rewritten.append(Message(role="assistant", tool_calls=(call,)))
        elif "Tool Name:" not in message.text:
            rewritten.append(message)
    return rewritten


def action(messages: Sequence[Message], tools: Sequence[Tool]) -> str | None:
    """Return the next step in ReAct's form, None when it is time to answer."""
    calls = plan.next_calls(conversation(messages), tools, parallel=False)
    if not calls:
        return None
    arguments = json.dumps(calls[0].arguments, ensure_ascii=False)
    return (
        "Thought: I need to use a tool to help me answer the question.\n"
        f"Action: {calls[0].name}\nAction Input: {arguments}"
    )


def answer(text: str) -> str:
    """Return a final answer in ReAct's form."""
    return f"Thought: I can answer without using any more tools.\nAnswer: {text}"


def _read_tool(block: str) -> Tool | None:
    match = _TOOL.search(block)
    if match is None:
        return None
    try:
        schema, _ = json.JSONDecoder().raw_decode(match["schema"])
        schema_rules.check(schema)
    except (ValueError, RecursionError, schema_rules.SchemaFaultError):
        return None
    return Tool(
        name=match["name"],
        description=match["description"],
        parameters=schema,
        param="messages",
    )
