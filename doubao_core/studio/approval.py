"""Asking a person before a call that costs money: the question, and what an answer means."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from doubao_core.errors import ConfigError
from doubao_core.operation import JSON
from doubao_core.prices import Estimate, money
from doubao_core.studio.arguments import faults

UNKNOWN = "unknown"
"""What a question says of tokens and costs that nobody knows: never a guess."""
_YES = frozenset({"approve", "approved", "ok", "true", "y", "yes", "是", "同意"})
_NO = frozenset({"", "false", "n", "no", "reject", "rejected", "否", "不同意"})
_LONGEST = 300


class NotAsked(ConfigError):
    """Nobody could be asked for approval; the developer is to know it, a model cannot help."""


class WrongAnswer(ConfigError):
    """A person approved a call with arguments that cannot be; the model's were not at fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a person is asked before a paid request; nothing is sent until an answer is there.

    Attributes:
        tool: Name of the tool.
        model: Model that would be paid.
        arguments: What the model wants, with what the developer fixed.
        estimate: What it will cost, as far as that is known.
        left_open: What nobody said and what it costs depends on, as the estimate takes it.
    """

    tool: str
    model: str
    arguments: Mapping[str, Any]
    estimate: Estimate
    left_open: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The question for a person who sees nothing else."""
        left_open = f" Not said, so: {_listed(self.left_open)}." if self.left_open else ""
        return (
            f"{self.tool} with {self.model}: {_listed(self.arguments)}.{left_open} Estimated cost: "
            f"{self.estimate.text}. Approve? Answer yes, no, or the arguments to change."
        )

    def payload(self) -> JSON:
        """Give it as JSON, for a page or a program that asks."""
        return {
            "tool": self.tool,
            "model": self.model,
            "arguments": dict(self.arguments),
            "left_open": dict(self.left_open),
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

    def changed(self, answer: Mapping[str, Any], fixed: Mapping[str, Any]) -> dict[str, Any]:
        """Put the arguments of an answer over those of the question; ``None`` takes one away.

        Raises:
            ConfigError: One of them is *fixed* otherwise.
        """
        for name, value in answer.items():
            if name in fixed and value != fixed[name]:
                raise ConfigError(f"{name} is fixed by the program and cannot be changed")
        return {**self.arguments, **answer}

    @contextmanager
    def blaming_the_answer(self) -> Generator[None]:
        """Tell the model of arguments that it is not to correct: the person wrote them.

        Raises:
            WrongAnswer: Instead of a complaint about arguments, or of a limit.
        """
        try:
            yield
        except ConfigError as error:
            # Its subclasses are about the program, such as a ledger.
            if type(error) is not ConfigError:
                raise
            cause = error.__cause__
            why = faults(cause) if isinstance(cause, ValidationError) else error.message
            raise WrongAnswer(
                f"The user approved this call of {self.tool} with other arguments, and those "
                f"cannot be: {why}. Nothing was sent and nothing was paid. Your arguments were not "
                "at fault: tell the user what is wrong with the answer, and ask what to do."
            ) from error


def _listed(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in arguments.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a person decided.

    Attributes:
        approved: Whether the request may be sent.
        arguments: Those to change; ``None`` to take what was asked for.
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
        or else arguments. Arguments are put over those of the question.

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


def check_approval(approval: Any, word: str) -> Any:
    """Give what a developer passed as ``approval=``, if it is one.

    Args:
        approval: What was passed.
        word: The only word that it may be.

    Raises:
        ConfigError: It is neither that word, nor a function, nor ``None``.
    """
    if approval is None or approval == word or callable(approval):
        return approval
    raise ConfigError(
        f'approval= cannot be {approval!r}: give "{word}", a function of the question, or None '
        '(LangChain\'s word is "interrupt", LlamaIndex\'s is "event")'
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
