"""The engine for several processes and machines: Ray Data reads, splits, embeds and writes."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

# Ray reads these when it is imported. It is to listen on 127.0.0.1 only, also on Linux (the name
# of the switch is its history), to report to nobody, and not to write its own state to the screen.
# The switch also makes it leave a RAY_ADDRESS of 127.0.0.1 as it is: otherwise it looks for that
# cluster at the machine's own address, where one that listens on 127.0.0.1 only is not.
os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")

import ray
import ray.data
import ray.exceptions
from quickstart_parts.failures import BadInput

from doubao_core import ConfigError, DoubaoError
from doubao_core.pacing.limit import has_password
from embed_at_scale_parts.chunks import Piece, Row
from embed_at_scale_parts.job import Job
from embed_at_scale_parts.output import Ids, Output, fresh
from embed_at_scale_parts.part import PartMaker
from embed_at_scale_parts.progress import PartDone, Progress

_MOST_READING_TASKS = 1000
# They wait for the service most of the time, and those who read and split take a whole CPU each: on
# a node that has one, they would wait for ever for what is left of it.
_ACTOR_CPUS = 0
_STORE_BYTES = 512 * 1024 * 1024
_RATE_VARIABLE = "DOUBAO_RATE_LIMIT_URL"
_CONNECT_SECONDS = 10.0
# The sockets below it must have short names, so that TMPDIR will not do.
_SHORT_FOLDER = "/tmp"  # noqa: S108 - mkdtemp makes a folder of its own in it


def run(job: Job, pieces: Sequence[Piece], done: Ids, progress: Progress) -> None:
    """Embed what is not done, with ``job.actors`` actors.

    Ray is joined where ``RAY_ADDRESS`` says, or else started on this machine for this run. The key
    is in no argument: a Ray that is started here hands on the environment, the nodes of a cluster
    have the key in theirs.

    Raises:
        BadInput: The cluster cannot be joined, or has nowhere to count a rate.
        RayFailed: A worker could not go on; the parts that were finished are kept.
    """
    with _ray() as folder:
        options = {**job.options, **_shared_rate(job, folder)}
        dataset = _plan(job, pieces, done, options)
        progress.start()
        try:
            for row in dataset.iter_rows():
                part = PartDone(**row)
                if part.failure:
                    raise RayFailed(part.failure)
                progress.add(part)
        except ray.exceptions.RayError as error:
            # The worker's own traceback, and then Ray's.
            cause = str(error).partition("\n\nThe above exception was")[0].strip()
            raise RayFailed(
                f"a worker failed: {(cause or type(error).__name__).splitlines()[-1]}"
            ) from error


class RayFailed(DoubaoError):
    """What a worker failed with, as a sentence."""


class EmbedPart:
    """The callable of the actors.

    What fails, fails in a call: an actor that cannot be made would be made again and again.
    """

    def __init__(self, output: Output, options: Mapping[str, Any]) -> None:
        self._output = output
        self._options = options
        self._maker: PartMaker | None = None

    def __call__(self, batch: dict[str, Sequence[str]]) -> dict[str, list[Any]]:
        """Make one part and say what became of it."""
        try:
            if self._maker is None:
                _check_counted(self._options)
                self._maker = PartMaker(self._output, self._options)
            part = self._maker.make(batch)
        except (DoubaoError, BadInput) as error:
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
    if job.rate is None:
        return {}
    if url := os.environ.get(_RATE_VARIABLE):
        # Ray stores and shows arguments: the workers have a password in their own environment.
        return {} if has_password(url) else {"rate_limit_url": url}
    if folder is None:
        raise BadInput(
            f"--rate-per-minute on a cluster needs {_RATE_VARIABLE} (postgresql://… or redis://…)"
        )
    return {"rate_limit_url": f"sqlite:///{folder}/rate-limit.sqlite"}


def _check_counted(options: Mapping[str, Any]) -> None:
    """Refuse a rate that this worker would count for itself alone."""
    limits = "requests_per_minute" in options and "rate_limit_url" not in options
    if limits and not os.environ.get(_RATE_VARIABLE):
        raise ConfigError(
            f"{_RATE_VARIABLE} is not set on a node of the cluster: as it holds a password, it "
            "must be in the environment of each node"
        )


@contextmanager
def _ray() -> Iterator[Path | None]:
    """Join the cluster, or start Ray here; gives the folder of a Ray that was started here."""
    _quiet()
    address = os.environ.get("RAY_ADDRESS")
    folder = None
    if address and address != "local":
        _join(address)
    else:
        folder = _start()
    try:
        # There is a line of progress of our own.
        ray.data.DataContext.get_current().enable_progress_bars = False
        yield folder
    finally:
        ray.shutdown()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _join(address: str) -> None:
    # Its nodes have the packages installed, but not these scripts.
    here = Path(__file__).parent
    scripts = {"py_modules": [str(here), str(here.with_name("quickstart_parts"))]}
    try:
        _knock(address)
        ray.init(runtime_env=scripts, log_to_driver=False, logging_level="error")
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise BadInput(
            f"cannot join the Ray cluster at {address} (RAY_ADDRESS): {reason}"
        ) from error


def _knock(address: str) -> None:
    """Find out at once whether anybody listens; Ray would ask for minutes."""
    place = urlsplit(address if "://" in address else f"//{address}")
    if place.hostname and place.port:
        socket.create_connection((place.hostname, place.port), _CONNECT_SECONDS).close()


def _start() -> Path:
    short = _SHORT_FOLDER if Path(_SHORT_FOLDER).is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir=short))
    ray.init(
        include_dashboard=False,
        object_store_memory=_STORE_BYTES,
        log_to_driver=False,
        logging_level="error",
        _temp_dir=str(folder),
    )
    return folder


def _quiet() -> None:
    logging.getLogger("ray").setLevel(logging.ERROR)
    # Its errors are raised as well, and said in one sentence.
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    # Said of each input that is smaller than there are actors.
    warnings.filterwarnings("ignore", message="The minimum number of concurrent actors")
