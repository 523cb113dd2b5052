"""Splitting a request into the things it asks for, and telling what kind of thing each one is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_ERRAND = (
    r"(?:make|create|draw|generate|produce|paint|sketch|search|find|look up|get|use|illustrate|"
    r"film|shoot|animate|tell|check|add|multiply)\b"
)
_CLAUSE = re.compile(
    r"(?<=[.!?;])\s+|(?<=[。！？；])"
    r"|,?\s+(?=(?:and\s+)?(?:then|after that|afterwards|finally|next|lastly|"
    rf"and also|as well as)\b)|,\s*(?=(?:and\s+)?{_ERRAND})|\s+and\s+(?={_ERRAND})"
    # "an image of a cat and a video of a dog"
    r"|\s+and\s+(?=(?:an?|one|some)\s+(?:[\w-]+\s+)?(?:image|picture|photo|drawing|painting|"
    r"illustration|video|film|clip|movie|animation)s?\s+(?:of|showing|about)\b)"
    r"|[，,]?\s*(?=(?:然后|接着|再|最后|并且|并(?!行)))",
    re.IGNORECASE,
)
_FIRST = re.compile(
    r"^\W*(?:please\s+)?first(?:ly)?\b(?![ _]frame)|\bfirst\W*$|首先|先(?!生)", re.IGNORECASE
)
_QUESTION = re.compile(
    r"^(?:who|what|when|where|why|how|which|whose|is|are|was|were|do|does|did|can|should)\b.*\?$"
    r"|[？]$|(?:吗|呢|什么|多少|怎么|为什么|哪|谁)",
    re.IGNORECASE | re.DOTALL,
)
# Questions about the speakers are not looked up.
_PERSONAL = re.compile(r"\b(?:you|your|my|me|I|we|our)\b|[你我]", re.IGNORECASE)
_THANKS = re.compile(
    r"^\W*(?:many\s+)?(?:thanks|thank you)\b|^\W*(?:谢谢|多谢|感谢)", re.IGNORECASE
)
# "Can you draw a fox?" is no question at heart, nor is "How about a picture of a fox?".
_WISH = re.compile(
    r"\b(?:make|create|draw|paint|sketch|generate|produce|render|illustrate|film|shoot|animate|"
    r"show|give|get|have|want|need|like|about)\b|[画绘拍给要]|生成|制作|创建",
    re.IGNORECASE,
)


def split(request: str) -> list[str]:
    """Split a request into the things it asks for, in order."""
    return [clause.strip() for clause in _CLAUSE.split(request) if clause and clause.strip()]


def at(request: str, position: int) -> str:
    """Return the clause in which a position lies."""
    end = 0
    for clause in split(request):
        start = request.index(clause, end)
        end = start + len(clause)
        if position < end:
            return clause
    return request


def masked(request: str, keep: Callable[[str], bool]) -> str:
    """Return the request with blanks in place of the clauses not to be kept."""
    text, end = request, 0
    for clause in split(request):
        start = request.index(clause, end)
        end = start + len(clause)
        if not keep(clause):
            text = f"{text[:start]}{' ' * len(clause)}{text[end:]}"
    return text


def is_first(clause: str) -> bool:
    """Say whether a clause asks to be done before all others."""
    return bool(_FIRST.search(clause))


def is_thanks(clause: str) -> bool:
    """Say whether a clause thanks for something."""
    return bool(_THANKS.search(clause))


def is_open_question(clause: str) -> bool:
    """Say whether a clause is a question about something else than the speakers."""
    return bool(_QUESTION.search(clause)) and not _PERSONAL.search(clause)


def only_wonders(clause: str) -> bool:
    """Say whether a clause is a question that wishes for nothing."""
    return bool(_QUESTION.search(clause)) and not _WISH.search(clause)
