"""Chat completions, plain and streamed (ark.md 4)."""

from __future__ import annotations

import difflib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict, Unpack

from doubao_core.api import model_check
from doubao_core.api.reader import EventReader
from doubao_core.errors import ConfigError, Malformed, from_payload
from doubao_core.operation import JSON, Flow, Opening, Operation, Reply, Send, Streaming, body


class ChatOptions(TypedDict, total=False):
    """The optional fields of a chat request, by their names on the wire (ark.md 4.1).

    ``None`` means "not given" and is never sent; the service's defaults apply. ``max_tokens``
    (default 4096, without the chain of thought) and ``max_completion_tokens`` exclude each other.
    ``extra_body`` is merged over everything else, for fields that are newer than this library.
    """

    thinking: Mapping[str, Any] | None
    reasoning_effort: str | None
    max_tokens: int | None
    max_completion_tokens: int | None
    stop: str | Sequence[str] | None
    temperature: float | None
    top_p: float | None
    frequency_penalty: float | None
    presence_penalty: float | None
    repetition_penalty: float | None
    logit_bias: Mapping[str, float] | None
    logprobs: bool | None
    top_logprobs: int | None
    n: int | None
    seed: int | None
    tools: Sequence[Mapping[str, Any]] | None
    tool_choice: str | Mapping[str, Any] | None
    parallel_tool_calls: bool | None
    response_format: Mapping[str, Any] | None
    service_tier: str | None
    stream_options: Mapping[str, Any] | None
    user: str | None
    extra_body: Mapping[str, Any] | None


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
        """Read a ``usage`` object."""
        prompt = usage.get("prompt_tokens") or 0
        completion = usage.get("completion_tokens") or 0
        return cls(
            prompt_tokens=prompt,
            completion_tokens=completion,
            total_tokens=usage.get("total_tokens") or prompt + completion,
            cached_tokens=(usage.get("prompt_tokens_details") or {}).get("cached_tokens"),
            reasoning_tokens=(usage.get("completion_tokens_details") or {}).get("reasoning_tokens"),
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
    """A whole answer (ark.md 4.3), of its first choice; ``raw`` has everything."""

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
    raw: JSON = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, reply: Reply) -> ChatCompletion:
        """Read the answer to a plain request."""
        raw = reply.json()
        choice = _first_choice(raw, reply)
        message = choice.get("message")
        if not isinstance(message, dict):
            raise Malformed("the answer's choice has no message")
        return cls(
            id=raw.get("id") or "",
            model=raw.get("model") or "",
            content=message.get("content") or "",
            reasoning_content=message.get("reasoning_content") or "",
            encrypted_content=message.get("encrypted_content") or "",
            tool_calls=tuple(map(_tool_call, message.get("tool_calls") or ())),
            finish_reason=choice.get("finish_reason"),
            usage=Usage.parse(raw["usage"]) if raw.get("usage") else None,
            created=raw.get("created"),
            service_tier=raw.get("service_tier"),
            request_id=reply.headers.get("x-request-id"),
            raw=raw,
        )


def _first_choice(raw: JSON, reply: Reply) -> JSON:
    if raw.get("error"):
        raise from_payload(raw["error"], status=reply.status, headers=reply.headers)
    choices = raw.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise Malformed("the answer has no choices", status=reply.status)
    first: JSON = choices[0]
    return first


