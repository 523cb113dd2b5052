"""Extractive answers: the sentences of the passages that best match the question."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from doubao_emulator import words
from doubao_emulator.answering import coverage, passages

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

_MOST_SENTENCES = 3
# A further sentence must be nearly as good as the best one.
_GOOD_ENOUGH = 0.6
_MOST_CANDIDATES = 5000
_LONGEST_QUOTE = 600
_INHERITED = 0.5
# What a heading says counts a little for each sentence below it.
_OF_HEADING = 0.25
# What stands below the question itself, as in a list of frequent questions, answers it.
_ASKED_ABOVE = 1.5
_CUT = 0.7
_PRONOUN = re.compile(r"(?:It|Its|He|She|They|Their|This|These)\b|[它他她]")
_WHOLE = re.compile(r"[^a-z].*[.!?:;。！？：；…][\"'”’」』)）\]]*$", re.DOTALL)


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


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A sentence that may be quoted.

    Attributes:
        text: The sentence.
        terms: What it speaks of.
        above: What the heading of its paragraph speaks of.
        paragraph: Where it stands.
    """

    text: str
    terms: frozenset[str]
    above: frozenset[str]
    paragraph: passages.Paragraph

    @property
    def quote(self) -> str:
        """The sentence as it is quoted: dots stand where a passage was cut."""
        last = self.text.rpartition(" ")[2].lower()
        is_first = len(self.paragraph.sentences) > 1 and self.paragraph.sentences[0] == self.text
        start = "…" if is_first and self.text[:1].islower() else ""
        end = "…" if last in words.STOP_WORDS or last.endswith((",", "，", "、")) else ""
        return words.shorten(f"{start}{self.text.rstrip(',，、')}{end}", _LONGEST_QUOTE)


def find(
    question: str,
    texts: Iterable[str],
    *,
    most: int = _MOST_SENTENCES,
    whole: bool = False,
    least: float = coverage.MOST_OF_IT,
) -> Finding:
    """Return the sentences of `texts` that answer `question` best.

    Args:
        question: What is asked.
        texts: Passages to quote from.
        most: Most sentences to quote.
        whole: Quote the sentence before one that begins with a pronoun as well.
        least: Share of the question that the best paragraphs must speak of, or they are taken
            to be silent on it.
    """
    candidates = _candidates(texts)
    weights = _weights(question, candidates)
    scores = _scores(candidates, weights, question)
    ranked = sorted(range(len(candidates)), key=lambda position: (-scores[position], position))
    ranked = [position for position in ranked if scores[position] > 0]
    around = [_paragraph_text(candidates[position]) for position in ranked[:_MOST_SENTENCES]]
    if not ranked or coverage.share(question, around) <= least:
        return Finding((), len(candidates), ())
    kept = set(_best(ranked, candidates, scores, weights)[:most])
    if whole:
        kept |= {at - 1 for at in kept if at and _PRONOUN.match(candidates[at].text)}
    quotes = tuple(candidates[at].quote for at in sorted(kept))
    quoted_terms = {term for quote in quotes for term in words.terms(quote)}
    shared = [word for term, word in words.spelled_terms(question) if term in quoted_terms]
    return Finding(quotes, len(candidates), tuple(dict.fromkeys(shared)))


def _candidates(texts: Iterable[str]) -> list[_Candidate]:
    seen: dict[str, _Candidate] = {}
    for paragraph in (found for text in texts for found in passages.paragraphs(text)):
        above = frozenset(words.terms(paragraph.heading))
        for sentence in paragraph.sentences:
            terms = frozenset(words.terms(sentence))
            seen.setdefault(sentence, _Candidate(sentence, terms, above, paragraph))
    return list(seen.values())[:_MOST_CANDIDATES]


def _paragraph_text(candidate: _Candidate) -> str:
    return "\n".join([candidate.paragraph.heading, *candidate.paragraph.sentences])


def _weights(question: str, candidates: Sequence[_Candidate]) -> dict[str, float]:
    """Weigh the question's terms: rare ones in the passages say more."""
    asked = dict.fromkeys(words.terms(question))
    spread: Counter[str] = Counter()
    for candidate in candidates:
        spread.update(coverage.shared(asked, candidate.terms))
    return {term: math.log(1 + len(candidates) / (1 + spread[term])) + 0.1 for term in asked}


def _scores(
    candidates: Sequence[_Candidate], weights: dict[str, float], question: str
) -> list[float]:
    scores: list[float] = []
    before = 0.0
    for candidate in candidates:
        if coverage.is_asked_by(question, candidate.paragraph.heading):
            own = _ASKED_ABOVE * _score(candidate, weights, of_heading=1.0)
        else:
            own = _score(candidate, weights, of_heading=_OF_HEADING)
        # "It" speaks of what the sentence before is about.
        inherited = _INHERITED * before if own and _PRONOUN.match(candidate.text) else 0.0
        scores.append(own + inherited)
        before = own
    return scores


def _score(candidate: _Candidate, weights: dict[str, float], *, of_heading: float) -> float:
    sentence = candidate.text
    said = coverage.shared(weights, candidate.terms)
    above = coverage.shared(weights, candidate.above) - said
    # In the question's order: a sum over a set would differ from run to run in its last digit.
    matched = sum(weight for term, weight in weights.items() if term in said)
    matched += of_heading * sum(weight for term, weight in weights.items() if term in above)
    # Long sentences match by chance; questions in the text answer nothing.
    length = 1 + 0.15 * math.log(1 + len(candidate.terms))
    asks = 0.5 if sentence.rstrip().endswith(("?", "？")) else 1.0
    # Where a passage was cut out of its document, so may be its first and last sentence.
    cut = 1.0 if _WHOLE.match(sentence) else _CUT
    return asks * cut * matched / length


def _best(
    ranked: Sequence[int],
    candidates: Sequence[_Candidate],
    scores: Sequence[float],
    terms: Collection[str],
) -> list[int]:
    """Return what to quote, best first: each sentence adds something to the ones before it."""
    first = candidates[ranked[0]].paragraph
    covered: set[str] = set()
    kept: list[int] = []
    for position in ranked:
        candidate = candidates[position]
        said = coverage.shared(terms, candidate.terms)
        is_further = candidate.paragraph is first or not said <= covered
        if scores[position] < _GOOD_ENOUGH * scores[ranked[0]] or len(kept) == _MOST_SENTENCES:
            break
        if is_further and not _is_part(candidate, (candidates[other] for other in ranked)):
            kept.append(position)
            covered |= said
    return kept


def _is_part(candidate: _Candidate, others: Iterable[_Candidate]) -> bool:
    """Say whether another candidate holds this one: passages that overlap cut sentences."""
    return any(other is not candidate and candidate.text in other.text for other in others)
