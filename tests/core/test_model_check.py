"""What a known model refuses is refused before it is sent; whatever is not known passes."""

from __future__ import annotations

import warnings
from contextlib import suppress

import pytest

from doubao_core import Client, ConfigError, DoubaoError, InvalidRequest, NotFound, catalogue
from doubao_core.api import model_check

HELLO = [{"role": "user", "content": "Say something about json."}]
PRO = "doubao-seed-2-1-pro-260915"
SEED_2_0 = "doubao-seed-2-0-mini-260215"
FORCED = "doubao-seed-2-0-pro-260215"
CODE = "doubao-seed-2-0-code-preview-260215"
CHARACTER = "doubao-seed-character-251128"
TRANSLATION = "doubao-seed-translation-250915"
PLAIN = "doubao-1-5-pro-32k-250115"
GLM = "glm-5-3-flash-260828"
GA = "deepseek-v4-pro-ga-260813"
V4_1 = "deepseek-v4-1-flash-260910"
OFF = {"thinking": {"type": "disabled"}}
SCHEMA = {
    "type": "json_schema",
    "json_schema": {"name": "x", "schema": {"type": "object", "properties": {}}},
}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def said(kind, **payload):
    """Give the messages of one question with one part."""
    return {"messages": [*HELLO, {"role": "user", "content": [{"type": kind, kind: payload}]}]}


PART = "messages[1].content[0]"
FILM = "https://example.com/a.mp4"
PIXELS = {"min_pixels": 5000, "max_pixels": 4000}

# Model, request, the parameter that is named, and words of what to do.
REFUSED = [
    (PRO, {"thinking": {"type": "auto"}}, "thinking.type", "enabled, disabled"),
    (GLM, OFF, "thinking.type", ": enabled ("),
    (CHARACTER, {"thinking": {"type": "enabled"}}, "thinking.type", "does not think"),
    (PRO, {**OFF, "reasoning_effort": "low"}, "reasoning_effort", "leave one of them out"),
    (V4_1, {**OFF, "reasoning_effort": "max"}, "reasoning_effort", "leave one of them out"),
    (PRO, {"reasoning_effort": "hgih"}, "reasoning_effort", "it takes: none, minimal"),
    (PRO, {"reasoning_effort": "ultra"}, "reasoning_effort", "it takes: none, minimal"),
    (PLAIN, {"reasoning_effort": "low"}, "reasoning_effort", "leave it out"),
    (CODE, {"response_format": SCHEMA}, "response_format.type", "in the prompt"),
    ("deepseek-v4-pro-260425", {"response_format": SCHEMA}, "response_format.type", "in the"),
    (CHARACTER, {"response_format": {"type": "json_object"}}, "response_format.type", "in the"),
    ("seed-2-0-lite-260428", {"response_format": SCHEMA}, "response_format.type", "in the"),
    (TRANSLATION, {"tools": [TOOL]}, "tools", "choose a model with tools"),
    (TRANSLATION, {"max_completion_tokens": 9}, "max_completion_tokens", "use max_tokens"),
    (SEED_2_0, {"frequency_penalty": 0.5}, "frequency_penalty", "leave it out"),
    (PRO, {"presence_penalty": -0.5}, "presence_penalty", "leave it out"),
    (PRO, {"frequency_penalty": 0}, "frequency_penalty", "leave it out"),
    (SEED_2_0, {"presence_penalty": 0.0}, "presence_penalty", "leave it out"),
    (PRO, {"logprobs": True}, "logprobs", "disable thinking"),
    (PRO, {"logprobs": True, "top_logprobs": 3}, "logprobs", "disable thinking"),
    (PRO, {"logit_bias": {"5": 1}}, "logit_bias", "disable thinking"),
    (GLM, {"logprobs": True}, "logprobs", "; leave it out"),
    (GA, {"logit_bias": {"5": 1}}, "logit_bias", "disable thinking"),
    (SEED_2_0, {"service_tier": "flex"}, "service_tier", "choose another tier"),
    (PRO, {"max_tokens": 262_145}, "max_tokens", "262144 tokens at most"),
    (PLAIN, {"max_tokens": 12_289}, "max_tokens", "12288 tokens at most"),
    (PLAIN, {"max_tokens": 0}, "max_tokens", "give at least 1"),
    (PRO, {"max_tokens": -1}, "max_tokens", "give at least 1"),
    (PRO, {"max_completion_tokens": 0}, "max_completion_tokens", "give at least 1"),
    (PRO, {"thinking": False}, "thinking", 'say "enabled" or "disabled"'),
    (CHARACTER, {"thinking": True}, "thinking", 'say "enabled" or "disabled"'),
    (PRO, {"max_tokens": 5, "max_completion_tokens": 9}, "max_tokens", "give one of them"),
    (PRO, {"temperature": 2.1}, "temperature", "give 0 to 2"),
    (PRO, {"temperature": -0.1}, "temperature", "give 0 to 2"),
    (PRO, {"top_p": 1.5}, "top_p", "give 0 to 1"),
    (PLAIN, {"frequency_penalty": 2.5}, "frequency_penalty", "give -2 to 2"),
    (PLAIN, {"presence_penalty": -3}, "presence_penalty", "give -2 to 2"),
    (PLAIN, {"logprobs": True, "top_logprobs": 21}, "top_logprobs", "give 0 to 20"),
    (PLAIN, {"top_logprobs": 2}, "top_logprobs", "set logprobs to true"),
    (PLAIN, {"stop": ["a", "b", "c", "d", "e"]}, "stop", "give 4 at most"),
    (GA, {"stop": ["a"] * 17}, "stop", "give 16 at most"),
    (PLAIN, said("image_url", url="https://example.com/a.png"), f"{PART}.image_url", ": text ("),
    (GLM, said("video_url", url=FILM), f"{PART}.video_url", ": image, text ("),
    (PRO, said("input_audio", url="https://example.com/a.mp3"), f"{PART}.input_audio", "video"),
    (SEED_2_0, said("file", file_url="https://example.com/a.pdf"), f"{PART}.file", "image"),
    (PRO, said("video_url", url=FILM, fps=0.1), f"{PART}.video_url.fps", "give 0.2 to 5"),
    (PRO, said("video_url", url=FILM, fps=6), f"{PART}.video_url.fps", "give 0.2 to 5"),
    (
        PRO,
        said("image_url", url="https://example.com/a.png", image_pixel_limit=PIXELS),
        f"{PART}.image_url.image_pixel_limit",
        "swap them",
    ),
]
IDS = [f"{param}-{model}" for model, _, param, _ in REFUSED]

