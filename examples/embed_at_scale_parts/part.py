"""One part: embedded with one call, and written once."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from embed_at_scale_parts.output import Output
from embed_at_scale_parts.progress import PartDone
from langchain_doubao.ray import DoubaoEmbedBatch

COLUMNS = ("id", "source", "place", "text")


class PartMaker:
    """Makes parts of the output; at the same time, if asked from several tasks.

    Args:
        output: Where they go.
        options: Of :class:`~langchain_doubao.ray.DoubaoEmbedBatch`.
    """

    def __init__(self, output: Output, options: Mapping[str, Any]) -> None:
        self._output = output
        self._embed = DoubaoEmbedBatch(failed_rows="keep", **options)
        self._name = uuid.uuid4().hex

    def make(self, batch: Mapping[str, Sequence[str]]) -> PartDone:
        """Embed and write the rows of *batch*, unless this very part is there."""
        columns, skipped = _sorted_out(batch)
        if not self._is_wanted(columns):
            return self._report([], skipped)
        return self._written(self._embed(columns), skipped)

    async def amake(self, batch: Mapping[str, Sequence[str]]) -> PartDone:
        """Embed and write without waiting for the service; see :meth:`make`."""
        columns, skipped = _sorted_out(batch)
        if not self._is_wanted(columns):
            return self._report([], skipped)
        return self._written(await self._embed.acall(columns), skipped)

    def _is_wanted(self, columns: Mapping[str, Sequence[str]]) -> bool:
        # It may be there although its rows were not done at the start: Ray repeats the work of an
        # actor that died, also if all that it had left to do was to say so.
        return bool(columns["id"]) and not self._output.has(columns["id"])

    def _written(self, made: pa.Table, skipped: str) -> PartDone:
        self._output.write(made)
        return self._report(made["embedding_error"].is_valid().to_pylist(), skipped)

    def _report(self, refused: Sequence[bool], skipped: str) -> PartDone:
        usage = self._embed.usage
        return PartDone(
            worker=self._name,
            rows=len(refused),
            refused=sum(refused),
            requests=usage.requests,
            tokens=usage.total_tokens,
            skipped=skipped,
        )


def _sorted_out(batch: Mapping[str, Sequence[str]]) -> tuple[dict[str, list[str]], str]:
    """Tell the chunks from the sources that could not be read."""
    # Ray's last batch may be empty, and then has no columns.
    rows = list(zip(*(batch.get(name, ()) for name in COLUMNS), strict=True))
    chunks = [row for row in rows if row[0]]
    skipped = "\n".join(str(row[-1]) for row in rows if not row[0])
    columns = {name: [str(row[at]) for row in chunks] for at, name in enumerate(COLUMNS)}
    return columns, skipped
