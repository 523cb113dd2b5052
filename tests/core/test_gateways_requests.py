"""What all gateways have in common: keys, addresses, what is refused before it is sent."""

from __future__ import annotations

import re
from typing import get_type_hints

import httpx
import pytest

from doubao_core import (
    Client,
    ConfigError,
    NotFound,
    ProfileWarning,
    RateLimited,
    ServerError,
    UnsupportedOperation,
)
from doubao_core.api.images import ImageOptions
from doubao_core.api.videos import VideoOptions
from doubao_core.gateways import known
from doubao_core.gateways.limits import Limit

HELLO = [{"role": "user", "content": "hi"}]
ANSWER = {"choices": [{"message": {"role": "assistant", "content": "Hello."}}]}
TEXT = [{"type": "text", "text": "tea"}]
# From the pages; base URLs as they stand there.
PLACES = {
    "agentsflare": ("https://api.agentsflare.com/byteplus/v3", "AGENTSFLARE_API_KEY"),
    "anyfast": ("https://www.anyfast.com.cn", "ANYFAST_API_KEY"),
    "anyfast-ai": ("https://www.anyfast.ai", "ANYFAST_API_KEY"),
    "anyfast-text": ("https://www.anyfast.com.cn", "ANYFAST_API_KEY"),
    "doitong": ("https://api.doitong.com", "DOITONG_API_KEY"),
    "doitong-generate-image": ("https://api.doitong.com", "DOITONG_API_KEY"),
    "doitong-rest": ("https://api.doitong.com", "DOITONG_API_KEY"),
    "openai-compatible": (None, "OPENAI_COMPATIBLE_API_KEY"),
    "seedance2api": ("https://api.seedance2api.com", "SEEDANCE2API_API_KEY"),
    "seedance2api-x-api-key": ("https://api.seedance2api.com", "SEEDANCE2API_API_KEY"),
    "vibegen": ("https://vibegen.art/api/v1", "VIBEGEN_API_KEY"),
    "xroute": ("https://api.xroute.ai/openai/v1", "XROUTE_API_KEY"),
}
# Where each can be asked for anything, with the shortest request that it takes.
ASKED = {
    "agentsflare": lambda c: c.get_video("cgt-1"),
    "anyfast": lambda c: c.chat(model="m", messages=HELLO),
    "anyfast-ai": lambda c: c.chat(model="m", messages=HELLO),
    "anyfast-text": lambda c: c.chat(model="m", messages=HELLO),
    "doitong": lambda c: c.create_images(model="seedream", prompt="tea"),
    "doitong-generate-image": lambda c: c.create_images(model="seedream", prompt="tea"),
    "doitong-rest": lambda c: c.create_images(model="seedream", prompt="tea"),
    "openai-compatible": lambda c: c.chat(model="m", messages=HELLO),
    "seedance2api": lambda c: c.get_video("task-1"),
    "seedance2api-x-api-key": lambda c: c.get_video("task-1"),
    "vibegen": lambda c: c.get_video("task-1"),
    "xroute": lambda c: c.chat(model="m", messages=HELLO),
}
BY_HEADER = {"doitong-rest", "seedance2api-x-api-key"}


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch):
    for _, variable in PLACES.values():
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.delenv("SEEDANCE_API_KEY", raising=False)


@pytest.fixture
def sent():
    """Requests that were sent, newest last."""
    return []


@pytest.fixture
def refusing(at_gateway, sent):
    """Make a client of a provider that answers everything with 403."""

    def make(provider, **options):
        def answer(request):
            sent.append(request)
            return httpx.Response(403, json={"error": {"code": "X", "message": "no"}})

        return at_gateway(provider, answer, **options)

    return make


def test_every_gateway_of_the_seeds_is_found_without_a_list():
    assert PLACES.keys() <= known().keys()


@pytest.mark.parametrize("provider", PLACES)
def test_the_address_is_the_documents_own(provider):
    """R000-28, R000-36, R000-37, R001-01, R002-01, R003-01: nothing is added to it or left out."""
    gateway = known()[provider]
    assert (gateway.base_url, gateway.key_env[0]) == PLACES[provider]


