"""Embedding on Ray, with two actors: the callable class, LlamaIndex's pipeline, and the script."""

from __future__ import annotations

import re
import shutil
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pytest

from langchain_doubao import DoubaoEmbeddings
from langchain_doubao.ray import DoubaoEmbedBatch
from llamaindex_doubao import DoubaoEmbedding

VISION = "doubao-embedding-vision-251215"
RAY_FOLDER = re.compile(r"/tmp/ray-\w+")
LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F"}
EMBED_PART = b"ray::MapWorker(MapBatches(EmbedPart))"

pytestmark = [
    # Not importorskip: what Ray listens at is decided when it is imported (see ray_folder).
    pytest.mark.skipif(find_spec("ray") is None, reason="needs the extra ray"),
    # Ray Data warns of its own settings.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.data.context"),
    # Its start alone takes seconds, several times that where other tests are busy.
    pytest.mark.timeout(300),
]


@pytest.fixture
def ray_data(ray_folder):
    import ray.data

    ray.data.DataContext.get_current().enable_progress_bars = False
    return ray.data


@pytest.fixture
def run_on_two_actors(ray_data, emulator, tmp_path):
    """Embed texts in blocks of 20; each row says which process made it.

    An actor kills itself in the middle of its third block, if asked to and if none has yet.
    """

    def run_on_two_actors(count: int, *, dies: bool = False, **arguments):
        death = tmp_path / "died"

        class Watched(DoubaoEmbedBatch):
            calls = 0

            def __call__(self, batch):
                import os
                import signal

                self.calls += 1
                made = super().__call__(batch)
                if dies and self.calls == 3 and not death.exists():
                    death.touch()
                    os.kill(os.getpid(), signal.SIGKILL)
                return made.append_column("pid", [[os.getpid()] * len(made)])

        rows = [{"id": number, "text": f"text {number}"} for number in range(count)]
        vectors = (
            ray_data.from_items(rows)
            .repartition(target_num_rows_per_block=20, strict=True)
            .map_batches(
                Watched,
                fn_constructor_kwargs={
                    "model": VISION,
                    "base_url": emulator.base_url,
                    **arguments,
                },
                batch_size=None,
                compute=ray_data.ActorPoolStrategy(size=2),
                num_cpus=0.5,
            )
        )
        return vectors.take_all(), death

    return run_on_two_actors


def test_a_killed_actor_costs_a_block_and_no_row(run_on_two_actors, emulator, ray_folder):
    rows, death = run_on_two_actors(200, dies=True)
    assert death.exists()
    assert sorted(row["id"] for row in rows) == list(range(200))
    sent = [request.body["input"][0]["text"] for request in emulator.requests]
    assert len(set(sent)) == 200
    assert 1 <= len(sent) - 200 <= 20
    direct = DoubaoEmbeddings(model=VISION, api_key="other", base_url=emulator.base_url)
    for row in rows[::50]:
        wanted = direct.embed_documents([f"text {row['id']}"])[0]
        assert row["embedding"] == pytest.approx(wanted, abs=1e-6)

    # The key came from the environment of the workers, and stayed there.
    assert emulator.requests[0].headers["authorization"] == "Bearer test-key-5d2e"
    written = [path for path in ray_folder.rglob("*") if path.is_file()]
    assert written
    assert not [path for path in written if b"test-key-5d2e" in path.read_bytes()]


def test_actors_keep_a_rate_limit_together(run_on_two_actors, emulator, tmp_path):
    per_minute = 3000
    with emulator.limit(requests_per_minute=per_minute) as limit:
        rows, _ = run_on_two_actors(
            200, requests_per_minute=per_minute, rate_limit_url=f"sqlite:///{tmp_path}/rate.sqlite"
        )
    assert sorted(row["id"] for row in rows) == list(range(200))
    assert len({row["pid"] for row in rows}) == 2
    # At 50 a second for both, of which a second's worth may go at once: two that do not know of
    # each other need a second. (Refusals depend on how the machine bunches the requests up.)
    arrivals = [arrival.time for arrival in limit.arrivals]
    assert max(arrivals) - min(arrivals) >= 2.5


