"""What a running tool shows to a workflow, and what a cancelled agent leaves."""

from __future__ import annotations

import asyncio

import pytest
from llama_index.core.agent.workflow import FunctionAgent
from pydantic import ValidationError

from doubao_core.studio import watching
from doubao_emulator import AfterSeconds
from llamaindex_doubao.tools import ImageProgressEvent, VideoProgressEvent

FILM = {"prompt": "tea", "duration": 4, "resolution": "480p", "ratio": "16:9"}
GROUP = {"prompt": "tea", "size": "1K", "max_images": 2}
# LlamaIndex's workflows look at every attribute of an agent, also at pydantic's deprecated ones.
pytestmark = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")


async def test_each_picture_is_an_event_of_the_workflow_without_its_url(
    open_spec, open_llm, emulator
):
    emulator.answer(tool_calls=[("generate_image", GROUP)])
    emulator.answer("Done.")
    handler = FunctionAgent(llm=open_llm, tools=open_spec().to_tool_list()).run("Draw tea")
    events = [
        event async for event in handler.stream_events() if isinstance(event, ImageProgressEvent)
    ]
    await handler
    assert [(each.index, each.file, each.size) for each in events] == [
        (0, "image.jpeg", "1024x1024"),
        (1, "image-1.jpeg", "1024x1024"),
    ]
    assert "http" not in str(events)


def test_each_picture_is_shown_to_a_function(make, call, creates):
    seen: list[str] = []
    output = call(make(on_picture=lambda each: seen.append(each.name)), "generate_image", **GROUP)
    assert creates()[0].body["stream"] is True
    assert seen == [each.name for each in output.raw_output[0].result.saved]
    assert len(seen) == 2


def test_a_bar_shows_the_state_of_a_film(make, call, capsys):
    film = call(make(progress_bar=True), "generate_video", **FILM).raw_output[0].result
    assert f"succeeded {film.task_id}" in capsys.readouterr().err


def test_a_bar_without_tqdm_says_what_to_install(make, monkeypatch):
    monkeypatch.setattr(watching, "find_spec", lambda name: None)
    with pytest.raises(ValidationError, match="needs tqdm: pip install"):
        make(progress_bar=True)


async def test_cancelling_an_agent_deletes_the_task_that_is_still_queued(
    open_spec, open_llm, emulator, progress, soon
):
    progress(AfterSeconds(3600))
    emulator.answer(tool_calls=[("generate_video", FILM)])
    handler = FunctionAgent(llm=open_llm, tools=open_spec().to_tool_list()).run("Film tea")
    async for event in handler.stream_events():
        if isinstance(event, VideoProgressEvent):
            break
    await handler.cancel_run()
    assert await asyncio.to_thread(
        soon, lambda: "DELETE" in [each.method for each in emulator.requests]
    )
