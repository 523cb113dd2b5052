"""Pictures and films for agents: arguments, checks before paying, one submission, saved results.

The adapters' tools are this and the framework's base class. Pure parts: ``arguments`` (what a model
may set), ``models`` (limits), ``image`` and ``video`` (from arguments to a request), ``results``
and ``explain`` (what a model is told). :class:`Studio` and :class:`AsyncStudio` do the rest.
"""

from doubao_core.studio.allowance import Allowance
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
from doubao_core.studio.drive import AsyncStudio, Desk, Studio
from doubao_core.studio.explain import explained
from doubao_core.studio.image import ImageOrder, ImageRules
from doubao_core.studio.models import IMAGE_MODEL, VIDEO_MODEL
from doubao_core.studio.references import References
from doubao_core.studio.results import ImageResult, MadeImage, Progress, VideoResult
from doubao_core.studio.video import VideoOrder, VideoRules

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
    "Progress",
    "References",
    "Studio",
    "TaskArguments",
    "VideoArguments",
    "VideoOrder",
    "VideoResult",
    "VideoRules",
    "complaint",
    "explained",
    "parsed",
    "settled",
    "without",
]
