"""Doubao chat and embeddings, Seedream images and Seedance video for LlamaIndex.

from llamaindex_doubao import Doubao

llm = Doubao(model="doubao-seed-2-1-pro-260915")     # ARK_API_KEY; or provider="emulator"
print(llm.complete("Why is tea picked in spring?"))
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from doubao_core.errors import install_hint

try:
    import llama_index.core  # noqa: F401 - only to say at once what is missing
except ModuleNotFoundError as missing:
    if not (missing.name or "").startswith("llama_index"):
        raise
    raise ImportError(
        f"llamaindex_doubao needs LlamaIndex: {install_hint('llamaindex')}"
    ) from missing

if TYPE_CHECKING:
    from llamaindex_doubao.embedding import DoubaoEmbedding, DoubaoSparseEmbedding
    from llamaindex_doubao.llm import Doubao
    from llamaindex_doubao.moderation import DoubaoModeration, ModeratedLLM
    from llamaindex_doubao.multimodal import DoubaoMultiModalEmbedding
    from llamaindex_doubao.objects import StructuredOutputError
    from llamaindex_doubao.tools import DoubaoToolSpec

_HOME = {
    "Doubao": "llm",
    "DoubaoEmbedding": "embedding",
    "DoubaoModeration": "moderation",
    "DoubaoMultiModalEmbedding": "multimodal",
    "DoubaoSparseEmbedding": "embedding",
    "DoubaoToolSpec": "tools",
    "ModeratedLLM": "moderation",
    "StructuredOutputError": "objects",
}

__all__ = [
    "Doubao",
    "DoubaoEmbedding",
    "DoubaoModeration",
    "DoubaoMultiModalEmbedding",
    "DoubaoSparseEmbedding",
    "DoubaoToolSpec",
    "ModeratedLLM",
    "StructuredOutputError",
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
