"""Which options of `POST /chat/completions` are refused, and what they do (ark.md 4.1, 4.5)."""

import pytest

from doubao_emulator import chat_thinking
from doubao_emulator.chat_request import REFUSED_PHRASE
from doubao_emulator.clouds import ARK
from doubao_emulator.models import ChatModel
from doubao_emulator.wire import Fields

PRO = "doubao-seed-2-1-pro-260915"
SEED_2_0 = "doubao-seed-2-0-pro-260215"
OLD = "doubao-1-5-pro-32k-250115"
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"model": None}, "MissingParameter", "model"),
        ({"model": 7}, "InvalidParameter", "model"),
        ({"messages": None}, "MissingParameter", "messages"),
        ({"messages": []}, "InvalidParameter", "messages"),
        ({"messages": "hello"}, "InvalidParameter", "messages"),
        ({"max_tokens": 5, "max_completion_tokens": 5}, "InvalidParameter", "max_tokens"),
        ({"max_tokens": 0}, "InvalidParameter", "max_tokens"),
        ({"max_tokens": 1.5}, "InvalidParameter", "max_tokens"),
        ({"max_tokens": 256 * 1024 + 1}, "InvalidParameter", "max_tokens"),
        ({"max_completion_tokens": 0}, "InvalidParameter", "max_completion_tokens"),
        ({"temperature": 2.1}, "InvalidParameter", "temperature"),
        ({"temperature": "hot"}, "InvalidParameter", "temperature"),
        ({"top_p": -0.1}, "InvalidParameter", "top_p"),
        ({"frequency_penalty": 0.5}, "InvalidParameter.UnsupportedParameter", "frequency_penalty"),
        ({"presence_penalty": 0.5}, "InvalidParameter.UnsupportedParameter", "presence_penalty"),
        ({"model": OLD, "presence_penalty": 3}, "InvalidParameter", "presence_penalty"),
        ({"n": 2}, "InvalidParameter.UnsupportedParameter", "n"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "InvalidParameter", "stop"),
        ({"stop": [1]}, "InvalidParameter", "stop"),
        ({"stop": 1}, "InvalidParameter", "stop"),
        ({"logprobs": True}, "InvalidParameter.UnsupportedParameter", "logprobs"),
        ({"logit_bias": {"5": 1}}, "InvalidParameter.UnsupportedParameter", "logit_bias"),
        ({"model": OLD, "logit_bias": {"5": 101}}, "InvalidParameter", "logit_bias.5"),
        ({"model": OLD, "top_logprobs": 2}, "InvalidParameter", "top_logprobs"),
        ({"model": OLD, "logprobs": True, "top_logprobs": 21}, "InvalidParameter", "top_logprobs"),
        ({"service_tier": "gold"}, "InvalidParameter", "service_tier"),
        (
            {"model": SEED_2_0, "service_tier": "flex"},
            "InvalidParameter.UnsupportedParameter",
            "service_tier",
        ),
        ({"stream_options": {"include_usage": True}}, "InvalidParameter", "stream_options"),
        ({"stream": "yes"}, "InvalidParameter", "stream"),
        ({"thinking": {"type": "auto"}}, "InvalidParameter", "thinking.type"),
        ({"thinking": {}}, "MissingParameter", "thinking.type"),
        ({"thinking": "enabled"}, "InvalidParameter", "thinking"),
        ({"model": OLD, "thinking": {"type": "enabled"}}, "InvalidParameter", "thinking.type"),
        ({"reasoning_effort": "extreme"}, "InvalidParameter", "reasoning_effort"),
        ({"model": OLD, "reasoning_effort": "low"}, "InvalidParameter.UnsupportedParameter", None),
        (
            {"thinking": {"type": "disabled"}, "reasoning_effort": "low"},
            "InvalidParameter",
            "reasoning_effort",
        ),
        (
            {"thinking": {"type": "enabled"}, "reasoning_effort": "minimal"},
            "InvalidParameter",
            "reasoning_effort",
        ),
    ],
)
def test_a_wrong_option_is_refused(refused, body, code, param):
    found, named = refused(**body)
    assert found == code
    assert param in {None, named}


