"""What a failed call had done, LangChain's cache that goes on from there, and its evaluators."""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

import httpx
import pytest
from langchain_core.exceptions import ModelAPIError, ModelInvalidRequestError
from langchain_core.stores import InMemoryByteStore
from langchain_core.vectorstores import InMemoryVectorStore

from doubao_core import InvalidRequest, ServerError
from langchain_doubao import DoubaoEmbeddings

VISION = "doubao-embedding-vision-251215"
SHORT_TEXT = "doubao-embedding-text-240715"
TOO_LONG = "word " * 5000


@pytest.fixture
def classic():
    """LangChain's former main package, where the cache and the evaluators live on."""
    return pytest.importorskip("langchain_classic", reason="needs langchain-classic")


@pytest.fixture
def make(emulator):
    """Make embeddings that talk to the emulator, one request at a time."""

    def make(model=VISION, **fields: Any) -> DoubaoEmbeddings:
        settings = {"api_key": "k", "max_retries": 0, "max_concurrency": 1, **fields}
        return DoubaoEmbeddings(model=model, base_url=emulator.base_url, **settings)

    return make


@pytest.fixture(params=["sync", "async"])
def call(request):
    """Call a method of embeddings, or of what wraps them, by its blocking name or async twin."""

    def run(embeddings: Any, name: str, *values: Any) -> Any:
        if request.param == "sync":
            return getattr(embeddings, name)(*values)

        async def awaited() -> Any:
            ours = getattr(embeddings, "underlying_embeddings", embeddings)
            try:
                return await getattr(embeddings, f"a{name}")(*values)
            finally:
                await ours.aclose()
                if ours.http_async_client is not None:
                    await ours.http_async_client.aclose()

        return asyncio.run(awaited())

    return run


@pytest.fixture
def outage(emulator):
    """Give clients under which the service fails from the n-th request on."""
    opened = []

    def make(after: int) -> dict[str, Any]:
        left = [after]

        def sent(_: object) -> None:
            left[0] -= 1
            if left[0] == -1:
                emulator.world.faults.arm("server_error")

        async def asent(request: object) -> None:
            sent(request)

        opened.append(httpx.Client(event_hooks={"request": [sent]}))
        asynchronous = httpx.AsyncClient(event_hooks={"request": [asent]})
        return {"http_client": opened[-1], "http_async_client": asynchronous}

    yield make
    for client in opened:
        client.close()


def sent_texts(emulator) -> list[str]:
    return [request.body["input"][0]["text"] for request in emulator.requests]


def test_a_failure_has_the_vectors_that_were_done(make, call):
    texts = ["tea", "rice", TOO_LONG, "silk"]
    with pytest.raises(InvalidRequest) as caught:
        call(make(SHORT_TEXT, chunk_size=1), "embed_documents", texts)
    assert isinstance(caught.value, ModelInvalidRequestError)
    progress = caught.value.progress
    assert "while embedding input 2 of 4; 2 are done" in str(caught.value)
    assert (progress.failed, progress.missing) == ((2,), [2, 3])
    assert progress.vectors[1] == call(make(SHORT_TEXT), "embed_query", "rice")


def test_what_is_missing_can_be_embedded_after_a_failure(make, call, emulator, outage):
    texts = [f"text {number}" for number in range(6)]
    with pytest.raises(ServerError) as caught:
        call(make(**outage(4)), "embed_documents", texts)
    emulator.world.faults.clear()
    progress = caught.value.progress
    rest = call(make(), "embed_documents", [texts[position] for position in progress.missing])
    vectors = {**progress.vectors, **dict(zip(progress.missing, rest, strict=True))}
    whole = call(make(), "embed_documents", texts)
    assert [vectors[position] for position in range(6)] == whole
    assert sent_texts(emulator)[:7] == [*texts[:5], *texts[4:]]


def cached(embeddings: DoubaoEmbeddings, store: Any, **options: Any) -> Any:
    kind = importlib.import_module("langchain_classic.embeddings").CacheBackedEmbeddings
    return kind.from_bytes_store(
        embeddings,
        store,
        namespace=embeddings.cache_namespace,
        key_encoder="sha256",
        **options,
    )


def test_with_langchains_cache_the_next_run_sends_only_the_rest(
    make, call, emulator, outage, classic
):
    """Shows R000-33."""
    texts, store = [f"text {number}" for number in range(8)], InMemoryByteStore()
    failing = cached(make(api_key="sk-old", **outage(5)), store, batch_size=2)
    with pytest.raises(ModelAPIError):
        call(failing, "embed_documents", texts)
    emulator.world.faults.clear()
    # Two batches of two are in the cache; of the third, one text was embedded.
    again = cached(make(api_key="sk-new", timeout=5.0), store, batch_size=2)
    assert len(call(again, "embed_documents", texts)) == 8
    assert sent_texts(emulator)[6:] == texts[4:]
    call(again, "embed_documents", texts)
    assert len(emulator.requests) == 10


@pytest.mark.parametrize(
    "other",
    [
        {"dimensions": 1024},
        {"model": "doubao-embedding-vision-250615"},
        {"document_instruction": "Retrieve similar text"},
        {"query_instruction": "Find the passage"},
    ],
    ids=str,
)
def test_what_changes_a_documents_vector_changes_the_namespace(make, other):
    assert make(**other).cache_namespace != make().cache_namespace


def test_what_changes_no_vector_changes_no_namespace(make):
    other = make(api_key="sk-other", timeout=1.0, max_retries=5, chunk_size=3, max_concurrency=9)
    assert other.cache_namespace == make().cache_namespace


def test_a_store_is_saved_loaded_and_asked(make, tmp_path):
    store = InMemoryVectorStore(make())
    store.add_texts(
        ["Green tea is picked in early spring.", "Rice fields need water for most of the summer."]
    )
    store.dump(str(tmp_path / "index.json"))
    loaded = InMemoryVectorStore.load(str(tmp_path / "index.json"), make())
    found = loaded.similarity_search("When is green tea picked?", k=1)
    assert found[0].page_content.startswith("Green tea")


def test_langchains_distance_evaluator_takes_our_embeddings(make, classic):
    evaluation = importlib.import_module("langchain_classic.evaluation")
    evaluator = evaluation.load_evaluator("embedding_distance", embeddings=make())
    same = evaluator.evaluate_strings(prediction="Tea is green.", reference="Tea is green.")
    other = evaluator.evaluate_strings(prediction="Tea is green.", reference="Jade axes are old.")
    assert same["score"] == pytest.approx(0, abs=1e-6)
    assert other["score"] > same["score"] + 0.05
    pairs = evaluation.load_evaluator("pairwise_embedding_distance", embeddings=make())

    async def compared() -> float:
        try:
            found = await pairs.aevaluate_string_pairs(prediction="Tea.", prediction_b="Jade.")
        finally:
            await pairs.embeddings.aclose()
        return found["score"]

    assert asyncio.run(compared()) > 0.05
