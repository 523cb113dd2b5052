"""Makes pictures and films with a client: once to block and once to await, side by side.

Both keep three promises. A paid request is sent once. What was made is saved, or its URL or task id
is in the result. Whoever stops waiting for a film stops paying for it, if it is still queued.
"""

from __future__ import annotations

import asyncio
import base64
import glob
import logging
import tempfile
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from doubao_core import media
from doubao_core.api.images import Image, Images
from doubao_core.api.videos import VideoTask
from doubao_core.client import AsyncClient, Client
from doubao_core.errors import (
    ConfigError,
    ConnectionFailed,
    DoubaoError,
    Malformed,
    ResponseError,
    ServerError,
    Timeout,
)
from doubao_core.studio.allowance import Allowance
from doubao_core.studio.explain import reason
from doubao_core.studio.image import ImageOrder
from doubao_core.studio.results import ImageResult, MadeImage, Progress, VideoResult
from doubao_core.studio.video import VideoOrder

_LOG = logging.getLogger(__name__)
_NAME = "image"
_DOWNLOADS = 3
_PASSING = (ConnectionFailed, ResponseError, ServerError, Timeout)
# Seconds that a cancelled call still takes to find out what it must undo.
_GRACE = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where results go and how a task is watched.

    Attributes:
        output_dir: Folder for files; made when first needed.
        poll_interval: Seconds between look-ups of a task.
        wait_timeout: Seconds to wait for a task; one that takes longer is not an error.
        download_pause: Seconds before a failed download is tried again.
    """

    output_dir: Path
    poll_interval: float = 3.0
    wait_timeout: float = 600.0
    download_pause: float = 0.5


class Studio:
    """Makes pictures and films with a blocking client."""

    def __init__(self, client: Client, desk: Desk, allowance: Allowance) -> None:
        self._client = client
        self._desk = desk
        self._allowance = allowance

    def images(self, order: ImageOrder) -> ImageResult:
        """Make the pictures of *order* and save them; a failed one does not lose the others.

        Raises:
            ConfigError: Nothing can be saved in the folder for results; nothing was sent.
        """
        _check_folder(self._desk.output_dir)
        with self._allowance.spent():
            answer = self._client.create_images(
                model=order.model, prompt=order.prompt, **order.options
            )
        return _image_result(order, answer, [self._saved(image) for image in answer.images])

    def _saved(self, image: Image) -> MadeImage:
        if image.error is not None:
            return _failed(image, image.error)
        try:
            if image.b64_json is not None:
                return _made(image, _decoded(image.b64_json, self._desk.output_dir))
            return _made(image, self._fetched(image.url or "", _NAME))
        except DoubaoError as error:
            return _unsaved(image, error)

    def video(self, order: VideoOrder) -> Generator[Progress | VideoResult]:
        """Submit *order* and wait; gives :class:`Progress`, and the :class:`VideoResult` last.

        Closing the generator, or an interrupt, cancels the task if it is still queued.

        Raises:
            JobFailed: The task ended badly.
            AmbiguousSubmit: The answer to the submission was lost.
            ConfigError: Nothing can be saved in the folder for results; nothing was sent.
        """
        _check_folder(self._desk.output_dir)
        with self._allowance.spent():
            task = self._client.create_video(
                model=order.model, content=order.content, **order.options
            )
        started = time.monotonic()
        problem = None
        try:
            yield _progress(task, started)
            with closing(self._watched(task)) as states:
                for state in states:
                    task = state
                    yield _progress(task, started)
        except DoubaoError as error:
            # The task was accepted: a look-up that fails must not lose it.
            problem = _unseen(error)
        except BaseException:
            self._withdraw(task)
            raise
        yield self._result(task.checked(), time.monotonic() - started, problem)

    def _watched(self, task: VideoTask) -> Generator[VideoTask]:
        return self._client.watch_video(
            task.id,
            poll_interval=self._desk.poll_interval,
            wait_timeout=self._desk.wait_timeout,
        )

    def check(self, task_id: str) -> VideoResult:
        """Look a task up once, and save its film if it has one.

        Raises:
            JobFailed: The task ended badly.
        """
        return self._result(self._client.get_video(task_id).checked(), 0.0, None)

    def _result(self, task: VideoTask, seconds: float, problem: str | None) -> VideoResult:
        found: dict[str, Any] = {}
        try:
            if task.video_url:
                found["film"] = self._kept(task.video_url, task.id)
            if task.last_frame_url:
                found["last_frame"] = self._kept(task.last_frame_url, _last_frame(task))
        except DoubaoError as error:
            problem = f"The download failed: {reason(error)}."
        return _video_result(task, seconds, problem, **found)

    def _kept(self, url: str, name: str) -> media.Saved:
        return _already(self._desk.output_dir, name) or self._fetched(url, name)

    def _fetched(self, url: str, name: str) -> media.Saved:
        for attempt in range(1, _DOWNLOADS + 1):
            try:
                return self._client.download(url, self._desk.output_dir, name=name)
            except _PASSING:
                if attempt == _DOWNLOADS:
                    raise
            time.sleep(self._desk.download_pause * attempt)
        raise AssertionError  # pragma: no cover - the loop returns or raises

    def _withdraw(self, task: VideoTask) -> None:
        try:
            # Deleting a task that has ended would delete what was paid for.
            if not task.ended and self._client.get_video(task.id).status == "queued":
                self._client.delete_video(task.id)
        except DoubaoError as error:
            _LOG.warning("video task %s was not cancelled: %s", task.id, error)


class AsyncStudio:
    """Makes pictures and films with an asyncio client; see :class:`Studio`."""

    def __init__(self, client: AsyncClient, desk: Desk, allowance: Allowance) -> None:
        self._client = client
        self._desk = desk
        self._allowance = allowance

    async def images(self, order: ImageOrder) -> ImageResult:
        """Make the pictures of *order* and save them; see :meth:`Studio.images`."""
        await asyncio.to_thread(_check_folder, self._desk.output_dir)
        with self._allowance.spent():
            answer = await self._client.create_images(
                model=order.model, prompt=order.prompt, **order.options
            )
        return _image_result(order, answer, [await self._saved(image) for image in answer.images])

    async def _saved(self, image: Image) -> MadeImage:
        if image.error is not None:
            return _failed(image, image.error)
        try:
            if image.b64_json is not None:
                folder = self._desk.output_dir
                return _made(image, await asyncio.to_thread(_decoded, image.b64_json, folder))
            return _made(image, await self._fetched(image.url or "", _NAME))
        except DoubaoError as error:
            return _unsaved(image, error)

    async def video(self, order: VideoOrder) -> AsyncGenerator[Progress | VideoResult]:
        """Submit *order* and wait; see :meth:`Studio.video`.

        Cancelling the task that runs it cancels the film, if that is still queued.
        """
        await asyncio.to_thread(_check_folder, self._desk.output_dir)
        task = await self._submitted(order)
        started = time.monotonic()
        problem = None
        try:
            yield _progress(task, started)
            async with aclosing(self._watched(task)) as states:
                async for state in states:
                    task = state
                    yield _progress(task, started)
        except DoubaoError as error:
            problem = _unseen(error)
        except BaseException:
            await self._withdraw(task)
            raise
        yield await self._result(task.checked(), time.monotonic() - started, problem)

    def _watched(self, task: VideoTask) -> AsyncGenerator[VideoTask]:
        return self._client.watch_video(
            task.id,
            poll_interval=self._desk.poll_interval,
            wait_timeout=self._desk.wait_timeout,
        )

    async def _submitted(self, order: VideoOrder) -> VideoTask:
        with self._allowance.spent():
            submission = asyncio.ensure_future(
                self._client.create_video(model=order.model, content=order.content, **order.options)
            )
            try:
                return await asyncio.shield(submission)
            except asyncio.CancelledError:
                # Cancelled in mid-flight: without the answer nobody would know the task's id.
                await asyncio.wait([submission], timeout=_GRACE)
                if not submission.done():
                    _LOG.warning("a video task may have been submitted: no answer before the end")
                elif (failure := submission.exception()) is None:
                    await self._withdraw(submission.result())
                else:
                    _LOG.warning("no video task to cancel is known: %s", failure)
                submission.cancel()
                raise

    async def check(self, task_id: str) -> VideoResult:
        """Look a task up once, and save its film if it has one; see :meth:`Studio.check`."""
        return await self._result((await self._client.get_video(task_id)).checked(), 0.0, None)

    async def _result(self, task: VideoTask, seconds: float, problem: str | None) -> VideoResult:
        found: dict[str, Any] = {}
        try:
            if task.video_url:
                found["film"] = await self._kept(task.video_url, task.id)
            if task.last_frame_url:
                found["last_frame"] = await self._kept(task.last_frame_url, _last_frame(task))
        except DoubaoError as error:
            problem = f"The download failed: {reason(error)}."
        return _video_result(task, seconds, problem, **found)

    async def _kept(self, url: str, name: str) -> media.Saved:
        found = await asyncio.to_thread(_already, self._desk.output_dir, name)
        return found or await self._fetched(url, name)

    async def _fetched(self, url: str, name: str) -> media.Saved:
        for attempt in range(1, _DOWNLOADS + 1):
            try:
                return await self._client.download(url, self._desk.output_dir, name=name)
            except _PASSING:
                if attempt == _DOWNLOADS:
                    raise
            await asyncio.sleep(self._desk.download_pause * attempt)
        raise AssertionError  # pragma: no cover - the loop returns or raises

    async def _withdraw(self, task: VideoTask) -> None:
        try:
            async with asyncio.timeout(_GRACE):
                # Deleting a task that has ended would delete what was paid for.
                if task.ended or (await self._client.get_video(task.id)).status != "queued":
                    return
                await self._client.delete_video(task.id)
        except (DoubaoError, TimeoutError) as error:
            _LOG.warning("video task %s was not cancelled: %s", task.id, error)


def _check_folder(folder: Path) -> None:
    """Refuse before paying what could not be saved after it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".probe-") as probe:
            probe.write(b"probe")
            probe.flush()
    except OSError as error:
        raise ConfigError(
            f"results cannot be saved in {str(folder)!r} ({error.strerror}), so nothing was sent: "
            "the developer must set output_dir to a folder that can be written"
        ) from error


