"""Seedream pictures and Seedance videos as tools of an agent (ark.md 14, 15).

Each tool gives a short text for the model, with file names and task ids, and an artifact for the
program (:class:`~doubao_core.studio.ImageResult`, :class:`~doubao_core.studio.VideoResult`) with
paths, URLs, sizes and usage.
"""

from langchain_doubao.tools.approval import interrupt
from langchain_doubao.tools.events import IMAGE_EVENT, VIDEO_EVENT
from langchain_doubao.tools.image import SeedreamImageTool
from langchain_doubao.tools.toolkit import DoubaoToolkit
from langchain_doubao.tools.video import SeedanceTaskTool, SeedanceVideoTool

__all__ = [
    "IMAGE_EVENT",
    "VIDEO_EVENT",
    "DoubaoToolkit",
    "SeedanceTaskTool",
    "SeedanceVideoTool",
    "SeedreamImageTool",
    "interrupt",
]
