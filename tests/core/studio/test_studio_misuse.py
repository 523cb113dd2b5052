"""Arguments that are none, said with the right name; a person who writes a program sees it, too."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from doubao_core import ConfigError
from doubao_core.studio import (
    ImageArguments,
    ImageRules,
    References,
    VideoArguments,
    VideoRules,
)
from doubao_core.studio.arguments import without


@pytest.fixture(params=["image", "video"])
def rules(request, tmp_path):
    references = References(output_dir=tmp_path)
    if request.param == "image":
        return ImageRules(model="doubao-seedream-4-0-250828", references=references)
    return VideoRules(model="doubao-seedance-1-0-pro-250528", references=references)


@pytest.mark.parametrize(("given", "kind"), [("text", "str"), (None, "NoneType"), ([], "list")])
def test_arguments_that_are_no_mapping_are_refused(rules, given, kind):
    with pytest.raises(ConfigError, match=f"must be a mapping such as .*prompt.*, not a {kind}"):
        rules.asked(given)


def test_a_misspelt_argument_is_refused_with_the_right_name(rules):
    with pytest.raises(ConfigError, match=r"call again: .* no argument 'promt': did you mean 'pro"):
        rules.asked({"promt": "tea"})


@pytest.mark.parametrize("arguments", [ImageArguments, VideoArguments])
def test_arguments_that_are_made_by_hand_say_it_as_well(arguments):
    with pytest.raises(ValidationError, match="no argument 'promt': did you mean 'prompt'"):
        arguments(promt="tea")


def test_what_a_model_does_not_see_is_not_proposed_by_its_schema():
    shown = without(ImageArguments, {"max_images"})
    with pytest.raises(ValidationError, match="Extra inputs"):
        shown(prompt="tea", n=2)


def test_an_argument_like_no_other_is_refused(rules):
    with pytest.raises(ConfigError, match="colour: Extra inputs are not permitted"):
        rules.asked({"prompt": "tea", "colour": "red"})
