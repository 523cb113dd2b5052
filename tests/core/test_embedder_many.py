"""Thousands of requests of one call: they wait for their turn before the pool, not in it."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from typing import ClassVar

import httpx
import pytest

from doubao_core import AsyncClient, Client
from doubao_core.embedder import AsyncEmbedder, Embedder, Recipe, Tally, dense

VISION = "doubao-embedding-vision-251215"
MANY = 5000
MOST = 16


class Canned(asyncio.Protocol):
    """Answers at once, and as cheaply as possible, with the number in the text as the vector."""

    connections: ClassVar[list[asyncio.Transport]] = []

    def connection_made(self, transport):
        self.connections.append(transport)
        self.transport = transport
        self.pending = b""

    def data_received(self, data):
        self.pending += data
        head, separator, body = self.pending.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        if not separator or len(body) < int(length.group(1)):
            return
        self.pending = b""
        number = float(re.search(rb"text (\d+)", body).group(1))
        data = {"object": "embedding", "embedding": [number, 1.0]}
        answer = json.dumps({"object": "list", "model": VISION, "data": data}).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(answer)}"
        self.transport.write(head.encode() + b"\r\n\r\n" + answer)


@pytest.fixture
def base_url():
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    started = asyncio.run_coroutine_threadsafe(loop.create_server(Canned, "127.0.0.1", 0), loop)
    server = started.result(5)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def end():
        server.close()
        while Canned.connections:
            Canned.connections.pop().abort()
        await asyncio.sleep(0.01)

    asyncio.run_coroutine_threadsafe(end(), loop).result(5)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)
    loop.close()


def planned(recipe):
    return recipe.documents([f"text {number}" for number in range(MANY)])


# A pool that lets nothing wait: whatever comes above its limit fails at once.
STRICT = {
    "limits": httpx.Limits(max_connections=MOST),
    "timeout": httpx.Timeout(30, pool=0.5),
}


def test_five_thousand_requests_of_threads_fit_into_a_small_pool(base_url):
    """Shows R000-14."""
    recipe = Recipe(model=VISION)
    with httpx.Client(**STRICT) as http:
        client = Client(api_key="k", base_url=base_url, http_client=http)
        answers = Embedder(client, MOST, Tally()).run(recipe, planned(recipe))
    assert [vector[0] for vector in dense(recipe, answers)] == list(range(MANY))


async def test_five_thousand_requests_of_tasks_fit_into_a_small_pool(base_url):
    recipe = Recipe(model=VISION)
    async with httpx.AsyncClient(**STRICT) as http:
        client = AsyncClient(api_key="k", base_url=base_url, http_client=http)
        embedder = AsyncEmbedder(client, MOST, Tally())
        requests = planned(recipe)
        # Several calls of one object share its limit.
        parts = [requests[start : start + 1000] for start in range(0, MANY, 1000)]
        answers = await asyncio.gather(*(embedder.run(recipe, part) for part in parts))
    found = [vector[0] for part in answers for vector in dense(recipe, part)]
    assert found == list(range(MANY))
