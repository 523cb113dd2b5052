"""DoubaoEmbeddings over real HTTP: what goes out, what comes back, and where the key is not."""

from __future__ import annotations

import asyncio
import copy
import inspect
import pickle
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.exceptions import ModelInvalidRequestError, ModelRateLimitError
from langchain_core.load import dumps
from langchain_core.vectorstores import InMemoryVectorStore
from pydantic import SecretStr, ValidationError

from doubao_core import ConfigError, RateLimited
from langchain_doubao import DoubaoEmbeddings

VISION = "doubao-embedding-vision-251215"
TEXT = "doubao-embedding-large-text-250515"
KEY = "sk-live-9f8e7d6c5b4a3210"


@pytest.fixture
def make(emulator):
    """Make embeddings that talk to the emulator."""

    def make(model=VISION, **fields: Any) -> DoubaoEmbeddings:
        settings = {"api_key": KEY, "max_retries": 0, **fields}
        return DoubaoEmbeddings(model=model, base_url=emulator.base_url, **settings)

    return make


@pytest.fixture(params=["sync", "async"])
def call(request):
    """Call a method by its blocking name, or its async twin."""

    def run(embeddings: DoubaoEmbeddings, name: str, *values: Any) -> Any:
        if request.param == "sync":
            return getattr(embeddings, name)(*values)

        async def awaited() -> Any:
            try:
                return await getattr(embeddings, f"a{name}")(*values)
            finally:
                await embeddings.aclose()

        return asyncio.run(awaited())

    return run


def test_the_async_methods_are_native():
    for name in ("aembed_documents", "aembed_query", "aembed_image", "aembed_multimodal"):
        assert inspect.iscoroutinefunction(DoubaoEmbeddings.__dict__[name])


@pytest.mark.parametrize("model", [VISION, TEXT])
def test_an_empty_list_sends_nothing(make, call, emulator, model):
    assert call(make(model), "embed_documents", []) == []
    assert emulator.requests == []


@pytest.mark.parametrize("model", [VISION, TEXT])
def test_a_blank_text_is_refused_before_anything_is_sent(make, call, emulator, model):
    with pytest.raises(ConfigError, match="text 1 is blank") as caught:
        call(make(model), "embed_documents", ["tea", "  ", "rice"])
    assert isinstance(caught.value, (ValueError, ModelInvalidRequestError))
    assert emulator.requests == []


def test_what_is_no_text_is_named(make, call, emulator):
    with pytest.raises(ConfigError, match=r"text 1 is a Document, not a string: .*page_content"):
        call(make(), "embed_documents", ["tea", Document(page_content="rice")])
    with pytest.raises(ConfigError, match=r"^the query is blank"):
        call(make(), "embed_query", " ")
    assert emulator.requests == []


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"model": "doubao-seed-2-1-pro-260915"}, "a chat model, not an embedding model"),
        ({"dimensions": 512}, "give dimensions=1024 or 2048"),
    ],
)
def test_what_no_model_gives_is_refused_before_anything_is_sent(make, call, emulator, fields, why):
    with pytest.raises(ConfigError, match=why):
        call(make(**fields), "embed_query", "tea")
    assert emulator.requests == []


def test_documents_of_a_vision_model_are_one_request_each(make, call, emulator):
    texts = [f"line one\nline {number} " for number in range(5)]
    vectors = call(make(dimensions=1024), "embed_documents", texts)
    assert [len(vector) for vector in vectors] == [1024] * 5
    bodies = sorted((request.body for request in emulator.requests), key=str)
    assert bodies == [
        {
            "model": VISION,
            "input": [{"type": "text", "text": text}],
            "encoding_format": "base64",
            "dimensions": 1024,
        }
        for text in texts
    ]


def test_documents_of_a_text_model_share_requests(make, call, emulator):
    texts = [f"text {number}" for number in range(5)]
    vectors = call(make(TEXT, chunk_size=3), "embed_documents", texts)
    assert len(vectors) == 5
    inputs = sorted(request.body["input"] for request in emulator.requests)
    assert inputs == [texts[:3], texts[3:]]


def test_instructions_differ_for_queries_and_documents(make, call, emulator):
    embeddings = make(query_instruction="Find the passage")
    call(embeddings, "embed_query", "tea")
    call(embeddings, "embed_documents", ["tea"])
    assert [request.body["instructions"] for request in emulator.requests] == [
        "Target_modality: text.\nInstruction:Find the passage\nQuery:",
        "Instruction:Compress the text into one word.\nQuery:",
    ]


def test_a_picture_can_be_bytes_or_a_url(make, call, emulator, png):
    embeddings = make()
    assert len(call(embeddings, "embed_image", png)) == 2048
    assert len(call(embeddings, "embed_image", "https://example.com/a.png")) == 2048
    urls = [request.body["input"][0]["image_url"]["url"] for request in emulator.requests]
    assert urls[0].startswith("data:image/png;base64,iVBOR")
    assert urls[1] == "https://example.com/a.png"


def test_a_picture_file_is_read_only_below_an_allowed_folder(make, call, emulator, png, tmp_path):
    (tmp_path / "tea.png").write_bytes(png)
    with pytest.raises(ConfigError, match="may not read"):
        call(make(), "embed_image", tmp_path / "tea.png")
    assert emulator.requests == []
    allowed = make(allowed_folders=[tmp_path])
    assert len(call(allowed, "embed_image", str(tmp_path / "tea.png"))) == 2048


