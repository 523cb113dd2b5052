"""What the catalogue knows of a model: its profile, and the check before anything is sent."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from langchain.agents import create_agent
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.exceptions import ModelInvalidRequestError
from langchain_core.messages import HumanMessage
from langchain_core.runnables import ConfigurableField
from pydantic import BaseModel, SecretStr

from doubao_core import ConfigError, catalogue
from doubao_core.api import model_check
from langchain_doubao import ChatDoubao
from langchain_doubao.profiles import profile

if TYPE_CHECKING:
    from collections.abc import Callable

    from doubao_emulator import Emulator

PRO = "doubao-seed-2-1-pro-260915"
CHARACTER = "doubao-seed-character-251128"
FORCED = "doubao-seed-2-0-pro-260215"
ENDPOINT = "ep-20260101000000-abcde"
PICTURE = {"type": "image", "url": "https://example.com/a.png"}


@pytest.fixture(autouse=True)
def _nothing_was_said_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_check, "_WARNED", set())


@pytest.fixture(params=["invoke", "stream", "ainvoke", "astream"])
def ask(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Ask by each of the four methods in turn."""

    async def ask(model: Any, question: Any = "Hello", **options: Any) -> None:
        method = getattr(model, request.param)
        if request.param == "invoke":
            method(question, **options)
        elif request.param == "stream":
            list(method(question, **options))
        elif request.param == "ainvoke":
            await method(question, **options)
        else:
            [_ async for _ in method(question, **options)]

    return ask


REFUSED = [
    (PRO, {"presence_penalty": 0.5}, "presence_penalty"),
    (PRO, {"thinking": "auto"}, "thinking.type"),
    (PRO, {"thinking": "disabled", "reasoning_effort": "low"}, "reasoning_effort"),
    (PRO, {"logprobs": True}, "logprobs"),
    (PRO, {"temperature": 2.5}, "temperature"),
    (CHARACTER, {"reasoning_effort": "low"}, "reasoning_effort"),
]


@pytest.mark.parametrize(("model", "settings", "param"), REFUSED)
async def test_a_setting_that_the_model_refuses_is_an_error_before_sending(
    ask: Callable[..., Any],
    chat: Callable[..., ChatDoubao],
    emulator: Emulator,
    model: str,
    settings: dict[str, Any],
    param: str,
) -> None:
    with pytest.raises(ValueError, match=f"^{model}: {param} ") as caught:
        await ask(chat(model=model, **settings))
    assert isinstance(caught.value, ConfigError)
    assert isinstance(caught.value, ModelInvalidRequestError)
    assert caught.value.param == param
    assert not emulator.requests


async def test_options_of_a_call_are_checked_like_settings(
    ask: Callable[..., Any], chat: Callable[..., ChatDoubao], emulator: Emulator
) -> None:
    with pytest.raises(ConfigError, match="presence_penalty"):
        await ask(chat(model=PRO), presence_penalty=0.5)
    with pytest.raises(ConfigError, match=r"response_format\.type"):
        await ask(chat(model=CHARACTER).with_structured_output(None, method="json_mode"))
    with pytest.raises(ConfigError, match="is not for this model; it takes: text"):
        await ask(chat(model=CHARACTER), [HumanMessage(["What is this?", PICTURE])])
    assert not emulator.requests


@pytest.mark.parametrize("where", ["field", "call", "bound"])
async def test_the_switch_sends_it_all_the_same(
    ask: Callable[..., Any], chat: Callable[..., ChatDoubao], emulator: Emulator, where: str
) -> None:
    asked = {"model": PRO, "presence_penalty": 0.5}
    model: Any = chat(**asked, check_parameters=where != "field")
    if where == "bound":
        model = model.bind(check_parameters=False)
    options = {"check_parameters": False} if where == "call" else {}
    with pytest.raises(ModelInvalidRequestError) as caught:
        await ask(model, **options)
    assert not isinstance(caught.value, ConfigError)
    assert emulator.requests[-1].body["presence_penalty"] == 0.5
    assert "check_parameters" not in emulator.requests[-1].body


