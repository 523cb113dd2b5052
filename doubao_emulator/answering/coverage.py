"""How much of a question some text speaks of: whether it can be answered from it at all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from doubao_emulator import words

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

# More than this share must be spoken of.
MOST_OF_IT = 0.5
# A name cannot be said in other words; a verb can.
_NAME, _WORD, _VERB = 2.0, 1.0, 0.5
# Two characters are about one word.
_CHARACTER = 0.5
_NAMES = re.compile(r"(?<=[^.!?:;\s\"'“‘])\s+[\"'“‘]?(?P<name>[A-Z\u00c0-\u00de][\w-]+)")
_ASKED_VERB = re.compile(
    r"\b(?:who\s+|(?:what|which)\s+(?=\w+(?:s|ed)\b))(?P<verb>\w+)", re.IGNORECASE
)
_CJK_ASKING = re.compile(
    r"为什么|为何|什么样?|怎么样?|怎样|如何|多少?|哪一?[里个些座年种]?|是否|有没有|几[个座年种]?|谁"
)
# Shorter words have too many neighbours, such as light and lights, or plan and plane.
_SHORTEST_ROOT, _LONGEST_ENDING = 5, 3


def share(question: str, texts: Iterable[str]) -> float:
    """Return the share of a question that `texts` speak of together, from 0 to 1."""
    known = {term for text in texts for term in words.terms(text)}
    total = found = 0.0
    for importance, is_known in (*_latin(question, known), *_cjk(question, known)):
        total += importance
        found += importance * is_known
    return found / total if total else 0.0


def shared(asked: Collection[str], found: Iterable[str]) -> set[str]:
    """Return the terms of `asked` that are in `found`, also in a related form.

    Two words are related when one is the other with a short ending: `invent` and `inventor`.
    """
    known = set(found)
    roots = {form for term in known for form in _forms(term)}
    return {term for term in asked if term in roots or not known.isdisjoint(_forms(term))}


def is_asked_by(question: str, heading: str) -> bool:
    """Say whether a heading asks the very question, as headings of frequent questions do."""
    asked = " ".join(words.tokens(question))
    return bool(asked) and asked in " ".join(words.tokens(heading))


def _forms(word: str) -> Iterator[str]:
    yield word
    for ending in range(1, min(_LONGEST_ENDING, len(word) - _SHORTEST_ROOT) + 1):
        yield word[:-ending]


def _latin(question: str, known: set[str]) -> Iterator[tuple[float, bool]]:
    names = {words.stem(match["name"].lower()) for match in _NAMES.finditer(question)}
    verbs = {words.stem(match["verb"].lower()) for match in _ASKED_VERB.finditer(question)}
    asked = [term for term in dict.fromkeys(words.terms(question)) if not words.has_cjk(term)]
    spoken_of = shared(asked, known)
    for term in asked:
        importance = _NAME if term in names else _VERB if term in verbs else _WORD
        yield importance, term in spoken_of


def _cjk(question: str, known: set[str]) -> Iterator[tuple[float, bool]]:
    """Yield each character that carries meaning; it is known when a pair that it is in is."""
    for run in words.tokens(_CJK_ASKING.sub(" ", question)):
        if not words.has_cjk(run):
            continue
        reached = {
            at + step for at in range(len(run) - 1) for step in (0, 1) if run[at : at + 2] in known
        }
        for at, character in enumerate(run):
            if character not in words.STOP_CHARACTERS:
                yield _CHARACTER, at in reached
