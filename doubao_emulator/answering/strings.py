"""Choosing a string for a named field from what was said."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from doubao_emulator import words
from doubao_emulator.answering import bounds, evidence, extract, subject

if TYPE_CHECKING:
    from collections.abc import Callable

    from doubao_emulator.answering.evidence import Evidence
    from doubao_emulator.wire import JSON

_FORMATS = {
    "date": (r"\d{4}-\d{2}-\d{2}", "2026-01-01"),
    "date-time": (r"\d{4}-\d{2}-\d{2}T[\d:.]+(?:Z|[+-]\d\d:\d\d)", "2026-01-01T00:00:00Z"),
    "time": (r"\d{2}:\d{2}:\d{2}(?:Z|[+-]\d\d:\d\d)", "00:00:00Z"),
    "email": (r"[\w.+-]+@[\w-]+\.[\w.-]*\w", "user@example.com"),
    "uri": (r"https?://[^\s\"'<>)\]]+", "https://example.com/"),
    "uuid": (
        r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        "00000000-0000-4000-8000-000000000000",
    ),
    "ipv4": (r"\b\d{1,3}(?:\.\d{1,3}){3}\b", "192.0.2.1"),
    "duration": (r"P(?:\d+[YMD])*(?:T(?:\d+[HMS])+)?", "PT5S"),
}
# Shapes that a field's name promises; a field without a match in the text stays open.
_LINK_OR_FILE = (
    r"https?://[^\s\"'<>)\]]+|data:\w+/[^\s\"']+"
    r"|[\w./-]+\.(?:png|jpe?g|webp|gif|bmp|mp4|mp3|wav|pdf|txt|md|csv|json)\b"
)
_SHAPES = (
    ({"ratio", "aspect"}, r"\b\d{1,2}:\d{1,2}\b|\badaptive\b"),
    ({"resolution"}, r"\b(?:\d{3,4}p|[248]k)\b"),
    ({"size"}, r"\b(?:\d{3,4}x\d{3,4}|[1-4](?:\.5)?K)\b"),
    ({"url", "uri", "link", "href"}, _FORMATS["uri"][0]),
    (
        {"image", "images", "frame", "picture", "pictures", "video", "audio", "file", "path"},
        _LINK_OR_FILE,
    ),
    ({"email", "mail"}, _FORMATS["email"][0]),
    ({"date", "day", "deadline"}, _FORMATS["date"][0]),
    ({"id", "identifier"}, r"\b(?=[\w-]*\d)[A-Za-z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)+\b|\b[A-Z]+\d+\b"),
    ({"expression", "equation", "formula"}, r"[\d.(][\d\s.+*/×÷()^-]*[\d)]"),
)
# Fields that hold what is looked up.
ASKED = {"query", "question", "search", "keyword", "keywords", "topic", "input", "text", "q"}
_DEPICTED = {"prompt", "description", "caption", "scene", "message", "content", "instruction"}
# Fields that hold a sentence: commas and `and` inside them separate nothing.
FREE_TEXT = ASKED | _DEPICTED
_PLACES = {"location", "city", "place", "country", "town", "destination", "region", "where"}
_NAMES = {"name", "person", "author", "customer", "title", "company", "speaker", "style", "who"}
_PATTERN_CANDIDATES = (
    "a",
    "A",
    "abc",
    "ABC",
    "Abc",
    "1",
    "123",
    "A1",
    "abc123",
    "ABC-123",
    "2026-01-01",
    "12:00",
    "user@example.com",
    "https://example.com/",
    "+861012345678",
    "000-000-0000",
    "00000",
    "#336699",
)
_ATOM = re.compile(
    r"(?P<atom>\\.|\[[^\]]+\]|[^\\\[\](){}|^$*+?])(?P<repeat>\{\d+(?:,\d*)?\}|[+*?])?"
)
_CLASSES = {"\\d": "1", "\\w": "a", "\\s": " ", ".": "a"}
_LONGEST_FALLBACK = 120
# Descriptions of fields use many words that no text repeats.
_LEAST_OF_A_FIELD = 0.2


def name_words(name: str) -> list[str]:
    """Split a field or tool name into lower-case words."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return [word.lower() for word in re.split(r"[^A-Za-z0-9\u4e00-\u9fff]+", spaced) if word]


