"""Posts to webhooks what gateways tell of their tasks, on this machine only."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from doubao_emulator.callbacks import acknowledged, may_call
from doubao_emulator.wire import encode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from doubao_emulator.state import World
    from doubao_emulator.wire import JSON

logger = logging.getLogger("doubao_emulator")

_LOOK_AGAIN_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """How deliveries are signed; see `Emulator.sign_webhooks`."""

    secret: str = field(repr=False)
    header: str
    prefix: str = ""
    capitals: bool = False
    timestamp_header: str | None = None
    age: float = 0.0

    def headers(self, body: bytes, now: float) -> dict[str, str]:
        """Return the headers that a body gets when it is sent at `now`."""
        signed, headers = body, {}
        if self.timestamp_header is not None:
            sent = str(int(now - self.age))
            headers[self.timestamp_header] = sent
            signed = f"{sent}.".encode() + body
        digest = hmac.new(self.secret.encode(), signed, hashlib.sha256).hexdigest()
        headers[self.header] = self.prefix + (digest.upper() if self.capitals else digest)
        return headers


@dataclass(frozen=True, slots=True)
class Story:
    """What there is to tell of a task so far.

    Attributes:
        told: The bodies, oldest first.
        ended: Whether there will be no more.
    """

    told: Sequence[JSON]
    ended: bool


class Deliveries:
    """Posts the stories of one gateway's tasks.

    Args:
        world: Where faults are armed, and how deliveries are signed.
        tries: How often a body is posted that is not acknowledged.
    """

    def __init__(self, world: World, *, tries: int) -> None:
        self._world = world
        self._tries = tries
        # The event loop itself holds its tasks only weakly.
        self._running: set[asyncio.Task[None]] = set()

    def follow(self, task_id: str, url: str, path: str, look: Callable[[], Story | None]) -> None:
        """Post what a task's story gets, until it has ended.

        Args:
            task_id: The task.
            url: Where to post.
            path: Path of the request that created the task, for faults.
            look: Brings the task up to date; None when it is gone.
        """
        if not may_call(url, task_id):
            return
        twice = self._world.faults.strike("webhook_twice", path) is not None
        backwards = self._world.faults.strike("webhook_backwards", path) is not None
        task = asyncio.create_task(self._tell(url, look, 1 + twice, backwards=backwards))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _tell(
        self, url: str, look: Callable[[], Story | None], copies: int, *, backwards: bool
    ) -> None:
        sent = 0
        while (story := look()) is not None:
            if story.ended or not backwards:
                bodies = story.told[sent:]
                sent = len(story.told)
                for body in reversed(bodies) if backwards else bodies:
                    for _ in range(copies):
                        await self._deliver(url, encode(body))
            if story.ended:
                return
            await asyncio.sleep(_LOOK_AGAIN_S)

    async def _deliver(self, url: str, body: bytes) -> None:
        for _ in range(self._tries):
            signature, now = self._world.signature, self._world.clock.now()
            headers = {} if signature is None else signature.headers(body, now)
            if await asyncio.to_thread(acknowledged, url, body, headers):
                return
        logger.warning("A delivery was not acknowledged in %d tries.", self._tries)
