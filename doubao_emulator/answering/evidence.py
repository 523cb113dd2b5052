"""Finding values in text: quotes, names, places and numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass

from doubao_emulator import words

_QUOTED = re.compile(
    r"\"(?P<double>[^\"\n]{1,300})\"|“(?P<curly>[^”\n]{1,300})”|「(?P<corner>[^」\n]{1,300})」"
    r"|『(?P<white>[^』\n]{1,300})』|‘(?P<single>[^’\n]{1,300})’|`(?P<tick>[^`\n]{1,300})`"
    r"|(?<![\w])'(?P<plain>[^'\n]{1,300})'(?!\w)"
)
_NUMBER = re.compile(r"(?<![\w.:/])-?\d+(?:,\d{3})+(?:\.\d+)?|(?<![\w.:/])-?\d+(?:\.\d+)?")
_SYMBOLIC_NUMBER = re.compile(r"(?<=[(\[=*/+×÷-])\s*-?\d+(?:\.\d+)?")
_NAME_WORD = r"(?:[A-Z][\w'’.-]*[\w]|[A-Z])"
_PROPER = re.compile(rf"{_NAME_WORD}(?:\s+(?:of|the|de|van|von|and)?\s*{_NAME_WORD})*")
_PREDICATE = re.compile(r"\s+(?:is|was|are|were|has|had|lives|lived|works|worked|won|wrote)\b")
_NAMED = re.compile(rf"\b(?:named|called|name is|I am|I'm)\s+(?P<name>{_PROPER.pattern})")
_CJK_NAMED = re.compile(
    r"(?:名叫|叫做|叫|名为|姓名[是为：:])(?P<name>[\u4e00-\u9fff·]{1,12}?)(?=[，。,.\s]|$|的)"
)
_PLACE = re.compile(
    rf"\b(?:in|at|near|for|from|to|of|around)\s+(?P<place>{_NAME_WORD}(?:[ -]{_NAME_WORD})*"
    r"(?:,\s*[A-Z][A-Za-z]+)?)"
)
_CJK_PLACE = re.compile(
    r"(?:在|去|到|查|看|问)?(?P<place>[\u4e00-\u9fff]{2,8}?)(?:今天|明天|现在|当前|后天|这周|周末)?的?(?:天气|气温|温度)"
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What arguments and fields are filled from.

    Attributes:
        focus: The words of the request itself.
        text: All text of the conversation, the focus included.
        topic: What to fall back on when the focus names nothing itself.
        results: What earlier answers said and tools found so far, newest last.
    """

    focus: str
    text: str
    topic: str = ""
    results: tuple[str, ...] = ()


def quoted(text: str) -> list[str]:
    """Return what stands in quotation marks."""
    return [next(filter(None, match.groups())) for match in _QUOTED.finditer(text)]


def quoted_questions(text: str) -> list[str]:
    """Return the questions that stand in quotation marks."""
    return [quote for quote in quoted(text) if quote.rstrip().endswith(("?", "？"))]


def numbers(text: str) -> list[float]:
    """Return the numbers in the text, in order."""
    found = {match.start(): match.group() for match in _NUMBER.finditer(text)}
    found |= {
        match.end() - len(match.group().strip()): match.group().strip()
        for match in _SYMBOLIC_NUMBER.finditer(text)
    }
    return [float(found[position].replace(",", "")) for position in sorted(found)]


def number_near(text: str, labels: list[str]) -> float | None:
    """Return the number next to one of the labels: ``duration: 5``, ``5 seconds``."""
    for label in labels:
        word = re.escape(label)
        after = rf"\b{word}s?\b\s*(?:is|of|=|:|to|为|是|：)?\s*(?P<a>-?\d+(?:\.\d+)?)"
        before = rf"(?P<b>-?\d+(?:\.\d+)?)[\s-]*{word}"
        if match := re.search(f"{after}|{before}", text, re.IGNORECASE):
            return float(match["a"] or match["b"])
    return None


def labelled(text: str, label: str) -> str | None:
    """Return the value in ``label: value``, ``label is value`` or ``label=value``."""
    pattern = (
        rf"\b{re.escape(label)}\b\s*(?:[:：=]|\bis\b|\bare\b|为|是)\s*(?P<value>[^,;，；。\n]+)"
    )
    match = re.search(pattern, text, re.IGNORECASE)
    return match["value"].strip(" .\"'`“”") or None if match else None


def person(text: str) -> str | None:
    """Return the name of whoever or whatever is introduced by name."""
    if match := _NAMED.search(text) or _CJK_NAMED.search(text):
        return match["name"]
    names = proper_names(text)
    return names[0] if names else None


def place(text: str) -> str | None:
    """Return the place a request is about."""
    if match := _PLACE.search(text) or _CJK_PLACE.search(text):
        return match["place"].rstrip(" .,?!")
    names = proper_names(text)
    return names[0] if names else None


def proper_names(text: str) -> list[str]:
    """Return runs of capitalised words, in order.

    The first word of a sentence counts only within a run, or before a verb like `is`.
    """
    found: list[str] = []
    for sentence in words.sentences(text):
        for match in _PROPER.finditer(sentence):
            name = match.group().strip(" .,'’")
            head, _, rest = name.partition(" ")
            starts = match.start() == 0 and not _PREDICATE.match(sentence, match.end())
            if head.lower() in words.STOP_WORDS or (starts and not rest):
                name = rest
            if name:
                found.append(name)
    return list(dict.fromkeys(found))