def shaped(name: str, text: str) -> str | None:
    """Return the part of `text` that has the shape the field's name promises, if any."""
    parts = set(name_words(name))
    for names, pattern in _SHAPES:
        if parts & names and (match := re.search(pattern, text, re.IGNORECASE)):
            return match.group().strip()
    return None


def all_shaped(name: str, text: str) -> list[str]:
    """Return every part of `text` that has the shape the field's name promises."""
    parts = set(name_words(name))
    patterns = [pattern for names, pattern in _SHAPES if parts & names]
    found = (re.finditer(pattern, text, re.IGNORECASE) for pattern in patterns)
    return [match.group().strip() for matches in found for match in matches]


def promises_shape(name: str) -> bool:
    """Say whether only text of a certain shape fits the field."""
    parts = set(name_words(name))
    return any(parts & names for names, _ in _SHAPES)


def choose(name: str, schema: dict[str, JSON], known: Evidence) -> str:
    """Return the best string for a field; never empty unless the schema wants it so."""
    kind = schema.get("format")
    if kind in _FORMATS:
        pattern, default = _FORMATS[kind]
        match = re.search(pattern, known.text, re.IGNORECASE)
        return match.group() if match else default
    if "pattern" in schema:
        matching = _matching(schema["pattern"], known.text)
        if matching:
            return matching
    return fitted(_free_text(name, schema, known), schema)


def _free_text(name: str, schema: dict[str, JSON], known: Evidence) -> str:
    spoken = " ".join(name_words(name))
    finder = _finder(set(name_words(name)))
    labelled = evidence.labelled(known.focus, spoken) or shaped(name, known.focus)
    found = labelled or finder(known) or _elsewhere(name, schema, known)
    if found:
        return found
    about = subject.of(known.focus)
    return words.shorten(f"{spoken}: {about}" if about else spoken, _LONGEST_FALLBACK)


def _elsewhere(name: str, schema: dict[str, JSON], known: Evidence) -> str:
    """Look for the field in the rest of the conversation."""
    if known.text.strip() == known.focus.strip():
        return ""
    spoken = " ".join(name_words(name))
    labelled = evidence.labelled(known.text, spoken) or shaped(name, known.text)
    described = f"{spoken} {schema.get('description', '')}"
    found = extract.find(described, [known.text], most=1, least=_LEAST_OF_A_FIELD).text
    return labelled or found


def _finder(parts: set[str]) -> Callable[[Evidence], str | None]:
    if parts & _PLACES:
        return lambda known: _quote(known) or evidence.place(known.focus)
    if parts & _DEPICTED:
        return _depicted
    if parts & ASKED:
        return lambda known: _quote(known) or _about(known)
    if parts & _NAMES:
        return lambda known: _quote(known) or evidence.person(known.focus)
    return _quote


def _quote(known: Evidence) -> str | None:
    return next(iter(evidence.quoted(known.focus)), None)


def _about(known: Evidence) -> str:
    about = subject.of(known.focus)
    return known.topic or about if subject.is_empty(about) else about


def _depicted(known: Evidence) -> str:
    about = subject.of(known.focus)
    if not subject.is_empty(about):
        return about
    # "Draw it": what the tools found is the best picture of it.
    found = extract.find(known.topic or known.focus, known.results, most=2, whole=True).text
    return found or known.topic or about


def _matching(pattern: str, text: str) -> str:
    if found := bounds.search(pattern.removeprefix("^").removesuffix("$"), text):
        return found
    candidates = (_sample(pattern), *_PATTERN_CANDIDATES)
    return next((each for each in candidates if bounds.search(pattern, each) is not None), "")


def _sample(pattern: str) -> str:
    """Spell a text that a simple pattern matches: of each class its first member."""
    spelled = ""
    for match in _ATOM.finditer(pattern.partition("|")[0]):
        atom, repeat = match["atom"], match["repeat"] or ""
        least = re.match(r"\{(\d+)", repeat)
        spelled += _CLASSES.get(atom, atom.strip("[]\\")[:1]) * (
            min(int(least[1]), _LONGEST_FALLBACK) if least else 1
        )
    return spelled


def fitted(text: str, schema: dict[str, JSON]) -> str:
    """Cut or pad a text to the lengths a schema allows."""
    longest = schema.get("maxLength", len(text))
    shortest = int(schema.get("minLength", 0))
    text = text[: int(min(longest, len(text)))]
    return text.ljust(shortest, ".")