def test_llamaindex_pipeline_takes_the_class_and_plain_arguments(ray_data, emulator):
    pytest.importorskip("llama_index.ingestion.ray", reason="needs the extra ray")
    from llama_index.core.node_parser import SentenceSplitter
    from llama_index.core.schema import Document
    from llama_index.ingestion.ray import RayIngestionPipeline, RayTransformComponent

    documents = [
        Document(
            text=f"Lighthouse {number}. " + "It stands on a rock. " * 40, metadata={"n": number}
        )
        for number in range(20)
    ]
    actors = {"compute": ray_data.ActorPoolStrategy(size=2), "num_cpus": 0.2, "batch_size": 10}
    pipeline = RayIngestionPipeline(
        transformations=[
            RayTransformComponent(
                transform_class=SentenceSplitter,
                transform_kwargs={"chunk_size": 128, "chunk_overlap": 0},
                map_batches_kwargs={"num_cpus": 0.2, "batch_size": 10, "concurrency": 1},
            ),
            RayTransformComponent(
                transform_class=DoubaoEmbedding,
                transform_kwargs={"model_name": VISION, "base_url": emulator.base_url},
                map_batches_kwargs=actors,
            ),
        ]
    )
    nodes = pipeline.run(documents=documents, show_progress=True)
    assert {node.metadata["n"] for node in nodes} == set(range(20))
    assert len({node.node_id for node in nodes}) == len(nodes) == len(emulator.requests) > 20
    direct = DoubaoEmbedding(model_name=VISION, api_key="other", base_url=emulator.base_url)
    for node in nodes[:3]:
        wanted = direct.get_text_embedding(node.get_content(metadata_mode="embed"))
        assert node.embedding == pytest.approx(wanted, abs=1e-6)


@pytest.fixture
def cluster(ray_data):
    """Address of a cluster that runs already; its nodes have a key in their environment."""
    import ray

    return ray.get_runtime_context().gcs_address


@pytest.fixture
def one_cpu(ray_data):
    """Leave one of the two CPUs to the test."""
    import ray

    class Busy:
        def is_here(self) -> bool:
            return True

    busy = ray.remote(num_cpus=1)(Busy).remote()
    assert ray.get(busy.is_here.remote())
    yield
    ray.kill(busy)


@pytest.mark.usefixtures("one_cpu")
def test_the_script_joins_a_cluster_that_runs_already(
    cluster, embedding, texts_file, ray_data, ray_folder, tmp_path
):
    with embedding.emulator.limit(requests_per_minute=3000) as limit:
        ended = embedding(
            texts_file(200),
            *("--engine", "ray", "--rows-per-part", "20", "--rate-per-minute", "3000"),
            RAY_ADDRESS=cluster,
            DOUBAO_RATE_LIMIT_URL=f"sqlite:///{tmp_path}/rate.sqlite",
        )
    assert ended.returncode == 0, ended.stderr
    assert re.search(r"Embedded 200 rows.* of the quota of 3,000 a minute", ended.stdout)
    assert {row["text"] for row in embedding.rows()} == embedding.sent().keys()
    assert len(embedding.rows()) == len(embedding.emulator.requests) == 200
    # Counted together: at 50 a second for both actors, of which a second's worth may go at once.
    arrivals = [arrival.time for arrival in limit.arrivals]
    assert max(arrivals) - min(arrivals) >= 2.5
    # The key is the nodes' own; the one of who joins stays with them.
    used = {request.headers["authorization"] for request in embedding.emulator.requests}
    assert used == {"Bearer test-key-5d2e"}
    written = [path.read_bytes() for path in ray_folder.rglob("*") if path.is_file()]
    assert not [content for content in written if b"test-key-8c1f" in content]
    # And the cluster goes on.
    assert ray_data.range(3).count() == 3


