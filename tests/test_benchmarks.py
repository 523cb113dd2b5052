"""The benchmarks measure work that was done: each contestant gets every chunk and every answer."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
PEERS = (
    "langchain_openai",
    "langchain_deepseek",
    "llama_index.llms.openai_like",
    "llama_index.embeddings.openai_like",
    "httpx_aiohttp",
)
CONTESTANTS = (
    "ChatDoubao",
    "ChatOpenAI",
    "ChatDeepSeek",
    "Doubao",
    "OpenAILike",
    "DoubaoEmbeddings",
    "OpenAIEmbeddings",
    "DoubaoEmbedding",
    "OpenAILikeEmbedding",
)


@pytest.fixture
def benchmark_group():
    for module in PEERS:
        pytest.importorskip(module, reason="needs the benchmark group")


@pytest.fixture
def measure(monkeypatch):
    """`benchmarks/measure.py`, which imports nothing of its neighbours."""
    spec = importlib.util.spec_from_file_location("benchmarks_measure", BENCHMARKS / "measure.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "benchmarks_measure", module)
    spec.loader.exec_module(module)
    return module


@pytest.mark.timeout(180)
def test_every_contestant_does_its_work_and_every_goal_gets_a_verdict(benchmark_group, tmp_path):
    table = tmp_path / "table.md"
    arguments = [
        "--rounds",
        "1",
        "--shrink",
        "200",
        "--only",
        "streams,calls,concurrency,embeddings",
    ]
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "chat.py", *arguments, "--markdown", table],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for contestant in CONTESTANTS:
        assert re.search(rf"^  {contestant}\b", done.stdout, re.MULTILINE), contestant
    lines = table.read_text().splitlines()[2:]
    assert len(lines) >= 15
    for line in lines:
        for cell in line.split("|")[2:4]:
            assert re.search(r"goal [≥≤] \S+: (NOT )?met|no goal|–", cell), cell


def test_a_contestant_that_did_less_than_the_server_had_is_an_error(measure):
    with pytest.raises(RuntimeError, match="idler did 3 of 5"):
        measure.compare({"worker": lambda: 5, "idler": lambda: 3}, operations=5, rounds=1)


def test_contestants_take_turns_and_the_first_round_does_not_count(measure):
    order = []

    def turn(name):
        return lambda: order.append(name) or len(order)

    samples = measure.take_turns({"a": turn("a"), "b": turn("b")}, rounds=2)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert samples == {"a": [4, 5], "b": [3, 6]}


def test_ratios_are_of_the_same_round(measure):
    row = measure.Row("title", "µs", {"ours": [1.0, 2.0], "theirs": [3.0, 8.0]})
    assert row.ratios("theirs", "ours") == [3.0, 4.0]


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
@pytest.mark.timeout(180)
def test_every_contestant_brings_its_film_and_its_picture_to_disk(monkeypatch):
    """Each process checks the sizes of the files that it made."""
    for module in ("openai", "volcenginesdkarkruntime"):
        pytest.importorskip(module, reason="needs the benchmark group")
    monkeypatch.syspath_prepend(BENCHMARKS)
    media = importlib.import_module("media")
    with media.server() as url:
        for setup in (*media.FILM.values(), *media.PICTURE.values()):
            _, seconds = media.measured(setup, url, 2 * media.MIB)
            assert seconds > 0
