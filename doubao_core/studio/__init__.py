"""Pictures and films for agents: arguments, checks before paying, one submission, saved results.

The adapters' tools are this and the framework's base class. Pure parts: ``arguments`` (what a model
may set), ``models`` (limits), ``image`` and ``video`` (from arguments to a request), ``results``
and ``explain`` (what a model is told). :class:`Studio` and :class:`AsyncStudio` do the rest.
"""

from doubao_core.studio.allowance import Allowance
from doubao_core.studio.approval import NotAsked
from doubao_core.studio.arguments import (
    Arguments,
    ImageArguments,
    TaskArguments,
    VideoArguments,
    complaint,
    parsed,
    settled,
    without,
)
from doubao_core.studio.desk import Desk
from doubao_core.studio.drive import AsyncStudio, Studio
from doubao_core.studio.explain import explained
from doubao_core.studio.image import ImageRules
from doubao_core.studio.models import IMAGE_MODEL, VIDEO_MODEL
from doubao_core.studio.orders import ImageOrder, VideoOrder
from doubao_core.studio.outcome import broken_off, image_result
from doubao_core.studio.pricing import Pricing
from doubao_core.studio.references import References
from doubao_core.studio.results import ImageResult, MadeImage, Progress, VideoResult
from doubao_core.studio.video import VideoRules

__all__ = [
    "IMAGE_MODEL",
    "VIDEO_MODEL",
    "Allowance",
    "Arguments",
    "AsyncStudio",
    "Desk",
    "ImageArguments",
    "ImageOrder",
    "ImageResult",
    "ImageRules",
    "MadeImage",
    "NotAsked",
    "Pricing",
    "Progress",
    "References",
    "Studio",
    "TaskArguments",
    "VideoArguments",
    "VideoOrder",
    "VideoResult",
    "VideoRules",
    "broken_off",
    "complaint",
    "explained",
    "image_result",
    "parsed",
    "settled",
    "without",
]
