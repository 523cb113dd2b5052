"""Doubao chat, embeddings, Seedream pictures and Seedance videos for LangChain.

from langchain_doubao import ChatDoubao

print(ChatDoubao(model="doubao-seed-2-1-pro-260915").invoke("Hello").text)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from doubao_core.errors import install_hint

try:
    import langchain_core  # noqa: F401 - only to say at once what is missing
except ModuleNotFoundError as missing:
    raise ImportError(f"langchain_doubao needs LangChain: {install_hint('langchain')}") from missing

from langchain_doubao import blocks

if TYPE_CHECKING:
    from langchain_doubao.chat import ChatDoubao
    from langchain_doubao.embeddings import DoubaoEmbeddings
    from langchain_doubao.moderation import DoubaoModeration
    from langchain_doubao.tools import (
        DoubaoToolkit,
        SeedanceTaskTool,
        SeedanceVideoTool,
        SeedreamImageTool,
    )

blocks.register()

_HOME = {
    "ChatDoubao": "chat",
    "DoubaoEmbeddings": "embeddings",
    "DoubaoModeration": "moderation",
    "DoubaoToolkit": "tools",
    "SeedanceTaskTool": "tools",
    "SeedanceVideoTool": "tools",
    "SeedreamImageTool": "tools",
}

__all__ = [
    "ChatDoubao",
    "DoubaoEmbeddings",
    "DoubaoModeration",
    "DoubaoToolkit",
    "SeedanceTaskTool",
    "SeedanceVideoTool",
    "SeedreamImageTool",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that a chat pays for chat alone."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
