"""Structured output: what to ask for, and a parser that never takes half an answer for a whole one.

Core's parsers complete cut JSON by themselves, so that ``{"a": "x`` counts as an answer. This one
does so only while a stream is growing; a finished answer is parsed strictly, and one that was cut
off (``finish_reason`` ``length`` or ``content_filter``) is an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Literal, TypeAlias, get_args

from langchain_core.exceptions import OutputParserException
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.output_parsers import BaseCumulativeTransformOutputParser
from langchain_core.outputs import ChatGeneration, Generation
from langchain_core.runnables import AddableDict, Runnable, RunnableGenerator, RunnableMap
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_core.utils.json import parse_partial_json
from langchain_core.utils.pydantic import is_basemodel_subclass

JSON: TypeAlias = dict[str, Any]
Method: TypeAlias = Literal["function_calling", "json_schema", "json_mode"]

_METHODS = get_args(Method)
_FENCE = re.compile(r"\A\s*```(?:json)?\s*(.*?)\s*(?:```)?\s*\Z", re.DOTALL)
_LONGEST_NAME = 64
_NAME = re.compile(rf"[A-Za-z0-9_-]{{1,{_LONGEST_NAME}}}")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]+")
_CUT = {
    "length": "the answer was cut off at its limit (finish_reason 'length'): raise max_tokens",
    "content_filter": "the content filter stopped the answer (finish_reason 'content_filter')",
}
# What means something in a JSON schema and strict mode refuses (ark.md 4.5); pydantic still checks.
_NOT_STRICT = frozenset(
    {
        "contains",
        "dependentRequired",
        "dependentSchemas",
        "else",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "format",
        "if",
        "maxContains",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minContains",
        "minItems",
        "minLength",
        "minProperties",
        "minimum",
        "multipleOf",
        "not",
        "pattern",
        "patternProperties",
        "propertyNames",
        "then",
        "uniqueItems",
    }
)
_NAMED_SCHEMAS = frozenset({"properties", "$defs", "definitions"})


def as_function(schema: Any) -> JSON:
    """Describe a schema of any kind as a function: name, description, parameters."""
    if isinstance(schema, dict) and not schema.keys() & {"title", "name", "function"}:
        schema = {"title": "answer", **schema}
    # A copy: a dict in OpenAI's form comes back as it is.
    function: JSON = dict(convert_to_openai_tool(schema)["function"])
    function.setdefault("parameters", {"type": "object", "properties": {}})
    if not _NAME.fullmatch(function["name"]):
        # Generic classes and Chinese ones have names that the service refuses (ark.md 4.1).
        plain = _NOT_IN_NAMES.sub("_", function["name"])[:_LONGEST_NAME].strip("_")
        function["name"] = plain or "answer"
    return function


def check(schema: Any, method: str, *, strict: bool | None) -> None:
    """Refuse what makes no sense together.

    Raises:
        ValueError: The method is unknown, or does not go with the other arguments.
    """
    if method not in _METHODS:
        raise ValueError(f"method is one of {', '.join(_METHODS)}, not {method!r}")
    if schema is None and method != "json_mode":
        raise ValueError(f"method {method!r} needs a schema")
    if strict is not None and method == "json_mode":
        raise ValueError("json_mode knows no strict: use json_schema")


def response_format(schema: Any, method: Method, *, strict: bool | None) -> JSON:
    """Give the ``response_format`` that asks for *schema* (ark.md 4.5).

    Without ``strict`` the service takes a schema for a hint only, so for classes it is on unless
    turned off. A schema given as a dict is sent as it is unless ``strict`` is asked for.
    """
    if method == "json_mode":
        return {"type": "json_object"}
    if strict is None and not isinstance(schema, dict):
        strict = True
    function = as_function(schema)
    wanted: JSON = {"name": function["name"], "schema": function["parameters"]}
    if function.get("description"):
        wanted["description"] = function["description"]
    if strict is not None:
        wanted["strict"] = strict
    if strict:
        wanted["schema"] = strict_schema(function["parameters"])
    return {"type": "json_schema", "json_schema": wanted}


def strict_schema(schema: Any) -> Any:
    """Rewrite a JSON schema for strict mode: everything required, nothing more, no constraints."""
    if isinstance(schema, list):
        return [strict_schema(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    rewritten: JSON = {}
    for name, value in schema.items():
        if name in _NAMED_SCHEMAS and isinstance(value, dict):
            rewritten[name] = {key: strict_schema(inner) for key, inner in value.items()}
        elif name in {"const", "enum", "required"}:
            rewritten[name] = value
        elif name not in _NOT_STRICT:
            rewritten[name] = strict_schema(value)
    if isinstance(rewritten.get("properties"), dict):
        rewritten["required"] = list(rewritten["properties"])
        rewritten["additionalProperties"] = False
    return rewritten


class StructuredParser(BaseCumulativeTransformOutputParser[Any]):
    """Reads the structured answer out of a message: a tool call's arguments, or the text.

    While a stream grows it gives ever larger dicts, or nothing if a class is wanted; the last value
    is always that of the whole answer.
    """

    tool: str | None = None
    """Name of the tool whose arguments are the answer; the answer is the text if ``None``."""
    model: Any = None
    """Pydantic class (v1 or v2) to make of the answer."""

    @property
    def _type(self) -> str:
        return "doubao-structured"

    def parse(self, text: str) -> Any:
        """Parse a whole text."""
        return self._made(self._strictly(text), text)

    def parse_result(self, result: Sequence[Generation], *, partial: bool = False) -> Any:
        """Parse an answer; ``partial`` ones only as far as they have come.

        Raises:
            OutputParserException: The answer was cut off, is not JSON, does not fit the class, or
                the model did not call the tool.
        """
        generation = result[0]
        message = generation.message if isinstance(generation, ChatGeneration) else None
        reason = message.response_metadata.get("finish_reason") if message else None
        if partial and reason is None:
            return None if self.model else self._so_far(message, generation.text)
        if reason in _CUT:
            raise OutputParserException(_CUT[str(reason)], llm_output=generation.text)
        if self.tool is None:
            return self.parse(generation.text)
        return self._made(self._arguments(message), generation.text)

    def _so_far(self, message: BaseMessage | None, text: str) -> Any:
        if self.tool is not None:
            calls = message.tool_calls if isinstance(message, AIMessage) else []
            return next((call["args"] for call in calls if call["name"] == self.tool), None)
        try:
            value = parse_partial_json(_unfenced(text))
        except ValueError:
            return None
        return value if isinstance(value, dict) else None

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
        try:
            if hasattr(self.model, "model_validate"):
                return self.model.model_validate(value)
            return self.model.parse_obj(value)
        except ValueError as error:
            raise OutputParserException(
                f"the answer does not fit {self.model.__name__}: {error}", llm_output=text
            ) from error


def _unfenced(text: str) -> str:
    fenced = _FENCE.match(text)
    return fenced.group(1) if fenced else text


def parser(schema: Any, *, tool: str | None = None) -> StructuredParser:
    """Make the parser for answers that were asked for with *schema*."""
    is_class = isinstance(schema, type) and is_basemodel_subclass(schema)
    return StructuredParser(tool=tool, model=schema if is_class else None)


def parsed(
    model: Runnable[LanguageModelInput, AIMessage], answer: StructuredParser
) -> Runnable[LanguageModelInput, JSON]:
    """Give the message beside what was read from it, or beside the error that reading it was.

    Streams give the message in chunks, then the rest at once: parts that can be added up.
    """

    def read(parts: Iterator[JSON]) -> Iterator[JSON]:
        chunks = []
        for part in parts:
            chunks.append(part["raw"])
            yield AddableDict(part)
        yield _outcome(answer, chunks)

    async def aread(parts: AsyncIterator[JSON]) -> AsyncIterator[JSON]:
        chunks = []
        async for part in parts:
            chunks.append(part["raw"])
            yield AddableDict(part)
        yield _outcome(answer, chunks)

    return RunnableMap(raw=model) | RunnableGenerator(read, aread, name="StructuredOutcome")


def _outcome(answer: StructuredParser, chunks: list[Any]) -> JSON:
    message = chunks[0] + chunks[1:] if len(chunks) > 1 else chunks[0]
    try:
        value = answer.parse_result([ChatGeneration(message=message)])
    except OutputParserException as error:
        return AddableDict(parsed=None, parsing_error=error)
    return AddableDict(parsed=value, parsing_error=None)
