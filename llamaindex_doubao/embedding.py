"""``DoubaoEmbedding`` and ``DoubaoSparseEmbedding`` (ark.md 10, 11)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from itertools import count, islice
from threading import Event
from typing import Any, TypeAlias

from llama_index.core.base.embeddings.base import BaseEmbedding, dispatcher
from llama_index.core.base.embeddings.base_sparse import BaseSparseEmbedding, SparseEmbedding
from llama_index.core.bridge.pydantic import Field, PrivateAttr
from llama_index.core.callbacks.schema import CBEventType, EventPayload
from llama_index.core.instrumentation.events.embedding import (
    EmbeddingEndEvent,
    EmbeddingStartEvent,
)
from llama_index.core.rate_limiter import BaseRateLimiter
from llama_index.core.schema import BaseNode
from llama_index.core.storage.kvstore.types import BaseKVStore
from llama_index.core.utils import get_tqdm_iterable

from doubao_core import ConfigError, embedder
from doubao_core.config import resolve
from doubao_core.embedder import EmbeddingUsage, Recipe, Request, Vector
from doubao_core.embedder.recipe import check_list
from llamaindex_doubao.batches import batches, placed, without_span
from llamaindex_doubao.connection import Connection
from llamaindex_doubao.vector_cache import VectorCache

SparseLists: TypeAlias = tuple[list[list[int]], list[list[float]]]


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
    # Excluded is what decides no vector: IngestionCache makes its keys of all that is serialised.
    # In blocking code LlamaIndex embeds batch after batch: within a large one, requests overlap.
    embed_batch_size: int = Field(
        default=2048,
        gt=0,
        le=2048,
        exclude=True,
        description="Texts that are embedded together, 256 of them at most in one request.",
    )
    num_workers: int | None = Field(
        default=embedder.DEFAULT_CONCURRENCY,
        exclude=True,
        description="Batches at once in async calls.",
    )
    max_concurrency: int = Field(
        default=embedder.DEFAULT_CONCURRENCY,
        frozen=True,
        ge=1,
        exclude=True,
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
    _kept: embedder.KeptSparse = PrivateAttr()

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
        self._kept = embedder.KeptSparse()
        self._threads = embedder.Embedder(self._client, self.max_concurrency, self._tally)
        self._tasks = embedder.AsyncEmbedder(self._async_client, self.max_concurrency, self._tally)

    @property
    def usage(self) -> EmbeddingUsage:
        """Requests and tokens that this object has used so far."""
        return self._tally.total


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
            none, before anything is sent.
        DoubaoError: Any other of the tree; ``.progress`` says which inputs failed and has the
            vectors of the others, of all batches of the call.
    """

    embeddings_cache: Any = Field(
        default=None,
        frozen=True,
        exclude=True,
        description="A KV store for vectors of texts; tells models, queries and documents apart.",
    )

    keep_sparse: bool = Field(
        default=False,
        frozen=True,
        exclude=True,
        description="Have each text bring its sparse weights, for sparse_documents and _queries.",
    )

    @classmethod
    def class_name(cls) -> str:
        """Name under which LlamaIndex serialises it."""
        return "DoubaoEmbedding"

    def model_post_init(self, context: Any, /) -> None:
        """Prepare what the methods need; no I/O."""
        super().model_post_init(context)
        store = self.embeddings_cache
        if isinstance(store, BaseKVStore) and not isinstance(store, VectorCache):
            self.__dict__["embeddings_cache"] = VectorCache(store)

    @dispatcher.span
    def get_text_embedding_batch(
        self, texts: list[str], show_progress: bool = False, **_: Any
    ) -> list[Vector]:
        """Embed documents, ``embed_batch_size`` of them after the other.

        The base class does the same, but validates every number of the vectors for its event,
        which takes as long as to fetch them.
        """
        check_list(texts)
        shown = iter(get_tqdm_iterable(texts, show_progress, "Generating embeddings"))
        model, vectors = self.to_payload(), []
        with batches((self, False), texts):
            while batch := list(islice(shown, self.embed_batch_size)):
                vectors += self._observed(batch, model)
        return vectors

    def _observed(self, batch: list[str], model: dict[str, Any]) -> list[Vector]:
        """Embed a batch, telling LlamaIndex's event and callback handlers of it."""
        dispatcher.event(EmbeddingStartEvent(model_dict=model))
        begun: dict[str, Any] = {EventPayload.SERIALIZED: model}
        with self.callback_manager.event(CBEventType.EMBEDDING, payload=begun) as event:
            if self.rate_limiter is not None:
                self.rate_limiter.acquire()
            vectors = self._get_text_embeddings(batch)
            event.on_end({EventPayload.CHUNKS: batch, EventPayload.EMBEDDINGS: vectors})
        dispatcher.event(EmbeddingEndEvent.model_construct(chunks=batch, embeddings=vectors))
        return vectors

    @without_span
    async def aget_text_embedding_batch(
        self, texts: list[str], show_progress: bool = False, **kwargs: Any
    ) -> list[Vector]:
        """Embed documents, ``num_workers`` batches of them at once."""
        check_list(texts)
        with batches((self, False), texts) as work:
            try:
                return await super().aget_text_embedding_batch(texts, show_progress, **kwargs)
            except Exception as first:
                work.halt.set()  # LlamaIndex's own part may have failed.
                await work.settle()
                if (reason := work.reason) in (None, first):
                    raise
                # A batch that was halted ended before the one that is the reason.
                raise reason from reason.__cause__

    def __call__(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """Embed *nodes*; if that fails, they have the vectors that were done."""
        with placed(nodes, nodes):
            return super().__call__(nodes, **kwargs)

    async def acall(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """Embed *nodes*; if that fails, they have the vectors that were done."""
        with placed(nodes, nodes):
            return await super().acall(nodes, **kwargs)

    def sparse_documents(self, texts: list[str]) -> SparseLists:
        """Give the sparse weights of texts; Qdrant's ``sparse_doc_fn`` (ark.md 11).

        The weights came with the vectors of the same texts, if this object made them, and are not
        paid for again. Up to 64 MB are kept for that, the oldest go first. Needs ``keep_sparse``.

        Returns:
            Token indices of each text, and their weights.
        """
        return self._sparse(self._recipe.documents(texts, sparse=True))

    def sparse_queries(self, texts: list[str]) -> SparseLists:
        """Give the sparse weights of queries; Qdrant's ``sparse_query_fn``."""
        return self._sparse(self._recipe.queries(texts, sparse=True))

    def _sparse(self, requests: list[embedder.Request]) -> SparseLists:
        if not self.keep_sparse:
            raise ConfigError(
                f"{type(self).__name__} keeps no sparse weights, so each text would be sent and "
                "paid for twice: make it with keep_sparse=True"
            )
        claim = self._kept.claim(self._recipe, requests)
        weights = claim.filled(self._threads.run(self._recipe, claim.requests))
        return [list(each) for each in weights], [list(each.values()) for each in weights]

    def _get_query_embedding(self, query: str) -> Vector:
        return self._embedded([query], query=True)[0]

    async def _aget_query_embedding(self, query: str) -> Vector:
        return (await self._aembedded([query], query=True))[0]

    def _get_text_embedding(self, text: str) -> Vector:
        return self._embedded([text])[0]

    async def _aget_text_embedding(self, text: str) -> Vector:
        return (await self._aembedded([text]))[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[Vector]:
        return self._embedded(texts)

    async def _aget_text_embeddings(self, texts: list[str]) -> list[Vector]:
        return await self._aembedded(texts)

    def _embedded(self, texts: Sequence[str], *, query: bool = False) -> list[Vector]:
        # For all texts, also those of the cache: a blank one is named by its place among all.
        requests = self._planned(texts, query=query)
        cache, wanted = self.embeddings_cache, texts
        with batches((self, query), texts) as work:
            if cache is not None:
                collection = self._collection(query=query)
                work.vectors.update(cache.find(texts, collection))
                wanted = work.missing(texts)
                requests = self._planned(wanted, query=query)
            try:
                with work.batch(wanted):
                    fresh = self._run(requests, permits=1)
                    work.vectors.update(zip(wanted, fresh, strict=True))
            finally:
                if cache is not None:
                    cache.keep(work.done(wanted), collection)
            return [work.vectors[text] for text in texts]

    async def _aembedded(self, texts: Sequence[str], *, query: bool = False) -> list[Vector]:
        requests = self._planned(texts, query=query)
        cache, wanted = self.embeddings_cache, texts
        with batches((self, query), texts) as work, work.running():
            if cache is not None:
                collection = self._collection(query=query)
                work.vectors.update(await cache.afind(texts, collection))
                wanted = work.missing(texts)
                requests = self._planned(wanted, query=query)
            try:
                with work.batch(wanted):
                    fresh = await self._arun(requests, permits=1, halt=work.halt)
                    work.vectors.update(zip(wanted, fresh, strict=True))
            finally:
                if cache is not None:
                    await cache.akeep(work.done(wanted), collection)
            return [work.vectors[text] for text in texts]

    def _planned(self, texts: Sequence[str], *, query: bool) -> list[Request]:
        plan = self._recipe.queries if query else self._recipe.documents
        return plan(texts, sparse=self.keep_sparse)

    def _collection(self, *, query: bool) -> str:
        """Name where the cache keeps the vectors of queries, or of documents."""
        settings = resolve(**self._settings())
        service = settings.base_url or settings.gateway.name
        return self._recipe.fingerprint(service, query=query)

    def _run(self, requests: list[Request], *, permits: int = 0) -> list[Vector]:
        """Send *requests*; LlamaIndex has *permits* of the rate limiter for them already."""
        pace = None if self.rate_limiter is None else _pace(self.rate_limiter, permits)
        answers = self._threads.run(self._recipe, requests, pace=pace)
        self._kept.keep(self._recipe, requests, answers)
        return embedder.dense(self._recipe, answers)

    async def _arun(
        self, requests: list[Request], *, permits: int = 0, halt: Event | None = None
    ) -> list[Vector]:
        pace = None if self.rate_limiter is None else _apace(self.rate_limiter, permits)
        answers = await self._tasks.run(self._recipe, requests, pace=pace, halt=halt)
        self._kept.keep(self._recipe, requests, answers)
        return embedder.dense(self._recipe, answers)


class DoubaoSparseEmbedding(_Embedding, BaseSparseEmbedding):
    """Sparse weights of Doubao vision embedding models from 250615 on; texts only (ark.md 11).

    ``embed_both`` gives dense and sparse of one request, so that hybrid search pays once.
    """

    @classmethod
    def class_name(cls) -> str:
        """Name under which LlamaIndex serialises it."""
        return "DoubaoSparseEmbedding"

    @without_span
    def get_text_embedding_batch(
        self, texts: list[str], show_progress: bool = False, **kwargs: Any
    ) -> list[SparseEmbedding]:
        """Embed documents, ``embed_batch_size`` of them after the other."""
        check_list(texts)
        return super().get_text_embedding_batch(texts, show_progress, **kwargs)

    @without_span
    async def aget_text_embedding_batch(
        self, texts: list[str], show_progress: bool = False
    ) -> list[SparseEmbedding]:
        """Embed documents, ``num_workers`` batches of them at once."""
        check_list(texts)
        return await super().aget_text_embedding_batch(texts, show_progress)

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


def _pace(limiter: BaseRateLimiter, permits: int) -> Callable[[], None]:
    """Make what asks *limiter* before each request, but not for the first *permits*."""
    sent = count()

    def pace() -> None:
        if next(sent) >= permits:
            limiter.acquire()

    return pace


def _apace(limiter: BaseRateLimiter, permits: int) -> Callable[[], Awaitable[None]]:
    sent = count()

    async def pace() -> None:
        if next(sent) >= permits:
            await limiter.async_acquire()

    return pace
