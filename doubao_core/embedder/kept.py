"""Sparse weights that came along with vectors, kept until they are asked for (ark.md 11)."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from doubao_core.embedder.recipe import Answer, Recipe, Request, Weights, sparse

MOST_KEPT = 4_000_000
"""Weights kept at once, 16 bytes each: some 20,000 passages of 200 different words, 64 MB."""

Key: TypeAlias = tuple[str, str | None, str]
_Packed: TypeAlias = tuple["array[int]", "array[float]"]


class KeptSparse:
    """The sparse halves of answers whose dense halves are already in use.

    A store for hybrid search asks for the vectors of its texts, and then, elsewhere and later, for
    the sparse weights of the same texts. Ark gives both in one answer, so what the first request
    brings is kept for the second question, and dropped once that is answered. When more is kept
    than *most*, the oldest weights go; asking for them costs a request, and never gives a wrong
    answer. Safe for threads and event loops; a copy or a pickle starts empty.
    """

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._most = most
        self._lock = threading.Lock()
        # Weights, and one for each text, because some texts have no weights.
        self._held = 0
        # The oldest first.
        self._kept: dict[Key, _Packed] = {}

    def __reduce__(self) -> tuple[type[KeptSparse], tuple[int]]:
        return KeptSparse, (self._most,)

    def keep(self, recipe: Recipe, requests: Sequence[Request], answers: Sequence[Answer]) -> None:
        """Keep the weights of those *answers* whose requests asked for any.

        Raises:
            Malformed: They were asked for and are not there.
        """
        asked = [pair for pair in zip(requests, answers, strict=True) if pair[0].sparse]
        weights = sparse([answer for _, answer in asked])
        with self._lock:
            for (request, _), each in zip(asked, weights, strict=True):
                key = _key(recipe, request)
                self._drop(key)
                self._kept[key] = (array("q", each), array("d", each.values()))
                self._held += 1 + len(each)
            while self._held > self._most:
                self._drop(next(iter(self._kept)))

    def claim(self, recipe: Recipe, requests: Sequence[Request]) -> Claim:
        """Say for which of *requests* weights are kept, and which must be sent after all."""
        keys = [_key(recipe, request) for request in requests]
        with self._lock:
            found = {key: self._kept[key] for key in keys if key in self._kept}
        missing = {
            key: request for key, request in zip(keys, requests, strict=True) if key not in found
        }
        return Claim(kept=self, keys=keys, found=found, missing=missing)

    def drop(self, keys: Iterable[Key]) -> None:
        """Forget the weights under *keys*; nothing happens where there are none."""
        with self._lock:
            for key in keys:
                self._drop(key)

    def _drop(self, key: Key) -> None:
        if packed := self._kept.pop(key, None):
            self._held -= 1 + len(packed[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What was kept for some requests, and what was not; equal requests are sent once."""

    kept: KeptSparse
    keys: Sequence[Key]
    found: Mapping[Key, _Packed]
    missing: Mapping[Key, Request]

    @property
    def requests(self) -> list[Request]:
        """The requests to send."""
        return list(self.missing.values())

    def filled(self, answers: Sequence[Answer]) -> list[Weights]:
        """Give the weights in the order of the texts, those in the *answers* among them."""
        weights = dict(zip(self.missing, sparse(answers), strict=True))
        for key, (indices, values) in self.found.items():
            weights[key] = dict(zip(indices, values, strict=True))
        # Only now: had a request failed, another attempt would find them still.
        self.kept.drop(self.found)
        return [weights[key] for key in self.keys]


def _key(recipe: Recipe, request: Request) -> Key:
    """Name the weights by all that they depend on; the number of dimensions is not of it."""
    return recipe.model, request.instructions, request.parts[0]["text"]
