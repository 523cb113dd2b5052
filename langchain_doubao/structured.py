"""Structured output: what to ask for, and a parser that never takes half an answer for a whole one.

Core's parsers complete cut JSON by themselves, so that ``{"a": "x`` counts as an answer. Here this
is done only while a stream is growing; a finished answer is parsed strictly, and one that was cut
off (``finish_reason`` ``length`` or ``content_filter``) is an error.

Core also adds up the chunks of a stream at every step of a chain, and parses all of a tool call's
arguments each time. So a stream's chunks are collected here and added up once, at its end.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Literal, TypeAlias, get_args

from langchain_core.exceptions import OutputParserException
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.output_parsers import BaseOutputParser
from langchain_core.outputs import ChatGeneration, Generation
from langchain_core.runnables import (
    AddableDict,
    Runnable,
    RunnableConfig,
    RunnableSerializable,
)
from langchain_core.runnables.utils import ConfigurableFieldSpec
from langchain_core.utils.pydantic import is_basemodel_subclass
from pydantic import ConfigDict
from pydantic_core import from_json
from typing_extensions import override

from langchain_doubao.fragments import PlainJSON
from langchain_doubao.schemas import ANSWER, as_function, check_kind, is_wrapped, strict_schema

JSON: TypeAlias = dict[str, Any]
Method: TypeAlias = Literal["function_calling", "json_schema", "json_mode"]

_METHODS = get_args(Method)
_CUT = {
    "length": "the answer was cut off at its limit (finish_reason 'length'): raise max_tokens",
    "content_filter": "the content filter stopped the answer (finish_reason 'content_filter')",
}


def check(schema: Any, method: str, *, strict: bool | None) -> None:
    """Refuse what makes no sense together.

    Raises:
        ValueError: The method is unknown or does not go with the other arguments, or the schema is
            a type that is no class, such as ``list[Person]``.
    """
    if method not in _METHODS:
        raise ValueError(f"method is one of {', '.join(_METHODS)}, not {method!r}")
    if schema is None and method != "json_mode":
        raise ValueError(f"method {method!r} needs a schema")
    if strict is not None and method == "json_mode":
        raise ValueError("json_mode knows no strict: use json_schema")
    check_kind(schema)


def response_format(schema: Any, method: Method, *, strict: bool | None) -> JSON:
    """Give the ``response_format`` that asks for *schema* (ark.md 4.5).

    Without ``strict`` the service takes a schema for a hint only, so for classes it is on unless
    turned off. A schema given as a dict is sent as it is, and with the ``strict`` that it came
    with, unless ``strict`` is asked for.

    Raises:
        ValueError: There is no schema in a dict.
    """
    if method == "json_mode":
        return {"type": "json_object"}
    if strict is None and not isinstance(schema, dict):
        strict = True
    function = as_function(schema)
    wanted: JSON = {"name": function["name"], "schema": function["parameters"]}
    if function.get("description"):
        wanted["description"] = function["description"]
    asked = function.get("strict") if strict is None else strict
    if asked is not None:
        wanted["strict"] = asked
    if strict:
        wanted["schema"] = strict_schema(function["parameters"])
    return {"type": "json_schema", "json_schema": wanted}


class StructuredParser(BaseOutputParser[Any]):
    """Reads the structured answer out of a message: a tool call's arguments, or the text.

    While a stream grows it gives ever larger dicts, or nothing if a class is wanted; the last value
    is always that of the whole answer. A trace shows one run, of the whole answer.
    """

    tool: str | None = None
    """Name of the tool whose arguments are the answer; the answer is the text if ``None``."""
    model: Any = None
    """Pydantic class (v1 or v2) to make of the answer."""

    @property
    def _type(self) -> str:
        return "doubao-structured"

    @override
    def parse(self, text: str) -> Any:
        """Parse a whole text."""
        return self._made(self._strictly(text), text)

    @override
    def parse_result(self, result: Sequence[Generation], *, partial: bool = False) -> Any:
        """Parse a whole answer; ``partial`` changes nothing.

        Raises:
            OutputParserException: The answer was cut off, is not JSON, does not fit the class, or
                the model did not call the tool.
        """
        generation = result[0]
        message = generation.message if isinstance(generation, ChatGeneration) else None
        reason = message.response_metadata.get("finish_reason") if message else None
        if reason in _CUT:
            raise OutputParserException(_CUT[str(reason)], llm_output=generation.text)
        if self.tool is None:
            return self.parse(generation.text)
        return self._made(self._arguments(message), generation.text)

    @override
    def transform(
        self,
        input: Iterator[str | BaseMessage],
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> Iterator[Any]:
        """Parse a stream."""
        seen = _Stream(self)
        for chunk in input:
            if (value := seen.grown_by(chunk)) is not None:
                yield value
        if seen.chunks and (value := self.invoke(_whole(seen.chunks), config)) != seen.value:
            yield value

    @override
    async def atransform(
        self,
        input: AsyncIterator[str | BaseMessage],
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[Any]:
        """Parse a stream."""
        seen = _Stream(self)
        async for chunk in input:
            if (value := seen.grown_by(chunk)) is not None:
                yield value
        if seen.chunks and (value := await self.ainvoke(_whole(seen.chunks), config)) != seen.value:
            yield value

    def _arguments(self, message: BaseMessage | None) -> JSON:
        if not isinstance(message, AIMessage):
            raise OutputParserException("the answer is no message of a chat model")
        for call in message.tool_calls:
            if call["name"] == self.tool:
                return call["args"]
        for broken in message.invalid_tool_calls:
            if broken["name"] == self.tool:
                raise OutputParserException(
                    f"the arguments of {self.tool} are not a JSON object",
                    llm_output=broken["args"] or "",
                )
        raise OutputParserException(
            f"the model answered without calling {self.tool}", llm_output=message.text
        )

    def _strictly(self, text: str) -> Any:
        try:
            return json.loads(_unfenced(text), strict=False)
        except (ValueError, RecursionError) as error:
            raise OutputParserException(
                f"the answer is not JSON: {error}", llm_output=text
            ) from error

    def _made(self, value: Any, text: str) -> Any:
        if self.model is None:
            return value
        if is_wrapped(self.model) and isinstance(value, dict) and value.keys() == {ANSWER}:
            value = value[ANSWER]
        try:
            if hasattr(self.model, "model_validate"):
                return self.model.model_validate(value)
            return self.model.parse_obj(value)
        except ValueError as error:
            raise OutputParserException(
                f"the answer does not fit {self.model.__name__}: {error}", llm_output=text
            ) from error


def _unfenced(text: str) -> str:
    text = text.lstrip()
    if not text.startswith("```"):
        return text
    text = text.removeprefix("```").removeprefix("json")
    # Blanks at the end of a growing text may be those of a string.
    ended = text.rstrip()
    return ended.removesuffix("```") if ended.endswith("```") else text


class _Stream:
    """What has come of one streamed answer, and the largest value that could be read of it."""

    def __init__(self, parser: StructuredParser) -> None:
        self.chunks: list[Any] = []
        self.value: JSON | None = None
        self._tool = parser.tool
        self._grows = parser.model is None
        self._index: Any = None
        self._json = PlainJSON()
        self._text = ""

    def grown_by(self, chunk: str | BaseMessage) -> JSON | None:
        """Take a chunk; gives the value so far if a dict is wanted and has become another."""
        self.chunks.append(chunk)
        if not self._grows:
            return None
        piece = self._json.add(self._piece(chunk))
        self._text += piece
        if not piece or piece.isspace():
            return None
        try:
            value = from_json(_unfenced(self._text), allow_partial="trailing-strings")
        except ValueError:
            return None
        if not isinstance(value, dict) or value == self.value:
            return None
        self.value = value
        return value

    def _piece(self, chunk: str | BaseMessage) -> str:
        """What a chunk adds to the text that is parsed: the first call of the tool, or all text."""
        if isinstance(chunk, str):
            return chunk
        if self._tool is None:
            return str(chunk.text)
        pieces = []
        for fragment in chunk.tool_call_chunks if isinstance(chunk, AIMessageChunk) else ():
            if self._index is None and fragment["name"] == self._tool:
                self._index = fragment["index"]
            if self._index is not None and fragment["index"] == self._index:
                pieces.append(fragment["args"] or "")
        return "".join(pieces)


def _whole(chunks: list[Any]) -> Any:
    """Add up chunks of an answer, all at once."""
    if isinstance(chunks[0], str):
        return "".join(chunks)
    return chunks[0] + chunks[1:] if len(chunks) > 1 else chunks[0]


class StructuredOutcome(RunnableSerializable[LanguageModelInput, JSON]):
    """Gives the message beside what was read from it, or beside the error that reading it was.

    Streams give the message in chunks, then the rest at once: parts that can be added up.
    """

    model: Runnable[LanguageModelInput, AIMessage]
    """Answers."""
    answer: StructuredParser
    """Reads the answer."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    @property
    @override
    def config_specs(self) -> list[ConfigurableFieldSpec]:
        return self.model.config_specs

    @override
    def invoke(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> JSON:
        """Ask once."""
        return self._call_with_config(self._asked, input, config, **kwargs)

    @override
    async def ainvoke(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> JSON:
        """Ask once."""
        return await self._acall_with_config(self._aasked, input, config, **kwargs)

    @override
    def stream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[JSON]:
        """Ask once, and give the answer as it comes."""
        yield from self.transform(iter([input]), config, **kwargs)

    @override
    async def astream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[JSON]:
        """Ask once, and give the answer as it comes."""

        async def alone() -> AsyncIterator[LanguageModelInput]:
            yield input

        async for part in self.atransform(alone(), config, **kwargs):
            yield part

    # The parts become addable only outside: core would add them up for the trace, one by one.

    @override
    def transform(
        self,
        input: Iterator[LanguageModelInput],
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> Iterator[JSON]:
        """Ask once, when all of the input has come."""
        for part in self._transform_stream_with_config(input, self._parts, config, **kwargs):
            yield AddableDict(part)

    @override
    async def atransform(
        self,
        input: AsyncIterator[LanguageModelInput],
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[JSON]:
        """Ask once, when all of the input has come."""
        parts = self._atransform_stream_with_config(input, self._aparts, config, **kwargs)
        async for part in parts:
            yield AddableDict(part)

    def _asked(
        self, asked: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> JSON:
        message = self.model.invoke(asked, config, **kwargs)
        return {"raw": message, **self._read(message)}

    async def _aasked(
        self, asked: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> JSON:
        message = await self.model.ainvoke(asked, config, **kwargs)
        return {"raw": message, **self._read(message)}

    def _parts(
        self,
        asked: Iterator[LanguageModelInput],
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> Iterator[JSON]:
        chunks = []
        for chunk in self.model.transform(asked, config, **kwargs):
            chunks.append(chunk)
            yield {"raw": chunk}
        yield self._read(_whole(chunks))

    async def _aparts(
        self,
        asked: AsyncIterator[LanguageModelInput],
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[JSON]:
        chunks = []
        async for chunk in self.model.atransform(asked, config, **kwargs):
            chunks.append(chunk)
            yield {"raw": chunk}
        yield self._read(_whole(chunks))

    def _read(self, message: AIMessage) -> JSON:
        try:
            value = self.answer.parse_result([ChatGeneration(message=message)])
        except OutputParserException as error:
            return {"parsed": None, "parsing_error": error}
        return {"parsed": value, "parsing_error": None}


def read(
    model: Runnable[LanguageModelInput, AIMessage],
    schema: Any,
    *,
    tool: str | None,
    include_raw: bool,
) -> Runnable[LanguageModelInput, Any]:
    """Read the answers of a model that was asked for *schema*, if with a *tool* then its calls."""
    is_class = isinstance(schema, type) and is_basemodel_subclass(schema)
    parser = StructuredParser(tool=tool, model=schema if is_class else None)
    return StructuredOutcome(model=model, answer=parser) if include_raw else model | parser