def _decoded(content: str, folder: Path) -> media.Saved:
    try:
        data = base64.b64decode(content, validate=True)
    except ValueError as error:
        raise Malformed(f"a picture is no base64: {error}") from error
    with media.Target(folder, _NAME) as target:
        target.write(data)
        return target.commit(("image/",))


def _made(image: Image, saved: media.Saved) -> MadeImage:
    return MadeImage(
        index=image.index,
        path=saved.path,
        url=image.url,
        size=image.size,
        media_type=saved.media_type,
        bytes=saved.size,
    )


def _failed(image: Image, error: DoubaoError) -> MadeImage:
    return MadeImage(index=image.index, error=f"{reason(error)}.")


def _unsaved(image: Image, error: DoubaoError) -> MadeImage:
    said = f"Saving failed: {reason(error)}."
    url = image.url or _inlined(image.b64_json)
    return MadeImage(index=image.index, url=url, size=image.size, error=said)


def _inlined(content: str | None) -> str | None:
    """Keep as a data URL a picture that was paid for and is nowhere else."""
    try:
        return media.as_url(base64.b64decode(content, validate=True)) if content else None
    except (ConfigError, ValueError):
        return None


def _image_result(order: ImageOrder, answer: Images, images: list[MadeImage]) -> ImageResult:
    return ImageResult(
        model=answer.model or order.model,
        prompt=order.prompt,
        images=tuple(images),
        usage=answer.usage.raw if answer.usage else {},
        request_id=answer.request_id,
    )