TAKEN = [
    (PRO, {**OFF, "reasoning_effort": "minimal"}),
    (PRO, {**OFF, "reasoning_effort": "none"}),
    (V4_1, {**OFF, "reasoning_effort": "minimal"}),
    (V4_1, {"reasoning_effort": "ultra"}),
    (V4_1, {"logprobs": True, "top_logprobs": 2}),
    (GA, {"logprobs": True, "stop": ["a"] * 16}),
    (PRO, {**OFF, "logprobs": True, "top_logprobs": 20, "logit_bias": {"5": 1}}),
    (PRO, {"reasoning_effort": "minimal", "logprobs": True}),
    (PRO, {**OFF, "stop": "a"}),
    (PRO, {"logprobs": False, "tools": [], "service_tier": "flex", "max_tokens": 262_144}),
    (PLAIN, {"logprobs": True, "frequency_penalty": -2, "presence_penalty": 2, "stop": ["a"]}),
    (PLAIN, {"temperature": 0, "top_p": 1}),
    (CHARACTER, {"presence_penalty": 1}),
    (SEED_2_0, {"response_format": SCHEMA}),
    (CODE, {"response_format": {"type": "text"}}),
    (FORCED, {"temperature": 1, "top_p": 0.95}),
    (PRO, dict.fromkeys(("temperature", "stop", "thinking", "frequency_penalty", "logprobs"))),
    (PRO, said("video_url", url=FILM, fps=5)),
    ("doubao-1-5-vision-pro-250328", said("image_url", url="https://example.com/a.png")),
    ("doubao-seed-1-6-250615", {"thinking": {"type": "auto"}, "reasoning_effort": "low"}),
]


@pytest.fixture(autouse=True)
def _nothing_was_said_before(monkeypatch):
    monkeypatch.setattr(model_check, "_WARNED", set())


@pytest.fixture(params=["chat", "stream_chat"])
def ask(request, client):
    """Ask in one go or as a stream; both drivers."""

    def ask(**options):
        options = {"model": PRO, "messages": HELLO, **options}
        if request.param == "chat":
            client.chat(**options)
        else:
            list(client.stream_chat(**options))

    return ask


@pytest.mark.parametrize(("model", "asked", "param", "advice"), REFUSED, ids=IDS)
def test_a_parameter_that_the_model_refuses_is_an_error_before_sending(
    ask, emulator, model, asked, param, advice
):
    with pytest.raises(ValueError, match=r"check_parameters=False") as caught:
        ask(model=model, **asked)
    assert isinstance(caught.value, ConfigError)
    assert caught.value.param == param
    assert caught.value.message.startswith(f"{model}: {param} ")
    assert advice in caught.value.message
    assert not emulator.requests


