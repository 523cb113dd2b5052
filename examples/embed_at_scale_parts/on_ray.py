"""The engine for several processes and machines: Ray Data reads, splits, embeds and writes."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

# Ray reads these when it is imported. It is to listen on 127.0.0.1 only, also on Linux (the name
# of the switch is its history), to report to nobody, and not to write its own state to the screen.
os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")

import ray
import ray.data
from quickstart_parts.failures import BadInput

from doubao_core import DoubaoError
from embed_at_scale_parts.chunks import Piece, Row
from embed_at_scale_parts.job import Job
from embed_at_scale_parts.output import Ids, Output, fresh
from embed_at_scale_parts.part import PartMaker
from embed_at_scale_parts.progress import PartDone, Progress

_MOST_READING_TASKS = 1000
# They wait for the service most of the time, and must leave room for those who read and split.
_ACTOR_CPUS = 0.1
_STORE_BYTES = 512 * 1024 * 1024
# The sockets below it must have short names, so that TMPDIR will not do.
_SHORT_FOLDER = "/tmp"  # noqa: S108 - mkdtemp makes a folder of its own in it


def run(job: Job, pieces: Sequence[Piece], done: Ids, progress: Progress) -> None:
    """Embed what is not done, with ``job.actors`` actors.

    Ray is joined where ``RAY_ADDRESS`` says, or else started on this machine for this run. The key
    is in no argument: a Ray that is started here hands on the environment, the nodes of a cluster
    have the key in theirs.

    Raises:
        BadInput: A cluster has nowhere to count a rate.
        RayFailed: A worker could not go on; the parts that were finished are kept.
    """
    with _ray() as folder:
        options = {**job.options, **_shared_rate(job, folder)}
        dataset = _plan(job, pieces, done, options)
        progress.start()
        for row in dataset.iter_rows():
            part = PartDone(**row)
            if part.failure:
                raise RayFailed(part.failure)
            progress.add(part)


class RayFailed(DoubaoError):
    """What a worker failed with, as a sentence."""


class EmbedPart:
    """The callable of the actors."""

    def __init__(self, output: Output, options: Mapping[str, Any]) -> None:
        self._maker = PartMaker(output, options)

    def __call__(self, batch: dict[str, Sequence[str]]) -> dict[str, list[Any]]:
        """Make one part and say what became of it."""
        try:
            part = self._maker.make(batch)
        except DoubaoError as error:
            # Raised here, only its text would arrive, in many lines of Ray's.
            part = PartDone(worker="", failure=str(error))
        return {name: [value] for name, value in asdict(part).items()}


def _plan(
    job: Job, pieces: Sequence[Piece], done: Ids, options: Mapping[str, Any]
) -> ray.data.Dataset:
    return (
        ray.data.from_items(
            [asdict(piece) for piece in pieces],
            override_num_blocks=min(len(pieces), _MOST_READING_TASKS),
        )
        .flat_map(_read, fn_kwargs={"column": job.column, "done": ray.put(done)})
        # Without it a large file would be one block, and one actor's alone.
        .repartition(target_num_rows_per_block=job.rows_per_part, strict=True)
        .map_batches(
            EmbedPart,
            fn_constructor_kwargs={"output": job.output, "options": options},
            batch_size=None,
            compute=ray.data.ActorPoolStrategy(size=job.actors),
            num_cpus=_ACTOR_CPUS,
        )
    )


def _read(piece: dict[str, Any], column: str, done: ray.ObjectRef[Ids]) -> Iterator[Row]:
    # The ids stay in shared memory: this copies nothing.
    return fresh(Piece(**piece).rows(column), ray.get(done))


def _shared_rate(job: Job, folder: Path | None) -> dict[str, Any]:
    """Say where all actors count their requests together."""
    if job.rate is None or os.environ.get("DOUBAO_RATE_LIMIT_URL"):
        return {}
    if folder is None:
        raise BadInput(
            "--rate-per-minute on a cluster needs DOUBAO_RATE_LIMIT_URL (postgresql://… or "
            "redis://…), here and on its nodes"
        )
    return {"rate_limit_url": f"sqlite:///{folder}/rate-limit.sqlite"}


@contextmanager
def _ray() -> Iterator[Path | None]:
    """Join the cluster, or start Ray here; gives the folder of a Ray that was started here."""
    logging.getLogger("ray").setLevel(logging.ERROR)
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    if address := os.environ.get("RAY_ADDRESS"):
        # Its nodes have the packages installed, but not these scripts.
        scripts = {"working_dir": str(Path(__file__).parents[1])}
        try:
            ray.init(runtime_env=scripts, log_to_driver=False, logging_level="error")
        except ConnectionError as error:
            raise BadInput(
                f"cannot join the Ray cluster at {address}: check RAY_ADDRESS, and the token that "
                "Ray asks for"
            ) from error
        folder = None
    else:
        short = _SHORT_FOLDER if Path(_SHORT_FOLDER).is_dir() else None
        folder = Path(tempfile.mkdtemp(prefix="ray-", dir=short))
        ray.init(
            include_dashboard=False,
            object_store_memory=_STORE_BYTES,
            log_to_driver=False,
            logging_level="error",
            _temp_dir=str(folder),
        )
    try:
        # There is a line of progress of our own.
        ray.data.DataContext.get_current().enable_progress_bars = False
        yield folder
    finally:
        ray.shutdown()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
