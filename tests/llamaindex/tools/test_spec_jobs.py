"""Tools with a ledger: the same tool call of an agent is the same job, after a crash, too."""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys

import pytest
from llama_index.core.agent.workflow import FunctionAgent

from doubao_core import ConfigError
from doubao_emulator import AfterSeconds, Immediate

FILM = {"prompt": "tea", "duration": 4, "resolution": "480p", "ratio": "16:9"}
PICTURE = {"prompt": "tea", "size": "1K"}
# LlamaIndex's workflows look at every attribute of an agent, also at pydantic's deprecated ones.
pytestmark = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")

# An agent in a process of its own, which stores its workflow while the film is made.
AGENT = """
import asyncio, json, sys
from pathlib import Path
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.workflow import Context, JsonPickleSerializer
from doubao_core import AsyncClient
from doubao_core.jobs import AsyncJobs
from llamaindex_doubao import Doubao, DoubaoToolSpec
from llamaindex_doubao.tools import VideoProgressEvent

url, folder, given = sys.argv[1:]
stored, pickled = Path(folder, "workflow.json"), JsonPickleSerializer()
connection = {"base_url": url, "api_key": "k", "max_retries": 0}

async def main():
    jobs = AsyncJobs(
        AsyncClient(**connection),
        ledger=f"sqlite:///{folder}/jobs.sqlite3",
        output_dir=f"{folder}/media",
        poll_interval=0.05,
        lease=0.5,
    )
    spec = DoubaoToolSpec(**connection, output_dir=f"{folder}/media", jobs=jobs)
    llm = Doubao(model="doubao-seed-2-0-lite-260428", **connection)
    agent = FunctionAgent(llm=llm, tools=spec.to_tool_list())
    if given:
        memory = ChatMemoryBuffer.from_defaults(tokenizer_fn=str.split)
        handler = agent.run(given, memory=memory)
    else:
        text = json.loads(stored.read_text())
        handler = agent.run(ctx=Context.from_dict(agent, text, serializer=pickled))
    async for event in handler.stream_events():
        if given and isinstance(event, VideoProgressEvent):
            stored.write_text(json.dumps(handler.ctx.to_dict(serializer=pickled)))
            print("stored", flush=True)
    answer = await handler
    print(answer.tool_calls[0].tool_output.raw_output[0].result.path)

asyncio.run(main())
"""


@pytest.fixture
def open_durable(open_spec, ledger):
    return lambda **fields: open_spec(**{"jobs": ledger, **fields})


async def test_a_call_outside_of_an_agent_is_known_by_what_it_orders(open_durable, creates):
    spec = open_durable()
    first = await spec.agenerate_video(**FILM)
    again = await asyncio.to_thread(open_durable().generate_video, **FILM)
    assert first[0].result.path == again[0].result.path
    assert len(creates()) == 1
    await spec.agenerate_image(**PICTURE)
    await spec.agenerate_image(**PICTURE)
    assert len(creates()) == 2


async def test_each_call_of_an_agent_is_a_job_of_its_own(open_durable, open_llm, emulator, creates):
    emulator.answer(tool_calls=[("generate_image", PICTURE), ("generate_image", PICTURE)])
    emulator.answer("Done.")
    agent = FunctionAgent(llm=open_llm, tools=open_durable().to_tool_list())
    answer = await agent.run("Draw two")
    assert len(creates()) == 2
    files = {call.tool_output.raw_output[0].result.saved[0].name for call in answer.tool_calls}
    assert len(files) == 2


async def test_what_is_no_ledger_is_refused(open_durable, emulator):
    with pytest.raises(ConfigError, match="jobs= cannot be int"):
        await open_durable(jobs=3).agenerate_video(**FILM)
    assert emulator.requests == []


async def test_a_pickled_spec_opens_its_own_ledger(open_durable, monkeypatch, creates):
    monkeypatch.setenv("ARK_API_KEY", "k")
    spec = open_durable()
    await spec.agenerate_video(**FILM)
    twin = pickle.loads(pickle.dumps(spec))  # noqa: S301 - made here
    assert (await twin.agenerate_video(**FILM))[0].result.path.is_file()
    await twin.aclose()
    assert len(creates()) == 1


def test_a_killed_process_finishes_its_film_in_the_next(emulator, progress, tmp_path, creates):
    def start(given: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", AGENT, emulator.base_url, str(tmp_path), given]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    progress(AfterSeconds(3600))
    emulator.answer(tool_calls=[("generate_video", FILM)])
    with start("Film tea") as doomed:
        assert doomed.stdout.readline() == "stored\n"
        doomed.kill()
    assert len(creates()) == 1

    progress(Immediate())
    emulator.answer("Done.")
    with start("") as heir:
        said, errors = heir.communicate(timeout=50)
    assert said.strip().endswith(".mp4"), errors
    assert len(creates()) == 1