def test_on_a_cluster_a_rate_must_have_a_place_that_all_nodes_know(cluster, embedding, texts_file):
    options = ("--engine", "ray", "--rate-per-minute", "3000")
    source = texts_file(5)
    ended = embedding(source, *options, RAY_ADDRESS=cluster)
    assert ended.returncode == 1
    assert "needs DOUBAO_RATE_LIMIT_URL" in ended.stderr
    # A password does not travel, and the nodes of this cluster do not have it.
    ended = embedding(
        source,
        *options,
        RAY_ADDRESS=cluster,
        DOUBAO_RATE_LIMIT_URL="redis://:sesame@127.0.0.1:1/0",
    )
    assert ended.returncode == 1
    assert "DOUBAO_RATE_LIMIT_URL is not set on a node of the cluster" in ended.stderr
    assert "sesame" not in ended.stdout + ended.stderr
    assert not embedding.emulator.requests


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="/proc has a path that differs by process")
def test_a_folder_that_a_node_does_not_see_is_one_sentence(cluster, embedding, texts_file):
    # The folder of the one who starts the script, and another one for the nodes.
    embedding.output = Path("/proc/self/cwd/vectors")
    ended = embedding(texts_file(5), "--engine", "ray", RAY_ADDRESS=cluster)
    assert ended.returncode == 1
    assert "embed_at_scale: cannot write to '/proc/self/cwd/vectors'" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere"])
def test_a_cluster_that_is_not_there_is_one_sentence(embedding, texts_file, address):
    ended = embedding(texts_file(5), "--engine", "ray", RAY_ADDRESS=address)
    assert ended.returncode == 1
    assert f"embed_at_scale: cannot join the Ray cluster at {address}" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not embedding.emulator.requests


def _children(parent: int) -> list[int]:
    """Processes below *parent*, at any depth."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(status.parent.name)] = int(fields[1])
    found, more = [], [parent]
    while more:
        above = more.pop()
        below = [pid for pid, its_parent in parents.items() if its_parent == above]
        found += below
        more += below
    return found


def _listening(pids: list[int]) -> set[str]:
    """Addresses at which the processes wait for connections, as the kernel writes them."""
    waiting = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":
                waiting[f"socket:[{fields[9]}]"] = fields[1].partition(":")[0]
    found = set()
    for pid in pids:
        for descriptor in Path(f"/proc/{pid}/fd").glob("*"):
            with suppress(OSError):
                found.add(waiting.get(str(descriptor.readlink())))
    return found - {None}


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _actors(parent: int) -> list[int]:
    return [pid for pid in _children(parent) if _command(pid).startswith(EMBED_PART)]


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds the actors in /proc")
def test_the_script_on_ray_loses_no_row_with_an_actor_and_none_with_itself(
    embedding, texts_file, wait_for, kill, monkeypatch
):
    source, options = texts_file(400), ("--engine", "ray", "--rows-per-part", "20")
    monkeypatch.setattr(embedding.emulator.world, "latency", 0.15)
    with embedding.start(source, *options) as process:
        wait_for(lambda: len(embedding.parts()) >= 4)
        left = _children(process.pid)
        listening = _listening(left)
        folders = {found for pid in left for found in RAY_FOLDER.findall(_command(pid).decode())}
        kill(process.pid)
        process.communicate()
    # Ray's own processes and folder outlive a driver that dies like this; not this test, though.
    for pid in left:
        with suppress(ProcessLookupError):
            kill(pid)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    assert listening
    assert listening <= LOOPBACK
    finished = {row["text"] for row in embedding.rows()}
    assert 80 <= len(finished) < 400
    embedding.emulator.requests.clear()

    with embedding.start(source, *options, "--rate-per-minute", "30000") as process:
        before = len(embedding.parts())
        wait_for(lambda: len(embedding.parts()) >= before + 2)
        kill(wait_for(lambda: _actors(process.pid))[0])
        monkeypatch.setattr(embedding.emulator.world, "latency", 0.0)
        stdout, stderr = process.communicate(timeout=240)
    assert process.returncode == 0, stderr
    assert re.search(r"Embedded .* of the quota of 30,000 a minute", stdout), stdout
    rows = embedding.rows()
    assert len({row["id"] for row in rows}) == len(rows) == 400
    assert all(len(row["embedding"]) == 2048 for row in rows)
    sent = embedding.sent()
    assert not finished & sent.keys()
    assert sum(sent.values()) - len(sent) <= 20
    assert "test-key" not in stdout + stderr
