"""Tool specs on the emulator, called as an agent calls them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from llamaindex_doubao import DoubaoToolSpec

KEY = "sk-live-9f8e7d6c5b4a3210"


@pytest.fixture
def ledger(tmp_path):
    return f"sqlite:///{tmp_path}/jobs.sqlite3"


@pytest.fixture
def make(emulator, tmp_path):
    """Make a tool spec that talks to the emulator."""

    def make(**fields: Any) -> DoubaoToolSpec:
        settings = {
            "base_url": emulator.base_url,
            "api_key": KEY,
            "max_retries": 0,
            "output_dir": tmp_path / "media",
            "image_model": "doubao-seedream-4-0-250828",
            "poll_interval": 0.01,
            **fields,
        }
        return DoubaoToolSpec(**settings)

    return make


@pytest.fixture
async def open_spec(make):
    """Make tool specs for async tests; they are closed on the test's loop."""
    made = []

    def opened(**fields: Any) -> DoubaoToolSpec:
        made.append(make(**fields))
        return made[-1]

    yield opened
    for spec in made:
        await spec.aclose()


@pytest.fixture
async def open_llm(make_llm):
    """A chat model for async tests; closed on the test's loop."""
    llm = make_llm()
    yield llm
    await llm.aclose()


@pytest.fixture
def tool_of():
    """Find a tool of a spec by its name."""

    def find(spec: DoubaoToolSpec, name: str) -> Any:
        return next(tool for tool in spec.to_tool_list() if tool.metadata.name == name)

    return find


@pytest.fixture(params=["sync", "async"])
def call(request, tool_of):
    """Call a tool as an agent does, and give the tool's output."""

    def run(spec: DoubaoToolSpec, name: str, **arguments: Any) -> Any:
        tool = tool_of(spec, name)
        if request.param == "sync":
            return tool.call(**arguments)

        async def awaited() -> Any:
            try:
                return await tool.acall(**arguments)
            finally:
                await spec.aclose()

        return asyncio.run(awaited())

    return run
