"""``DoubaoEmbedding``, ``DoubaoMultiModalEmbedding``, ``DoubaoSparseEmbedding`` (ark.md 10, 11)."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, TypeAlias

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.base.embeddings.base_sparse import BaseSparseEmbedding, SparseEmbedding
from llama_index.core.base.llms.types import ImageBlock
from llama_index.core.bridge.pydantic import Field, PrivateAttr
from llama_index.core.embeddings import MultiModalEmbedding
from llama_index.core.schema import BaseNode, ImageDocument, ImageNode, MetadataMode

from doubao_core import ConfigError, embedder, media
from doubao_core.api.embeddings import MOST_INPUTS
from doubao_core.embedder import EmbeddingUsage, Part, Recipe, Vector
from llamaindex_doubao.connection import Connection

Picture: TypeAlias = str | bytes | BytesIO | Path | ImageBlock
PictureNode: TypeAlias = ImageNode | ImageDocument


class _Embedding(Connection):
    """What the dense and the sparse class share: fields, the plan, and who sends it."""

    # Frozen is what the plan is made of: a vector must not differ from what to_dict says.
    model_name: str = Field(
        frozen=True, description="Model id, or an ep-… id together with multimodal."
    )
    dimensions: int | None = Field(
        default=None,
        frozen=True,
        ge=1,
        description="Length of the vectors; default the model's own.",
    )
    multimodal: bool | None = Field(
        default=None,
        frozen=True,
        description="Use /embeddings/multimodal; default decided by the model id.",
    )
    embed_batch_size: int = Field(
        default=MOST_INPUTS, gt=0, le=2048, description="Texts that are embedded together."
    )
    num_workers: int | None = Field(
        default=embedder.DEFAULT_CONCURRENCY, description="Batches at once in async calls."
    )
    max_concurrency: int = Field(
        default=embedder.DEFAULT_CONCURRENCY,
        frozen=True,
        ge=1,
        description="Requests in flight at once.",
    )
    query_instruction: str | None = Field(
        default=None,
        frozen=True,
        description="What queries are for (ark.md 11.1); a prefix on text models.",
    )
    text_instruction: str | None = Field(
        default=None, frozen=True, description="The same for documents; retrieval needs none."
    )
    target_modality: str = Field(
        default="text",
        frozen=True,
        description='What queries look for: "text", "image", "video", …',
    )

    _recipe: Recipe = PrivateAttr()
    _threads: embedder.Embedder = PrivateAttr()
    _tasks: embedder.AsyncEmbedder = PrivateAttr()
    _tally: embedder.Tally = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Prepare what the methods need; no I/O."""
        super().model_post_init(context)
        self._recipe = Recipe(
            model=self.model_name,
            dimensions=self.dimensions,
            multimodal=self.multimodal,
            query_instruction=self.query_instruction,
            document_instruction=self.text_instruction,
            target_modality=self.target_modality,
        )
        self._tally = embedder.Tally()
        self._threads = embedder.Embedder(self._client, self.max_concurrency, self._tally)
        self._tasks = embedder.AsyncEmbedder(self._async_client, self.max_concurrency, self._tally)

    @property
    def usage(self) -> EmbeddingUsage:
        """Requests and tokens that this object has used so far."""
        return self._tally.total

    def _run(self, requests: list[embedder.Request]) -> list[Vector]:
        return embedder.dense(self._recipe, self._threads.run(self._recipe, requests))

    async def _arun(self, requests: list[embedder.Request]) -> list[Vector]:
        return embedder.dense(self._recipe, await self._tasks.run(self._recipe, requests))