@pytest.mark.parametrize(
    "body",
    [
        {"stop": None, "tools": None, "thinking": None, "max_tokens": None, "stream_options": None},
        {"temperature": 0, "top_p": 1, "user": "u", "seed": 5, "never_heard_of": {"a": 1}},
        {"stop": "a"},
        {"stop": ["a", "b", "c", "d"]},
        {"max_completion_tokens": 65_536},
        {"service_tier": "flex"},
        {"thinking": {"type": "disabled"}, "reasoning_effort": "minimal"},
        {"thinking": {"type": "disabled"}, "reasoning_effort": "none"},
        {"thinking": {"type": "disabled"}, "logprobs": True, "logit_bias": {"1": 1}},
        {"model": "doubao-seed-character-251128", "frequency_penalty": 1},
        {"model": OLD, "frequency_penalty": -2, "presence_penalty": 2, "logit_bias": {"1": -100}},
        {"model": "deepseek-v4-pro-ga-260813", "logprobs": True, "stop": ["a"] * 16},
        {"model": "deepseek-v4-1-flash-260910", "reasoning_effort": "ultra"},
        {"model": "doubao-seed-1-6-250615", "thinking": {"type": "auto"}},
    ],
)
def test_a_right_option_is_taken(send_chat, body):
    assert send_chat(**body).status_code == 200


@pytest.mark.parametrize("name", ["doubao-nope", "doubao-seed-2-1-pro", "seed-2-0-pro-260328"])
def test_an_unknown_model_is_a_404(send_chat, name):
    answer = send_chat(model=name)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "InvalidEndpointOrModel.NotFound"
    assert name in answer.json()["error"]["message"]


def test_a_model_of_another_kind_is_refused(send_chat):
    answer = send_chat(model="doubao-embedding-vision-251215")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "model")


def test_an_endpoint_id_is_answered_by_a_real_model(send_chat):
    assert send_chat(model="ep-20260901120000-abcde").json()["model"] == PRO


def test_the_context_limit_is_arks_error(send_chat):
    answer = send_chat(model=OLD, messages=[{"role": "user", "content": "word " * 33_000}])
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "OutofContextError"


def test_a_marked_prompt_is_refused_by_content_safety(send_chat):
    answer = send_chat(messages=[{"role": "user", "content": f"please: {REFUSED_PHRASE}"}])
    assert answer.json()["error"]["code"] == "InputTextSensitiveContentDetected"


@pytest.mark.parametrize(
    ("model", "default", "mapped"),
    [
        (PRO, "high", " , , low, medium, high, high, high"),
        (SEED_2_0, "medium", " , , low, medium, high, high, high"),
        ("glm-5-3-flash-260828", "max", "low, low, low, high, high, max, max"),
        ("glm-5-2-260617", "high", " , , high, high, high, max, max"),
        ("deepseek-v4-1-flash-260910", "high", " , low, low, high, high, high, max"),
        ("deepseek-v4-pro-ga-260813", "high", " , , low, low, high, high, max"),
    ],
)
def test_efforts_are_mapped_as_each_model_does(model, default, mapped):
    found = ARK.find(model, ChatModel)
    decided = [
        chat_thinking.decide(Fields({"reasoning_effort": effort}), found, hard=True)
        for effort in (None, *EFFORTS)
    ]
    wanted = [default, *(level.strip() for level in mapped.split(","))]
    assert decided == [(bool(level), level) for level in wanted]


def test_less_effort_means_shorter_thoughts(send_chat):
    spent = [
        send_chat(reasoning_effort=effort).json()["usage"]["completion_tokens_details"]
        for effort in ("minimal", "low", "high")
    ]
    thought = [details["reasoning_tokens"] for details in spent]
    assert thought[0] == 0
    assert 0 < thought[1] < thought[2]


def test_auto_thinks_only_about_hard_questions(send_chat):
    def thinks(question):
        message = [{"role": "user", "content": question}]
        body = {"model": "doubao-seed-1-6-250615", "thinking": {"type": "auto"}}
        answer = send_chat(**body, messages=message).json()
        return "reasoning_content" in answer["choices"][0]["message"]

    assert not thinks("hi")
    assert thinks("Why does the moon raise two tides a day and not one?")
