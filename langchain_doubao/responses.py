"""Wire answers to LangChain messages: whole ones, and the chunks of a stream. Pure.

A stream's chunks are built without validation, because that is most of what a chunk costs
(``benchmarks/``). ``tests/langchain/test_chat_chunks.py`` holds them to be the objects that the
validating constructors make.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import invalid_tool_call, tool_call
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import BaseModel

from doubao_core import ChatCompletion, Usage
from langchain_doubao.blocks import PROVIDER, REASONING, SEAL

JSON: TypeAlias = dict[str, Any]

_new = object.__new__
# The slots of every pydantic object. Set by their descriptors they cost a third less than by name.
_SLOTS: Any = BaseModel.__dict__
_set_fields = _SLOTS["__dict__"].__set__
_set_given = _SLOTS["__pydantic_fields_set__"].__set__
_set_extra = _SLOTS["__pydantic_extra__"].__set__
_set_private = _SLOTS["__pydantic_private__"].__set__
# What the chunks below are made of. If a newer core has other fields, it makes its chunks itself.
_FIELDS = {
    "content",
    "additional_kwargs",
    "response_metadata",
    "type",
    "name",
    "id",
    "tool_calls",
    "invalid_tool_calls",
    "usage_metadata",
    "tool_call_chunks",
    "chunk_position",
}
_FIELDS_AROUND = {"text", "generation_info", "type", "message"}
_FIELDS_ARE_KNOWN = (
    AIMessageChunk.model_fields.keys() == _FIELDS
    and ChatGenerationChunk.model_fields.keys() == _FIELDS_AROUND
)


def result(completion: ChatCompletion) -> ChatResult:
    """Give a whole answer as LangChain wants it from ``_generate``."""
    return ChatResult(generations=[ChatGeneration(message=message(completion))])


def message(completion: ChatCompletion) -> AIMessage:
    """Convert a whole answer (ark.md 4.3)."""
    thoughts = {REASONING: completion.reasoning_content, SEAL: completion.encrypted_content}
    calls, broken = [], []
    for place, call in enumerate(completion.tool_calls):
        id_ = call.id or made_up_id(completion.id, place)
        arguments = parsed_arguments(call.arguments)
        if arguments is None:
            broken.append(
                invalid_tool_call(
                    name=call.name, args=call.arguments.lstrip(), id=id_, error=_NOT_AN_OBJECT
                )
            )
        else:
            calls.append(tool_call(name=call.name, args=arguments, id=id_))
    return AIMessage(
        content=completion.content,
        additional_kwargs={name: text for name, text in thoughts.items() if text},
        tool_calls=calls,
        invalid_tool_calls=broken,
        usage_metadata=usage(completion.usage),
        response_metadata=metadata(completion.raw, completion.choice, completion.request_id),
    )


_NOT_AN_OBJECT = "the arguments are not a JSON object"


def parsed_arguments(text: str) -> JSON | None:
    """Read a call's arguments; ``None`` if they are not a JSON object, ``{}`` if there are none."""
    if not text.strip():
        return {}
    try:
        arguments = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None
    return arguments if isinstance(arguments, dict) else None


def made_up_id(answer: str, place: int) -> str:
    """Make the id for a call that came without one: the same for the same call of an answer."""
    return f"call_{answer or PROVIDER}_{place}"


def usage(counted: Usage | None) -> UsageMetadata | None:
    """Convert token counts; a detail that was not reported is absent, since ``None`` cannot add."""
    if counted is None:
        return None
    converted = UsageMetadata(
        input_tokens=counted.prompt_tokens,
        output_tokens=counted.completion_tokens,
        total_tokens=counted.total_tokens,
    )
    if counted.cached_tokens is not None:
        converted["input_token_details"] = {"cache_read": counted.cached_tokens}
    if counted.reasoning_tokens is not None:
        converted["output_token_details"] = {"reasoning": counted.reasoning_tokens}
    return converted


def metadata(raw: Mapping[str, Any], choice: Mapping[str, Any], request_id: str | None) -> JSON:
    """``response_metadata`` of an answer, or of the event that ends one, and of its choice."""
    found = {
        "model_name": raw.get("model"),
        "finish_reason": choice.get("finish_reason"),
        "id": raw.get("id"),
        "created": raw.get("created"),
        "service_tier": raw.get("service_tier"),
        "service_status": raw.get("service_status"),
        "moderation_hit_type": choice.get("moderation_hit_type"),
        "logprobs": choice.get("logprobs"),
        "request_id": request_id,
    }
    named = {name: value for name, value in found.items() if value}
    return {"model_provider": PROVIDER, **named}


def text_chunk(
    content: str, additional_kwargs: JSON | None = None, id_: str | None = None
) -> AIMessageChunk:
    """Make the chunk that the constructor would make of this text, without validating it.

    Args:
        content: New text.
        additional_kwargs: New reasoning, if any.
        id_: Id of the message, if it has one yet.
    """
    if not _FIELDS_ARE_KNOWN:
        return _validated_chunk(content, additional_kwargs, id_)
    chunk = _new(AIMessageChunk)
    fields = {"content", "response_metadata"}
    if additional_kwargs is None:
        additional_kwargs = {}
    else:
        fields.add("additional_kwargs")
    if id_ is not None:
        fields.add("id")
    _set_fields(
        chunk,
        {
            "content": content,
            "additional_kwargs": additional_kwargs,
            "response_metadata": {"model_provider": PROVIDER},
            "type": "AIMessageChunk",
            "name": None,
            "id": id_,
            "tool_calls": [],
            "invalid_tool_calls": [],
            "usage_metadata": None,
            "tool_call_chunks": [],
            "chunk_position": None,
        },
    )
    _set_given(chunk, fields)
    _set_extra(chunk, {})
    _set_private(chunk, None)
    return chunk


def _validated_chunk(
    content: str, additional_kwargs: JSON | None, id_: str | None
) -> AIMessageChunk:
    given: JSON = {"content": content, "response_metadata": {"model_provider": PROVIDER}}
    for name, value in (("additional_kwargs", additional_kwargs), ("id", id_)):
        if value is not None:
            given[name] = value
    return AIMessageChunk(**given)


def fragment_chunk(arguments: str, index: int, id_: str | None = None) -> AIMessageChunk:
    """Make the chunk of a piece of a call's arguments, without validating it.

    Only for a piece that cannot be a JSON object by itself: it does not start with ``{``. The
    constructor, which tries to parse each piece, would call it invalid, as this does.
    """
    chunk = text_chunk("", id_=id_)
    fields = chunk.__dict__
    fields["tool_call_chunks"] = [
        {"name": None, "args": arguments, "id": None, "index": index, "type": "tool_call_chunk"}
    ]
    fields["invalid_tool_calls"] = [
        {
            "name": None,
            "args": arguments,
            "id": None,
            "error": None,
            "type": "invalid_tool_call",
        }
    ]
    chunk.__pydantic_fields_set__.update(("tool_call_chunks", "tool_calls", "invalid_tool_calls"))
    return chunk


def generation_chunk(chunk: AIMessageChunk) -> ChatGenerationChunk:
    """Wrap a chunk whose content is a text, as ``ChatGenerationChunk(message=chunk)`` would."""
    if not _FIELDS_ARE_KNOWN:
        return ChatGenerationChunk(message=chunk)
    generation = _new(ChatGenerationChunk)
    _set_fields(
        generation,
        {
            "text": chunk.content,
            "generation_info": None,
            "type": "ChatGenerationChunk",
            "message": chunk,
        },
    )
    _set_given(generation, {"message", "text"})
    _set_extra(generation, None)
    _set_private(generation, None)
    return generation
