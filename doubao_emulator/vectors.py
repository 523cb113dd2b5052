"""Deterministic embeddings: texts that share words, and pictures that look alike, are near.

A text becomes signed hashes of its stems, stem pairs and character n-grams; stop words are
damped. No idf, so a vector depends on its own text only.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import math
import struct
import zlib
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from doubao_emulator import words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

_UNIGRAM, _BIGRAM, _CHARACTERS = 1.0, 0.6, 0.35
_CJK_CHARACTER = 0.7
_STOP_WORD = 0.08
_GRID = 12
_SPARSE_VOCABULARY = 1 << 20


def text_vector(text: str, dimensions: int) -> NDArray[np.float32]:
    """Return the unit vector of a text."""
    vector = np.zeros(dimensions, dtype=np.float64)
    for feature, weight in _features(text).items():
        for index, sign in _slots(feature, dimensions):
            vector[index] += sign * weight
    return _unit(vector, text.encode("utf-8", "surrogatepass"))


def picture_vector(raw: bytes, dimensions: int) -> NDArray[np.float32]:
    """Return the unit vector of a picture: its colours on a coarse grid, randomly projected."""
    with Image.open(io.BytesIO(raw)) as picture:
        small = picture.convert("RGB").resize((_GRID, _GRID), Image.Resampling.BOX)
    pixels = np.asarray(small, dtype=np.float64).reshape(-1) / 127.5 - 1.0
    return _unit(_projection(len(pixels), dimensions) @ pixels, raw)


def opaque_vector(address: str, dimensions: int) -> NDArray[np.float32]:
    """Return a vector for something that is only known by its address."""
    seed = int.from_bytes(hashlib.sha256(address.encode()).digest()[:8])
    vector = np.random.default_rng(seed).standard_normal(dimensions)
    return _unit(vector, address.encode())


def combine(vectors: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return the unit vector of several parts taken together."""
    total = np.sum(np.asarray(vectors, dtype=np.float64), axis=0)
    return _unit(total, b"".join(vector.tobytes() for vector in vectors))


def sparse(text: str) -> list[tuple[int, float]]:
    """Return vocabulary indices and weights of the text's terms, by index."""
    counts = Counter(words.terms(text))
    weights: dict[int, float] = {}
    for term, count in counts.items():
        index = zlib.crc32(term.encode()) % _SPARSE_VOCABULARY
        weights[index] = weights.get(index, 0.0) + math.log1p(count)
    return sorted(weights.items())


def _features(text: str) -> dict[str, float]:
    features: Counter[str] = Counter()
    found = list(words.tokens(text))
    for token in found:
        if words.has_cjk(token):
            features.update({_character(character): 1 for character in set(token)})
        elif token in words.STOP_WORDS:
            features[f"s:{token}"] += 1
        else:
            features.update(_character_grams(words.stem(token)))
    terms = words.terms(text)
    features.update(f"w:{term}" for term in terms)
    latin = [term for term in terms if not words.has_cjk(term)]
    features.update(f"b:{a} {b}" for a, b in itertools.pairwise(latin))
    return {feature: _weight(feature) * (1 + math.log(n)) for feature, n in features.items()}


def _character(character: str) -> str:
    return f"{'s' if character in words.STOP_CHARACTERS else 'c1'}:{character}"


def _character_grams(word: str) -> Iterable[str]:
    padded = f"<{word}>"
    return (f"g:{padded[i : i + 4]}" for i in range(max(1, len(padded) - 3)))


def _weight(feature: str) -> float:
    kind = feature.partition(":")[0]
    return {"w": _UNIGRAM, "b": _BIGRAM, "g": _CHARACTERS, "c1": _CJK_CHARACTER}.get(
        kind, _STOP_WORD
    )


def _slots(feature: str, dimensions: int) -> Iterator[tuple[int, float]]:
    """Return the places and signs of a feature; several, so that chance matches stay small."""
    digest = hashlib.blake2b(feature.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    for number in struct.unpack("<4I", digest):
        yield (number >> 1) % dimensions, 1.0 if number & 1 else -1.0


def _projection(inputs: int, dimensions: int) -> NDArray[np.float64]:
    return np.random.default_rng(inputs).standard_normal((dimensions, inputs))


def _unit(vector: NDArray[np.float64], source: bytes) -> NDArray[np.float32]:
    length = float(np.linalg.norm(vector))
    if length == 0.0:
        # Nothing to go by, for example punctuation only: still a vector, the same each time.
        vector = np.zeros_like(vector)
        vector[zlib.crc32(source) % len(vector)] = length = 1.0
    return (vector / length).astype(np.float32)
