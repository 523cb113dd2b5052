"""Hybrid search with Qdrant in local mode: both frameworks, dense and sparse of one request."""

from __future__ import annotations

import pytest
from langchain_core.documents import Document
from langchain_qdrant import QdrantVectorStore, RetrievalMode
from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.schema import MetadataMode, TextNode
from llama_index.vector_stores.qdrant import QdrantVectorStore as LlamaIndexQdrant
from qdrant_client import AsyncQdrantClient, QdrantClient

from doubao_core import ConfigError
from langchain_doubao.qdrant import DoubaoSparseEmbeddings

TEXTS = [
    "Tea is picked in spring, before the rain.",
    "Rice likes warm water and a long summer.",
    "The lamp X-4711 burns in the northern tower.",
    "Lighthouse keepers carried oil up the stairs.",
]
QUESTION = "Where is X-4711?"
PROBE = "dummy_text"
"""What langchain-qdrant embeds to learn the number of dimensions."""

# It says, once, that a local Qdrant needs no index.
pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect:UserWarning")


@pytest.fixture
def langchain_store(langchain_embeddings):
    """Make a hybrid store of TEXTS; its client is closed at the end."""
    stores = []

    def make(texts=TEXTS, *, mode=RetrievalMode.HYBRID, **fields):
        embeddings = langchain_embeddings(keep_sparse=True, **fields)
        store = QdrantVectorStore.from_documents(
            [Document(text, metadata={"number": n}) for n, text in enumerate(texts)],
            embeddings,
            sparse_embedding=DoubaoSparseEmbeddings(embeddings),
            retrieval_mode=mode,
            location=":memory:",
        )
        stores.append(store)
        return store

    yield make
    for store in stores:
        store.client.close()


def test_langchain_ingestion_and_search_cost_one_request_a_text(langchain_store, sent, emulator):
    """Shows R000-17."""
    store = langchain_store()
    assert sent() == sorted([PROBE, *TEXTS])
    emulator.reset()
    found = store.similarity_search(QUESTION, k=2)
    assert sent() == [QUESTION]
    assert (found[0].page_content, found[0].metadata["number"]) == (TEXTS[2], 2)


async def test_langchain_async_ingestion_and_search_cost_the_same(langchain_store, sent, emulator):
    store = langchain_store([])
    emulator.reset()
    await store.aadd_texts(TEXTS)
    assert sent() == sorted(TEXTS)
    emulator.reset()
    (found,) = await store.asimilarity_search(QUESTION, k=1)
    assert sent() == [QUESTION]
    assert found.page_content == TEXTS[2]


def test_langchain_hybrid_search_ranks_by_both_halves(langchain_store):
    """Reciprocal rank fusion: what both halves put first gets the whole score."""
    store = langchain_store()
    (best, score), *others = store.similarity_search_with_score(QUESTION, k=4)
    assert (best.page_content, score) == (TEXTS[2], 1.0)
    assert all(other < score for _, other in others)


def test_langchain_weights_are_those_of_the_service(langchain_store, langchain_embeddings):
    store = langchain_store()
    points, _ = store.client.scroll(store.collection_name, with_vectors=True)
    stored = {point.payload["page_content"]: point.vector for point in points}
    vectors, weights = langchain_embeddings().embed_both(TEXTS)
    for text, vector, each in zip(TEXTS, vectors, weights, strict=True):
        sparse = stored[text][store.sparse_vector_name]
        assert dict(zip(sparse.indices, sparse.values, strict=True)) == pytest.approx(each)
        assert stored[text][store.vector_name] == pytest.approx(vector, abs=1e-6)


def test_langchain_sparse_search_alone_needs_no_vectors(langchain_store, sent, emulator):
    store = langchain_store(mode=RetrievalMode.SPARSE)
    assert sent() == sorted(TEXTS)
    emulator.reset()
    assert store.similarity_search(QUESTION, k=1)[0].page_content == TEXTS[2]
    assert sent() == [QUESTION]


def test_langchain_queries_and_documents_keep_their_instructions(langchain_store, emulator):
    store = langchain_store(query_instruction="Find the tower")
    store.similarity_search(TEXTS[0], k=1)
    instructions = [request.body["instructions"] for request in emulator.requests]
    asked = [request.body["input"][0]["text"] for request in emulator.requests]
    assert asked.count(TEXTS[0]) == 2
    assert "Find the tower" in instructions[-1]
    assert not any("Find the tower" in each for each in instructions[:-1])


