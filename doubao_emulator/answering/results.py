"""What tools have answered, told to the user: links kept, long texts cut down to what was asked."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from doubao_emulator import words
from doubao_emulator.answering import extract, passages, phrases, prompt, strings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from doubao_emulator.chat_model import Message, ToolCall

_SHORT = 400
_MOST_SENTENCES = 2
_LINK = re.compile(r"https?://[^\s)\"'<>\]]+")
# A result of fewer words is introduced with the name of its tool; two characters are a word.
_SPEAKS_FOR_ITSELF = 4
# How to call a tool is said to the model, not to the user.
_ADVICE = re.compile(r"^(?:To \w[^.]*, )?(?:pass|call|use)\b|^To \w[^.]*\bpass\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Result:
    """One tool result.

    Attributes:
        tool: Name of the tool.
        asked: The query that the tool was given, empty for a tool that takes none.
        text: What it answered.
    """

    tool: str
    asked: str
    text: str


def told(messages: Sequence[Message], question: str) -> str:
    """Return what the tools found since `question`, a line for each; empty without results."""
    found = list(_results(messages))
    said = phrases.of(question)
    lines = []
    for result in found:
        gist = _gist(result, question)
        if not gist:
            continue
        speaks = len(list(_spoken(gist))) >= _SPEAKS_FOR_ITSELF
        lines.append(gist if speaks else said.tool_said.format(result.tool, gist))
    if found and not lines:
        return said.silent.format(words.shorten(_asked_in(question, found[-1].asked)))
    return "\n".join(lines)


def _results(messages: Sequence[Message]) -> Iterator[Result]:
    """Yield the results that end the conversation, in order."""
    recent = messages[prompt.last_user_index(messages) + 1 :]
    calls = {call.id: call for message in recent for call in message.tool_calls}
    for message in recent:
        if message.role == "tool":
            call = calls.get(message.tool_call_id)
            yield Result(
                tool=call.name if call else "tool",
                asked=_queries(call) if call else "",
                text=_text(message),
            )


def _queries(call: ToolCall) -> str:
    """Return the queries among a call's arguments."""
    try:
        arguments = json.loads(call.arguments)
    except ValueError:
        return ""
    if not isinstance(arguments, dict):
        return ""
    queries = [value for name, value in arguments.items() if name in strings.ASKED]
    return " ".join(query for query in queries if isinstance(query, str))


def _asked_in(question: str, asked: str) -> str:
    """Return what was asked, with its question mark if the user put one."""
    after = question[question.find(asked) + len(asked) :] if asked in question else ""
    return f"{asked}{after[:1]}" if after[:1] in {"?", "？"} else asked or question


def _text(message: Message) -> str:
    return message.text.strip() or ", ".join(medium.description for medium in message.media)


def _gist(result: Result, question: str) -> str:
    """Return a short result whole, and of passages what answers the question, links kept.

    Nothing is left of passages in which a query finds no answer.
    """
    if len(result.text) <= _SHORT and not _has_headings(result.text):
        return _for_people(result.text)
    if result.asked:
        gist = extract.find(result.asked, [result.text], most=_MOST_SENTENCES).text
    else:
        # The whole request stands in for a query; it speaks of other things as well.
        gist = extract.find(question, [result.text], most=_MOST_SENTENCES, least=0.0).text
        gist = gist or words.shorten(result.text, _SHORT)
    links = [link for link in dict.fromkeys(_LINK.findall(result.text)) if link not in gist]
    return " ".join([gist, *links]).strip()


def _has_headings(text: str) -> bool:
    return any(paragraph.heading for paragraph in passages.paragraphs(text))


def _for_people(text: str) -> str:
    kept = [
        " ".join(each for each in words.sentences(line) if not _ADVICE.match(each))
        for line in text.splitlines()
    ]
    return "\n".join(line for line in kept if line) or text


def _spoken(text: str) -> Iterator[str]:
    """Yield words, and of Chinese text every second character."""
    for token in words.tokens(text):
        yield from token[::2] if words.has_cjk(token) else (token,)
