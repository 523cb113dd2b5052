"""Chat completions, plain and streamed (ark.md 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, Unpack

from doubao_core.api import model_check, naming
from doubao_core.api.answers import ChatCompletion, ChatDelta, ChatReader
from doubao_core.errors import ConfigError
from doubao_core.operation import (
    Flow,
    Opening,
    Operation,
    Secret,
    Send,
    Streaming,
    body,
    checked_headers,
)


class ChatOptions(TypedDict, total=False):
    """The optional fields of a chat request, by their names on the wire (ark.md 4.1).

    ``None`` means "not given" and is never sent; the service's defaults apply. ``max_tokens``
    (default 4096, without the chain of thought) and ``max_completion_tokens`` exclude each other.
    ``extra_body`` is merged over everything else, for fields that are newer than this library;
    ``extra_headers`` go beside the client's, a ``SecretStr`` as what it hides.
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
    extra_headers: Mapping[str, str | Secret] | None


REQUEST_ONLY = frozenset({"extra_headers", "messages", "model", "stream"})
"""What belongs to one request and is no option to keep: settings are written down and traced."""

# What is set on a client; as a field of a request it would be sent and mean nothing.
_CLIENT_SETTINGS = frozenset(
    {
        "api_key",
        "base_url",
        "default_headers",
        "http_async_client",
        "http_client",
        "max_retries",
        "provider",
        "request_timeout",
        "timeout",
    }
)
# Higher than for arguments: a new field of the service may be called much like an old one.
_LIKENESS = 0.85
_EXAMPLE = '{"role": "user", "content": "Hello"}'


def _check_names(options: Mapping[str, Any]) -> None:
    """Let fields pass that are newer than this library, but not misspelt or foreign names."""
    for name in options.keys() - ChatOptions.__annotations__.keys():
        if name == "stream":
            raise ConfigError("the method decides about stream: call stream_chat, or chat")
        if name in _CLIENT_SETTINGS:
            raise ConfigError(
                f"{name} is no field of a request: give it when you make the client or the model"
            )
        if name.startswith("extra_") or name == "headers":
            raise ConfigError(
                f"{name} is no field of a request: a call takes extra_body and extra_headers"
            )
        if settings := naming.renamed(name, _CLIENT_SETTINGS):
            raise ConfigError(
                f"{name} is no field of a request: give {settings[0]} when you make the "
                "client or the model"
            )
        if others := naming.meant(name, ChatOptions.__annotations__, _LIKENESS):
            raise ConfigError(
                f"unknown option {name!r}, {naming.question(others)} If the service has a new "
                "field of that name, send it in extra_body"
            )


def _check_messages(messages: Sequence[Mapping[str, Any]]) -> None:
    """Refuse a text in place of messages, and the pairs that frameworks take."""
    for message in messages:
        if not isinstance(message, Mapping):
            raise ConfigError(
                f"each of messages must be an object such as {_EXAMPLE}, not a "
                f"{type(message).__name__}",
                param="messages",
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
    _check_messages(messages)
    if check_parameters:
        model_check.check(model, messages, options)
    required = {"model": model, "messages": messages, "stream": stream}
    headers = checked_headers("extra", options.get("extra_headers") or {})
    fields = {name: value for name, value in options.items() if name != "extra_headers"}
    return Send(operation="chat.create", body=body(required, fields), headers=headers)


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
