"""Arguments under wrong names: misspelt, or as another integration calls them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from langchain_doubao import ChatDoubao, DoubaoEmbeddings, SeedanceTaskTool

SECRET = "sk-live-9f8e7d6c5b4a3210"


@pytest.mark.parametrize(
    ("kind", "name", "other"),
    [
        (ChatDoubao, "temprature", "temperature"),
        (ChatDoubao, "modelname", "model_name"),
        (ChatDoubao, "additional_kwargs", "model_kwargs"),
        (ChatDoubao, "reasoning", "reasoning_effort' or 'thinking"),
        (ChatDoubao, "openai_api_key", "api_key"),
        (ChatDoubao, "openai_api_base", "base_url"),
        (DoubaoEmbeddings, "api_base", "base_url"),
        (SeedanceTaskTool, "output_dirs", "output_dir"),
    ],
)
def test_a_wrong_name_is_refused_with_the_right_one(kind: Any, name: str, other: str) -> None:
    with pytest.raises(ValidationError, match=f"no argument '{name}': did you mean '{other}'") as e:
        kind(**{"model": "m", name: SECRET} if kind is not SeedanceTaskTool else {name: SECRET})
    assert SECRET not in str(e.value)


def test_an_argument_like_no_other_is_refused() -> None:
    with pytest.raises(ValidationError, match="color"):
        ChatDoubao(model="m", color=1)


def test_both_names_of_a_field_are_taken() -> None:
    assert ChatDoubao(model_name="m") == ChatDoubao(model="m")


def test_a_subclass_may_take_whatever_it_likes() -> None:
    class Open(ChatDoubao, extra="allow"):
        pass

    assert Open(model="m", temprature=1).temprature == 1