@pytest.mark.parametrize("provider", PLACES)
def test_the_key_comes_from_the_providers_own_variable_and_goes_into_its_header(
    refusing, sent, monkeypatch, provider
):
    """R000-21, R000-22, R001-01, R002-01, R003-01, R003-02, R004-01, R004-02, R004-03."""
    monkeypatch.setenv(PLACES[provider][1], "k-from-environment")
    base_url = "https://gate.example/v1" if PLACES[provider][0] is None else None
    client = refusing(provider, api_key=None, base_url=base_url)
    with pytest.raises(Exception, match="no"):
        ASKED[provider](client)
    headers = sent[-1].headers
    bearer, own = headers.get("authorization"), headers.get("x-api-key")
    if provider in BY_HEADER:
        assert (bearer, own) == (None, "k-from-environment")
    else:
        assert (bearer, own) == ("Bearer k-from-environment", None)
    assert "k-from-environment" not in str(sent[-1].url)


@pytest.mark.parametrize("provider", PLACES)
def test_a_missing_key_names_the_variable_and_nothing_is_sent(refusing, sent, provider):
    """R003-33: a key of another provider is never taken instead."""
    base_url = "https://gate.example/v1" if PLACES[provider][0] is None else None
    client = refusing(provider, api_key=None, base_url=base_url)
    with pytest.raises(ConfigError, match=PLACES[provider][1]):
        ASKED[provider](client)
    assert sent == []


@pytest.mark.parametrize("provider", ["seedance2api", "openai-compatible"])
def test_the_name_that_two_guides_use_counts_for_their_profiles(
    refusing, sent, monkeypatch, provider
):
    """R004-03, R000-22: SEEDANCE_API_KEY, if the user has chosen one of the two."""
    monkeypatch.setenv("SEEDANCE_API_KEY", "k-shared-name")
    with pytest.raises(Exception, match="no"):
        ASKED[provider](refusing(provider, api_key=None, base_url="https://gate.example/v1"))
    assert sent[-1].headers["authorization"] == "Bearer k-shared-name"
    with pytest.raises(ConfigError, match="XROUTE_API_KEY"):
        ASKED["xroute"](refusing("xroute", api_key=None))


@pytest.mark.parametrize("pasted", ["  k-123 ", "Bearer k-123", "bearer  k-123\n", "k-123"])
def test_blanks_and_a_copied_bearer_are_no_part_of_a_key(refusing, sent, pasted):
    """R000-26."""
    with pytest.raises(Exception, match="no"):
        ASKED["xroute"](refusing("xroute", api_key=pasted))
    assert sent[-1].headers["authorization"] == "Bearer k-123"


def test_a_key_can_be_asked_for_each_time(refusing, sent):
    """R000-24, R004-45: rotation needs no new client."""
    keys = iter(["k-first", "k-second"])
    client = refusing("xroute", api_key=lambda: next(keys))
    for _ in range(2):
        with pytest.raises(Exception, match="no"):
            ASKED["xroute"](client)
    assert [each.headers["authorization"][7:] for each in sent] == ["k-first", "k-second"]


def test_the_generic_profile_asks_for_an_address(refusing, sent):
    """R000-27: the guide calls its own address an example, so it is never a default."""
    with pytest.raises(ConfigError, match="pass base_url="):
        ASKED["openai-compatible"](refusing("openai-compatible"))
    assert sent == []


@pytest.mark.parametrize("base_url", ["https://gate.example/v1", "https://gate.example/v1/"])
def test_an_address_is_used_as_it_is_given(refusing, sent, base_url):
    """R000-27, R000-28: with its version, with or without a slash at the end."""
    with pytest.raises(Exception, match="no"):
        ASKED["openai-compatible"](refusing("openai-compatible", base_url=base_url))
    assert str(sent[-1].url) == "https://gate.example/v1/chat/completions"


@pytest.mark.parametrize(
    ("provider", "operation", "call"),
    [
        ("xroute", "embeddings.create", lambda c: c.embed(model="m", texts=["a"])),
        ("xroute", "moderations.create", lambda c: c.moderate("a")),
        ("ark", "moderations.create", lambda c: c.moderate("a")),
        ("doitong", "chat.create", lambda c: c.chat(model="m", messages=HELLO)),
        ("doitong", "videos.create", lambda c: c.create_video(model="m", content=TEXT)),
        ("anyfast", "videos.list", lambda c: c.list_videos()),
        ("seedance2api", "videos.delete", lambda c: c.delete_video("task-1")),
        ("agentsflare", "chat.create", lambda c: c.chat(model="m", messages=HELLO)),
        ("vibegen", "chat.create", lambda c: c.chat(model="m", messages=HELLO)),
        ("vibegen", "images.create", lambda c: c.create_images(model="m", prompt="a")),
        ("vibegen", "embeddings.create", lambda c: c.embed(model="m", texts=["a"])),
    ],
)
def test_what_a_gateway_cannot_do_is_refused_with_the_names_of_those_that_can(
    refusing, sent, provider, operation, call
):
    with pytest.raises(UnsupportedOperation) as caught:
        call(refusing(provider))
    able = [each.name for each in known().values() if operation in each.routes]
    assert able
    assert all(name in str(caught.value) for name in able)
    assert sent == []


