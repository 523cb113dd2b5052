"""What a large result takes of memory on its way to disk, in a process of its own."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain

import pytest

MIB = 1024 * 1024
FILM, PICTURE = 200 * MIB, 8 * MIB
MOST = 4 * MIB
BLOCK = bytes(192 * 1024)
HEADS = {"film": b"\x00\x00\x00\x20ftypisom", "picture": b"\x89PNG\r\n\x1a\n"}

# Run by another interpreter, to which the modules of the tests are unknown. The first, small result
# pays for what is imported and kept.
_MEASURED = """
import asyncio, itertools, json, os, sys, tracemalloc
from doubao_core import AsyncClient, Client
from doubao_core.jobs import AsyncJobs, Jobs
from doubao_core.studio import ImageOrder
url, folder, kind, driver, large = *sys.argv[1:5], int(sys.argv[5])

def arguments(size):
    if kind == "film":
        return (f"{url}/{size}", folder), {"name": "film"}
    asked = {"model": f"picture-{size}", "prompt": "a cat", "response_format": "b64_json"}
    return (folder,), asked

def order(size):
    options = {"response_format": "b64_json", "extra_body": {"number": next(numbers)}}
    return ImageOrder(model=f"picture-{size}", prompt="a cat", options=options)

numbers, ledger = itertools.count(), f"sqlite:///{folder}.sqlite3"
methods = {"film": "download", "picture": "create_images_into", "event": "stream_images_into"}
method = methods.get(kind)
if driver == "sync":
    client = Client(api_key="k", base_url=url)
    jobs = Jobs(client, ledger=ledger, output_dir=folder)
    def work(size):
        if kind == "job":
            return list(jobs.run(order(size)))
        given, named = arguments(size)
        made = getattr(client, method)(*given, **named)
        return list(made) if kind == "event" else made
else:
    runner, client = asyncio.Runner(), AsyncClient(api_key="k", base_url=url)
    jobs = AsyncJobs(client, ledger=ledger, output_dir=folder)
    async def awork(size):
        if kind == "job":
            return [each async for each in jobs.run(order(size))]
        given, named = arguments(size)
        made = getattr(client, method)(*given, **named)
        return [each async for each in made] if kind == "event" else await made
    def work(size):
        return runner.run(awork(size))

def resident(name):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if name in line)

work(100_000)
figures = {}
if sys.platform == "linux":
    with open("/proc/self/clear_refs", "w") as peak:
        peak.write("5")
    before = resident("VmRSS")
    work(large)
    figures["resident"] = resident("VmHWM") - before
tracemalloc.start()
work(large)
figures["traced"] = tracemalloc.get_traced_memory()[1]
figures["sizes"] = sorted(each.stat().st_size for each in os.scandir(folder))
print(json.dumps(figures))
"""


def content(kind, size):
    """Make what a result of *size* bytes is made of, as it is sent."""
    first = HEADS[kind] + BLOCK[len(HEADS[kind]) :]
    yield first[:size]
    for start in range(len(BLOCK), size, len(BLOCK)):
        yield BLOCK[: size - start]


class Results(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        size = int(self.path.rpartition("/")[2])
        self.reply("video/mp4", size, content("film", size))

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        size = int(asked["model"].partition("-")[2])
        if asked.get("stream"):
            media_type = "text/event-stream"
            begin = b'data: {"type":"image_generation.partial_succeeded","b64_json":"'
            end = b'","image_index":0}\n\ndata: [DONE]\n\n'
        else:
            media_type = "application/json"
            begin, end = b'{"model":"m","data":[{"b64_json":"', b'","size":"2048x2048"}]}'
        text = map(base64.b64encode, content("picture", size))
        length = len(begin) + (size + 2) // 3 * 4 + len(end)
        self.reply(media_type, length, chain([begin], text, [end]))

    def reply(self, media_type, length, blocks):
        self.send_response(200)
        self.send_header("content-type", media_type)
        self.send_header("content-length", str(length))
        self.end_headers()
        for block in blocks:
            self.wfile.write(block)

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def url():
    """Serve results of any size."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Results)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/api/v3"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("driver", ["sync", "async"])
@pytest.mark.parametrize("kind", ["film", "picture", "event", "job"])
def test_a_large_result_takes_little_memory_on_its_way_to_disk(kind, driver, url, tmp_path):
    large = FILM if kind == "film" else PICTURE
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, url, str(tmp_path), kind, driver, str(large)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert set(figures.pop("sizes")) == {100_000, large}
    assert all(figure < MOST for figure in figures.values()), figures
