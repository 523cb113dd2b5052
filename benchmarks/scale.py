"""Many texts: one process, two processes, Ray; and 100,000 chunks on Ray while an actor is killed.

    python benchmarks/scale.py [--table 12000] [--chunks 100000]

The table is measured against ``server.py``, which answers after 50 ms and costs next to nothing;
the 100,000 chunks against the emulator, whose vectors depend on the text, so that each can be
checked. 0 leaves a half out. Needs the extras langchain, llamaindex, emulator and ray.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Ray reads these when it is imported: loopback only, no reports, no log on the screen.
os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
os.environ["ARK_API_KEY"] = "benchmark-key"

import ray
import ray.data
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.schema import TextNode
from measure import local_server

from langchain_doubao import DoubaoEmbeddings
from langchain_doubao.ray import DoubaoEmbedBatch
from llamaindex_doubao import DoubaoEmbedding

DELAY_MS = 50
MODEL = f"embed-delay-{DELAY_MS}"
IN_FLIGHT = 16
ACTORS = 2
BLOCK = 500
FEW = 16
EMULATED = {"model": "doubao-embedding-large-text-250515", "dimensions": 1024}
CHECKED = 100


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent: where to, and whether each text is a request of its own."""

    url: str
    multimodal: bool

    @property
    def options(self) -> dict[str, Any]:
        """Arguments of both adapters."""
        return {"base_url": self.url, "multimodal": self.multimodal, "max_concurrency": IN_FLIGHT}


def texts(count: int) -> list[str]:
    return [f"Chunk {number} is about lighthouses and their keepers." for number in range(count)]


def slices(values: list[str]) -> Iterator[list[str]]:
    # Vectors as Python floats take 65 kB each: nobody keeps all of them.
    for start in range(0, len(values), 2000):
        yield values[start : start + 2000]


def in_a_loop(load: Load, count: int) -> int:
    """One process, asyncio."""
    embeddings = DoubaoEmbeddings(model=MODEL, **load.options)

    async def run() -> int:
        done = 0
        for part in slices(texts(count)):
            done += len(await embeddings.aembed_documents(part))
        return done

    return asyncio.run(run())


def in_threads(load: Load, count: int) -> int:
    """One process, the blocking method, which uses threads."""
    embeddings = DoubaoEmbeddings(model=MODEL, **load.options)
    return sum(len(embeddings.embed_documents(part)) for part in slices(texts(count)))


def in_workers(load: Load, count: int) -> int:
    """LlamaIndex's own way to use processes."""
    pipeline = IngestionPipeline(
        transformations=[DoubaoEmbedding(model_name=MODEL, **load.options)], disable_cache=True
    )
    nodes = [TextNode(text=text) for text in texts(count)]
    return sum(node.embedding is not None for node in pipeline.run(nodes=nodes, num_workers=ACTORS))


def on_ray(load: Load, count: int) -> int:
    """Ray with two actors, Ray's own start included."""
    with started_ray():
        rows = embedded(DoubaoEmbedBatch, count, {"model": MODEL, **load.options})
        return sum(len(batch["id"]) - batch["embedding"].null_count for batch in rows)


WAYS: dict[str, tuple[int, Callable[[Load, int], int]]] = {
    "asyncio, `aembed_documents`": (1, in_a_loop),
    "threads, `embed_documents`": (1, in_threads),
    f"LlamaIndex, `num_workers={ACTORS}`": (ACTORS, in_workers),
    f"Ray, {ACTORS} actors": (ACTORS, on_ray),
}


@contextmanager
def started_ray() -> Generator[None]:
    """Run Ray on this machine, out of reach of others."""
    logging.getLogger("ray").setLevel(logging.ERROR)
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    # The sockets below it must have short names.
    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")
    ray.init(include_dashboard=False, log_to_driver=False, logging_level="error", _temp_dir=folder)
    try:
        ray.data.DataContext.get_current().enable_progress_bars = False
        yield
    finally:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


def embedded(kind: type[DoubaoEmbedBatch], count: int, arguments: dict[str, Any]) -> Iterator[Any]:
    """Give batches in Arrow's form as they are done."""
    dataset = ray.data.from_items(
        [{"id": number, "text": text} for number, text in enumerate(texts(count))]
    )
    vectors = dataset.repartition(target_num_rows_per_block=BLOCK, strict=True).map_batches(
        kind,
        fn_constructor_kwargs=arguments,
        batch_format="pyarrow",
        batch_size=None,
        compute=ray.data.ActorPoolStrategy(size=ACTORS),
        num_cpus=0.5,
    )
    yield from vectors.iter_batches(batch_size=None, batch_format="pyarrow")


