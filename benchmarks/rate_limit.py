"""How much of a limit of requests per minute is used, and how many requests are refused.

    python benchmarks/rate_limit.py [--limit 3000] [--seconds 75] [--processes 1 4]

The emulator, a process of its own, enforces the limit over a sliding window of a minute. Each
client process embeds single texts as fast as it may; they share the limit through a SQLite file.
The first seconds, in which the burst goes, do not count.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from doubao_emulator import Emulator
from langchain_doubao import DoubaoEmbeddings

WARM_UP = 10.0
CONCURRENT = 16


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the server saw: requests accepted and refused after the warm-up, and for how long."""

    accepted: int
    refused: int
    seconds: float


def serve(limit: float, told: multiprocessing.Queue, stop: multiprocessing.Event) -> None:
    """Run the server until *stop*; tells its address, then what it counted."""
    with Emulator() as emulator, emulator.limit(requests_per_minute=limit) as kept:
        told.put(emulator.base_url)
        stop.wait()
        told.put([(arrival.time, arrival.accepted) for arrival in kept.arrivals])


def embed(url: str, limit: float, where: str, seconds: float) -> None:
    """Embed single texts, all that the limit allows."""
    embeddings = DoubaoEmbeddings(
        model="doubao-embedding-vision-251215",
        api_key="bench",
        base_url=url,
        dimensions=1024,
        requests_per_minute=limit,
        rate_limit_url=where,
        max_retries=5,
    )
    end = time.monotonic() + seconds

    async def one() -> None:
        while time.monotonic() < end:
            await embeddings.aembed_query("tea")

    async def all_of_them() -> None:
        await asyncio.gather(*(one() for _ in range(CONCURRENT)))

    asyncio.run(all_of_them())


def run(limit: float, seconds: float, processes: int) -> Outcome:
    """Let *processes* clients share the limit for *seconds*."""
    context = multiprocessing.get_context("spawn")
    told, stop = context.Queue(), context.Event()
    server = context.Process(target=serve, args=(limit, told, stop))
    server.start()
    url = told.get()
    with tempfile.TemporaryDirectory() as folder:
        where = f"sqlite:///{Path(folder) / 'limits.db'}"
        clients = [
            context.Process(target=embed, args=(url, limit, where, seconds))
            for _ in range(processes)
        ]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
    stop.set()
    arrivals = told.get()
    server.join()
    began = arrivals[0][0] + WARM_UP
    counted = [(moment, accepted) for moment, accepted in arrivals if moment >= began]
    taken = sum(accepted for _, accepted in counted)
    return Outcome(taken, len(counted) - taken, counted[-1][0] - began)


def main() -> None:
    """Run each number of processes and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limit", type=float, default=3000, help="requests per minute")
    parser.add_argument("--seconds", type=float, default=75)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 4])
    given = parser.parse_args()
    print(f"{given.limit:,.0f} requests per minute, {given.seconds:.0f} s, {CONCURRENT} each")
    for processes in given.processes:
        outcome = run(given.limit, given.seconds, processes)
        used = outcome.accepted / outcome.seconds * 60 / given.limit
        refused = outcome.refused / (outcome.accepted + outcome.refused)
        print(f"{processes} processes: {used:6.1%} of the limit used, {refused:6.2%} refused")


if __name__ == "__main__":
    main()