def test_langchain_store_survives_on_disk(langchain_embeddings, tmp_path, sent, emulator):
    embeddings = langchain_embeddings(keep_sparse=True)
    settings = {
        "embedding": embeddings,
        "sparse_embedding": DoubaoSparseEmbeddings(embeddings),
        "retrieval_mode": RetrievalMode.HYBRID,
        "path": str(tmp_path),
        "collection_name": "texts",
    }
    QdrantVectorStore.from_texts(TEXTS, **settings).client.close()
    emulator.reset()
    store = QdrantVectorStore.from_existing_collection(**settings)
    assert store.similarity_search(QUESTION, k=1)[0].page_content == TEXTS[2]
    store.client.close()
    assert sent() == sorted([PROBE, QUESTION])


def llamaindex_store(embedding, **client):
    return LlamaIndexQdrant(
        "texts",
        enable_hybrid=True,
        sparse_doc_fn=embedding.sparse_documents,
        sparse_query_fn=embedding.sparse_queries,
        **client,
    )


def nodes():
    return [TextNode(text=text, metadata={"number": n}) for n, text in enumerate(TEXTS)]


def embedded():
    """Give what LlamaIndex embeds of the nodes: their metadata, too."""
    return sorted(node.get_content(MetadataMode.EMBED) for node in nodes())


def retriever(index):
    return index.as_retriever(
        vector_store_query_mode="hybrid", similarity_top_k=2, sparse_top_k=2, hybrid_top_k=2
    )


@pytest.fixture
def client():
    client = QdrantClient(location=":memory:")
    yield client
    client.close()


def test_llamaindex_ingestion_and_search_cost_one_request_a_text(
    llamaindex_embedding, client, sent, emulator
):
    """Shows R000-17."""
    embedding = llamaindex_embedding(keep_sparse=True)
    store = llamaindex_store(embedding, client=client)
    context = StorageContext.from_defaults(vector_store=store)
    index = VectorStoreIndex(nodes(), storage_context=context, embed_model=embedding)
    assert sent() == embedded()
    emulator.reset()
    found = retriever(index).retrieve(QUESTION)
    assert sent() == [QUESTION]
    assert found[0].text == TEXTS[2]


def test_llamaindex_pipeline_costs_one_request_a_text(llamaindex_embedding, client, sent):
    embedding = llamaindex_embedding(keep_sparse=True)
    store = llamaindex_store(embedding, client=client)
    IngestionPipeline(transformations=[embedding], vector_store=store).run(nodes=nodes())
    assert sent() == embedded()
    points, _ = client.scroll("texts", with_vectors=True)
    assert all(point.vector[store.sparse_vector_name].indices for point in points)


async def test_llamaindex_async_ingestion_and_search_cost_the_same(
    llamaindex_embedding, sent, emulator
):
    embedding = llamaindex_embedding(keep_sparse=True)
    client = AsyncQdrantClient(location=":memory:")
    store = llamaindex_store(embedding, aclient=client)
    index = VectorStoreIndex.from_vector_store(store, embed_model=embedding)
    await index.ainsert_nodes(nodes())
    assert sent() == embedded()
    emulator.reset()
    found = await retriever(index).aretrieve(QUESTION)
    assert sent() == [QUESTION]
    assert found[0].text == TEXTS[2]
    await client.close()
    await embedding.aclose()


def test_llamaindex_store_survives_on_disk(llamaindex_embedding, tmp_path, sent, emulator):
    embedding = llamaindex_embedding(keep_sparse=True)
    client = QdrantClient(path=str(tmp_path))
    store = llamaindex_store(embedding, client=client)
    IngestionPipeline(transformations=[embedding], vector_store=store).run(nodes=nodes())
    client.close()
    emulator.reset()
    client = QdrantClient(path=str(tmp_path))
    store = llamaindex_store(embedding, client=client)
    index = VectorStoreIndex.from_vector_store(store, embed_model=embedding)
    assert retriever(index).retrieve(QUESTION)[0].text == TEXTS[2]
    client.close()
    assert sent() == [QUESTION]


def test_what_would_pay_twice_is_refused(langchain_embeddings, llamaindex_embedding, emulator):
    with pytest.raises(ConfigError, match="paid for twice"):
        DoubaoSparseEmbeddings(langchain_embeddings())
    with pytest.raises(ConfigError, match="paid for twice"):
        llamaindex_embedding().sparse_documents(TEXTS)
    with pytest.raises(ConfigError, match="paid for twice"):
        llamaindex_embedding().sparse_queries([QUESTION])
    assert emulator.requests == []
