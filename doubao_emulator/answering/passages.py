"""Reading a passage: its sentences, apart from the headings and file names above them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from doubao_emulator import words

if TYPE_CHECKING:
    from collections.abc import Sequence

# `## Title`, also with nothing but the mark.
_MARKED_HEADING = re.compile(r"\s{0,3}#{1,6}(?:\s+(?P<title>.*?))?\s*#*\s*$")
_UNDERLINE = re.compile(r"\s*(?:={3,}|-{3,})\s*$")
_SUFFIXES = r"(?:md|txt|pdf|html?|docx?|rst|csv|json|pptx?|xlsx?)"
# A line that only says which passage follows: `[2] lens.md, page 4`, `[source: lens.md]`, `[2]`,
# `Document 3:`.
_LABEL = re.compile(
    r"\s*(?:\[\d+\]\s*:?"
    rf"|\W*(?:\d+\W+)?(?:(?:source|file|来源|出处)\W+)?[^\s.!?。]+\.{_SUFFIXES}\b[^.!?。！？]*"
    r"|(?:document|passage|excerpt|chunk|source|node|文档|段落|片段|来源)\s*\d+\b[^.!?。！？]*)$",
    re.IGNORECASE,
)
_FULL_STOP = re.compile(r"[.!?。！？][\"'”’」』)）\]]*\s*$")
_SENTENCE_STOP = re.compile(r"[.!?;:。！？；：…][\"'”’」』)）\]]*\s*$")
_ANY_STOP = re.compile(r"[.!?;:,。！？；：，、…\"'”’」』)）\]]\s*$")
_STARTS_TITLE = re.compile(rf"\s*[\"'“‘(]?[A-Z0-9\u00c0-\u00de{words.CJK}]")
_STATES = re.compile(r"\b(?:is|are|was|were|has|have|had|can|will|does|did|means)\b|[是有了为]")
_ASKS = re.compile(r"\s*(?:how|what|why|when|where|who|which)\b", re.IGNORECASE)
_FIELD = re.compile(r"\s*(?:[\w'-]+\s?){1,3}[:：]\s*\S")
_MARK = re.compile(r"^\s*(?:[-*+>\u2022]|\d{1,2}[.)])\s+")
_NUMBER = re.compile(r"^\s*\[(?:\d+|source:[^\]]*)\]\s*", re.IGNORECASE)
_LONGEST_TITLE = 64
_LONGEST_HEADING = 160
_MOST_TITLE_LINES = 3
# Below a heading the lines are at least this much wider.
_WIDER = 1.5


@dataclass(frozen=True, slots=True)
class Paragraph:
    """What stands between two blank lines or headings.

    Attributes:
        sentences: The sentences, without list marks.
        heading: The headings and names above it; empty when there are none.
    """

    sentences: tuple[str, ...]
    heading: str = ""


@dataclass(slots=True)
class _Page:
    """The paragraphs read so far, and the lines of the one being read."""

    paragraphs: list[Paragraph] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    headings: list[str] = field(default_factory=list)
    used: bool = False

    def end_paragraph(self) -> None:
        said = words.sentences("\n".join(self.lines))
        spoken = [_NUMBER.sub("", _MARK.sub("", sentence)) for sentence in said]
        self.lines.clear()
        if any(spoken):
            heading = " / ".join(self.headings)
            self.paragraphs.append(Paragraph(tuple(filter(None, spoken)), heading))
            self.used = True

    def add_heading(self, heading: str) -> None:
        self.end_paragraph()
        if self.used:
            self.headings.clear()
            self.used = False
        self.headings.append(heading)


def paragraphs(passage: str) -> list[Paragraph]:
    """Split a passage into paragraphs, each with the heading it stands under.

    Markdown headings, lines that name a file or count a passage, and short lines above or between
    sentences that end without punctuation are headings: context, nothing to quote.
    """
    lines = passage.splitlines()
    page = _Page()
    is_prose = any(_FULL_STOP.search(line) for line in lines)
    at = 0
    while at < len(lines):
        height = _heading_height(lines, at, page.lines, is_prose=is_prose)
        if height:
            page.add_heading(" ".join(_title(line) for line in lines[at : at + height]).strip())
        elif lines[at].strip():
            page.lines.append(lines[at])
        else:
            page.end_paragraph()
        at += max(height, 1)
    page.end_paragraph()
    return page.paragraphs


def _heading_height(lines: Sequence[str], at: int, before: Sequence[str], *, is_prose: bool) -> int:
    """Return how many lines from `at` on are a heading; `before` is the paragraph above."""
    line = lines[at]
    is_short = len(line) <= _LONGEST_HEADING
    if is_short and (_MARKED_HEADING.match(line) or _LABEL.match(line)):
        return 1
    if before and not _SENTENCE_STOP.search(before[-1]):
        # The middle of a wrapped sentence.
        return 0
    if at + 1 < len(lines) and _UNDERLINE.match(lines[at + 1]) and _is_title(line):
        return 2
    return _bare_height(lines, at) if is_prose else 0


def _bare_height(lines: Sequence[str], at: int) -> int:
    """Return how many lines from `at` on look like a heading without any mark."""
    end = at
    while end < len(lines) and end - at < _MOST_TITLE_LINES and _is_title_line(lines[end]):
        end += 1
    titles = lines[at:end]
    if not titles or not _is_title(titles[0]):
        return 0
    below = lines[end] if end < len(lines) else ""
    if not below.strip():
        return 1 if len(titles) == 1 else 0
    widest = max(map(_width, titles))
    return len(titles) if _STARTS_TITLE.match(below) and _width(below) >= _WIDER * widest else 0


def _is_title(line: str) -> bool:
    states = _STATES.search(line) and not _ASKS.match(line)
    return bool(_STARTS_TITLE.match(line)) and not states and not _FIELD.match(line)


def _is_title_line(line: str) -> bool:
    is_short = 0 < _width(line) <= _LONGEST_TITLE
    return is_short and not _ANY_STOP.search(line) and not _MARK.match(line)


def _width(line: str) -> int:
    """Return how many columns a line takes; a Chinese character takes two."""
    bare = line.strip()
    return len(bare) + sum(words.has_cjk(character) for character in bare)


def _title(line: str) -> str:
    marked = _MARKED_HEADING.match(line)
    if marked:
        return marked["title"] or ""
    return "" if _UNDERLINE.match(line) else line.strip()
