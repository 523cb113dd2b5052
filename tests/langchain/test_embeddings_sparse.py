"""Dense and sparse of one request: `embed_both`, `keep_sparse` and DoubaoSparseEmbeddings."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import pickle
import sys
from typing import Any

import pytest
from langchain_core.exceptions import ModelRateLimitError
from langchain_qdrant import SparseEmbeddings

from doubao_core import ConfigError
from langchain_doubao import DoubaoEmbeddings
from langchain_doubao.qdrant import DoubaoSparseEmbeddings

VISION = "doubao-embedding-vision-251215"
TEXT = "doubao-embedding-large-text-250515"


@pytest.fixture
def make(emulator):
    """Make embeddings that talk to the emulator."""

    def make(model=VISION, **fields: Any) -> DoubaoEmbeddings:
        settings = {"api_key": "k", "max_retries": 0, "dimensions": 1024, **fields}
        return DoubaoEmbeddings(model=model, base_url=emulator.base_url, **settings)

    return make


@pytest.fixture(params=["sync", "async"])
def call(request):
    """Call a method by its blocking name, or its async twin."""

    def run(owner: Any, name: str, *values: Any, **named: Any) -> Any:
        if request.param == "sync":
            return getattr(owner, name)(*values, **named)

        async def awaited() -> Any:
            try:
                return await getattr(owner, f"a{name}")(*values, **named)
            finally:
                await getattr(owner, "_embeddings", owner).aclose()

        return asyncio.run(awaited())

    return run


def sent(emulator):
    return sorted(request.body["input"][0]["text"] for request in emulator.requests)


def test_it_is_what_qdrant_takes_and_natively_async(make):
    sparse = DoubaoSparseEmbeddings(make(keep_sparse=True))
    assert isinstance(sparse, SparseEmbeddings)
    for name in ("aembed_documents", "aembed_query"):
        assert inspect.iscoroutinefunction(DoubaoSparseEmbeddings.__dict__[name])


@pytest.mark.parametrize("package", ["langchain_qdrant", "qdrant_client"])
def test_without_its_package_the_module_says_what_to_install(monkeypatch, package):
    for name in [name for name in sys.modules if name.startswith(("langchain_qdrant", package))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "langchain_doubao.qdrant")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=r'pip install "\.\[qdrant\]"'):
        importlib.import_module("langchain_doubao.qdrant")


def test_embed_both_gives_both_of_one_request_each(make, call, emulator):
    vectors, weights = call(make(), "embed_both", ["tea", "rice"])
    assert sent(emulator) == ["rice", "tea"]
    assert [len(vector) for vector in vectors] == [1024, 1024]
    assert vectors == make().embed_documents(["tea", "rice"])
    assert weights == make().embed_sparse(["tea", "rice"])
    assert weights[0].keys().isdisjoint(weights[1])


def test_embed_both_of_nothing_sends_nothing(make, call, emulator):
    assert call(make(), "embed_both", []) == ([], [])
    assert emulator.requests == []


def test_weights_that_came_with_vectors_are_not_asked_for_again(make, call, emulator):
    embeddings = make(keep_sparse=True)
    sparse = DoubaoSparseEmbeddings(embeddings)
    call(embeddings, "embed_documents", ["tea", "rice"])
    emulator.reset()
    tea, oil = call(sparse, "embed_documents", ["tea", "oil"])
    assert sent(emulator) == ["oil"]
    ((expected,), (other,)) = (make().embed_sparse([text]) for text in ("tea", "oil"))
    assert dict(zip(tea.indices, tea.values, strict=True)) == expected
    assert dict(zip(oil.indices, oil.values, strict=True)) == other


def test_weights_of_a_query_come_with_its_vector(make, call, emulator):
    embeddings = make(keep_sparse=True, query_instruction="Find tea")
    call(embeddings, "embed_query", "tea")
    (request,) = emulator.requests
    vector = call(DoubaoSparseEmbeddings(embeddings), "embed_query", "tea")
    assert len(vector.indices) == len(vector.values) == 1
    assert emulator.requests == [request]
    assert "Find tea" in request.body["instructions"]


def test_without_keep_sparse_no_weights_are_asked_for(make, call, emulator):
    call(make(), "embed_documents", ["tea"])
    assert "sparse_embedding" not in emulator.requests[0].body


def test_a_failed_call_does_not_lose_what_was_kept(make, call, emulator):
    embeddings = make(keep_sparse=True)
    call(embeddings, "embed_documents", ["tea"])
    with emulator.fault("rate_limit", times=1), pytest.raises(ModelRateLimitError):
        call(embeddings, "embed_sparse", ["tea", "oil"])
    emulator.reset()
    call(embeddings, "embed_sparse", ["tea", "oil"])
    assert sent(emulator) == ["oil"]


def test_pictures_have_no_weights(make, call, emulator):
    embeddings = make(keep_sparse=True)
    call(embeddings, "embed_image", "https://example.com/tea.jpg")
    assert "sparse_embedding" not in emulator.requests[0].body


@pytest.mark.parametrize("name", ["embed_both", "embed_sparse"])
def test_a_text_model_has_no_weights(make, call, emulator, name):
    with pytest.raises(ConfigError, match="no sparse weights"):
        call(make(TEXT), name, ["tea"])
    with pytest.raises(ConfigError, match="no sparse weights"):
        call(make(TEXT, keep_sparse=True), "embed_documents", ["tea"])
    assert emulator.requests == []


def test_a_pickle_has_neither_weights_nor_key(make, emulator):
    embeddings = make(keep_sparse=True, api_key="sk-live-9f8e7d6c5b4a3210")
    embeddings.embed_documents(["tea"])
    pickled = pickle.dumps(DoubaoSparseEmbeddings(embeddings))
    assert b"9f8e7d6c5b4a3210" not in pickled
    copied = pickle.loads(pickled)  # noqa: S301 - made here
    copied._embeddings.api_key = "k"
    emulator.reset()
    copied.embed_documents(["tea"])
    assert sent(emulator) == ["tea"]
