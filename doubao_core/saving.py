"""What both clients do with files: fetch a result, and save pictures while an answer brings them.

Each pair of methods stands in the same order and differs in ``async`` and ``await`` alone. What may
be fetched, and where it goes, is in ``media/``.
"""

from __future__ import annotations

import base64
import functools
from abc import abstractmethod
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar, Unpack

from doubao_core import media
from doubao_core.api.images import (
    Image,
    ImageEvent,
    ImageOptions,
    Images,
    create_images,
    stream_images,
)
from doubao_core.errors import DoubaoError
from doubao_core.operation import (
    Around,
    AsyncDriver,
    Flow,
    Opening,
    Reader,
    Send,
    SyncDriver,
)

if TYPE_CHECKING:
    from doubao_core.transport import AsyncTransport, SyncTransport

R = TypeVar("R")
T = TypeVar("T")
Where: TypeAlias = "str | Path | media.Storage"
Outcome: TypeAlias = "media.Saved | DoubaoError | None"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredImages:
    """The answer to a picture request, and where the pictures are that came inside it.

    Attributes:
        answer: The answer; what was saved is no longer in it.
        saved: For each of its pictures: the file; or why the picture that came could not be saved
            (its ``b64_json`` is kept if it is good: it was paid for); ``None`` for one that has a
            URL, or an error of its own.
    """

    answer: Images
    saved: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredImage:
    """One event of a picture stream, and where its picture is; see :class:`StoredImages`."""

    event: ImageEvent
    saved: Outcome


class Saving(SyncDriver):
    """The part of a blocking client that saves files."""

    @property
    @abstractmethod
    def base_url(self) -> str:
        """Where requests go."""

    @property
    @abstractmethod
    def _transport(self) -> SyncTransport: ...

    def download(
        self,
        url: str,
        where: Where,
        *,
        name: str,
        max_bytes: int = media.MAX_BYTES,
        max_seconds: float = media.MAX_SECONDS,
    ) -> media.Saved:
        """Fetch a result of the service to ``where/name.<ext>``, without ever sending the key.

        The extension is that of the bytes. The file appears whole or not at all, and none is ever
        replaced: a name that is taken gets a number.

        Args:
            url: The URL as the service gave it; it expires after 24 h (ark.md 14.1, 15.4).
            where: A folder, made if it does not exist; a URL such as ``s3://bucket/folder``; or a
                storage.
            name: Name without extension.
            max_bytes: Largest file to accept.
            max_seconds: Longest time to take, however the bytes trickle.

        Raises:
            ConfigError: The URL is none that a service gives (scheme, port, private address), or
                the file cannot be written.
            NotFound, PermissionDenied: The URL has expired or never existed.
            TooLarge, Malformed: The bytes are too many, or no picture, film or sound.
            Timeout, Truncated: The download was too slow, or ended early; another may not.
        """
        fetch = media.Fetch(url, self.base_url, max_bytes, max_seconds)
        with media.storage(where).target(name) as target:
            while True:
                addresses = fetch.addresses(media.resolve)
                with self._transport.fetch(fetch.url, addresses) as answer:
                    if fetch.redirected(answer.status, answer.headers):
                        continue
                    for block in answer.blocks:
                        target.write(fetch.counted(block))
                return target.commit(fetch.finished())

    def create_images_into(
        self,
        where: Where,
        *,
        name: str = "image",
        model: str,
        prompt: str,
        **options: Unpack[ImageOptions],
    ) -> StoredImages:
        """Make pictures, and save those that come inside the answer while it arrives.

        With ``response_format="b64_json"`` a picture of 8 MiB takes some hundred KiB of memory.
        Whatever else, this is ``create_images``: it costs money, and is sent once.

        Args:
            where: A folder, a URL such as ``s3://bucket/folder``, or a storage.
            name: Name without extension; from the second picture on with a number.
            model: Picture model id (``doubao-seedream-…``) or endpoint id.
            prompt: What to show.
            options: See :class:`ImageOptions`.

        Raises:
            AmbiguousSubmit: The answer was lost, or broke off; ``saved`` of the error are the
                pictures that had come whole.
            DoubaoError: Any other of the tree.
        """
        flow = create_images.flow(model=model, prompt=prompt, **options)
        sieve = media.Sieve(media.storage(where), name)
        with _kept(sieve):
            return _stored(self._run(_sifting(flow, sieve)), sieve)

    def stream_images_into(
        self,
        where: Where,
        *,
        name: str = "image",
        model: str,
        prompt: str,
        **options: Unpack[ImageOptions],
    ) -> Generator[StoredImage]:
        """Make pictures, and save each that comes inside the stream before its event is given out.

        The arguments are those of :meth:`create_images_into`; see ``stream_images``. Closing the
        generator early leaves the rest to the service, which makes and **charges for** it.
        """
        opening = stream_images.opening(model=model, prompt=prompt, **options)
        sieve = media.Sieve(media.storage(where), name, events=True)
        with _kept(sieve), closing(self._stream(_sifted(opening, sieve))) as events:
            for event in events:
                yield _stored_event(event, sieve)


