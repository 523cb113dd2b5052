"""What a chat model answers: whole (ark.md 4.3), or in events (4.4).

What an adapter reads is of the documented type, or the answer is :class:`Malformed`: services that
only resemble this one are many, and a framework's own errors would name neither them nor the
request. Arguments of a tool call that came as an object are the one exception; they become text.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import to_json

from doubao_core.api.reader import EventReader
from doubao_core.errors import DoubaoError, Malformed, Truncated, from_payload
from doubao_core.operation import JSON, Reply

_NOTHING: JSON = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one answer, as the service counted them (ark.md 4.3).

    ``completion_tokens`` includes ``reasoning_tokens``; ``prompt_tokens`` includes
    ``cached_tokens``. ``None`` means that the service did not say.
    """

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    raw: JSON = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, usage: Mapping[str, Any]) -> Usage:
        """Read a ``usage`` object.

        Raises:
            Malformed: It is none, or a count in it is no whole number.
        """
        if not isinstance(usage, Mapping):
            raise _mistyped("usage", usage, "an object")
        prompt = _count(usage, "prompt_tokens") or 0
        completion = _count(usage, "completion_tokens") or 0
        return cls(
            prompt_tokens=prompt,
            completion_tokens=completion,
            total_tokens=_count(usage, "total_tokens") or prompt + completion,
            cached_tokens=_count(_object(usage, "prompt_tokens_details"), "cached_tokens"),
            reasoning_tokens=_count(
                _object(usage, "completion_tokens_details"), "reasoning_tokens"
            ),
            raw=dict(usage),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A function that the model wants called; ``arguments`` is the JSON text as it wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatCompletion:
    """A whole answer (ark.md 4.3), of its first choice.

    ``choice`` is that choice as it came, and ``raw`` has everything.
    """

    id: str
    model: str
    content: str
    reasoning_content: str = ""
    encrypted_content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str | None = None
    usage: Usage | None = None
    created: int | None = None
    service_tier: str | None = None
    request_id: str | None = None
    choice: JSON = field(default_factory=dict, repr=False)
    raw: JSON = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, reply: Reply) -> ChatCompletion:
        """Read the answer to a plain request.

        Raises:
            Malformed: It has no message, or something in it is of another type than documented.
            DoubaoError: It is an error, although its status says 200 (ark.md 2.3).
        """
        raw = reply.json()
        if raw.get("error"):
            raise from_payload(raw["error"], status=reply.status, headers=reply.headers)
        choice = _first(raw.get("choices"))
        message = choice.get("message")
        if not isinstance(message, dict):
            raise Malformed("the answer has no choice with a message", status=reply.status)
        _check_ending(raw, choice)
        return cls(
            id=raw.get("id") or "",
            model=raw.get("model") or "",
            content=_text(message, "content"),
            reasoning_content=_text(message, "reasoning_content"),
            encrypted_content=_text(message, "encrypted_content"),
            tool_calls=tuple(map(_tool_call, message.get("tool_calls") or ())),
            finish_reason=choice.get("finish_reason"),
            usage=Usage.parse(raw["usage"]) if raw.get("usage") else None,
            created=raw.get("created"),
            service_tier=raw.get("service_tier"),
            request_id=reply.headers.get("x-request-id"),
            choice=choice,
            raw=raw,
        )


def _tool_call(raw: JSON) -> ToolCall:
    call = _fragment(raw)
    function = call.get("function") or _NOTHING
    return ToolCall(
        id=call.get("id") or "",
        name=function.get("name") or "",
        arguments=function.get("arguments") or "",
    )


@dataclass(slots=True)
class ChatDelta:
    """One event of a streamed answer (ark.md 4.4): what is new in it, and the event itself.

    A plain slotted class without validation, because thousands are made per answer. Texts are
    ``""`` where the event has none. ``tool_calls`` are the fragments as they came: merge by
    ``index``, and never overwrite an id or name with an empty one. ``choice`` is what the event
    says of the first choice, empty if nothing; ``raw`` may have others. ``request_id`` is that of
    the whole answer, and on the events with a finish reason only.
    """

    content: str
    reasoning_content: str
    encrypted_content: str
    tool_calls: list[JSON] | None
    finish_reason: str | None
    usage: JSON | None
    choice: JSON
    raw: JSON
    request_id: str | None = None


