"""Tools on the emulator, called as an agent calls them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from langchain_doubao import SeedanceVideoTool, SeedreamImageTool

KEY = "sk-live-9f8e7d6c5b4a3210"


@pytest.fixture
def settings(emulator, tmp_path):
    return {
        "base_url": emulator.base_url,
        "api_key": KEY,
        "max_retries": 0,
        "output_dir": tmp_path / "media",
    }


@pytest.fixture
def ledger(tmp_path):
    return f"sqlite:///{tmp_path}/jobs.sqlite3"


@pytest.fixture
def pictures(settings):
    def make(**fields: Any) -> SeedreamImageTool:
        return SeedreamImageTool(**{**settings, "model": "doubao-seedream-4-0-250828", **fields})

    return make


@pytest.fixture
def films(settings):
    def make(**fields: Any) -> SeedanceVideoTool:
        return SeedanceVideoTool(**{**settings, "poll_interval": 0.01, **fields})

    return make


@pytest.fixture(params=["sync", "async"])
def call(request):
    """Call a tool as an agent does, and give the tool message."""

    def run(tool: Any, *, thread: str = "one", call_id: str = "call_1", **arguments: Any) -> Any:
        given = {"name": tool.name, "args": arguments, "id": call_id, "type": "tool_call"}
        config = {"configurable": {"thread_id": thread}}
        if request.param == "sync":
            return tool.invoke(given, config)

        async def awaited() -> Any:
            try:
                return await tool.ainvoke(given, config)
            finally:
                await tool.aclose()

        return asyncio.run(awaited())

    return run
