"""Extractive answers: the sentences of the passages that best match the question."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from doubao_emulator import words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_MOST_SENTENCES = 3
# A further sentence must be nearly as good as the best one.
_GOOD_ENOUGH = 0.6
# At least this share of the question's weight must be found, or the passages are silent on it.
_LEAST_COVERAGE = 0.2
_MOST_CANDIDATES = 5000
_LONGEST_QUOTE = 600
_INHERITED = 0.5
_PRONOUN = re.compile(r"(?:It|Its|He|She|They|Their|This|These)\b|[它他她]")


@dataclass(frozen=True, slots=True)
class Finding:
    """Quoted sentences in the order of the text.

    Attributes:
        sentences: The quotes; empty when nothing matches.
        considered: How many sentences were compared.
        shared: Words of the question that the quotes contain.
    """

    sentences: tuple[str, ...]
    considered: int
    shared: tuple[str, ...]

    @property
    def text(self) -> str:
        """The quotes as one text."""
        separator = "" if words.has_cjk("".join(self.sentences)) else " "
        return separator.join(self.sentences)


def find(
    question: str, passages: Iterable[str], *, most: int = _MOST_SENTENCES, whole: bool = False
) -> Finding:
    """Return the sentences of `passages` that answer `question` best.

    Args:
        question: What is asked.
        passages: Text to quote from.
        most: Most sentences to quote.
        whole: Quote the sentence before one that begins with a pronoun as well.
    """
    candidates = _candidates(passages)
    weights = _weights(question, candidates)
    scored = _scores(candidates, weights)
    best = max((score for score, _ in scored), default=0.0)
    total = sum(weights.values())
    if not total or best / math.sqrt(total) < _LEAST_COVERAGE * math.sqrt(total):
        return Finding((), len(candidates), ())
    ranked = sorted(scored, key=lambda pair: (-pair[0], pair[1]))[:most]
    kept = {position for score, position in ranked if score >= _GOOD_ENOUGH * best}
    if whole:
        kept |= {at - 1 for at in kept if at and _PRONOUN.match(candidates[at])}
    chosen = sorted(kept)
    quotes = tuple(words.shorten(candidates[position], _LONGEST_QUOTE) for position in chosen)
    quoted_terms = {term for quote in quotes for term in words.terms(quote)}
    shared = [word for term, word in words.spelled_terms(question) if term in quoted_terms]
    return Finding(quotes, len(candidates), tuple(dict.fromkeys(shared)))


def _candidates(passages: Iterable[str]) -> list[str]:
    seen: dict[str, None] = {}
    for passage in passages:
        for sentence in words.sentences(passage):
            seen.setdefault(sentence)
    return list(seen)[:_MOST_CANDIDATES]


def _weights(question: str, candidates: Sequence[str]) -> dict[str, float]:
    """Weigh the question's terms: rare ones in the passages say more."""
    asked = dict.fromkeys(words.terms(question))
    spread: Counter[str] = Counter()
    for sentence in candidates:
        spread.update(asked.keys() & set(words.terms(sentence)))
    return {term: math.log(1 + len(candidates) / (1 + spread[term])) + 0.1 for term in asked}


def _scores(candidates: Sequence[str], weights: dict[str, float]) -> list[tuple[float, int]]:
    scored: list[tuple[float, int]] = []
    before = 0.0
    for position, sentence in enumerate(candidates):
        own = _score(sentence, weights)
        # "It" speaks of what the sentence before is about.
        inherited = _INHERITED * before if own and _PRONOUN.match(sentence) else 0.0
        scored.append((own + inherited, position))
        before = own
    return scored


def _score(sentence: str, weights: dict[str, float]) -> float:
    found = set(words.terms(sentence))
    matched = sum(weight for term, weight in weights.items() if term in found)
    # Long sentences match by chance; questions in the text answer nothing.
    length = 1 + 0.15 * math.log(1 + len(found))
    asks = 0.5 if sentence.rstrip().endswith(("?", "？")) else 1.0
    return asks * matched / length
