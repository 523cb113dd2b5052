"""Which tools a request asks for, in which order, and with which arguments."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from doubao_emulator import words
from doubao_emulator.answering import claims, clauses, evidence, prompt, schema, strings, subject
from doubao_emulator.answering.evidence import Evidence
from doubao_emulator.answering.schema_rules import SchemaFaultError
from doubao_emulator.chat_tools import ANY
from doubao_emulator.errors import invalid_parameter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doubao_emulator.answering.claims import Claim
    from doubao_emulator.chat_model import Message, Tool
    from doubao_emulator.wire import JSON

_TOGETHER = re.compile(
    r"\bin parallel\b|\bat the same time\b|\bsimultaneously\b|\bat once\b|同时|并行", re.IGNORECASE
)
_VALUES = re.compile(r"\s*(?:,\s*and\s+|,\s*|\s+and\s+|\s+as well as\s+|、|和|与|以及)\s*")
# "San Francisco, CA" is one place; "Paris, London and Tokyo" are three.
_STATES = re.compile(r",\s*[A-Z]{2}$|,\s*[A-Z][a-z]+$")
_GOES_ON = re.compile(r",?\s+(?:and|or)\s+[A-Z]|,\s*[A-Z]")


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """A tool to call."""

    name: str
    arguments: dict[str, JSON]


def next_calls(
    messages: Sequence[Message], tools: Sequence[Tool], *, parallel: bool
) -> list[PlannedCall]:
    """Return the calls to make now; none when everything asked for has been called.

    Different tools are called one after the other, since one may need what another found, unless
    the request says otherwise. Several values for one tool are called together.
    """
    if not messages:
        return []
    last = prompt.last_user_index(messages)
    request = prompt.find_question(messages[last].text)
    earlier = [message for message in messages[:last] if message.text]
    called = [call.name for message in messages[last + 1 :] for call in message.tool_calls]
    known = Evidence(
        focus=request,
        text=_all_text(messages),
        topic=topic(request) or _earlier_topic(earlier) or request,
        results=(
            *(message.text for message in earlier if message.role == "assistant"),
            *(message.text for message in messages[last + 1 :] if message.role == "tool"),
        ),
    )
    planned = [
        call for claim in claims.made_by(request, tools) for call in _calls_for(claim, known)
    ]
    remaining = _without(planned, called)
    if not parallel:
        return remaining[:1]
    if _TOGETHER.search(request):
        return remaining
    return [call for call in remaining if call.name == remaining[0].name] if remaining else []


def forced_call(messages: Sequence[Message], tools: Sequence[Tool], name: str) -> PlannedCall:
    """Return a call of the named tool, or with `ANY` of the one that fits best."""
    last = prompt.last_user_index(messages)
    request = prompt.find_question(messages[last].text)
    known = schema.evidence_of(messages)
    tool = claims.closest(request, tools) if name == ANY else _named(tools, name)
    return PlannedCall(tool.name, _arguments(tool, known))


def _arguments(tool: Tool, known: Evidence) -> dict[str, JSON]:
    try:
        arguments = schema.fill(tool.parameters, known, sparing=True)
    except SchemaFaultError as fault:
        raise invalid_parameter(tool.param, fault.sentence) from fault
    # A schema without a type may allow other values; a function takes named ones only.
    return arguments if isinstance(arguments, dict) else {}


def _named(tools: Sequence[Tool], name: str) -> Tool:
    return next(tool for tool in tools if tool.name == name)


def _all_text(messages: Sequence[Message]) -> str:
    return "\n\n".join(m.text for m in messages if m.role in {"user", "tool"} and m.text)


def topic(request: str) -> str:
    """Return what a request is about: a question it quotes, or the first clause with a subject.

    Empty when the request only points elsewhere, as `Draw it` does.
    """
    for question in evidence.quoted_questions(request):
        return question
    for clause in clauses.split(request):
        about = subject.of(clause)
        if not subject.is_empty(about):
            return about
    return ""


def _earlier_topic(earlier: Sequence[Message]) -> str:
    """Return what the conversation was about before: what `it` stands for."""
    asked = (prompt.find_question(m.text) for m in reversed(earlier) if m.role == "user")
    return next(filter(None, map(topic, asked)), "")


def _calls_for(claim: Claim, known: Evidence) -> list[PlannedCall]:
    known = replace(known, focus=claim.clause)
    arguments = _arguments(claim.tool, known)
    field = _single_string(claim.tool)
    values = _several(arguments.get(field, ""), claim.clause) if field else []
    if not values[1:]:
        return [PlannedCall(claim.tool.name, arguments)]
    return [PlannedCall(claim.tool.name, {**arguments, field: value}) for value in values]


def _single_string(tool: Tool) -> str:
    """Return the one required field of a tool that takes a name or a place, else nothing."""
    required = list(tool.parameters.get("required") or ())
    if len(required) != 1:
        return ""
    properties = tool.parameters.get("properties") or {}
    field = str(required[0])
    described = properties.get(field)
    is_text = isinstance(described, dict) and described.get("type") == "string"
    return field if is_text and not set(strings.name_words(field)) & strings.FREE_TEXT else ""


def _several(value: JSON, clause: str) -> list[str]:
    """Return the values of a list like `Paris and Tokyo` that begins with `value`."""
    if not isinstance(value, str) or not value or value not in clause:
        return []
    start = clause.index(value)
    quotes = evidence.quoted(clause)
    if value in quotes:
        return quotes
    whole = re.split(r"[.?!;。？！；]|\b(?:then|using|with|please)\b|的", clause[start:])[0]
    if _STATES.search(value) and not _GOES_ON.match(clause[start + len(value) :]):
        return [value]
    parts = [part.strip(" ,") for part in _VALUES.split(whole) if part.strip(" ,")]
    alike = [part for part in parts if words.has_cjk(part) or part[:1].isupper()]
    return alike if len(alike) == len(parts) else [value]


def _without(planned: list[PlannedCall], called: Sequence[str]) -> list[PlannedCall]:
    done = Counter(called)
    remaining = []
    for call in planned:
        if done[call.name]:
            done[call.name] -= 1
        else:
            remaining.append(call)
    return remaining
