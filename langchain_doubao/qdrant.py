"""``DoubaoSparseEmbeddings``: the sparse half of hybrid search with Qdrant (ark.md 11).

A module of its own, because it needs the package ``langchain-qdrant`` and little else here does.
"""

from __future__ import annotations

from doubao_core import ConfigError
from doubao_core.embedder import Weights
from doubao_core.errors import install_hint

try:
    from langchain_qdrant.sparse_embeddings import SparseEmbeddings, SparseVector
except ModuleNotFoundError as missing:
    if not (missing.name or "").startswith(("langchain_qdrant", "qdrant_client")):
        raise
    raise ImportError(
        f"langchain_doubao.qdrant needs langchain-qdrant: {install_hint('qdrant')}"
    ) from missing

from langchain_doubao.embeddings import DoubaoEmbeddings

__all__ = ["DoubaoSparseEmbeddings"]


class DoubaoSparseEmbeddings(SparseEmbeddings):
    """The sparse weights that belong to the vectors of a :class:`DoubaoEmbeddings`.

    A store asks for the vectors of its texts first; the weights came with them, in one request for
    each text, and are not paid for again.

    .. code-block:: python

        from langchain_doubao import DoubaoEmbeddings
        from langchain_doubao.qdrant import DoubaoSparseEmbeddings
        from langchain_qdrant import QdrantVectorStore, RetrievalMode

        embeddings = DoubaoEmbeddings(model="doubao-embedding-vision-251215", keep_sparse=True)
        store = QdrantVectorStore.from_texts(
            ["Tea is picked in spring.", "Rice likes water."],
            embeddings,
            sparse_embedding=DoubaoSparseEmbeddings(embeddings),
            retrieval_mode=RetrievalMode.HYBRID,
            location=":memory:",
        )

    Args:
        embeddings: The very object that the store embeds with, made with ``keep_sparse=True``.

    Raises:
        ConfigError: It does not keep what is needed here.
    """

    def __init__(self, embeddings: DoubaoEmbeddings) -> None:
        if not embeddings.keep_sparse:
            raise ConfigError(
                "DoubaoSparseEmbeddings needs DoubaoEmbeddings(keep_sparse=True): otherwise each "
                "text would be sent and paid for twice"
            )
        self._embeddings = embeddings

    def embed_documents(self, texts: list[str]) -> list[SparseVector]:
        """Give the weights of texts as documents, in order."""
        return [_vector(each) for each in self._embeddings.embed_sparse(texts)]

    def embed_query(self, text: str) -> SparseVector:
        """Give the weights of one text as a query."""
        return _vector(self._embeddings.embed_sparse([text], queries=True)[0])

    async def aembed_documents(self, texts: list[str]) -> list[SparseVector]:
        """Give the weights of texts as documents, in order."""
        return [_vector(each) for each in await self._embeddings.aembed_sparse(texts)]

    async def aembed_query(self, text: str) -> SparseVector:
        """Give the weights of one text as a query."""
        return _vector((await self._embeddings.aembed_sparse([text], queries=True))[0])


def _vector(weights: Weights) -> SparseVector:
    return SparseVector(indices=list(weights), values=list(weights.values()))
