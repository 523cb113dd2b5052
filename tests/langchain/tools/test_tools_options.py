"""Options of the tools beside the model's arguments: places, limits, prices, rarer arguments."""

from __future__ import annotations

import pytest
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import ValidationError

from doubao_core.studio import ImageResult
from langchain_doubao import DoubaoToolkit, SeedanceVideoTool, SeedreamImageTool

FILM = {"prompt": "tea", "duration": 4, "resolution": "480p", "ratio": "16:9"}
PICTURE = {"prompt": "tea", "size": "1K"}


@pytest.fixture
def place(request):
    """A folder of fsspec's memory, for this test alone."""
    return f"memory://langchain/{request.node.name.replace('[', '-').replace(']', '')}"


def test_results_go_to_a_url_and_are_references_by_name(pictures, call, creates, place):
    tool = pictures(output_dir=place)
    made = call(tool, **PICTURE).artifact.images[0]
    assert made.path is None
    assert made.location == f"{place}/image.jpeg"
    assert call(tool, **PICTURE, images=["image.jpeg"]).status == "success"
    assert creates()[1].body["image"].startswith("data:image/jpeg;base64,")


def test_a_picture_in_a_store_can_be_shown(pictures, call, place):
    _, block = call(pictures(output_dir=place, show="base64"), **PICTURE).content
    assert block["base64"].startswith("/9j/")


def test_a_film_goes_to_a_url(films, call, place):
    result = call(films(output_dir=place), **FILM, return_last_frame=True).artifact
    assert result.location == f"{place}/{result.name}"
    assert result.last_frame_location.startswith(place)


def test_money_is_limited(films, call, creates):
    tool = films(max_cost="2.5")
    assert call(tool, **FILM).status == "success"
    refused = call(tool, **FILM)
    assert refused.status == "error"
    assert "may spend 2.50 CNY at most" in refused.content
    assert len(creates()) == 1


def test_a_price_that_nobody_knows_is_refused_under_a_limit(films, call, creates):
    message = call(films(max_cost=100, model="ep-20261121000000-abcde"), **FILM)
    assert "what this costs is not known" in message.content
    assert creates() == []


def test_your_own_prices_are_what_counts(films, call):
    price = {
        "provider": "ark",
        "models": ["doubao-seedance-2-0-260128"],
        "per": "1M tokens",
        "amount": "1000",
        "currency": "CNY",
        "source": "our contract",
        "date": "2026-11-01",
    }
    asked = []
    tool = films(prices=[price], approval=lambda question: bool(asked.append(question)))
    assert "did not approve" in call(tool, **FILM).content
    assert asked[0].estimate.unit_price == 1000


def test_seconds_of_film_are_limited(films, call, creates):
    tool = films(max_seconds=6)
    assert call(tool, **FILM).status == "success"
    assert "2 are left" in call(tool, **FILM).content
    assert len(creates()) == 1


def test_rarer_arguments_are_shown_if_asked_for(pictures, films, call, creates):
    lite = "doubao-seedream-5-0-260128"
    tool = pictures(model=lite, more_arguments=["web_search"])
    shown = convert_to_openai_tool(tool)["function"]["parameters"]["properties"]
    assert "web_search" in shown
    assert "web_search" not in pictures(model=lite).args
    assert call(tool, prompt="tea", size="2K", web_search=True).status == "success"
    assert creates()[0].body["tools"] == [{"type": "web_search"}]
    with pytest.raises(ValidationError, match="does not take"):
        films(model="doubao-seedance-1-0-pro-250528", more_arguments=["web_search"])


def test_what_only_a_developer_decides_is_not_the_models(films, call, creates):
    refused = call(films(), **FILM, callback_url="https://example.com/x")
    assert refused.status == "error"
    assert creates() == []
    fixed = {"callback_url": "https://example.com/hook"}
    assert call(films(fixed=fixed), **FILM).status == "success"
    assert creates()[0].body["callback_url"] == "https://example.com/hook"


def test_an_artifact_that_went_through_a_checkpoint_is_read_again(pictures, call):
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

    message = call(pictures(), **PICTURE)
    serde = JsonPlusSerializer()
    loaded = serde.loads_typed(serde.dumps_typed(message))
    assert ImageResult.from_dict(loaded.artifact) == message.artifact


@pytest.mark.parametrize("made", [SeedreamImageTool, SeedanceVideoTool, DoubaoToolkit])
@pytest.mark.parametrize("wrong", ["ask", "event", True])
def test_an_approval_that_is_none_says_in_one_sentence_what_can_be(made, wrong):
    with pytest.raises(ValidationError) as caught:
        made(approval=wrong)
    (fault,) = caught.value.errors()
    assert f'cannot be {wrong!r}: give "interrupt", a function' in fault["msg"]
    assert 'LlamaIndex\'s is "event"' in fault["msg"]


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"max_jobs": 5}, "image_options={'max_jobs': …} or video_options={'max_jobs': …}"),
        ({"max_seconds": 5}, "pass video_options={'max_seconds': …}"),
        ({"sizes": ["1K"]}, "pass image_options={'sizes': …}"),
    ],
)
def test_a_toolkit_says_where_an_argument_of_its_tools_belongs(given, where):
    with pytest.raises(ValidationError) as caught:
        DoubaoToolkit(**given)
    (fault,) = caught.value.errors()
    assert where in fault["msg"]


def test_a_model_of_another_kind_is_refused_when_the_tool_is_made():
    with pytest.raises(ValueError, match="which is a video model: set a picture model"):
        SeedreamImageTool(model="doubao-seedance-2-0-260128")
    with pytest.raises(ValueError, match="which is a picture model: set a video model"):
        SeedanceVideoTool(model="doubao-seedream-4-0-250828")
    with pytest.raises(ValueError, match="which is a chat model: set a video model"):
        DoubaoToolkit(video_model="doubao-seed-2-1-pro-260915")
