"""The sans-IO vocabulary: ids, bodies, replies, and one declaration as two methods."""

from __future__ import annotations

import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubao_core import AsyncClient, Client, ConfigError, Malformed
from doubao_core.operation import Operation, Reply, Send, body, expand, identifier, json_object

ROUTE = "/contents/generations/tasks/{task_id}"

HOSTILE = [
    "",
    ".",
    "..",
    "../files",
    "a/b",
    "a/../../models",
    "..%2f..%2fmodels",
    "%2e%2e",
    "a?x=1",
    "a#b",
    "a b",
    "a\n",
    "a\r\nX: y",
    "a\x00",
    "\\..\\",
    "/etc/passwd",
    "http://elsewhere",
    "-rf",
    "a" * 257,
    "id;drop",
    "é",
    "a\u2028b",
    None,
    7,
    b"bytes",
]


@pytest.mark.parametrize("value", HOSTILE)
def test_what_cannot_be_an_id_is_refused_and_named(value):
    with pytest.raises(ConfigError, match="task_id is not an id"):
        identifier("task_id", value)
    with pytest.raises(ConfigError):
        expand(ROUTE, {"task_id": value})


@pytest.mark.parametrize(
    "value", ["cgt-20261008171624-cr2n9", "file_1", "a", "urn:x@y.z", "A" * 256]
)
def test_ids_of_every_known_form_are_taken(value):
    assert identifier("task_id", value) is value


def test_an_id_is_percent_encoded_in_the_path():
    assert expand(ROUTE, {"task_id": "a:b@c"}) == "/contents/generations/tasks/a%3Ab%40c"


@given(st.text(max_size=40))
def test_no_id_leads_out_of_its_place_in_the_path(value):
    try:
        path = expand(ROUTE, {"task_id": value})
    except ConfigError:
        return
    head, _, last = path.rpartition("/")
    assert head == "/contents/generations/tasks"
    assert last not in {"", ".", ".."}
    assert not set(last) & set("?#/\\ \r\n")


def test_a_huge_hostile_id_does_not_flood_the_error():
    with pytest.raises(ConfigError) as caught:
        identifier("task_id", "/" * 100_000)
    assert len(str(caught.value)) < 300


def test_a_body_has_no_nulls_and_extra_fields_win():
    options = {"temperature": None, "top_p": 0.5, "extra_body": {"top_p": 0.9, "new_field": 1}}
    assert body({"model": "m", "stream": None}, options) == {
        "model": "m",
        "top_p": 0.9,
        "new_field": 1,
    }


def test_extra_body_can_take_a_field_out():
    assert body({"model": "m"}, {"user": "u", "extra_body": {"user": None}}) == {"model": "m"}


def test_building_a_body_leaves_the_callers_options_alone():
    options = {"extra_body": {"a": 1}, "user": None}
    body({}, options)
    assert options == {"extra_body": {"a": 1}, "user": None}


@pytest.mark.parametrize("data", [b"", b"[1]", b"null", b"7", b'"x"', b"{", b"\xff", b"<html>"])
def test_an_answer_that_is_no_json_object_is_malformed(data):
    with pytest.raises(Malformed):
        json_object(data)
    with pytest.raises(Malformed):
        Reply(status=200, headers={}, body=data).json()


def test_a_send_knows_what_it_wanted():
    send = Send(operation="images.create", body={"prompt": "cat"})
    assert send.intent == {"operation": "images.create", "body": {"prompt": "cat"}}


@pytest.mark.parametrize("owner", [Client, AsyncClient])
def test_an_operation_can_be_looked_at_on_the_class(owner):
    """``help(Client)``, ``inspect`` and autospec all do it."""
    assert isinstance(owner.chat, Operation)
    assert "Ask a chat model" in owner.chat.__doc__
    assert {"chat", "stream_chat", "watch_video"} <= dict(inspect.getmembers(owner)).keys()


def test_a_method_carries_the_name_and_text_of_its_declaration():
    client = Client(provider="emulator")
    assert client.chat.__name__ == "chat"
    assert client.get_video.__doc__.startswith("Look a task up")
    assert "task_id" in inspect.signature(client.get_video).parameters
