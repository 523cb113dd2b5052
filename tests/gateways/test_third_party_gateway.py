"""A gateway of another package, found by its entry point: all of a dialect, over HTTP."""

from __future__ import annotations

import importlib.metadata
import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from doubao_core import (
    ConfigError,
    ContentRejected,
    InvalidRequest,
    ProfileWarning,
    UnsupportedOperation,
    gateways,
)
from doubao_core.errors import from_payload
from doubao_core.gateways import Gateway, Route, key_header
from doubao_core.gateways.limits import Limit
from langchain_doubao import ChatDoubao
from llamaindex_doubao import Doubao

HELLO = [{"role": "user", "content": "hi"}]


def encode(body):
    said = {"ask": body["messages"][-1]["content"], "kind": body["model"]}
    return {**said, **({"flow": True} if body.get("stream") else {})}


def answer(text, end):
    choice = {"index": 0, "finish_reason": end}
    return choice, {"role": "assistant", "content": text}


def decode(reply):
    said = reply.json()
    choice, message = answer(said["told"], "stop")
    whole = {"id": "1", "model": "theirs", "choices": [{**choice, "message": message}]}
    return replace(reply, body=json.dumps({**whole, "native": said}).encode())


def event(said):
    if "oops" in said:
        # Its own failure reads it.
        return {"error": said["oops"]}
    choice, delta = answer(said["bit"], "stop" if said["end"] else None)
    return {"choices": [{**choice, "delta": delta}]}


def failure(reply):
    said = reply.json()
    told = said.get("oops") or said.get("error")
    if not told:
        return None
    kinds = {"naughty": ContentRejected}
    return from_payload(told, status=reply.status, headers=reply.headers, kinds=kinds)


THEIRS = Gateway(
    name="theirs",
    title="Somebody's",
    base_url="https://theirs.example",
    key_env=("THEIRS_API_KEY",),
    routes={
        "chat.create": Route(
            "POST",
            "/talk",
            encode=encode,
            decode=decode,
            event=event,
            lacks=frozenset({"top_p"}),
            limits={"ask": Limit(high=5)},
        )
    },
    auth=key_header,
    failure=failure,
)


@pytest.fixture
def installed(monkeypatch):
    """Install entry points for the time of a test."""
    entries = []

    def entry_points(*, group):
        return entries if group == "doubao.gateways" else []

    def install(name, load):
        entries.append(SimpleNamespace(name=name, load=load))

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    gateways.known.cache_clear()
    yield install
    gateways.known.cache_clear()


@pytest.fixture
def theirs(installed, gate):
    installed("theirs", lambda: THEIRS)
    return gate.settings("theirs")


def chat(**fields):
    return lambda client: client.chat(**{"model": "m", "messages": HELLO, **fields})


def stream(client):
    return client.stream_chat(model="m", messages=HELLO)


def events(gate, *said):
    lines = b"".join(b"data: %s\n\n" % json.dumps(each).encode() for each in said)
    head = {"Content-Type": "text/event-stream"}
    gate.answers.append((200, head, lines + b"data: [DONE]\n\n"))


def test_a_chat_in_their_words(ask, gate, theirs):
    gate.answer({"told": "Hello."})
    said = ask(theirs, chat())
    assert (said.content, said.raw["native"]) == ("Hello.", {"told": "Hello."})
    (asked,) = gate.asked
    assert (asked.path, asked.body) == ("/talk", {"ask": "hi", "kind": "m"})
    assert (asked.headers["x-api-key"], "authorization" in asked.headers) == ("k-0123456789", False)


async def test_both_frameworks_talk_to_it(gate, theirs):
    for _ in range(2):
        gate.answer({"told": "Hello."})
    assert (await ChatDoubao(model="m", **theirs).ainvoke("hi")).content == "Hello."
    assert Doubao(model="m", **theirs).complete("hi").text == "Hello."


def test_a_stream_in_their_words(ask, gate, theirs):
    events(gate, {"bit": "Hel", "end": False}, {"bit": "lo", "end": True})
    deltas = ask(theirs, stream)
    assert [(each.content, each.finish_reason) for each in deltas] == [
        ("Hel", None),
        ("lo", "stop"),
    ]
    assert gate.asked[-1].body["flow"] is True


def test_an_error_in_a_stream_is_of_the_class_that_they_say(ask, gate, theirs):
    oops = {"code": "naughty", "message": "Not that."}
    events(gate, {"bit": "Hel", "end": False}, {"oops": oops})
    with pytest.raises(ContentRejected, match="Not that") as caught:
        ask(theirs, stream)
    assert (caught.value.partial, caught.value.gateway, caught.value.status) == (
        *("Hel", "theirs"),
        None,
    )


@pytest.mark.parametrize("status", [200, 400, 503])
def test_a_failure_in_their_words_is_one_of_ours(ask, gate, theirs, status):
    gate.answer({"oops": {"code": "naughty", "message": "Not that."}}, status)
    with pytest.raises(ContentRejected, match="Not that"):
        ask(theirs, chat())


def test_what_it_lacks_is_refused_and_what_it_limits_is_warned_of(ask, gate, theirs):
    with pytest.raises(UnsupportedOperation, match=r"'theirs' has nothing for top_p .* ark,"):
        ask(theirs, chat(top_p=0.5))
    with pytest.raises(UnsupportedOperation, match=r"'theirs' does not offer images.create"):
        ask(theirs, lambda client: client.create_images(model="m", prompt="tea"))
    assert gate.asked == []
    gate.answer({"error": {"code": "long", "message": "Too long."}}, 400)
    with pytest.warns(ProfileWarning, match="ask has 6"), pytest.raises(InvalidRequest):
        ask(theirs, chat(messages=[{"role": "user", "content": "longer"}]))


def test_an_encoder_that_cannot_read_the_request_is_an_error_of_ours(ask, gate, theirs):
    with pytest.raises(ConfigError, match=r"chat\.create has another shape than Ark's"):
        ask(theirs, chat(messages=[{"role": "user"}]))
    assert gate.asked == []


def missing():
    raise ImportError("No module named 'theirs_sdk'")


@pytest.mark.parametrize("load", [missing, lambda: object, lambda: None])
def test_a_package_that_is_broken_is_told_of_and_stops_nobody_else(
    ask, gate, installed, caplog, load
):
    installed("broken", load)
    installed("theirs", lambda: THEIRS)
    gate.answer({"told": "Hello."})
    assert ask(gate.settings("theirs"), chat()).content == "Hello."
    with pytest.raises(UnsupportedOperation, match=r"does not offer images.create; agentsflare,"):
        ask(gate.settings("theirs"), lambda client: client.create_images(model="m", prompt="tea"))
    assert "provider 'broken' of another package" in caplog.text
    with pytest.raises(ConfigError, match="provider 'broken' of another package"):
        ask(gate.settings("broken"), chat())


def test_nobody_takes_the_name_of_a_provider_of_ours(ask, gate, installed):
    """R000-25: or any package could have its users' keys sent elsewhere."""
    installed("xroute", lambda: THEIRS.but(name="xroute"))
    gate.answer({"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi."}}]})
    ask(gate.settings("xroute"), chat())
    assert gate.asked[-1].path == "/chat/completions"
