"""Search by meaning and by words at once: Qdrant with both halves of one Doubao request.

    python examples/hybrid_search.py [--question TEXT] [--framework langchain|llamaindex|both]

Qdrant runs inside this process and keeps nothing. Set ``ARK_API_KEY`` (or ``DOUBAO_PROVIDER`` and
that provider's key) to ask the real service; with neither, the same code talks to the emulator.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Iterable

from quickstart_parts import INSTALL

try:
    from langchain_qdrant import QdrantVectorStore, RetrievalMode
    from llama_index.core import StorageContext, VectorStoreIndex
    from llama_index.core.schema import TextNode
    from llama_index.vector_stores.qdrant import QdrantVectorStore as LlamaIndexQdrant
    from qdrant_client import QdrantClient
    from quickstart_parts.service import Service, choose

    from doubao_core import DoubaoError
    from langchain_doubao import DoubaoEmbeddings
    from langchain_doubao.qdrant import DoubaoSparseEmbeddings
    from llamaindex_doubao import DoubaoEmbedding
except ImportError as missing:
    sys.exit(f"hybrid_search: {missing}; {INSTALL}")

PASSAGES = [
    "The lamp of the northern tower is a type X-4711; spare ones are in the oil store.",
    "The lamp of the southern tower is a type X-4117; spare ones are in the boat house.",
    "A Fresnel lens bends light into a beam with rings of glass, so that it can be thin.",
    "Keepers carried oil up the stairs each evening and trimmed the wicks every four hours.",
    "In fog the light is of little use, and a horn sounds twice a minute instead.",
]
QUESTION = "Where do I find another X-4117?"
MOST_FOUND = 2

Found = Iterable[tuple[float, str]]


def with_langchain(service: Service, question: str) -> Found:
    """Index the passages with LangChain and search them."""
    embeddings = DoubaoEmbeddings(
        model=service.embedding, provider=service.provider, keep_sparse=True
    )
    store = QdrantVectorStore.from_texts(
        PASSAGES,
        embeddings,
        sparse_embedding=DoubaoSparseEmbeddings(embeddings),
        retrieval_mode=RetrievalMode.HYBRID,
        location=":memory:",
    )
    # One more than there are passages: the store embeds a dummy to learn the dimensions.
    print(f"  {len(PASSAGES)} passages indexed with {embeddings.usage.requests} requests")
    found = store.similarity_search_with_score(question, k=MOST_FOUND)
    print(f"  question asked with {embeddings.usage.requests - len(PASSAGES) - 1} request")
    return [(score, document.page_content) for document, score in found]


def with_llamaindex(service: Service, question: str) -> Found:
    """Index the passages with LlamaIndex and search them."""
    embedding = DoubaoEmbedding(
        model_name=service.embedding, provider=service.provider, keep_sparse=True
    )
    store = LlamaIndexQdrant(
        "passages",
        client=QdrantClient(location=":memory:"),
        enable_hybrid=True,
        sparse_doc_fn=embedding.sparse_documents,
        sparse_query_fn=embedding.sparse_queries,
    )
    index = VectorStoreIndex(
        [TextNode(text=passage) for passage in PASSAGES],
        storage_context=StorageContext.from_defaults(vector_store=store),
        embed_model=embedding,
    )
    print(f"  {len(PASSAGES)} passages indexed with {embedding.usage.requests} requests")
    retriever = index.as_retriever(
        vector_store_query_mode="hybrid", similarity_top_k=MOST_FOUND, sparse_top_k=MOST_FOUND
    )
    found = retriever.retrieve(question)
    print(f"  question asked with {embedding.usage.requests - len(PASSAGES)} request")
    return [(each.score or 0.0, each.text) for each in found]


FRAMEWORKS: dict[str, tuple[str, Callable[[Service, str], Found]]] = {
    "langchain": ("LangChain", with_langchain),
    "llamaindex": ("LlamaIndex", with_llamaindex),
}


def main() -> int:
    """Search with the chosen frameworks and give the exit code."""
    arguments = _arguments()
    # LlamaIndex asks for an index that a Qdrant inside the process can do without.
    warnings.filterwarnings("ignore", message="Payload indexes have no effect")
    try:
        service = choose()
        print(f"Service: {service.title}, model {service.embedding}.")
        for name in FRAMEWORKS if arguments.framework == "both" else [arguments.framework]:
            title, search = FRAMEWORKS[name]
            print(f"\n{title}: {arguments.question}")
            for score, passage in search(service, arguments.question):
                print(f"  {score:.2f}  {passage}")
    except DoubaoError as error:
        print(f"hybrid_search: {error}", file=sys.stderr)
        return 1
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="hybrid_search", description="Hybrid search with Doubao.")
    parser.add_argument("--question", default=QUESTION, metavar="TEXT")
    parser.add_argument("--framework", choices=[*FRAMEWORKS, "both"], default="both")
    arguments = parser.parse_args()
    if not arguments.question.strip():
        parser.error("--question is empty")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
