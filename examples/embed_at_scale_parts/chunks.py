"""From files to chunks, piece by piece; each chunk has an id that only its text can change."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq
from langchain_text_splitters import RecursiveCharacterTextSplitter
from quickstart_parts.documents import is_readable, read_file
from quickstart_parts.failures import BadInput

CHUNK_CHARACTERS = 700
CHUNK_OVERLAP = 80

Row: TypeAlias = dict[str, str]
"""A chunk: ``id``, ``source`` (its file), ``place`` in it, ``text``. A row without an id is a
source that could not be read; its text says why."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What one reader reads at once: a file, or one row group of a Parquet file."""

    path: str
    source: str
    row_group: int = -1

    def rows(self, column: str) -> Iterator[Row]:
        """Read and split the piece.

        Args:
            column: Where a Parquet file has its texts.
        """
        splitter = RecursiveCharacterTextSplitter(
            chunk_size=CHUNK_CHARACTERS, chunk_overlap=CHUNK_OVERLAP
        )
        seen: Counter[str] = Counter()
        try:
            for place, section in self._sections(column):
                for text in splitter.split_text(_whole(section)):
                    row_id = self._id(text, seen[text])
                    seen[text] += 1
                    yield {"id": row_id, "source": self.source, "place": place, "text": text}
        except BadInput as problem:
            yield {"id": "", "source": self.source, "place": "", "text": str(problem)}

    def _sections(self, column: str) -> Iterator[tuple[str, str]]:
        if self.row_group < 0:
            yield from read_file(Path(self.path))
            return
        try:
            values = pq.ParquetFile(self.path).read_row_group(self.row_group, [column])
            texts = values.column(column).to_pylist()
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise BadInput(f"{self.source} is not a readable Parquet file") from error
        for number, text in enumerate(texts, start=1):
            if isinstance(text, str):
                yield f"row group {self.row_group + 1}, row {number}", text

    def _id(self, text: str, times_before: int) -> str:
        """Name a chunk by its text; what is added elsewhere in the file does not change it."""
        facts = (self.source, str(self.row_group), text, str(times_before))
        digest = hashlib.sha256()
        for fact in facts:
            digest.update(fact.encode() + b"\0")
        return digest.hexdigest()[:32]


def pieces(place: Path, column: str, *, besides: Path) -> list[Piece]:
    """Find what there is to read at *place*: one file, or a folder of them, in order of names.

    Args:
        place: The file or folder.
        column: Where Parquet files have their texts.
        besides: The output, which may be in that folder and is no input.

    Raises:
        BadInput: There is nothing to read, or a Parquet file has no such column of texts.
    """
    if place.is_dir():
        files = sorted(
            path for path in place.rglob("*") if path.is_file() and besides not in path.parents
        )
    else:
        files = [place] if place.is_file() else []
    found = [piece for path in files for piece in _pieces_of(path, _source(path, place), column)]
    if not found:
        raise BadInput(f"no .txt, .md, .pdf or .parquet file at {str(place)!r}: see --input")
    return found


def _source(path: Path, place: Path) -> str:
    return _whole(path.name if path == place else path.relative_to(place).as_posix())


def _whole(text: str) -> str:
    """Join characters that a PDF gave in two halves; what stays half becomes U+FFFD.

    Names of files can have halves as well. Neither Parquet nor JSON can.
    """
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _pieces_of(path: Path, source: str, column: str) -> Iterator[Piece]:
    if is_readable(path):
        yield Piece(str(path), source)
    elif path.suffix.lower() == ".parquet":
        try:
            file = pq.ParquetFile(path)
        except (pa.ArrowException, OSError) as error:
            raise BadInput(f"{source} is not a readable Parquet file: take it away") from error
        texts = [field.name for field in file.schema_arrow if _is_text(field.type)]
        if column not in texts:
            known = ", ".join(texts) or "none"
            raise BadInput(
                f"{source} has no texts in a column {column!r}, see --text-column: {known}"
            )
        for number in range(file.num_row_groups):
            yield Piece(str(path), source, number)


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )
