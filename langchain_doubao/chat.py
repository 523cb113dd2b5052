"""``ChatDoubao``: the chat models of Volcengine Ark and BytePlus ModelArk for LangChain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self, TypeAlias

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import LanguageModelInput
from langchain_core.language_models.base import LangSmithParams
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatResult
from langchain_core.runnables import Runnable
from pydantic import model_validator
from typing_extensions import override

from doubao_core import Tokenization, __version__, estimate
from langchain_doubao import responses, structured, tokens
from langchain_doubao.binding import Tool, wire_choice, wire_tool
from langchain_doubao.blocks import PROVIDER
from langchain_doubao.errors import translated
from langchain_doubao.messages import to_wire
from langchain_doubao.schemas import as_function
from langchain_doubao.streaming import StreamingChat

JSON: TypeAlias = dict[str, Any]


class ChatDoubao(StreamingChat):
    """Chat models of Volcengine Ark and BytePlus ModelArk: Doubao Seed and what else they serve.

    Setup:
        ``pip install ".[langchain]"`` in a clone; set ``ARK_API_KEY`` (``BYTEPLUS_API_KEY`` with
        ``provider="byteplus"``). Without a key, ``provider="emulator"`` with the extra ``emulator``
        runs every example here on a local server.

    Key init args — completion params:
        model: str
            Model id (``doubao-seed-…``) or endpoint id (``ep-…``); the only one that is required.
        temperature, top_p: float | None
            Sampling; 0 to 2, and 0 to 1.
        max_tokens, max_completion_tokens: int | None
            Most tokens of the answer alone, or with its reasoning; pass one of them.
        thinking, reasoning_effort: str | None
            ``"enabled"``, ``"disabled"`` or ``"auto"``; ``"minimal"`` to ``"max"``.
        streaming, stream_usage: bool
            Whether ``invoke`` streams, too; whether streams report usage (default True).
        send_reasoning, check_parameters: bool
            Whether reasoning goes back with its messages; whether what a known model refuses is an
            error before it is sent (default True).
        extra_body: dict
            Fields of the request that have no name here; the fields' docstrings tell of the rest.

    Key init args — client params:
        api_key, base_url, provider: str | None
            Default from the environment; ``api_key`` may be a callable.
        timeout, max_retries: float | None, int | None
            Seconds of silence (default 600); attempts beyond the first (default 2).

    Instantiate:
        .. code-block:: python

            from langchain_doubao import ChatDoubao

            llm = ChatDoubao(
                model="doubao-seed-2-1-pro-260915",
                temperature=0.5,
                max_retries=2,
            )

        Nothing is sent that was not set: the service's own defaults apply. Making one opens no
        connection; one object serves many threads and, one after the other, many event loops.

    Invoke:
        .. code-block:: python

            message = llm.invoke([("system", "You are terse."), ("human", "What is a tide?")])
            message.text

    Stream:
        .. code-block:: python

            for chunk in llm.stream("Count to five."):
                print(chunk.text, end="")

    Async:
        .. code-block:: python

            message = await llm.ainvoke("Hello")
            async for chunk in llm.astream("Hello"):
                print(chunk.text, end="")

    Tools:
        .. code-block:: python

            def get_weather(city: str) -> str:
                '''Weather of a city.'''
                return f"Sunny in {city}"

            llm.bind_tools([get_weather]).invoke("What is the weather in Paris?").tool_calls

    Structured output:
        .. code-block:: python

            from pydantic import BaseModel

            class Person(BaseModel):
                '''A person.'''

                name: str
                age: int

            llm.with_structured_output(Person).invoke("Anna is 30 years old.")
            llm.with_structured_output(Person, method="json_schema").invoke("Bob is 8 years old.")

    Thinking:
        .. code-block:: python

            thinker = ChatDoubao(
                model="doubao-seed-2-1-pro-260915", thinking="enabled", reasoning_effort="low"
            )
            answer = thinker.invoke("How many r are in strawberry?")
            answer.additional_kwargs["reasoning_content"]
            [block for block in answer.content_blocks if block["type"] == "reasoning"]

        Keep the messages as they are: their reasoning, and the seal that some models put on it,
        go back with them (``send_reasoning``). To have an answer continued, end with an
        ``AIMessage``; ``additional_kwargs={"prefix": True}`` is for the model that wants it told.

    Images/Video:
        .. code-block:: python

            from langchain_core.messages import HumanMessage

            picture = {
                "type": "image",
                "url": "https://example.com/tower.png",
                "extras": {"detail": "low"},
            }
            film = {"type": "video", "url": "https://example.com/tower.mp4", "extras": {"fps": 0.5}}
            llm.invoke([HumanMessage([{"type": "text", "text": "What is this?"}, picture, film])])

        Audio and PDF blocks go the same way; the model's ``profile`` says what it takes.

    Usage:
        .. code-block:: python

            llm.invoke("Hello").usage_metadata
            # {"input_tokens": …, "output_tokens": …, "total_tokens": …,
            #  "input_token_details": {"cache_read": …}, "output_token_details": {"reasoning": …}}

        ``get_num_tokens_from_messages`` estimates without a request; ``tokenize`` asks the service.

    Raises:
        DoubaoError: By every call that fails, as a class that is also LangChain's own for the case
            (``langchain_doubao.errors``).
    """

    @model_validator(mode="after")
    def _set_doubao_version(self) -> Self:
        self._add_version("doubao-integrations", __version__)
        return self

    @property
    @override
    def _llm_type(self) -> str:
        return "doubao-chat"

    @override
    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        sent = {"model": self.model, **self.request_options(stop, kwargs)}
        model = sent["model"]
        params = LangSmithParams(ls_provider=PROVIDER, ls_model_name=model, ls_model_type="chat")
        if "temperature" in sent:
            params["ls_temperature"] = sent["temperature"]
        if "max_tokens" in sent:
            params["ls_max_tokens"] = sent["max_tokens"]
        if stops := sent.get("stop"):
            params["ls_stop"] = [stops] if isinstance(stops, str) else stops
        return params

    @override
    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        with translated():
            request = self._request(messages, stop, kwargs, stream=False)
            return responses.result(self._blocking().chat(**request))

    @override
    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        with translated():
            request = self._request(messages, stop, kwargs, stream=False)
            return responses.result(await self._awaiting().chat(**request))

    # Tools and structured output.

    @override
    def bind_tools(
        self,
        tools: Sequence[Tool],
        *,
        tool_choice: str | bool | JSON | None = None,
        strict: bool | None = None,
        parallel_tool_calls: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Offer tools to the model.

        Args:
            tools: Functions, pydantic classes, TypedDicts, ``BaseTool``s, OpenAI or Anthropic tool
                dicts, JSON schemas with a title. A dict of another ``type`` is sent as it is.
            tool_choice: ``"auto"``, ``"none"``, ``"required"`` or ``"any"``, the name of a tool,
                or the wire's own object. ``True`` forces the only tool, or any of several.
            strict: Whether arguments must follow the schema exactly; every property is then
                required.
            parallel_tool_calls: False for at most one call per answer.
            **kwargs: Bound as they are, such as ``response_format``.

        Raises:
            ValueError: ``tool_choice`` names no bound tool, or a tool has no name, or a wrong one.
        """
        wire = [wire_tool(tool, strict=strict) for tool in tools]
        if wire:
            kwargs["tools"] = wire
            if (choice := wire_choice(tool_choice, wire)) is not None:
                kwargs["tool_choice"] = choice
            if parallel_tool_calls is not None:
                kwargs["parallel_tool_calls"] = parallel_tool_calls
        return self.bind(**kwargs)

    @override
    def with_structured_output(
        self,
        schema: JSON | type | None = None,
        *,
        method: structured.Method = "function_calling",
        include_raw: bool = False,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """Make the model answer with *schema*.

        Args:
            schema: Pydantic class (v1 or v2, ``RootModel`` too), TypedDict, JSON schema, OpenAI
                function or answer format; may be left out with ``json_mode``.
            method: ``"function_calling"`` forces a tool call, which all models with tools can do;
                ``"json_schema"`` is for the models whose profile says ``structured_output``;
                ``"json_mode"`` needs the word "json" and the format in the prompt.
            include_raw: Give ``{"raw", "parsed", "parsing_error"}`` and raise no parsing errors;
                streams give ``raw`` in chunks and then the others.
            strict: Whether the service must follow the schema exactly. Default: as a dict says
                that has a ``strict``; else only for ``json_schema`` with a class.
            **kwargs: None are known.

        Raises:
            ValueError: An argument is not known or does not fit the others; a dict has no schema.
            OutputParserException: By the result, when an answer is not what was asked for, or was
                cut off by a limit or the content filter.
        """
        if kwargs:
            raise ValueError(f"with_structured_output does not take {', '.join(sorted(kwargs))}")
        structured.check(schema, method, strict=strict)
        tool = None
        traced = {"kwargs": {"method": method, "strict": strict}, "schema": schema}
        if method == "function_calling":
            function = as_function(schema)
            tool = str(function["name"])
            model = self.bind_tools(
                [{"type": "function", "function": function}],
                tool_choice=tool,
                strict=strict,
                parallel_tool_calls=False,
                ls_structured_output_format=traced,
            )
        else:
            wanted = structured.response_format(schema, method, strict=strict)
            model = self.bind(response_format=wanted, ls_structured_output_format=traced)
        return structured.read(model, schema, tool=tool, include_raw=include_raw)

    # Tokens.

    @override
    def get_num_tokens(self, text: str) -> int:
        """Estimate the tokens of a text without a request; see ``tokenize`` for exact counts."""
        if self.custom_get_token_ids is not None:
            return len(self.custom_get_token_ids(text))
        return estimate.count(text)

    @override
    def get_token_ids(self, text: str) -> list[int]:
        """Give the ids that ``custom_get_token_ids`` makes of a text; there is no local tokenizer.

        Raises:
            NotImplementedError: No ``custom_get_token_ids`` was given.
        """
        if self.custom_get_token_ids is None:
            raise NotImplementedError(
                "these models have no local tokenizer: use get_num_tokens for an estimate, "
                "tokenize for the service's own ids, or pass custom_get_token_ids="
            )
        return self.custom_get_token_ids(text)

    @override
    def get_num_tokens_from_messages(
        self, messages: Sequence[BaseMessage], tools: Sequence[Any] | None = None
    ) -> int:
        """Estimate the prompt tokens of a conversation, with tools and media, without a request.

        Raises:
            ConfigError: A content block that the service does not take.
        """
        with translated():
            wire = to_wire(messages, send_reasoning=self.send_reasoning)
        offered = [wire_tool(tool) for tool in tools or ()]
        return tokens.count_request(wire, offered, count=self.get_num_tokens)

    def tokenize(self, texts: Sequence[str]) -> list[Tokenization]:
        """Ask the service how this model cuts texts: exact ids and counts (ark.md 12)."""
        with translated():
            return self._blocking().tokenize(model=self.model, texts=texts)

    async def atokenize(self, texts: Sequence[str]) -> list[Tokenization]:
        """Ask the service how this model cuts texts; see :meth:`tokenize`."""
        with translated():
            return await self._awaiting().tokenize(model=self.model, texts=texts)