async def test_endpoints_pass(
    ask: Callable[..., Any], chat: Callable[..., ChatDoubao], emulator: Emulator
) -> None:
    await ask(chat(model=ENDPOINT, thinking="disabled", logprobs=True))
    assert emulator.requests[-1].body["logprobs"]


@pytest.mark.parametrize(("model", "name"), [(PRO, "stop"), (FORCED, "temperature")])
async def test_what_a_model_ignores_is_sent_with_one_warning(
    ask: Callable[..., Any],
    chat: Callable[..., ChatDoubao],
    emulator: Emulator,
    model: str,
    name: str,
) -> None:
    """Agents bind ``stop`` by themselves: an error would break what no user chose."""
    option = {"stop": ["\nObservation"]} if name == "stop" else {"temperature": 0.5}
    with pytest.warns(UserWarning, match=f"^{model}: {name} "):
        await ask(chat(model=model), **option)
    await ask(chat(model=model), **option)
    assert len(emulator.requests) == 2
    assert name in emulator.requests[-1].body


def test_the_switch_survives_a_dump(chat: Callable[..., ChatDoubao]) -> None:
    assert ChatDoubao(model=PRO).check_parameters
    assert chat(check_parameters=False).model_copy().check_parameters is False
    assert json.loads(chat(check_parameters=False).model_dump_json())["check_parameters"] is False


def test_a_profile_says_how_a_model_thinks() -> None:
    glm = profile("glm-5-3-flash-260828")
    assert glm["reasoning_effort_levels"][-1] == "max"
    assert glm["reasoning_effort_default"] == "max"
    assert glm["reasoning_output"]
    assert "ultra" in profile("deepseek-v4-1-flash-260910")["reasoning_effort_levels"]
    assert profile(CHARACTER)["reasoning_output"] is False
    assert "reasoning_effort_levels" not in profile(CHARACTER)


def test_a_profile_says_whether_temperature_has_a_say() -> None:
    assert profile(PRO)["temperature"]
    assert profile(FORCED)["temperature"] is False


@pytest.mark.parametrize(
    ("model", "unknown"),
    [
        ("deepseek-r1-250528", {"reasoning_output", "tool_calling", "max_input_tokens"}),
        ("doubao-1-5-vision-pro-250328", {"image_inputs", "attachment", "structured_output"}),
    ],
)
def test_a_profile_leaves_out_what_is_not_known(model: str, unknown: set[str]) -> None:
    assert not unknown & profile(model).keys()
    assert catalogue.find(model) is not None


OTHER = "doubao-seed-2-0-code-preview-260215"


@pytest.mark.parametrize(
    "changed",
    [
        lambda model: model.model_copy(update={"model": OTHER}),
        lambda model: model.model_copy(update={"model": OTHER}, deep=True),
        lambda model: setattr(model, "model", OTHER) or model,
        lambda model: ChatDoubao(**{**model.__dict__, "model": OTHER}),
        lambda model: model.configurable_fields(model=ConfigurableField(id="m"))._prepare(
            {"configurable": {"m": OTHER}}
        )[0],
    ],
    ids=["copy", "deep copy", "assignment", "fields of another", "configurable"],
)
def test_another_model_has_its_own_profile(
    chat: Callable[..., ChatDoubao], changed: Callable[[ChatDoubao], ChatDoubao]
) -> None:
    """An agent would send a JSON schema by the profile of the model that was there before."""
    assert chat(model=PRO).profile["structured_output"]
    assert changed(chat(model=PRO)).profile == profile(OTHER)
    assert changed(chat(model=ENDPOINT)).profile == profile(OTHER)
    own = {**profile(PRO), "max_input_tokens": 1000}
    assert changed(chat(model=PRO, profile=own)).profile == own
    assert chat(model=OTHER).model_copy(update={"model": ENDPOINT}).profile is None
    assert chat(model=PRO).model_copy(update={"model": OTHER, "profile": own}).profile == own


