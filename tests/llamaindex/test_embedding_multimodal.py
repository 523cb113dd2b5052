"""DoubaoMultiModalEmbedding over real HTTP: pictures of every kind, nodes, and indexes."""

from __future__ import annotations

import asyncio
import base64
import io
from typing import Any

import pytest
from llama_index.core.base.llms.types import ImageBlock
from llama_index.core.indices import MultiModalVectorStoreIndex
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.schema import ImageDocument, ImageNode, TextNode
from PIL import Image

from doubao_core import ConfigError
from llamaindex_doubao import DoubaoMultiModalEmbedding

VISION = "doubao-embedding-vision-251215"
URL = "https://example.com/a.png"


def picture_bytes(colour: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 48), colour).save(file, "PNG")
    return file.getvalue()


PNG = picture_bytes("teal")
DATA_URL = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"


@pytest.fixture
def make(emulator):
    """Make an embedding that talks to the emulator."""

    def make(**fields: Any) -> DoubaoMultiModalEmbedding:
        settings = {"model_name": VISION, "api_key": "k", "max_retries": 0, **fields}
        return DoubaoMultiModalEmbedding(base_url=emulator.base_url, **settings)

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

        return asyncio.run(awaited())

    return run


def sent(emulator) -> list[Any]:
    """Return the parts of all requests, those of pictures as ``(type, url)``."""
    return [
        [part.get("text") or part[part["type"]]["url"] for part in request.body["input"]]
        for request in emulator.requests
    ]


class CountingLimiter:
    """A rate limiter that lets everything pass and counts it."""

    def __init__(self) -> None:
        self.asked = 0

    def acquire(self, num_tokens: int = 0) -> None:
        self.asked += 1

    async def async_acquire(self, num_tokens: int = 0) -> None:
        self.asked += 1


def moved(content: bytes) -> io.BytesIO:
    """Return a file that is not at its beginning."""
    file = io.BytesIO(content)
    file.seek(5)
    return file


@pytest.mark.parametrize(
    ("picture", "url"),
    [
        (URL, URL),
        (DATA_URL, DATA_URL),
        (PNG, DATA_URL),
        (moved(PNG), DATA_URL),
        (ImageBlock(url=URL), URL),
        (ImageBlock(image=PNG), DATA_URL),
    ],
    ids=["url", "data url", "bytes", "BytesIO", "block with url", "block with bytes"],
)
def test_a_picture_may_come_in_many_forms(make, call, emulator, picture, url):
    assert len(call(make(), "get_image_embedding", picture)) == 2048
    assert sent(emulator) == [[url]]


def test_a_file_is_read_only_below_an_allowed_folder(make, call, emulator, tmp_path):
    path = tmp_path / "tea.png"
    path.write_bytes(PNG)
    for picture in (str(path), path, ImageBlock(path=path)):
        with pytest.raises(ConfigError, match="may not read"):
            call(make(), "get_image_embedding", picture)
    assert emulator.requests == []
    assert len(call(make(allowed_folders=[tmp_path]), "get_image_embedding", str(path))) == 2048


def test_a_batch_of_pictures_keeps_its_order(make, call):
    pictures = [picture_bytes(colour) for colour in ("red", "green", "blue")]
    embedding = make(embed_batch_size=2)
    together = call(embedding, "get_image_embedding_batch", pictures)
    alone = [call(embedding, "get_image_embedding", each) for each in pictures]
    for one, other in zip(together, alone, strict=True):
        assert one == pytest.approx(other)


def test_a_film_and_a_mixture_become_one_vector_each(make, call, emulator):
    embedding = make()
    assert len(call(embedding, "get_video_embedding", "https://example.com/a.mp4")) == 2048
    parts = [{"type": "image_url", "image_url": {"url": URL}}, {"type": "text", "text": "shoe"}]
    assert len(call(embedding, "get_multimodal_embedding", parts)) == 2048
    assert sent(emulator) == [["https://example.com/a.mp4"], [URL, "shoe"]]


def test_image_nodes_are_embedded_as_pictures_with_their_text(make, call, emulator):
    nodes = [
        TextNode(text="tea"),
        ImageNode(image_url=URL),
        ImageNode(image=base64.b64encode(PNG).decode(), text="a cup"),
        ImageNode(text="no picture"),
    ]
    assert call(make(), "__call__", nodes) is nodes
    assert sorted(sent(emulator)) == sorted([["tea"], ["no picture"], [URL], [DATA_URL, "a cup"]])
    assert all(len(node.embedding) == 2048 for node in nodes)
    assert nodes[0].embedding != nodes[1].embedding


def test_image_documents_are_embedded_as_pictures(make, call, emulator):
    documents = [ImageDocument(image=base64.b64encode(PNG).decode()), ImageDocument(text="tea")]
    call(make(), "__call__", documents)
    assert sorted(sent(emulator)) == sorted([[DATA_URL], ["tea"]])
    assert all(len(document.embedding) == 2048 for document in documents)


@pytest.mark.parametrize("kind", [ImageNode, ImageDocument])
def test_the_file_of_a_node_is_read_only_below_an_allowed_folder(
    make, call, emulator, tmp_path, kind
):
    path = tmp_path / "tea.png"
    path.write_bytes(PNG)
    node = kind(image_path=str(path))
    with pytest.raises(ConfigError, match="may not read"):
        call(make(), "__call__", [node])
    assert emulator.requests == []
    call(make(allowed_folders=[tmp_path]), "__call__", [node])
    assert sent(emulator) == [[DATA_URL]]


def test_pictures_ask_the_rate_limiter_too(make, call):
    limiter = CountingLimiter()
    embedding = make(rate_limiter=limiter)
    call(embedding, "get_image_embedding_batch", [PNG, PNG])
    call(embedding, "__call__", [ImageNode(image_url=URL)])
    call(embedding, "get_multimodal_embedding", [{"type": "text", "text": "tea"}])
    assert limiter.asked == 4


def test_an_ingestion_pipeline_embeds_pictures(make, emulator):
    nodes = IngestionPipeline(transformations=[make()]).run(nodes=[ImageNode(image_url=URL)])
    assert len(nodes[0].embedding) == 2048
    assert sent(emulator) == [[URL]]


def test_an_index_of_pictures_is_searched_by_text_and_by_picture(make, tmp_path):
    path = tmp_path / "query.png"
    path.write_bytes(picture_bytes("red"))
    embedding = make(allowed_folders=[tmp_path])
    nodes = [
        ImageNode(
            image=base64.b64encode(picture_bytes(colour)).decode(), id_=colour, text="a square"
        )
        for colour in ("red", "blue")
    ]
    index = MultiModalVectorStoreIndex(nodes, embed_model=embedding, image_embed_model=embedding)
    retriever = index.as_retriever(image_similarity_top_k=1)
    assert len(retriever.text_to_image_retrieve("a red square")) == 1
    assert retriever.image_to_image_retrieve(str(path))[0].node_id == "red"


def test_the_class_says_which_one_it_is(make):
    assert make().to_dict()["class_name"] == "DoubaoMultiModalEmbedding"


def test_a_text_model_never_sees_a_picture(make, call, emulator):
    with pytest.raises(ConfigError, match="embeds text only"):
        call(make(model_name="doubao-embedding-text-240715"), "get_image_embedding", URL)
    assert emulator.requests == []


def test_an_endpoint_id_is_a_vision_model_here(make, call, emulator):
    assert len(call(make(model_name="ep-20261008-abcde"), "get_image_embedding", URL)) == 2048
    assert emulator.requests[0].path.endswith("/embeddings/multimodal")