@pytest.mark.parametrize(
    ("model", "why"),
    [
        ("doubao-embedding-vision-251215", "is an embedding model, not a chat model; use Doubao"),
        ("doubao-seedream-5-0-pro-260628", "is an image model, not a chat model; use Doubao"),
        ("doubao-seedance-2-0-260128", "is a video model, not a chat model; use Doubao"),
    ],
)
def test_a_model_of_another_kind_is_an_error_before_sending(ask, emulator, model, why):
    with pytest.raises(ConfigError, match=f"^{model}: model {why}") as caught:
        ask(model=model)
    assert caught.value.param == "model"
    assert not emulator.requests


def listed_on(emulator, model):
    """Give the address of the emulated cloud that has the model."""
    clouds = (emulator.base_url, emulator.byteplus_base_url)
    for url in clouds:
        with Client(base_url=url, api_key="k") as client:
            if model in {each.id for each in client.list_models()}:
                return url
    return None


@pytest.mark.parametrize(("model", "asked", "param", "advice"), REFUSED, ids=IDS)
def test_with_the_switch_off_the_service_refuses_it_itself(
    make_client, emulator, model, asked, param, advice
):
    """The emulator is the oracle: it read the documents by itself."""
    client = make_client(base_url=listed_on(emulator, model))
    with pytest.raises(InvalidRequest) as caught:
        client.chat(**{"model": model, "messages": HELLO, **asked}, check_parameters=False)
    assert caught.value.status == 400
    # The answer for a modality that is missing names no field (ark.md 2.2).
    assert caught.value.param in {param, None}


@pytest.mark.parametrize(("model", "asked"), TAKEN)
def test_what_a_model_takes_is_sent(ask, emulator, model, asked):
    ask(model=model, **asked)
    assert emulator.requests[-1].path.endswith("/chat/completions")
    assert "check_parameters" not in emulator.requests[-1].body


@pytest.mark.parametrize("model", ["ep-20260101000000-abcde", "doubao-seed-9-0-pro-300101"])
@pytest.mark.parametrize(("_known", "asked", "_param", "_advice"), REFUSED, ids=IDS)
def test_endpoints_and_unknown_models_are_not_checked(model, _known, asked, _param, _advice):
    options = {"messages": HELLO, **asked}
    model_check.check(model, options.pop("messages"), options)


def test_unknown_models_and_endpoints_reach_the_service(ask, emulator):
    ask(model="ep-20260101000000-abcde", thinking={"type": "disabled"}, logprobs=True)
    with pytest.raises(NotFound):
        ask(model="doubao-seed-9-0-pro-300101", temperature=9)
    assert [each.body["model"][:3] for each in emulator.requests] == ["ep-", "dou"]


def test_extra_body_is_the_way_round(ask, emulator):
    with pytest.raises(InvalidRequest):
        ask(extra_body={"frequency_penalty": 0.5})
    assert emulator.requests[-1].body["frequency_penalty"] == 0.5


@pytest.mark.parametrize(
    ("asked", "extra"),
    [
        ({"logprobs": True, "stop": "a"}, OFF),
        ({"logit_bias": {"5": 1}}, {"reasoning_effort": "none"}),
        ({"top_logprobs": 2, **OFF}, {"logprobs": True}),
        ({"temperature": 9}, {"temperature": 1}),
        ({"frequency_penalty": 0.5}, {"model": PLAIN}),
    ],
)
def test_what_extra_body_replaces_is_not_checked_either(ask, emulator, asked, extra):
    ask(**asked, extra_body=extra)
    assert extra.items() <= emulator.requests[-1].body.items()


def test_odd_values_are_left_to_the_service(ask, emulator):
    """Nothing of what a caller gives makes the check itself fail."""
    odd = {"temperature": "hot", "thinking": "disabled", "max_tokens": "9"}
    for name, value in {**odd, "response_format": "json", "reasoning_effort": ["low"]}.items():
        with pytest.raises(InvalidRequest):
            ask(**{name: value})
    mixed = {"url": "https://example.com/a.png", "image_pixel_limit": {"min_pixels": "9"}}
    parts = [7, {}, {"type": ["text"]}, {"type": "image_url", "image_url": mixed}]
    with pytest.raises(InvalidRequest):
        ask(messages=[{"role": "user", "content": parts}])
    assert len(emulator.requests) == 6


