"""One paid tool of the spec: a call of it, from what a model wrote to blocks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Generator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from llama_index.core.workflow import Context

from doubao_core import media
from doubao_core.studio.approval import Answer, Question
from doubao_core.studio.commission import Commission, News, Step
from doubao_core.studio.keys import call_key
from llamaindex_doubao.tools.approval import Approval, aask, ask
from llamaindex_doubao.tools.blocks import Block, Shown, blocks, told
from llamaindex_doubao.tools.events import call_id, report


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """Carries out the calls of one paid tool.

    Attributes:
        commission: What a call goes through.
        check: Refuses what the limits have no room for, blocking.
        async_check: Refuses what the limits have no room for.
        steps: Makes what is ordered, blocking.
        async_steps: Makes what is ordered.
        storage: Where results are.
        approval: Who is asked before anything is sent.
        show: Which results the model is shown.
    """

    commission: Commission
    check: Callable[[Any], None]
    async_check: Callable[[Any], Awaitable[None]]
    steps: Callable[[Any], Generator[Step]]
    async_steps: Callable[[Any], AsyncGenerator[Step]]
    storage: media.Storage
    approval: Approval
    show: Collection[Shown]

    def make(self, given: Mapping[str, Any], ctx: Context | None) -> list[Block]:
        """Carry out a call, blocking."""
        with told():
            made = self.commission.make(
                _said(given, ctx),
                ask=partial(ask, self.approval) if self.approval else None,
                check=self.check,
                steps=self.steps,
                report=partial(report, ctx=ctx),
            )
            return blocks(made, self.show, self.storage)

    async def amake(self, given: Mapping[str, Any], ctx: Context | None) -> list[Block]:
        """Carry out a call."""

        async def asked(question: Question) -> Answer:
            # Two calls of one turn may ask for the same: the model's id tells them apart.
            name = call_key(question.tool, call_id(), question.text)
            return await aask(self.approval, question, name, ctx)

        async def reported(step: News) -> None:
            report(step, ctx)

        with told():
            made = await self.commission.amake(
                _said(given, ctx),
                ask=asked if self.approval else None,
                check=self.async_check,
                steps=self.async_steps,
                report=reported,
            )
            return await asyncio.to_thread(blocks, made, self.show, self.storage)


def _said(given: Mapping[str, Any], ctx: object) -> dict[str, Any]:
    # Agents replace what a model wrote as `ctx`; for others it is an argument that there is not.
    known = isinstance(ctx, Context)
    said = given if known else {**given, "ctx": ctx}
    return {name: value for name, value in said.items() if value is not None}
