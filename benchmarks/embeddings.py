"""What an embedded text costs: CPU, time with latency, memory, and how full the pipe is."""

from __future__ import annotations

import asyncio
import base64
import subprocess
import sys
from array import array
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import httpx
from contestants import FLOOR, Contestant
from measure import Contestants, Row, Run, compare, cpu_row, take_turns, wall_row
from pydantic_core import from_json

CPU = "Embedded text, 2,000 in batches of 100, {}: CPU"
LATENCY = "Embedded text, 2,000 at 50 ms latency, blocking: wall time"
IN_FLIGHT = "Single-item requests to {}, {} in flight, {}: wall time"
PEAK = "Fresh process with 2,000 embedded texts: peak memory"

BATCH = 100
LATENCY_MS = 50
PLACES = (16, 32)
# Turns that each place has in one measurement; the first connections are made in the warm-up.
TURNS = 20
ENDPOINTS = {"/embeddings": False, "/embeddings/multimodal": True}

SOCKETS = "bare sockets"
"""What this machine allows while others use it, too: its figure is the one to compare with."""
OURS_LANGCHAIN = "DoubaoEmbeddings"
OURS_LLAMAINDEX = "DoubaoEmbedding"
ALL = (
    Contestant(
        OURS_LANGCHAIN,
        "langchain",
        "langchain_doubao",
        {"multimodal": False, "chunk_size": BATCH},
    ),
    Contestant(
        "OpenAIEmbeddings",
        "langchain",
        "langchain_openai",
        # Otherwise it sends token ids, for which it downloads a vocabulary.
        {"check_embedding_ctx_length": False, "chunk_size": BATCH},
    ),
    Contestant(
        OURS_LLAMAINDEX,
        "llamaindex",
        "llamaindex_doubao",
        {"multimodal": False, "embed_batch_size": BATCH},
        model_option="model_name",
    ),
    Contestant(
        "OpenAILikeEmbedding",
        "llamaindex",
        "llama_index.embeddings.openai_like",
        {"embed_batch_size": BATCH},
        url_option="api_base",
        model_option="model_name",
    ),
)


def rows(run: Run) -> Iterator[Row]:
    """Measure every row about embeddings."""
    texts = _texts(run.size(2000))
    for how, work in (("blocking", blocking(run, texts)), ("asyncio", in_asyncio(run, texts))):
        costs = compare(work, operations=len(texts), rounds=run.rounds)
        yield cpu_row(CPU.format(how), costs)
    yield latency(run, texts)
    yield from in_flight(run)
    yield peak(run)


def _texts(count: int) -> list[str]:
    return [f"passage {number} of a book about tea and lighthouses" for number in range(count)]


def _embed(contestant: Contestant, model: Any, texts: list[str]) -> int:
    if contestant.framework == "langchain":
        return len(model.embed_documents(texts))
    return len(model.get_text_embedding_batch(texts))


async def _aembed(contestant: Contestant, model: Any, texts: list[str]) -> int:
    if contestant.framework == "langchain":
        return len(await model.aembed_documents(texts))
    return len(await model.aget_text_embedding_batch(texts))


def _run(run: Run, contestant: Contestant, model: Any, texts: list[str]) -> int:
    return run.runner.run(_aembed(contestant, model, texts))


def blocking(run: Run, texts: list[str]) -> Contestants:
    """Embed all texts, blocking."""
    client = httpx.Client(timeout=60)

    def floor() -> int:
        kept: list[list[float]] = []
        for body in _bodies(texts):
            kept += _read(client.post(f"{run.url}/embeddings", json=body).content)
        return len(kept)

    work: dict[str, Callable[[], int]] = {FLOOR: floor}
    for each in ALL:
        work[each.name] = partial(_embed, each, each.make(run.url, "embed"), texts)
    return work


def in_asyncio(run: Run, texts: list[str]) -> Contestants:
    """Embed all texts on one event loop."""
    client = httpx.AsyncClient(timeout=60)

    async def floor() -> int:
        kept: list[list[float]] = []
        for body in _bodies(texts):
            kept += _read((await client.post(f"{run.url}/embeddings", json=body)).content)
        return len(kept)

    work: dict[str, Callable[[], int]] = {FLOOR: lambda: run.runner.run(floor())}
    for each in ALL:
        work[each.name] = partial(_run, run, each, each.make(run.url, "embed"), texts)
    return work


def _bodies(texts: list[str]) -> Iterator[dict[str, Any]]:
    for start in range(0, len(texts), BATCH):
        batch = texts[start : start + BATCH]
        yield {"model": "embed", "input": batch, "encoding_format": "base64"}


