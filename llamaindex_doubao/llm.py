"""``Doubao``: the chat models of Volcengine Ark and BytePlus for LlamaIndex."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Any, Literal, TypeVar

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
    LLMMetadata,
    MessageRole,
)
from llama_index.core.bridge.pydantic import Field, PrivateAttr, model_validator
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.tools import BaseTool
from typing_extensions import override

from doubao_core import ChatOptions, ConfigError, catalogue
from doubao_core.api.chat import REQUEST_ONLY
from llamaindex_doubao.connection import Connection
from llamaindex_doubao.function_calling import (
    GrowingArguments,
    keep_first_call,
    selections,
    wire_choice,
    wire_tools,
)
from llamaindex_doubao.messages import wire_messages
from llamaindex_doubao.options import merged, set_apart
from llamaindex_doubao.parts import JSON
from llamaindex_doubao.responses import Reading, chat_response, completion_response
from llamaindex_doubao.streaming import AsyncResponses, StreamedAnswer
from llamaindex_doubao.structured import StructuredOutput

DEFAULT_CONTEXT_WINDOW = 131_072
"""Tokens; for endpoint ids and models newer than this library. Set ``context_window`` if larger."""

R = TypeVar("R")


class Doubao(Connection, StructuredOutput):
    """Doubao / Seed chat models, and the others that Ark and BytePlus serve.

    Nothing that is not given is sent: the service's defaults apply. Any other keyword of a call
    goes into the request as it is, so that new parameters work at once; it wins over the field,
    and the field over ``additional_kwargs``. Objects are merged, ``None`` takes an option back.

    .. code-block:: python

        from llamaindex_doubao import Doubao

        llm = Doubao(model="doubao-seed-2-1-pro-260915")     # ARK_API_KEY
        print(llm.complete("Why is tea picked in spring?"))

    Leaving a stream early frees its connection when the generator is closed: use
    ``contextlib.closing`` or ``aclosing`` to have that happen at once.

    Raises:
        ConfigError: A message, block, tool or option that cannot be sent, or that a known model
            does not take (``check_parameters=False`` sends it); before anything is.
        DoubaoError: Any other of the tree in ``doubao_core.errors``; a stream that breaks has what
            came in ``partial``.
    """

    model: str = Field(description="Model id (doubao-seed-…) or endpoint id (ep-…).")
    # Unlike the embeddings' they change no cache key, so to_dict keeps them.
    timeout: float | None = Field(
        default=None,
        frozen=True,
        gt=0,
        description="Seconds for connect, first byte and gaps; default 600.",
    )
    max_retries: int | None = Field(
        default=None, frozen=True, ge=0, description="Attempts beyond the first; default 2."
    )
    temperature: float | None = Field(default=None, description="0 to 2.")
    top_p: float | None = Field(default=None, description="0 to 1.")
    max_tokens: int | None = Field(
        default=None, ge=1, description="Most tokens of the answer, without reasoning."
    )
    max_completion_tokens: int | None = Field(
        default=None, ge=1, description="Most tokens of reasoning and answer together."
    )
    stop: str | list[str] | None = Field(default=None, description="Texts that end the answer.")
    frequency_penalty: float | None = Field(default=None, description="-2 to 2.")
    presence_penalty: float | None = Field(default=None, description="-2 to 2.")
    logprobs: bool | None = Field(default=None, description="Return log probabilities.")
    top_logprobs: int | None = Field(default=None, description="Alternatives per token, to 20.")
    seed: int | None = Field(default=None, description="Seed for sampling.")
    thinking: Literal["enabled", "disabled", "auto"] | dict[str, Any] | None = Field(
        default=None, description="Whether to reason; or the wire's own object (ark.md 4.6)."
    )
    reasoning_effort: str | None = Field(
        default=None, description="none, minimal, low, medium, high, xhigh, max or ultra."
    )
    service_tier: str | None = Field(default=None, description="auto, default, fast or flex.")
    parallel_tool_calls: bool | None = Field(
        default=None, description="False: one tool call per answer, whatever a caller allows."
    )
    stream_usage: bool = Field(default=True, description="Ask for usage at the end of a stream.")
    send_thinking: bool = Field(
        default=True, description="Send reasoning back with the history (ark.md 4.6)."
    )
    check_parameters: bool = Field(
        default=True, description="Refuse what a known model is said to refuse, before sending."
    )
    extra_body: dict[str, Any] | None = Field(
        default=None, description="Fields to merge over the request; never checked."
    )
    additional_kwargs: dict[str, Any] = Field(
        default_factory=dict, description="More wire options; everything else wins over them."
    )
    context_window: int | None = Field(
        default=None, ge=1, description="Tokens; default what is known of the model."
    )
    is_function_calling_model: bool | None = Field(
        default=None, description="Default what is known of the model, else true."
    )

    _growing: GrowingArguments = PrivateAttr(default_factory=GrowingArguments)

    @model_validator(mode="after")
    def _one_limit(self) -> Doubao:
        if self.max_tokens is not None and self.max_completion_tokens is not None:
            raise ValueError(
                "max_tokens and max_completion_tokens exclude each other: give one of them"
            )
        if wrong := REQUEST_ONLY & self.additional_kwargs.keys():
            raise ValueError(
                f"additional_kwargs cannot hold {', '.join(sorted(wrong))}: give the model as "
                "model, headers as default_headers, and the rest with a call"
            )
        return self

    @classmethod
    def class_name(cls) -> str:
        """Name under which LlamaIndex serialises it."""
        return "Doubao"

    @override
    def to_dict(self, **kwargs: Any) -> JSON:
        """Give the settings as JSON, for ``from_dict``; without key and headers."""
        return super().to_dict(**{"mode": "json", **kwargs})

    @property
    def metadata(self) -> LLMMetadata:
        """What LlamaIndex plans prompts with; offline, for any model id."""
        known = catalogue.kin(self.model)
        window = self.context_window or (known and known.context_window) or DEFAULT_CONTEXT_WINDOW
        limit = self.max_tokens or self.max_completion_tokens
        tools = self.is_function_calling_model
        if tools is None:
            tools = known is None or known.tools is not False
        return LLMMetadata(
            context_window=window,
            # The prompt needs room too, or LlamaIndex refuses to build any.
            num_output=min(limit, window // 2) if limit else -1,
            is_chat_model=True,
            is_function_calling_model=tools,
            model_name=self.model,
            system_role=MessageRole.SYSTEM,
        )

    @llm_chat_callback()
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Ask and wait for the whole answer; ``kwargs`` are wire options of this call."""
        return self._chat(messages, kwargs)

    @llm_chat_callback()
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Ask and wait for the whole answer; ``kwargs`` are wire options of this call."""
        return await self._achat(messages, kwargs)

    @llm_chat_callback()
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """Ask and get the answer as it is made; each response holds all that has come."""
        return self._stream_chat(messages, kwargs)

    @llm_chat_callback()
    async def astream_chat(
        self, messages: Sequence[ChatMessage], **kwargs: Any
    ) -> ChatResponseAsyncGen:
        """Ask and get the answer as it is made; each response holds all that has come."""
        return self._astream(messages, kwargs, lambda response: response)

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Ask with one user message; the reasoning is in ``additional_kwargs["thinking"]``."""
        return completion_response(self._chat(self._prompt(prompt, formatted), kwargs))

    @llm_completion_callback()
    async def acomplete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponse:
        """Ask with one user message; the reasoning is in ``additional_kwargs["thinking"]``."""
        return completion_response(await self._achat(self._prompt(prompt, formatted), kwargs))

    @llm_completion_callback()
    def stream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponseGen:
        """Ask with one user message and get the answer as it is made."""
        answer = self._stream_chat(self._prompt(prompt, formatted), kwargs)

        def completions() -> CompletionResponseGen:
            with closing(answer):
                for response in answer:
                    yield completion_response(response)

        return completions()

    @llm_completion_callback()
    async def astream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponseAsyncGen:
        """Ask with one user message and get the answer as it is made."""
        return self._astream(self._prompt(prompt, formatted), kwargs, completion_response)

    @override
    def _prepare_chat_with_tools(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,
        allow_parallel_tool_calls: bool = False,
        tool_required: bool = False,
        tool_choice: str | Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> JSON:
        messages = list(chat_history or ())
        if user_msg is not None:
            if isinstance(user_msg, str):
                user_msg = ChatMessage(role=MessageRole.USER, content=user_msg)
            messages.append(user_msg)
        if not tools:
            return {**kwargs, "messages": messages}
        wire, names = wire_tools(tools)
        options = {
            "tools": wire,
            "tool_choice": wire_choice(tool_choice, tools, required=tool_required),
            "parallel_tool_calls": allow_parallel_tool_calls
            and self.parallel_tool_calls is not False,
            "tool_names": names or None,
            **kwargs,
        }
        given = {name: value for name, value in options.items() if value is not None}
        return {**given, "messages": messages}

    @override
    def _validate_chat_with_tools_response(
        self,
        response: ChatResponse,
        tools: Sequence[BaseTool],
        allow_parallel_tool_calls: bool = False,
        **kwargs: Any,
    ) -> ChatResponse:
        return response if allow_parallel_tool_calls else keep_first_call(response)

    @override
    def get_tool_calls_from_response(
        self,
        response: ChatResponse,
        error_on_no_tool_call: bool = True,
        **kwargs: Any,
    ) -> list[ToolSelection]:
        """Give the tool calls of a response, finished or still coming in.

        Raises:
            ValueError: With ``error_on_no_tool_call``: no tool was called, or with arguments that
                are no JSON object.
        """
        return selections(response, self._growing, error_on_no_tool_call=error_on_no_tool_call)

    def _chat(self, messages: Sequence[ChatMessage], call: Mapping[str, Any]) -> ChatResponse:
        request, reading = self._request(messages, call)
        return chat_response(self._client.chat(**request), reading)

    async def _achat(
        self, messages: Sequence[ChatMessage], call: Mapping[str, Any]
    ) -> ChatResponse:
        request, reading = self._request(messages, call)
        return chat_response(await self._async_client.chat(**request), reading)

    def _stream_chat(
        self, messages: Sequence[ChatMessage], call: Mapping[str, Any]
    ) -> ChatResponseGen:
        request, reading = self._request(messages, call, stream=True)
        events = self._client.stream_chat(**request)

        def responses() -> ChatResponseGen:
            answer = StreamedAnswer(reading)
            with closing(events):
                for event in events:
                    yield answer.add(event)
            if (rest := answer.closing()) is not None:
                yield rest

        return responses()

    def _astream(
        self,
        messages: Sequence[ChatMessage],
        call: Mapping[str, Any],
        shape: Callable[[ChatResponse], R],
    ) -> AsyncResponses[R]:
        request, reading = self._request(messages, call, stream=True)
        return AsyncResponses(self._async_client.stream_chat(**request), reading, shape)

    def _request(
        self, messages: Sequence[ChatMessage], call: Mapping[str, Any], *, stream: bool = False
    ) -> tuple[JSON, Reading]:
        """Give the arguments for the client, and how to read the answer."""
        own = {name: getattr(self, name) for name in _OPTIONS}
        given = {name: value for name, value in own.items() if value is not None}
        usage = {"stream_options": {"include_usage": True}} if stream and self.stream_usage else {}
        layers = (usage, self.additional_kwargs, given, call)
        options = merged(*layers)
        if "stream" in options:
            raise ConfigError("the method decides about stream: call stream_chat, or chat")
        names = options.pop("tool_names", {})
        if not stream:
            options.pop("stream_options", None)
        reading = Reading(
            names=names,
            one_call=options.get("parallel_tool_calls") is False,
            logprobs=bool(options.get("logprobs")),
        )
        if "tools" not in options:
            # It means nothing without tools, and may be refused.
            options.pop("parallel_tool_calls", None)
        wire = wire_messages(messages, send_thinking=self.send_thinking)
        return {"model": self.model, **set_apart(options, *layers), "messages": wire}, reading

    def _prompt(self, prompt: str, formatted: bool) -> list[ChatMessage]:
        if not formatted and self.completion_to_prompt is not None:
            prompt = self.completion_to_prompt(prompt)
        return [ChatMessage(role=MessageRole.USER, content=prompt)]


# Wire options that are fields of the class under the same name, and the switch of the core's check.
_OPTIONS = (
    *(name for name in ChatOptions.__annotations__ if name in Doubao.model_fields),
    "check_parameters",
)
