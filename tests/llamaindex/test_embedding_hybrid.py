"""`keep_sparse`: the sparse weights that come with the vectors, as functions for a store."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from llama_index.core.schema import ImageNode, TextNode

from doubao_core import ConfigError
from llamaindex_doubao import DoubaoEmbedding, DoubaoMultiModalEmbedding, DoubaoSparseEmbedding

VISION = "doubao-embedding-vision-251215"
TEXT = "doubao-embedding-large-text-250515"


@pytest.fixture
def make(emulator):
    """Make an embedding model that talks to the emulator."""

    def make(kind=DoubaoEmbedding, model_name=VISION, **fields: Any) -> Any:
        settings = {"api_key": "k", "max_retries": 0, "dimensions": 1024, **fields}
        return kind(model_name=model_name, base_url=emulator.base_url, **settings)

    return make


def sent(emulator):
    return sorted(request.body["input"][0]["text"] for request in emulator.requests)


def of(lists):
    """Turn what Qdrant takes into what DoubaoSparseEmbedding gives."""
    return [dict(zip(*pair, strict=True)) for pair in zip(*lists, strict=True)]


def embed(model, texts, way):
    """Embed *texts* as documents, blocking or async."""
    if way == "sync":
        return model.get_text_embedding_batch(texts)

    async def awaited():
        try:
            return await model.aget_text_embedding_batch(texts)
        finally:
            await model.aclose()

    return asyncio.run(awaited())


@pytest.mark.parametrize("way", ["sync", "async"])
def test_documents_are_sent_once_for_both(make, emulator, way):
    model = make(keep_sparse=True)
    vectors = embed(model, ["tea", "rice"], way)
    weights = of(model.sparse_documents(["rice", "tea", "oil", "oil"]))
    assert sent(emulator) == ["oil", "rice", "tea"]
    expected = make(DoubaoSparseEmbedding).embed_both(["tea", "rice", "oil"])
    assert vectors == expected[0][:2]
    assert weights == [expected[1][each] for each in (1, 0, 2, 2)]


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_query_is_sent_once_for_both(make, emulator, way):
    model = make(keep_sparse=True, query_instruction="Find tea")
    if way == "sync":
        model.get_query_embedding("tea")
    else:
        asyncio.run(model.aget_query_embedding("tea"))
    weights = of(model.sparse_queries(["tea"]))
    assert sent(emulator) == ["tea"]
    assert "Find tea" in emulator.requests[0].body["instructions"]
    assert weights == make(DoubaoSparseEmbedding).get_text_embedding_batch(["tea"])


def test_a_query_is_not_taken_for_a_document(make, emulator):
    model = make(keep_sparse=True, query_instruction="Find tea")
    model.get_query_embedding("tea")
    model.sparse_documents(["tea"])
    assert sent(emulator) == ["tea", "tea"]


def test_without_keep_sparse_no_weights_are_asked_for(make, emulator):
    make().get_text_embedding("tea")
    assert "sparse_embedding" not in emulator.requests[0].body


def test_pictures_among_the_nodes_have_no_weights(make, emulator):
    model = make(DoubaoMultiModalEmbedding, keep_sparse=True)
    nodes = [TextNode(text="tea"), ImageNode(image_url="https://example.com/tea.jpg")]
    model(nodes)
    asked = {
        request.body["input"][0]["type"]: "sparse_embedding" in request.body
        for request in emulator.requests
    }
    assert asked == {"text": True, "image_url": False}


def test_keep_sparse_changes_no_cache_key(make):
    assert make(keep_sparse=True).to_dict() == make().to_dict()


def test_a_text_model_has_no_weights(make, emulator):
    with pytest.raises(ConfigError, match="no sparse weights"):
        make(model_name=TEXT, keep_sparse=True).get_text_embedding("tea")
    assert emulator.requests == []
