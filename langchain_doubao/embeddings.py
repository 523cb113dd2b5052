"""``DoubaoEmbeddings``: texts, pictures and mixtures to vectors (ark.md 10, 11)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from langchain_core.embeddings import Embeddings
from pydantic import AliasChoices, Field, PrivateAttr

from doubao_core import embedder, media
from doubao_core.api.embeddings import MOST_INPUTS
from doubao_core.embedder import EmbeddingUsage, Part, Recipe, Vector, Weights
from langchain_doubao.connection import Connection, Folder, Made
from langchain_doubao.errors import translated


class DoubaoEmbeddings(Connection, Embeddings):
    """Doubao embedding models, text-only and multimodal, blocking and async.

    The endpoint follows from the model: text models take up to 256 texts a request, vision models
    one document a request, several requests at once. Vectors come in the order of the inputs, their
    number and length checked; texts are sent untouched; an empty list sends nothing.

    .. code-block:: python

        from langchain_doubao import DoubaoEmbeddings

        embeddings = DoubaoEmbeddings(
            model="doubao-embedding-vision-251215",
            dimensions=1024,
            query_instruction="Find the passage that answers the question",
        )
        vectors = embeddings.embed_documents(["Tea is picked in spring.", "Rice likes water."])
        query = embeddings.embed_query("When is tea picked?")
        picture = embeddings.embed_image("https://example.com/tea.jpg")

    Raises:
        ConfigError: A blank text (its position is named), a picture for a text model, an
            instruction for a model that takes none: before anything is sent.
        DoubaoError: Any other of the tree; ``.progress`` says which inputs failed and has the
            vectors of the others.
    """

    model: str = Field(validation_alias=AliasChoices("model", "model_name"))
    """Model id, or an ``ep-…`` endpoint id together with ``multimodal``."""
    dimensions: int | None = Field(default=None, ge=1)
    """Length of the vectors; vision models from 250615 on take 1024 and 2048 (their default)."""
    multimodal: bool | None = None
    """Whether to use ``/embeddings/multimodal``; decided by the model id, endpoint ids must say."""
    chunk_size: int = Field(default=MOST_INPUTS, ge=1, le=MOST_INPUTS)
    """Most texts in one request to a text model."""
    max_concurrency: int = Field(default=embedder.DEFAULT_CONCURRENCY, ge=1)
    """Most requests in flight from this object, counted for threads and for each event loop."""
    query_instruction: str | None = None
    """What queries are for. Vision models from 251215 on get it in the query template of
    ark.md 11.1 (and documents the matching one), text models as a prefix."""
    document_instruction: str | None = None
    """The same for documents, for clustering or similarity; retrieval needs none."""
    target_modality: str = "text"
    """What queries look for: ``"text"``, ``"image"``, ``"video"``, ``"text and image"``, or several
    with ``/``."""
    keep_sparse: bool = False
    """For hybrid search: have each text's request bring its sparse weights as well, and keep them
    until :meth:`embed_sparse` or ``qdrant.DoubaoSparseEmbeddings`` asks for them, so that both cost
    one request. Vision models from 250615 on. Up to 64 MB are kept, the oldest go first."""
    allowed_folders: Sequence[Folder] = ()
    """Folders from which ``embed_image`` may read files; none by default."""

    _tally: embedder.Tally = PrivateAttr(default_factory=embedder.Tally)
    _kept: embedder.KeptSparse = PrivateAttr(default_factory=embedder.KeptSparse)
    _threads: Made[embedder.Embedder] = PrivateAttr(default=None)
    _tasks: Made[embedder.AsyncEmbedder] = PrivateAttr(default=None)

    @property
    def _recipe(self) -> Recipe:
        # Made anew each time: a field may have been changed, here or in an updated copy.
        return Recipe(
            model=self.model,
            dimensions=self.dimensions,
            multimodal=self.multimodal,
            query_instruction=self.query_instruction,
            document_instruction=self.document_instruction,
            target_modality=self.target_modality,
        )

    @property
    def usage(self) -> EmbeddingUsage:
        """Requests and tokens that this object has used so far."""
        return self._tally.total

    @property
    def cache_namespace(self) -> str:
        """Namespace of documents' vectors for ``CacheBackedEmbeddings``.

        It differs with all that decides a vector: service, model, dimensions, instruction; not with
        the key, timeouts or batch sizes. Queries with an instruction have other vectors, so they
        need a store of their own: never ``query_embedding_cache=True``.
        """
        with translated():
            return self._recipe.fingerprint(self.base_url or self.provider)

    def embed_documents(self, texts: list[str]) -> list[Vector]:
        """Embed texts as documents, one vector each, in order."""
        with translated():
            return self._run(self._documents(texts))

    def embed_query(self, text: str) -> Vector:
        """Embed one text as a query."""
        with translated():
            return self._run(self._recipe.queries([text], sparse=self.keep_sparse))[0]

    def embed_both(self, texts: list[str]) -> tuple[list[Vector], list[Weights]]:
        """Embed texts as documents, dense and sparse, with one request each.

        Vision models from 250615 on (ark.md 11).

        Returns:
            The vectors, and the weights by token index, both in the order of the texts.
        """
        with translated():
            answers = self._sender().run(self._recipe, self._recipe.documents(texts, sparse=True))
            return embedder.dense(self._recipe, answers), embedder.sparse(answers)

    def embed_sparse(self, texts: list[str], *, queries: bool = False) -> list[Weights]:
        """Give the sparse weights of texts, by token index; what ``keep_sparse`` kept is not sent.

        Args:
            texts: In any order and number; equal ones are sent once.
            queries: Whether they are queries, which matters when there are instructions.
        """
        with translated():
            claim = self._kept.claim(self._recipe, self._sparse(texts, queries=queries))
            return claim.filled(self._sender().run(self._recipe, claim.requests))

    def embed_image(self, image: str | bytes | Path) -> Vector:
        """Embed a picture; vision models only.

        Args:
            image: URL, data URL, bytes, or a file below ``allowed_folders``.
        """
        with translated():
            return self._run(self._recipe.inputs([[self._picture(image)]]))[0]

    def embed_multimodal(self, parts: Sequence[Part]) -> Vector:
        """Embed all *parts* together into one vector; vision models only.

        Args:
            parts: In wire form: ``{"type": "text", "text": …}``, ``{"type": "image_url", …}``,
                ``{"type": "video_url", …}`` (ark.md 11).
        """
        with translated():
            return self._run(self._recipe.inputs([parts]))[0]

    async def aembed_documents(self, texts: list[str]) -> list[Vector]:
        """Embed texts as documents, one vector each, in order."""
        with translated():
            return await self._arun(self._documents(texts))

    async def aembed_query(self, text: str) -> Vector:
        """Embed one text as a query."""
        with translated():
            return (await self._arun(self._recipe.queries([text], sparse=self.keep_sparse)))[0]

    async def aembed_both(self, texts: list[str]) -> tuple[list[Vector], list[Weights]]:
        """Embed texts as documents, dense and sparse; see :meth:`embed_both`."""
        with translated():
            requests = self._recipe.documents(texts, sparse=True)
            answers = await self._async_sender().run(self._recipe, requests)
            return embedder.dense(self._recipe, answers), embedder.sparse(answers)

    async def aembed_sparse(self, texts: list[str], *, queries: bool = False) -> list[Weights]:
        """Give the sparse weights of texts; see :meth:`embed_sparse`."""
        with translated():
            claim = self._kept.claim(self._recipe, self._sparse(texts, queries=queries))
            return claim.filled(await self._async_sender().run(self._recipe, claim.requests))

    async def aembed_image(self, image: str | bytes | Path) -> Vector:
        """Embed a picture; see :meth:`embed_image`."""
        with translated():
            part = await asyncio.to_thread(self._picture, image)
            return (await self._arun(self._recipe.inputs([[part]])))[0]

    async def aembed_multimodal(self, parts: Sequence[Part]) -> Vector:
        """Embed all *parts* together into one vector; see :meth:`embed_multimodal`."""
        with translated():
            return (await self._arun(self._recipe.inputs([parts])))[0]

    def _picture(self, image: str | bytes | Path) -> Part:
        url = media.as_url(image, roots=[Path(folder) for folder in self.allowed_folders])
        return {"type": "image_url", "image_url": {"url": url}}

    def _documents(self, texts: list[str]) -> list[embedder.Request]:
        return self._recipe.documents(texts, batch_size=self.chunk_size, sparse=self.keep_sparse)

    def _sparse(self, texts: list[str], *, queries: bool) -> list[embedder.Request]:
        plan = self._recipe.queries if queries else self._recipe.documents
        return plan(texts, sparse=True)

    def _run(self, requests: list[embedder.Request]) -> list[Vector]:
        answers = self._sender().run(self._recipe, requests)
        self._kept.keep(self._recipe, requests, answers)
        return embedder.dense(self._recipe, answers)

    async def _arun(self, requests: list[embedder.Request]) -> list[Vector]:
        answers = await self._async_sender().run(self._recipe, requests)
        self._kept.keep(self._recipe, requests, answers)
        return embedder.dense(self._recipe, answers)

    def _sender(self) -> embedder.Embedder:
        parts = (self._blocking(), self.max_concurrency, self._tally)
        return self._remade("_threads", parts, lambda: embedder.Embedder(*parts))

    def _async_sender(self) -> embedder.AsyncEmbedder:
        parts = (self._awaiting(), self.max_concurrency, self._tally)
        return self._remade("_tasks", parts, lambda: embedder.AsyncEmbedder(*parts))
