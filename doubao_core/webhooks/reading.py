"""What a delivery says, in Ark's words, whichever provider it comes from. Pure."""

from __future__ import annotations

import orjson

from doubao_core.api.images import Images
from doubao_core.api.videos import VideoTask
from doubao_core.errors import UNREADABLE, DoubaoError
from doubao_core.gateways import Webhook
from doubao_core.operation import Reply, identifier
from doubao_core.webhooks.scheme import Refused


def task_of(webhook: Webhook, raw: bytes) -> VideoTask | None:
    """Read the task that a delivery is about; ``None`` if it is about none.

    Args:
        webhook: How the provider tells of its tasks.
        raw: The body as it came.

    Raises:
        Refused: It is not a JSON object, or of a shape that cannot be read.
    """
    try:
        told = webhook.read(_reply(raw))
        if told is None:
            return None
        task = VideoTask.parse(told.json())
        identifier("task id", task.id)
    except DoubaoError as error:
        raise Refused(error.message) from error
    except UNREADABLE as error:
        raise Refused(f"it is JSON of an unknown shape ({type(error).__name__})") from error
    return task


def images_of(task: VideoTask) -> Images:
    """Read a task that has ended as the answer to the request for its pictures.

    Raises:
        JobFailed: It ended badly.
        Malformed: It has no pictures.
    """
    return Images.parse(_reply(orjson.dumps(task.raw)))


def has_pictures(task: VideoTask) -> bool:
    """Whether *task* has made pictures; only its result says which kind of task it is."""
    return task.status == "succeeded" and bool(task.raw.get("data"))


def _reply(raw: bytes) -> Reply:
    return Reply(status=200, headers={}, body=raw)
