"""The output: a folder of Parquet files, each whole or not there, that say which rows are done."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from quickstart_parts.failures import BadInput

from embed_at_scale_parts.chunks import Row

Ids: TypeAlias = np.ndarray[Any, np.dtype[np.bytes_]]
"""Sorted ids, 32 bytes each: a third of what a set would take, and workers share it."""

_META = b"embed_at_scale"
# Readers of a folder of Parquet files leave out names that begin with a dot.
_UNFINISHED = ".unfinished-"


@dataclass(frozen=True, slots=True)
class Output:
    """Parts of the result in *folder*.

    Attributes:
        folder: Where they are; on a cluster, where every node sees it.
        settings: What the vectors are made with; parts with other settings are not mixed in.
    """

    folder: str
    settings: Mapping[str, str]

    def open(self) -> Ids:
        """Make the folder ready and give the ids that need not be embedded again.

        Raises:
            BadInput: It is no folder, or holds something else than this run would write.
        """
        folder = Path(self.folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for path in folder.glob(f"{_UNFINISHED}*"):
                path.unlink()
        except OSError as error:
            raise BadInput(f"cannot write to {self.folder!r}: {error.strerror}") from error
        ids = [np.array(self._ids(path), dtype="S32") for path in sorted(folder.glob("*.parquet"))]
        return np.sort(np.concatenate(ids)) if ids else np.array([], dtype="S32")

    def has(self, ids: Sequence[str]) -> bool:
        """Whether the part with exactly these rows is there."""
        return self._path(ids).exists()

    def write(self, table: pa.Table) -> None:
        """Write a part: first beside its place, then at once into it.

        Raises:
            BadInput: The disk is full, or a node of a cluster does not see the folder.
        """
        table = table.replace_schema_metadata({_META: json.dumps(dict(self.settings))})
        unfinished = Path(self.folder, f"{_UNFINISHED}{uuid.uuid4().hex}")
        try:
            with unfinished.open("wb") as file:
                pq.write_table(table, file, compression="zstd", use_dictionary=["source", "place"])
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(self._path(table["id"].to_pylist()))
        except OSError as error:
            raise BadInput(f"cannot write to {self.folder!r}: {error.strerror or error}") from error

    def _path(self, ids: Sequence[str]) -> Path:
        """Name a part by its rows: made a second time, it takes the place of the first."""
        name = hashlib.sha256("".join(sorted(ids)).encode()).hexdigest()[:16]
        return Path(self.folder, f"part-{name}.parquet")

    def _ids(self, path: Path) -> list[str]:
        try:
            file = pq.ParquetFile(path)
            settings = json.loads((file.metadata.metadata or {}).get(_META, b"null"))
            if settings == dict(self.settings):
                ids: list[str] = file.read(["id"]).column("id").to_pylist()
                return ids
        except (pa.ArrowException, OSError) as error:
            raise BadInput(f"{path} is not a readable Parquet file: take it away") from error
        made = "something else" if settings is None else f"vectors of {settings}"
        raise BadInput(
            f"{path.name} in {self.folder!r} is {made}, and this run makes {dict(self.settings)}: "
            "give another --output"
        )


def fresh(rows: Iterable[Row], done: Ids) -> Iterator[Row]:
    """Leave out the rows that are done."""
    for row in rows:
        wanted = row["id"].encode()
        place = int(np.searchsorted(done, wanted)) if len(done) else 0
        if place == len(done) or done[place] != wanted:
            yield row
