"""Moderation around any LLM of LlamaIndex: what goes in and what comes out is checked.

Ark has no moderation endpoint (it refuses by itself, ark.md 2.2): name a provider that has one,
such as ``provider="openai-compatible"`` with its ``base_url``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
from llama_index.core.bridge.pydantic import Field
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import LLM, ToolSelection
from llama_index.core.tools import BaseTool

from doubao_core.api.moderation import Verdict
from llamaindex_doubao.connection import Connection

_INPUT, _ANSWER = "the input", "the answer"


class DoubaoModeration(Connection):
    """Asks a service whether a text is allowed.

    .. code-block:: python

        from llamaindex_doubao import Doubao, DoubaoModeration

        moderation = DoubaoModeration(provider="openai-compatible", base_url="https://…/v1")
        llm = moderation.around(Doubao(model="doubao-seed-2-1-pro-260915"))
    """

    model: str | None = Field(
        default=None, description="Moderation model; the service's default if not given."
    )

    def verdict(self, text: str) -> Verdict:
        """Ask for the flag, the categories and the scores of *text*; flagged is no error here.

        Raises:
            UnsupportedOperation: The provider has no moderation; nothing was sent.
        """
        return self._client.moderate(text, model=self.model)

    async def averdict(self, text: str) -> Verdict:
        """Ask for the flag, the categories and the scores of *text*; see :meth:`verdict`."""
        return await self._async_client.moderate(text, model=self.model)

    def check(self, text: str | None, what: str = "the text") -> None:
        """Ask about *text*, unless it is empty.

        Raises:
            ContentRejected: It was flagged; ``body`` has the categories and scores.
        """
        if text:
            self.verdict(text).checked(what)

    async def acheck(self, text: str | None, what: str = "the text") -> None:
        """Ask about *text*, unless it is empty; see :meth:`check`."""
        if text:
            (await self.averdict(text)).checked(what)

    def around(self, llm: LLM) -> ModeratedLLM:
        """Give an LLM that asks *llm* only what is allowed, and passes on only what is."""
        return ModeratedLLM(llm=llm, moderation=self)


class ModeratedLLM(FunctionCallingLLM):
    """Another LLM between two checks; made by :meth:`DoubaoModeration.around`.

    Of the messages it checks those of the user since the model last spoke, joined to one text; of
    an answer its text. Pictures, sound and calls of tools are not looked at. A stream is held back
    until it is checked as a whole. Every method raises ``ContentRejected`` for what was flagged.
    """

    llm: LLM = Field(description="The LLM that answers.")
    moderation: DoubaoModeration = Field(description="Where to ask.")

    @classmethod
    def class_name(cls) -> str:
        """Give the name that LlamaIndex saves this class under."""
        return "ModeratedLLM"

    @property
    def metadata(self) -> LLMMetadata:
        """What the LLM in the middle can do."""
        return self.llm.metadata

    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Chat between two checks."""
        self.moderation.check(_asked(messages), _INPUT)
        answer = self.llm.chat(messages, **kwargs)
        self.moderation.check(answer.message.content, _ANSWER)
        return answer

    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Chat between two checks."""
        await self.moderation.acheck(_asked(messages), _INPUT)
        answer = await self.llm.achat(messages, **kwargs)
        await self.moderation.acheck(answer.message.content, _ANSWER)
        return answer

    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """Chat between two checks; nothing comes out before the second."""
        self.moderation.check(_asked(messages), _INPUT)
        held = list(self.llm.stream_chat(messages, **kwargs))
        self.moderation.check(held[-1].message.content if held else None, _ANSWER)
        yield from held

    async def astream_chat(
        self, messages: Sequence[ChatMessage], **kwargs: Any
    ) -> ChatResponseAsyncGen:
        """Chat between two checks; nothing comes out before the second."""

        async def checked() -> ChatResponseAsyncGen:
            await self.moderation.acheck(_asked(messages), _INPUT)
            held = [each async for each in await self.llm.astream_chat(messages, **kwargs)]
            await self.moderation.acheck(held[-1].message.content if held else None, _ANSWER)
            for each in held:
                yield each

        return checked()

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Complete between two checks."""
        self.moderation.check(prompt, _INPUT)
        answer = self.llm.complete(prompt, formatted=formatted, **kwargs)
        self.moderation.check(answer.text, _ANSWER)
        return answer

    async def acomplete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponse:
        """Complete between two checks."""
        await self.moderation.acheck(prompt, _INPUT)
        answer = await self.llm.acomplete(prompt, formatted=formatted, **kwargs)
        await self.moderation.acheck(answer.text, _ANSWER)
        return answer

    def stream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponseGen:
        """Complete between two checks; nothing comes out before the second."""
        self.moderation.check(prompt, _INPUT)
        held = list(self.llm.stream_complete(prompt, formatted=formatted, **kwargs))
        self.moderation.check(held[-1].text if held else None, _ANSWER)
        yield from held

    async def astream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponseAsyncGen:
        """Complete between two checks; nothing comes out before the second."""

        async def checked() -> CompletionResponseAsyncGen:
            await self.moderation.acheck(prompt, _INPUT)
            stream = await self.llm.astream_complete(prompt, formatted=formatted, **kwargs)
            held = [each async for each in stream]
            await self.moderation.acheck(held[-1].text if held else None, _ANSWER)
            for each in held:
                yield each

        return checked()

    def _prepare_chat_with_tools(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,
        allow_parallel_tool_calls: bool = False,
        tool_required: bool = False,
        **kwargs: Any,
    ) -> dict[str, Any]:
        # How tools are put into a request is the other LLM's own affair.
        return self._caller._prepare_chat_with_tools(  # noqa: SLF001
            tools,
            user_msg=user_msg,
            chat_history=chat_history,
            verbose=verbose,
            allow_parallel_tool_calls=allow_parallel_tool_calls,
            tool_required=tool_required,
            **kwargs,
        )

    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **kwargs: Any
    ) -> list[ToolSelection]:
        """Find the calls of tools in an answer, as the LLM in the middle does."""
        return self._caller.get_tool_calls_from_response(
            response, error_on_no_tool_call=error_on_no_tool_call, **kwargs
        )

    @property
    def _caller(self) -> FunctionCallingLLM:
        if not isinstance(self.llm, FunctionCallingLLM):
            raise TypeError(f"{type(self.llm).__name__} calls no tools")
        return self.llm


def _asked(messages: Sequence[ChatMessage]) -> str:
    """Join what the user said since the model last spoke."""
    said: list[str] = []
    for message in reversed(messages):
        if message.role == MessageRole.ASSISTANT:
            break
        if message.role == MessageRole.USER and message.content:
            said.append(message.content)
    return "\n\n".join(reversed(said))