@pytest.mark.parametrize(
    ("provider", "param", "call"),
    [
        (
            "doitong",
            "image",
            lambda c: c.create_images(model="seedream", prompt="p", image="https://a.example/a"),
        ),
        (
            "doitong-rest",
            "response_format",
            lambda c: c.create_images(model="seedream", prompt="p", response_format="b64_json"),
        ),
        (
            "doitong",
            "sequential_image_generation",
            lambda c: c.create_images(
                model="seedream",
                prompt="p",
                sequential_image_generation="auto",
                sequential_image_generation_options={"max_images": 3},
            ),
        ),
        (
            "seedance2api",
            "ratio",
            lambda c: c.create_video(model="m", content=TEXT, duration=5, ratio="16:9"),
        ),
        (
            "seedance2api",
            "watermark",
            lambda c: c.create_images(model="m", prompt="p", watermark=False),
        ),
    ],
)
def test_a_parameter_that_a_gateway_has_nothing_for_is_refused_before_anything_is_sent(
    refusing, sent, provider, param, call
):
    with pytest.raises(UnsupportedOperation, match="ark") as caught:
        call(refusing(provider))
    assert caught.value.param == param
    able = caught.value.message.partition("leave it out; ")[2].removesuffix(" can have it")
    assert provider not in able.split(", ")
    assert sent == []


@pytest.mark.parametrize("provider", ["doitong", "doitong-rest", "seedance2api"])
def test_a_stream_of_pictures_is_refused_where_there_is_none(refusing, sent, provider):
    with pytest.raises(UnsupportedOperation, match="ark"):
        next(iter(refusing(provider).stream_images(model="m", prompt="p")))
    assert sent == []


@pytest.mark.parametrize("provider", ["doitong", "doitong-generate-image", "doitong-rest"])
def test_doitong_has_an_answer_to_every_picture_option_of_ours(provider):
    """A new option is either translated or refused, never sent under a name that is not theirs."""
    translated = {
        *("size", "response_format", "sequential_image_generation", "extra_body"),
        "sequential_image_generation_options",
    }
    refused = {each.partition("=")[0] for each in known()[provider].routes["images.create"].lacks}
    assert translated | refused >= get_type_hints(ImageOptions).keys()


def test_vibegen_has_an_answer_to_every_option_of_ours():
    films = {each.partition("=")[0] for each in known()["vibegen"].routes["videos.create"].lacks}
    named = {"duration", "resolution", "ratio", "generate_audio", "callback_url", "extra_body"}
    assert films | named >= get_type_hints(VideoOptions).keys()


def test_seedance2api_has_an_answer_to_every_option_of_ours():
    routes = known()["seedance2api"].routes
    pictures = {each.partition("=")[0] for each in routes["images.create"].lacks}
    named = {
        *("size", "response_format", "seed", "extra_body"),
        *("sequential_image_generation", "sequential_image_generation_options"),
    }
    assert pictures | named >= get_type_hints(ImageOptions).keys()
    films = {each.partition("=")[0] for each in routes["videos.create"].lacks}
    named = {"duration", "resolution", "callback_url", "extra_body"}
    assert films | named >= get_type_hints(VideoOptions).keys()


