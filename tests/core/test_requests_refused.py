"""What is refused before anything is sent, and what errors and pickles must not hold."""

from __future__ import annotations

import pickle

import pytest

from doubao_core import Client, ConfigError, ConnectionFailed, InvalidRequest, RateLimited
from doubao_core.errors import from_payload

CHAT = {"model": "doubao-seed-2-1-pro-260915", "messages": [{"role": "user", "content": "Hello"}]}


@pytest.mark.parametrize(
    ("option", "advice"),
    [
        ("temprature", "did you mean 'temperature'"),
        ("max_token", "did you mean 'max_tokens'"),
        ("timeout", "when you make the client"),
        ("api_key", "when you make the client"),
        ("reasoning", "did you mean 'reasoning_effort' or 'thinking'"),
        ("max_output_tokens", "did you mean 'max_tokens' or 'max_completion_tokens'"),
        ("stop_sequences", "did you mean 'stop'"),
        ("openai_api_key", "give api_key when you make the client"),
        ("api_base", "give base_url when you make the client"),
    ],
)
def test_a_misplaced_or_misspelt_option_is_never_sent(client, emulator, option, advice):
    with pytest.raises(ConfigError, match=advice):
        client.chat(**CHAT, **{option: 1})
    assert not emulator.requests


def test_a_field_that_is_newer_than_this_library_is_sent_as_it_is(client, emulator):
    client.chat(**CHAT, brand_new=1)
    assert emulator.requests[-1].body["brand_new"] == 1


def test_a_pickle_holds_neither_the_key_nor_headers_like_one():
    headers = {"X-Team": "search", "X-Api-Key": "sk-secret-1", "Authorization": "Bearer secret-2"}
    client = Client(
        provider="byteplus",
        api_key="sk-secret-3",
        base_url="http://127.0.0.1:9/api/v3",
        timeout=5,
        max_retries=0,
        default_headers=headers,
    )
    written = pickle.dumps(client)
    assert b"secret" not in written
    again = pickle.loads(written)  # noqa: S301 - our own bytes
    assert (again.provider, again.base_url) == ("byteplus", "http://127.0.0.1:9/api/v3")
    assert pickle.dumps(again) == written


def test_a_failed_connection_names_the_host():
    with (
        Client(api_key="sk-secret", base_url="http://127.0.0.1:9/api/v3", max_retries=0) as client,
        pytest.raises(ConnectionFailed, match=r"127\.0\.0\.1:9"),
    ):
        client.chat(**CHAT)


def test_an_error_without_a_status_is_read_by_its_type():
    assert type(from_payload({"code": "New", "message": "m", "type": "TooManyRequests"})) is (
        RateLimited
    )
    assert type(from_payload({"code": "New", "message": "m"})) is InvalidRequest


def test_a_wait_that_is_no_number_is_refused(client, emulator):
    with pytest.raises(ConfigError, match="wait_timeout"):
        list(client.watch_video("cgt-1", wait_timeout=float("nan")))
    assert not emulator.requests
