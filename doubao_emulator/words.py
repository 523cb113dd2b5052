"""Words and sentences of Latin and Chinese text: what matching and embedding are built on."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Ranges of Chinese, Japanese and Korean characters, for use inside a character class.
CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
_TOKEN = re.compile(rf"[{CJK}]+|[^\W_{CJK}]+(?:['\u2019][a-z]+)?")
_HAS_CJK = re.compile(rf"[{CJK}]")

_STOP_WORDS = (
    "a about above after again all also am an and any are as at be because been before being "
    "below between both but by can could did do does doing down during each few for from further "
    "had has have having he her here hers him his how i if in into is it its itself just many me "
    "more most much my no nor not now of off on once only or other our out over own please same "
    "she should so some such tell than that the their theirs them then there these they this "
    "those through to too under until up use used using very was we were what when where which "
    "while who whom why will with would you your yours us let's"
)
STOP_WORDS = frozenset(_STOP_WORDS.split())
# Characters that carry grammar rather than meaning.
STOP_CHARACTERS = frozenset(
    "的了吗呢吧是在有和与及或就也都而之其这那个些么什怎哪谁我你他她它们请把被让给对"
)

# A sentence ends at a full stop before a blank and a capital, digit or quote, or at a Chinese one.
_SENTENCE_END = re.compile(
    r"(?<=[.!?])[\"')\]\u201d]*\s+(?=[\"'(\[\u201c]?[A-Z0-9\u00c0-\u00de\u4e00-\u9fff])"
    r"|(?<=[。！？；])[」』”]*\s*"
)
_ABBREVIATION = re.compile(
    r"\b(?:[A-Z]|Mr|Mrs|Ms|Dr|St|No|vs|etc|e\.g|i\.e|cf|approx|Fig|Vol|pp?)\.$|^\d{1,2}\.$"
)
# A list number has one or two digits: a wrapped line may well begin with "1858. ".
_PARAGRAPH = re.compile(r"\n\s*\n|\n(?=\s*(?:[-*#>\u2022]|\d{1,2}[.)])\s)|(?<=:)\n")


def has_cjk(text: str) -> bool:
    """Say whether the text holds Chinese, Japanese or Korean characters."""
    return bool(_HAS_CJK.search(text))


def tokens(text: str) -> Iterator[str]:
    """Yield lower-case Latin words and whole runs of CJK characters."""
    for match in _TOKEN.finditer(text.lower()):
        yield match.group()


def stem(word: str) -> str:
    """Cut common English endings, so that `tides` and `tidal` come closer."""
    word = re.sub(r"['\u2019](?:s|re|ve|ll|d|m|t)?$", "", word)
    for ending, rest in (("ies", "y"), ("sses", "ss"), ("ing", ""), ("edly", ""), ("ed", "")):
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
            return _undouble(word[: -len(ending)] + rest)
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > _SHORTEST_STEM:
        word = word[:-1]
    return word[:-1] if word.endswith("e") and len(word) > _SHORTEST_STEM + 1 else word


_SHORTEST_STEM = 3


def _undouble(word: str) -> str:
    doubled = len(word) > _SHORTEST_STEM and word[-1] == word[-2] and word[-1] not in "aeiouls"
    return word[:-1] if doubled else word.removesuffix("e") if len(word) > _SHORTEST_STEM else word


def terms(text: str) -> list[str]:
    """Return what the text is about: stems without stop words, CJK character pairs."""
    return [term for term, _ in spelled_terms(text)]


def spelled_terms(text: str) -> list[tuple[str, str]]:
    """Return each term with the word it was made from."""
    found: list[tuple[str, str]] = []
    for token in tokens(text):
        if has_cjk(token):
            found.extend((pair, pair) for pair in _cjk_terms(token))
        elif token not in STOP_WORDS:
            found.append((stem(token), token))
    return found


def _cjk_terms(run: str) -> Iterator[str]:
    if len(run) == 1:
        yield run
        return
    for first, second in itertools.pairwise(run):
        if first not in STOP_CHARACTERS and second not in STOP_CHARACTERS:
            yield first + second


def sentences(text: str) -> list[str]:
    """Split text into sentences; wrapped lines are joined, list items and headings kept apart."""
    found: list[str] = []
    for paragraph in _PARAGRAPH.split(text):
        joined = re.sub(rf"(?<=[{CJK}，。；：])\n(?=[{CJK}0-9])", "", paragraph)
        joined = re.sub(r"\s+", " ", joined).strip()
        found.extend(_split_sentences(joined))
    return found


def _split_sentences(paragraph: str) -> Iterator[str]:
    held = ""
    for piece in _SENTENCE_END.split(paragraph):
        held = f"{held} {piece}".strip() if held else piece.strip()
        # "e.g. Paris" is no sentence end, nor is the number of a list item.
        if held and not _ABBREVIATION.search(held):
            yield held
            held = ""
    if held:
        yield held


def shorten(text: str, limit: int = 160) -> str:
    """Return the text on one line, cut at a word when it is longer than `limit`."""
    line = " ".join(text.split())
    if len(line) <= limit:
        return line
    head = line[:limit]
    return (head.rpartition(" ")[0] or head).rstrip(" ,;:，；：") + "…"