class DoubaoEmbedding(_Embedding, BaseEmbedding):
    """Doubao embedding models for texts; the endpoint follows from the model.

    Text models take up to 256 texts a request; vision models one document a request, several
    requests at once, in blocking code too. Vectors come in the order of the inputs, their number
    and length checked; texts are sent untouched; an empty list sends nothing.

    .. code-block:: python

        from llamaindex_doubao import DoubaoEmbedding

        embed_model = DoubaoEmbedding(model_name="doubao-embedding-vision-251215", dimensions=1024)
        vector = embed_model.get_text_embedding("Tea is picked in spring.")

    Raises:
        ConfigError: A blank text (its position is named) or an instruction for a model that takes
            none, before anything is sent; or ``embeddings_cache`` together with instructions,
            because LlamaIndex keys it by the bare text and would mix up queries and documents.
        DoubaoError: Any other of the tree; with several requests it names the inputs.
    """

    @classmethod
    def class_name(cls) -> str:
        """Name under which LlamaIndex serialises it."""
        return "DoubaoEmbedding"

    def model_post_init(self, context: Any, /) -> None:
        """Prepare what the methods need; no I/O."""
        super().model_post_init(context)
        if self.embeddings_cache is not None and (self.query_instruction or self.text_instruction):
            raise ConfigError(
                "embeddings_cache does not tell queries from documents, which differ with "
                "query_instruction or text_instruction: leave one of them out"
            )

    def _get_query_embedding(self, query: str) -> Vector:
        return self._run(self._recipe.queries([query]))[0]

    async def _aget_query_embedding(self, query: str) -> Vector:
        return (await self._arun(self._recipe.queries([query])))[0]

    def _get_text_embedding(self, text: str) -> Vector:
        return self._get_text_embeddings([text])[0]

    async def _aget_text_embedding(self, text: str) -> Vector:
        return (await self._aget_text_embeddings([text]))[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[Vector]:
        return self._run(self._recipe.documents(texts))

    async def _aget_text_embeddings(self, texts: list[str]) -> list[Vector]:
        return await self._arun(self._recipe.documents(texts))


class DoubaoMultiModalEmbedding(DoubaoEmbedding, MultiModalEmbedding):
    """Doubao vision embedding models: texts, pictures, films and mixtures in one vector space.

    Pictures are URLs, data URLs, bytes, ``BytesIO``, ``ImageBlock``, or files below
    ``allowed_folders``. In an ``IngestionPipeline`` image nodes are embedded as pictures, together
    with their text if they have one.

    .. code-block:: python

        from llamaindex_doubao import DoubaoMultiModalEmbedding

        embed_model = DoubaoMultiModalEmbedding(model_name="doubao-embedding-vision-251215")
        picture = embed_model.get_image_embedding("https://example.com/tea.jpg")
        text = embed_model.get_query_embedding("tea on a terrace")
    """

    multimodal: bool | None = Field(
        default=True, frozen=True, description="This class always uses /embeddings/multimodal."
    )
    allowed_folders: Sequence[Path] = Field(
        default=(), exclude=True, description="Folders from which pictures may be read."
    )

    @classmethod
    def class_name(cls) -> str:
        """Name under which LlamaIndex serialises it."""
        return "DoubaoMultiModalEmbedding"

    def get_multimodal_embedding(self, parts: Sequence[Part]) -> Vector:
        """Embed all *parts* (in wire form, ark.md 11) together into one vector."""
        return self._fused([parts])[0]

    async def aget_multimodal_embedding(self, parts: Sequence[Part]) -> Vector:
        """Embed all *parts* (in wire form, ark.md 11) together into one vector."""
        return (await self._afused([parts]))[0]

    def get_video_embedding(self, url: str) -> Vector:
        """Embed a film by its URL or data URL."""
        return self.get_multimodal_embedding([_video(url)])

    async def aget_video_embedding(self, url: str) -> Vector:
        """Embed a film by its URL or data URL."""
        return await self.aget_multimodal_embedding([_video(url)])

    # The base types a picture as str | BytesIO; more kinds are taken, none is lost.
    def _get_image_embedding(self, img_file_path: Picture) -> Vector:
        return self._get_image_embeddings([img_file_path])[0]

    async def _aget_image_embedding(self, img_file_path: Picture) -> Vector:
        return (await self._aget_image_embeddings([img_file_path]))[0]

    def _get_image_embeddings(self, img_file_paths: Sequence[Picture]) -> list[Vector]:
        return self._fused(self._alone(img_file_paths))

    async def _aget_image_embeddings(self, img_file_paths: Sequence[Picture]) -> list[Vector]:
        return await self._afused(await asyncio.to_thread(self._alone, img_file_paths))

    def __call__(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """Embed *nodes*: image nodes as pictures, the others as texts."""
        texts, pictures = _sorted(nodes)
        super().__call__(texts, **kwargs)
        vectors = self._fused(self._together(pictures))
        for node, vector in zip(pictures, vectors, strict=True):
            node.embedding = vector
        return nodes

    async def acall(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """Embed *nodes*: image nodes as pictures, the others as texts."""
        texts, pictures = _sorted(nodes)
        await super().acall(texts, **kwargs)
        vectors = await self._afused(await asyncio.to_thread(self._together, pictures))
        for node, vector in zip(pictures, vectors, strict=True):
            node.embedding = vector
        return nodes

    # LlamaIndex asks the rate limiter for texts only.
    def _fused(self, inputs: Sequence[Sequence[Part]]) -> list[Vector]:
        requests = self._recipe.inputs(inputs)
        if self.rate_limiter is not None:
            for _ in requests:
                self.rate_limiter.acquire()
        return self._run(requests)

    async def _afused(self, inputs: Sequence[Sequence[Part]]) -> list[Vector]:
        requests = self._recipe.inputs(inputs)
        if self.rate_limiter is not None:
            for _ in requests:
                await self.rate_limiter.async_acquire()
        return await self._arun(requests)

    def _alone(self, pictures: Sequence[Picture]) -> list[list[Part]]:
        return [[self._part(each)] for each in pictures]

    def _together(self, nodes: Sequence[PictureNode]) -> list[list[Part]]:
        return [self._parts(node) for node in nodes]

    def _parts(self, node: PictureNode) -> list[Part]:
        # Not resolve_image(): it downloads URLs, which the service can do itself, and reads files
        # wherever they are.
        content = base64.b64decode(node.image) if node.image else node.image_path
        part = self._part(node.image_url or content or "")
        text = node.get_content(metadata_mode=MetadataMode.EMBED)
        return [part, {"type": "text", "text": text}] if text.strip() else [part]

    def _part(self, picture: Picture) -> Part:
        return {"type": "image_url", "image_url": {"url": self._url(picture)}}

    def _url(self, picture: Picture) -> str:
        source: str | bytes | Path
        if isinstance(picture, ImageBlock):
            source = str(picture.url or "") or picture.path or picture.resolve_image().read()
        elif isinstance(picture, BytesIO):
            source = picture.getvalue()
        else:
            source = picture
        return media.as_url(source, roots=self.allowed_folders)


class DoubaoSparseEmbedding(_Embedding, BaseSparseEmbedding):
    """Sparse weights of Doubao vision embedding models from 250615 on; texts only (ark.md 11).

    ``embed_both`` gives dense and sparse of one request, so that hybrid search pays once.
    """

    @classmethod
    def class_name(cls) -> str:
        """Name under which LlamaIndex serialises it."""
        return "DoubaoSparseEmbedding"

    def embed_both(self, texts: Sequence[str]) -> tuple[list[Vector], list[SparseEmbedding]]:
        """Embed documents, dense and sparse, with one request each."""
        answers = self._threads.run(self._recipe, self._recipe.documents(texts, sparse=True))
        return embedder.dense(self._recipe, answers), embedder.sparse(answers)

    async def aembed_both(self, texts: Sequence[str]) -> tuple[list[Vector], list[SparseEmbedding]]:
        """Embed documents, dense and sparse, with one request each."""
        answers = await self._tasks.run(self._recipe, self._recipe.documents(texts, sparse=True))
        return embedder.dense(self._recipe, answers), embedder.sparse(answers)

    def _get_query_embedding(self, query: str) -> SparseEmbedding:
        requests = self._recipe.queries([query], sparse=True)
        return embedder.sparse(self._threads.run(self._recipe, requests))[0]

    async def _aget_query_embedding(self, query: str) -> SparseEmbedding:
        requests = self._recipe.queries([query], sparse=True)
        return embedder.sparse(await self._tasks.run(self._recipe, requests))[0]

    def _get_text_embedding(self, text: str) -> SparseEmbedding:
        return self._get_text_embeddings([text])[0]

    async def _aget_text_embedding(self, text: str) -> SparseEmbedding:
        return (await self._aget_text_embeddings([text]))[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[SparseEmbedding]:
        return self.embed_both(texts)[1]

    async def _aget_text_embeddings(self, texts: list[str]) -> list[SparseEmbedding]:
        return (await self.aembed_both(texts))[1]


def _video(url: str) -> Part:
    return {"type": "video_url", "video_url": {"url": url}}


def _sorted(nodes: Sequence[BaseNode]) -> tuple[list[BaseNode], list[PictureNode]]:
    pictures = [
        node
        for node in nodes
        if isinstance(node, (ImageNode, ImageDocument)) and _has_picture(node)
    ]
    known = {id(node) for node in pictures}
    return [node for node in nodes if id(node) not in known], pictures


def _has_picture(node: PictureNode) -> bool:
    return bool(node.image or node.image_path or node.image_url)
