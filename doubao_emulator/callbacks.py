"""Posts a task's changes of state to its `callback_url` (ark.md 15.5), on this machine only."""

from __future__ import annotations

import asyncio
import http.client
import logging
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from doubao_emulator.video_tasks import Status, describe
from doubao_emulator.wire import encode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from doubao_emulator.video_tasks import Task

logger = logging.getLogger("doubao_emulator")

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_PATIENCE_S = 5.0
_TRIES = 3
_LOOK_AGAIN_S = 0.02
_REPEATED = frozenset({Status.SUCCEEDED, Status.FAILED})


async def report(task: Task, url: str, look: Callable[[], bool]) -> None:
    """Post every change of state of `task` until it is final.

    An address that is not on this machine is never called; a warning in the log says so.

    Args:
        task: The task to follow.
        url: Where to post.
        look: Brings the task up to date; False when it is gone.
    """
    if not may_call(url, task.id):
        return
    sent = 0
    while look():
        while sent < len(task.history):
            status = task.history[sent]
            sent += 1
            # Statuses sent do not include `cancelled`.
            if status is not Status.CANCELLED:
                await _deliver(url, encode(describe(task, status)), status)
        if task.status.final:
            return
        await asyncio.sleep(_LOOK_AGAIN_S)


def may_call(url: str, task_id: str) -> bool:
    """Say whether an address is on this machine; a warning in the log says if not."""
    parts = urlsplit(url)
    if parts.scheme == "http" and parts.hostname in _LOOPBACK:
        return True
    logger.warning(
        "Task %s is not reported to host %s: the emulator calls http on loopback only.",
        task_id,
        parts.hostname,
    )
    return False


async def _deliver(url: str, body: bytes, status: Status) -> None:
    tries = _TRIES if status in _REPEATED else 1
    for _ in range(tries):
        if await asyncio.to_thread(acknowledged, url, body, {}):
            return
    logger.warning("The callback for status %s was not acknowledged in %d tries.", status, tries)


def acknowledged(url: str, body: bytes, headers: Mapping[str, str]) -> bool:
    """Post `body`, and say whether it was answered 2xx in time."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(
        parts.hostname or "", parts.port or 80, timeout=_PATIENCE_S
    )
    target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    try:
        connection.request("POST", target, body, {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
    except (OSError, http.client.HTTPException):
        # Not acknowledged; the caller counts the tries and says so.
        return False
    else:
        return answer.status < http.client.MULTIPLE_CHOICES
    finally:
        connection.close()
