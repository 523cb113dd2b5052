"""Providers: found by themselves, extended by other packages, refused by name."""

from __future__ import annotations

import importlib.metadata
import json
from dataclasses import replace

import httpx
import pytest

from doubao_core import (
    AmbiguousSubmit,
    Client,
    ConfigError,
    NotFound,
    RateLimited,
    ServerError,
    Truncated,
    UnsupportedOperation,
    gateways,
)
from doubao_core.gateways import Gateway, Route, gateway, known, route
from doubao_core.gateways.ark import ROUTES

ELSEWHERE = Gateway(
    name="elsewhere",
    title="Another package's provider",
    base_url="https://elsewhere.example/v1",
    key_env=("ELSEWHERE_API_KEY",),
    routes={"chat.create": Route("POST", "/chat")},
)


@pytest.fixture
def plugins(monkeypatch):
    """Install entry points for the time of a test."""
    entries = []

    def entry_points(*, group):
        return entries if group == "doubao.gateways" else []

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    gateways.known.cache_clear()
    yield entries
    gateways.known.cache_clear()


class Entry:
    def __init__(self, gateway):
        self.name, self._gateway = gateway.name, gateway

    def load(self):
        return self._gateway


def test_the_providers_of_this_package_are_found():
    assert {"ark", "byteplus", "byteplus-eu", "emulator"} <= known().keys()
    assert all(name == each.name for name, each in known().items())


def test_an_unknown_provider_is_refused_with_the_names_of_the_known_ones():
    with pytest.raises(ConfigError) as caught:
        gateway("volcano")
    for name in ("'ark'", "'byteplus'", "'byteplus-eu'", "'emulator'"):
        assert name in str(caught.value)


def test_another_package_adds_a_provider_by_an_entry_point(plugins):
    plugins.append(Entry(ELSEWHERE))
    client = Client(provider="elsewhere")
    assert client.base_url == "https://elsewhere.example/v1"
    with pytest.raises(ConfigError, match="ELSEWHERE_API_KEY"):
        client.chat(model="m", messages=[])
    with pytest.raises(ConfigError, match="'elsewhere'"):
        gateway("nowhere")


def test_another_package_cannot_replace_a_provider_of_ours(plugins):
    plugins.append(Entry(ELSEWHERE.but(name="ark")))
    assert known()["ark"].base_url == "https://ark.cn-beijing.volces.com/api/v3"
    assert gateway("ark") is known()["ark"]


def test_a_copy_with_changes_leaves_the_original_alone():
    copy = ELSEWHERE.but(name="copy", base_url=None)
    assert (copy.name, copy.base_url, copy.key_env) == ("copy", None, ELSEWHERE.key_env)
    assert ELSEWHERE.name == "elsewhere"


@pytest.mark.parametrize("operation", sorted(ROUTES))
def test_ark_offers_every_operation(operation):
    assert route(gateway("ark"), operation) is ROUTES[operation]


def test_byteplus_lacks_only_the_tokenizer():
    """Shows R000-36."""
    assert ROUTES.keys() - gateway("byteplus").routes.keys() == {"tokenization.create"}
    assert gateway("byteplus-eu").routes == gateway("byteplus").routes


def test_an_operation_that_is_not_offered_names_who_offers_it(plugins):
    alone = {"only.here": Route("POST", "/here")}
    plugins.append(Entry(ELSEWHERE.but(routes=alone)))
    with pytest.raises(UnsupportedOperation) as caught:
        route(gateway("elsewhere"), "videos.create")
    error = caught.value
    assert "'elsewhere' does not offer videos.create; agentsflare, anyfast" in str(error)
    assert (error.gateway, error.operation) == ("elsewhere", "videos.create")
    assert error.message.endswith(" do")
    with pytest.raises(UnsupportedOperation) as caught:
        route(gateway("ark"), "only.here")
    assert caught.value.message.endswith("; elsewhere does")
    with pytest.raises(UnsupportedOperation, match="no known provider does"):
        route(gateway("elsewhere"), "nothing.ever")


def test_a_client_refuses_before_any_io(driver, monkeypatch):
    """No key is set and no connection could be made: neither is reached."""
    client = driver(provider="byteplus")
    with pytest.raises(UnsupportedOperation, match="ark"):
        client.tokenize(model="m", texts=["a"])
    client.finish()


def test_a_provider_without_an_address_asks_for_one(plugins, driver):
    plugins.append(Entry(ELSEWHERE.but(base_url=None)))
    client = driver(provider="elsewhere", api_key="k")
    with pytest.raises(ConfigError, match="pass base_url="):
        client.chat(model="m", messages=[])
    client.finish()


def test_the_dialect_of_a_gateway_applies_to_request_and_answer(plugins, make_client, emulator):
    def encode(body):
        return {**body, "model": body["model"].removeprefix("their-")}

    def decode(reply):
        assert reply.status == 200
        return reply

    ark = gateway("ark")
    chat = Route("POST", ROUTES["chat.create"].path, encode=encode, decode=decode)
    plugins.append(Entry(ark.but(name="dialect", routes={"chat.create": chat})))
    emulator.answer("hello")
    client = make_client(provider="dialect", base_url=emulator.base_url)
    answer = client.chat(
        model="their-doubao-seed-2-1-pro-260915", messages=[{"role": "user", "content": "hi"}]
    )
    assert answer.content == "hello"
    assert emulator.requests[-1].body["model"] == "doubao-seed-2-1-pro-260915"


