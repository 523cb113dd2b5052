"""Driving a flow of jobs: once to block and once to await, side by side."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import closing
from typing import Any

from doubao_core.jobs.steps import Call, Event, Flow, Keep, Next, Pause, Show, Whole

_LOG = logging.getLogger(__name__)
# Seconds that a cancelled submission still takes to learn the id of what it paid for.
_GRACE = 15.0


class CallerLeft(BaseException):
    """Whoever was shown something wants no more; a flow may still see to what was paid for.

    To the flow it is what ``GeneratorExit`` is to a generator, after which nothing could be done.
    """


def run(flow: Flow[Any]) -> Generator[Event, None, Any]:
    """Drive *flow* with a blocking client; gives what it shows, and returns what it returns."""
    with closing(flow):
        try:
            step = next(flow)
            while True:
                if isinstance(step, Show):
                    try:
                        yield step.event
                    except GeneratorExit:
                        step = flow.throw(CallerLeft())
                    else:
                        step = next(flow)
                    continue
                try:
                    outcome = (yield from run(step.flow)) if isinstance(step, Whole) else _do(step)
                except BaseException as error:  # noqa: BLE001 - the flow decides, or raises it again
                    step = flow.throw(error)
                else:
                    step = flow.send(outcome)
        except StopIteration as end:
            return end.value
        except CallerLeft:
            return None


def _do(step: Keep | Call | Next | Pause) -> Any:
    if isinstance(step, Next):
        return next(step.items, None)
    if isinstance(step, Pause):
        return time.sleep(step.seconds)
    return step.call()


class End:
    """The value of a flow, as an asynchronous generator gives it: last."""

    def __init__(self, value: Any) -> None:
        self.value = value


async def arun(flow: Flow[Any]) -> AsyncGenerator[Event | End]:
    """Drive *flow* with an asyncio client; gives what it shows, and what it returns last."""
    with closing(flow):
        try:
            step = next(flow)
            while True:
                if isinstance(step, Show):
                    try:
                        yield step.event
                    except GeneratorExit:
                        step = flow.throw(CallerLeft())
                    else:
                        step = next(flow)
                    continue
                try:
                    outcome = await _ado(step)
                except BaseException as error:  # noqa: BLE001 - the flow decides, or raises it again
                    step = flow.throw(error)
                else:
                    step = flow.send(outcome)
        except StopIteration as end:
            yield End(end.value)
        except CallerLeft:
            return


async def _ado(step: Keep | Call | Next | Pause | Whole) -> Any:
    if isinstance(step, Keep):
        return await to_its_end(step.call)
    if isinstance(step, Next):
        return await anext(step.items, None)
    if isinstance(step, Pause):
        return await asyncio.sleep(step.seconds)
    if isinstance(step, Whole):
        return await _whole(step)
    return await step.call()


async def to_its_end(call: Callable[[], Any]) -> Any:
    """Use the ledger in a thread, which a cancelled caller waits for: it cannot be stopped."""
    running = asyncio.ensure_future(asyncio.to_thread(call))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        if not running.cancelled() and (failure := running.exception()) is not None:
            _LOG.warning("the ledger failed under a caller that was cancelled: %s", failure)
        raise


async def _whole(whole: Whole) -> Any:
    """Run a flow in a task of its own, which a cancelled caller waits for a while."""

    async def last() -> Any:
        async for step in arun(whole.flow):
            if isinstance(step, End):
                return step.value
        raise AssertionError  # pragma: no cover - the last step is the end

    running = asyncio.ensure_future(last())
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        if not whole.begun():
            running.cancel()
        await asyncio.wait([running], timeout=_GRACE)
        if not running.done():
            _LOG.warning("a paid request goes on without its caller; resume finds its task")
        elif not running.cancelled() and (failure := running.exception()) is not None:
            _LOG.warning("a paid request whose caller was cancelled failed: %s", failure)
        raise
