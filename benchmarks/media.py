"""How much memory a result takes on its way to disk: a film by its URL, a picture in an answer.

    python benchmarks/media.py [--rounds 7] [--film 200] [--picture 8]

Each figure is of a process of its own that did the same with something small before, so that
imports, connections and buffers are not counted: its peak afterwards, less what it held before.
The server is another process, which makes its bytes as it sends them. Needs Linux.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from measure import quartiles, take_turns

MIB = 1024 * 1024
SMALL = 256 * 1024
_BLOCK = 192 * 1024  # a multiple of three, which base64 needs to be cut anywhere
_FILM = b"\x00\x00\x00\x20ftypisom"
_PICTURE = b"\x89PNG\r\n\x1a\n"

_MEASURE = """
import base64, json, os, sys, time
url, folder, small, large = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
def memory(name):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if name in line)
{setup}
def written():
    return sum(each.stat().st_size for each in os.scandir(folder))
work(small)
assert written() == small, written()
open("/proc/self/clear_refs", "w").write("5")
before, begun = memory("VmRSS"), time.perf_counter()
work(large)
spent, peak = time.perf_counter() - begun, memory("VmHWM")
assert written() == small + large, written()
print((peak - before) / 1024, spent)
"""
_OURS = """
from doubao_core import Client
client = Client(api_key="bench", base_url=url)
"""
_OURS_ASYNC = """
import asyncio
from doubao_core import AsyncClient
client, runner = AsyncClient(api_key="bench", base_url=url), asyncio.Runner()
"""
_OPENAI = """
from openai import OpenAI
client = OpenAI(api_key="bench", base_url=url)
"""
_ARK = """
from volcenginesdkarkruntime import Ark
client = Ark(api_key="bench", base_url=url)
"""
_ASKED = 'model=f"picture-{size}", prompt="a cat", response_format="b64_json"'
_SAVED = 'open(f"{folder}/{size}.png", "wb").write(base64.b64decode(answer.data[0].b64_json))'
FILM: Mapping[str, str] = {
    "download": _OURS
    + """
def work(size):
    client.download(f"{url}/film-{size}", folder, name=f"film-{size}")
""",
    "download, asyncio": _OURS_ASYNC
    + """
def work(size):
    runner.run(client.download(f"{url}/film-{size}", folder, name=f"film-{size}"))
""",
    "httpx.get().content": """
import httpx
def work(size):
    open(f"{folder}/{size}.mp4", "wb").write(httpx.get(f"{url}/film-{size}").content)
""",
    "openai videos.download_content": _OPENAI
    + """
def work(size):
    client.videos.download_content(f"film-{size}").write_to_file(f"{folder}/{size}.mp4")
""",
}
PICTURE: Mapping[str, str] = {
    "create_images_into": _OURS
    + f"""
def work(size):
    made = client.create_images_into(folder, {_ASKED})
    assert made.saved[0].size == size
""",
    "create_images_into, asyncio": _OURS_ASYNC
    + f"""
def work(size):
    made = runner.run(client.create_images_into(folder, {_ASKED}))
    assert made.saved[0].size == size
""",
    "httpx, json, base64": """
import httpx
def work(size):
    asked = {"model": f"picture-{size}"}
    answer = httpx.post(f"{url}/images/generations", json=asked).json()
    picture = base64.b64decode(answer["data"][0]["b64_json"])
    open(f"{folder}/{size}.png", "wb").write(picture)
""",
    "openai images.generate": _OPENAI
    + f"""
def work(size):
    answer = client.images.generate({_ASKED})
    {_SAVED}
""",
    "Ark images.generate": _ARK
    + f"""
def work(size):
    answer = client.images.generate({_ASKED})
    {_SAVED}
""",
}


def main(arguments: list[str] | None = None) -> None:
    """Measure both, and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7, help="processes for each figure")
    parser.add_argument("--film", type=float, default=200, metavar="MIB")
    parser.add_argument("--picture", type=float, default=8, metavar="MIB")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.serve:
        serve()
        return
    with server() as url:
        for title, size, contestants in (
            ("film by its URL", asked.film, FILM),
            ("picture as b64_json", asked.picture, PICTURE),
        ):
            print(f"\n{title}, {size:g} MiB, to disk: median (quartiles)")
            report(url, int(size * MIB), contestants, asked.rounds)


def report(url: str, size: int, contestants: Mapping[str, str], rounds: int) -> None:
    """Let *contestants* take turns, and print a line for each."""
    work = {name: partial(measured, setup, url, size) for name, setup in contestants.items()}
    for name, samples in take_turns(work, rounds).items():
        memory, seconds = zip(*samples, strict=True)
        low, middle, high = quartiles(list(memory))
        print(
            f"  {name:32} +{middle:7.2f} MiB ({low:.2f}-{high:.2f})"
            f" {quartiles(list(seconds))[1]:7.3f} s"
        )


def measured(setup: str, url: str, size: int) -> tuple[float, float]:
    """Run one process; gives the memory that it added, in MiB, and the seconds that it took."""
    with tempfile.TemporaryDirectory() as folder:
        program = [sys.executable, "-c", _MEASURE.format(setup=setup)]
        asked = [f"{url}/api/v3", folder, str(SMALL), str(size)]
        done = subprocess.run([*program, *asked], stdout=subprocess.PIPE, check=True)
    memory, seconds = map(float, done.stdout.split())
    return memory, seconds


@contextmanager
def server() -> Iterator[str]:
    """Start the server as a process of its own; gives its URL."""
    command = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def serve() -> None:
    """Serve films and pictures of any size, made as they are sent."""
    running = ThreadingHTTPServer(("127.0.0.1", 0), _Results)
    print(f"http://127.0.0.1:{running.server_port}", flush=True)
    running.serve_forever()


class _Results(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        found = re.search(r"film-(\d+)", self.path)
        assert found is not None
        self._send("video/mp4", int(found[1]), _content(_FILM, int(found[1])))

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        size = int(asked["model"].partition("-")[2])
        self._send("application/json", *_answer(size))

    def _send(self, media_type: str, size: int, blocks: Iterator[bytes]) -> None:
        self.send_response(200)
        self.send_header("content-type", media_type)
        self.send_header("content-length", str(size))
        self.end_headers()
        for block in blocks:
            self.wfile.write(block)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


def _content(head: bytes, size: int) -> Iterator[bytes]:
    block = head.ljust(_BLOCK, b"\xa5")[:size]
    yield block
    left = size - len(block)
    rest = b"\xa5" * _BLOCK
    while left > 0:
        yield rest[:left]
        left -= _BLOCK


def _answer(size: int) -> tuple[int, Iterator[bytes]]:
    """Give an answer with one picture, and its length."""
    head = b'{"model":"bench","created":1790000000,"data":[{"b64_json":"'
    tail = (
        b'","size":"2048x2048"}],"usage":{"generated_images":1,"output_tokens":1,"total_tokens":1}}'
    )

    def blocks() -> Iterator[bytes]:
        yield head
        yield from map(base64.b64encode, _content(_PICTURE, size))
        yield tail

    return len(head) + (size + 2) // 3 * 4 + len(tail), blocks()


if __name__ == "__main__":
    main()
