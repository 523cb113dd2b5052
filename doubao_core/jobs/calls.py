"""The calls of an agent's tool as durable jobs: the same call, made again, is the same job.

Once to block and once to await, side by side.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, closing
from typing import Any

from doubao_core.client import AsyncClient, Client
from doubao_core.errors import ConfigError, DoubaoError
from doubao_core.jobs.configured import Order
from doubao_core.jobs.drive import AsyncJobs, Jobs
from doubao_core.jobs.errors import LedgerError
from doubao_core.jobs.steps import Event
from doubao_core.studio import (
    Allowance,
    AsyncStudio,
    ImageResult,
    Studio,
    VideoOrder,
    VideoResult,
)

_LOG = logging.getLogger(__name__)
# Seconds that a cancelled call still takes to withdraw its task.
_GRACE = 15.0


def blocking(jobs: object, client: Client, **options: Any) -> Jobs | None:
    """Give the jobs for blocking calls.

    Args:
        jobs: The URL of a ledger, ``Jobs``, ``AsyncJobs``, or ``None`` for none.
        client: Client of the tool.
        options: Arguments of :class:`Jobs` that a URL needs besides.

    Raises:
        ConfigError: It is none of these, or the extra ``jobs`` is not installed.
    """
    if jobs is None or isinstance(jobs, Jobs):
        return jobs
    if isinstance(jobs, AsyncJobs):
        return jobs.over(client)
    return Jobs(client, ledger=_url(jobs), **options)


def awaiting(jobs: object, client: AsyncClient, **options: Any) -> AsyncJobs | None:
    """Give the jobs for async calls; see :func:`blocking`."""
    if jobs is None or isinstance(jobs, AsyncJobs):
        return jobs
    if isinstance(jobs, Jobs):
        return jobs.over(client)
    return AsyncJobs(client, ledger=_url(jobs), **options)


def _url(jobs: object) -> str:
    if isinstance(jobs, str):
        return jobs
    raise ConfigError(
        f"jobs= cannot be {type(jobs).__name__}: give the URL of a ledger, Jobs or AsyncJobs"
    )


def check_limits(
    jobs: Jobs | None, order: Order, *, key: str | None, allowance: Allowance, provider: str
) -> None:
    """Refuse what the limits have no room for, before a person is asked; nothing is spent.

    Raises:
        ConfigError: There is no room, and *order* is not a job that may be paid already.
    """
    refusal = allowance.refusal(order, provider)
    if refusal is None:
        return
    if jobs is None:
        raise refusal
    try:
        jobs.get(jobs.key_of(order) if key is None else key)
    except LedgerError:
        raise
    except ConfigError:
        raise refusal from None


async def acheck_limits(
    jobs: AsyncJobs | None, order: Order, *, key: str | None, allowance: Allowance, provider: str
) -> None:
    """Refuse what the limits have no room for; see :func:`check_limits`."""
    refusal = await asyncio.to_thread(allowance.refusal, order, provider)
    if refusal is None:
        return
    if jobs is None:
        raise refusal
    try:
        await jobs.get(jobs.key_of(order) if key is None else key)
    except LedgerError:
        raise
    except ConfigError:
        raise refusal from None


def made(
    studio: Studio,
    jobs: Jobs | None,
    order: Order,
    *,
    key: str | None,
    timeout: float,
    allowance: Allowance,
) -> Generator[Event]:
    """Make *order*: as a job if there are *jobs*, else by the *studio* alone.

    Args:
        studio: Has the same limits.
        jobs: Where the call is written down; ``None`` if it is not to outlive this process.
        order: What to make.
        key: Name of the call; ``None`` to name a job by what it orders.
        timeout: Seconds to wait for a film; one that goes on then is a result.
        allowance: Limits of the tool.
    """
    if jobs is not None:
        limit = timeout if isinstance(order, VideoOrder) else None
        return durable(jobs, order, key, timeout=limit, allowance=allowance)
    if isinstance(order, VideoOrder):
        return studio.video(order)
    return studio.stream_pictures(order)


def amade(
    studio: AsyncStudio,
    jobs: AsyncJobs | None,
    order: Order,
    *,
    key: str | None,
    timeout: float,
    allowance: Allowance,
) -> AsyncGenerator[Event]:
    """Make *order*; see :func:`made`."""
    if jobs is not None:
        limit = timeout if isinstance(order, VideoOrder) else None
        return adurable(jobs, order, key, timeout=limit, allowance=allowance)
    if isinstance(order, VideoOrder):
        return studio.video(order)
    return studio.stream_pictures(order)


def durable(
    jobs: Jobs,
    order: Order,
    key: str | None,
    *,
    timeout: float | None = None,
    allowance: Allowance | None = None,
) -> Generator[Event]:
    """See the job of a call through; left early, its task is withdrawn if it is still queued.

    Args:
        jobs: Where the job is written down.
        order: What to make, if there is no such job yet.
        key: Name of the call; ``None`` to name it by what it orders.
        timeout: Seconds to wait at most; a film that goes on is a result.
        allowance: Limits of the tool, spent if something is sent.
    """
    key = jobs.key_of(order) if key is None else key
    finished = False
    try:
        with closing(jobs.run(order, key=key, timeout=timeout, allowance=allowance)) as steps:
            for step in steps:
                finished = isinstance(step, ImageResult | VideoResult)
                yield step
    except Exception:
        raise
    except BaseException:
        if not finished:
            _cancel(jobs, key)
        raise


async def adurable(
    jobs: AsyncJobs,
    order: Order,
    key: str | None,
    *,
    timeout: float | None = None,  # noqa: ASYNC109 - a limit of the service's work, not ours
    allowance: Allowance | None = None,
) -> AsyncGenerator[Event]:
    """See the job of a call through; see :func:`durable`."""
    key = jobs.key_of(order) if key is None else key
    finished = False
    try:
        running = jobs.run(order, key=key, timeout=timeout, allowance=allowance)
        async with aclosing(running) as steps:
            async for step in steps:
                finished = isinstance(step, ImageResult | VideoResult)
                yield step
    except Exception:
        raise
    except BaseException:
        if not finished:
            await _acancel(jobs, key)
        raise


def _cancel(jobs: Jobs, key: str) -> None:
    try:
        jobs.cancel(key)
    except DoubaoError as error:
        _LOG.warning("job %s was not cancelled: %s", key, error)


async def _acancel(jobs: AsyncJobs, key: str) -> None:
    try:
        async with asyncio.timeout(_GRACE):
            await jobs.cancel(key)
    except (DoubaoError, TimeoutError) as error:
        _LOG.warning("job %s was not cancelled: %s", key, error)