class Mortal(DoubaoEmbedBatch):
    """The same, but the actor that is first at its tenth block dies in the middle of it."""

    def __init__(self, *, death: str, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._death = Path(death)
        self._calls = 0

    def __call__(self, batch: Any) -> Any:
        """Embed the batch, or die."""
        self._calls += 1
        made = super().__call__(batch)
        if self._calls == 10 and not self._death.exists():
            self._death.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return made


def seconds(way: Callable[[Load, int], int], load: Load, count: int) -> float:
    begun = time.perf_counter()
    done = way(load, count)
    if done != count:
        raise RuntimeError(f"{way.__name__} did {done} of {count} texts")
    return time.perf_counter() - begun


def table(count: int) -> None:
    """Print the ways side by side: what a run costs at all, and how fast texts are then."""
    print("| | start, s | one text a request: whole run, s | texts/s | of the ideal ", end="")
    print("| 256 a request: whole run, s | texts/s |\n|---|---|---|---|---|---|---|")
    with local_server() as url:
        single, many = Load(url, multimodal=True), Load(url, multimodal=False)
        for name, (processes, way) in WAYS.items():
            start = seconds(way, single, FEW)
            slow, fast = seconds(way, single, count), seconds(way, many, 2 * count)
            speed, ideal = count / (slow - start), processes * IN_FLIGHT * 1000 / DELAY_MS
            print(
                f"| {name} | {start:.1f} | {slow:.0f} | {speed:,.0f} | {speed / ideal:.0%} "
                f"| {fast:.0f} | {2 * count / (fast - start):,.0f} |",
                flush=True,
            )


@contextmanager
def emulator() -> Generator[str]:
    """Run the emulator as a process of its own; gives its base URL."""
    command = [sys.executable, "-m", "doubao_emulator", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


def survives_a_kill(count: int) -> bool:
    """Embed *count* chunks while an actor is killed, and check that each is there once."""
    with emulator() as url, tempfile.TemporaryDirectory() as folder, started_ray():
        death = Path(folder, "died")
        begun = time.perf_counter()
        ids: list[int] = []
        sample: dict[int, list[float]] = {}
        arguments = {**EMULATED, "base_url": url, "death": str(death)}
        for batch in embedded(Mortal, count, arguments):
            numbers = batch["id"].to_pylist()
            ids += numbers
            for at, number in enumerate(numbers):
                if number % max(1, count // CHECKED) == 0:
                    sample[number] = batch["embedding"][at].as_py()
        seconds = time.perf_counter() - begun
        wrong = wrong_vectors(sample, count, url)
        if not death.exists():
            raise RuntimeError("no actor died: more chunks are needed for that")
    missing, again = count - len(set(ids)), len(ids) - len(set(ids))
    print(
        f"{count:,} chunks on Ray, {ACTORS} actors, one killed: "
        f"{missing} missing, {again} duplicated, {wrong} of {len(sample)} compared vectors wrong; "
        f"{seconds:.0f} s, {count / seconds:,.0f} texts/s"
    )
    return not (missing or again or wrong)


def wrong_vectors(sample: dict[int, list[float]], count: int, url: str) -> int:
    """Count the vectors that one process, without Ray, gets differently."""
    chunks = texts(count)
    embeddings = DoubaoEmbeddings(base_url=url, **EMULATED)
    expected = embeddings.embed_documents([chunks[number] for number in sample])
    return sum(
        max(abs(one - other) for one, other in zip(vector, wanted, strict=True)) > 1e-6
        for vector, wanted in zip(sample.values(), expected, strict=True)
    )


def main() -> int:
    """Measure what is asked for; 1 if a chunk was lost, doubled or wrong."""
    parser = argparse.ArgumentParser(description="Embedding many texts, with and without Ray.")
    parser.add_argument("--table", type=int, default=12_000, metavar="N", help="texts for each way")
    parser.add_argument("--chunks", type=int, default=100_000, metavar="N", help="chunks on Ray")
    arguments = parser.parse_args()
    if arguments.table:
        table(arguments.table)
    return 0 if not arguments.chunks or survives_a_kill(arguments.chunks) else 1


if __name__ == "__main__":
    sys.exit(main())