def _read(content: bytes) -> list[list[float]]:
    """Do what cannot be left out: JSON, base64 and the lists of numbers."""
    found = from_json(content)["data"]
    return [array("f", base64.b64decode(each["embedding"])).tolist() for each in found]


def latency(run: Run, texts: list[str]) -> Row:
    """Embed all texts on a server that takes 50 ms; ours of LlamaIndex with its own batch size.

    In blocking code LlamaIndex embeds one batch after the other, whatever the model does; ours
    takes larger batches and cuts them itself.
    """
    model = f"embed-delay-{run.size(LATENCY_MS)}"
    work: dict[str, Callable[[], int]] = {}
    for each in ALL:
        made = each
        if each.name == OURS_LLAMAINDEX:
            made = Contestant(
                each.name,
                each.framework,
                each.module,
                {"multimodal": False},
                model_option=each.model_option,
            )
        work[each.name] = partial(_embed, each, made.make(run.url, model), texts)
    costs = compare(work, operations=len(texts), rounds=run.few)
    samples = {name: [cost.wall for cost in each] for name, each in costs.items()}
    return Row(LATENCY, "wall µs", samples)


def in_flight(run: Run) -> Iterator[Row]:
    """Keep a number of single-item requests in flight, as a rate limit of the service allows."""
    for endpoint, multimodal in ENDPOINTS.items():
        for places in PLACES:
            number = run.size(places)
            texts = _texts(number * TURNS)
            ideal = run.size(LATENCY_MS) * 1e3 / number
            for how in ("blocking", "asyncio"):
                work = _single(run, number, texts, multimodal=multimodal, how=how)
                costs = compare(work, operations=len(texts), rounds=run.few)
                yield wall_row(IN_FLIGHT.format(endpoint, places, how), costs, ideal=ideal)


def _single(
    run: Run, places: int, texts: list[str], *, multimodal: bool, how: str
) -> dict[str, Callable[[], int]]:
    work: dict[str, Callable[[], int]] = {
        SOCKETS: lambda: run.runner.run(_sockets(run, places, len(texts)))
    }
    for each in ALL:
        if each.name not in (OURS_LANGCHAIN, OURS_LLAMAINDEX):
            continue
        options = {"multimodal": multimodal, "max_concurrency": places}
        if each.framework == "langchain":
            options["chunk_size"] = 1
        elif not multimodal:
            # LlamaIndex's batch size is the request's, and its blocking batches do not overlap.
            continue
        ours = Contestant(
            each.name, each.framework, each.module, options, model_option=each.model_option
        )
        model = ours.make(run.url, f"embed-delay-{run.size(LATENCY_MS)}")
        if how == "blocking":
            work[each.name] = partial(_embed, ours, model, texts)
        else:
            work[each.name] = partial(_run, run, ours, model, texts)
    return work


async def _sockets(run: Run, places: int, count: int) -> int:
    """Send *count* requests and read their answers unparsed: as near to the ideal as it gets."""
    address = urlsplit(run.url)
    body = f'{{"model":"embed-delay-{run.size(LATENCY_MS)}","input":["tea"]}}'
    request = (
        f"POST {address.path}/embeddings/multimodal HTTP/1.1\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()
    left = iter(range(count))

    async def work() -> int:
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        done = 0
        for _ in left:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.rpartition(b"Content-Length: ")[2]))
            done += 1
        writer.close()
        return done

    return sum(await asyncio.gather(*(work() for _ in range(places))))


_PEAK = """
import asyncio
from {module} import {name}
model = {name}(**{arguments})
texts = [f"passage {{number}} of a book" for number in range({count})]
kept = {call}
assert len(kept) == len(texts)
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
_CALLS = {
    "langchain": "asyncio.run(model.aembed_documents(texts))",
    "llamaindex": "asyncio.run(model.aget_text_embedding_batch(texts))",
}


def peak(run: Run) -> Row:
    """Measure the peak memory of processes that embed once, asyncio, with the import."""
    work = {each.name: partial(_peak, _program(run, each)) for each in ALL}
    return Row(PEAK, "MiB", take_turns(work, min(run.few, 3)))


def _program(run: Run, contestant: Contestant) -> str:
    return _PEAK.format(
        module=contestant.module,
        name=contestant.name,
        arguments=contestant.arguments(run.url, "embed"),
        count=run.size(2000),
        call=_CALLS[contestant.framework],
    )


def _peak(program: str) -> float:
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=True)
    return float(done.stdout) / 1024
