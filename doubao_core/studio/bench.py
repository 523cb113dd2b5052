"""What pictures and films need alike: a client, a place for files, limits, and patient downloads.

Once to block and once to await, side by side.
"""

from __future__ import annotations

import asyncio
import base64
import time

from doubao_core import media
from doubao_core.client import AsyncClient, Client
from doubao_core.errors import (
    ConnectionFailed,
    ConnectionLost,
    Malformed,
    ServerError,
    Timeout,
    Truncated,
)
from doubao_core.studio.allowance import Allowance
from doubao_core.studio.desk import Desk
from doubao_core.studio.pricing import Pricing

_DOWNLOADS = 3
# Failures of a download that another attempt may not have; what is too large stays too large.
_PASSING = (ConnectionFailed, ConnectionLost, ServerError, Timeout, Truncated)


class Bench:
    """A blocking client at work.

    Attributes:
        pricing: What orders cost.
    """

    def __init__(self, client: Client, desk: Desk, allowance: Allowance) -> None:
        self._client = client
        self._desk = desk
        self._allowance = allowance
        self._storage = desk.storage
        self.pricing = Pricing(provider=client.provider, table=allowance.prices)

    def _fetched(self, url: str, name: str) -> media.Saved:
        for attempt in range(1, _DOWNLOADS + 1):
            try:
                return self._client.download(url, self._storage, name=name)
            except _PASSING:
                if attempt == _DOWNLOADS:
                    raise
            time.sleep(self._desk.download_pause * attempt)
        raise AssertionError  # pragma: no cover - the loop returns or raises


class AsyncBench:
    """An asyncio client at work; see :class:`Bench`."""

    def __init__(self, client: AsyncClient, desk: Desk, allowance: Allowance) -> None:
        self._client = client
        self._desk = desk
        self._allowance = allowance
        self._storage = desk.storage
        self.pricing = Pricing(provider=client.provider, table=allowance.prices)

    async def _fetched(self, url: str, name: str) -> media.Saved:
        for attempt in range(1, _DOWNLOADS + 1):
            try:
                return await self._client.download(url, self._storage, name=name)
            except _PASSING:
                if attempt == _DOWNLOADS:
                    raise
            await asyncio.sleep(self._desk.download_pause * attempt)
        raise AssertionError  # pragma: no cover - the loop returns or raises


def decoded(content: str, storage: media.Storage, name: str) -> media.Saved:
    """Save a picture that came inside the answer."""
    try:
        data = base64.b64decode(content, validate=True)
    except ValueError as error:
        raise Malformed(f"a picture is no base64: {error}") from error
    with storage.target(name) as target:
        target.write(data)
        return target.commit(("image/",))
