"""The engine for one process: asyncio, a few parts under way at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from itertools import chain, islice

from embed_at_scale_parts.chunks import Piece, Row
from embed_at_scale_parts.job import Job
from embed_at_scale_parts.output import Ids, fresh
from embed_at_scale_parts.part import COLUMNS, PartMaker
from embed_at_scale_parts.progress import Progress


def run(job: Job, pieces: Sequence[Piece], done: Ids, progress: Progress) -> None:
    """Embed what is not done.

    Raises:
        DoubaoError: The service refuses; the parts that were finished are kept.
    """
    asyncio.run(_run(job, pieces, done, progress))


async def _run(job: Job, pieces: Sequence[Piece], done: Ids, progress: Progress) -> None:
    maker = PartMaker(job.output, job.options)
    rows = chain.from_iterable(fresh(piece.rows(job.column), done) for piece in pieces)
    reading, failed = asyncio.Lock(), asyncio.Event()

    async def work() -> None:
        while not failed.is_set():
            async with reading:
                # In a thread, because a large PDF takes seconds and answers are to be read.
                part = await asyncio.to_thread(_next, rows, job.rows_per_part)
            if not part:
                return
            batch = {name: [row[name] for row in part] for name in COLUMNS}
            try:
                progress.add(await maker.amake(batch))
            except BaseException:
                # The others finish the part that they are at: it is paid for.
                failed.set()
                raise

    ended = await asyncio.gather(
        *(work() for _ in range(job.parts_at_once)), return_exceptions=True
    )
    for error in filter(None, ended):
        raise error


def _next(rows: Iterator[Row], most: int) -> list[Row]:
    return list(islice(rows, most))