@pytest.fixture
def listing(plugins, make_client, driver):
    """A client of a provider whose list has other names, and the URLs that it asks."""
    names = {"page_num": "page", "filter.status": "state"}
    listed = Route(
        "GET",
        "/films",
        query=lambda pairs: tuple((names.get(name, name), value) for name, value in pairs),
        lacks=frozenset({"filter.task_ids", "filter.status=expired"}),
    )
    plugins.append(Entry(ELSEWHERE.but(routes={"videos.list": listed})))
    asked = []

    def answer(request):
        asked.append(str(request.url))
        return httpx.Response(200, json={"items": [], "total": 0})

    injected = driver.http(transport=httpx.MockTransport(answer))
    return make_client(provider="elsewhere", http_client=injected), asked


def test_the_query_of_a_dialect_is_its_own(listing):
    client, asked = listing
    assert client.list_videos(page_num=2, status="queued").items == ()
    assert asked == ["https://elsewhere.example/v1/films?page=2&state=queued"]


@pytest.mark.parametrize(
    ("wanted", "lacking"),
    [
        ({"task_ids": ["cgt-1"]}, "filter.task_ids"),
        ({"status": "expired"}, "filter.status=expired"),
    ],
)
def test_a_filter_that_a_dialect_lacks_is_refused_before_anything_is_sent(listing, wanted, lacking):
    client, asked = listing
    with pytest.raises(UnsupportedOperation) as caught:
        client.list_videos(**wanted)
    assert f"'elsewhere' has nothing for {lacking} in videos.list" in str(caught.value)
    assert "ark" in str(caught.value)
    assert asked == []


def told(event):
    """A dialect whose events are a text, an end, or something that is nobody's business."""
    if "ping" in event:
        return None
    end = "stop" if event["end"] else None
    delta = {"content": event["text"]}
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": end}]}


@pytest.fixture
def streaming(plugins, make_client, emulator):
    """Stream by a provider whose events are in a dialect."""

    def stream(*events):
        path = ROUTES["chat.create"].path
        chat = Route("POST", path, event=told)
        plugins.append(Entry(gateway("ark").but(name="dialect", routes={"chat.create": chat})))
        emulator.answer(events=events)
        client = make_client(provider="dialect", base_url=emulator.base_url)
        messages = [{"role": "user", "content": "hi"}]
        return client.stream_chat(model="doubao-seed-2-1-pro-260915", messages=messages)

    return stream


def test_the_events_of_a_dialect_are_read_one_by_one(streaming):
    events = [
        {"text": "Hel", "end": False},
        {"ping": 1},
        b'data: {"text": "lo',
        b' \xe4\xbd\xa0", "end": true}\n\n',
        "[DONE]",
    ]
    deltas = list(streaming(*events))
    assert [delta.content for delta in deltas] == ["Hel", "lo 你"]
    assert [delta.finish_reason for delta in deltas] == [None, "stop"]


def test_a_stream_in_a_dialect_that_ends_early_keeps_what_came(streaming):
    """Its last event may lack its blank line, and still counts."""
    with pytest.raises(Truncated) as caught:
        list(streaming({"text": "Hel", "end": False}, b'data: {"text": "lo", "end": false}'))
    assert caught.value.partial == "Hello"


def test_an_event_that_is_not_of_the_dialect_is_told_to_the_reader_as_it_is(streaming):
    """So an error event is raised as such, after the text before it was given out."""
    error = {"error": {"code": "ServerOverloaded", "message": "Busy."}}
    stream = iter(streaming({"text": "Hel", "end": False}, error))
    assert next(stream).content == "Hel"
    with pytest.raises(RateLimited, match="Busy") as caught:
        next(stream)
    assert caught.value.partial == "Hel"


@pytest.mark.parametrize("status", [200, 404, 500])
def test_an_answer_that_is_not_of_the_dialect_is_one_of_our_errors(
    plugins, make_client, driver, status
):
    """A lost answer to a paid request is ambiguous; a refusal stays what it is."""

    def decode(reply):
        return replace(reply, body=json.dumps({"id": reply.json()["data"]["task"]}).encode())

    def answer(request):
        return httpx.Response(status, json={"error": {"code": "Odd", "message": "no"}})

    video = Route("POST", "/film", decode=decode)
    plugins.append(Entry(ELSEWHERE.but(routes={"videos.create": video})))
    injected = driver.http(transport=httpx.MockTransport(answer))
    client = make_client(provider="elsewhere", http_client=injected)
    kind = {200: AmbiguousSubmit, 404: NotFound, 500: ServerError}[status]
    with pytest.raises(kind) as caught:
        client.create_video(model="m", content=[{"type": "text", "text": "tea"}])
    assert type(caught.value) is kind
