"""Reading a folder of text, Markdown and PDF files into sections that know where they stood."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pypdf import PdfReader
from pypdf.errors import DependencyError, FileNotDecryptedError, PyPdfError

from quickstart_parts.failures import BadInput

# pypdf reports what it repairs; a file that it cannot read raises.
logging.getLogger("pypdf").setLevel(logging.CRITICAL)

_HEADING = re.compile(r"#{1,6}\s+(?P<title>.+?)\s*#*")
_FENCE = ("```", "~~~")
_BLOCK_CHARACTERS = 900


@dataclass(frozen=True, slots=True)
class Section:
    """A piece of a file: its text, and where it stands, such as ``page 2``."""

    file: str
    place: str
    text: str


def read_folder(folder: Path) -> list[Section]:
    """Read every .txt, .md and .pdf file below *folder*, in the order of their names.

    Raises:
        BadInput: There is no such folder, nothing in it can be read, or a file is broken.
    """
    if not folder.is_dir():
        raise BadInput(f"there is no folder {str(folder)!r}: give one with --docs")
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    readable = [path for path in paths if is_readable(path)]
    if not readable:
        state = "has only files of other kinds" if paths else "is empty"
        raise BadInput(f"{str(folder)!r} {state}: put .txt, .md or .pdf files into it")
    sections = [
        Section(path.relative_to(folder).as_posix(), place, text)
        for path in readable
        for place, text in read_file(path)
        if text.strip()
    ]
    if not sections:
        raise BadInput(f"the files in {str(folder)!r} are empty: there is no text to ask about")
    return sections


def is_readable(path: Path) -> bool:
    """Whether the file is of a kind that can be read here: .txt, .md or .pdf."""
    return path.suffix.lower() in _READERS


def read_file(path: Path) -> Iterator[tuple[str, str]]:
    """Give the place and the text of each section of a file.

    Raises:
        BadInput: The file is broken.
    """
    return _READERS[path.suffix.lower()](path)


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path.name} is not UTF-8 text: save it as UTF-8") from error
    except OSError as error:
        raise BadInput(f"cannot read {path.name}: {error.strerror}") from error


def _plain_sections(path: Path) -> Iterator[tuple[str, str]]:
    """Collect whole paragraphs until a block is long enough; a block is known by its lines."""
    block: list[str] = []
    first = 1
    for number, line in enumerate(_read_text(path).splitlines(), start=1):
        if not line.strip() and sum(map(len, block)) >= _BLOCK_CHARACTERS:
            yield f"lines {first}-{number - 1}", "\n".join(block)
            block, first = [], number + 1
        else:
            block.append(line)
    yield f"lines {first}-{first + len(block) - 1}", "\n".join(block)


def _markdown_sections(path: Path) -> Iterator[tuple[str, str]]:
    """Cut at the headings; a heading stays with its text, because it says what that is about."""
    title, lines, in_code = path.stem, list[str](), False
    for line in _read_text(path).splitlines():
        in_code ^= line.lstrip().startswith(_FENCE)
        heading = None if in_code else _HEADING.fullmatch(line)
        if heading:
            if _has_body(lines):
                yield f"section “{title}”", "\n".join(lines)
                lines = []
            title = heading["title"]
        lines.append(line)
    yield f"section “{title}”", "\n".join(lines)


def _has_body(lines: list[str]) -> bool:
    return any(line.strip() and not _HEADING.fullmatch(line) for line in lines)


def _pdf_sections(path: Path) -> Iterator[tuple[str, str]]:
    try:
        pages = [page.extract_text() for page in PdfReader(path).pages]
    except (FileNotDecryptedError, DependencyError) as error:
        raise BadInput(f"{path.name} is encrypted: save it without its password") from error
    except (PyPdfError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{path.name} is not a readable PDF: replace it or take it away") from error
    if not any(text.strip() for text in pages):
        raise BadInput(f"{path.name} has no text, only pictures: run text recognition on it first")
    for number, text in enumerate(pages, start=1):
        yield f"page {number}", text


_READERS: dict[str, Callable[[Path], Iterator[tuple[str, str]]]] = {
    ".txt": _plain_sections,
    ".md": _markdown_sections,
    ".pdf": _pdf_sections,
}