def test_several_parts_become_one_vector(make, call, emulator, png):
    parts = [
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "text", "text": "red shoe"},
    ]
    assert len(call(make(), "embed_multimodal", parts)) == 2048
    assert [request.body["input"] for request in emulator.requests] == [parts]


def test_a_film_becomes_one_vector(make, call, emulator):
    film = {"type": "video_url", "video_url": {"url": "https://example.com/a.mp4", "fps": 0.5}}
    embeddings = make()
    assert len(call(embeddings, "embed_multimodal", [film])) == 2048
    assert emulator.requests[0].body["input"] == [film]
    assert embeddings.usage.image_tokens > 10_000


@pytest.mark.parametrize("multimodal", [True, False])
def test_an_endpoint_id_goes_where_it_is_said_to_belong(make, call, emulator, multimodal):
    call(make("ep-20261008-abcde", multimodal=multimodal), "embed_documents", ["tea"])
    path = "/embeddings/multimodal" if multimodal else "/embeddings"
    assert emulator.requests[0].path.endswith(path)


def test_an_endpoint_id_alone_is_refused_before_anything_is_sent(make, call, emulator):
    with pytest.raises(ConfigError, match="multimodal=True"):
        call(make("ep-20261008-abcde"), "embed_query", "tea")
    assert emulator.requests == []


def test_a_text_model_refuses_a_picture_before_anything_is_sent(make, call, emulator):
    with pytest.raises(ConfigError, match="embeds text only"):
        call(make(TEXT), "embed_image", "https://example.com/a.png")
    assert emulator.requests == []


def test_failures_are_langchains_and_ours_at_once(make, call, emulator):
    with emulator.fault("rate_limit"), pytest.raises(RateLimited) as caught:
        call(make(), "embed_query", "tea")
    assert isinstance(caught.value, ModelRateLimitError)
    assert caught.value.status_code == 429


def test_usage_adds_up_over_calls(make, call):
    embeddings = make()
    call(embeddings, "embed_query", "tea")
    call(embeddings, "embed_documents", ["tea", "rice"])
    assert embeddings.usage.requests == 3
    assert embeddings.usage.total_tokens > 0


def test_retrieval_finds_the_passage_about_the_question(make):
    store = InMemoryVectorStore(make())
    store.add_documents(
        [
            Document("Green tea is picked in early spring, before the rains."),
            Document("Rice fields need standing water for most of the summer."),
            Document("Silk worms eat the leaves of mulberry trees."),
        ]
    )
    found = store.similarity_search("When is green tea picked?", k=1)
    assert found[0].page_content.startswith("Green tea")


@pytest.mark.parametrize("key", [KEY, SecretStr(KEY), lambda: KEY], ids=["str", "secret", "call"])
def test_the_key_is_sent_and_shown_nowhere(make, emulator, key):
    embeddings = make(api_key=key)
    embeddings.embed_query("tea")
    assert emulator.requests[0].headers["authorization"] == f"Bearer {KEY}"
    for shown in (repr(embeddings), str(embeddings.model_dump()), dumps(embeddings)):
        assert KEY not in shown


def test_a_copy_keeps_the_key_and_works_after_use(make, emulator):
    embeddings = make()
    embeddings.embed_query("tea")
    twin = copy.deepcopy(embeddings)
    assert len(twin.embed_query("tea")) == 2048
    assert emulator.requests[1].headers["authorization"] == f"Bearer {KEY}"
    assert embeddings.usage.requests == 1


def test_a_pickle_takes_the_key_from_the_environment(make, emulator, monkeypatch):
    copied = pickle.dumps(make(dimensions=1024))
    assert KEY.encode() not in copied
    monkeypatch.setenv("ARK_API_KEY", "sk-other")
    twin = pickle.loads(copied)  # noqa: S301 - made here
    assert len(twin.embed_query("tea")) == 1024
    assert emulator.requests[0].headers["authorization"] == "Bearer sk-other"


def test_a_missing_key_is_an_error_of_the_first_request_only(emulator):
    embeddings = DoubaoEmbeddings(model=VISION, base_url=emulator.base_url)
    with pytest.raises(ConfigError, match="ARK_API_KEY"):
        embeddings.embed_query("tea")
    assert emulator.requests == []


def test_an_unknown_argument_is_refused():
    with pytest.raises(ValidationError, match="dimension_count"):
        DoubaoEmbeddings(model=VISION, dimension_count=3)


def test_the_model_may_be_called_model_name():
    assert DoubaoEmbeddings(model_name=VISION).model == VISION


def test_it_works_inside_a_running_event_loop(make):
    async def nested() -> int:
        return len(make().embed_documents(["tea", "rice"]))

    assert asyncio.run(nested()) == 2


def test_a_changed_field_counts_at_once_and_in_an_updated_copy(make):
    embeddings = make(dimensions=1024)
    twin = embeddings.model_copy(update={"dimensions": 2048})
    assert len(twin.embed_query("tea")) == 2048
    embeddings.dimensions = 2048
    assert len(embeddings.embed_query("tea")) == 2048


def test_a_bare_string_is_refused_as_documents(make, call, emulator):
    with pytest.raises(ConfigError, match="one string"):
        call(make(), "embed_documents", "abc")
    assert emulator.requests == []
