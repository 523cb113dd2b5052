"""One call of a paid tool, from what a model wrote to a result; both frameworks' tools are this.

Once to block and once to await, side by side.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import aclosing, closing
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from doubao_core.errors import DoubaoError
from doubao_core.operation import ENDED
from doubao_core.studio.approval import Answer, Question, Refusal
from doubao_core.studio.arguments import ImageArguments, VideoArguments
from doubao_core.studio.explain import NothingMade
from doubao_core.studio.image import ImageRules
from doubao_core.studio.orders import ImageOrder, VideoOrder
from doubao_core.studio.pricing import Pricing
from doubao_core.studio.results import ImageResult, MadeImage, Progress, VideoResult
from doubao_core.studio.video import VideoRules
from doubao_core.studio.watching import OnPicture, OnProgress, Watch

Order: TypeAlias = ImageOrder | VideoOrder
News: TypeAlias = Progress | MadeImage
Outcome: TypeAlias = ImageResult | VideoResult | Refusal
Step: TypeAlias = News | ImageResult | VideoResult


class Stop:
    """Ends blocking calls that wait for films in other threads; later calls are not concerned.

    It takes no lock, so that a signal handler may use it.
    """

    def __init__(self) -> None:
        self._times = 0

    def now(self) -> None:
        """End the calls that wait now, each at its next step."""
        self._times += 1

    def ends(self) -> Callable[[], bool]:
        """Give what says, from now on, whether a call is to end."""
        before = self._times
        return lambda: self._times != before


# What a question leaves out: a callback URL has a secret in it.
_DEVELOPERS = ImageArguments.developers | VideoArguments.developers


@dataclass(frozen=True, slots=True, kw_only=True)
class Commission:
    """What a paid tool does with a call: checks, perhaps asks, orders once, watches and reports.

    Attributes:
        tool: Name of the tool.
        rules: What the model may ask for.
        pricing: Whose prices count.
        progress_bar: Whether to draw a bar.
        on_progress: Called at each look-up of a task.
        on_picture: Called with each picture.
        stop: Ends its blocking calls.
    """

    tool: str
    rules: ImageRules | VideoRules
    pricing: Pricing
    progress_bar: bool = False
    on_progress: OnProgress | None = None
    on_picture: OnPicture | None = None
    stop: Stop = field(default_factory=Stop)

    def make(
        self,
        given: Mapping[str, Any],
        *,
        ask: Callable[[Question], Answer] | None,
        check: Callable[[Order], None],
        steps: Callable[[Any], Generator[Step]],
        report: Callable[[News], None],
    ) -> Outcome:
        """Carry a call out, blocking.

        Args:
            given: What the model wrote.
            ask: Gets an answer before anything is sent; ``None`` if nobody is asked.
            check: Refuses what the limits have no room for, so that nobody is asked in vain.
            steps: Makes what an order asks for; its last step is the result.
            report: Gets the other steps.

        Raises:
            ConfigError: The arguments do not fit; nothing was sent.
            NotAsked: Nobody could be asked; nothing was sent.
            WrongAnswer: The person's arguments do not fit; nothing was sent.
            NothingMade: Every picture failed.
            DoubaoError: The call was stopped, or it failed.
        """
        stopped = self.stop.ends()
        order = self.rules.asked(given)
        if ask is not None:
            check(order)
            question = self._question(given, order)
            answer = ask(question)
            if not answer.approved:
                return question.refused(answer.reason)
            if answer.arguments is not None:
                with question.blaming_the_answer():
                    order = self._changed(question, answer.arguments)
                    check(order)
        with self._watch(order) as watch, closing(steps(order)) as running:
            for step in running:
                if isinstance(step, ImageResult | VideoResult):
                    return _made(step)
                watch.show(step)
                with watch.harmless("a listener to events"):
                    report(step)
                if isinstance(step, Progress) and step.status not in ENDED and stopped():
                    raise DoubaoError(
                        f"the program cancelled the wait for task {step.task_id}: if it was still "
                        "queued it is not made, and if it was running check_video finds it"
                    )
        raise AssertionError  # pragma: no cover - the last step is the result

    async def amake(
        self,
        given: Mapping[str, Any],
        *,
        ask: Callable[[Question], Awaitable[Answer]] | None,
        check: Callable[[Order], Awaitable[None]],
        steps: Callable[[Any], AsyncGenerator[Step]],
        report: Callable[[News], Awaitable[None]],
    ) -> Outcome:
        """Carry a call out; see :meth:`make`."""
        # Naming a file as a reference reads it.
        order: Order = await asyncio.to_thread(self.rules.asked, given)
        if ask is not None:
            await check(order)
            question = await asyncio.to_thread(self._question, given, order)
            answer = await ask(question)
            if not answer.approved:
                return question.refused(answer.reason)
            if answer.arguments is not None:
                with question.blaming_the_answer():
                    order = await asyncio.to_thread(self._changed, question, answer.arguments)
                    await check(order)
        with self._watch(order) as watch:
            async with aclosing(steps(order)) as running:
                async for step in running:
                    if isinstance(step, ImageResult | VideoResult):
                        return _made(step)
                    watch.show(step)
                    with watch.harmless("a listener to events"):
                        await report(step)
        raise AssertionError  # pragma: no cover - the last step is the result

    def _question(self, given: Mapping[str, Any], order: Order) -> Question:
        said = {**given, **self.rules.fixed}
        return Question(
            tool=self.tool,
            model=order.model,
            arguments={
                name: value
                for name, value in said.items()
                if value is not None and name not in _DEVELOPERS
            },
            estimate=self.pricing.estimate(order),
            left_open=self.pricing.left_open(order),
        )

    def _changed(self, question: Question, arguments: Mapping[str, Any]) -> Order:
        return self.rules.asked(question.changed(arguments, self.rules.fixed))

    def _watch(self, order: Order) -> Watch:
        group = order.options.get("sequential_image_generation_options") or {}
        return Watch(
            self.tool,
            on_progress=self.on_progress,
            on_picture=self.on_picture,
            bar=self.progress_bar,
            total=group.get("max_images", 1),
        )


def _made(result: ImageResult | VideoResult) -> ImageResult | VideoResult:
    if isinstance(result, ImageResult) and not any(each.charged for each in result.images):
        raise NothingMade(result.text)
    return result
