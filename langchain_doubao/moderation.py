"""Moderation around any model: a runnable that passes on what is allowed, and agent middleware.

Ark has no moderation endpoint (it refuses by itself, ark.md 2.2): name a provider that has one,
such as ``provider="openai-compatible"`` with its ``base_url``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, convert_to_messages
from langchain_core.prompt_values import PromptValue
from langchain_core.runnables import RunnableConfig, RunnableSerializable

from doubao_core import ConfigError
from doubao_core.api.moderation import Verdict
from langchain_doubao.connection import Connection
from langchain_doubao.errors import translated

T = TypeVar("T")


class DoubaoModeration(Connection, RunnableSerializable[Any, Any]):
    """Gives its input back if the service allows it, else raises ``ContentRejected``.

    Takes a text, a message, a prompt or a list of messages. Of several messages it checks those of
    the user since the model last spoke, joined to one text; of an answer its text. Pictures, sound
    and calls of tools are not looked at. A stream is held back until it is checked as a whole.

    .. code-block:: python

        from langchain_doubao import ChatDoubao, DoubaoModeration

        allowed = DoubaoModeration(provider="openai-compatible", base_url="https://…/v1")
        chain = allowed | ChatDoubao(model="doubao-seed-2-1-pro-260915") | allowed
    """

    model: str | None = None
    """Moderation model; the service's default if not given."""

    def verdict(self, text: str) -> Verdict:
        """Ask for the flag, the categories and the scores of *text*; flagged is no error here."""
        with translated():
            return self._blocking().moderate(text, model=self.model)

    async def averdict(self, text: str) -> Verdict:
        """Ask for the flag, the categories and the scores of *text*; flagged is no error here."""
        with translated():
            return await self._awaiting().moderate(text, model=self.model)

    def invoke(self, input: T, config: RunnableConfig | None = None, **_: Any) -> T:  # noqa: A002 - LangChain's name
        """Give *input* back as it is.

        Raises:
            ContentRejected: The service flagged it; ``body`` has the categories and scores.
            UnsupportedOperation: The provider has no moderation; nothing was sent.
        """
        passed: T = self._call_with_config(self._passed, input, config)
        return passed

    async def ainvoke(self, input: T, config: RunnableConfig | None = None, **_: Any) -> T:  # noqa: A002 - LangChain's name
        """Give *input* back as it is; see :meth:`invoke`."""
        passed: T = await self._acall_with_config(self._apassed, input, config)
        return passed

    def _passed(self, given: T) -> T:
        with translated():
            what, text = subject(given)
            if text:
                self.verdict(text).checked(what)
        return given

    async def _apassed(self, given: T) -> T:
        with translated():
            what, text = subject(given)
            if text:
                (await self.averdict(text)).checked(what)
        return given


def subject(given: Any) -> tuple[str, str]:
    """Say what is to be checked, in words for an error, and its text; no text if there is none.

    Raises:
        ConfigError: It is nothing that has a text.
    """
    if isinstance(given, str):
        return "the text", given
    if isinstance(given, PromptValue):
        return "the input", _asked(given.to_messages())
    if isinstance(given, AIMessage):
        return "the answer", given.text
    if isinstance(given, BaseMessage):
        return "the message", given.text
    if isinstance(given, Sequence):
        return "the input", _asked(convert_to_messages(given))
    raise ConfigError(
        f"moderation takes a text, a message, a list of messages or a prompt, not a "
        f"{type(given).__name__}"
    )


def _asked(messages: Sequence[BaseMessage]) -> str:
    """Join what the user said since the model last spoke."""
    said: list[str] = []
    for message in reversed(messages):
        if isinstance(message, AIMessage):
            break
        if isinstance(message, HumanMessage) and message.text:
            said.append(message.text)
    return "\n\n".join(reversed(said))
