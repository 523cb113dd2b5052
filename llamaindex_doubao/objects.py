"""Answers to pydantic objects, whole and half-written. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Generic

from llama_index.core.base.llms.types import ChatResponse
from llama_index.core.bridge.pydantic import BaseModel, ValidationError
from llama_index.core.program.utils import FlexibleModel, create_flexible_model
from llama_index.core.types import Model
from pydantic_core import from_json

from doubao_core import ResponseError

_SHOWN = 200
# Models write raw line breaks into strings, which pydantic does not read.
_DECODER = json.JSONDecoder(strict=False)
_REASONS = {
    "length": "it was cut at the token limit: raise max_tokens or max_completion_tokens",
    "content_filter": "the content filter ended it",
}


class StructuredOutputError(ResponseError, ValueError):
    """The model's answer is not the object that was asked for; ``partial`` is what it said."""


def read(response: ChatResponse, output_cls: type[Model]) -> Model:
    """Read the object that a finished answer holds.

    Prose and code fences around it are tolerated.

    Raises:
        StructuredOutputError: There is none, or it does not fit; says why as far as known.
    """
    text = _text(response)
    try:
        return output_cls.model_validate_json(_json(text))
    except ValidationError as error:
        reason = response.additional_kwargs.get("finish_reason")
        why = _REASONS.get(reason or "") or _first(error)
        failure = StructuredOutputError(
            f"the model's answer is no {output_cls.__name__}: {why}; it said: {text[:_SHOWN]!r}"
        )
        failure.partial = text
        raise failure from error


class Partials(Generic[Model]):
    """Objects out of an answer that is still coming in; one whenever more of it can be read.

    Until all that *output_cls* requires is there, they are of a class with the same fields, all of
    them optional, as LlamaIndex's own programs give.
    """

    def __init__(self, output_cls: type[Model]) -> None:
        self._output_cls = output_cls
        self._flexible: type[FlexibleModel] = create_flexible_model(output_cls)
        self._parsed: Any = None
        self._given: BaseModel | None = None
        self._last: ChatResponse | None = None

    def add(self, response: ChatResponse) -> Iterator[BaseModel]:
        """Take the next response and give the object so far, if it has changed."""
        self._last = response
        parsed = _partial(_json(_text(response)))
        if isinstance(parsed, dict) and parsed and parsed != self._parsed:
            self._parsed = parsed
            self._given = self._object(parsed)
            yield self._given

    def end(self) -> Iterator[Model]:
        """Give the whole object, unless the last one was it already.

        Raises:
            StructuredOutputError: The answer is not the object that was asked for.
        """
        if self._last is None:
            return
        whole = read(self._last, self._output_cls)
        if whole != self._given:
            yield whole

    def _object(self, parsed: dict[str, Any]) -> BaseModel:
        try:
            return self._output_cls.model_validate(parsed)
        except ValidationError:
            return self._flexible.model_validate(parsed)


def _text(response: ChatResponse) -> str:
    """Give the JSON text of an answer: the arguments of its tool call, else its content."""
    calls = response.message.additional_kwargs.get("tool_calls")
    if calls:
        return str(calls[0]["function"]["arguments"])
    return response.message.content or ""


def _json(text: str) -> str:
    """Cut the first object out of prose or a code fence around it; it may be half-written."""
    begin = text.find("{")
    if begin < 0:
        return text
    try:
        found, end = _DECODER.raw_decode(text, begin)
    except (ValueError, RecursionError):
        return text[begin:]
    try:
        from_json(text[begin:end])
    except ValueError:
        return json.dumps(found, ensure_ascii=False)
    return text[begin:end]


def _partial(text: str) -> Any:
    try:
        return from_json(text, allow_partial="trailing-strings")
    except ValueError:
        return None


def _first(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, problem["loc"]))
    return f"{place}: {problem['msg']}" if place else str(problem["msg"])
