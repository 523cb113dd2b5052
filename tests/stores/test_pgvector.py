"""Dense search in a real PostgreSQL with pgvector, both frameworks, blocking and async."""

from __future__ import annotations

import pytest
from langchain_core.documents import Document
from langchain_postgres import PGEngine, PGVectorStore
from langchain_postgres.v2.indexes import DistanceStrategy, HNSWIndex
from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores import MetadataFilter, MetadataFilters
from llama_index.vector_stores.postgres import PGVectorStore as LlamaIndexPostgres
from sqlalchemy.exc import DBAPIError

TEXTS = [
    "Tea is picked in spring, before the rain.",
    "Rice likes warm water and a long summer.",
    "Lighthouse keepers carried oil up the stairs.",
]
QUESTION = "Who carried oil up the stairs of the lighthouse?"
DIMENSIONS = 1024


@pytest.fixture
def url(postgres):
    """Make the address of the server for a driver."""
    return lambda driver: f"postgresql+{driver}://postgres@/postgres?host={postgres}"


@pytest.fixture
async def langchain_engine(url):
    engine = PGEngine.from_connection_string(url("psycopg"))
    yield engine
    await engine.close()


async def test_langchain_stores_and_finds_async(
    langchain_engine, langchain_embeddings, sent, emulator
):
    await langchain_engine.ainit_vectorstore_table("tea", DIMENSIONS, overwrite_existing=True)
    embeddings = langchain_embeddings()
    store = await PGVectorStore.create(langchain_engine, embeddings, "tea")
    await store.aadd_documents([Document(text, metadata={"n": n}) for n, text in enumerate(TEXTS)])
    assert sent() == sorted(TEXTS)
    emulator.reset()
    found = await store.asimilarity_search(QUESTION, k=1)
    assert [(each.page_content, each.metadata) for each in found] == [(TEXTS[2], {"n": 2})]
    assert sent() == [QUESTION]
    await embeddings.aclose()


async def test_langchain_stores_and_finds_blocking(langchain_engine, langchain_embeddings):
    langchain_engine.init_vectorstore_table("rice", DIMENSIONS, overwrite_existing=True)
    store = PGVectorStore.create_sync(langchain_engine, langchain_embeddings(), "rice")
    ids = store.add_texts(TEXTS)
    (best, distance), *_ = store.similarity_search_with_score(TEXTS[1], k=3)
    assert (best.id, best.page_content) == (ids[1], TEXTS[1])
    assert distance == pytest.approx(0.0, abs=1e-6)
    assert store.delete([ids[1]])
    assert store.similarity_search(TEXTS[1], k=1)[0].page_content != TEXTS[1]


async def test_langchain_index_takes_1024_dimensions_but_not_2048(
    langchain_engine, langchain_embeddings
):
    """What docs/embeddings.md advises: pgvector's HNSW ends at 2,000 dimensions."""
    for size, works in ((1024, True), (2048, False)):
        langchain_engine.init_vectorstore_table(f"size{size}", size, overwrite_existing=True)
        embeddings = langchain_embeddings(dimensions=size)
        store = PGVectorStore.create_sync(langchain_engine, embeddings, f"size{size}")
        store.add_texts(TEXTS)
        index = HNSWIndex(name=f"i{size}", distance_strategy=DistanceStrategy.COSINE_DISTANCE)
        if works:
            store.apply_vector_index(index)
            assert store.similarity_search(QUESTION, k=1)[0].page_content == TEXTS[2]
        else:
            with pytest.raises(DBAPIError, match="more than 2000 dimensions"):
                store.apply_vector_index(index)


@pytest.fixture
async def llamaindex_store(url):
    """Make a store in a table of its own; its connections are closed at the end."""
    stores = []

    def make(table, dimensions=DIMENSIONS, **options):
        store = LlamaIndexPostgres(
            connection_string=url("psycopg2"),
            async_connection_string=url("asyncpg"),
            table_name=table,
            schema_name="public",
            embed_dim=dimensions,
            initialization_fail_on_error=True,
            **options,
        )
        stores.append(store)
        return store

    yield make
    for store in stores:
        await store.close()


def nodes():
    return [TextNode(text=text, metadata={"n": n}) for n, text in enumerate(TEXTS)]


def test_llamaindex_stores_and_finds_blocking(
    llamaindex_store, llamaindex_embedding, sent, emulator
):
    context = StorageContext.from_defaults(vector_store=llamaindex_store("tea"))
    index = VectorStoreIndex(nodes(), storage_context=context, embed_model=llamaindex_embedding())
    assert len(emulator.requests) == len(TEXTS)
    emulator.reset()
    (found,) = index.as_retriever(similarity_top_k=1).retrieve(QUESTION)
    assert (found.text, found.metadata) == (TEXTS[2], {"n": 2})
    assert sent() == [QUESTION]


async def test_llamaindex_stores_and_finds_async(llamaindex_store, llamaindex_embedding):
    embedding = llamaindex_embedding()
    index = VectorStoreIndex.from_vector_store(llamaindex_store("rice"), embed_model=embedding)
    await index.ainsert_nodes(nodes())
    filters = MetadataFilters(filters=[MetadataFilter(key="n", value=1)])
    retriever = index.as_retriever(similarity_top_k=3, filters=filters)
    assert [found.text for found in await retriever.aretrieve(QUESTION)] == [TEXTS[1]]
    await embedding.aclose()


def test_llamaindex_indexes_2048_dimensions_in_half_precision(
    llamaindex_store, llamaindex_embedding
):
    hnsw = {"hnsw_m": 16, "hnsw_ef_construction": 64, "hnsw_ef_search": 40}
    store = llamaindex_store("half", 2048, use_halfvec=True, hnsw_kwargs=hnsw)
    context = StorageContext.from_defaults(vector_store=store)
    embedding = llamaindex_embedding(dimensions=2048)
    index = VectorStoreIndex(nodes(), storage_context=context, embed_model=embedding)
    (found,) = index.as_retriever(similarity_top_k=1).retrieve(QUESTION)
    assert found.text == TEXTS[2]