class AsyncSaving(AsyncDriver):
    """The part of an asyncio client that saves files; see :class:`Saving`."""

    @property
    @abstractmethod
    def base_url(self) -> str:
        """Where requests go."""

    @property
    @abstractmethod
    def _transport(self) -> AsyncTransport: ...

    async def download(
        self,
        url: str,
        where: Where,
        *,
        name: str,
        max_bytes: int = media.MAX_BYTES,
        max_seconds: float = media.MAX_SECONDS,
    ) -> media.Saved:
        """Fetch a result of the service to ``where/name.<ext>``; see :meth:`Client.download`."""
        import asyncio

        fetch = media.Fetch(url, self.base_url, max_bytes, max_seconds)
        with media.storage(where).target(name) as target:
            while True:
                addresses = await asyncio.to_thread(fetch.addresses, media.resolve)
                async with await self._transport.fetch(fetch.url, addresses) as answer:
                    if fetch.redirected(answer.status, answer.headers):
                        continue
                    async for block in answer.blocks:
                        target.write(fetch.counted(block))
                # Waiting for the disk, or for a store, takes seconds for a long film.
                return await _to_the_end(functools.partial(target.commit, fetch.finished()))

    async def create_images_into(
        self,
        where: Where,
        *,
        name: str = "image",
        model: str,
        prompt: str,
        **options: Unpack[ImageOptions],
    ) -> StoredImages:
        """Make pictures, and save those that come inside; see :meth:`Client.create_images_into`."""
        flow = create_images.flow(model=model, prompt=prompt, **options)
        sieve = media.Sieve(media.storage(where), name)
        async with _kept_awaiting(sieve):
            answer = await self._run(_sifting(flow, sieve))
            return await _to_the_end(lambda: _stored(answer, sieve))

    async def stream_images_into(
        self,
        where: Where,
        *,
        name: str = "image",
        model: str,
        prompt: str,
        **options: Unpack[ImageOptions],
    ) -> AsyncGenerator[StoredImage]:
        """Make pictures, and save each as it comes; see :meth:`Client.stream_images_into`."""
        opening = stream_images.opening(model=model, prompt=prompt, **options)
        sieve = media.Sieve(media.storage(where), name, events=True)
        async with (
            _kept_awaiting(sieve),
            aclosing(self._stream(_sifted(opening, sieve))) as events,
        ):
            async for event in events:
                yield await _to_the_end(functools.partial(_stored_event, event, sieve))


@contextmanager
def _kept(sieve: media.Sieve) -> Generator[None]:
    """Save what came whole, whatever the block ends with: an error, an interrupt, who leaves."""
    with sieve:
        try:
            yield
        except DoubaoError as error:
            error.saved = sieve.save()
            raise


@asynccontextmanager
async def _kept_awaiting(sieve: media.Sieve) -> AsyncGenerator[None]:
    """Save what came whole; see :func:`_kept`."""
    try:
        yield
    except DoubaoError as error:
        error.saved = await _to_the_end(sieve.save)
        raise
    finally:
        await _to_the_end(sieve.close)


async def _to_the_end(save: Callable[[], R]) -> R:
    """Run *save* in a thread, to its end if it is cancelled meanwhile: what it saves was paid."""
    import asyncio

    # No task: the end of a loop would cancel that, too.
    saving = asyncio.get_running_loop().run_in_executor(None, save)
    try:
        return await asyncio.shield(saving)
    except asyncio.CancelledError:
        await asyncio.wait([saving])
        raise


def _sifting(flow: Flow[R], sieve: media.Sieve) -> Flow[R]:
    """Run *flow* with the pictures taken out of every answer."""
    try:
        step = next(flow)
        while True:
            try:
                reply = yield replace(step, sift=sieve) if isinstance(step, Send) else step
            except DoubaoError as error:
                step = flow.throw(error)
            else:
                step = flow.send(reply)
    except StopIteration as done:
        result: R = done.value
        return result


def _sifted(opening: Opening[T], sieve: media.Sieve) -> Opening[T]:
    return Opening(opening.send, lambda: _SiftedReader(opening.reader(), sieve))


class _SiftedReader(Around[T]):
    """A reader of a stream without its pictures."""

    def __init__(self, reader: Reader[T], sieve: media.Sieve) -> None:
        super().__init__(reader)
        self._sieve = sieve

    def feed(self, block: bytes) -> list[T]:
        return super().feed(self._sieve.feed(block))


def _stored(answer: Images, sieve: media.Sieve) -> StoredImages:
    images, saved = zip(*(_taken(image, sieve) for image in answer.images), strict=True)
    return StoredImages(answer=replace(answer, images=images), saved=saved)


def _stored_event(event: ImageEvent, sieve: media.Sieve) -> StoredImage:
    if event.image is None:
        return StoredImage(event=event, saved=None)
    image, saved = _taken(event.image, sieve)
    return StoredImage(event=replace(event, image=image, raw=image.raw), saved=saved)


def _taken(image: Image, sieve: media.Sieve) -> tuple[Image, Outcome]:
    """Save the picture of *image*, and give *image* without it."""
    picture = sieve.picture(image.b64_json)
    if picture is None:
        return image, None
    saved = picture.save()
    kept = base64.b64encode(picture.kept).decode() if picture.kept is not None else None
    raw = {name: value for name, value in image.raw.items() if name != "b64_json"}
    return replace(image, b64_json=kept, raw=raw), saved
