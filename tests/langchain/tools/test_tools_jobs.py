"""Tools with a ledger: the same tool call is the same job, after a crash, too."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import pytest
from langchain.agents import create_agent
from langgraph.checkpoint.memory import InMemorySaver

from doubao_core import Client
from doubao_core.jobs import AsyncJobs, Jobs, State
from doubao_emulator import AfterSeconds, Immediate
from langchain_doubao import DoubaoToolkit, SeedreamImageTool

FILM = {"prompt": "tea", "duration": 4, "resolution": "480p", "ratio": "16:9"}
PICTURE = {"prompt": "tea", "size": "1K"}
ASK = {"messages": [("user", "Film tea")]}

# An agent in a process of its own, with its threads and its jobs in files.
AGENT = """
import sys
from langchain.agents import create_agent
from langgraph.checkpoint.sqlite import SqliteSaver
from doubao_core import Client
from doubao_core.jobs import Jobs
from langchain_doubao import ChatDoubao, SeedanceVideoTool

url, folder, given = sys.argv[1:]
connection = {"base_url": url, "api_key": "k", "max_retries": 0}
jobs = Jobs(
    Client(**connection),
    ledger=f"sqlite:///{folder}/jobs.sqlite3",
    output_dir=f"{folder}/media",
    poll_interval=0.05,
    lease=0.5,
)
tool = SeedanceVideoTool(**connection, output_dir=f"{folder}/media", jobs=jobs)
model = ChatDoubao(model="doubao-seed-2-0-lite-260428", **connection)
with SqliteSaver.from_conn_string(f"{folder}/threads.sqlite3") as saver:
    agent = create_agent(model, [tool], checkpointer=saver)
    state = agent.invoke(
        {"messages": [("user", given)]} if given else None,
        {"configurable": {"thread_id": "film"}},
        durability="sync",
    )
print(state["messages"][-2].artifact.path)
"""


@pytest.fixture
def film(films, ledger):
    return lambda **fields: films(**{"jobs": ledger, **fields})


@pytest.mark.parametrize("kind", ["film", "picture"])
def test_the_same_tool_call_is_paid_once(film, settings, ledger, call, kind, creates):
    def tool() -> Any:
        if kind == "film":
            return film()
        return SeedreamImageTool(**settings, model="doubao-seedream-4-0-250828", jobs=ledger)

    arguments = FILM if kind == "film" else PICTURE
    first, again = call(tool(), **arguments), call(tool(), **arguments)
    assert len(creates()) == 1
    assert first.content == again.content
    assert again.status == "success"


@pytest.mark.parametrize(
    "other",
    [{"call_id": "call_2"}, {"thread": "two"}, {"prompt": "coffee"}],
    ids=lambda other: next(iter(other)),
)
def test_another_call_thread_or_order_is_another_job(film, call, other, creates):
    tool = film()
    call(tool, **FILM)
    call(tool, **{**FILM, **other})
    assert len(creates()) == 2


def test_a_call_without_an_id_is_known_by_what_it_orders(film, creates):
    assert film().invoke(FILM) == film().invoke(FILM)
    assert len(creates()) == 1


def test_a_wait_that_is_over_leaves_a_job_that_goes_on(
    film, call, emulator, progress, ledger, creates, tmp_path
):
    progress(AfterSeconds(3600))
    message = call(film(wait_timeout=0.05), **FILM)
    assert message.status == "success"
    assert "Do not submit it again" in message.content
    progress(Immediate())
    client = Client(base_url=emulator.base_url, api_key="k")
    with Jobs(client, ledger=ledger, output_dir=tmp_path / "media") as jobs:
        (job,) = jobs.resume()
    assert job.state is State.DONE
    assert len(creates()) == 1


def test_limits_count_what_is_paid_and_not_what_is_found_again(film, call, creates):
    tool = film(max_jobs=1)
    assert call(tool, **FILM).status == "success"
    assert call(tool, **FILM).status == "success"
    assert "may be used once" in call(tool, **{**FILM, "prompt": "coffee"}).content
    assert len(creates()) == 1


@pytest.mark.parametrize("kind", [Jobs, AsyncJobs])
def test_jobs_of_either_kind_serve_both_kinds_of_calls(
    film, call, emulator, ledger, kind, tmp_path, creates
):
    from doubao_core import AsyncClient

    connection = {"base_url": emulator.base_url, "api_key": "k"}
    client = Client(**connection) if kind is Jobs else AsyncClient(**connection)
    jobs = kind(client, ledger=ledger, output_dir=tmp_path / "media", poll_interval=0.01)
    assert call(film(jobs=jobs), **FILM).artifact.path.is_file()
    assert call(film(), **FILM).artifact.path.is_file()
    assert len(creates()) == 1


def test_what_is_no_ledger_is_the_developers_error(film):
    with pytest.raises(ValueError, match="jobs= cannot be int"):
        film(jobs=3).invoke(FILM)


def test_a_toolkit_passes_its_ledger_on(settings, ledger, creates):
    tools = DoubaoToolkit(**settings, jobs=ledger, video_options={"poll_interval": 0.01})
    video = tools.get_tools()[1]
    video.invoke(FILM)
    video.invoke(FILM)
    assert len(creates()) == 1


def test_a_graph_that_runs_the_node_again_gets_the_same_job(film, chat, emulator, creates):
    """As LangGraph does after a crash: the checkpoint before the tool's node is run again."""
    agent = create_agent(chat(), [film()], checkpointer=InMemorySaver())
    emulator.answer(tool_calls=[("generate_video", FILM)])
    emulator.answer("Done.")
    thread = {"configurable": {"thread_id": "one"}}
    first = agent.invoke(ASK, thread)
    before = next(
        each for each in agent.get_state_history(thread) if each.next and each.next[0] == "tools"
    )
    emulator.answer("Done again.")
    again = agent.invoke(None, before.config)
    assert again["messages"][-1].text == "Done again."
    assert again["messages"][-2].artifact == first["messages"][-2].artifact
    assert len(creates()) == 1


def test_a_killed_process_finishes_its_film_in_the_next(
    emulator, progress, tmp_path, creates, soon
):
    def start(given: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", AGENT, emulator.base_url, str(tmp_path), given]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    progress(AfterSeconds(3600))
    emulator.answer(tool_calls=[("generate_video", FILM)])
    with start("Film tea") as doomed:
        assert soon(lambda: any(each.method == "GET" for each in emulator.requests))
        doomed.kill()
    assert len(creates()) == 1

    progress(Immediate())
    emulator.answer("Done.")
    with start("") as heir:
        said, errors = heir.communicate(timeout=50)
    assert said.strip().endswith(".mp4"), errors
    assert len(creates()) == 1


async def test_a_closed_tool_opens_its_ledger_again(settings, ledger, creates):
    toolkit = DoubaoToolkit(**settings, jobs=ledger, video_options={"poll_interval": 0.01})
    video = toolkit.get_tools()[1]
    first = await video.ainvoke(FILM)
    await toolkit.aclose()
    assert await video.ainvoke(FILM) == first
    await toolkit.aclose()
    assert await asyncio.to_thread(video.invoke, FILM) == first
    toolkit.close()
    assert await asyncio.to_thread(video.invoke, FILM) == first
    toolkit.close()
    assert len(creates()) == 1
