"""Connections: kept, given back, cut, shared by threads and tasks, and led through proxies."""

from __future__ import annotations

import asyncio
import copy
import gc
import os
import pickle
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress

import pytest
from httpcore._async.connection_pool import PoolByteStream

from doubao_core import AsyncClient, Client, ConfigError
from doubao_core.pools import KEEP_ALIVE_SECONDS, FreeListPool, tls_context
from doubao_emulator import Emulator, Immediate

CHAT = {
    "model": "doubao-seed-2-1-pro-260915",
    "messages": [{"role": "user", "content": "Hello"}],
}
ENDLESS = ['{"choices":[{"delta":{"content":"a"}}]}'] * 10_000


class Relay(threading.Thread):
    """A plain HTTP proxy on loopback that passes everything on to one server, and counts."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets = [self._listener]
        self.targets = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def accepted(self):
        return len(self._sockets) // 2

    def run(self):
        while True:
            try:
                inner, _ = self._listener.accept()
            except OSError:
                return
            outer = socket.create_connection(("127.0.0.1", self._port))
            self._sockets += [inner, outer]
            for each in (inner, outer):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for pair in ((inner, outer), (outer, inner)):
                threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _pass_on(self, source, sink):
        try:
            while data := source.recv(65536):
                method, _, rest = data.partition(b" http://")
                if rest and method.isalpha():
                    host, _, rest = rest.partition(b"/")
                    self.targets.append(host.decode())
                    data = method + b" /" + rest
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def stop(self):
        for each in self._sockets:
            # A thread that waits for bytes keeps a socket open that is merely closed.
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self.join()


@pytest.fixture(scope="module")
def running_emulator():
    """A server of this file's own: the session's may have connections that other tests left."""
    with Emulator(progress=Immediate()) as emulator:
        yield emulator


@pytest.fixture
def relay(emulator):
    """Run a counting relay in front of the emulator."""
    port = int(emulator.base_url.split(":")[2].split("/")[0])
    relay = Relay(port)
    relay.start()
    yield relay
    relay.stop()


def test_twenty_streams_and_calls_use_one_connection(make_client, relay):
    """A stream that was read to its end leaves a connection that can be used again."""
    client = make_client(base_url=f"{relay.url}/api/v3")
    for _ in range(10):
        list(client.stream_chat(**CHAT))
        client.chat(**CHAT)
    assert relay.accepted == 1


def test_a_refused_request_leaves_its_connection_usable(make_client, relay):
    client = make_client(base_url=f"{relay.url}/api/v3", max_retries=0)
    for _ in range(5):
        with pytest.raises(Exception, match="does not exist"):
            client.chat(**CHAT | {"model": "nope"})
        with pytest.raises(Exception, match="does not exist"):
            list(client.stream_chat(**CHAT | {"model": "nope"}))
    assert relay.accepted == 1


def test_closing_a_stream_early_frees_its_connection_at_once(client, emulator, soon):
    emulator.answer(events=ENDLESS, interval=0.01)
    stream = client.stream_chat(**CHAT)
    assert next(stream).content == "a"
    assert emulator.connections == 1
    stream.close()
    assert soon(lambda: emulator.connections == 0)
    assert client.chat(**CHAT).content


def test_closing_a_client_closes_its_connections_and_it_can_be_used_again(client, emulator, soon):
    close = client.aclose if isinstance(client.native, AsyncClient) else client.close
    close()
    client.chat(**CHAT)
    assert emulator.connections == 1
    close()
    assert soon(lambda: emulator.connections == 0)
    close()
    assert client.chat(**CHAT).content


def test_a_client_is_a_context_manager(emulator, key, soon):
    with Client(base_url=emulator.base_url, api_key=key) as client:
        client.chat(**CHAT)

    async def main():
        async with AsyncClient(base_url=emulator.base_url, api_key=key) as client:
            await client.chat(**CHAT)

    asyncio.run(main())
    assert soon(lambda: emulator.connections == 0)


def test_a_dropped_client_leaves_no_connection_open(emulator, key, soon):
    client = Client(base_url=emulator.base_url, api_key=key)
    client.chat(**CHAT)
    del client
    gc.collect()
    assert soon(lambda: emulator.connections == 0)


def test_one_async_client_serves_one_event_loop_after_another(emulator, key, soon):
    """Warnings are errors here: neither a loop nor a connection may be left behind."""
    client = AsyncClient(base_url=emulator.base_url, api_key=key)

    async def main():
        answers = await asyncio.gather(*(client.chat(**CHAT) for _ in range(3)))
        async with aclosing(client.stream_chat(**CHAT)) as stream:
            events = [event async for event in stream]
        return [answer.content for answer in answers], len(events)

    runs = [asyncio.run(main()) for _ in range(3)]
    assert runs[0] == runs[1] == runs[2]
    assert len(client._transport._direct._lifetimes) == 1, "closed loops are not kept"
    gc.collect()
    assert soon(lambda: emulator.connections == 0)


def test_an_async_client_serves_loops_in_several_threads(emulator, key):
    client = AsyncClient(base_url=emulator.base_url, api_key=key)

    def work(_):
        return asyncio.run(client.chat(**CHAT)).content

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(work, range(24)))) == 1


def test_a_cancelled_call_frees_its_connection_and_its_place(emulator, key, monkeypatch, soon):
    monkeypatch.setattr("doubao_core.pools.MAX_CONNECTIONS", 1)

    async def cancelled(client, call):
        before, task = len(emulator.requests), asyncio.create_task(call())
        assert await asyncio.to_thread(soon, lambda: len(emulator.requests) > before)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(soon, lambda: emulator.connections == 0)

    async def main():
        async with AsyncClient(base_url=emulator.base_url, api_key=key) as client:

            async def read():
                async for _ in client.stream_chat(**CHAT):
                    pass

            with emulator.fault("stall"):
                await cancelled(client, lambda: client.chat(**CHAT))
            emulator.answer(events=ENDLESS, interval=0.01)
            await cancelled(client, read)
            return await asyncio.wait_for(client.chat(**CHAT), 5)

    assert asyncio.run(main()).content


async def test_a_connection_of_httpx_whose_release_was_cancelled_is_not_used_again(
    emulator, key, relay, monkeypatch
):
    """Inside httpcore it is still in use, and the next request would wait for it in vain."""
    monkeypatch.setenv("HTTP_PROXY", relay.url)
    release = PoolByteStream.aclose

    async def cancelled(self):
        monkeypatch.setattr(PoolByteStream, "aclose", release)
        raise asyncio.CancelledError

    async with AsyncClient(base_url="http://ark.invalid/api/v3", api_key=key) as client:
        await client.chat(**CHAT)
        monkeypatch.setattr(PoolByteStream, "aclose", cancelled)
        with pytest.raises(asyncio.CancelledError):
            await client.chat(**CHAT)
        async with asyncio.timeout(5):
            assert (await client.chat(**CHAT)).content
        assert emulator.connections == 1


def test_thirty_two_threads_share_one_client(emulator, key):
    with (
        Client(base_url=emulator.base_url, api_key=key) as client,
        ThreadPoolExecutor(32) as pool,
    ):
        start = threading.Barrier(32)

        def work(number):
            start.wait()
            texts = [f"text {number}"]
            vectors = client.embed(model="doubao-embedding-large-text-250515", texts=texts).vectors
            return len(vectors), len(list(client.stream_chat(**CHAT)))

        results = list(pool.map(work, range(32)))
        assert len(set(results)) == 1
        assert emulator.connections <= 32


@pytest.mark.parametrize("most", [1000, 50])
def test_two_hundred_requests_at_once_all_finish(emulator, key, monkeypatch, most):
    monkeypatch.setattr("doubao_core.pools.MAX_CONNECTIONS", most)
    seen = []

    async def main():
        async with AsyncClient(base_url=emulator.base_url, api_key=key, max_retries=0) as client:

            async def one(number):
                answer = await client.tokenize(
                    model="doubao-seed-2-0-lite-260215", texts=["x" * (number + 1)]
                )
                seen.append(emulator.connections)
                return answer[0].offset_mapping[-1][1]

            return await asyncio.gather(*map(one, range(200)))

    assert asyncio.run(main()) == list(range(1, 201))
    assert max(seen) <= min(most, 200)


def test_connections_that_were_idle_for_long_are_closed_while_others_are_used(monkeypatch):
    """Closing takes a moment, in which another task may take the last idle connection."""

    class Connection:
        def __init__(self, since):
            self.idle_since, self.transport, self.closed = since, self, False

        async def aclose(self):
            self.closed = True
            idle.clear()

    async def main():
        pool, fresh = FreeListPool(), Connection(0.0)
        await pool._places.acquire()
        await pool.give_back(fresh, idle, usable=True)

    import collections

    old = Connection(time.monotonic() - KEEP_ALIVE_SECONDS - 1)
    idle = collections.deque([old])
    asyncio.run(main())
    assert old.closed


def test_a_used_client_can_be_copied_and_pickled(client, emulator, monkeypatch):
    client.chat(**CHAT)
    list(client.stream_chat(**CHAT))
    monkeypatch.setenv("ARK_API_KEY", "from-the-environment")
    # What is loaded was dumped here.
    twins = [copy.deepcopy(client.native), pickle.loads(pickle.dumps(client.native))]  # noqa: S301
    keys = []
    for twin in twins:
        if isinstance(twin, AsyncClient):
            asyncio.run(twin.chat(**CHAT))
        else:
            twin.chat(**CHAT)
            twin.close()
        keys.append(emulator.requests[-1].headers["authorization"])
    assert keys[0] == emulator.requests[0].headers["authorization"]
    assert keys[1] == "Bearer from-the-environment"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_makes_connections_of_its_own(emulator, key):
    """A connection that parent and child both use would mix their answers."""
    import multiprocessing

    with Client(base_url=emulator.base_url, api_key=key) as client:
        client.chat(**CHAT)
        parent = client._transport._connections()
        receiver, sender = multiprocessing.Pipe(duplex=False)
        process = multiprocessing.get_context("fork").Process(
            target=lambda: sender.send(client._transport._connections() is not parent)
        )
        process.start()
        assert receiver.poll(10)
        assert receiver.recv() is True
        process.join()
        assert client._transport._connections() is parent


def test_an_injected_http_client_is_used_and_left_open(driver, make_client, emulator):
    injected = driver.http(headers={"X-Mine": "yes"})
    client = make_client(base_url=emulator.base_url, http_client=injected)
    client.chat(**CHAT)
    list(client.stream_chat(**CHAT))
    assert [request.headers["x-mine"] for request in emulator.requests] == ["yes", "yes"]
    close = client.aclose if isinstance(client.native, AsyncClient) else client.close
    close()
    assert not injected.is_closed
    if isinstance(client.native, AsyncClient):
        client.runner.run(injected.aclose())
    else:
        injected.close()


def test_the_proxy_of_the_environment_is_used(make_client, relay, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", relay.url)
    client = make_client(base_url="http://ark.invalid/api/v3")
    assert client.chat(**CHAT).content
    assert list(client.stream_chat(**CHAT))
    assert relay.targets == ["ark.invalid"] * 2
    assert relay.accepted == 1


@pytest.mark.parametrize("name", ["all_proxy", "ALL_PROXY", "http_proxy"])
def test_every_spelling_of_the_proxy_variable_counts(make_client, relay, monkeypatch, name):
    monkeypatch.setenv(
        name, relay.url.removeprefix("http://") if name == "http_proxy" else relay.url
    )
    make_client(base_url="http://ark.invalid/api/v3").chat(**CHAT)
    assert relay.targets == ["ark.invalid"]


def test_no_proxy_stands_before_a_server_of_this_machine(client, relay, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", relay.url)
    client.chat(**CHAT)
    assert relay.accepted == 0


def test_a_proxy_of_a_kind_that_cannot_be_used_says_so(make_client, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "socks5://127.0.0.1:1")
    with pytest.raises(ConfigError, match="socks"):
        make_client(base_url="http://ark.invalid/api/v3").chat(**CHAT)


def test_a_proxy_of_an_unknown_kind_says_so(make_client, monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "socks4://127.0.0.1:1")
    with pytest.raises(ConfigError, match="socks4"):
        make_client(base_url="http://ark.invalid/api/v3").chat(**CHAT)


def test_certificates_that_are_not_there_are_a_config_error(make_client, monkeypatch, tmp_path):
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nowhere.pem"))
    tls_context.cache_clear()
    with pytest.raises(ConfigError, match="No such file"):
        make_client(base_url="https://127.0.0.1:9/api/v3").chat(**CHAT)
    tls_context.cache_clear()
