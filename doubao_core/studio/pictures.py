"""Makes pictures, all at once or each as it is finished: blocking and async, side by side.

A paid request is sent once, and a picture that was made is a file, or its URL is in the result. The
paid half (:meth:`Pictures.order_pictures`) and the fetching half (:meth:`Pictures.save_picture`)
are apart, so that a ledger can note what came in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, closing
from typing import Any, TypeAlias

import orjson

from doubao_core.api import lenient
from doubao_core.api.images import Image, ImageEvent, Images, ImageUsage
from doubao_core.errors import UNREADABLE, DoubaoError, Malformed, UnsupportedOperation
from doubao_core.operation import Reply
from doubao_core.saving import Outcome, StoredImage
from doubao_core.studio import outcome
from doubao_core.studio.bench import AsyncBench, Bench, decoded
from doubao_core.studio.models import image_model
from doubao_core.studio.orders import ImageOrder
from doubao_core.studio.results import ImageResult, MadeImage

Paid: TypeAlias = tuple[Image | Images, Outcome]
"""A picture and where it was saved while it came, if so; last the whole answer."""

NAME = "image"
"""What pictures are called, before their number."""


class Pictures(Bench):
    """Makes pictures with a blocking client."""

    def images(self, order: ImageOrder) -> ImageResult:
        """Make the pictures of *order* and save them; a failed one does not lose the others.

        Raises:
            ConfigError: Nothing can be saved in the place for results; nothing was sent.
            AmbiguousSubmit: The answer was lost; pictures may have been made and charged.
        """
        with closing(self.stream_pictures(order)) as steps:
            for step in steps:
                if isinstance(step, ImageResult):
                    return step
        raise AssertionError  # pragma: no cover - the last step is the result

    def stream_pictures(self, order: ImageOrder) -> Generator[MadeImage | ImageResult]:
        """Make the pictures of *order*, giving each when it is saved; :class:`ImageResult` is last.

        A model that does not stream makes them all first. An answer that breaks off after a picture
        came is a result whose ``problem`` says so.

        Closing the generator early ends the connection and not the work: the service goes on making
        the rest of a group and **charges for it**, and nobody can fetch it. To keep what is paid
        for, go on to the end, or order it as a job (``doubao_core.jobs``), which takes the rest.

        Raises:
            ConfigError: As for :meth:`images`.
            AmbiguousSubmit: The answer was lost before a picture came.
        """
        made: list[MadeImage] = []
        answer, problem = None, None
        try:
            with closing(self.order_pictures(order)) as items:
                for image, saved in items:
                    if isinstance(image, Images):
                        answer = image
                        break
                    made.append(self._kept(image, saved))
                    yield made[-1]
        except DoubaoError as error:
            for whole in outcome.came_whole(error, len(made)):
                made.append(whole)
                yield whole
            problem = outcome.broken_off(error, made)
        yield outcome.answered(order, made, answer, problem, self.pricing)

    def order_pictures(self, order: ImageOrder, *, name: str = NAME) -> Generator[Paid]:
        """Send *order*, once, and save what comes inside the answer: this is what costs money.

        Gives each picture as it is finished, if the model streams groups, else all at the end; with
        each where it was saved, or why not, if it came as ``b64_json``; and the whole answer last.
        It raises after the pictures that came, if the answer broke off. Closing it early leaves the
        rest to the service, as with :meth:`stream_pictures`.

        Args:
            order: The order.
            name: Name without extension of what comes inside; from the second on with a number.

        Raises:
            ConfigError: Nothing can be saved in the place for results; nothing was sent.
            AmbiguousSubmit: The answer was lost or broke off; its ``saved`` are the pictures that
                had come whole inside it.
        """
        self._storage.check()
        group = _Group(streamed=streams(order))
        with self._allowance.spent(order, self.pricing.provider):
            if group.streamed:
                with closing(self._events(order, name)) as events:
                    try:
                        for each in events:
                            if (image := group.took(each.event)) is not None:
                                yield image, each.saved
                    except DoubaoError as error:
                        group.broke(error)
            if not group.streamed:
                stored = self._client.create_images_into(
                    self._storage, name=name, **_request(order)
                )
        if group.streamed:
            answer = group.whole()
            yield from ((image, None) for image in group.late)
            yield answer, None
            return
        yield from zip(stored.answer.images, stored.saved, strict=True)
        yield stored.answer, None

    def _events(self, order: ImageOrder, name: str) -> Generator[StoredImage]:
        return self._client.stream_images_into(self._storage, name=name, **_request(order))

    def _kept(self, image: Image, saved: Outcome) -> MadeImage:
        return self.save_picture(image) if saved is None else outcome.arrived(image, saved)

    def save_picture(self, image: Image, *, name: str | None = None) -> MadeImage:
        """Save a picture of an answer; one that cannot be saved keeps its URL.

        Args:
            image: The picture.
            name: Name without extension; a file of this name is taken for the picture, so that a
                repeated save makes no second one. By default a new file ``image…``.
        """
        if image.error is not None:
            return outcome.failed(image, image.error)
        try:
            if name is not None and (earlier := self._storage.find(name)) is not None:
                return outcome.made(image, earlier)
            if image.b64_json is not None:
                return outcome.made(image, decoded(image.b64_json, self._storage, name or NAME))
            return outcome.made(image, self._fetched(image.url or "", name or NAME))
        except DoubaoError as error:
            return outcome.unsaved(image, error)


class AsyncPictures(AsyncBench):
    """Makes pictures with an asyncio client; see :class:`Pictures`."""

    async def images(self, order: ImageOrder) -> ImageResult:
        """Make the pictures of *order* and save them; see :meth:`Pictures.images`."""
        async with aclosing(self.stream_pictures(order)) as steps:
            async for step in steps:
                if isinstance(step, ImageResult):
                    return step
        raise AssertionError  # pragma: no cover - the last step is the result

    async def stream_pictures(self, order: ImageOrder) -> AsyncGenerator[MadeImage | ImageResult]:
        """Make the pictures of *order* one by one; see :meth:`Pictures.stream_pictures`."""
        made: list[MadeImage] = []
        answer, problem = None, None
        try:
            async with aclosing(self.order_pictures(order)) as items:
                async for image, saved in items:
                    if isinstance(image, Images):
                        answer = image
                        break
                    made.append(await self._kept(image, saved))
                    yield made[-1]
        except DoubaoError as error:
            for whole in outcome.came_whole(error, len(made)):
                made.append(whole)
                yield whole
            problem = outcome.broken_off(error, made)
        yield outcome.answered(order, made, answer, problem, self.pricing)

    async def order_pictures(self, order: ImageOrder, *, name: str = NAME) -> AsyncGenerator[Paid]:
        """Send *order*, once; see :meth:`Pictures.order_pictures`."""
        await asyncio.to_thread(self._storage.check)
        group = _Group(streamed=streams(order))
        with self._allowance.spent(order, self.pricing.provider):
            if group.streamed:
                async with aclosing(self._events(order, name)) as events:
                    try:
                        async for each in events:
                            if (image := group.took(each.event)) is not None:
                                yield image, each.saved
                    except DoubaoError as error:
                        group.broke(error)
            if not group.streamed:
                stored = await self._client.create_images_into(
                    self._storage, name=name, **_request(order)
                )
        if group.streamed:
            answer = group.whole()
            for image in group.late:
                yield image, None
            yield answer, None
            return
        for image, saved in zip(stored.answer.images, stored.saved, strict=True):
            yield image, saved
        yield stored.answer, None

    def _events(self, order: ImageOrder, name: str) -> AsyncGenerator[StoredImage]:
        return self._client.stream_images_into(self._storage, name=name, **_request(order))

    async def _kept(self, image: Image, saved: Outcome) -> MadeImage:
        return await self.save_picture(image) if saved is None else outcome.arrived(image, saved)

    async def save_picture(self, image: Image, *, name: str | None = None) -> MadeImage:
        """Save a picture of an answer; see :meth:`Pictures.save_picture`."""
        if image.error is not None:
            return outcome.failed(image, image.error)
        try:
            if name is not None:
                earlier = await asyncio.to_thread(self._storage.find, name)
                if earlier is not None:
                    return outcome.made(image, earlier)
            if image.b64_json is not None:
                content, place = image.b64_json, self._storage
                saved = await asyncio.to_thread(decoded, content, place, name or NAME)
                return outcome.made(image, saved)
            return outcome.made(image, await self._fetched(image.url or "", name or NAME))
        except DoubaoError as error:
            return outcome.unsaved(image, error)


class _Group:
    """What has come of a streamed group.

    Attributes:
        streamed: Whether it comes picture by picture.
        late: Pictures that came with the whole answer, because the provider streams nothing.
    """

    def __init__(self, *, streamed: bool) -> None:
        self.streamed = streamed
        self.late: tuple[Image, ...] = ()
        self._answer: Images | None = None
        self._images: list[Image] = []
        self._usage: ImageUsage | None = None
        self._model = ""
        self._failure: DoubaoError | None = None

    def took(self, event: ImageEvent) -> Image | None:
        self._usage = event.usage or self._usage
        self._model = lenient.text(event.raw.get("model")) or self._model
        if event.image is not None:
            self._images.append(event.image)
        return event.image

    def broke(self, error: DoubaoError) -> None:
        """Raise *error* at once if nothing was paid for, else after the pictures that came."""
        if isinstance(error, UnsupportedOperation) and not self._images:
            # The model streams and this provider does not; nothing was made.
            self.streamed = False
            return
        if (answer := _answered_whole(error)) is not None:
            self._answer, self.late = answer, answer.images
            return
        if all(image.error is not None for image in self._images):
            raise error
        self._failure = error

    def whole(self) -> Images:
        if self._failure is not None:
            raise self._failure
        if self._answer is not None:
            return self._answer
        # The end may come without its own event, and so without a usage (ark.md 14.5).
        return Images(images=tuple(self._images), model=self._model, usage=self._usage)


def _answered_whole(error: DoubaoError) -> Images | None:
    """Read the pictures of an answer that is none of the stream that was asked for."""
    cause = error.__cause__
    if not isinstance(cause, Malformed) or not isinstance(cause.body, dict):
        return None
    try:
        return Images.parse(Reply(status=200, headers={}, body=orjson.dumps(cause.body)))
    except (DoubaoError, *UNREADABLE):
        # It is no answer with pictures either: the error at hand says so.
        return None


def _request(order: ImageOrder) -> dict[str, Any]:
    return {"model": order.model, "prompt": order.prompt, **order.options}


def streams(order: ImageOrder) -> bool:
    """Whether *order* is for a group that comes picture by picture (ark.md 14.1)."""
    limits = image_model(order.model)
    grouped = order.options.get("sequential_image_generation") == "auto"
    return grouped and limits is not None and limits.stream
