"""``DoubaoModerationMiddleware``: an agent whose input, tool results and answers are moderated.

A module of its own, because it needs the package ``langchain`` and the rest here does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from doubao_core.api.moderation import Verdict
from doubao_core.errors import install_hint

try:
    from langchain.agents.middleware.types import AgentMiddleware, AgentState, hook_config
except ModuleNotFoundError as missing:
    if not (missing.name or "").startswith(("langchain.", "langgraph")) and (
        missing.name != "langchain"
    ):
        raise
    raise ImportError(
        f"langchain_doubao.middleware needs langchain: {install_hint('examples')}"
    ) from missing

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage

from langchain_doubao.errors import translated
from langchain_doubao.moderation import DoubaoModeration, subject

__all__ = ["DoubaoModerationMiddleware"]

_VIOLATION = "I cannot help with that: it was flagged for {categories}."


class DoubaoModerationMiddleware(AgentMiddleware[AgentState[Any], Any]):
    """Moderates an agent's traffic; the names are those of other moderation middleware.

    An answer is checked when it is whole: what was streamed of it has been seen by then. A flagged
    question that ended a run stays in the history.

    Args:
        moderation: Where to ask.
        check_input: Whether to check what the user said, before the model sees it.
        check_output: Whether to check the text of the model's answers.
        check_tool_results: Whether to check what tools returned, before the model sees it.
        exit_behavior: What to do about a flagged text: ``"end"`` the run with a message that says
            so, raise an ``"error"`` (``ContentRejected``), or ``"replace"`` the text and go on.
        violation_message: What to say instead; ``{categories}`` is filled in.
    """

    def __init__(
        self,
        moderation: DoubaoModeration,
        *,
        check_input: bool = True,
        check_output: bool = True,
        check_tool_results: bool = False,
        exit_behavior: Literal["error", "end", "replace"] = "end",
        violation_message: str = _VIOLATION,
    ) -> None:
        super().__init__()
        self._moderation = moderation
        self._check_input = check_input
        self._check_output = check_output
        self._check_tool_results = check_tool_results
        self._exit_behavior = exit_behavior
        self._violation_message = violation_message

    @hook_config(can_jump_to=["end"])
    def before_model(self, state: AgentState[Any], runtime: Any) -> dict[str, Any] | None:
        """Check what the model is about to see for the first time."""
        del runtime
        changes = []
        for part in self._incoming(state["messages"]):
            verdict = self._moderation.verdict(subject(part)[1])
            if verdict.flagged:
                changes.append(self._replacement(part, verdict))
                if self._exit_behavior == "end":
                    break
        return self._update(changes)

    @hook_config(can_jump_to=["end"])
    async def abefore_model(self, state: AgentState[Any], runtime: Any) -> dict[str, Any] | None:
        """Check what the model is about to see for the first time."""
        del runtime
        changes = []
        for part in self._incoming(state["messages"]):
            verdict = await self._moderation.averdict(subject(part)[1])
            if verdict.flagged:
                changes.append(self._replacement(part, verdict))
                if self._exit_behavior == "end":
                    break
        return self._update(changes)

    @hook_config(can_jump_to=["end"])
    def after_model(self, state: AgentState[Any], runtime: Any) -> dict[str, Any] | None:
        """Check what the model has just said."""
        del runtime
        answer = self._outgoing(state["messages"])
        if answer is None:
            return None
        verdict = self._moderation.verdict(answer.text)
        return self._update([self._replacement(answer, verdict)] if verdict.flagged else [])

    @hook_config(can_jump_to=["end"])
    async def aafter_model(self, state: AgentState[Any], runtime: Any) -> dict[str, Any] | None:
        """Check what the model has just said."""
        del runtime
        answer = self._outgoing(state["messages"])
        if answer is None:
            return None
        verdict = await self._moderation.averdict(answer.text)
        return self._update([self._replacement(answer, verdict)] if verdict.flagged else [])

    def _incoming(self, messages: Sequence[AnyMessage]) -> list[AnyMessage]:
        """Give the messages since the model last spoke that are to be checked and have a text."""
        found: list[AnyMessage] = []
        for message in reversed(messages):
            if isinstance(message, AIMessage):
                break
            wanted = {"human": self._check_input, "tool": self._check_tool_results}
            if wanted.get(message.type, False) and message.text:
                found.append(message)
        return found[::-1]

    def _outgoing(self, messages: Sequence[AnyMessage]) -> AIMessage | None:
        last = messages[-1] if messages else None
        said = isinstance(last, AIMessage) and bool(last.text) and self._check_output
        return last if isinstance(last, AIMessage) and said else None

    def _replacement(self, message: AnyMessage, verdict: Verdict) -> AnyMessage:
        """Give what stands for *message* from now on.

        Raises:
            ContentRejected: That is what is wanted.
        """
        if self._exit_behavior == "error":
            what = "a tool's result" if isinstance(message, ToolMessage) else subject(message)[0]
            with translated():
                verdict.checked(what)
        categories = ", ".join(verdict.reasons) or "its content"
        told = self._violation_message.replace("{categories}", categories)
        if isinstance(message, AIMessage):
            # Its calls were part of what was flagged; the id makes it take the place of the old.
            return AIMessage(told, id=message.id)
        if self._exit_behavior == "end":
            return AIMessage(told)
        return message.model_copy(update={"content": told})

    def _update(self, changes: list[AnyMessage]) -> dict[str, Any] | None:
        if not changes:
            return None
        end = {"jump_to": "end"} if self._exit_behavior == "end" else {}
        return {"messages": changes, **end}
