"""DoubaoEmbedding over real HTTP: order, batches, instructions, object life, and the key."""

from __future__ import annotations

import asyncio
import copy
import json
import logging
import pickle
from typing import Any

import pytest
from llama_index.core import Settings, VectorStoreIndex
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.schema import TextNode
from llama_index.core.storage.kvstore import SimpleKVStore
from pydantic import ValidationError

from doubao_core import ConfigError
from llamaindex_doubao import DoubaoEmbedding, DoubaoSparseEmbedding

VISION = "doubao-embedding-vision-251215"
TEXT = "doubao-embedding-large-text-250515"
KEY = "sk-live-9f8e7d6c5b4a3210"


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch):
    for name in ("ARK_API_KEY", "BYTEPLUS_API_KEY", "DOUBAO_PROVIDER", "DOUBAO_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def make(emulator):
    """Make an embedding that talks to the emulator."""

    def make(kind=DoubaoEmbedding, **fields: Any) -> Any:
        settings = {"model_name": VISION, "api_key": KEY, "max_retries": 0, **fields}
        return kind(base_url=emulator.base_url, **settings)

    return make


@pytest.fixture(params=["sync", "async"])
def call(request):
    """Call a method by its blocking name, or its async twin."""

    def run(embedding: Any, name: str, *values: Any) -> Any:
        if request.param == "sync":
            return getattr(embedding, name)(*values)

        async def awaited() -> Any:
            try:
                return await getattr(embedding, f"a{name}")(*values)
            finally:
                await embedding.aclose()

        return asyncio.run(awaited())

    return run


def test_every_hook_of_the_base_is_overridden():
    for name in ("get_query_embedding", "get_text_embedding", "get_text_embeddings"):
        for hook in (f"_{name}", f"_a{name}"):
            assert getattr(DoubaoEmbedding, hook) is not getattr(BaseEmbedding, hook)


@pytest.mark.parametrize("name", ["model_name", "dimensions", "query_instruction"])
def test_what_decides_the_vectors_cannot_be_set_later(make, name):
    with pytest.raises(ConfigError, match=f"{name} cannot be set later"):
        setattr(make(), name, "other")


def test_an_updated_copy_makes_other_vectors(make, call):
    copied = make().model_copy(update={"dimensions": 1024})
    assert len(call(copied, "get_text_embedding", "tea")) == 1024


@pytest.mark.parametrize("model", [VISION, TEXT])
def test_an_empty_list_sends_nothing(make, call, emulator, model):
    assert call(make(model_name=model), "get_text_embedding_batch", []) == []
    assert emulator.requests == []


@pytest.mark.parametrize("model", [VISION, TEXT])
def test_a_blank_text_is_refused_before_anything_is_sent(make, call, emulator, model):
    with pytest.raises(ConfigError, match="text 1 is blank"):
        call(make(model_name=model), "get_text_embedding_batch", ["tea", " ", "rice"])
    assert emulator.requests == []


@pytest.mark.parametrize("kind", [DoubaoEmbedding, DoubaoSparseEmbedding])
def test_one_string_is_no_batch_of_letters(make, call, emulator, kind):
    with pytest.raises(ConfigError, match="texts is one string: pass a list"):
        call(make(kind), "get_text_embedding_batch", "greentea")
    assert emulator.requests == []


def test_what_is_no_text_is_named(make, call, emulator):
    with pytest.raises(ConfigError, match=r"text 1 is a TextNode, not a string: .*get_content"):
        call(make(), "get_text_embedding_batch", ["tea", TextNode(text="rice")])
    with pytest.raises(ConfigError, match=r"^the query is blank"):
        call(make(), "get_query_embedding", "")
    assert emulator.requests == []


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"model_name": "doubao-seed-2-1-pro-260915"}, "a chat model, not an embedding model"),
        ({"dimensions": 512}, "give dimensions=1024 or 2048"),
    ],
)
def test_what_no_model_gives_is_refused_before_anything_is_sent(make, call, emulator, fields, why):
    with pytest.raises(ConfigError, match=why):
        call(make(**fields), "get_text_embedding", "tea")
    assert emulator.requests == []


@pytest.mark.parametrize("model", [VISION, TEXT])
def test_a_batch_gives_each_text_the_vector_it_gets_alone(make, call, model):
    texts = [f"chapter {number}\n" for number in range(30)]
    embedding = make(model_name=model, embed_batch_size=7)
    together = call(embedding, "get_text_embedding_batch", texts)
    assert len(together) == 30
    assert together[17] == pytest.approx(call(embedding, "get_text_embedding", texts[17]))
    assert together[17] != pytest.approx(together[18])


def test_a_batch_larger_than_the_api_takes_is_cut(make, call, emulator):
    embedding = make(model_name=TEXT, embed_batch_size=1000)
    assert len(call(embedding, "get_text_embedding_batch", ["tea"] * 300)) == 300
    assert sorted(len(request.body["input"]) for request in emulator.requests) == [44, 256]


def test_text_goes_out_untouched(make, call, emulator):
    call(make(model_name=TEXT), "get_text_embedding", " two\nlines ")
    assert emulator.requests[0].body == {
        "model": TEXT,
        "input": [" two\nlines "],
        "encoding_format": "base64",
    }


def test_instructions_differ_for_queries_and_texts(make, call, emulator):
    embedding = make(query_instruction="Find the passage")
    call(embedding, "get_query_embedding", "tea")
    call(embedding, "get_text_embedding", "tea")
    assert [request.body["instructions"] for request in emulator.requests] == [
        "Target_modality: text.\nInstruction:Find the passage\nQuery:",
        "Instruction:Compress the text into one word.\nQuery:",
    ]


