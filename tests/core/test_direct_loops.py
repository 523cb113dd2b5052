"""Asyncio connections on other event loops, to hosts of several addresses, and without a loop."""

from __future__ import annotations

import asyncio
import json
import socket

import pytest

from doubao_core import AsyncClient, ConfigError, ConnectionFailed
from doubao_core.transport import looped

CHAT = {"model": "doubao-seed-2-1-pro-260915", "messages": [{"role": "user", "content": "Hello"}]}
BODY = json.dumps(
    {"choices": [{"index": 0, "finish_reason": "stop", "message": {"content": "Hi."}}]}
).encode()
COUNTED = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)


async def asked(base_url, key, times=2):
    async with AsyncClient(base_url=base_url, api_key=key, timeout=10.0, max_retries=0) as client:
        return [(await client.chat(**CHAT)).content for _ in range(times)]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_uvloop_is_an_event_loop_like_any_other(serve, key, host):
    uvloop = pytest.importorskip("uvloop")
    server = serve(COUNTED)
    url = server.base_url.replace("127.0.0.1", host)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(asked(url, key)) == ["Hi.", "Hi."]
    assert len(server.accepted) == 1


@pytest.fixture
def addresses(monkeypatch):
    """Let every name have these addresses, on an event loop that cannot try two at once."""
    given = []

    async def found(_host, port, **_options):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in given]

    def patch():
        loop = asyncio.get_running_loop()
        create = loop.create_connection

        async def simple(made, host, port, *, ssl=None, server_hostname=None):
            if host == "192.0.2.1":
                await asyncio.Event().wait()
            return await create(made, host, port, ssl=ssl, server_hostname=server_hostname)

        monkeypatch.setattr(loop, "getaddrinfo", found)
        monkeypatch.setattr(loop, "create_connection", simple)
        monkeypatch.setattr(looped, "_tries_two_at_once", lambda _loop: False)
        monkeypatch.setattr(looped, "_ONE_ADDRESS_SECONDS", 0.01)
        return given

    return patch


async def test_a_dead_first_address_does_not_keep_the_others(serve, key, addresses):
    server = serve(COUNTED)
    addresses().extend(["192.0.2.1", "127.0.0.1"])
    url = server.base_url.replace("127.0.0.1", "two.example")
    assert await asked(url, key) == ["Hi.", "Hi."]
    assert server.requests[0][0].count(b"host: two.example:") == 1


async def test_a_host_of_which_no_address_answers_is_a_failed_connection(serve, key, addresses):
    server = serve(COUNTED)
    server.stop()
    addresses().extend(["192.0.2.1", "127.0.0.1"])
    with pytest.raises(ConnectionFailed, match=r"cannot connect to two\.example"):
        await asked(server.base_url.replace("127.0.0.1", "two.example"), key)


def test_without_a_loop_of_asyncio_the_error_says_what_to_do(key):
    """Such as under trio, which drives coroutines like this."""
    client = AsyncClient(base_url="http://127.0.0.1:9/api/v3", api_key=key)
    with pytest.raises(ConfigError, match="running event loop of asyncio"):
        client.chat(**CHAT).send(None)
    with pytest.raises(StopIteration):
        client.aclose().send(None)
