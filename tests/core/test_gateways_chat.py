"""Chat by XRoute, Anyfast and any OpenAI-compatible service, over HTTP (gateways.md 3.1, 3.2)."""

from __future__ import annotations

import json

import httpx
import pytest

from doubao_core import (
    AuthenticationError,
    ContextOverflow,
    InvalidRequest,
    Malformed,
    NotFound,
    PermissionDenied,
    ProfileWarning,
    QuotaExceeded,
    RateLimited,
    ServerError,
    Truncated,
)
from doubao_core.api.answers import ChatReader

LITE = "doubao-seed-1-6-lite-251015"
HELLO = [{"role": "user", "content": "hi"}]
PROVIDERS = ["xroute", "anyfast", "openai-compatible"]
PATHS = {
    "xroute": "/xroute/openai/v1/chat/completions",
    "anyfast": "/anyfast/v1/chat/completions",
    "openai-compatible": "/openai-compatible/v1/chat/completions",
}
# The stream that the guide prints (seed 000).
PRINTED = (
    b'data: {"choices":[{"index":0,"delta":{"content":"Hel"}}]}\n\n'
    b'data: {"choices":[{"index":0,"delta":{"content":"lo \xe4\xbd\xa0"},'
    b'"finish_reason":"stop"}]}\n\n'
    b"data: [DONE]\n\n"
)


@pytest.fixture(params=PROVIDERS)
def provider(request):
    return request.param


@pytest.fixture
def chats(make_client, emulator, provider):
    """A client of one of the three, each in turn."""
    return make_client(provider=provider, base_url=emulator.base_url_of(provider))


@pytest.fixture
def said(at_gateway, provider):
    """What the client of a provider makes of a given answer."""

    def ask(response, **options):
        base_url = "https://gate.example/v1"
        client = at_gateway(provider, lambda _: response, base_url=base_url, max_retries=0)
        return client.chat(model=LITE, messages=HELLO, **options)

    return ask


def test_an_answer_is_read_and_the_request_goes_to_the_documented_path(chats, emulator, provider):
    """R000-01, R000-27, R000-37, R000-42, R000-45, R001-01, R001-02, R001-11."""
    emulator.answer("Hello.")
    answer = chats.chat(model=LITE, messages=HELLO)
    assert (answer.content, answer.finish_reason, answer.model) == ("Hello.", "stop", LITE)
    assert answer.raw["object"] == "chat.completion"
    assert (answer.id, answer.created) == (answer.raw["id"], answer.raw["created"])
    assert emulator.requests[-1].path == PATHS[provider]
    assert emulator.requests[-1].body == {"model": LITE, "messages": HELLO}


def test_a_conversation_is_sent_whole_and_in_order(chats, emulator):
    """R000-02, R001-03: system, user and assistant, with what was said before."""
    messages = [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": "My name is Li."},
        {"role": "assistant", "content": "Hello Li."},
        {"role": "user", "content": "你好，what is my name?"},
    ]
    chats.chat(model=LITE, messages=messages)
    assert emulator.requests[-1].body["messages"] == messages


@pytest.mark.parametrize("stop", ["END", ["END", "STOP"]])
def test_every_documented_parameter_arrives_under_its_name(chats, emulator, stop):
    """Stop is a text or a list.

    R000-03, R000-04, R000-05, R000-06, R000-07, R000-08, R001-04, R001-05, R001-06, R001-07,
    R001-08, R001-10.
    """
    options = {
        "temperature": 0.7,
        "top_p": 0.9,
        "max_tokens": 50,
        "frequency_penalty": 0.5,
        "presence_penalty": -0.5,
        "stop": stop,
    }
    chats.chat(model=LITE, messages=HELLO, **options)
    sent = emulator.requests[-1].body
    assert {name: sent[name] for name in options} == options


def test_no_default_is_sent_for_what_was_not_given(chats, emulator):
    """R001-04, R001-05: the gateway's own defaults are its business."""
    chats.chat(model=LITE, messages=HELLO)
    assert emulator.requests[-1].body.keys() == {"model", "messages"}


def test_an_answer_without_a_usage_has_none(said):
    """R001-13, R000-34: usage is optional; where it is, it is read."""
    body = {"choices": [{"message": {"role": "assistant", "content": "Hi"}}]}
    assert said(httpx.Response(200, json=body)).usage is None
    body["usage"] = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    usage = said(httpx.Response(200, json=body)).usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (3, 2, 5)


