"""The catalogue of image and video models is consistent with itself (ark.md 14.3, 15.3, 20)."""

import pytest

from doubao_emulator.media_models import ARK, BYTEPLUS, RATIOS, ImageModel, VideoModel

IMAGES = [model for model in (*ARK, *BYTEPLUS) if isinstance(model, ImageModel)]
FILMS = [model for model in (*ARK, *BYTEPLUS) if isinstance(model, VideoModel)]


def by_id(model):
    return model.id


@pytest.mark.parametrize("model", IMAGES, ids=by_id)
def test_every_size_of_a_level_has_its_ratio_and_few_enough_pixels(model):
    for ratios in model.sizes.values():
        for ratio, (width, height) in ratios.items():
            across, up = map(int, ratio.split(":"))
            assert width / height == pytest.approx(across / up, rel=0.03)
            # The 4K row of the document itself goes a little beyond the limit for `WxH`.
            assert width * height <= model.pixels[1] * 1.01


@pytest.mark.parametrize("model", FILMS, ids=by_id)
def test_every_film_size_is_even_and_has_its_ratio(model):
    for ratios in model.sizes.values():
        assert set(ratios) == set(RATIOS)
        for ratio, (width, height) in ratios.items():
            across, up = map(int, ratio.split(":"))
            assert (width % 2, height % 2) == (0, 0)
            assert width / height == pytest.approx(across / up, rel=0.04)


@pytest.mark.parametrize("model", FILMS, ids=by_id)
def test_the_defaults_of_a_film_are_among_its_choices(model):
    low, high = model.seconds
    assert model.default_resolution in model.sizes
    assert low <= model.default_seconds <= high or model.chooses_seconds
    assert model.default_ratio in RATIOS or model.adaptive_text


@pytest.mark.parametrize("model", [*IMAGES, *FILMS], ids=by_id)
def test_the_model_list_says_what_it_makes(model):
    entry = model.describe()
    assert entry["domain"] in {"ImageGeneration", "VideoGeneration"}
    assert entry["task_type"]
    assert entry["modalities"]["output_modalities"] in (["image"], ["video"])
