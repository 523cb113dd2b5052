"""A tool that costs money: asked about, ordered once, watched, and reported on."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar, Self

from pydantic import Field, PrivateAttr, model_validator

from doubao_core import studio
from doubao_core.jobs import AsyncJobs, Jobs, Order
from doubao_core.jobs.calls import acheck_limits, amade, awaiting, blocking, check_limits, made
from doubao_core.studio.approval import Refusal, adecided, decided
from doubao_core.studio.commission import Commission, Outcome, Step, Stop
from doubao_core.studio.watching import check_bar
from langchain_doubao.connection import Made
from langchain_doubao.tools.approval import Approval, decider
from langchain_doubao.tools.base import Content, MediaTool, told
from langchain_doubao.tools.calls import job_key, made_as
from langchain_doubao.tools.events import Reporter


class PaidTool(MediaTool):
    """A tool that makes something for money."""

    max_jobs: int | None = Field(default=None, ge=0)
    """Paid calls that this object may make; ``None`` for any number."""
    max_cost: Decimal | None = Field(default=None, ge=0)
    """Money that this object may spend by list prices, in the provider's currency. A call whose
    price is not known is refused then."""
    more_arguments: Sequence[str] = ()
    """Rarer arguments that the model may set too, such as ``["web_search"]``."""
    extra_body: Mapping[str, Any] | None = None
    """Fields of the request that no argument covers."""
    approval: Approval = Field(default=None, exclude=True, repr=False)
    """Who is asked before anything is sent. ``"interrupt"`` pauses the graph (LangGraph, with a
    checkpointer) with the tool, its arguments and the estimated cost as JSON, until it is resumed
    with yes, no or arguments to change. A function gets a
    :class:`~doubao_core.studio.approval.Question` and gives the same answers; it may be async. A
    refusal is a result that says so, with a :class:`~doubao_core.studio.approval.Refusal` as its
    artifact."""
    prices: Any = Field(default=None, exclude=True, repr=False)
    """Your own price table, as :func:`doubao_core.prices.estimate` takes it; default the list
    prices that come with this package."""
    jobs: Any = Field(default=None, exclude=True, repr=False)
    """Write each call down before it is paid, and finish it after a crash: the URL of a ledger,
    such as ``"sqlite:///jobs.sqlite3"``, or a :class:`doubao_core.jobs.Jobs` or ``AsyncJobs`` that
    saves to the same place. The same tool call in the same thread gets the same job; a call
    without an id is known by what it orders. Needs the extra ``jobs``."""
    progress_bar: bool = False
    """Draw a bar in the terminal or notebook; needs ``tqdm``."""

    event: ClassVar[str]

    _spent: studio.Allowance = PrivateAttr(default_factory=studio.Allowance)
    _limit: Made[studio.Allowance] = PrivateAttr(default=None)
    _stop: Stop = PrivateAttr(default_factory=Stop)
    _ledger: Made[Jobs | None] = PrivateAttr(default=None)
    _async_ledger: Made[AsyncJobs | None] = PrivateAttr(default=None)

    def __getstate__(self) -> dict[Any, Any]:
        state = super().__getstate__()
        private = {**state["__pydantic_private__"], "_ledger": None, "_async_ledger": None}
        return {**state, "__pydantic_private__": private}

    @model_validator(mode="after")
    def _check_doubao_bar(self) -> Self:
        check_bar(wanted=self.progress_bar)
        return self

    def cancel(self) -> None:
        """End the blocking calls of this object that wait for films in other threads.

        Each withdraws its task if that is still queued, at its next look-up, and tells the model. A
        signal handler may use it. Async calls end when their asyncio task is cancelled.
        """
        self._stop.now()

    def close(self) -> None:
        """Close blocking calls' connections, to a ledger too; the next call opens new ones."""
        super().close()
        if isinstance(self.jobs, str) and self._ledger is not None and self._ledger[1] is not None:
            self._ledger[1].close()

    async def aclose(self) -> None:
        """Close the running event loop's connections, and those to a ledger of async calls."""
        await super().aclose()
        ledger = self._async_ledger
        if isinstance(self.jobs, str) and ledger is not None and ledger[1] is not None:
            await ledger[1].aclose()

    def run(
        self,
        tool_input: str | dict[str, Any],
        *arguments: Any,
        tool_call_id: str | None = None,
        **options: Any,
    ) -> Any:
        """Run the tool; *tool_call_id* is a part of what names the job."""
        with made_as(tool_call_id):
            return super().run(tool_input, *arguments, tool_call_id=tool_call_id, **options)

    async def arun(
        self,
        tool_input: str | dict[str, Any],
        *arguments: Any,
        tool_call_id: str | None = None,
        **options: Any,
    ) -> Any:
        """Run the tool; *tool_call_id* is a part of what names the job."""
        with made_as(tool_call_id):
            return await super().arun(tool_input, *arguments, tool_call_id=tool_call_id, **options)

    def _run(self, *values: Any, **given: Any) -> tuple[Content, Outcome]:
        self._check_key()
        self._jobs()
        commission = self._commission()
        decide = decider(self.approval, durable=self.jobs is not None)
        with told():
            result = commission.make(
                self._given(values, given),
                ask=partial(decided, decide) if decide else None,
                check=self._check_limits,
                steps=self._steps,
                report=Reporter(self.event).report,
            )
            return self._content(result), result

    async def _arun(self, *values: Any, **given: Any) -> tuple[Content, Outcome]:
        self._check_key()
        self._async_jobs()
        commission = self._commission()
        decide = decider(self.approval, durable=self.jobs is not None)
        with told():
            result = await commission.amake(
                self._given(values, given),
                ask=partial(adecided, decide) if decide else None,
                check=self._acheck_limits,
                steps=self._async_steps,
                report=Reporter(self.event).areport,
            )
            return await asyncio.to_thread(self._content, result), result

    def _refresh(self) -> None:
        super()._refresh()
        self._allowance()

    def _allowance(self) -> studio.Allowance:
        # The limits are the fields', which may have been changed; the count is shared with copies.
        wanted = {"most": self.max_jobs, **self._limits()}
        return self._remade("_limit", wanted, lambda: self._spent.limited(**wanted))

    def _limits(self) -> dict[str, Any]:
        return {"max_cost": self.max_cost, "prices": self.prices}

    def _jobs(self) -> Jobs | None:
        client, options = self._blocking(), self._ledger_options()
        wanted = (client, self.jobs, options)
        return self._remade("_ledger", wanted, lambda: blocking(self.jobs, client, **options))

    def _async_jobs(self) -> AsyncJobs | None:
        client, options = self._awaiting(), self._ledger_options()
        wanted = (client, self.jobs, options)
        return self._remade("_async_ledger", wanted, lambda: awaiting(self.jobs, client, **options))

    def _ledger_options(self) -> dict[str, Any]:
        desk = self._desk()
        return {"output_dir": desk.output_dir, "poll_interval": desk.poll_interval}

    def _check_limits(self, order: Order) -> None:
        check_limits(self._jobs(), order, **self._room(order))

    async def _acheck_limits(self, order: Order) -> None:
        await acheck_limits(self._async_jobs(), order, **self._room(order))

    def _room(self, order: Order) -> dict[str, Any]:
        return {
            "key": job_key(self.name, order.digest),
            "allowance": self._allowance(),
            "provider": self.provider,
        }

    def _steps(self, order: Order) -> Generator[Step]:
        return made(
            self._studio,
            self._jobs(),
            order,
            key=job_key(self.name, order.digest),
            timeout=self._desk().wait_timeout,
            allowance=self._allowance(),
        )

    def _async_steps(self, order: Order) -> AsyncGenerator[Step]:
        return amade(
            self._async_studio,
            self._async_jobs(),
            order,
            key=job_key(self.name, order.digest),
            timeout=self._desk().wait_timeout,
            allowance=self._allowance(),
        )

    def _terms(self) -> dict[str, Any]:
        return {
            "tool": self.name,
            "pricing": studio.Pricing(provider=self.provider, table=self.prices),
            "progress_bar": self.progress_bar,
            "stop": self._stop,
        }

    def _content(self, result: Outcome) -> Content:
        return result.text if isinstance(result, Refusal) else self._shown(result)

    @abstractmethod
    def _commission(self) -> Commission: ...

    @abstractmethod
    def _shown(self, result: Any) -> Content: ...
