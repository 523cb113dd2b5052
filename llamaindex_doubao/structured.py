"""Answers that are pydantic objects: whole and while they come in, in four ways of asking."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import aclosing, closing
from typing import Any, Literal, TypeAlias

from llama_index.core.base.llms.types import ChatMessage, MessageRole
from llama_index.core.bridge.pydantic import BaseModel, Field
from llama_index.core.instrumentation.events.llm import (
    LLMStructuredPredictEndEvent,
    LLMStructuredPredictStartEvent,
)
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.prompts import PromptTemplate
from llama_index.core.types import Model, PydanticProgramMode
from llama_index_instrumentation import get_dispatcher

from doubao_core import ConfigError, catalogue
from doubao_core.api import naming
from llamaindex_doubao.objects import Partials, read
from llamaindex_doubao.parts import JSON
from llamaindex_doubao.schema import function, object_schema, response_format

dispatcher = get_dispatcher(__name__)

Way: TypeAlias = Literal["json_schema", "json_object", "function", "prompt"]

_OF_MODE: dict[PydanticProgramMode, Way] = {
    PydanticProgramMode.FUNCTION: "function",
    PydanticProgramMode.LLM: "prompt",
}
# These follow from the way of asking; LlamaIndex's own program drops them from llm_kwargs too.
_DECIDED = {"tool_required", "tool_choice", "allow_parallel_tool_calls"}
# Beside an object there can be no other question, form or call.
_EXCLUDED = {"messages", "response_format", "tools"}
_INSTRUCTION = "Answer with one JSON object and nothing else; it has to fit this JSON schema: "


class StructuredOutput(FunctionCallingLLM):
    """The half of :class:`~llamaindex_doubao.Doubao` that gives pydantic objects."""

    model: str
    structured_output: Literal["auto", "json_schema", "json_object", "function", "prompt"] = Field(
        default="auto",
        description="How to ask for an object: by JSON schema (auto, if the model is known to take "
        "one), by a forced tool call (auto, else), in JSON mode, or in words only.",
    )

    @dispatcher.span
    def structured_predict(
        self,
        output_cls: type[Model],
        prompt: PromptTemplate,
        llm_kwargs: Mapping[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Model:
        """Ask for an *output_cls*.

        Args:
            output_cls: Pydantic model of the answer.
            prompt: Template of the question.
            llm_kwargs: Wire options of this call.
            prompt_args: Values for the template.

        Raises:
            StructuredOutputError: The answer is cut, filtered, or does not fit.
            ConfigError: ``llm_kwargs`` has messages, tools or a ``response_format``, or
                *output_cls* is no pydantic class, such as ``list[City]``.
        """
        if (way := self._way_to(output_cls)) is None:
            own = dict(llm_kwargs or {})
            found: Model = super().structured_predict(output_cls, prompt, own, **prompt_args)
            return found
        _started(output_cls, prompt, prompt_args)
        question = self._question(way, output_cls, prompt, llm_kwargs, prompt_args)
        return _ended(read(self.chat(**question), output_cls))

    @dispatcher.span
    async def astructured_predict(
        self,
        output_cls: type[Model],
        prompt: PromptTemplate,
        llm_kwargs: Mapping[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Model:
        """Ask for an *output_cls*; see :meth:`structured_predict`."""
        if (way := self._way_to(output_cls)) is None:
            own = dict(llm_kwargs or {})
            found: Model = await super().astructured_predict(output_cls, prompt, own, **prompt_args)
            return found
        _started(output_cls, prompt, prompt_args)
        question = self._question(way, output_cls, prompt, llm_kwargs, prompt_args)
        return _ended(read(await self.achat(**question), output_cls))

    def _structured_stream_call(
        self,
        output_cls: type[Model],
        prompt: PromptTemplate,
        llm_kwargs: Mapping[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Generator[Any]:
        if (way := self._way_to(output_cls)) is None:
            own = dict(llm_kwargs or {})
            return super()._structured_stream_call(output_cls, prompt, own, **prompt_args)
        question = self._question(way, output_cls, prompt, llm_kwargs, prompt_args)

        def objects() -> Generator[Any]:
            partials = Partials(output_cls)
            with closing(self.stream_chat(**question)) as responses:
                for response in responses:
                    yield from partials.add(response)
            yield from partials.end()

        return objects()

    async def _structured_astream_call(
        self,
        output_cls: type[Model],
        prompt: PromptTemplate,
        llm_kwargs: Mapping[str, Any] | None = None,
        **prompt_args: Any,
    ) -> AsyncGenerator[Any]:
        if (way := self._way_to(output_cls)) is None:
            own = dict(llm_kwargs or {})
            return await super()._structured_astream_call(output_cls, prompt, own, **prompt_args)
        question = self._question(way, output_cls, prompt, llm_kwargs, prompt_args)

        async def objects() -> AsyncGenerator[Any]:
            partials = Partials(output_cls)
            async with aclosing(await self.astream_chat(**question)) as responses:
                async for response in responses:
                    for each in partials.add(response):
                        yield each
            for each in partials.end():
                yield each

        return objects()

    def _way_to(self, output_cls: type[BaseModel]) -> Way | None:
        """Say how to ask for *output_cls*, which may be anything as yet."""
        if not (isinstance(output_cls, type) and issubclass(output_cls, BaseModel)):
            raise ConfigError(naming.instead_of(output_cls))
        return self._way()

    def _way(self) -> Way | None:
        """Say how to ask; ``None`` leaves it to LlamaIndex's own programs."""
        if self.pydantic_program_mode != PydanticProgramMode.DEFAULT:
            return _OF_MODE.get(self.pydantic_program_mode)
        if self.structured_output != "auto":
            return self.structured_output
        known = catalogue.find(self.model)
        if known is not None and known.structured_output:
            return "json_schema"
        return "function" if self.metadata.is_function_calling_model else "prompt"

    def _question(
        self,
        way: Way,
        output_cls: type[BaseModel],
        prompt: PromptTemplate,
        llm_kwargs: Mapping[str, Any] | None,
        prompt_args: Mapping[str, Any],
    ) -> JSON:
        """Give the arguments for ``chat``; the caller's own objects are left alone."""
        messages = self._extend_messages(prompt.format_messages(llm=self, **prompt_args))
        given = llm_kwargs or {}
        if wrong := _EXCLUDED & given.keys():
            raise ConfigError(
                f"an object cannot be asked for together with {', '.join(sorted(wrong))}: leave "
                "that out, or use chat"
            )
        options = {name: value for name, value in given.items() if name not in _DECIDED}
        if way == "function":
            return {
                **options,
                "messages": messages,
                "tools": [function(output_cls)],
                "tool_choice": "required",
                "parallel_tool_calls": False,
            }
        if way == "json_schema":
            return {
                **options,
                "messages": messages,
                "response_format": response_format(output_cls),
            }
        schema = json.dumps(object_schema(output_cls), ensure_ascii=False)
        instruction = ChatMessage(role=MessageRole.SYSTEM, content=_INSTRUCTION + schema)
        question: JSON = {**options, "messages": [instruction, *messages]}
        if way == "json_object":
            question["response_format"] = {"type": "json_object"}
        return question


def _started(
    output_cls: type[BaseModel], prompt: PromptTemplate, prompt_args: dict[str, Any]
) -> None:
    dispatcher.event(
        LLMStructuredPredictStartEvent(
            output_cls=output_cls, template=prompt, template_args=prompt_args
        )
    )


def _ended(found: Model) -> Model:
    dispatcher.event(LLMStructuredPredictEndEvent(output=found))
    return found
