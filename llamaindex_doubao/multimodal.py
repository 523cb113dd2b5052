"""``DoubaoMultiModalEmbedding``: texts, pictures and films in one vector space (ark.md 11)."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, TypeAlias

from llama_index.core.base.llms.types import ImageBlock
from llama_index.core.bridge.pydantic import Field
from llama_index.core.embeddings import MultiModalEmbedding
from llama_index.core.schema import BaseNode, ImageDocument, ImageNode, MetadataMode

from doubao_core import media
from doubao_core.embedder import Part, Vector
from llamaindex_doubao.batches import placed
from llamaindex_doubao.embedding import DoubaoEmbedding

Picture: TypeAlias = str | bytes | BytesIO | Path | ImageBlock
PictureNode: TypeAlias = ImageNode | ImageDocument


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
        # First, so that nothing is paid for before a picture is refused.
        requests = self._recipe.inputs(self._together(pictures))
        with placed(texts, nodes):
            super().__call__(texts, **kwargs)
        with placed(pictures, nodes, texts):
            vectors = self._run(requests)
        for node, vector in zip(pictures, vectors, strict=True):
            node.embedding = vector
        return nodes

    async def acall(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """Embed *nodes*: image nodes as pictures, the others as texts."""
        texts, pictures = _sorted(nodes)
        requests = self._recipe.inputs(await asyncio.to_thread(self._together, pictures))
        with placed(texts, nodes):
            await super().acall(texts, **kwargs)
        with placed(pictures, nodes, texts):
            vectors = await self._arun(requests)
        for node, vector in zip(pictures, vectors, strict=True):
            node.embedding = vector
        return nodes

    def _fused(self, inputs: Sequence[Sequence[Part]]) -> list[Vector]:
        return self._run(self._recipe.inputs(inputs))

    async def _afused(self, inputs: Sequence[Sequence[Part]]) -> list[Vector]:
        return await self._arun(self._recipe.inputs(inputs))

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
