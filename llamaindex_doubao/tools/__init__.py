"""Seedream pictures and Seedance videos as tools of an agent (ark.md 14, 15).

The tools return content blocks: a short text with file names and task ids, and the pictures. The
first block's ``result`` is everything for the program: paths, URLs, sizes, usage.
"""

from llamaindex_doubao.tools.blocks import ResultBlock
from llamaindex_doubao.tools.events import (
    ApprovalRequiredEvent,
    ImageProgressEvent,
    VideoProgressEvent,
)
from llamaindex_doubao.tools.spec import DoubaoToolSpec

__all__ = [
    "ApprovalRequiredEvent",
    "DoubaoToolSpec",
    "ImageProgressEvent",
    "ResultBlock",
    "VideoProgressEvent",
]
