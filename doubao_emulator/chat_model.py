"""A chat request after validation: plain data that the answering side reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from doubao_emulator.models import ChatModel
    from doubao_emulator.wire import JSON

Role: TypeAlias = Literal["system", "user", "assistant", "tool"]
MediaKind: TypeAlias = Literal["image", "video", "audio", "file"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """A picture, film, sound or document in a message.

    Attributes:
        kind: What it is.
        description: A few words about it: type, size, pages; never its content or address.
        tokens: What it costs in prompt tokens.
    """

    kind: MediaKind
    description: str
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A call the assistant made earlier; `arguments` is the JSON text as sent."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn of the conversation."""

    role: Role
    text: str = ""
    media: tuple[Media, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A function on offer."""

    name: str
    description: str = ""
    parameters: dict[str, JSON] = field(default_factory=dict)
    # The field of the request that a refusal of the parameters names.
    param: str = "tools"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """Everything that decides the answer.

    Attributes:
        model: The real model, also when an endpoint id was asked for.
        thinks: Whether this answer is preceded by a chain of thought (ark.md 4.6).
        effort: Effort after the model's mapping, empty when it does not think.
        forced_tool: Name of the tool that must be called; ``*`` for any; empty for none forced.
        may_call: False under `tool_choice` ``none`` and without tools.
        parallel: Whether one answer may hold several calls.
        schema: JSON schema the answer must fit; None without `response_format`.
        json_object: Whether any JSON object is asked for.
        answer_limit: Most tokens of the answer.
        total_limit: Most tokens of answer and thought together; None without such a limit.
        prompt_tokens: Tokens of the whole prompt.
        tier: The service tier used.
        usage_chunk: Whether a stream ends with usage.
        usage_everywhere: Whether each chunk carries usage.
    """

    model: ChatModel
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    thinks: bool = False
    effort: str = ""
    forced_tool: str = ""
    may_call: bool = False
    parallel: bool = True
    schema: dict[str, JSON] | None = None
    json_object: bool = False
    stops: tuple[str, ...] = ()
    answer_limit: int = 4096
    total_limit: int | None = None
    logprobs: bool = False
    top_logprobs: int = 0
    prompt_tokens: int = 0
    media_tokens: dict[MediaKind, int] = field(default_factory=dict)
    tier: str = "default"
    stream: bool = False
    usage_chunk: bool = False
    usage_everywhere: bool = False
