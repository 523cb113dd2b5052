"""Where LlamaIndex uses embeddings: pipelines, workers, indexes of pictures, evaluators, Ray."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import pickle
from typing import Any

import pytest
from llama_index.core import StorageContext, VectorStoreIndex, load_index_from_storage
from llama_index.core.evaluation import SemanticSimilarityEvaluator
from llama_index.core.indices import MultiModalVectorStoreIndex
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.node_parser import SemanticSplitterNodeParser
from llama_index.core.schema import (
    Document,
    ImageDocument,
    ImageNode,
    MetadataMode,
    TextNode,
    TransformComponent,
)
from PIL import Image

from llamaindex_doubao import DoubaoEmbedding, DoubaoMultiModalEmbedding

VISION = "doubao-embedding-vision-251215"


def picture(colour: str) -> str:
    file = io.BytesIO()
    Image.new("RGB", (64, 48), colour).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


@pytest.fixture
def make(emulator):
    """Make an embedding that talks to the emulator."""

    def make(kind=DoubaoMultiModalEmbedding, **fields: Any) -> Any:
        settings = {"model_name": VISION, "api_key": "k", "max_retries": 0, **fields}
        return kind(base_url=emulator.base_url, **settings)

    return make


def kinds(emulator) -> list[str]:
    """Return what each request was about, in a fixed order."""
    return sorted(
        "+".join(part["type"] for part in request.body["input"]) for request in emulator.requests
    )


def mixed_nodes() -> list[Any]:
    return [
        TextNode(text="Green tea is picked in spring."),
        ImageNode(image=picture("red")),
        ImageNode(image=picture("blue"), text="a blue square"),
        TextNode(text="Rice likes standing water."),
    ]


def run_blocking(pipeline: IngestionPipeline, nodes: list[Any], **options: Any) -> list[Any]:
    return pipeline.run(nodes=nodes, **options)


def run_async(pipeline: IngestionPipeline, nodes: list[Any], **options: Any) -> list[Any]:
    async def run() -> list[Any]:
        try:
            return await pipeline.arun(nodes=nodes, **options)
        finally:
            await pipeline.transformations[0].aclose()

    return asyncio.run(run())


@pytest.mark.parametrize("run", [run_blocking, run_async], ids=["sync", "async"])
def test_a_pipeline_embeds_pictures_as_pictures_in_their_place(make, emulator, run):
    nodes = run(IngestionPipeline(transformations=[make()]), mixed_nodes())
    assert [type(node) for node in nodes] == [TextNode, ImageNode, ImageNode, TextNode]
    assert all(len(node.embedding) == 2048 for node in nodes)
    assert kinds(emulator) == ["image_url", "image_url+text", "text", "text"]


# The class may be pickled, but not its key: workers find it in the environment.
@pytest.mark.parametrize(
    "run",
    [
        run_blocking,
        pytest.param(
            run_async,
            # Forking beside running threads is what `arun` does by itself, up to Python 3.13.
            marks=pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning"),
        ),
    ],
    ids=["sync", "async"],
)
def test_worker_processes_embed_pictures_too(make, emulator, monkeypatch, run):
    monkeypatch.setenv("ARK_API_KEY", "sk-of-the-workers")
    nodes = run(
        IngestionPipeline(transformations=[make(api_key="sk-here")]), mixed_nodes(), num_workers=2
    )
    assert all(len(node.embedding) == 2048 for node in nodes)
    assert kinds(emulator) == ["image_url", "image_url+text", "text", "text"]
    keys = {request.headers["authorization"] for request in emulator.requests}
    assert keys == {"Bearer sk-of-the-workers"}


def image_index(embedding: Any) -> MultiModalVectorStoreIndex:
    # LlamaIndex leaves nodes without any text out of an index.
    nodes = [
        ImageNode(image=picture(colour), text="a square", id_=colour)
        for colour in ("red", "blue", "lime")
    ]
    return MultiModalVectorStoreIndex(nodes, embed_model=embedding, image_embed_model=embedding)


def test_an_index_of_pictures_is_searched_by_picture(make, tmp_path):
    path = tmp_path / "query.png"
    path.write_bytes(base64.b64decode(picture("blue")))
    retriever = image_index(make(allowed_folders=[tmp_path])).as_retriever(image_similarity_top_k=3)
    found = retriever.image_to_image_retrieve(str(path))
    assert found[0].node_id == "blue"
    assert found[0].score == pytest.approx(1.0)


def test_an_index_of_pictures_is_searched_by_text_with_the_instruction_for_pictures(make, emulator):
    embedding = make(query_instruction="Compress the text into one word.", target_modality="image")
    retriever = image_index(embedding).as_retriever(image_similarity_top_k=2)
    before = len(emulator.requests)
    assert len(retriever.text_to_image_retrieve("a red square")) == 2
    (asked,) = emulator.requests[before:]
    assert asked.body["input"] == [{"type": "text", "text": "a red square"}]
    # The example of ark.md 11.1 for searching pictures by text.
    assert asked.body["instructions"] == (
        "Target_modality: image.\nInstruction:Compress the text into one word.\nQuery:"
    )
    assert {
        (request.body["input"][0]["type"], request.body["instructions"])
        for request in emulator.requests[:before]
    } == {
        ("image_url", "Instruction:Compress the image into one word.\nQuery:"),
        ("text", "Instruction:Compress the text into one word.\nQuery:"),
    }


def test_an_index_is_saved_loaded_and_asked(make, tmp_path):
    nodes = [
        TextNode(text="Green tea is picked in early spring, before the rains."),
        TextNode(text="Rice fields need standing water for most of the summer."),
    ]
    VectorStoreIndex(nodes, embed_model=make()).storage_context.persist(str(tmp_path))
    storage = StorageContext.from_defaults(persist_dir=str(tmp_path))
    index = load_index_from_storage(storage, embed_model=make())
    found = index.as_retriever(similarity_top_k=1).retrieve("When is green tea picked?")
    assert found[0].text.startswith("Green tea")


@pytest.mark.parametrize(
    ("reference", "passing"),
    [("Green tea is picked in spring.", True), ("Jade axes were found in graves.", False)],
)
async def test_the_similarity_evaluator_judges_by_our_vectors(make, reference, passing):
    async with make(DoubaoEmbedding) as embedding:
        evaluator = SemanticSimilarityEvaluator(embed_model=embedding, similarity_threshold=0.9)
        result = await evaluator.aevaluate(
            response="Green tea is picked in spring.", reference=reference
        )
    assert result.passing is passing


def test_the_semantic_splitter_splits_by_our_vectors(make):
    text = "Green tea is picked in spring. Green tea likes rain. Jade axes lie in old graves."
    splitter = SemanticSplitterNodeParser(
        embed_model=make(DoubaoEmbedding), buffer_size=1, breakpoint_percentile_threshold=50
    )
    nodes = splitter.get_nodes_from_documents([Document(text=text)])
    assert len(nodes) >= 2
    assert "".join(node.text for node in nodes) == text


def as_an_actor(kind: type[TransformComponent], arguments: bytes, rows: str) -> list[Any]:
    """Do what ``RayTransformComponent`` does in an actor: class, plain arguments, nodes as JSON."""
    transform = kind(**pickle.loads(arguments))  # noqa: S301 - made here
    nodes = [
        (ImageNode if row["class_name"] == "ImageNode" else TextNode).from_dict(row)
        for row in json.loads(rows)
    ]
    return list(transform(nodes, show_progress=False))


@pytest.mark.parametrize("kind", [DoubaoEmbedding, DoubaoMultiModalEmbedding])
def test_an_actor_makes_it_from_its_class_and_plain_arguments(emulator, monkeypatch, kind):
    monkeypatch.setenv("ARK_API_KEY", "sk-of-the-actor")
    arguments = {"model_name": VISION, "base_url": emulator.base_url, "dimensions": 1024}
    nodes = mixed_nodes() if kind is DoubaoMultiModalEmbedding else mixed_nodes()[::3]
    rows = json.dumps([node.to_dict() for node in nodes])
    found = as_an_actor(pickle.loads(pickle.dumps(kind)), pickle.dumps(arguments), rows)  # noqa: S301
    assert [len(node.embedding) for node in found] == [1024] * len(nodes)
    assert emulator.requests[0].headers["authorization"] == "Bearer sk-of-the-actor"


def test_a_document_loses_its_picture_on_the_way_to_an_actor_but_a_node_does_not():
    # Why docs/embeddings.md says to use ImageNode; if this fails, the sentence can go.
    document = ImageDocument(image=base64.b64decode(picture("red")))
    assert not ImageDocument.from_dict(document.to_dict()).image
    node = ImageNode(image=picture("red"))
    assert ImageNode.from_dict(node.to_dict()).image == node.image
    assert node.get_content(MetadataMode.EMBED) == ""