@pytest.mark.parametrize(
    ("provider", "said", "call"),
    [
        (
            "anyfast",
            "max_tokens is 9000, above 8192",
            lambda c: c.chat(model="m", messages=HELLO, max_tokens=9000),
        ),
        (
            "xroute",
            "temperature is 1.5, above 1",
            lambda c: c.chat(model="m", messages=HELLO, temperature=1.5),
        ),
        (
            "seedance2api",
            "prompt has 301 characters, above 300 characters",
            lambda c: c.create_images(model="seedream-4.5", prompt="p" * 301),
        ),
        (
            "seedance2api",
            "duration is 4, below 5",
            lambda c: c.create_video(model="seedance-2.0", content=TEXT, duration=4),
        ),
        (
            "seedance2api",
            "fps is 25, and known are 24, 30, 60",
            lambda c: c.create_video(
                model="seedance-2.0", content=TEXT, duration=5, extra_body={"fps": 25}
            ),
        ),
    ],
)
def test_a_printed_limit_that_is_broken_is_a_warning_and_the_gateway_decides(
    refusing, sent, provider, said, call
):
    """R001-04, R000-03, R004-11, R004-16, R004-18: limits of the page, not of the model."""
    with (
        pytest.warns(ProfileWarning, match=re.escape(said)),
        pytest.raises(Exception, match="no"),
    ):
        call(refusing(provider))
    assert len(sent) == 1


def test_a_broken_limit_can_be_made_an_error_that_stops_the_request(refusing, sent):
    """Warnings are errors in these tests, as ``simplefilter("error")`` makes them."""
    with pytest.raises(ProfileWarning):
        refusing("anyfast").chat(model="m", messages=HELLO, top_p=1.5)
    assert sent == []


@pytest.mark.parametrize("value", [None, [1], {"a": 1}])
def test_a_limit_says_nothing_of_what_is_neither_number_nor_text(value):
    assert Limit(low=1, high=2).complaint(value) is None
    assert Limit(choices=frozenset({1})).complaint(value) is None


def test_a_model_id_with_dots_gets_the_hyphenated_one_as_a_suggestion(at_gateway):
    """R000-51: guides print ids with dots; they are sent as given, and 404 says what was meant."""

    def answer(request):
        return httpx.Response(404, json={"error": {"code": "model_not_found", "message": "No."}})

    client = at_gateway("xroute", answer)
    with pytest.raises(NotFound, match="did you mean 'doubao-seed-1-6-flash-250615'"):
        client.chat(model="doubao-seed-1.6-flash-250615", messages=HELLO)


@pytest.mark.parametrize("hint", ["X-RateLimit-RetryAfter", "Retry-After", "X-RateLimit-Reset"])
def test_a_refusal_says_when_to_come_back_and_the_client_does(at_gateway, naps, hint):
    """R004-32, R000-30, R003-25, R004-31: whatever the header is called."""
    answers = [httpx.Response(429, headers={hint: "3"}), httpx.Response(200, json=ANSWER)]
    client = at_gateway("xroute", lambda _: answers.pop(0))
    assert client.chat(model="m", messages=HELLO).content == "Hello."
    assert naps == [3.0]


def test_a_wait_of_an_hour_is_the_callers_to_decide(at_gateway, naps):
    """R004-32: the hint is in the error."""
    client = at_gateway(
        "xroute", lambda _: httpx.Response(429, headers={"X-RateLimit-RetryAfter": "3600"})
    )
    with pytest.raises(RateLimited) as caught:
        client.chat(model="m", messages=HELLO)
    assert (caught.value.retry_after, naps) == (3600.0, [])


def test_a_proxys_page_is_still_one_of_our_errors(at_gateway):
    for provider, ask in ASKED.items():
        base_url = "https://gate.example/v1" if PLACES[provider][0] is None else None
        client = at_gateway(
            provider,
            lambda _: httpx.Response(500, html="<html></html>"),
            max_retries=0,
            base_url=base_url,
        )
        with pytest.raises(Exception, match="HTTP 500") as caught:
            ask(client)
        assert isinstance(caught.value.__cause__ or caught.value, ServerError)


@pytest.mark.parametrize("provider", PLACES)
def test_no_key_is_in_a_log(refusing, sent, key, caplog, provider):
    """R000-25, R004-44, R004-45: whatever is refused, and however much is logged."""
    caplog.set_level("DEBUG")
    base_url = "https://gate.example/v1" if PLACES[provider][0] is None else None
    with pytest.raises(Exception, match="no") as caught:
        ASKED[provider](refusing(provider, base_url=base_url))
    assert key in str(dict(sent[-1].headers))
    assert key not in f"{caplog.text}{caught.value!r}"


def test_making_a_client_of_any_gateway_needs_no_key():
    for provider in PLACES:
        assert Client(provider=provider).provider == provider
