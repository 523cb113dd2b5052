"""The media tools in LlamaIndex: blocks, results, errors, progress, limits, schemas."""

from __future__ import annotations

import asyncio

import pytest
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ImageBlock, TextBlock, VideoBlock
from PIL import Image
from pydantic import ValidationError

from doubao_core import AmbiguousSubmit, ConfigError, ContentRejected, JobFailed, ServerError
from llamaindex_doubao import Doubao, DoubaoToolSpec
from llamaindex_doubao.tools import VideoProgressEvent

KEY = "sk-live-9f8e7d6c5b4a3210"
FILM = {"prompt": "tea", "duration": 4, "resolution": "480p", "ratio": "16:9"}
PICTURE = {"prompt": "tea", "size": "1K"}


def test_each_tool_has_an_async_twin():
    assert [pair[0] for pair in DoubaoToolSpec.spec_functions] == [
        "generate_image", "generate_video", "check_video",
    ]  # fmt: skip
    for blocking, native in DoubaoToolSpec.spec_functions:
        assert not asyncio.iscoroutinefunction(getattr(DoubaoToolSpec, blocking))
        assert asyncio.iscoroutinefunction(getattr(DoubaoToolSpec, native))


def test_the_schemas_have_the_public_arguments_and_no_secret(make):
    image, video, task = (tool.metadata for tool in make().to_tool_list())
    assert list(image.get_parameters_dict()["properties"]) == [
        "prompt", "size", "max_images", "images", "seed", "watermark", "output_format",
    ]  # fmt: skip
    assert list(video.get_parameters_dict()["properties"]) == [
        "prompt", "duration", "ratio", "resolution", "first_frame", "last_frame",
        "reference_images", "reference_videos", "reference_audios", "generate_audio", "seed",
        "watermark", "return_last_frame",
    ]  # fmt: skip
    assert list(task.get_parameters_dict()["properties"]) == ["task_id"]
    for metadata in (image, video, task):
        assert KEY not in str(metadata.to_openai_tool())
        assert "self" not in metadata.description


def test_pictures_are_blocks_for_the_model_and_files_for_the_program(make, call):
    output = call(make(), "generate_image", **PICTURE, max_images="2")
    told, *shown = output.blocks
    assert isinstance(told, TextBlock)
    assert output.content.startswith("Made 2 pictures: image.jpeg (1024x1024), image-1.jpeg")
    assert "http" not in output.content
    assert [type(block) for block in shown] == [ImageBlock, ImageBlock]
    assert [block.path.name for block in shown] == ["image.jpeg", "image-1.jpeg"]
    assert all(block.url is None for block in shown)
    for made in output.raw_output[0].result.images:
        with Image.open(made.path) as picture:
            assert picture.size == (1024, 1024)


def test_what_is_shown_to_the_model_is_the_developers_choice(make, call):
    hidden = call(make(show=()), "generate_image", **PICTURE)
    assert [type(block) for block in hidden.blocks[1:]] == []
    linked = call(make(show=("image_url",)), "generate_image", **PICTURE)
    assert str(linked.blocks[1].url).startswith("http")
    film = call(make(show=("video",)), "generate_video", **FILM).blocks[1]
    assert isinstance(film, VideoBlock)
    assert film.path.suffix == ".mp4"


def test_a_picture_that_came_without_a_url_is_shown_from_its_file(make, call, emulator):
    output = call(make(image_response_format="b64_json"), "generate_image", **PICTURE)
    assert output.blocks[1].path.is_file()
    assert emulator.requests[0].body["response_format"] == "b64_json"


def test_the_result_is_not_part_of_what_is_stored(make, call):
    told = call(make(), "generate_image", **PICTURE).blocks[0]
    assert told.result.saved
    assert "result" not in told.model_dump()