def test_dimensions_are_asked_for_and_checked(make, call):
    assert len(call(make(dimensions=1024), "get_text_embedding", "tea")) == 1024


def test_a_cache_saves_requests_where_queries_and_texts_are_alike(make, call, emulator):
    embedding = make(embeddings_cache=SimpleKVStore())
    first = call(embedding, "get_text_embedding", "tea")
    assert call(embedding, "get_query_embedding", "tea") == first
    assert len(emulator.requests) == 1


def test_an_index_finds_the_passage_about_the_question(make):
    nodes = [
        TextNode(text="Green tea is picked in early spring, before the rains."),
        TextNode(text="Rice fields need standing water for most of the summer."),
    ]
    index = VectorStoreIndex(nodes, embed_model=make())
    found = index.as_retriever(similarity_top_k=1).retrieve("When is green tea picked?")
    assert found[0].text.startswith("Green tea")


def test_settings_take_it_as_the_default_model(make):
    embedding = make()
    Settings.embed_model = embedding
    assert Settings.embed_model is embedding


async def test_an_ingestion_pipeline_embeds_once_for_equal_text_and_settings(make, emulator):
    pipeline = IngestionPipeline(transformations=[make()])
    await pipeline.arun(nodes=[TextNode(text="tea", id_="1")])
    # What decides no vector makes no new ones.
    other = {"timeout": 5.0, "embed_batch_size": 7, "num_workers": 3, "max_concurrency": 5}
    again = IngestionPipeline(
        transformations=[make(api_key="sk-rotated", **other)], cache=pipeline.cache
    )
    nodes = await again.arun(nodes=[TextNode(text="tea", id_="1")])
    assert len(nodes[0].embedding) == 2048
    assert len(emulator.requests) == 1


def test_usage_adds_up_over_calls(make, call):
    embedding = make()
    call(embedding, "get_query_embedding", "tea")
    call(embedding, "get_text_embedding_batch", ["tea", "rice"])
    assert embedding.usage.requests == 3
    assert embedding.usage.total_tokens > 0


@pytest.mark.parametrize("kind", [DoubaoEmbedding, DoubaoSparseEmbedding])
def test_the_key_is_sent_and_shown_nowhere(make, emulator, kind):
    embedding = make(kind)
    embedding.get_query_embedding("tea")
    assert emulator.requests[0].headers["authorization"] == f"Bearer {KEY}"
    shown = [repr(embedding), str(embedding.model_dump()), str(embedding.to_payload())]
    assert not [each for each in shown if KEY in each]
    assert KEY.encode() not in pickle.dumps(embedding)


def test_it_is_serialised_without_secrets_and_made_again(make, emulator):
    stored = make(dimensions=1024, default_headers={"X-Secret": "s3cret"}).to_dict()
    assert "s3cret" not in json.dumps(stored)
    assert stored["class_name"] == "DoubaoEmbedding"
    twin = DoubaoEmbedding.from_dict(stored, api_key=KEY)
    assert len(twin.get_text_embedding("tea")) == 1024


@pytest.mark.parametrize("kind", [DoubaoEmbedding, DoubaoSparseEmbedding])
def test_copies_work_after_use_and_pickles_without_a_warning(
    make, emulator, monkeypatch, caplog, kind
):
    embedding = make(kind, max_concurrency=5)
    embedding.get_query_embedding("tea")
    copy.deepcopy(embedding).get_query_embedding("tea")
    with caplog.at_level(logging.WARNING):
        pickled = pickle.dumps(embedding)
    assert not caplog.records
    monkeypatch.setenv("ARK_API_KEY", "sk-other")
    copied = pickle.loads(pickled)  # noqa: S301 - made here
    copied.get_query_embedding("tea")
    assert copied.max_concurrency == embedding.max_concurrency == 5
    keys = [request.headers["authorization"] for request in emulator.requests]
    assert keys == [f"Bearer {KEY}", f"Bearer {KEY}", "Bearer sk-other"]


def test_an_unknown_argument_is_refused():
    with pytest.raises(ValidationError, match="dimension_count"):
        DoubaoEmbedding(model_name=VISION, dimension_count=3)


def test_it_works_inside_a_running_event_loop_and_on_loop_after_loop(make):
    embedding = make()

    async def nested() -> int:
        return len(embedding.get_text_embedding_batch(["tea", "rice"]))

    async def native() -> int:
        vectors = await embedding.aget_text_embedding_batch(["tea", "rice"])
        await embedding.aclose()
        return len(vectors)

    assert [asyncio.run(nested()), asyncio.run(native()), asyncio.run(native())] == [2, 2, 2]


def test_sparse_weights_are_alike_where_words_are(make, call):
    embedding = make(DoubaoSparseEmbedding)
    query = call(embedding, "get_query_embedding", "green tea in spring")
    near, far = call(
        embedding, "get_text_embedding_batch", ["green tea is picked in spring", "jade axes"]
    )
    assert embedding.similarity(query, near) > embedding.similarity(query, far)


async def test_dense_and_sparse_of_one_request(make, emulator):
    embedding = make(DoubaoSparseEmbedding, dimensions=1024)
    dense, sparse = embedding.embed_both(["tea", "rice"])
    assert [len(vector) for vector in dense] == [1024, 1024]
    assert len(sparse) == len(emulator.requests) == 2
    again = await embedding.aembed_both(["tea", "rice"])
    await embedding.aclose()
    assert again == (dense, sparse)
