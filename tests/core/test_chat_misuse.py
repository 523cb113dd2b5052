"""What newcomers write when they call the core's client, and are told before anything is sent."""

from __future__ import annotations

import pytest

from doubao_core import ConfigError

MODEL = "doubao-seed-2-1-pro-260915"
HELLO = [{"role": "user", "content": "Hello"}]


@pytest.mark.parametrize("model", [MODEL, "ep-20260101000000-abcde"])
@pytest.mark.parametrize(
    ("messages", "named"),
    [
        ("Hello", "not a str"),
        ([("user", "Hello")], "not a tuple"),
        ([*HELLO, "Hello"], "not a str"),
        (HELLO[0], "not a str"),
    ],
    ids=["text", "pair", "text in a list", "one message"],
)
def test_messages_of_another_form_are_refused_with_an_example(
    client, emulator, model, messages, named
):
    for ask in (client.chat, client.stream_chat):
        with pytest.raises(ConfigError, match=named) as caught:
            list(ask(model=model, messages=messages))
        assert '{"role": "user", "content": "Hello"}' in str(caught.value)
        assert caught.value.param == "messages"
    assert not emulator.requests


@pytest.mark.parametrize("stream", [True, False])
def test_stream_is_another_method_and_not_an_option_that_would_be_paid_and_not_read(
    client, emulator, stream
):
    with pytest.raises(ConfigError, match="call stream_chat, or chat"):
        client.chat(model=MODEL, messages=HELLO, stream=stream)
    assert not emulator.requests
