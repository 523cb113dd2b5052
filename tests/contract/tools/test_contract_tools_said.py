"""What a model is told, in both frameworks, of names that are none and of limits that it hit."""

from __future__ import annotations

import pytest

from doubao_core import Plan

PICTURE = {"prompt": "tea", "size": "1K"}
FILM = {"prompt": "tea", "duration": 4, "resolution": "480p", "ratio": "16:9"}
HERE = "The limits that the program keeps by itself leave no room for it now; nothing was sent"


@pytest.mark.parametrize(
    ("name", "given", "meant"),
    [
        ("generate_image", {"promt": "tea"}, "no argument 'promt': did you mean 'prompt'?"),
        ("generate_image", {**PICTURE, "n": 2}, "no argument 'n': did you mean 'max_images'?"),
        ("generate_video", {**FILM, "first_fram": "x"}, "did you mean 'first_frame'?"),
        ("generate_video", {"prompt": "tea", "aspect_ratio": "1:1"}, "did you mean 'ratio'?"),
    ],
)
def test_a_misspelt_argument_is_refused_with_the_right_name(
    make_tools, call, emulator, name, given, meant
):
    told = call(make_tools(), name, **given)
    assert told.failed
    assert meant in told.text
    assert not emulator.requests


@pytest.mark.parametrize(
    ("plan", "detail"),
    [
        ({"requests_per_hour": 1, "patience": 1}, "and it goes on at"),
        ({"credits": 10, "credits_per_request": 10}, "buy credits"),
    ],
    ids=["requests", "credits"],
)
def test_a_limit_of_ones_own_plan_is_not_said_to_be_the_accounts(
    make_tools, call, creates, tmp_path, plan, detail
):
    tools = make_tools(plan=Plan(**plan, name=str(tmp_path)))
    assert not call(tools, "generate_image", **PICTURE).failed
    told = call(tools, "generate_image", **PICTURE)
    assert told.failed
    assert told.text.startswith(HERE)
    assert detail in told.text
    assert "account" not in told.text
    assert len(creates()) == 1


def test_a_quota_of_the_service_is_the_accounts(make_tools, call, emulator):
    with emulator.fault("quota"):
        told = call(make_tools(), "generate_image", **PICTURE)
    assert told.text.startswith("The account's quota is used up.")
    assert "the service said" in told.text
