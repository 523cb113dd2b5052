"""From what the service answered and what was saved to the results of a tool call, purely."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

from doubao_core import media
from doubao_core.api import lenient
from doubao_core.api.images import Image, Images
from doubao_core.api.videos import VideoTask
from doubao_core.errors import ConfigError, DoubaoError
from doubao_core.operation import JSON
from doubao_core.studio.expiry import expires_at
from doubao_core.studio.explain import reason
from doubao_core.studio.orders import ImageOrder, VideoOrder
from doubao_core.studio.pricing import Pricing
from doubao_core.studio.results import ImageResult, MadeImage, VideoResult

# What the service says of a layer, besides its picture (ark.md 14.2).
_LAYER = ("z_index", "name", "description", "bounding_box")


def made(image: Image, saved: media.Saved) -> MadeImage:
    """Describe a picture that is a file now."""
    return MadeImage(
        index=image.index,
        path=saved.path,
        location=saved.location,
        name=saved.name,
        url=image.url,
        expires_at=expires_at(image.url, image.created),
        size=image.size,
        media_type=saved.media_type,
        bytes=saved.size,
        layer={name: image.raw[name] for name in _LAYER if name in image.raw} or None,
    )


def arrived(image: Image, saved: media.Saved | DoubaoError) -> MadeImage:
    """Describe a picture that came inside the answer and was saved on the way, or not."""
    return made(image, saved) if isinstance(saved, media.Saved) else unsaved(image, saved)


def came_whole(error: DoubaoError, first: int) -> list[MadeImage]:
    """Describe the pictures that had come inside an answer before it broke off."""
    return [made(Image(index=index), saved) for index, saved in enumerate(error.saved, start=first)]


def failed(image: Image, error: DoubaoError) -> MadeImage:
    """Describe a picture that the service did not make."""
    return MadeImage(index=image.index, error=f"{reason(error)}.")


def unsaved(image: Image, error: DoubaoError) -> MadeImage:
    """Describe a picture that was paid for and could not be saved."""
    said = f"Saving failed: {reason(error)}."
    url = image.url or _inlined(image.b64_json)
    return MadeImage(
        index=image.index,
        url=url,
        expires_at=expires_at(url, image.created),
        size=image.size,
        error=said,
    )


def _inlined(content: str | None) -> str | None:
    """Keep as a data URL a picture that was paid for and is nowhere else."""
    try:
        data = base64.b64decode(content or "", validate=True)
    except ValueError:
        return None
    try:
        return media.as_url(data) if data else None
    except ConfigError:
        # Of no type that is known here; somebody may know it.
        return f"data:application/octet-stream;base64,{content}"


def image_result(
    order: ImageOrder,
    images: Sequence[MadeImage],
    usage: JSON,
    *,
    model: str = "",
    request_id: str | None = None,
    problem: str | None = None,
    pricing: Pricing | None = None,
) -> ImageResult:
    """Put the pictures of a call together, with what they cost if *pricing* is given."""
    # The end of a stream, which says how many were made, may be missing (ark.md 14.5).
    counted = usage or {"generated_images": sum(image.charged for image in images)}
    answer = {
        "model": model,
        "usage": counted,
        "data": [{"size": image.size} for image in images if image.charged],
    }
    return ImageResult(
        model=model or order.model,
        prompt=order.prompt,
        images=tuple(images),
        usage=usage,
        request_id=request_id,
        estimate=pricing.estimate(order) if pricing else None,
        cost=pricing.cost(order, answer) if pricing else None,
        problem=problem,
    )


def answered(
    order: ImageOrder,
    images: Sequence[MadeImage],
    answer: Images | None,
    problem: str | None,
    pricing: Pricing,
) -> ImageResult:
    """Put the pictures of a call together, with what the *answer* says besides."""
    return image_result(
        order,
        images,
        answer.usage.raw if answer and answer.usage else {},
        model=answer.model if answer else "",
        request_id=answer.request_id if answer else None,
        problem=problem,
        pricing=pricing,
    )


def broken_off(error: DoubaoError, images: Sequence[MadeImage]) -> str:
    """Say that pictures are missing from an answer that broke off; raises it if none came."""
    if not any(image.charged for image in images):
        raise error
    return (
        f"The answer broke off ({reason(error)}), so pictures that were made and paid for may be "
        "missing. Do not ask for them again by yourself: tell the user."
    )


def video_result(
    task: VideoTask,
    files: Mapping[str, media.Saved],
    *,
    order: VideoOrder | None,
    pricing: Pricing,
    seconds: float,
    problem: str | None,
) -> VideoResult:
    """Describe a task and its *files*: ``video_url`` and ``last_frame_url`` are their keys."""
    film, last_frame = files.get("video_url"), files.get("last_frame_url")
    return VideoResult(
        task_id=task.id,
        status=task.status,
        model=task.model,
        path=film.path if film else None,
        location=film.location if film else None,
        name=film.name if film else None,
        last_frame=last_frame.path if last_frame else None,
        last_frame_location=last_frame.location if last_frame else None,
        last_frame_name=last_frame.name if last_frame else None,
        url=task.video_url,
        last_frame_url=task.last_frame_url,
        expires_at=expires_at(task.video_url, task.updated_at),
        media_type=film.media_type if film else None,
        bytes=film.size if film else None,
        seconds=seconds,
        usage=dict(lenient.fields(task.raw.get("usage"))),
        estimate=pricing.estimate(order) if order else None,
        cost=pricing.cost(order, task.raw) if task.status == "succeeded" else None,
        task=task.raw,
        problem=problem,
    )


def unseen(error: DoubaoError) -> str:
    """Say that a task was accepted but cannot be looked at."""
    return f"Its state could not be read: {reason(error)}."


def unfetched(error: DoubaoError) -> str:
    """Say that a film was made but could not be saved."""
    return f"The download failed: {reason(error)}."
