"""What a client is told, and where each setting may come from."""

from __future__ import annotations

import copy
import math
import pickle

import pytest
from pydantic import SecretStr

from doubao_core import ApiKey, AsyncClient, Client, ConfigError
from doubao_core.gateways import gateway

pytestmark = pytest.mark.parametrize("made", [Client, AsyncClient])


def sent_key(client):
    return client._settings.key.resolve(client._settings.gateway)


def test_ark_is_the_default(made):
    client = made()
    assert client.provider == "ark"
    assert client.base_url == "https://ark.cn-beijing.volces.com/api/v3"
    assert (client._settings.timeout, client._settings.max_retries) == (600.0, 2)


def test_an_argument_wins_over_the_environment_and_that_over_the_provider(made, monkeypatch):
    """Shows R000-27."""
    assert made(provider="byteplus").base_url == "https://ark.ap-southeast.bytepluses.com/api/v3"
    monkeypatch.setenv("DOUBAO_PROVIDER", "byteplus-eu")
    assert made().base_url == "https://ark.eu-west.bytepluses.com/api/v3"
    assert made(provider="ark").provider == "ark"
    monkeypatch.setenv("DOUBAO_BASE_URL", "http://127.0.0.1:1/api/v3")
    assert made().base_url == "http://127.0.0.1:1/api/v3"
    assert made(base_url="http://127.0.0.1:2/x/").base_url == "http://127.0.0.1:2/x"


def test_empty_variables_are_as_good_as_none(made, monkeypatch):
    monkeypatch.setenv("DOUBAO_PROVIDER", "")
    monkeypatch.setenv("DOUBAO_BASE_URL", "")
    assert made().base_url == made(provider="ark").base_url


def test_a_missing_key_is_reported_by_name_and_only_when_it_is_needed(made):
    client = made(provider="byteplus")
    with pytest.raises(ConfigError) as caught:
        sent_key(client)
    text = str(caught.value)
    assert "set BYTEPLUS_API_KEY or ARK_API_KEY" in text
    assert 'provider="emulator"' in text


def test_the_providers_variables_are_tried_in_their_order(made, monkeypatch):
    monkeypatch.setenv("ARK_API_KEY", "ark-key")
    assert sent_key(made(provider="byteplus")) == "ark-key"
    monkeypatch.setenv("BYTEPLUS_API_KEY", "byteplus-key")
    assert sent_key(made(provider="byteplus")) == "byteplus-key"
    assert sent_key(made(provider="ark")) == "ark-key"
    assert sent_key(made(provider="ark", api_key="mine")) == "mine"


def test_no_other_vendors_variable_is_ever_used(made, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "openai-key")
    monkeypatch.setenv("BYTEPLUS_API_KEY", "byteplus-key")
    with pytest.raises(ConfigError):
        sent_key(made(provider="ark"))


def test_the_emulator_needs_no_key(made):
    assert sent_key(made(provider="emulator"))


def test_the_environment_is_read_for_each_request(made, monkeypatch):
    """Shows R000-22."""
    client = made()
    monkeypatch.setenv("ARK_API_KEY", "one")
    assert sent_key(client) == "one"
    monkeypatch.setenv("ARK_API_KEY", "two")
    assert sent_key(client) == "two"


def test_a_callable_is_asked_each_time(made):
    """Shows R000-24, R004-45."""
    keys = iter(["one", SecretStr("two")])
    client = made(api_key=lambda: next(keys))
    assert [sent_key(client), sent_key(client)] == ["one", "two"]


@pytest.mark.parametrize("source", ["plain", SecretStr("plain"), ApiKey("plain"), " plain\n"])
def test_every_form_of_key_is_taken_without_the_blanks_around_it(made, source):
    """Shows R000-26."""
    assert sent_key(made(api_key=source)) == "plain"


