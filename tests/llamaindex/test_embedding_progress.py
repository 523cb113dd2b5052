"""What a failed call had done: on its error, in the cache, and not sent again."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from llama_index.core.ingestion import IngestionCache, IngestionPipeline
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.embedding import EmbeddingEndEvent
from llama_index.core.schema import ImageNode, TextNode
from llama_index.core.storage.kvstore import SimpleKVStore
from pydantic import ValidationError

from doubao_core import ConfigError, InvalidRequest, ServerError
from llamaindex_doubao import DoubaoEmbedding, DoubaoMultiModalEmbedding

VISION = "doubao-embedding-vision-251215"
TEXT = "doubao-embedding-large-text-250515"
SHORT_TEXT = "doubao-embedding-text-240715"
TOO_LONG = "word " * 5000
BROKEN_PICTURE = "data:image/png;base64,AAAA"


@pytest.fixture
def make(emulator):
    """Make an embedding that talks to the emulator."""

    def make(model=VISION, kind=DoubaoEmbedding, **fields: Any) -> Any:
        settings = {"api_key": "k", "max_retries": 0, "max_concurrency": 1, **fields}
        return kind(model_name=model, base_url=emulator.base_url, **settings)

    return make


@pytest.fixture(params=["sync", "async"])
def call(request):
    """Call a method by its blocking name, or its async twin."""

    def run(embedding: Any, name: str, *values: Any) -> Any:
        if request.param == "sync":
            return getattr(embedding, name)(*values)

        async def awaited() -> Any:
            try:
                twin = "acall" if name == "__call__" else f"a{name}"
                return await getattr(embedding, twin)(*values)
            finally:
                await embedding.aclose()
                if embedding.http_async_client is not None:
                    await embedding.http_async_client.aclose()

        return asyncio.run(awaited())

    return run


@pytest.fixture
def outage(emulator):
    """Have the service fail from the n-th request on until it is repaired."""
    faults, opened = [], []

    class Outage:
        def __init__(self, after: int) -> None:
            self._left = after
            self.client = httpx.Client(event_hooks={"request": [self._sent]})
            self.async_client = httpx.AsyncClient(event_hooks={"request": [self._asent]})
            opened.append(self.client)

        @property
        def clients(self) -> dict[str, Any]:
            return {"http_client": self.client, "http_async_client": self.async_client}

        def _sent(self, _: object) -> None:
            self._left -= 1
            if self._left == -1:
                faults.append(emulator.world.faults.arm("server_error"))

        async def _asent(self, request: object) -> None:
            self._sent(request)

        def repair(self) -> None:
            for fault in faults:
                emulator.world.faults.disarm(fault)

    yield Outage
    for client in opened:
        client.close()


def sent_texts(emulator) -> list[str]:
    """Return all texts that were sent, in order."""
    return [
        part if isinstance(part, str) else part["text"]
        for request in emulator.requests
        for part in request.body["input"]
    ]


def test_a_failure_tells_of_all_texts_and_not_of_a_batch(make, call, emulator):
    texts = ["tea", "rice", "silk", "jade", TOO_LONG, "ink", "salt"]
    embedding = make(SHORT_TEXT, embed_batch_size=2, num_workers=2)
    with pytest.raises(InvalidRequest) as caught:
        call(embedding, "get_text_embedding_batch", texts)
    progress = caught.value.progress
    assert "while embedding inputs 4 to 5 of 7; 4 are done" in str(caught.value)
    assert (progress.count, progress.failed, progress.missing) == (7, (4, 5), [4, 5, 6])
    alone = call(make(SHORT_TEXT), "get_text_embedding_batch", texts[:4])
    assert [progress.vectors[position] for position in range(4)] == alone


def test_an_error_of_one_text_says_nothing_of_inputs(make, call, emulator):
    with emulator.fault("server_error"), pytest.raises(ServerError) as caught:
        call(make(), "get_query_embedding", "tea")
    assert "while embedding" not in str(caught.value)


def test_nodes_have_the_vectors_that_were_done_before_a_failure(make, call):
    nodes = [
        ImageNode(image_url=BROKEN_PICTURE),
        TextNode(text="tea"),
        ImageNode(image_url="https://example.com/a.png"),
        TextNode(text="rice"),
    ]
    embedding = make(kind=DoubaoMultiModalEmbedding)
    with pytest.raises(InvalidRequest) as caught:
        call(embedding, "__call__", nodes)
    progress = caught.value.progress
    assert (progress.count, progress.failed, progress.missing) == (4, (0,), [0, 2])
    assert [node.embedding is not None for node in nodes] == [False, True, False, True]


def test_nodes_of_texts_have_the_vectors_that_were_done_before_a_failure(make, call):
    nodes = [TextNode(text=text) for text in ("tea", "rice", TOO_LONG, "silk")]
    with pytest.raises(InvalidRequest) as caught:
        call(make(SHORT_TEXT, embed_batch_size=1, num_workers=1), "__call__", nodes)
    progress = caught.value.progress
    assert (progress.failed, progress.missing) == ((2,), [2, 3])
    assert [node.embedding for node in nodes[:2]] == [progress.vectors[0], progress.vectors[1]]
    assert [node.embedding for node in nodes[2:]] == [None, None]


@pytest.mark.parametrize("done", [1, 2])
def test_a_vector_that_a_node_has_from_before_is_not_taken_for_a_new_one(make, call, outage, done):
    old, failing = [0.5, 0.5], outage(done)
    picture = ImageNode(image_url="https://example.com/a.png")
    nodes = [TextNode(text="tea"), TextNode(text="rice"), picture]
    for node in nodes:
        node.embedding = old
    embedding = make(kind=DoubaoMultiModalEmbedding, **failing.clients)
    with pytest.raises(ServerError) as caught:
        call(embedding, "__call__", nodes)
    progress = caught.value.progress
    assert (progress.failed, progress.missing) == ((done,), list(range(done, 3)))
    assert [len(node.embedding) for node in nodes] == [2048] * done + [2] * (3 - done)


def test_nothing_is_paid_for_before_a_picture_is_refused(make, call, emulator, tmp_path):
    (tmp_path / "tea.png").write_bytes(b"\x89PNG")
    nodes = [TextNode(text="tea"), ImageNode(image_path=str(tmp_path / "tea.png"))]
    with pytest.raises(ConfigError, match="may not read"):
        call(make(kind=DoubaoMultiModalEmbedding), "__call__", nodes)
    assert emulator.requests == []


def test_with_a_cache_the_next_run_sends_only_the_rest(make, call, emulator, outage):
    texts, store, failing = [f"text {number}" for number in range(9)], SimpleKVStore(), outage(5)
    with pytest.raises(ServerError) as caught:
        call(
            make(embeddings_cache=store, embed_batch_size=4, num_workers=2, **failing.clients),
            "get_text_embedding_batch",
            texts,
        )
    failing.repair()
    done = sorted(caught.value.progress.vectors)
    assert len(done) == 5
    before = len(emulator.requests)
    vectors = call(make(embeddings_cache=store), "get_text_embedding_batch", texts)
    assert len(vectors) == 9
    rest = [text for position, text in enumerate(texts) if position not in done]
    assert sorted(sent_texts(emulator)[before:]) == rest


def test_an_ingestion_continues_where_it_stopped(make, emulator, outage):
    nodes = [TextNode(text=f"chapter {number}", id_=str(number)) for number in range(6)]
    store, failing = SimpleKVStore(), outage(4)
    broken = make(embeddings_cache=store, api_key="sk-old", **failing.clients)
    pipeline = IngestionPipeline(transformations=[broken], cache=IngestionCache())
    with pytest.raises(ServerError):
        pipeline.run(nodes=nodes)
    failing.repair()
    again = IngestionPipeline(
        transformations=[make(embeddings_cache=store, api_key="sk-new")], cache=pipeline.cache
    )
    assert all(node.embedding for node in again.run(nodes=nodes))
    assert [text.strip() for text in sent_texts(emulator)[5:]] == ["chapter 4", "chapter 5"]
    # Both caches know it all now.
    again.run(nodes=nodes)
    assert len(emulator.requests) == 7


def test_a_blank_text_is_named_by_its_place_although_others_are_in_the_cache(make, call, emulator):
    embedding = make(embeddings_cache=SimpleKVStore())
    call(embedding, "get_text_embedding_batch", ["tea", "rice"])
    with pytest.raises(ConfigError, match="text 2 is blank"):
        call(embedding, "get_text_embedding_batch", ["tea", "rice", " "])
    assert len(emulator.requests) == 2


def test_the_cache_never_takes_a_text_for_a_query(make, call, emulator):
    embedding = make(embeddings_cache=SimpleKVStore(), query_instruction="Find the passage")
    for name in ("get_query_embedding", "get_text_embedding") * 2:
        call(embedding, name, "tea")
    assert [request.body["instructions"] for request in emulator.requests] == [
        "Target_modality: text.\nInstruction:Find the passage\nQuery:",
        "Instruction:Compress the text into one word.\nQuery:",
    ]


@pytest.mark.parametrize(
    "other",
    [
        {"dimensions": 1024},
        {"model": "doubao-embedding-vision-250615"},
        {"text_instruction": "Retrieve similar text"},
    ],
    ids=str,
)
def test_two_models_can_share_a_cache(make, call, emulator, other):
    store = SimpleKVStore()
    call(make(embeddings_cache=store), "get_text_embedding", "tea")
    call(make(embeddings_cache=store, **other), "get_text_embedding", "tea")
    assert len(emulator.requests) == 2


def test_a_new_key_and_timeout_find_the_same_vectors(make, call, emulator):
    store = SimpleKVStore()
    first = call(make(embeddings_cache=store), "get_text_embedding", "tea")
    renewed = make(embeddings_cache=store, api_key="sk-new", timeout=5.0, max_concurrency=3)
    assert call(renewed, "get_text_embedding", "tea") == first
    assert len(emulator.requests) == 1


def test_a_cache_that_was_saved_is_used_again(make, call, emulator, tmp_path):
    store, path = SimpleKVStore(), str(tmp_path / "vectors.json")
    first = call(make(embeddings_cache=store), "get_text_embedding_batch", ["tea", "rice"])
    store.persist(path)
    loaded = SimpleKVStore.from_persist_path(path)
    again = make(embeddings_cache=loaded)
    assert call(again, "get_text_embedding_batch", ["rice", "tea"]) == first[::-1]
    assert len(emulator.requests) == 2


def test_a_cache_is_no_part_of_what_is_serialised(make):
    cached = make(embeddings_cache=SimpleKVStore())
    assert cached.to_dict() == make().to_dict()
    assert cached.model_copy(update={"dimensions": 1024}).embeddings_cache is not None


def test_a_cache_answers_as_the_store_that_was_given(make, call):
    store = SimpleKVStore()
    cache = make(embeddings_cache=store).embeddings_cache
    cache.put("name", {"value": 1}, "mine")
    assert cache.get("name", "mine") == store.get("name", "mine") == {"value": 1}
    assert cache.get_all("mine") == {"name": {"value": 1}}
    assert cache.delete("name", "mine")

    async def twins() -> Any:
        await cache.aput("name", {"value": 2}, "mine")
        assert await cache.aget_all("mine") == {"name": {"value": 2}}
        assert await cache.aget("name", "mine") == {"value": 2}
        return await cache.adelete("name", "mine")

    assert asyncio.run(twins())
    assert store.get("name", "mine") is None


def test_what_is_no_store_is_refused_as_a_cache(make):
    with pytest.raises((TypeError, ValidationError), match="BaseKVStore"):
        make(embeddings_cache={})


class Ends(BaseEventHandler):
    """Collects what ended."""

    seen: list[Any]

    @classmethod
    def class_name(cls) -> str:
        return "Ends"

    def handle(self, event: Any, **_: Any) -> None:
        if isinstance(event, EmbeddingEndEvent):
            self.seen.append(event.chunks)


@pytest.mark.parametrize("cached", [False, True])
def test_each_batch_is_one_event_with_and_without_a_cache(make, call, cached):
    handler, dispatcher = Ends(seen=[]), get_dispatcher()
    dispatcher.add_event_handler(handler)
    store = SimpleKVStore() if cached else None
    try:
        embedding = make(embed_batch_size=2, embeddings_cache=store)
        call(embedding, "get_text_embedding_batch", ["tea", "rice", "silk"])
        call(embedding, "get_query_embedding", "tea")
    finally:
        dispatcher.event_handlers.remove(handler)
    assert handler.seen == [["tea", "rice"], ["silk"], ["tea"]]


class CountingLimiter:
    """A rate limiter that lets everything pass and counts it."""

    def __init__(self) -> None:
        self.asked = 0

    def acquire(self, num_tokens: int = 0) -> None:
        self.asked += 1

    async def async_acquire(self, num_tokens: int = 0) -> None:
        self.asked += 1


class Nosy(CountingLimiter):
    """Embeds the same texts with another model while a call is under way, as a handler might."""

    def __init__(self, other: Any) -> None:
        super().__init__()
        self.other = other
        self.lengths: list[int] = []

    def acquire(self, num_tokens: int = 0) -> None:
        self.lengths.append(len(self.other.get_text_embedding("tea")))
        self.lengths.append(len(self.other.get_query_embedding("tea")))


@pytest.mark.parametrize("cached", [False, True])
def test_two_models_that_work_at_once_do_not_mix_up_their_vectors(make, cached):
    store = SimpleKVStore() if cached else None
    nosy = Nosy(make(dimensions=1024, embeddings_cache=store))
    embedding = make(embed_batch_size=1, rate_limiter=nosy, embeddings_cache=store)
    vectors = embedding.get_text_embedding_batch(["tea", "tea", "rice"])
    assert {len(vector) for vector in vectors} == {2048}
    assert set(nosy.lengths) == {1024}


def test_the_rate_limiter_is_asked_for_each_request(make, call, emulator):
    limiter = CountingLimiter()
    embedding = make(rate_limiter=limiter, embed_batch_size=3)
    call(embedding, "get_text_embedding_batch", [f"text {number}" for number in range(7)])
    call(embedding, "get_query_embedding", "tea")
    assert limiter.asked == len(emulator.requests) == 8


def test_batches_of_a_text_model_ask_the_rate_limiter_once(make, call, emulator):
    limiter = CountingLimiter()
    embedding = make(TEXT, rate_limiter=limiter, embed_batch_size=600)
    call(embedding, "get_text_embedding_batch", ["tea"] * 600)
    assert limiter.asked == len(emulator.requests) == 3
