"""What the catalogue knows of a model: metadata, and the check before anything is sent."""

from __future__ import annotations

import pytest
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, TextBlock

from doubao_core import ConfigError, DoubaoError
from doubao_core.api import model_check
from llamaindex_doubao import Doubao

HI = [ChatMessage(content="hi")]
PRO = "doubao-seed-2-1-pro-260915"
CHARACTER = "doubao-seed-character-251128"
FORCED = "doubao-seed-2-0-pro-260215"
ENDPOINT = "ep-20260101000000-abcde"


@pytest.fixture(autouse=True)
def _nothing_was_said_before(monkeypatch):
    monkeypatch.setattr(model_check, "_WARNED", set())


@pytest.mark.parametrize(
    ("model", "asked", "param"),
    [
        (PRO, {"presence_penalty": 0.5}, "presence_penalty"),
        (PRO, {"thinking": "auto"}, "thinking.type"),
        (PRO, {"thinking": "disabled", "reasoning_effort": "low"}, "reasoning_effort"),
        (PRO, {"logprobs": True}, "logprobs"),
        (PRO, {"temperature": 2.5}, "temperature"),
        (CHARACTER, {"response_format": {"type": "json_object"}}, "response_format.type"),
    ],
)
async def test_an_option_that_the_model_refuses_is_an_error_before_sending(
    ask, make_llm, sent, model, asked, param
):
    with pytest.raises(ValueError, match=f"^{model}: {param} ") as caught:
        await ask(make_llm(model=model), HI, **asked)
    assert isinstance(caught.value, ConfigError)
    assert caught.value.param == param
    assert not sent()


async def test_fields_and_messages_are_checked_like_options_of_a_call(ask, make_llm, sent):
    with pytest.raises(ConfigError, match="presence_penalty"):
        await ask(make_llm(presence_penalty=0.5), HI)
    picture = ImageBlock(url="https://example.com/a.png")
    question = [ChatMessage(blocks=[TextBlock(text="What is this?"), picture])]
    with pytest.raises(ConfigError, match="is not for this model; it takes: text"):
        await ask(make_llm(model=CHARACTER), question)
    assert not sent()


@pytest.mark.parametrize("where", ["field", "call"])
async def test_the_switch_sends_it_all_the_same(ask, make_llm, sent, where):
    llm = make_llm(presence_penalty=0.5, check_parameters=where != "field")
    with pytest.raises(DoubaoError) as caught:
        await ask(llm, HI, **({"check_parameters": False} if where == "call" else {}))
    assert caught.value.status == 400
    assert sent()[-1]["presence_penalty"] == 0.5
    assert "check_parameters" not in sent()[-1]


async def test_a_call_can_turn_the_check_on_again(ask, make_llm, sent):
    with pytest.raises(ConfigError):
        await ask(make_llm(check_parameters=False), HI, temperature=3, check_parameters=True)
    assert not sent()


async def test_endpoints_pass(ask, make_llm, sent):
    await ask(make_llm(model=ENDPOINT, thinking="disabled"), HI, logprobs=True)
    assert sent()[-1]["logprobs"]


@pytest.mark.parametrize("where", ["field", "call"])
async def test_extra_body_is_the_way_round(ask, make_llm, sent, where):
    """Neither its values nor its names are checked, misspelt as they may look."""
    extra = {"extra_body": {"presence_penalty": 0, "temperatur": 1}}
    llm = make_llm(**(extra if where == "field" else {}))
    with pytest.raises(DoubaoError) as caught:
        await ask(llm, HI, **(extra if where == "call" else {}))
    assert caught.value.status == 400
    assert sent()[-1].items() >= extra["extra_body"].items()


async def test_an_option_of_the_call_wins_over_extra_body_and_is_checked(ask, make_llm, sent):
    with pytest.raises(ConfigError, match="temperature"):
        await ask(make_llm(extra_body={"temperature": 1}), HI, temperature=3)
    assert not sent()


@pytest.mark.parametrize(
    ("model", "asked"), [(PRO, {"stop": ["a"]}), (FORCED, {"temperature": 0.5})]
)
async def test_what_a_model_ignores_is_sent_with_one_warning(ask, make_llm, sent, model, asked):
    (name,) = asked
    with pytest.warns(UserWarning, match=f"^{model}: {name} "):
        await ask(make_llm(model=model), HI, **asked)
    await ask(make_llm(model=model), HI, **asked)
    assert [each[name] for each in sent()] == [asked[name]] * 2


def test_the_switch_is_stored_with_the_object():
    stored = Doubao(model=PRO, check_parameters=False).to_dict()
    assert Doubao.from_dict(stored).check_parameters is False


@pytest.mark.parametrize(
    ("model", "window", "tools"),
    [
        (PRO, 1024 * 1024, True),
        ("doubao-seed-translation-250915", 4096, False),
        ("doubao-1-5-thinking-pro-250415", 128 * 1024, True),
        ("deepseek-r1-250528", 131_072, True),
    ],
)
def test_metadata_is_what_is_known_and_else_what_new_models_have(model, window, tools):
    metadata = Doubao(model=model).metadata
    assert metadata.context_window == window
    assert metadata.is_function_calling_model is tools