@pytest.mark.parametrize("bad", ["", "  ", "a\nb", "a\r\nX-Evil: 1", "schlüssel", "a\x00b", "\x7f"])
def test_a_key_that_no_header_can_carry_is_refused_without_showing_it(made, bad):
    with pytest.raises(ConfigError) as caught:
        sent_key(made(api_key=bad))
    assert not bad.strip() or bad.strip() not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"provider": "openai"}, "unknown provider 'openai'; known are 'agentsflare', 'anyfast'"),
        ({"base_url": "ark.example/api"}, "must start with https"),
        ({"base_url": "ftp://h/"}, "must start with https"),
        ({"base_url": "http://"}, "must start with https"),
        ({"base_url": "http://[::1"}, "is not a URL"),
        ({"base_url": "http://h/api?x=1"}, "plain address"),
        ({"base_url": "http://h/api#x"}, "plain address"),
        ({"base_url": "http://h/a b\n"}, "plain address"),
        ({"base_url": "http://user:pw@h/api"}, "must not hold a user name"),
        ({"timeout": 0}, "timeout must be more than 0"),
        ({"timeout": -1.5}, "timeout must be more than 0"),
        ({"timeout": math.nan}, "timeout must be more than 0"),
        ({"timeout": math.inf}, "finite"),
        ({"timeout": "60"}, "a finite number of seconds, not '60'"),
        ({"max_retries": -1}, "max_retries must be 0 or more"),
        ({"max_retries": "3"}, "a whole number, not '3'"),
        ({"default_headers": {"X": "a\r\nb"}}, "'X' cannot be sent"),
        ({"default_headers": {"X": "ü"}}, "'X' cannot be sent"),
        ({"default_headers": {"X": 5}}, "'X' cannot be sent"),
        ({"default_headers": {"X": " a"}}, "'X' cannot be sent"),
        ({"default_headers": {"X Y": "a"}}, "'X Y' cannot be sent"),
        ({"default_headers": {"": "a"}}, "'' cannot be sent"),
    ],
)
def test_a_wrong_argument_is_refused_when_the_client_is_made(made, arguments, text):
    with pytest.raises(ConfigError) as caught:
        made(**arguments)
    assert text in str(caught.value)
    assert "pw" not in str(caught.value)


def test_a_key_shows_itself_nowhere(made, key):
    client = made(api_key=key, default_headers={"X-Secret": "header-secret"})
    shown = f"{client} {client!r} {client._settings!r} {client._settings.key} {vars(client)}"
    assert key not in shown
    assert "header-secret" not in shown
    assert repr(client) == (
        f"{made.__name__}(provider='ark', base_url='https://ark.cn-beijing.volces.com/api/v3')"
    )


def test_a_deep_copy_keeps_the_key_and_a_pickle_drops_it(made, key, monkeypatch):
    client = made(api_key=key, timeout=7, max_retries=5, default_headers={"X": "1"})
    for twin in (copy.copy(client), copy.deepcopy(client)):
        assert sent_key(twin) == key
        assert twin._settings == client._settings
        assert twin is not client
    data = pickle.dumps(client)
    assert key.encode() not in data
    # What is loaded was dumped here.
    twin = pickle.loads(data)  # noqa: S301
    assert type(twin) is made
    assert (twin._settings.timeout, twin._policy.max_retries) == (7.0, 5)
    with pytest.raises(ConfigError, match="no API key"):
        sent_key(twin)
    monkeypatch.setenv("ARK_API_KEY", "from-the-environment")
    assert sent_key(twin) == "from-the-environment"


def test_a_bare_key_object_is_as_careful(made, key):
    secret = ApiKey(key)
    assert repr(secret) == str(secret) == "ApiKey('**********')"
    assert repr(ApiKey()) == "ApiKey()"
    assert key.encode() not in pickle.dumps(secret)
    assert copy.deepcopy(secret).resolve(gateway("ark")) == key
    assert copy.copy(secret).resolve(gateway("ark")) == key


def test_a_client_with_an_injected_http_client_cannot_be_pickled(made):
    injected = object()
    client = made(http_client=injected)
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(client)
    assert copy.deepcopy(client)._http_client is injected


def test_arguments_are_keywords_only(made):
    with pytest.raises(TypeError):
        made("ark")


@pytest.mark.parametrize("given", [None, 5, b"sk-1"])
def test_a_callable_that_gives_no_key_is_refused_and_replaced_by_none(made, monkeypatch, given):
    """The key of the environment may be billed to somebody else."""
    monkeypatch.setenv("ARK_API_KEY", "from-the-environment")
    with pytest.raises(ConfigError, match="api_key gave"):
        sent_key(made(api_key=lambda: given))
