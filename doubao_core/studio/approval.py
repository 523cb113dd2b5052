"""Asking a person before a call that costs money: the question, and what an answer means."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from doubao_core.errors import ConfigError
from doubao_core.operation import JSON
from doubao_core.prices import Estimate, money

UNKNOWN = "unknown"
"""What a question says of tokens and costs that nobody knows: never a guess."""
_YES = frozenset({"approve", "approved", "ok", "true", "y", "yes", "是", "同意"})
_NO = frozenset({"", "false", "n", "no", "reject", "rejected", "否", "不同意"})
_LONGEST = 300


class NotAsked(ConfigError):
    """Nobody could be asked for approval; the developer is to know it, a model cannot help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a person is asked before a paid request; nothing is sent until an answer is there.

    Attributes:
        tool: Name of the tool.
        model: Model that would be paid.
        arguments: What the model wants, with what the developer fixed.
        estimate: What it will cost, as far as that is known.
    """

    tool: str
    model: str
    arguments: Mapping[str, Any]
    estimate: Estimate

    @property
    def text(self) -> str:
        """The question for a person who sees nothing else."""
        listed = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        return (
            f"{self.tool} with {self.model}: {listed}. Estimated cost: {self.estimate.text}. "
            "Approve? Answer yes, no, or other arguments."
        )

    def payload(self) -> JSON:
        """Give it as JSON, for a page or a program that asks."""
        return {
            "tool": self.tool,
            "model": self.model,
            "arguments": dict(self.arguments),
            "estimate": {
                "tokens": UNKNOWN if self.estimate.tokens is None else self.estimate.tokens,
                "cost": self._cost,
                "about": self.estimate.text,
            },
            "question": self.text,
        }

    @property
    def _cost(self) -> str:
        if self.estimate.amount is None:
            return UNKNOWN
        return money(self.estimate.amount, self.estimate.currency)

    def refused(self, reason: str | None) -> Refusal:
        """Give what becomes of the call if the answer is no."""
        return Refusal(tool=self.tool, arguments=self.arguments, reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a person decided.

    Attributes:
        approved: Whether the request may be sent.
        arguments: What to call the tool with instead; ``None`` to take what was asked for.
        reason: What the person said to a refusal.
    """

    approved: bool
    arguments: Mapping[str, Any] | None = None
    reason: str | None = None

    @classmethod
    def of(cls, said: Any) -> Answer:
        """Read an answer: whatever is not clearly a yes is a no.

        A bool, or a word such as ``"yes"``; any other text is a refusal with that reason. A mapping
        is LangChain's decision (``{"type": "approve"}``, ``{"type": "reject", "message": …}``,
        ``{"type": "edit", "edited_action": {"args": {…}}}``, alone or in ``{"decisions": […]}``),
        or else the arguments to take instead of all that were asked for.

        Raises:
            NotAsked: It is none of these.
        """
        if isinstance(said, bool):
            return cls(approved=said)
        if isinstance(said, str):
            return cls._of_words(said)
        if not isinstance(said, Mapping):
            raise NotAsked(
                f"an approval was answered with {type(said).__name__}: answer with yes, no or a "
                "mapping of arguments"
            )
        if isinstance(decisions := said.get("decisions"), list):
            # One question was asked: several answers are not clearly a yes.
            return cls.of(decisions[0] if len(decisions) == 1 else False)
        if "type" in said:
            return cls._of_decision(said)
        return cls(approved=True, arguments=dict(said))

    @classmethod
    def _of_words(cls, said: str) -> Answer:
        word = said.strip()
        if word.lower().rstrip(".!") in _YES:
            return cls(approved=True)
        return cls(approved=False, reason=None if word.lower() in _NO else word[:_LONGEST])

    @classmethod
    def _of_decision(cls, said: Mapping[str, Any]) -> Answer:
        if said["type"] == "approve":
            return cls(approved=True)
        edited = said.get("edited_action")
        if said["type"] == "edit" and isinstance(edited, Mapping):
            return cls(approved=True, arguments=dict(edited.get("args") or {}))
        return cls(approved=False, reason=str(said.get("message") or "")[:_LONGEST] or None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """That a person did not approve a call: nothing was sent and nothing was paid."""

    tool: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    reason: str | None = None

    @property
    def text(self) -> str:
        """What to tell the model."""
        why = f' The user said: "{self.reason}".' if self.reason else ""
        return (
            f"The user did not approve this call of {self.tool}: nothing was sent and nothing was "
            f"paid.{why} Do not call it again with the same arguments unless the user asks for it."
        )


def decided(decide: Callable[[Question], Any], question: Question) -> Answer:
    """Ask a function of the developer, blocking.

    Raises:
        NotAsked: It is async, or gave no answer.
    """
    said = decide(question)
    if inspect.isawaitable(said):
        if inspect.iscoroutine(said):
            said.close()
        raise NotAsked("approval= is async, and this call is not: call the async method")
    return Answer.of(said)


async def adecided(decide: Callable[[Question], Any], question: Question) -> Answer:
    """Ask a function of the developer; it may be async, and one that blocks runs in a thread."""
    said = await asyncio.to_thread(decide, question)
    return Answer.of(await said if inspect.isawaitable(said) else said)
