"""What a delivery changes: it is checked, the task is looked up, and only news goes on.

Deliveries come twice, late, in any order, and from anybody who knows the URL. So nothing that they
say is passed on: they only say which task to look at. Where a provider has no way to look, what a
signature proves is believed, and what nothing proves is no more than a hint that it is possibly
done.
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
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from doubao_core.api.images import Images
from doubao_core.api.videos import VideoTask
from doubao_core.client import AsyncClient, Client
from doubao_core.errors import UNREADABLE, ConfigError, DoubaoError, NotFound, UnsupportedOperation
from doubao_core.gateways import Webhook, gateway, known
from doubao_core.webhooks.reading import has_pictures, images_of, task_of
from doubao_core.webhooks.scheme import Proof, Refused, Scheme, Unsigned
from doubao_core.webhooks.token import checked_token
from doubao_core.webhooks.waiting import Waiting

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
T = TypeVar("T")

Hook: TypeAlias = Callable[[T], Awaitable[None] | None]


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
        ignored: It was about no task.
        refused: Wrong token, signature, time or shape.
        postponed: The look-up failed or took too long; the service may deliver again.
    """

    news: int = 0
    repeated: int = 0
    unknown: int = 0
    unproven: int = 0
    ignored: int = 0
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

    A hook that blocks runs in a thread; for one task the hooks are called one after the other; what
    they raise is logged.

    Args:
        client: Looks tasks up, with the key that made them; its provider says how deliveries are
            to be read.
        token: The secret last part of the URL; see :func:`~doubao_core.webhooks.new_token`.
        scheme: How deliveries prove where they come from. By default they prove nothing: few are
            signed in a way that is documented (gateways.md 4.7), and a secret is needed; see
            :class:`Signed`.
        on_task: Called with each new state of a task, be it for a film or for pictures.
        on_images: Called with the pictures of a task that has made some.
        on_hint: Called with the id of a task that is possibly done: an unproven delivery says so,
            and the provider has no way to look, as Doitong has none.
        wakes: Told each new state: ``poller_of(client)``, so that who watches a task need not wait
            for the next look-up.
        ours: Whether a task id is one of ours, asked before a look-up is made; default: any.

    Attributes:
        counts: What became of the deliveries so far.

    Raises:
        ConfigError: The token is too easy to guess, or the client's provider does not say what it
            delivers.
    """

    def __init__(
        self,
        client: Client | AsyncClient,
        *,
        token: str,
        scheme: Scheme | None = None,
        on_task: Hook[VideoTask] | None = None,
        on_images: Hook[Images] | None = None,
        on_hint: Hook[str] | None = None,
        wakes: Wakes | None = None,
        ours: Callable[[str], bool] | None = None,
    ) -> None:
        self.counts = Counts()
        self._client = client
        self._token = checked_token(token).encode()
        self._scheme = scheme or Unsigned()
        self._webhook = _webhook(client.provider)
        self._on_task = on_task
        self._on_images = on_images
        self._on_hint = on_hint
        self._wakes = wakes
        self._ours = ours
        self._states: _Remembered[str, VideoTask] = _Remembered()
        self._keys: _Remembered[bytes, bool] = _Remembered()
        self._hinted: _Remembered[str, bool] = _Remembered()
        self._waiting = Waiting()
        # The last call of a hook for each task that has one running.
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
            await self._take(headers, raw)
        except Refused:
            self.counts.refused += 1
            raise

    async def _take(self, headers: Mapping[str, str], raw: bytes) -> None:
        proof = self._scheme.verify(headers, raw, time.time())
        said = task_of(self._webhook, raw)
        if said is None:
            self.counts.ignored += 1
        elif not self._may_be_news(said, proof):
            self.counts.repeated += 1
        elif self._ours is not None and not self._ours(said.id):
            self.counts.unknown += 1
        elif (task := await self._looked_up(said, proof)) is not None:
            self._pass_on(task)
            if task is said:
                # No look-up has told the plan.
                await asyncio.to_thread(self._client.tell_plan, task.id, ended=task.ended)
        if proof.key is not None:
            self._keys.keep(proof.key, value=True)

    def wait_images(self, made: Images, *, wait_timeout: float = 600.0) -> Images:
        """Wait for the pictures of a task, blocking; never in the thread of the server.

        Args:
            made: What the request for the pictures gave; it may have been delivered already.
            wait_timeout: Seconds to wait.

        Returns:
            The pictures; or *made* once the time is over. If an unproven delivery says that they
            are finished and the provider has no way to look, *made* with that as the error of its
            picture, with the code ``possibly_done``.

        Raises:
            JobFailed: The task made nothing.
            ConfigError: *made* has no task id.
        """
        return self._waiting.wait(made, wait_timeout)

    async def await_images(self, made: Images, *, wait_timeout: float = 600.0) -> Images:
        """Wait for the pictures of a task; see :meth:`wait_images`."""
        return await self._waiting.await_(made, wait_timeout)

    def _may_be_news(self, said: VideoTask, proof: Proof) -> bool:
        if proof.key is not None and self._keys.get(proof.key):
            return False
        return _is_news(said, self._states.get(said.id))

    async def _looked_up(self, said: VideoTask, proof: Proof) -> VideoTask | None:
        """Give the task as the service tells it when asked; ``None`` if that is nothing."""
        task_id = said.id
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
            if proof.genuine:
                return said
            self._hint(said)
        except (DoubaoError, TimeoutError) as error:
            self.counts.postponed += 1
            raise Later(f"task {task_id} could not be looked up: {error}") from error
        finally:
            self._looking -= 1
        return None

    def _hint(self, said: VideoTask) -> None:
        """Remember that a task is possibly done, and nothing else of what was said."""
        _LOG.warning("task %s cannot be looked up, and its delivery is not signed", said.id)
        self.counts.unproven += 1
        if said.ended and self._hinted.get(said.id) is None:
            self._hinted.keep(said.id, value=True)
            self._waiting.tell(said.id, None)
            self._start(self._on_hint, said.id, said.id)

    def _pass_on(self, task: VideoTask) -> None:
        # Another delivery may have been faster.
        if not _is_news(task, self._states.get(task.id)):
            self.counts.repeated += 1
            return
        images = _images(task)
        self.counts.news += 1
        self._states.keep(
            task.id, VideoTask(id=task.id, status=task.status, progress=task.progress)
        )
        if self._wakes is not None:
            self._wakes.tell(task)
        if task.ended and not task.video_url:
            self._waiting.tell(task.id, task)
        self._start(self._on_task, task.id, task)
        if images is not None:
            self._start(self._on_images, task.id, images)

    def _start(self, hook: Hook[Any] | None, task_id: str, value: Any) -> None:
        """Have *hook* called once the calls before it for the same task are over."""
        if hook is not None:
            before = self._hooks.get(task_id)
            call = self._call(hook, task_id, value, before)
            self._hooks[task_id] = asyncio.create_task(call)

    async def _call(
        self, hook: Hook[Any], task_id: str, value: Any, before: asyncio.Task[None] | None
    ) -> None:
        try:
            if before is not None:
                await asyncio.wait([before])
            if inspect.iscoroutinefunction(hook):
                await hook(value)
            elif inspect.isawaitable(made := await asyncio.to_thread(hook, value)):
                await made
        except Exception:  # noqa: BLE001 - nobody waits for it, and the delivery was good
            _LOG.exception("a hook failed for task %s", task_id)
        finally:
            if self._hooks.get(task_id) is asyncio.current_task():
                del self._hooks[task_id]

    async def finish(self) -> None:
        """Wait for what the hooks are still doing."""
        await asyncio.gather(*self._hooks.values())


def _webhook(provider: str) -> Webhook:
    webhook = gateway(provider).webhook
    if webhook is None:
        able = ", ".join(sorted(name for name, each in known().items() if each.webhook))
        raise ConfigError(f"provider {provider!r} does not say what it delivers; {able} do")
    return webhook


def _images(task: VideoTask) -> Images | None:
    """Give the pictures that *task* has made; ``None`` if it has made none."""
    try:
        return images_of(task) if has_pictures(task) else None
    except (DoubaoError, *UNREADABLE) as error:
        raise Refused(f"the pictures of task {task.id} cannot be read: {error}") from error


def _is_news(task: VideoTask, known: VideoTask | None) -> bool:
    """Whether *task* can come after *known* and says something else."""
    if known is None:
        return True
    further = (task.progress or 0) > (known.progress or 0)
    return task.may_follow(known) and (task.status != known.status or further)
