"""Answers to pydantic objects, whole and half-written. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Generic

from llama_index.core.base.llms.types import ChatResponse
from llama_index.core.bridge.pydantic import BaseModel, ValidationError
from llama_index.core.program.utils import FlexibleModel, create_flexible_model
from llama_index.core.types import Model
from pydantic_core import from_json, to_json

from doubao_core import ResponseError
from llamaindex_doubao.schema import ANSWER, is_wrapped

_SHOWN = 200
# Models write raw line breaks into strings, which pydantic does not read.
_DECODER = json.JSONDecoder(strict=False)
_REASONS = {
    "length": "it was cut at the token limit: raise max_tokens or max_completion_tokens",
    "content_filter": "the content filter ended it",
}
# A growing answer is read anew each time it has grown by one in so many pieces: so often that
# nobody sees it, and yet in all no more than so many times its length.
_FINENESS = 128
# What ends what a bracket begins; what follows it in an answer; and how far behind it.
_BRACKETS = {"{": ("}", ('"',)), "[": ("]", ('"', "{", "["))}
_GAP = 64


class StructuredOutputError(ResponseError, ValueError):
    """The model's answer is not the object that was asked for; ``partial`` is what it said."""


def read(response: ChatResponse, output_cls: type[Model]) -> Model:
    """Read the object that a finished answer holds.

    Prose and code fences around it are tolerated.

    Raises:
        StructuredOutputError: There is none, it does not fit, or the answer was cut or filtered.
    """
    text = _text(response)
    reason = response.additional_kwargs.get("finish_reason")
    if reason in _REASONS:
        raise _failure(output_cls, _REASONS[reason], text)
    try:
        return output_cls.model_validate_json(_json(text, output_cls))
    except ValidationError as error:
        raise _failure(output_cls, _first(error), text) from error


class Partials(Generic[Model]):
    """Objects out of an answer that is still coming in; one whenever more of it can be read.

    Until all that *output_cls* requires is there, they are of a class with the same fields, all of
    them optional, as LlamaIndex's own programs give. Of a long answer not every piece is read.
    """

    def __init__(self, output_cls: type[Model]) -> None:
        self._output_cls = output_cls
        self._flexible: type[FlexibleModel] = create_flexible_model(output_cls)
        self._parsed: Any = None
        self._given: BaseModel | None = None
        self._last: ChatResponse | None = None
        self._pieces = 0
        self._due = 1

    def add(self, response: ChatResponse) -> Iterator[BaseModel]:
        """Take the next response and give the object so far, if it has changed."""
        self._last = response
        if not self._is_due(response):
            return
        parsed = _partial(_text(response))
        if not isinstance(parsed, dict) or not parsed or parsed == self._parsed:
            return
        self._parsed = parsed
        made = self._object(parsed)
        if made is not None and made != self._given:
            self._given = made
            yield made

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

    def _is_due(self, response: ChatResponse) -> bool:
        if "thinking_delta" in response.additional_kwargs and not response.delta:
            return False
        self._pieces += 1
        if self._pieces < self._due:
            return False
        self._due = self._pieces + 1 + self._pieces // _FINENESS
        return True

    def _object(self, parsed: dict[str, Any]) -> BaseModel | None:
        loose: Any = parsed
        value: Any = parsed
        if is_wrapped(self._output_cls):
            value = parsed.get(ANSWER)
            if not value:
                return None
            loose = {"root": value}
        try:
            return self._output_cls.model_validate(value)
        except (ValueError, TypeError, LookupError, AttributeError):
            # Validators of the class, too, may stumble over half a value.
            return self._flexible.model_validate(loose)


def _text(response: ChatResponse) -> str:
    """Give the JSON text of an answer: the arguments of its tool call, else its content."""
    calls = response.message.additional_kwargs.get("tool_calls")
    if calls:
        return str(calls[0]["function"]["arguments"])
    return response.message.content or ""


def _json(text: str, output_cls: type[BaseModel]) -> str:
    """Give the JSON of the answer in *text*, of what it is wrapped in, too."""
    found = _cut(text, _begin(text))
    if not is_wrapped(output_cls):
        return found
    try:
        parsed = from_json(found)
    except ValueError:
        parsed = None
    if isinstance(parsed, dict) and parsed.keys() == {ANSWER}:
        return to_json(parsed[ANSWER]).decode()
    # In words only, models forget the wrapping.
    begins = [at for at in (_begin(text), _begin(text, "[")) if at >= 0]
    return _cut(text, min(begins, default=-1))


def _begin(text: str, bracket: str = "{") -> int:
    """Find where the first object, or array, begins; -1 if nowhere.

    Words in brackets belong to the prose, if nothing is nested in them: otherwise part of a
    broken answer would be taken for the whole.
    """
    closing, following = _BRACKETS[bracket]
    first = begin = text.find(bracket)
    while begin >= 0:
        next_text = text[begin + 1 : begin + _GAP].lstrip()
        if not next_text or next_text.startswith(following):
            return begin
        later = text.find(bracket, begin + 1)
        if text.find(closing, begin, max(later, 0)) < 0:
            break
        begin = later
    return first if bracket == "{" else -1


def _cut(text: str, begin: int) -> str:
    """Cut the JSON at *begin* out of the prose or the code fence around it."""
    if begin < 0:
        return text
    try:
        found, end = _DECODER.raw_decode(text, begin)
    except (ValueError, RecursionError):
        return text[begin:]
    try:
        from_json(text[begin:end])
    except ValueError:
        return json.dumps(found)
    return text[begin:end]


def _partial(text: str) -> Any:
    """Read the first object in *text*, half-written as it may be; ``None`` if there is none."""
    begin = _begin(text)
    if begin < 0:
        return None
    try:
        return from_json(text[begin:], allow_partial="trailing-strings")
    except ValueError:
        # Something follows it, or it has raw line breaks.
        pass
    try:
        return from_json(_cut(text, begin))
    except ValueError:
        return None


def _failure(output_cls: type[BaseModel], why: str, text: str) -> StructuredOutputError:
    failure = StructuredOutputError(
        f"the model's answer is no {output_cls.__name__}: {why}; it said: {text[:_SHOWN]!r}"
    )
    failure.partial = text
    return failure


def _first(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, problem["loc"]))
    return f"{place}: {problem['msg']}" if place else str(problem["msg"])
