"""The media tools of both frameworks behind one face: called by name, told alike."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from doubao_core import DoubaoError
from langchain_doubao import SeedanceTaskTool, SeedanceVideoTool, SeedreamImageTool
from llamaindex_doubao import DoubaoToolSpec

IMAGE_MODEL = "doubao-seedream-4-0-250828"


@dataclass(frozen=True)
class Told:
    """What a model is told of a call, and what the program gets besides."""

    text: str
    failed: bool
    result: Any = None


class LangChainTools:
    """A tool each, which tells failures by its message's status."""

    def __init__(self, tools):
        self.tools = tools

    @classmethod
    def made(cls, films, **settings):
        return cls(
            {
                "generate_image": SeedreamImageTool(model=IMAGE_MODEL, **settings),
                "generate_video": SeedanceVideoTool(**films, **settings),
                "check_video": SeedanceTaskTool(**settings),
            }
        )

    def but(self, change, name, **fields):
        """Give the same tools but for fields of one."""
        return LangChainTools({**self.tools, name: change(self.tools[name], **fields)})

    def call(self, name, **arguments):
        return self._told(self.tools[name].invoke(self._asked(name, arguments)))

    async def acall(self, name, **arguments):
        return self._told(await self.tools[name].ainvoke(self._asked(name, arguments)))

    @staticmethod
    def _asked(name, arguments):
        return {"name": name, "args": arguments, "id": "call_1", "type": "tool_call"}

    @staticmethod
    def _told(message):
        return Told(message.content, message.status == "error", message.artifact)

    async def aclose(self):
        for each in self.tools.values():
            await each.aclose()


class LlamaIndexTools:
    """A spec of all tools, whose failures are raised, for the agent to tell them."""

    def __init__(self, spec):
        self.spec = spec

    @classmethod
    def made(cls, films, **settings):
        return cls(DoubaoToolSpec(image_model=IMAGE_MODEL, **films, **settings))

    def but(self, change, name, **fields):
        """Give the same tools but for fields of one."""
        limit = f"max_{name.removeprefix('generate_')}_"
        renamed = {each.replace("max_", limit): value for each, value in fields.items()}
        return LlamaIndexTools(change(self.spec, **renamed))

    def call(self, name, **arguments):
        try:
            return self._told(self._tool(name).call(**arguments))
        except DoubaoError as error:
            return Told(str(error), failed=True)

    async def acall(self, name, **arguments):
        try:
            return self._told(await self._tool(name).acall(**arguments))
        except DoubaoError as error:
            return Told(str(error), failed=True)

    def _tool(self, name):
        return next(each for each in self.spec.to_tool_list() if each.metadata.name == name)

    @staticmethod
    def _told(output):
        return Told(output.content, output.is_error, output.raw_output[0].result)

    async def aclose(self):
        await self.spec.aclose()


@pytest.fixture(params=[LangChainTools, LlamaIndexTools], ids=["langchain", "llamaindex"])
def make_tools(request, emulator, tmp_path):
    """Make the tools of either framework, which talk to the emulator."""

    def make(films=None, **settings):
        usual = {
            "base_url": emulator.base_url,
            "api_key": "k",
            "max_retries": 0,
            "output_dir": tmp_path / "media",
        }
        return request.param.made({"poll_interval": 0.01, **(films or {})}, **{**usual, **settings})

    return make


@pytest.fixture(params=["sync", "async"])
def call(request):
    """Call a tool by its name, as an agent does."""

    def run(tools, name, **arguments):
        if request.param == "sync":
            return tools.call(name, **arguments)

        async def awaited():
            try:
                return await tools.acall(name, **arguments)
            finally:
                await tools.aclose()

        return asyncio.run(awaited())

    return run


@pytest.fixture
def ledger(tmp_path):
    return f"sqlite:///{tmp_path}/jobs.sqlite3"
