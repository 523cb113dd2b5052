"""What one streamed chunk costs: in a burst, in a long answer, in pieces of a tool call, paced."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib import import_module
from typing import Any

import httpx
from contestants import (
    AIOHTTP,
    ALL,
    FLOOR,
    Contestant,
    achunks,
    afloor_stream,
    aiohttp_client,
    chunks,
    floor_stream,
    gathered,
    question,
)
from measure import Contestants, Cost, Row, Run, compare, cpu_row, take_turns
from pydantic import create_model

BLOCKING = "Streamed text chunk, 2,000 at once, blocking"
ASYNCIO = "Streamed text chunk, 2,000 at once, asyncio"
LOOKED_AT = "Streamed text chunk, 2,000 at once, blocking, its message read as agents do"
LENGTH = "Streamed text chunk of a long answer, blocking"
HEARD = "Streamed text chunk of a long answer that a callback handler listens to, blocking"
TOOLS_BLOCKING = "Streamed tool-call fragment, 500 at once, blocking"
TOOLS_ASYNCIO = "Streamed tool-call fragment, 500 at once, asyncio"
STRUCTURED = "Streamed structured output, per fragment of 500 at once, blocking"
PACED = "Streamed text chunk, 64 streams at once, a chunk each per {} ms"
LIVE_CHUNK = "Streamed text chunk, 256 streams at once, a chunk each per 20 ms"
LIVE = "Time to the first token above the server's, 256 streams at once"

# At 20 ms each chunk arrives by itself; at 1 ms nobody keeps up, and several are read together.
PACES_MS = (1,)
EVERY_MS, FIRST_AFTER_MS = 20, 200


def rows(run: Run) -> Iterator[Row]:
    """Measure every row about streams."""
    text, tools = run.size(2000), run.size(500)
    for title, count, model, make in (
        (BLOCKING, text, f"text-{text}", blocking),
        (ASYNCIO, text, f"text-{text}", in_asyncio),
        (LOOKED_AT, text, f"text-{text}", looked_at),
        (TOOLS_BLOCKING, tools, f"tools-{tools}", blocking),
        (TOOLS_ASYNCIO, tools, f"tools-{tools}", in_asyncio),
    ):
        yield cpu_row(title, compare(make(run, model), operations=count, rounds=run.rounds))
    yield by_length(run, LENGTH, ALL)
    yield by_length(run, HEARD, [each for each in ALL if each.framework == "langchain"], heard)
    yield structured(run)
    for every in PACES_MS:
        yield paced(run, every)
    yield from live(run)


def blocking(run: Run, model: str) -> Contestants:
    """One stream each."""
    work: dict[str, Callable[[], int]] = {FLOOR: floor_stream(run.url, model)}
    for each in ALL:
        work[each.name] = partial(_count, each, each.make(run.url, model))
    return work


def _count(contestant: Contestant, llm: Any) -> int:
    return sum(1 for _ in chunks(contestant, llm, question(contestant.framework)))


def looked_at(run: Run, model: str) -> Contestants:
    """One stream each of LlamaIndex, whose chunks make their message when it is asked for."""

    def read(each: Contestant, llm: Any) -> int:
        found = chunks(each, llm, question(each.framework))
        return sum(bool(chunk.message.blocks) for chunk in found)

    makers = [each for each in ALL if each.framework == "llamaindex"]
    return {each.name: partial(read, each, each.make(run.url, model)) for each in makers}


async def _acount(contestant: Contestant, llm: Any) -> int:
    found = await achunks(contestant, llm, question(contestant.framework))
    return sum([1 async for _ in found])


def in_asyncio(run: Run, model: str) -> Contestants:
    """One stream each, on one event loop."""
    return together(run, model, count=1)


def together(
    run: Run, model: str, *, count: int, aiohttp: httpx.AsyncClient | None = None
) -> Contestants:
    """*count* concurrent streams each, on one event loop; through *aiohttp* if given."""
    client = aiohttp or httpx.AsyncClient(timeout=60)
    streams = {FLOOR: partial(afloor_stream, client, run.url, model)}
    for each in ALL:
        streams[each.name] = partial(_acount, each, each.make(run.url, model, aiohttp))
    suffix = AIOHTTP if aiohttp else ""
    return {
        name + suffix: lambda one=one: run.runner.run(gathered(one, count))
        for name, one in streams.items()
    }


def heard(model: Any) -> Any:
    """Let somebody listen: LangChain then keeps the chunks of an answer until its end."""
    handler = import_module("langchain_core.callbacks").BaseCallbackHandler()
    return model.with_config(callbacks=[handler])


def by_length(
    run: Run,
    title: str,
    contestants: Iterable[Contestant],
    changed: Callable[[Any], Any] = lambda model: model,
) -> Row:
    """Compare answers of 500 and of 32,000 chunks; the short one several times over."""
    work: dict[str, Callable[[], int]] = {}
    operations: dict[str, int] = {}
    for length, repeats in ((run.size(500), 4), (run.size(32_000), 1)):
        nominal = "500" if repeats > 1 else "32,000"
        for each in contestants:
            one = partial(_count, each, changed(each.make(run.url, f"text-{length}")))
            name = f"{each.name}, {nominal} chunks"
            work[name] = lambda one=one, repeats=repeats: sum(one() for _ in range(repeats))
            operations[name] = length * repeats
    costs = compare(work, operations=operations, rounds=run.few)
    return cpu_row(title, costs)


def structured(run: Run) -> Row:
    """Objects of a pydantic class, made of the fragments of one tool call each."""
    # Called like the tool that the server's model calls.
    wanted = create_model("search", query=str)

    def words(model: Any, asked: Any) -> int:
        *_, made = model.stream(asked)
        return len(made.query.split())

    work: dict[str, Callable[[], int]] = {}
    length = run.size(500)
    for each in ALL:
        if each.framework == "langchain":
            llm = each.make(run.url, f"tools-{length}")
            model = llm.with_structured_output(wanted, method="function_calling")
            work[each.name] = partial(words, model, question(each.framework))
    return cpu_row(STRUCTURED, compare(work, operations=length, rounds=run.few))


def paced(run: Run, every: int) -> Row:
    """Chunks that arrive one after the other, *every* so many ms, as from a model that writes."""
    streams, length = run.size(64), run.size(50)
    model = f"text-{length}-every-{every}"
    with aiohttp_client(run.runner) as client:
        plain = together(run, model, count=streams)
        work = {**plain, **together(run, model, count=streams, aiohttp=client)}
        costs = compare(work, operations=streams * length, rounds=run.few)
    return cpu_row(PACED.format(every), costs)


def live(run: Run) -> Iterator[Row]:
    """Ask for 256 streams at the same moment from a server whose first chunk takes 200 ms."""
    streams, length = run.size(256), run.size(50)
    model = f"text-{length}-every-{EVERY_MS}-delay-{run.size(FIRST_AFTER_MS)}"
    work: dict[str, Callable[[], Cost]] = {}
    for each in ALL:
        llm = each.make(run.url, model)
        work[each.name] = partial(_live, run, each, llm, streams, length)
    samples = take_turns(work, run.few)
    firsts = {name: [cost.wall / 1e3 for cost in each] for name, each in samples.items()}
    yield Row(LIVE, "ms", firsts)
    yield cpu_row(LIVE_CHUNK, samples)


def _live(run: Run, contestant: Contestant, llm: Any, streams: int, length: int) -> Cost:
    """Give CPU per chunk, and the middle stream's wait for its first chunk as wall."""
    waits: list[float] = []

    async def one() -> int:
        count = 0
        async for _ in await achunks(contestant, llm, question(contestant.framework)):
            if not count:
                waits.append(time.perf_counter() - began)
            count += 1
        return count

    cpu, began = time.process_time(), time.perf_counter()
    done = run.runner.run(gathered(one, streams))
    cpu = time.process_time() - cpu
    if done < streams * length or len(waits) < streams:
        raise RuntimeError(f"{contestant.name} gave {done} chunks of {streams * length}")
    above = statistics.median(waits) - run.size(FIRST_AFTER_MS) / 1e3
    return Cost(cpu=cpu / (streams * length) * 1e6, wall=above * 1e6)