@pytest.mark.parametrize("reason", ["stop", "length", "content_filter", None, "tool_calls", "new"])
def test_any_finish_reason_is_kept(said, reason):
    """R001-12, R000-11: null and reasons that no page lists, too."""
    body = {
        "choices": [{"message": {"role": "assistant", "content": "x"}, "finish_reason": reason}]
    }
    assert said(httpx.Response(200, json=body)).finish_reason == reason


@pytest.mark.parametrize("body", [{"choices": []}, {}, {"choices": None}])
def test_an_answer_without_choices_is_an_error_and_no_crash(said, body):
    """R000-12."""
    with pytest.raises(Malformed, match="no choice"):
        said(httpx.Response(200, json=body))


def test_a_stream_gives_its_text_and_ends_with_its_marker(chats, emulator, provider):
    """R000-09, R001-09: SSE with ``[DONE]``; a gateway may say no usage."""
    emulator.answer("Hello you, 你好.")
    options = {"include_usage": True}
    events = list(chats.stream_chat(model=LITE, messages=HELLO, stream_options=options))
    assert "".join(event.content for event in events) == "Hello you, 你好."
    assert [event.finish_reason for event in events if event.finish_reason] == ["stop"]
    assert any(event.usage for event in events) is (provider != "anyfast")
    assert emulator.requests[-1].body["stream"] is True


@pytest.mark.parametrize("cut", range(len(PRINTED) + 1))
def test_the_printed_stream_is_the_same_text_wherever_it_is_cut(cut):
    """R000-10: the guide's own reader loses what a cut goes through."""
    reader = ChatReader()
    events = [*reader.feed(PRINTED[:cut]), *reader.feed(PRINTED[cut:]), *reader.close()]
    assert "".join(event.content for event in events) == "Hello 你"
    assert reader.ended


def test_a_stream_that_ends_early_is_no_answer(chats, emulator):
    """R000-10: what had come is kept."""
    emulator.answer(events=[{"choices": [{"index": 0, "delta": {"content": "Hel"}}]}])
    with pytest.raises(Truncated) as caught:
        list(chats.stream_chat(model=LITE, messages=HELLO))
    assert caught.value.partial == "Hel"


def test_an_error_inside_a_stream_is_raised(chats, emulator):
    error = {"error": {"code": "server_error", "message": "The model broke."}}
    emulator.answer(events=[{"choices": [{"index": 0, "delta": {"content": "Hel"}}]}, error])
    with pytest.raises(Exception, match="The model broke") as caught:
        list(chats.stream_chat(model=LITE, messages=HELLO))
    assert (caught.value.partial, caught.value.code) == ("Hel", "server_error")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequest),
        (401, AuthenticationError),
        (403, PermissionDenied),
        (404, NotFound),
        (429, RateLimited),
        (500, ServerError),
    ],
)
def test_each_status_is_an_error_of_its_own(said, provider, status, kind):
    """R000-29, R001-14: with the gateway's code, text and name."""
    error = {"code": "odd_code", "message": "That went wrong."}
    with pytest.raises(kind) as caught:
        said(httpx.Response(status, json={"error": error}))
    failure = caught.value
    assert type(failure) is kind
    assert (failure.status, failure.code, failure.message) == (
        status,
        "odd_code",
        "That went wrong.",
    )
    assert (failure.gateway, failure.body["message"]) == (provider, "That went wrong.")


@pytest.mark.parametrize("body", [{"detail": "Not here."}, {"error": None}, ["no"]])
def test_a_refusal_without_an_error_object_keeps_its_status(said, body):
    """R000-29: proxies in between answer in shapes of their own."""
    with pytest.raises(NotFound, match="without an error object") as caught:
        said(httpx.Response(404, json=body))
    assert caught.value.status == 404


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (429, "insufficient_quota", QuotaExceeded),
        (429, "rate_limit_exceeded", RateLimited),
        (400, "context_length_exceeded", ContextOverflow),
        (401, "invalid_api_key", AuthenticationError),
        (404, "model_not_found", NotFound),
    ],
)
@pytest.mark.parametrize("provider", ["xroute", "openai-compatible"], indirect=True)
def test_the_codes_of_the_protocol_that_they_imitate_are_understood(said, status, code, kind):
    with pytest.raises(kind) as caught:
        said(httpx.Response(status, json={"error": {"code": code, "message": "no"}}))
    assert type(caught.value) is kind