def _video_result(
    task: VideoTask,
    seconds: float,
    problem: str | None,
    film: media.Saved | None = None,
    last_frame: media.Saved | None = None,
) -> VideoResult:
    return VideoResult(
        task_id=task.id,
        status=task.status,
        model=task.model,
        path=film.path if film else None,
        last_frame=last_frame.path if last_frame else None,
        url=task.video_url,
        last_frame_url=task.last_frame_url,
        media_type=film.media_type if film else None,
        bytes=film.size if film else None,
        seconds=seconds,
        usage=task.raw.get("usage") or {},
        task=task.raw,
        problem=problem,
    )


def _last_frame(task: VideoTask) -> str:
    return f"{task.id}-last"


def _progress(task: VideoTask, started: float) -> Progress:
    seconds = time.monotonic() - started
    return Progress(task_id=task.id, status=task.status, seconds=seconds)


def _unseen(error: DoubaoError) -> str:
    return f"Its state could not be read: {reason(error)}."


def _already(folder: Path, name: str) -> media.Saved | None:
    """Find a result that an earlier look-up saved under the task's id."""
    for path in folder.glob(f"{glob.escape(Path(name).name)}.*"):
        # What cannot be read is no result of ours: the film is fetched beside it.
        with suppress(OSError):
            with path.open("rb") as file:
                kind = media.sniff(file.read(16))
            if kind is not None:
                return media.Saved(path=path, media_type=kind[0], size=path.stat().st_size)
    return None
