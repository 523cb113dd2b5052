"""Finding the question and the passages to answer it from, in the prompts of RAG frameworks."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from doubao_emulator import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doubao_emulator.chat_model import Message

# `Query: ...` in LlamaIndex, `Question: ...` in LangChain, and their Chinese translations.
_QUESTION_LINE = re.compile(
    r"^[ \t*#]*(?:Query|Question|User question|The original query is as follows|问题|查询|提问)"
    r"[*]*[ \t]*[:：][ \t]*(?P<question>\S.*)$",
    re.IGNORECASE | re.MULTILINE,
)
_CONTEXT_HEAD = re.compile(
    r"(?:context|documents?|passages?|sources?|excerpts?|search results?|knowledge)\b"
    r"[^\n:：]{0,80}[:：]|^-{5,}$|<(?:context|documents?|passages?)>|context information"
    r"|retrieved context|following context"
    r"|(?:上下文|资料|已知信息|参考内容|文档|检索结果)[^\n:：]{0,20}[:：]",
    re.IGNORECASE | re.MULTILINE,
)
_EXISTING_ANSWER = re.compile(
    r"(?:existing answer|Original Answer)[ \t]*:[ \t]*(?P<answer>.+?)"
    r"(?=\n(?:New Answer|We have|\()|\Z)",
    re.IGNORECASE | re.DOTALL,
)
# Lines that steer the model and are never part of an answer.
_INSTRUCTION = re.compile(
    r"^(?:-{3,}|={3,}|Given the (?:new )?context|Instructions?:|Answer \"|Here are the relevant|"
    r"to answer the question|Context information|You are |Use the following|"
    r"If you don't know|Use three sentences|Keep the answer|We have (?:provided|the opportunity)|"
    r"Answer the (?:question|query)|Some rules|Query:|Question:|Answer:|New Answer:|"
    r"Refined Answer:|Helpful Answer:|New Context:|Existing Answer:|Original Answer:|Context:|"
    r"问题[:：]|回答[:：]|答案[:：]|请根据|上下文|</?(?:context|documents?|passages?)>|"
    # What LlamaIndex puts above a node's text.
    r"(?:file_path|file_name|file_type|file_size|page_label|creation_date|"
    r"last_modified_date|source|header_path)\s*:)",
    re.IGNORECASE,
)
_FOLLOW_UP = re.compile(
    r"Follow[- ]?up (?:input|question|message)[ \t]*:[ \t]*(?P<question>.+)", re.IGNORECASE
)
_LONG_SYSTEM_TEXT = 600


@dataclass(frozen=True, slots=True)
class Reading:
    """What a conversation asks, and from what.

    Attributes:
        question: The question alone.
        passages: Text to answer from, most authoritative first; empty when there is none.
        earlier_answer: The answer a refine prompt wants improved, empty elsewhere.
        memory: What was said earlier in the conversation.
    """

    question: str
    passages: tuple[str, ...]
    earlier_answer: str
    memory: tuple[str, ...]


def read(messages: Sequence[Message]) -> Reading:
    """Read a conversation; its last user message holds the question."""
    last = last_user_index(messages)
    asked = messages[last].text if messages else ""
    question = find_question(asked)
    earlier = _EXISTING_ANSWER.search(asked)
    passages = [_context_of(_without(asked, question))] if _CONTEXT_HEAD.search(asked) else []
    passages += [
        _context_of(message.text)
        for message in messages
        if message.role == "system" and _is_context(message.text)
    ]
    passages += [message.text for message in messages[last + 1 :] if message.role == "tool"]
    memory = tuple(
        message.text for message in messages[:last] if message.role in {"user", "assistant"}
    )
    return Reading(
        question=question,
        passages=tuple(clean(passage) for passage in passages if passage.strip()),
        earlier_answer=earlier["answer"].strip() if earlier else "",
        memory=memory,
    )


def last_user_index(messages: Sequence[Message]) -> int:
    """Return where the last user message stands, or the last message when there is none."""
    for index in range(len(messages) - 1, -1, -1):
        if messages[index].role == "user":
            return index
    return len(messages) - 1


def find_question(text: str) -> str:
    """Return the question inside a prompt that may also hold context and instructions."""
    marked = [match["question"].strip() for match in _QUESTION_LINE.finditer(text)]
    # A template's own line comes after the passages it frames.
    return marked[-1] if marked else text.strip()


def rewritten_question(messages: Sequence[Message]) -> str | None:
    """Return the question a prompt wants made standalone, None for any other prompt."""
    if not any("standalone question" in message.text.lower() for message in messages):
        return None
    asked = messages[last_user_index(messages)].text
    follow_up = _FOLLOW_UP.search(asked)
    return follow_up["question"].strip() if follow_up else asked.strip()


def clean(passage: str) -> str:
    """Drop what a prompt template and node metadata add to a passage."""
    lines = (line for written in passage.splitlines() for line in _unlisted(written).splitlines())
    return "\n".join(_clean_line(line) for line in lines).strip()


def _unlisted(line: str) -> str:
    """Undo Python's way of writing a list of texts: LlamaIndex's simple_summarize sends one."""
    bare = line.strip()
    if not bare.startswith(("['", '["')) or not bare.endswith(("']", '"]')):
        # `splitlines` gives no line at all for an empty text.
        return line or " "
    try:
        texts = ast.literal_eval(bare)
    except (ValueError, SyntaxError):
        return line
    return "\n\n".join(str(text) for text in texts)


def _clean_line(line: str) -> str:
    kept = [part for part in words.sentences(line) if not _INSTRUCTION.match(part)]
    return " ".join(kept)


def _context_of(text: str) -> str:
    """Return what follows the words that announce a context."""
    head = _CONTEXT_HEAD.search(text)
    return text[head.end() :] if head else text


def _is_context(text: str) -> bool:
    return bool(_CONTEXT_HEAD.search(text)) or len(text) > _LONG_SYSTEM_TEXT


def _without(text: str, question: str) -> str:
    without = _EXISTING_ANSWER.sub("", text)
    return without.replace(question, "") if question != text.strip() else without
