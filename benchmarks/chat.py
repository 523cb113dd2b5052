"""Chat and embeddings: what they cost beside their peers and raw httpx, in one run.

    python benchmarks/chat.py [--rounds 15] [--only streams,calls] [--markdown FILE]

Prints the figures of every contestant (median, quartiles), ratios of paired rounds, and beside
each goal whether it was met. Trust the ratios, not the digits. ``raw httpx`` is the floor: bytes,
split, JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.metadata
import os
import platform
from pathlib import Path

# No contestant may ask the network for anything or trace to anywhere; fresh processes inherit it.
os.environ.update(LANGSMITH_TRACING="false", LANGCHAIN_TRACING_V2="false")

import calls
import concurrency
import embeddings
import report
import startup
import streams
from measure import Row, Run, local_server

TOPICS = {
    "streams": streams.rows,
    "calls": calls.rows,
    "concurrency": concurrency.rows,
    "embeddings": embeddings.rows,
    "startup": startup.rows,
}
PACKAGES = (
    "httpx",
    "httpx-aiohttp",
    "openai",
    "langchain-core",
    "langchain-openai",
    "langchain-deepseek",
    "llama-index-core",
    "llama-index-llms-openai-like",
    "llama-index-embeddings-openai-like",
)


def main() -> None:
    """Measure every topic asked for and print its tables."""
    options = _options()
    versions = [f"{each} {importlib.metadata.version(each)}" for each in PACKAGES]
    print(f"CPython {platform.python_version()}, {os.cpu_count()} cores, {', '.join(versions)}")
    print(f"{options.rounds} rounds (a third of them where one takes seconds), median [quartiles]")
    rows: dict[str, Row] = {}
    with local_server() as url, asyncio.Runner() as runner:
        run = Run(url, options.rounds, runner, options.shrink)
        for topic in options.only:
            for row in TOPICS[topic](run):
                rows[row.title] = row
                print("\n".join(report.text(row)), flush=True)
    failed = report.unmet(rows)
    print("\nGoals not met:", *(failed or ["none"]), sep="\n  ")
    if options.markdown:
        options.markdown.write_text(report.markdown(rows), encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15, help="measured rounds of each")
    parser.add_argument("--only", type=_topics, default=list(TOPICS), help=", ".join(TOPICS))
    parser.add_argument("--markdown", type=Path, help="write the goals as a table to this file")
    parser.add_argument("--shrink", type=int, default=1, help="divide every size, to try it out")
    return parser.parse_args()


def _topics(given: str) -> list[str]:
    wanted = given.split(",")
    if unknown := set(wanted) - set(TOPICS):
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(sorted(unknown))}")
    return wanted


if __name__ == "__main__":
    main()
