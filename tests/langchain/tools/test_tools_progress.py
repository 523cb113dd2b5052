"""What a running tool shows: pictures as they come, a bar, and what a cancelled agent leaves."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import pytest
from langchain.agents import create_agent
from langgraph.graph import START, MessagesState, StateGraph
from pydantic import ValidationError

from doubao_core.studio import watching
from doubao_emulator import AfterSeconds, Immediate
from langchain_doubao import DoubaoToolkit

FILM = {"prompt": "tea", "duration": 4, "resolution": "480p", "ratio": "16:9"}
GROUP = {"prompt": "tea", "size": "1K", "max_images": 2}
EVENT = "doubao_image_progress"


def seen_of(facts: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(each["index"], each["file"], each["size"], each["error"]) for each in facts]


MADE = [(0, "image.jpeg", "1024x1024", None), (1, "image-1.jpeg", "1024x1024", None)]


async def test_each_picture_is_a_custom_event_without_its_url(pictures):
    tool = pictures()
    events = [
        event
        async for event in tool.astream_events(GROUP, version="v2")
        if event["event"] == "on_custom_event" and event["name"] == EVENT
    ]
    await tool.aclose()
    assert seen_of([event["data"] for event in events]) == MADE
    assert "http" not in str(events)


@pytest.mark.parametrize("blocking", [True, False])
async def test_each_picture_is_in_the_custom_stream_of_a_graph(pictures, blocking):
    tool = pictures()

    def node(state: MessagesState) -> dict[str, Any]:
        tool.invoke(GROUP)
        return {}

    async def async_node(state: MessagesState) -> dict[str, Any]:
        await tool.ainvoke(GROUP)
        return {}

    graph = StateGraph(MessagesState)
    graph.add_node("draw", node if blocking else async_node)
    graph.add_edge(START, "draw")
    stream = graph.compile().astream({"messages": []}, stream_mode="custom")
    seen = [item[EVENT] async for item in stream]
    await tool.aclose()
    assert seen_of(seen) == MADE


def test_pictures_are_asked_for_one_by_one_and_seen_while_others_are_made(
    pictures, call, creates, tmp_path
):
    seen: list[str] = []

    def look(picture: Any) -> None:
        seen.append(picture.name)
        assert picture.path.is_file()

    message = call(pictures(on_picture=look), **GROUP)
    assert creates()[0].body["stream"] is True
    assert seen == ["image.jpeg", "image-1.jpeg"]
    assert [each.name for each in message.artifact.saved] == seen


def test_a_failed_picture_is_an_event_too(pictures, call, emulator):
    seen = []
    with emulator.fault("group_image_failed", index=0):
        call(pictures(on_picture=seen.append), **GROUP)
    assert sorted(bool(each.error) for each in seen) == [False, True]


def test_a_broken_callback_loses_no_picture(pictures, call, caplog):
    def broken(picture: Any) -> None:
        raise RuntimeError("no terminal")

    with caplog.at_level(logging.ERROR):
        message = call(pictures(on_picture=broken), **GROUP)
    assert len(message.artifact.saved) == 2
    assert "on_picture failed" in caplog.text


def test_a_bar_shows_the_state_of_a_film_and_the_count_of_pictures(films, pictures, call, capsys):
    film = call(films(progress_bar=True), **FILM).artifact
    shown = capsys.readouterr().err
    assert "generate_video" in shown
    assert f"succeeded {film.task_id}" in shown
    call(pictures(progress_bar=True), **GROUP)
    shown = capsys.readouterr().err
    assert "generate_image" in shown
    assert "2/2" in shown
    call(pictures(), **GROUP)
    assert capsys.readouterr().err == ""


def test_a_broken_bar_loses_nothing(films, call, monkeypatch, caplog):
    def broken(*arguments: Any) -> None:
        raise OSError("no terminal")

    monkeypatch.setattr(watching, "_bar", broken)
    with caplog.at_level(logging.ERROR):
        message = call(films(progress_bar=True), **FILM)
    assert message.artifact.path.is_file()
    assert "the progress bar failed" in caplog.text


def test_a_bar_without_tqdm_says_what_to_install(films, monkeypatch):
    monkeypatch.setattr(watching, "find_spec", lambda name: None)
    with pytest.raises(ValidationError, match="needs tqdm: pip install"):
        films(progress_bar=True)
    films()


async def test_cancelling_an_agent_deletes_the_task_that_is_still_queued(
    films, chat, emulator, progress, soon
):
    progress(AfterSeconds(3600))
    emulator.answer(tool_calls=[("generate_video", FILM)])
    tool, model = films(), chat()
    agent = create_agent(model, [tool])
    running = asyncio.ensure_future(agent.ainvoke({"messages": [("user", "Film tea")]}))
    assert await asyncio.to_thread(
        soon, lambda: any(each.method == "GET" for each in emulator.requests)
    )
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await tool.aclose()
    await model.aclose()
    assert "DELETE" in [each.method for each in emulator.requests]


def test_a_blocking_agent_is_cancelled_from_another_thread(
    settings, chat, emulator, progress, soon
):
    progress(AfterSeconds(3600))
    emulator.answer(tool_calls=[("generate_video", FILM)])
    emulator.answer("Cancelled.")
    toolkit = DoubaoToolkit(**settings, video_options={"poll_interval": 0.01})
    agent = create_agent(chat(), toolkit.get_tools())
    ended: list[Any] = []
    running = threading.Thread(
        target=lambda: ended.append(agent.invoke({"messages": [("user", "Film tea")]})),
        daemon=True,
    )
    running.start()
    assert soon(lambda: any(each.method == "GET" for each in emulator.requests))
    toolkit.cancel()
    running.join(45)
    assert ended, "waited in vain"
    message = ended[0]["messages"][-2]
    assert message.status == "error"
    assert "the program cancelled the wait for task cgt-" in message.content
    assert "DELETE" in [each.method for each in emulator.requests]
    progress(Immediate())
    assert "The video is ready" in toolkit.get_tools()[1].invoke(FILM)