def _tool_call(call: Mapping[str, Any]) -> ToolCall:
    function = call.get("function") or {}
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
    ``index``, and never overwrite an id or name with an empty one. ``request_id`` is that of the
    whole answer, and on the events with a finish reason only.
    """

    content: str
    reasoning_content: str
    encrypted_content: str
    tool_calls: list[JSON] | None
    finish_reason: str | None
    usage: JSON | None
    raw: JSON
    request_id: str | None = None


_NOTHING: JSON = {}


def delta(raw: JSON) -> ChatDelta:
    """Read one event; absent, null and empty fields are the same.

    With ``n`` the choices come mixed: as in a plain answer, the first one counts.
    """
    choices = raw.get("choices")
    choice: JSON = choices[0] if choices else _NOTHING
    if choice.get("index"):
        choice = next((each for each in choices or () if not each.get("index")), _NOTHING)
    new = choice.get("delta") or _NOTHING
    return ChatDelta(
        new.get("content") or "",
        new.get("reasoning_content") or "",
        new.get("encrypted_content") or "",
        new.get("tool_calls") or None,
        choice.get("finish_reason"),
        raw.get("usage"),
        raw,
    )


class ChatReader(EventReader[ChatDelta]):
    """Decoder of one streamed answer; one without a finish reason is truncated too.

    That matters most for tool calls: half-written arguments must not be taken for whole ones.
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
        if event.content:
            self._begun = True
            self._text.write(event.content)
        elif event.reasoning_content or event.tool_calls:
            self._begun = True
        if event.finish_reason:
            self._finished = True
            event.request_id = self._request_id
        return event

    @property
    def partial(self) -> str:
        """The content that has come so far, without the chain of thought."""
        return self._text.getvalue()

    def _unfinished(self) -> str | None:
        if self._begun and not self._finished:
            return "the stream ended without a finish reason"
        return None


# What is set on a client; as a field of a request it would be sent and mean nothing.
_CLIENT_SETTINGS = frozenset(
    {"api_key", "base_url", "default_headers", "http_client", "max_retries", "provider", "timeout"}
)


def _check_names(options: Mapping[str, Any]) -> None:
    """Let fields pass that are newer than this library, but not misspelt ones."""
    for name in options.keys() - ChatOptions.__annotations__.keys():
        if name in _CLIENT_SETTINGS:
            raise ConfigError(
                f"{name} is no field of a request: give it when you make the client or the model"
            )
        if close := difflib.get_close_matches(name, ChatOptions.__annotations__, 1, 0.85):
            raise ConfigError(
                f"unknown option {name!r}, did you mean {close[0]!r}? If the service has a new "
                f"field of that name, send it in extra_body"
            )


def _request(
    model: str,
    messages: Sequence[Mapping[str, Any]],
    options: Mapping[str, Any],
    *,
    check_parameters: bool,
    stream: bool | None = None,
) -> Send:
    _check_names(options)
    if check_parameters:
        model_check.check(model, messages, options)
    required = {"model": model, "messages": messages, "stream": stream}
    return Send(operation="chat.create", body=body(required, options))


@Operation
def chat(
    *,
    model: str,
    messages: Sequence[Mapping[str, Any]],
    check_parameters: bool = True,
    **options: Unpack[ChatOptions],
) -> Flow[ChatCompletion]:
    """Ask a chat model and wait for the whole answer (ark.md 4).

    Args:
        model: Model id (``doubao-seed-…``) or endpoint id (``ep-…``).
        messages: Messages in wire form (ark.md 4.2), oldest first.
        check_parameters: Whether to refuse, before sending, what a known model is said to refuse,
            and to warn of what it ignores; ``extra_body`` is never checked.
        options: See :class:`ChatOptions`.

    Raises:
        ConfigError: The model does not take a parameter, which is named in ``param``.
        DoubaoError: See the tree in ``doubao_core.errors``. An answer cut by the content filter is
            not an error: its ``finish_reason`` is ``"content_filter"``.
    """
    reply = yield _request(model, messages, options, check_parameters=check_parameters)
    return ChatCompletion.parse(reply)


@Streaming
def stream_chat(
    *,
    model: str,
    messages: Sequence[Mapping[str, Any]],
    check_parameters: bool = True,
    **options: Unpack[ChatOptions],
) -> Opening[ChatDelta]:
    """Ask a chat model and get the answer as it is made (ark.md 4.4).

    Usage comes only if asked for: ``stream_options={"include_usage": True}``. The request is
    repeated after a failure only as long as no event has come.

    Args:
        model: Model id or endpoint id.
        messages: Messages in wire form, oldest first.
        check_parameters: See ``chat``; an error is raised by the call, not by the first event.
        options: See :class:`ChatOptions`.

    Raises:
        Truncated: The stream ended before its end; ``partial`` is the text that had come.
        DoubaoError: Any other of the tree; ``partial`` is set if text had come.
    """
    send = _request(model, messages, options, check_parameters=check_parameters, stream=True)
    return Opening(send, ChatReader)