@pytest.mark.parametrize(
    ("name", "arguments", "complaint"),
    [
        ("generate_image", {"prompt": "tea", "size": "9K"}, r"use a level \(1K, 2K, 4K\)"),
        ("generate_image", {"prompt": "tea", "max_images": "many"}, "max_images: Input should"),
        ("generate_image", {}, "prompt: "),
        ("generate_image", {"prompt": "tea", "images": ["/etc/hostname"]}, "may not read"),
        ("generate_video", {"prompt": "tea", "duration": 99}, "4 to 15 seconds"),
        ("check_video", {"task_id": "../x"}, "not an id"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_sent(
    make, call, emulator, name, arguments, complaint
):
    with pytest.raises(ConfigError, match=complaint):
        call(make(), name, **arguments)
    assert emulator.requests == []


def test_limits_refuse_before_paying(make, call, emulator):
    with pytest.raises(ConfigError, match="may be 2 at most"):
        call(make(max_images_per_call=2), "generate_image", **PICTURE, max_images=3)
    with pytest.raises(ConfigError, match="may be used 0 times"):
        call(make(max_video_jobs=0), "generate_video", **FILM)
    assert emulator.requests == []


def test_a_refused_prompt_tells_the_model_to_change_it(make, call):
    from doubao_emulator.chat_request import REFUSED_PHRASE

    with pytest.raises(ContentRejected, match="Change the prompt"):
        call(make(), "generate_image", **{**PICTURE, "prompt": REFUSED_PHRASE})


def test_a_film_is_a_text_with_a_handle_and_a_file(make, call):
    output = call(make(), "generate_video", **FILM, return_last_frame=True)
    result = output.raw_output[0].result
    assert result.path.read_bytes()[4:8] == b"ftyp"
    assert result.last_frame.is_file()
    assert result.task_id in output.content
    assert "http" not in output.content


@pytest.mark.parametrize(
    ("fault", "name", "arguments", "kind"),
    [
        ("lost_answer", "generate_image", PICTURE, AmbiguousSubmit),
        ("task_failed", "generate_video", FILM, JobFailed),
        ("server_error", "check_video", {"task_id": "cgt-1"}, ServerError),
    ],
)
def test_failures_are_raised_in_the_cores_classes(
    make, call, emulator, fault, name, arguments, kind
):
    with emulator.fault(fault), pytest.raises(kind):
        call(make(), name, **arguments)


def test_a_fixed_argument_is_sent_and_not_shown(make, call, creates, tool_of):
    spec = make(fixed={"generate_image": {"watermark": False, "seed": None}})
    shown = tool_of(spec, "generate_image").metadata.get_parameters_dict()["properties"]
    assert not {"watermark", "seed"} & set(shown)
    call(spec, "generate_image", **PICTURE, watermark=True)
    assert creates()[0].body["watermark"] is False


@pytest.mark.parametrize(
    ("fixed", "complaint"),
    [
        ({"draw": {}}, "names no tool: 'draw'"),
        ({"generate_image": {"colour": "red"}}, "no argument of this tool: colour"),
    ],
)
def test_fixing_what_does_not_exist_is_refused(make, fixed, complaint):
    with pytest.raises(ValidationError, match=complaint):
        make(fixed=fixed)


def test_the_methods_can_be_called_without_an_agent(make):
    blocks = make().generate_video(**FILM)
    assert blocks[0].result.path.is_file()


# LlamaIndex's workflows look at every attribute of an agent, also at pydantic's deprecated ones.
@pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")
async def test_an_agent_makes_a_film_with_progress_and_goes_on_after_an_error(make, emulator):
    llm = Doubao(
        model="doubao-seed-2-0-lite-260428", api_key=KEY, base_url=emulator.base_url, max_retries=0
    )
    for arguments in ({"prompt": "tea", "duration": 99}, FILM):
        emulator.answer(tool_calls=[("generate_video", arguments)])
    emulator.answer("Here it is.")
    spec = make()
    handler = FunctionAgent(llm=llm, tools=spec.to_tool_list()).run("Film tea")
    events = [event async for event in handler.stream_events()]
    answer = await handler
    await spec.aclose()
    await llm.aclose()
    assert [each.status for each in events if isinstance(each, VideoProgressEvent)] == [
        "queued", "succeeded",
    ]  # fmt: skip
    wrong, right = [call.tool_output for call in answer.tool_calls]
    assert wrong.is_error
    assert "4 to 15 seconds" in wrong.content
    assert right.raw_output[0].result.path.is_file()
    assert str(answer) == "Here it is."


def test_sizes_bind_a_call_without_one(make, call, creates, tool_of):
    with pytest.raises(ConfigError, match="say the size: 1K or 2K"):
        call(make(sizes=["1K", "2K"]), "generate_image", prompt="tea")
    assert creates() == []
    schema = tool_of(make(sizes=["1K"]), "generate_image").metadata.get_parameters_dict()
    assert schema["properties"]["size"]["enum"] == ["1K"]


def test_a_picture_that_could_not_be_saved_keeps_its_url_for_the_program(make, call, emulator):
    with emulator.fault("reset_before_answer", path="/media/"):
        output = call(make(), "generate_image", **PICTURE)
    assert "result that the program gets" in output.content
    assert output.raw_output[0].result.images[0].url.startswith("http")
