"""An asyncio client at the end of its event loop: connections are closed, and nothing is logged."""

from __future__ import annotations

import asyncio
import gc
import logging
from contextlib import suppress

import pytest

from doubao_core import AsyncClient

CHAT = {
    "model": "doubao-seed-2-1-pro-260915",
    "messages": [{"role": "user", "content": "Hello"}],
}
ENDLESS = ['{"choices":[{"delta":{"content":"a"}}]}'] * 10_000


@pytest.fixture
def lonely():
    """Run an emulator of its own, for counting connections that end late."""
    from doubao_emulator import Emulator

    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def none_open(soon):
    """Say whether the server sees, soon, that nobody is connected any more."""
    return lambda emulator: soon(lambda: emulator.connections == 0)


@pytest.mark.parametrize("turns", range(4))
def test_a_client_that_is_dropped_as_its_loop_ends_leaves_no_connection_open(
    lonely, key, turns, none_open
):
    """The loop cancels what closes them, at one moment or another."""

    async def main():
        client = AsyncClient(base_url=lonely.base_url, api_key=key)
        await asyncio.gather(*(client.chat(**CHAT) for _ in range(5)))
        del client
        for _ in range(turns):
            await asyncio.sleep(0)

    asyncio.run(main())
    gc.collect()
    assert none_open(lonely)


async def test_a_client_that_the_collector_finds_leaves_no_connection_open(lonely, key, none_open):
    """It dies together with its sockets, which must not be finalised before they are closed."""
    client = AsyncClient(base_url=lonely.base_url, api_key=key)
    client.itself = client
    await client.chat(**CHAT)
    del client
    gc.collect()
    assert await asyncio.to_thread(none_open, lonely)


@pytest.mark.parametrize("turns", range(4))
async def test_closing_a_client_closes_all_though_it_is_cancelled(lonely, key, turns, none_open):
    client = AsyncClient(base_url=lonely.base_url, api_key=key)
    await asyncio.gather(*(client.chat(**CHAT) for _ in range(5)))
    closing = asyncio.create_task(client.aclose())
    for _ in range(turns):
        await asyncio.sleep(0)
    closing.cancel()
    with suppress(asyncio.CancelledError):
        await closing
    await client.aclose()
    assert await asyncio.to_thread(none_open, lonely)


@pytest.mark.parametrize("held", [False, True], ids=["dropped", "held"])
def test_a_stream_that_is_left_as_its_loop_ends_frees_its_connection_silently(
    lonely, key, caplog, held, none_open
):
    """The loop closes all asynchronous generators at once, with those that closed each other."""
    lonely.answer(events=ENDLESS, interval=0.01)
    client, streams = AsyncClient(base_url=lonely.base_url, api_key=key), []

    async def main():
        stream = client.stream_chat(**CHAT)
        await anext(stream)
        if held:
            streams.append(stream)

    asyncio.run(main())
    assert none_open(lonely)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