def delta(raw: JSON) -> ChatDelta:
    """Read one event; absent, null and empty fields are the same.

    With ``n`` the choices come mixed: as in a plain answer, the first one counts.
    """
    choices = raw.get("choices")
    choice: JSON = choices[0] if choices else _NOTHING
    if choice.get("index"):
        choice = _first(choices)
    new = choice.get("delta") or _NOTHING
    content = new.get("content") or ""
    reasoning = new.get("reasoning_content") or ""
    if content.__class__ is not str or reasoning.__class__ is not str:
        raise Malformed("the text of an event of the stream is no text")
    seal, calls = new.get("encrypted_content") or "", new.get("tool_calls") or None
    reason, usage = choice.get("finish_reason"), raw.get("usage")
    if seal or reason or usage or "logprobs" in choice:
        _check_rest(raw, choice, new)
    return ChatDelta(
        content,
        reasoning,
        seal,
        calls and [_fragment(call) for call in calls],
        reason,
        usage,
        choice,
        raw,
    )


def _check_rest(raw: JSON, choice: JSON, new: JSON) -> None:
    """Check what few events have."""
    _text(new, "encrypted_content")
    if raw.get("usage"):
        Usage.parse(raw["usage"])
    _check_ending(raw, choice)


class ChatReader(EventReader[ChatDelta]):
    """Decoder of one streamed answer; one without a finish reason is truncated too.

    That matters most for tool calls: half-written arguments must not be taken for whole ones. One
    without any event is no answer at all.
    """

    def __init__(self) -> None:
        super().__init__()
        self._text = io.StringIO()
        self._begun = False
        self._finished = False

    def _event(self, raw: JSON) -> ChatDelta:
        if raw.get("error"):
            raise from_payload(raw["error"])
        event = delta(raw)
        self._begun = True
        if event.content:
            self._text.write(event.content)
        if event.finish_reason:
            self._finished = True
            event.request_id = self._request_id
        return event

    @property
    def partial(self) -> str:
        """The content that has come so far, without the chain of thought."""
        return self._text.getvalue()

    def _unfinished(self) -> DoubaoError | None:
        if self._finished:
            return None
        if not self._begun:
            return Malformed("the stream ended without any event")
        return Truncated("the stream ended without a finish reason")


def _first(choices: Any) -> JSON:
    """Give the first of the choices of an answer or an event, ``{}`` if it is not there."""
    for choice in choices or ():
        if not choice.get("index"):
            found: JSON = choice
            return found
    return _NOTHING


def _fragment(call: JSON) -> JSON:
    """Give a tool call, or a fragment of one, with its arguments as text."""
    function = call.get("function") or _NOTHING
    arguments = function.get("arguments")
    if isinstance(arguments, dict):
        text = to_json(arguments, inf_nan_mode="constants").decode()
        return {**call, "function": {**function, "arguments": text}}
    for value in (arguments, function.get("name"), call.get("id")):
        if value is not None and value.__class__ is not str:
            raise _mistyped("a tool call's id, name or arguments", value, "a text")
    index = call.get("index")
    if index is not None and not isinstance(index, int):
        raise _mistyped("a tool call's index", index, "a whole number")
    return call


def _check_ending(raw: JSON, choice: JSON) -> None:
    """Check what describes a whole answer or an event, and its log probabilities."""
    for name in ("id", "model", "service_tier"):
        _text(raw, name)
    _text(choice, "finish_reason")
    for token in _objects(_object(choice, "logprobs"), "content"):
        _check_token(token)
        for other in _objects(token, "top_logprobs"):
            _check_token(other)


def _check_token(token: JSON) -> None:
    _text(token, "token")
    number = token.get("logprob")
    if number is not None and not isinstance(number, int | float):
        raise _mistyped("logprob", number, "a number")
    if not all(isinstance(each, int) for each in _list(token, "bytes")):
        raise _mistyped("bytes", token["bytes"], "a list of whole numbers")


def _text(holder: Mapping[str, Any], name: str) -> str:
    value = holder.get(name) or ""
    if not isinstance(value, str):
        raise _mistyped(name, value, "a text")
    return value


def _count(holder: Mapping[str, Any], name: str) -> int | None:
    value = holder.get(name)
    if value is not None and not isinstance(value, int):
        raise _mistyped(name, value, "a whole number")
    return value


def _object(holder: Mapping[str, Any], name: str) -> JSON:
    value = holder.get(name) or _NOTHING
    if not isinstance(value, dict):
        raise _mistyped(name, value, "an object")
    return value


def _list(holder: Mapping[str, Any], name: str) -> list[Any]:
    value = holder.get(name) or []
    if not isinstance(value, list):
        raise _mistyped(name, value, "a list")
    return value


def _objects(holder: Mapping[str, Any], name: str) -> list[JSON]:
    values = _list(holder, name)
    for value in values:
        if not isinstance(value, dict):
            raise _mistyped(f"an item of {name}", value, "an object")
    return values


def _mistyped(what: str, value: object, documented: str) -> Malformed:
    return Malformed(
        f"the answer is of an unknown shape: {what} is a JSON {type(value).__name__}, "
        f"not {documented}"
    )
