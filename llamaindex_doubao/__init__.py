"""Doubao chat and embeddings, Seedream images and Seedance video for LlamaIndex.

from llamaindex_doubao import Doubao

llm = Doubao(model="doubao-seed-2-1-pro-260915")     # ARK_API_KEY; or provider="emulator"
print(llm.complete("Why is tea picked in spring?"))
"""

from doubao_core.errors import install_hint

try:
    from llamaindex_doubao.embedding import DoubaoEmbedding, DoubaoSparseEmbedding
    from llamaindex_doubao.llm import Doubao
    from llamaindex_doubao.moderation import DoubaoModeration, ModeratedLLM
    from llamaindex_doubao.multimodal import DoubaoMultiModalEmbedding
    from llamaindex_doubao.objects import StructuredOutputError
    from llamaindex_doubao.tools import DoubaoToolSpec
except ModuleNotFoundError as error:
    if not (error.name or "").startswith("llama_index"):
        raise
    raise ImportError(
        f"llamaindex_doubao needs LlamaIndex: {install_hint('llamaindex')}"
    ) from error

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