def test_a_used_up_quota_is_not_asked_again(at_gateway, naps):
    """R000-30: waiting does not help there."""
    error = {"error": {"code": "insufficient_quota", "message": "Pay first."}}
    client = at_gateway("xroute", lambda _: httpx.Response(429, json=error), max_retries=2)
    with pytest.raises(QuotaExceeded):
        client.chat(model=LITE, messages=HELLO)
    assert naps == []


def test_a_rate_limit_is_waited_for_and_repeated(chats, emulator, naps):
    """R000-30: with a growing pause where nothing says how long."""
    emulator.answer("Hello.")
    with emulator.fault("rate_limit", times=2):
        assert chats.chat(model=LITE, messages=HELLO).content == "Hello."
    assert len(naps) == 2
    assert naps[0] < naps[1]


def test_a_refusal_has_a_code_and_a_message_and_nothing_else(make_client, emulator, provider):
    """R001-14: the printed error body, read over HTTP."""
    base_url = emulator.base_url_of(provider)
    client = make_client(provider=provider, base_url=base_url, max_retries=0)
    with emulator.fault("rate_limit", times=1), pytest.raises(RateLimited) as caught:
        client.chat(model=LITE, messages=HELLO)
    assert {name for name, value in caught.value.body.items() if value} == {"code", "message"}
    with pytest.raises(NotFound) as caught:
        client.chat(model="no-such-model", messages=HELLO)
    assert (caught.value.gateway, caught.value.operation) == (provider, "chat.create")


def test_a_model_that_nobody_knows_here_is_sent_as_it_is(said):
    """R000-27, R000-38, R001-02: ids are the gateway's business."""
    body = {"choices": [{"message": {"role": "assistant", "content": "x"}}]}
    assert said(httpx.Response(200, json=body), thinking={"type": "enabled"}).content == "x"


def test_vectors_come_in_the_order_of_the_texts_and_are_counted(make_client, emulator):
    """R000-15, R000-16: by the request that the guide prints, model and input alone."""
    client = make_client(
        provider="openai-compatible", base_url=emulator.base_url_of("openai-compatible")
    )
    found = client.embed(model="doubao-seed-1.6-embedding", texts=["tea", "coffee", "tea"])
    assert len(found.vectors) == 3
    assert found.vectors[0] == found.vectors[2] != found.vectors[1]
    assert emulator.requests[-1].body == {
        "model": "doubao-seed-1.6-embedding",
        "input": ["tea", "coffee", "tea"],
    }


def test_a_vector_too_few_is_an_error(at_gateway):
    """R000-16."""
    body = {"data": [{"embedding": [0.5]}]}
    client = at_gateway(
        "openai-compatible",
        lambda _: httpx.Response(200, json=body),
        base_url="https://gate.example/v1",
    )
    with pytest.raises(Malformed, match="asked for 2 vectors, got 1"):
        client.embed(model="m", texts=["a", "b"])


def test_no_secret_is_in_an_error(at_gateway, key, provider):
    """R000-25, R000-52: not even if the gateway repeats the key and a signed link."""

    def answer(request):
        seen = request.headers["authorization"]
        text = f"bad {seen} for https://a.example/p?X-Tos-Signature=abc"
        return httpx.Response(401, json={"error": {"code": "x", "message": text}})

    client = at_gateway(provider, answer, base_url="https://gate.example/v1")
    with pytest.raises(AuthenticationError) as caught:
        client.chat(model=LITE, messages=HELLO)
    assert key not in f"{caught.value}{caught.value.body}"
    assert "Signature" not in str(caught.value)
    assert key not in json.dumps(repr(client.native))


def test_the_flash_models_of_the_guide_are_reachable_under_both_spellings(make_client, emulator):
    """R000-51."""
    client = make_client(
        provider="openai-compatible", base_url=emulator.base_url_of("openai-compatible")
    )
    for model in ("doubao-seed-1.6-flash-250615", "doubao-seed-1-6-flash-250615"):
        assert client.chat(model=model, messages=HELLO).content


def test_the_profiles_warn_beyond_what_they_print(said, provider):
    """R000-03, R001-05."""
    limit = 2 if provider == "anyfast" else 1
    body = {"choices": [{"message": {"role": "assistant", "content": "x"}}]}
    options = {"temperature": limit + 0.5, "check_parameters": False}
    with pytest.warns(ProfileWarning, match=f"above {limit}"):
        said(httpx.Response(200, json=body), **options)
