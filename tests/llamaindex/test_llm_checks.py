"""What the catalogue knows of a model: metadata, and the check before anything is sent."""

from __future__ import annotations

import asyncio

import pytest
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, TextBlock

from doubao_core import ConfigError, DoubaoError
from doubao_core.api import model_check
from llamaindex_doubao import Doubao

HI = [ChatMessage(content="hi")]
PRO = "doubao-seed-2-1-pro-260915"
CHARACTER = "doubao-seed-character-251128"
FORCED = "doubao-seed-2-0-pro-260215"
SCORED = "doubao-1-5-pro-32k-250115"
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


def two_choices(form):
    choices = [
        {
            "index": index,
            "finish_reason": "stop",
            form: {"content": token},
            "logprobs": {"content": [{"token": token, "logprob": -0.5}]},
        }
        for index, token in ((1, "no"), (0, "yes"))
    ]
    return {"id": "0217abc", "choices": choices}


def assert_first_of_both(response):
    assert response.message.content == "yes"
    assert [[each.token for each in token] for token in response.logprobs] == [["yes"]]


async def test_of_several_choices_the_log_probabilities_are_those_of_the_first(emulator, make_llm):
    emulator.answer(body=two_choices("message"), times=2)
    llm = make_llm(model=SCORED)
    assert_first_of_both(llm.chat(HI, logprobs=True))
    assert_first_of_both(await llm.achat(HI, logprobs=True))


async def test_so_they_are_in_a_stream(emulator, make_llm, stream):
    emulator.answer(events=[two_choices("delta"), "[DONE]"])
    (response,) = await stream(make_llm(model=SCORED), HI, logprobs=True)
    assert_first_of_both(response)


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


def test_a_later_date_of_a_known_model_has_its_window():
    assert Doubao(model="doubao-seed-2-1-pro-270101").metadata.context_window == 1024 * 1024
    assert Doubao(model="doubao-seed-2-1-pro-260801").metadata.context_window == 256 * 1024


@pytest.mark.parametrize("method", ["chat", "stream_chat", "achat", "astream_chat"])
def test_a_warning_names_the_line_of_the_user(make_llm, method):
    async def asked() -> None:
        answer = await getattr(make_llm(model=PRO), method)(HI, stop=["a"])
        if method == "astream_chat":
            [_ async for _ in answer]

    def ask() -> None:
        if method.startswith("a"):
            asyncio.run(asked())
        else:
            list(getattr(make_llm(model=PRO), method)(HI, stop=["a"]))

    with pytest.warns(UserWarning, match="stop") as caught:
        ask()
    assert {each.filename for each in caught} == {__file__}


async def test_whoever_makes_warnings_errors_gets_one_each_time(ask, make_llm, sent):
    for _ in range(2):
        with pytest.raises(UserWarning, match="stop"):
            await ask(make_llm(), HI, stop=["a"])
    assert not sent()
