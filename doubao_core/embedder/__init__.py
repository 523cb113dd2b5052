"""Many inputs to vectors, right and at once; both adapters' embeddings are this and little more.

A :class:`Recipe` is pure: it checks inputs, chooses the endpoint by the model, applies
instructions and cuts batches. :class:`Embedder` and :class:`AsyncEmbedder` send what it made, and
:func:`dense` and :func:`sparse` put the answers together in the order of the inputs (ark.md 10,
11). What a failed call had done already is on its error, as an :class:`EmbeddingProgress`.
"""

from doubao_core.embedder.fan_out import (
    DEFAULT_CONCURRENCY,
    AsyncEmbedder,
    Embedder,
    EmbeddingUsage,
    Tally,
)
from doubao_core.embedder.kept import KeptSparse
from doubao_core.embedder.progress import EmbeddingProgress
from doubao_core.embedder.recipe import Part, Recipe, Request, Vector, Weights, dense, sparse

__all__ = [
    "DEFAULT_CONCURRENCY",
    "AsyncEmbedder",
    "Embedder",
    "EmbeddingProgress",
    "EmbeddingUsage",
    "KeptSparse",
    "Part",
    "Recipe",
    "Request",
    "Tally",
    "Vector",
    "Weights",
    "dense",
    "sparse",
]
