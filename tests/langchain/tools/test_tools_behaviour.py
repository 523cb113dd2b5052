"""The media tools in LangChain: messages, artifacts, errors, progress, limits, secrets."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.load import dumps
from langchain_core.utils.function_calling import convert_to_openai_tool
from langgraph.graph import START, MessagesState, StateGraph
from PIL import Image
from pydantic import ValidationError

from doubao_core.studio import ImageResult, VideoResult
from langchain_doubao import (
    DoubaoToolkit,
    SeedanceTaskTool,
    SeedanceVideoTool,
    SeedreamImageTool,
)

KEY = "sk-live-9f8e7d6c5b4a3210"
FILM = {"prompt": "tea", "duration": 4, "resolution": "480p", "ratio": "16:9"}
PICTURE = {"prompt": "tea", "size": "1K"}


def test_the_async_methods_are_native():
    for tool in (SeedreamImageTool, SeedanceVideoTool, SeedanceTaskTool):
        assert inspect.iscoroutinefunction(tool._arun)


def test_a_picture_is_a_short_text_for_the_model_and_a_file_for_the_program(pictures, call):
    message = call(pictures(), **PICTURE, max_images=2)
    assert message.status == "success"
    assert message.content.startswith("Made 2 pictures: image.jpeg (1024x1024), image-1.jpeg")
    assert "http" not in message.content
    assert isinstance(message.artifact, ImageResult)
    assert message.artifact.usage["generated_images"] == 2
    for made in message.artifact.images:
        with Image.open(made.path) as picture:
            assert picture.size == (1024, 1024)


@pytest.mark.parametrize("image_response_format", ["url", "b64_json"])
def test_pictures_are_saved_however_they_come(pictures, call, emulator, image_response_format):
    message = call(pictures(image_response_format=image_response_format), **PICTURE)
    assert emulator.requests[0].body["response_format"] == image_response_format
    assert message.artifact.images[0].path.is_file()


def test_an_earlier_result_is_a_reference_by_its_name(pictures, call, creates):
    tool = pictures()
    call(tool, **PICTURE)
    message = call(tool, **PICTURE, images=["image.jpeg"])
    assert message.status == "success"
    assert creates()[1].body["image"].startswith("data:image/jpeg;base64,")


def test_a_file_that_nobody_allowed_is_not_read(pictures, call, emulator):
    message = call(pictures(), **PICTURE, images=["/etc/hostname"])
    assert message.status == "error"
    assert "may not read" in message.content
    assert emulator.requests == []


def test_a_size_that_cannot_be_made_is_refused_with_what_can(pictures, call, emulator):
    message = call(pictures(model="doubao-seedream-4-5-251128"), prompt="tea", size="1024x1024")
    assert message.status == "error"
    assert "use a level (2K, 4K)" in message.content
    assert emulator.requests == []


def test_wrong_arguments_are_named_to_the_model(pictures, call, emulator):
    message = call(pictures(), prompt="tea", max_images="many")
    assert message.status == "error"
    assert "max_images: Input should be a valid integer" in message.content
    assert emulator.requests == []


def test_a_refused_prompt_tells_the_model_to_change_it(pictures, call):
    from doubao_emulator.chat_request import REFUSED_PHRASE

    message = call(pictures(), **{**PICTURE, "prompt": REFUSED_PHRASE})
    assert message.status == "error"
    assert "Change the prompt" in message.content


def test_pictures_can_be_shown_to_a_model_that_sees(pictures, call):
    text, image = call(pictures(show="url"), **PICTURE).content
    assert text["type"] == "text"
    assert image["url"].startswith("http")
    _, image = call(pictures(show="base64"), **PICTURE).content
    assert image["mime_type"] == "image/jpeg"
    assert image["base64"].startswith("/9j/")


def test_a_film_is_a_text_with_a_handle_and_a_file(films, call, creates):
    message = call(films(), **FILM, return_last_frame=True)
    result = message.artifact
    assert isinstance(result, VideoResult)
    assert result.path.read_bytes()[4:8] == b"ftyp"
    assert result.last_frame.is_file()
    assert result.path.name in message.content
    assert result.task_id in message.content
    assert "http" not in message.content
    assert len(creates()) == 1


def test_a_task_id_from_a_model_cannot_become_another_request(settings, call, emulator):
    message = call(SeedanceTaskTool(**settings), task_id="../../chat/completions?x=")
    assert message.status == "error"
    assert emulator.requests == []


def test_limits_refuse_before_paying(pictures, films, call, emulator):
    too_many = call(pictures(max_images_per_call=2), **PICTURE, max_images=3)
    too_long = call(films(max_duration=5), **{**FILM, "duration": 10})
    too_fine = call(films(resolutions=["480p"]), **{**FILM, "resolution": "1080p"})
    assert [each.status for each in (too_many, too_long, too_fine)] == ["error"] * 3
    assert "4 to 5 seconds" in too_long.content
    assert emulator.requests == []


def test_a_number_of_jobs_is_not_exceeded(pictures, call, creates):
    tool = pictures(max_jobs=1)
    assert call(tool, **PICTURE).status == "success"
    assert "may be used once" in call(tool, **PICTURE).content
    assert len(creates()) == 1


def test_a_fixed_argument_is_sent_and_not_shown(pictures, call, creates):
    tool = pictures(fixed={"watermark": False, "seed": None})
    shown = convert_to_openai_tool(tool)["function"]["parameters"]["properties"]
    assert not {"watermark", "seed"} & set(shown)
    call(tool, **PICTURE)
    assert creates()[0].body["watermark"] is False
    assert "seed" not in creates()[0].body


def test_fixing_what_is_no_argument_is_refused(pictures):
    with pytest.raises(ValidationError, match="no argument of this tool: colour"):
        pictures(fixed={"colour": "red"})


def test_the_schemas_have_the_public_arguments_and_no_secret(settings):
    image, video, task = DoubaoToolkit(
        **settings, image_model="doubao-seedream-4-0-250828"
    ).get_tools()
    assert list(image.args) == [
        "prompt", "size", "max_images", "images", "seed", "watermark", "output_format",
    ]  # fmt: skip
    assert list(video.args) == [
        "prompt", "duration", "ratio", "resolution", "first_frame", "last_frame",
        "reference_images", "reference_videos", "reference_audios", "generate_audio", "seed",
        "watermark", "return_last_frame",
    ]  # fmt: skip
    assert list(task.args) == ["task_id"]
    assert [tool.name for tool in (image, video, task)] == [
        "generate_image", "generate_video", "check_video",
    ]  # fmt: skip
    for tool in (image, video, task):
        assert KEY not in str(convert_to_openai_tool(tool))


def test_a_bare_string_is_the_first_argument(settings, call, films):
    made = call(films(), **FILM).artifact
    assert made.task_id in SeedanceTaskTool(**settings).invoke(made.task_id)


async def test_progress_is_a_custom_event(films):
    tool = films()
    seen = [
        event["data"]["status"]
        async for event in tool.astream_events(FILM, version="v2")
        if event["event"] == "on_custom_event" and event["name"] == "doubao_video_progress"
    ]
    await tool.aclose()
    assert seen == ["queued", "succeeded"]


@pytest.mark.parametrize("blocking", [True, False])
async def test_progress_is_in_the_custom_stream_of_a_graph(films, blocking):
    tool = films()

    def node(state: MessagesState) -> dict[str, Any]:
        tool.invoke(FILM)
        return {}

    async def async_node(state: MessagesState) -> dict[str, Any]:
        await tool.ainvoke(FILM)
        return {}

    graph = StateGraph(MessagesState)
    graph.add_node("film", node if blocking else async_node)
    graph.add_edge(START, "film")
    stream = graph.compile().astream({"messages": []}, stream_mode="custom")
    seen = [item["doubao_video_progress"]["status"] async for item in stream]
    await tool.aclose()
    assert seen == ["queued", "succeeded"]


def test_the_key_is_shown_nowhere(pictures):
    tool = pictures(fixed={"watermark": False})
    for shown in (repr(tool), str(tool.model_dump()), dumps(tool)):
        assert KEY not in shown
    assert KEY.encode() not in pickle.dumps(tool)


def test_copies_and_pickles_work(pictures, monkeypatch, creates):
    tool = pictures(fixed={"watermark": False})
    assert tool.invoke(PICTURE).startswith("Made 1 picture")
    assert copy.deepcopy(tool).invoke(PICTURE).startswith("Made 1 picture")
    monkeypatch.setenv("ARK_API_KEY", "sk-other")
    twin = pickle.loads(pickle.dumps(tool))  # noqa: S301 - made here
    assert twin.invoke(PICTURE).startswith("Made 1 picture")
    assert "watermark" not in twin.args
    keys = [each.headers["authorization"] for each in creates()]
    assert keys == [f"Bearer {KEY}", f"Bearer {KEY}", "Bearer sk-other"]


def test_the_tools_of_a_toolkit_share_a_client_and_keep_their_limits(settings):
    toolkit = DoubaoToolkit(**settings, video_options={"max_jobs": 0})
    image, video, task = toolkit.get_tools()
    assert image._client is video._client is task._client
    assert toolkit.get_tools()[1] is video
    assert "may be used 0 times" in video.invoke(FILM)


def test_an_unknown_argument_of_the_constructor_is_refused(settings):
    with pytest.raises(ValidationError, match="poll_intervall"):
        SeedanceVideoTool(**settings, poll_intervall=1)


def test_an_agent_makes_a_picture_and_goes_on_after_an_error(settings, chat, emulator):
    tools = DoubaoToolkit(**settings, image_model="doubao-seedream-4-0-250828").get_tools()
    for arguments in ({"prompt": "tea", "size": "9K"}, {"prompt": "tea", "size": "1K"}):
        emulator.answer(tool_calls=[("generate_image", arguments)])
    emulator.answer("Here it is.")
    agent = create_agent(chat(), tools)
    messages = agent.invoke({"messages": [("user", "Draw tea")]})["messages"]
    results = [message for message in messages if message.type == "tool"]
    assert [message.status for message in results] == ["error", "success"]
    assert results[1].artifact.saved
    assert messages[-1].text == "Here it is."


def test_the_model_is_told_the_limits_and_they_hold_without_a_size(pictures, call, creates):
    tool = pictures(sizes=["1K", "2K"], max_images_per_call=2)
    shown = convert_to_openai_tool(tool)["function"]["parameters"]["properties"]
    assert shown["size"]["enum"] == ["1K", "2K"]
    assert shown["max_images"]["maximum"] == 2
    assert "say the size: 1K or 2K" in call(tool, prompt="tea").content
    assert creates() == []
    assert call(pictures(sizes=["1K"]), prompt="tea").artifact.saved
    assert creates()[-1].body["size"] == "1K"


def test_impossible_limits_are_refused_when_made(pictures, films):
    with pytest.raises(ValidationError, match="sizes= cannot be"):
        pictures(sizes=["banana"])
    with pytest.raises(ValidationError, match="max_duration=2 is too short"):
        films(max_duration=2)
