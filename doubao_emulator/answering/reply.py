"""What the model says to a request: calls, JSON, a quoted answer, or small talk."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from doubao_emulator import words
from doubao_emulator.answering import (
    arithmetic,
    extract,
    phrases,
    plan,
    prompt,
    react,
    results,
    schema,
)
from doubao_emulator.answering.schema_rules import SchemaFaultError
from doubao_emulator.answering.spoken import Reply
from doubao_emulator.chat_tools import ANY
from doubao_emulator.errors import invalid_parameter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doubao_emulator.answering.prompt import Reading
    from doubao_emulator.chat_model import ChatRequest, Message

_QUOTED_QUESTION = 200


def compose(request: ChatRequest) -> Reply:
    """Return the reply to a request."""
    reading = prompt.read(request.messages)
    thought = phrases.of(reading.question).think_question.format(
        words.shorten(reading.question, _QUOTED_QUESTION)
    )
    reply = (
        _tool_reply(request, reading)
        or _react_reply(request.messages)
        or _json_reply(request, reading)
        or _text_reply(request.messages, reading)
    )
    content = _continued(reply.content, request.messages)
    # Little effort is spent on the conclusion alone.
    short = request.effort == "low" and reply.reasoning
    reasoning = reply.reasoning.strip() if short else thought + reply.reasoning
    return Reply(content=content, reasoning=reasoning, calls=reply.calls)


def _tool_reply(request: ChatRequest, reading: Reading) -> Reply | None:
    if not request.may_call:
        return None
    forced = request.forced_tool
    calls = plan.next_calls(request.messages, request.tools, parallel=request.parallel)
    if forced and forced != ANY:
        calls = [call for call in calls if call.name == forced]
    if forced and not calls:
        calls = [plan.forced_call(request.messages, request.tools, forced)]
    if not calls:
        return None
    said = phrases.of(reading.question)
    names = phrases.listed([call.name for call in calls], reading.question)
    return Reply(
        reasoning=said.think_tools.format(names),
        calls=tuple((call.name, call.arguments) for call in calls),
    )


def _json_reply(request: ChatRequest, reading: Reading) -> Reply | None:
    wanted = request.schema
    if wanted is None and request.json_object:
        wanted = schema.wanted_by(request.messages)
    if wanted is None:
        wanted = schema.embedded_in(request.messages)
    if wanted is None:
        return None
    try:
        value = schema.fill(wanted, schema.evidence_of(request.messages))
    except SchemaFaultError as fault:
        field = "messages" if request.schema is None else "response_format.json_schema.schema"
        raise invalid_parameter(field, fault.sentence) from fault
    content = json.dumps(value, ensure_ascii=False)
    return Reply(content=content, reasoning=phrases.of(reading.question).think_schema)


def _react_reply(messages: Sequence[Message]) -> Reply | None:
    tools = react.tools_in(messages)
    if not tools:
        return None
    step = react.action(messages, tools)
    if step is not None:
        return Reply(content=step)
    rewritten = react.conversation(messages)
    final = _text_reply(rewritten, prompt.read(rewritten))
    return replace(final, content=react.answer(final.content))


def _text_reply(messages: Sequence[Message], reading: Reading) -> Reply:
    if told := results.told(messages, reading.question):
        return Reply(content=told, reasoning=phrases.of(reading.question).think_results)
    if rewritten := prompt.rewritten_question(messages):
        return Reply(content=rewritten)
    if reading.passages:
        return _quoting_reply(reading)
    remembered = extract.find(reading.question, reading.memory, most=1)
    said = phrases.of(reading.question)
    talk = _small_talk(messages, reading)
    if talk is None and remembered.sentences:
        return Reply(content=remembered.text, reasoning=_found(reading, remembered))
    quote = f"“{words.shorten(reading.question, _QUOTED_QUESTION)}”"
    return Reply(content=talk or said.general.format(quote), reasoning=said.think_talk)


def _small_talk(messages: Sequence[Message], reading: Reading) -> str | None:
    """Answer what needs no passages: attachments, greetings and sums."""
    said = phrases.of(reading.question)
    if attached := _attachments(messages):
        return said.attached.format(phrases.listed(attached, reading.question))
    if phrases.is_greeting(reading.question):
        return said.greeting
    solved = arithmetic.solve(reading.question)
    return said.computed.format(*solved) if solved else None


def _quoting_reply(reading: Reading) -> Reply:
    said = phrases.of(reading.question)
    finding = extract.find(reading.question, reading.passages)
    earlier = reading.earlier_answer
    if earlier.startswith(said.silent.partition("{")[0]):
        earlier = ""
    if not finding.sentences:
        silent = said.silent.format(words.shorten(reading.question, _QUOTED_QUESTION))
        return Reply(content=earlier or silent, reasoning=said.think_nothing)
    if earlier:
        # A refine step adds to what is known only what is better than that.
        finding = extract.find(reading.question, [earlier, *reading.passages])
    return Reply(content=finding.text or earlier, reasoning=_found(reading, finding))


def _found(reading: Reading, finding: extract.Finding) -> str:
    said = phrases.of(reading.question)
    shared = phrases.listed(finding.shared, reading.question)
    return said.think_passages.format(finding.considered, shared)


def _attachments(messages: Sequence[Message]) -> list[str]:
    last = messages[prompt.last_user_index(messages)]
    return [medium.description for medium in last.media]


def _continued(content: str, messages: Sequence[Message]) -> str:
    """Leave out what a prefilled assistant message already says (ark.md 4.2)."""
    last = messages[-1]
    if last.role == "assistant" and last.text:
        return content.removeprefix(last.text)
    return content
