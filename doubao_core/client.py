"""The two drivers of every operation: one that blocks and one that awaits.

Each pair of methods stands in the same order and differs in ``async`` and ``await`` alone, so that
they can be compared by eye. What they drive is in ``api/``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncGenerator, Generator
from itertools import count
from time import monotonic
from typing import TYPE_CHECKING, Self, TypeAlias, TypeVar

from doubao_core import retry
from doubao_core.api import Operations
from doubao_core.configured import Configured
from doubao_core.errors import DoubaoError, Stalled
from doubao_core.operation import (
    Emit,
    Flow,
    Opening,
    Reply,
    Send,
    Wait,
    WatchFlow,
)
from doubao_core.saving import AsyncSaving, Saving

if TYPE_CHECKING:
    import httpx

    from doubao_core.transport import AsyncTransport, SyncTransport

BlockingHttp: TypeAlias = "httpx.Client"
AsyncHttp: TypeAlias = "httpx.AsyncClient"
R = TypeVar("R")
T = TypeVar("T")

_STALLED = "the stream sent bytes but no event for as long as timeout= allows"
# Two threads that send a client's first request must not make two transports.
_MAKING = threading.Lock()


class Client(Configured[BlockingHttp], Operations, Saving):
    """Blocking client of the API; one object serves many threads.

    Making one is cheap: no connection, no TLS context and no key are needed until the first
    request. Use it as a context manager, or ``close()`` it, to close its connections.

    Args:
        provider: Name of the provider (the README lists them); default
            ``DOUBAO_PROVIDER``, then ``"ark"``.
        api_key: A string, a ``SecretStr``, or a callable that returns the key, asked for each
            request; default the provider's environment variable.
        base_url: Default ``DOUBAO_BASE_URL``, then the provider's own.
        timeout: Seconds for the connect, the first byte, and each gap between events of a stream,
            not for the whole answer. Default 600, the official SDK's (ark.md 1.6).
        max_retries: Attempts beyond the first. Default 2. See ``doubao_core/retry.py`` for what is
            repeated; paid creates are not once they may have been accepted.
        default_headers: Headers to add to every request.
        http_client: An ``httpx.Client`` to send with; used as it is, never closed by us.
        rate_limit: What a model may be asked in a minute: requests wait until they may go, and
            everybody who shares the limit pauses when the service refuses one for its rate.
        plan: What the account may do in all, per minute, hour and day, at once and in credits.
            What it has no room for is never sent: see :class:`Plan`.

    Raises:
        ConfigError: An argument is wrong; a missing key is reported by the first request.
    """

    @property
    def _transport(self) -> SyncTransport:
        if self._made is None:
            from doubao_core.transport import SyncTransport

            with _MAKING:
                if self._made is None:
                    self._made = SyncTransport(self._settings, self._http_client)
        made: SyncTransport = self._made
        return made

    def _run(self, flow: Flow[R]) -> R:
        steps = retry.retrying(flow, self._policy)
        try:
            step = next(steps)
            while True:
                if isinstance(step, Wait):
                    time.sleep(step.seconds)
                    step = next(steps)
                else:
                    step = retry.resume(steps, self._outcome(step))
        except StopIteration as done:
            result: R = done.value
            return result
        except DoubaoError as error:
            self._signed(error)
            raise

    def _watch(self, flow: WatchFlow[T]) -> Generator[T]:
        steps = retry.retrying(flow, self._policy)
        try:
            step = next(steps)
            while True:
                if isinstance(step, Emit):
                    yield step.value
                    step = next(steps)
                elif isinstance(step, Wait):
                    time.sleep(step.seconds)
                    step = next(steps)
                else:
                    step = retry.resume(steps, self._outcome(step))
        except StopIteration:
            return
        except DoubaoError as error:
            self._signed(error)
            raise

    def _outcome(self, send: Send) -> Reply | DoubaoError:
        started = monotonic()
        try:
            with self._toll(send) as toll:
                started = monotonic()
                reply = self._transport.send(send)
                toll.answered(reply)
        except DoubaoError as error:
            error.elapsed = monotonic() - started
            return error
        after = self._after(send, reply)
        return reply if after is None else self._outcome(after)

    def _stream(self, opening: Opening[T]) -> Generator[T]:
        toll = self._toll(opening.send)
        for attempt in count():
            reader, begun = toll.reads(self._reader(opening)), False
            try:
                with toll, self._transport.stream(opening.send) as answer:
                    toll.began(answer.headers)
                    reader.begin(answer.headers)
                    last = monotonic()
                    for block in answer.blocks:
                        if events := reader.feed(block):
                            begun = True
                            yield from events
                            last = monotonic()
                        elif monotonic() - last > self._settings.timeout:
                            raise Stalled(_STALLED)
                        if reader.ended:
                            break
                    while rest := reader.close():
                        begun = True
                        yield from rest
                    answer.pass_over()
            except DoubaoError as error:
                pause = self._pause(
                    opening.send, attempt, error, begun=begun, partial=reader.partial
                )
            else:
                return
            time.sleep(pause)

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        if self._made is not None:
            self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class AsyncClient(Configured[AsyncHttp], Operations, AsyncSaving):
    """Asyncio client of the API; one object serves many tasks and, one after the other, many loops.

    The arguments are those of :class:`Client`; ``http_client`` is an ``httpx.AsyncClient``.
    Connections belong to an event loop and are closed with it.
    """

    @property
    def _transport(self) -> AsyncTransport:
        if self._made is None:
            from doubao_core.transport import AsyncTransport

            with _MAKING:
                if self._made is None:
                    self._made = AsyncTransport(self._settings, self._http_client)
        made: AsyncTransport = self._made
        return made

    async def _run(self, flow: Flow[R]) -> R:
        import asyncio

        steps = retry.retrying(flow, self._policy)
        try:
            step = next(steps)
            while True:
                if isinstance(step, Wait):
                    await asyncio.sleep(step.seconds)
                    step = next(steps)
                else:
                    step = retry.resume(steps, await self._outcome(step))
        except StopIteration as done:
            result: R = done.value
            return result
        except DoubaoError as error:
            self._signed(error)
            raise

    async def _watch(self, flow: WatchFlow[T]) -> AsyncGenerator[T]:
        import asyncio

        steps = retry.retrying(flow, self._policy)
        try:
            step = next(steps)
            while True:
                if isinstance(step, Emit):
                    yield step.value
                    step = next(steps)
                elif isinstance(step, Wait):
                    await asyncio.sleep(step.seconds)
                    step = next(steps)
                else:
                    step = retry.resume(steps, await self._outcome(step))
        except StopIteration:
            return
        except DoubaoError as error:
            self._signed(error)
            raise

    async def _outcome(self, send: Send) -> Reply | DoubaoError:
        started = monotonic()
        try:
            async with self._toll(send) as toll:
                started = monotonic()
                reply = await self._transport.send(send)
                toll.answered(reply)
        except DoubaoError as error:
            error.elapsed = monotonic() - started
            return error
        after = self._after(send, reply)
        return reply if after is None else await self._outcome(after)

    async def _stream(self, opening: Opening[T]) -> AsyncGenerator[T]:
        import asyncio

        toll = self._toll(opening.send)
        for attempt in count():
            reader, begun = toll.reads(self._reader(opening)), False
            try:
                async with toll, await self._transport.stream(opening.send) as answer:
                    toll.began(answer.headers)
                    reader.begin(answer.headers)
                    last = monotonic()
                    async for block in answer.blocks:
                        if events := reader.feed(block):
                            begun = True
                            for event in events:
                                yield event
                            last = monotonic()
                        elif monotonic() - last > self._settings.timeout:
                            raise Stalled(_STALLED)
                        if reader.ended:
                            break
                    while rest := reader.close():
                        begun = True
                        for event in rest:
                            yield event
                    await answer.pass_over()
            except DoubaoError as error:
                pause = self._pause(
                    opening.send, attempt, error, begun=begun, partial=reader.partial
                )
            else:
                return
            await asyncio.sleep(pause)

    async def aclose(self) -> None:
        """Close the running loop's connections; the next request opens new ones."""
        if self._made is not None:
            await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()
