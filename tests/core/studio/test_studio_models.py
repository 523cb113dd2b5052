"""The limits of every model, against the emulator's: two readings of one document."""

from __future__ import annotations

import pytest

from doubao_core import ConfigError, catalogue, prices
from doubao_core.prices.forecast import of_family, sizes
from doubao_core.studio import ImageOrder, VideoOrder
from doubao_core.studio.models import check_kind, image_model, video_model
from doubao_emulator import media_models

EVERY = [*media_models.ARK, *media_models.BYTEPLUS]
PICTURES = [model for model in EVERY if isinstance(model, media_models.ImageModel)]
FILMS = [model for model in EVERY if isinstance(model, media_models.VideoModel)]


def ids(model):
    return model.id


@pytest.mark.parametrize("theirs", PICTURES, ids=ids)
def test_a_picture_model_has_the_limits_that_the_service_has(theirs):
    ours = image_model(theirs.id)
    assert ours.sizes == {
        level: {ratio: f"{width}x{height}" for ratio, (width, height) in row.items()}
        for level, row in theirs.sizes.items()
    }
    assert (ours.pixels, ours.references) == (theirs.pixels, theirs.references)
    assert (ours.aspect, ours.edits) == (theirs.reference_aspect, theirs.edits)
    assert (ours.group, ours.stream) == (theirs.group, theirs.stream)
    assert ours.formats == theirs.formats
    assert (ours.seed, ours.guidance) == (theirs.seeded, theirs.guidance is not None)
    assert ours.optimizers == theirs.optimizer_modes
    assert ours.optimizer_thinks == theirs.optimizer_thinks
    assert (ours.web_search, ours.layers) == (theirs.web_search, theirs.layers)


@pytest.mark.parametrize("theirs", FILMS, ids=ids)
def test_a_video_model_has_the_limits_that_the_service_has(theirs):
    ours, references = video_model(theirs.id), theirs.references
    assert ours.resolutions == tuple(theirs.sizes)
    assert (ours.seconds, ours.chooses) == (theirs.seconds, theirs.chooses_seconds)
    assert ours.default_seconds == theirs.default_seconds
    assert (ours.audio, ours.last_frame) == (theirs.audio, theirs.last_frame)
    assert ours.references == (references.images if references else 0)
    assert ours.clips == (references.videos if references else 0)
    assert ours.clips == (references.audios if references else 0)
    assert ours.audio_alone == bool(references and references.audio_alone)
    assert (ours.adaptive_text, ours.follows_frame) == (theirs.adaptive_text, theirs.adaptive_only)
    assert (ours.draft, ours.flex) == (theirs.draft, theirs.flex)
    assert (ours.frames, ours.camera_fixed) == (theirs.frame_count, theirs.camera_fixed)
    assert (ours.priority, ours.web_search) == (theirs.priority, theirs.web_search)
    assert ours.formats == theirs.formats
    assert bool(ours.task_types) == theirs.task_types_named


@pytest.mark.parametrize("facts", catalogue.models().values(), ids=lambda facts: facts.name)
def test_every_model_of_the_catalogue_that_makes_something_has_limits(facts):
    limits = {"image": image_model, "video": video_model}.get(facts.kind)
    assert limits is None or limits(facts.name) is not None


@pytest.mark.parametrize("model", [model.id for model in FILMS])
def test_prices_count_with_the_same_limits(model):
    ours, counted = video_model(model), of_family("films", model)
    assert set(ours.resolutions) <= set(sizes()["film_sizes"][counted["sizes"]])
    assert (counted["seconds"], counted["longest"]) == (ours.default_seconds, ours.seconds[1])
    assert counted["audio"] == ours.audio


@pytest.mark.parametrize("model", [model.id for model in EVERY])
def test_a_models_orders_can_be_counted(model):
    if video_model(model):
        order = VideoOrder(model=model, content=[{"type": "text", "text": "tea"}])
    else:
        order = ImageOrder(model=model, prompt="tea", options={"size": "2048x2048"})
    assert prices.estimate(order.request()).tokens > 0


@pytest.mark.parametrize("model", [model.id for model in PICTURES])
def test_prices_count_pictures_with_the_same_sizes(model):
    ours, counted = image_model(model), of_family("pictures", model)
    assert counted["largest"] == ours.pixels[1]
    assert counted["levels"].keys() == ours.sizes.keys()
    for level, row in ours.sizes.items():
        # Two documents differ about one size: prices count with the larger (ark.md 22).
        assert counted["levels"][level] >= max(pixels(size) for size in row.values())


def pixels(size):
    width, height = map(int, size.split("x"))
    return width * height


def test_a_model_makes_what_the_catalogue_says_and_nothing_else():
    for name, facts in catalogue.models().items():
        for kind in ("image", "video"):
            if facts.kind == kind:
                check_kind(name, "a tool", kind)
                continue
            with pytest.raises(ConfigError, match=f"a tool cannot use {name}, which is an? "):
                check_kind(name, "a tool", kind)


def test_a_model_that_nobody_knows_is_the_services_to_judge():
    check_kind("ep-20260101-abcde", "a tool", "image")


def test_a_newer_model_of_a_known_family_is_of_its_kind():
    with pytest.raises(ConfigError, match="which is a video model"):
        check_kind("doubao-seedance-2-0-290101", "a tool", "image")
