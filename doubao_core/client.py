"""The two drivers of every operation: one that blocks and one that awaits.

Each pair of methods stands in the same order and differs in ``async`` and ``await`` alone, so that
they can be compared by eye. What they drive is in ``api/``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncGenerator, Generator
from itertools import count
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Self, TypeAlias, TypeVar

from doubao_core import media, retry
from doubao_core.api import Operations
from doubao_core.configured import Configured
from doubao_core.errors import DoubaoError, Stalled
from doubao_core.operation import (
    AsyncDriver,
    Emit,
    Flow,
    Opening,
    Reply,
    Send,
    SyncDriver,
    Wait,
    WatchFlow,
)

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


class Client(Configured[BlockingHttp], Operations, SyncDriver):
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
        rate_limit: What the account may do in a minute: requests wait until they may go, and
            everybody who shares the limit pauses when the service refuses one for its rate.

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
        toll = self._toll(send)
        toll.wait()
        started = monotonic()
        try:
            reply = self._transport.send(send)
        except DoubaoError as error:
            error.elapsed = monotonic() - started
            return error
        toll.settle(reply)
        return reply

    def _stream(self, opening: Opening[T]) -> Generator[T]:
        toll = self._toll(opening.send)
        for attempt in count():
            reader, begun = opening.reader(), False
            toll.wait()
            try:
                with self._transport.stream(opening.send) as answer:
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
                toll.failed(error)
                pause = self._pause(
                    opening.send, attempt, error, begun=begun, partial=reader.partial
                )
            else:
                return
            time.sleep(pause)

    def download(
        self, url: str, folder: str | Path, *, name: str, max_bytes: int = media.MAX_BYTES
    ) -> media.Saved:
        """Fetch a result of the service to ``folder/name.<ext>``, without ever sending the key.

        The extension is that of the bytes. The file appears whole or not at all, and none is ever
        replaced: a name that is taken gets a number.

        Args:
            url: The URL as the service gave it; it expires after 24 h (ark.md 14.1, 15.4).
            folder: Where to save; made if it does not exist.
            name: Name without extension.
            max_bytes: Largest file to accept.

        Raises:
            ConfigError: The URL is none that a service gives (scheme, private address).
            NotFound, PermissionDenied: The URL has expired or never existed.
            TooLarge, Malformed, Truncated: The bytes are too many, no picture or film, or cut.
        """
        fetch = media.Fetch(url, self.base_url, max_bytes)
        with media.Target(Path(folder), name) as target:
            while True:
                fetch.check(media.resolve(fetch.host))
                with self._transport.fetch(fetch.url) as answer:
                    if fetch.redirected(answer.status, answer.headers):
                        continue
                    for block in answer.blocks:
                        target.write(fetch.counted(block))
                return target.commit(fetch.finished())

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        if self._made is not None:
            self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class AsyncClient(Configured[AsyncHttp], Operations, AsyncDriver):
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
        toll = self._toll(send)
        await toll.await_()
        started = monotonic()
        try:
            reply = await self._transport.send(send)
        except DoubaoError as error:
            error.elapsed = monotonic() - started
            return error
        await toll.asettle(reply)
        return reply

    async def _stream(self, opening: Opening[T]) -> AsyncGenerator[T]:
        import asyncio

        toll = self._toll(opening.send)
        for attempt in count():
            reader, begun = opening.reader(), False
            await toll.await_()
            try:
                async with await self._transport.stream(opening.send) as answer:
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
                await toll.afailed(error)
                pause = self._pause(
                    opening.send, attempt, error, begun=begun, partial=reader.partial
                )
            else:
                return
            await asyncio.sleep(pause)

    async def download(
        self, url: str, folder: str | Path, *, name: str, max_bytes: int = media.MAX_BYTES
    ) -> media.Saved:
        """Fetch a result of the service to ``folder/name.<ext>``; see :meth:`Client.download`."""
        import asyncio

        fetch = media.Fetch(url, self.base_url, max_bytes)
        with media.Target(Path(folder), name) as target:
            while True:
                fetch.check(await asyncio.to_thread(media.resolve, fetch.host))
                async with await self._transport.fetch(fetch.url) as answer:
                    if fetch.redirected(answer.status, answer.headers):
                        continue
                    async for block in answer.blocks:
                        target.write(fetch.counted(block))
                # Waiting for the disk takes seconds for a long film.
                return await asyncio.to_thread(target.commit, fetch.finished())

    async def aclose(self) -> None:
        """Close the running loop's connections; the next request opens new ones."""
        if self._made is not None:
            await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()
