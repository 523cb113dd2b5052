"""What a delivery changes: it is checked, the task is looked up, and only news goes on.

Deliveries come twice, late, in any order, and from anybody who knows the URL. So nothing that they
say is passed on: they only say which task to look at.
"""

from __future__ import annotations

import asyncio
import hmac
import inspect
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeAlias, TypeVar

from doubao_core.api.videos import VideoTask
from doubao_core.client import AsyncClient, Client
from doubao_core.errors import DoubaoError, NotFound, UnsupportedOperation
from doubao_core.webhooks.scheme import Delivery, Refused, Scheme, Unsigned
from doubao_core.webhooks.token import checked_token

MAX_BYTES = 256 * 1024
"""Largest body of a delivery; a task has a few kilobytes."""
MOST_TASKS = 10_000
"""How many tasks and deliveries are remembered, to know what is new."""
LOOK_UP_SECONDS = 4.0
"""How long a look-up may take: the service waits 5 s for an answer (ark.md 15.5)."""
MOST_LOOK_UPS = 32
"""Look-ups at once; more deliveries are told to come again."""
_LOG = logging.getLogger("doubao_core.webhooks")
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

Hook: TypeAlias = Callable[[VideoTask], Awaitable[None] | None]


class Wakes(Protocol):
    """Who wants to know of a task at once: a poller, from ``doubao_core.polling.poller_of``."""

    def tell(self, task: VideoTask) -> None:
        """Take the state of a task."""


class Later(Exception):
    """A delivery that should come again: the task could not be looked up now."""


@dataclass(slots=True, kw_only=True)
class Counts:
    """What became of the deliveries so far.

    Attributes:
        news: A task had a new state.
        repeated: The same was known, or something later was.
        unknown: There is no such task, or it is none of ours.
        unproven: The task cannot be looked up, and the delivery proves nothing.
        refused: Wrong token, signature, time or shape.
        postponed: The look-up failed or took too long; the service may deliver again.
    """

    news: int = 0
    repeated: int = 0
    unknown: int = 0
    unproven: int = 0
    refused: int = 0
    postponed: int = 0


class _Remembered(Generic[K, V]):
    """The last things that were kept, at most :data:`MOST_TASKS`."""

    def __init__(self) -> None:
        self._kept: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        return self._kept.get(key)

    def keep(self, key: K, value: V) -> None:
        self._kept[key] = value
        self._kept.move_to_end(key)
        if len(self._kept) > MOST_TASKS:
            self._kept.popitem(last=False)