@pytest.mark.parametrize(
    ("model", "asked", "param", "why"),
    [
        (FORCED, {"temperature": 0.5}, "temperature", "the model always uses 1;"),
        (FORCED, {"temperature": 0}, "temperature", "the model always uses 1;"),
        (CODE, {"top_p": 0.7}, "top_p", "the model always uses 0.95;"),
        (PRO, {"stop": ["a"]}, "stop", "is not supported by thinking models"),
        (V4_1, {"stop": "a"}, "stop", "is not supported by thinking models"),
    ],
)
def test_a_parameter_that_is_ignored_is_sent_with_one_warning(
    ask, emulator, model, asked, param, why
):
    with pytest.warns(UserWarning, match=f"^{model}: {param} .*{why}"):
        ask(model=model, **asked)
    ask(model=model, **asked)
    assert len(emulator.requests) == 2
    assert emulator.requests[-1].body[param] == asked[param]


def test_the_switch_turns_warnings_off_too(ask, emulator):
    ask(model=FORCED, temperature=0.5, stop="a", check_parameters=False)
    assert emulator.requests[-1].body["temperature"] == 0.5


def test_a_warning_names_the_line_that_called(emulator):
    with (
        Client(base_url=emulator.base_url, api_key="k") as client,
        pytest.warns(UserWarning, match="stop") as caught,
    ):
        client.chat(model=PRO, messages=HELLO, stop="a")
    assert [each.filename for each in caught] == [__file__]


def test_whoever_makes_warnings_errors_gets_one_each_time(ask, emulator):
    for _ in range(2):
        with pytest.raises(UserWarning, match="stop"):
            ask(stop="a")
    assert not emulator.requests


@pytest.mark.parametrize(
    ("model", "known"),
    [
        ("seed-2-0-pro-260328", {"text", "image"}),
        ("dola-seed-2-1-turbo-260628", {"text", "image"}),
        ("seed-2-0-mini-260428", {"text", "image", "audio"}),
        ("seed-2-0-code-preview-260328", {"text"}),
        ("seed-1-8-251228", {"text"}),
    ],
)
def test_inputs_of_which_the_vendor_says_nothing_reach_the_service(
    make_client, emulator, model, known
):
    """BytePlus's list says "vision" and "audio", and of documents and films nothing (20.3)."""
    facts = catalogue.find(model)
    assert {each for each in ("text", "image", "audio", "video", "file") if facts.takes(each)} == (
        known
    )
    assert facts.takes("file") is None
    client = make_client(base_url=emulator.byteplus_base_url)
    with suppress(InvalidRequest):
        client.chat(model=model, **said("file", file_url="https://example.com/a.pdf"))
    assert len(emulator.requests) == 1


CHAT_MODELS = [name for name, facts in catalogue.models().items() if facts.kind == "chat"]

# What most models refuse; each is tried with each model of the catalogue.
TRIED = [
    *({"thinking": {"type": kind}} for kind in ("enabled", "disabled", "auto")),
    {**OFF, "reasoning_effort": "high"},
    *({"reasoning_effort": effort} for effort in ("none", "low", "ultra")),
    {"response_format": SCHEMA},
    {"response_format": {"type": "json_object"}},
    {"tools": [TOOL]},
    {"service_tier": "flex"},
    {"max_tokens": 400_000},
    {"max_tokens": 40_000},
    {"max_completion_tokens": 100},
    {"frequency_penalty": 0.5},
    {"presence_penalty": 0},
    {"logprobs": True},
    {"logit_bias": {"5": 1}},
    {"stop": list("abcde")},
    {"temperature": 3},
    said("image_url", url="https://example.com/a.png"),
    said("video_url", url=FILM),
    said("input_audio", url="https://example.com/a.mp3"),
    said("file", file_url="https://example.com/a.pdf"),
]


@pytest.mark.filterwarnings("ignore:.* stop is not supported:UserWarning")
@pytest.mark.parametrize("model", CHAT_MODELS)
def test_the_emulator_refuses_whatever_the_check_refuses(emulator, model):
    """Two readings of the same documents; an id that two clouds have is refused by both."""
    clouds = 0
    for url in (emulator.base_url, emulator.byteplus_base_url):
        with Client(base_url=url, api_key="k", max_retries=0) as client:
            if model not in {each.id for each in client.list_models()}:
                continue
            clouds += 1
            for asked in TRIED:
                request = {"model": model, "messages": HELLO, **asked}
                if not _refused(client, request):
                    continue
                with pytest.raises(InvalidRequest):
                    client.chat(**request, check_parameters=False)
    assert clouds


def _refused(client, request):
    try:
        client.chat(**request)
    except ConfigError:
        return True
    except DoubaoError:
        return False
    return False


@pytest.mark.parametrize("model", ["doubao-seed-2-1-pro-260915", "doubao-1-5-pro-32k-250115"])
def test_a_plain_request_of_a_known_model_passes_untouched(model):
    with warnings.catch_warnings(record=True) as said_aloud:
        model_check.check(model, HELLO, {"stream_options": {"include_usage": True}})
    assert not said_aloud
