"""The media tools of both frameworks make pictures and films by the gateways."""

from __future__ import annotations

import pytest

from doubao_core import UnsupportedOperation
from doubao_emulator import AfterReads, Immediate
from langchain_doubao import SeedanceVideoTool, SeedreamImageTool
from llamaindex_doubao import DoubaoToolSpec

PICTURES = [
    ("doitong", "doitong", "seedream"),
    ("doitong-generate-image", "doitong", "seedream"),
    ("doitong-rest", "doitong", "seedream-4.0"),
    ("seedance2api", "seedance2api", "seedream-4.5"),
    ("seedance2api-x-api-key", "seedance2api", "seedream-5.0"),
    ("anyfast", "anyfast", "doubao-seedream-4-0-250828"),
]
FILMS = [
    ("seedance2api", "seedance-1.5-pro", 5, "720p"),
    ("anyfast", "doubao-seedance-1-0-pro-250528", 2, "480p"),
    ("agentsflare", "seedance-1-0-pro-250528", 2, "480p"),
    ("vibegen", "seedance-2.0", 4, "480p"),
]


def called(tool, **arguments):
    call = {"name": tool.name, "args": arguments, "id": "1", "type": "tool_call"}
    return tool.invoke(call)


@pytest.mark.parametrize(("provider", "dialect", "model"), PICTURES)
def test_the_image_tool_saves_a_picture_of_each_gateway(at, tmp_path, provider, dialect, model):
    """R003-03, R003-04, R004-04, R004-05, R000-55."""
    tool = SeedreamImageTool(model=model, output_dir=tmp_path, **at(provider, dialect))
    message = called(tool, prompt="A cup of tea", size="1024x1024")
    (picture,) = message.artifact.images
    assert picture.path.is_file()
    assert picture.path.name in message.content


def test_the_image_tool_makes_several_pictures_where_there_are_several(at, tmp_path):
    """R004-08."""
    tool = SeedreamImageTool(model="seedream-4.5", output_dir=tmp_path, **at("seedance2api"))
    message = called(tool, prompt="A cup of tea", max_images=2)
    assert len(message.artifact.images) == 2


def test_the_image_tool_refuses_what_the_gateway_lacks(at, emulator, tmp_path):
    """R003-26, R003-28, R003-29: the page claims them and has no parameter for any."""
    tool = SeedreamImageTool(
        model="seedream", output_dir=tmp_path, handle_tool_error=False, **at("doitong")
    )
    with pytest.raises(Exception, match="sequential_image_generation") as caught:
        called(tool, prompt="A cup of tea", max_images=3)
    assert isinstance(caught.value, UnsupportedOperation) or "has nothing for" in str(caught.value)
    assert emulator.requests == []


def test_a_picture_that_is_not_finished_is_told_with_the_advice_not_to_repeat(
    at, emulator, tmp_path
):
    """R003-10."""
    emulator.world.progress = AfterReads(5)
    try:
        tool = SeedreamImageTool(model="seedream", output_dir=tmp_path, **at("doitong"))
        message = called(tool, prompt="A cup of tea")
    finally:
        emulator.world.progress = Immediate()
    assert "would cost twice" in message.content
    assert len(emulator.requests) == 1


@pytest.mark.parametrize(("provider", "model", "seconds", "resolution"), FILMS)
def test_the_video_tool_saves_a_film_of_each_gateway(
    at, tmp_path, provider, model, seconds, resolution
):
    """R002-02, R002-11, R004-14, R004-26."""
    tool = SeedanceVideoTool(model=model, output_dir=tmp_path, poll_interval=0.01, **at(provider))
    message = called(tool, prompt="A cup of tea", duration=seconds, resolution=resolution)
    assert message.artifact.status == "succeeded"
    assert message.artifact.path.is_file()


def test_a_film_whose_result_is_late_is_paid_for_once_and_saved(at, emulator, tmp_path):
    """R004-24: the tools' poller asks again where the gateway has no result yet."""
    tool = SeedanceVideoTool(
        model="seedance-2.0", output_dir=tmp_path, poll_interval=0.01, **at("seedance2api")
    )
    with emulator.fault("result_lag", times=2):
        message = called(tool, prompt="A cup of tea", duration=5)
    assert message.artifact.path.is_file()
    assert [each.method for each in emulator.requests].count("POST") == 1


@pytest.mark.parametrize(("provider", "model", "seconds", "resolution"), FILMS[1:])
def test_the_tools_of_llama_index_do_the_same(at, tmp_path, provider, model, seconds, resolution):
    spec = DoubaoToolSpec(
        video_model=model, output_dir=tmp_path, poll_interval=0.01, **at(provider)
    )
    by_name = {tool.metadata.name: tool for tool in spec.to_tool_list()}
    answer = by_name["generate_video"].call(
        prompt="A cup of tea", duration=seconds, resolution=resolution
    )
    assert [path.suffix for path in tmp_path.iterdir()] == [".mp4"]
    assert not answer.is_error


def test_the_tools_tell_a_model_what_a_good_prompt_has(tmp_path):
    """R003-32: where the model reads it, in both frameworks."""
    ours = {"provider": "doitong", "output_dir": tmp_path}
    spec = DoubaoToolSpec(image_model="m", video_model="m", **ours).to_tool_list()
    picture, film = SeedreamImageTool(model="m", **ours), SeedanceVideoTool(model="m", **ours)
    for tool, words in ((picture, ("subject", "light", "style")), (film, ("subject", "camera"))):
        schemas = [tool.tool_call_schema.model_json_schema()] + [
            each.metadata.get_parameters_dict() for each in spec if each.metadata.name == tool.name
        ]
        assert len(schemas) == 2
        for schema in schemas:
            assert all(word in schema["properties"]["prompt"]["description"] for word in words)