class Receiver:
    """Takes deliveries, for one URL.

    Args:
        client: Looks tasks up, with the key that made them.
        token: The secret last part of the URL; see :func:`~doubao_core.webhooks.new_token`.
        scheme: How deliveries prove where they come from; Ark's prove nothing.
        on_task: Called with each new state, for one task one after the other; a function that
            blocks runs in a thread. What it raises is logged.
        wakes: Told each new state: ``poller_of(client)``, so that who watches a task need not wait
            for the next look-up.
        ours: Whether a task id is one of ours, asked before a look-up is made; default: any.

    Attributes:
        counts: What became of the deliveries so far.

    Raises:
        ConfigError: The token is too easy to guess.
    """

    def __init__(
        self,
        client: Client | AsyncClient,
        *,
        token: str,
        scheme: Scheme | None = None,
        on_task: Hook | None = None,
        wakes: Wakes | None = None,
        ours: Callable[[str], bool] | None = None,
    ) -> None:
        self.counts = Counts()
        self._client = client
        self._token = checked_token(token).encode()
        self._scheme = scheme or Unsigned()
        self._on_task = on_task
        self._wakes = wakes
        self._ours = ours
        self._states: _Remembered[str, VideoTask] = _Remembered()
        self._keys: _Remembered[bytes, bool] = _Remembered()
        # The last call of ``on_task`` for each task that has one running.
        self._hooks: dict[str, asyncio.Task[None]] = {}
        self._looking = 0

    def admits(self, token: str) -> bool:
        """Whether *token* is the right one; it takes as long to say no as to say yes."""
        right = hmac.compare_digest(token.encode(errors="replace"), self._token)
        self.counts.refused += not right
        return right

    async def receive(self, headers: Mapping[str, str], raw: bytes) -> None:
        """Take a delivery whose token was right.

        Args:
            headers: Values by lower-case name.
            raw: The body as it came.

        Raises:
            Refused: It proves not what it should, or says nothing of a task.
            Later: The task could not be looked up now.
        """
        try:
            delivery = self._scheme.verify(headers, raw, time.time())
        except Refused:
            self.counts.refused += 1
            raise
        if not self._may_be_news(delivery):
            self.counts.repeated += 1
        elif self._ours is not None and not self._ours(delivery.task.id):
            self.counts.unknown += 1
        elif (task := await self._looked_up(delivery)) is not None:
            self._pass_on(task)
        if delivery.key is not None:
            self._keys.keep(delivery.key, value=True)

    def _may_be_news(self, delivery: Delivery) -> bool:
        if delivery.key is not None and self._keys.get(delivery.key):
            return False
        return _is_news(delivery.task, self._states.get(delivery.task.id))

    async def _looked_up(self, delivery: Delivery) -> VideoTask | None:
        """Give the task as the service tells it when asked; ``None`` if that is nothing."""
        task_id = delivery.task.id
        if self._looking >= MOST_LOOK_UPS:
            self.counts.postponed += 1
            raise Later("too many look-ups at once")
        self._looking += 1
        try:
            async with asyncio.timeout(LOOK_UP_SECONDS):
                if isinstance(self._client, AsyncClient):
                    return await self._client.get_video(task_id)
                return await asyncio.to_thread(self._client.get_video, task_id)
        except NotFound:
            _LOG.info("a delivery for task %s, which does not exist, was dropped", task_id)
            self.counts.unknown += 1
        except UnsupportedOperation:
            if delivery.genuine:
                return delivery.task
            _LOG.warning("task %s cannot be looked up, and its delivery is not signed", task_id)
            self.counts.unproven += 1
        except (DoubaoError, TimeoutError) as error:
            self.counts.postponed += 1
            raise Later(f"task {task_id} could not be looked up: {error}") from error
        finally:
            self._looking -= 1
        return None

    def _pass_on(self, task: VideoTask) -> None:
        # Another delivery may have been faster.
        if not _is_news(task, self._states.get(task.id)):
            self.counts.repeated += 1
            return
        self.counts.news += 1
        self._states.keep(task.id, VideoTask(id=task.id, status=task.status))
        if self._wakes is not None:
            self._wakes.tell(task)
        if self._on_task is not None:
            before = self._hooks.get(task.id)
            self._hooks[task.id] = asyncio.create_task(self._call(self._on_task, task, before))

    async def _call(self, hook: Hook, task: VideoTask, before: asyncio.Task[None] | None) -> None:
        try:
            if before is not None:
                await asyncio.wait([before])
            if inspect.iscoroutinefunction(hook):
                await hook(task)
            elif inspect.isawaitable(made := await asyncio.to_thread(hook, task)):
                await made
        except Exception:  # noqa: BLE001 - nobody waits for it, and the delivery was good
            _LOG.exception("on_task failed for task %s", task.id)
        finally:
            if self._hooks.get(task.id) is asyncio.current_task():
                del self._hooks[task.id]

    async def finish(self) -> None:
        """Wait for what ``on_task`` is still doing."""
        await asyncio.gather(*self._hooks.values())


def _is_news(task: VideoTask, known: VideoTask | None) -> bool:
    """Whether *task* can come after *known* and says something else."""
    return known is None or (task.may_follow(known) and task.status != known.status)