async def test_an_agent_goes_by_the_profile_of_the_model_that_it_asks(
    chat: Callable[..., ChatDoubao], emulator: Emulator
) -> None:
    class Person(BaseModel):
        name: str

    model = chat(model=PRO).model_copy(update={"model": OTHER, "max_retries": 0})
    agent = create_agent(model, response_format=Person)
    for ask in (agent.invoke, agent.ainvoke):
        emulator.answer(tool_calls=[("Person", {"name": "Anna"})])
        state = ask({"messages": [("user", "Who is she?")]})
        state = state if isinstance(state, dict) else await state
        assert state["structured_response"] == Person(name="Anna")
        assert "response_format" not in emulator.requests[-1].body


def test_a_later_date_of_a_known_model_is_described_like_it() -> None:
    later = profile("doubao-seed-2-1-pro-260801")
    assert later == {**profile("doubao-seed-2-1-pro-260628"), "name": "doubao-seed-2-1-pro-260801"}
    newest = profile("doubao-seed-2-1-pro-270101")
    assert newest["max_input_tokens"] == profile(PRO)["max_input_tokens"]
    for unknown in (
        "doubao-seed-2-1-pro-250101",
        "doubao-seed-2-1-pro",
        "doubao-seed-9-0-pro-300101",
    ):
        assert profile(unknown) is None


def test_a_prompt_is_at_most_as_long_as_the_window() -> None:
    assert profile("deepseek-v3-2-251201")["max_input_tokens"] == 131_072
    assert profile("glm-4-7-251222")["max_input_tokens"] == 200 * 1024
    assert profile("doubao-1-5-pro-32k-250115")["max_input_tokens"] == 32_768


def test_inputs_of_which_the_vendor_says_nothing_are_left_out() -> None:
    """They are neither promised nor denied: an agent may try them."""
    described = profile("seed-2-0-pro-260328")
    assert described["image_inputs"]
    assert described["attachment"]
    assert not {"video_inputs", "audio_inputs", "pdf_inputs"} & described.keys()
    assert not {"image_inputs", "attachment"} & profile("seed-1-8-251228").keys()


@pytest.mark.parametrize("method", ["invoke", "stream", "ainvoke", "astream"])
def test_a_warning_names_the_line_of_the_user(chat: Callable[..., ChatDoubao], method: str) -> None:
    """In a task of its own, such as ``ainvoke`` makes, that is the line that runs the loop."""

    async def drained(answers: Any) -> None:
        [_ async for _ in answers]

    def ask() -> None:
        asked = getattr(chat(model=PRO), method)("Hello", stop=["a"])
        if method.startswith("a"):
            asyncio.run(asked if method == "ainvoke" else drained(asked))
        else:
            list(asked)

    with pytest.warns(UserWarning, match="stop") as caught:
        ask()
    assert {each.filename for each in caught} == {__file__}


def test_a_warning_from_inside_an_agent_names_the_line_that_ran_it(
    chat: Callable[..., ChatDoubao],
) -> None:
    agent = create_agent(chat(model=PRO, stop=["a"]))
    with pytest.warns(UserWarning, match="stop") as caught:
        agent.invoke({"messages": [("user", "Hello")]})
    assert {each.filename for each in caught} == {__file__}


async def test_whoever_makes_warnings_errors_gets_one_each_time(
    ask: Callable[..., Any], chat: Callable[..., ChatDoubao], emulator: Emulator
) -> None:
    for _ in range(2):
        with pytest.raises(UserWarning, match="stop"):
            await ask(chat(model=PRO), stop=["a"])
    assert not emulator.requests


async def test_a_secret_header_of_a_call_is_sent_and_not_traced(
    ask: Callable[..., Any], chat: Callable[..., ChatDoubao], emulator: Emulator
) -> None:
    traced: list[Any] = []

    class Tracer(BaseCallbackHandler):
        def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
            traced.append((args, kwargs))

    bound = chat(callbacks=[Tracer()]).bind(extra_headers={"X-Team": SecretStr("tea-secret")})
    await ask(bound)
    assert emulator.requests[-1].headers["x-team"] == "tea-secret"
    assert traced
    assert "tea-secret" not in f"{traced!r}{bound!r}"
