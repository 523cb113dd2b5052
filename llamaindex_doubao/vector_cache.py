"""``embeddings_cache`` with keys that tell models, dimensions, questions and passages apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core.storage.kvstore.types import DEFAULT_COLLECTION, BaseKVStore

from doubao_core.embedder import Vector

_VALUE = "embedding"


class VectorCache(BaseKVStore):
    """A store of the user's, in which LlamaIndex itself does not look.

    It would look by the bare text, whatever the model, the dimensions and the instruction, and so
    give a passage's vector for an equal question. It looks only in a cache that is true in a
    condition; this one is not, and the embedding asks it with the name of a collection that says
    all of that. For anybody else it is the store itself.
    """

    def __init__(self, store: BaseKVStore) -> None:
        self.store = store

    def __bool__(self) -> bool:
        return False

    def find(self, texts: Sequence[str], collection: str) -> dict[str, Vector]:
        """Give the vectors that are known, by text."""
        found = {text: self.store.get(text, collection) for text in dict.fromkeys(texts)}
        return {text: value[_VALUE] for text, value in found.items() if value is not None}

    async def afind(self, texts: Sequence[str], collection: str) -> dict[str, Vector]:
        """Give the vectors that are known, by text."""
        found = {text: await self.store.aget(text, collection) for text in dict.fromkeys(texts)}
        return {text: value[_VALUE] for text, value in found.items() if value is not None}

    def keep(self, vectors: Mapping[str, Vector], collection: str) -> None:
        """Store vectors by text."""
        for text, vector in vectors.items():
            self.store.put(text, {_VALUE: vector}, collection)

    async def akeep(self, vectors: Mapping[str, Vector], collection: str) -> None:
        """Store vectors by text."""
        for text, vector in vectors.items():
            await self.store.aput(text, {_VALUE: vector}, collection)

    def put(self, key: str, val: dict[str, Any], collection: str = DEFAULT_COLLECTION) -> None:
        """Put *val* into the store."""
        self.store.put(key, val, collection)

    async def aput(
        self, key: str, val: dict[str, Any], collection: str = DEFAULT_COLLECTION
    ) -> None:
        """Put *val* into the store."""
        await self.store.aput(key, val, collection)

    def get(self, key: str, collection: str = DEFAULT_COLLECTION) -> dict[str, Any] | None:
        """Get a value from the store."""
        return self.store.get(key, collection)

    async def aget(self, key: str, collection: str = DEFAULT_COLLECTION) -> dict[str, Any] | None:
        """Get a value from the store."""
        return await self.store.aget(key, collection)

    def get_all(self, collection: str = DEFAULT_COLLECTION) -> dict[str, dict[str, Any]]:
        """Get all values of a collection."""
        return self.store.get_all(collection)

    async def aget_all(self, collection: str = DEFAULT_COLLECTION) -> dict[str, dict[str, Any]]:
        """Get all values of a collection."""
        return await self.store.aget_all(collection)

    def delete(self, key: str, collection: str = DEFAULT_COLLECTION) -> bool:
        """Delete a value from the store."""
        return self.store.delete(key, collection)

    async def adelete(self, key: str, collection: str = DEFAULT_COLLECTION) -> bool:
        """Delete a value from the store."""
        return await self.store.adelete(key, collection)
