"""A base URL with a wrong path: refused where that is certain, else explained by the 404."""

from __future__ import annotations

import httpx
import pytest

from doubao_core import ConfigError, DoubaoError, NotFound

CHAT = {"model": "doubao-seed-2-1-pro-260915", "messages": [{"role": "user", "content": "Hello"}]}
FILM = {
    "model": "doubao-seedance-2-0-260128",
    "content": [{"type": "text", "text": "Fog over a tea garden"}],
}
ARK = "https://ark.cn-beijing.volces.com"
CALLS = {
    "chat": lambda client: client.chat(**CHAT),
    "stream": lambda client: list(client.stream_chat(**CHAT)),
    "film": lambda client: client.create_video(**FILM),
    "list": lambda client: client.list_models(),
}


@pytest.fixture
def origin(emulator):
    """Where the emulator is, without any path."""
    return emulator.base_url.removesuffix("/api/v3")


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("", "base_url has no path, and"),
        ("/", "base_url has no path, and"),
        ("/api", "base_url has the path '/api', and"),
        ("/v1", "base_url has the path '/v1', and"),
        ("/api/v3/api/v3", "base_url has the path '/api/v3/api/v3', and"),
    ],
)
@pytest.mark.parametrize("provider", ["ark", "emulator"])
def test_a_path_that_is_not_found_is_explained(make_client, origin, provider, path, shown, call):
    with pytest.raises(NotFound) as caught:
        call(make_client(provider=provider, base_url=origin + path))
    assert shown in str(caught.value)
    assert f"provider {provider!r} has the path '/api/v3' there, so change base_url" in str(
        caught.value
    )
    assert (caught.value.status, caught.value.code) == (404, "NotFound.Path")


def test_the_path_that_was_appended_is_named(make_client, origin):
    with pytest.raises(NotFound, match="'/chat/completions' was appended to it"):
        CALLS["chat"](make_client(base_url=origin))


@pytest.mark.parametrize("slashes", ["/", "//"])
def test_slashes_at_the_end_do_no_harm(make_client, emulator, slashes):
    CALLS["chat"](make_client(base_url=emulator.base_url + slashes))
    assert emulator.requests[-1].path == "/api/v3/chat/completions"


@pytest.mark.parametrize(
    "route", ["/chat/completions", "/contents/generations/tasks", "/embeddings/multimodal"]
)
@pytest.mark.parametrize("provider", ["ark", "byteplus", "emulator"])
def test_a_whole_address_of_an_operation_is_refused_before_anything_is_sent(
    make_client, emulator, provider, route
):
    with pytest.raises(ConfigError, match=f"ends with '{route}'.*leave that out"):
        make_client(provider=provider, base_url=f"{emulator.base_url}{route}/")


@pytest.mark.parametrize("provider", ["ark", "openai-compatible"])
@pytest.mark.parametrize("path", ["", "/", "/api", "/api/", "/api/v3/api/v3", "/api/v3/api/v3/"])
def test_at_arks_own_hosts_a_wrong_path_is_refused_before_anything_is_sent(
    make_client, provider, path
):
    with pytest.raises(ConfigError, match=r"at ark\.cn-beijing\.volces\.com it must be '/api/v3'"):
        make_client(provider=provider, base_url=ARK + path)


@pytest.mark.parametrize("path", ["/api/v3", "/api/v3/", "/api/coding/v3", "/api/v4"])
def test_other_paths_of_arks_hosts_are_not_judged(make_client, path):
    assert make_client(base_url=ARK + path).base_url == (ARK + path).rstrip("/")


def test_of_services_behind_a_verbatim_address_nothing_is_refused_and_the_404_is_explained(
    make_client, emulator
):
    whole = f"{emulator.base_url_of('openai-compatible')}/chat/completions"
    client = make_client(provider="openai-compatible", base_url=whole)
    with pytest.raises(NotFound, match="print before '/chat/completions'") as caught:
        CALLS["chat"](client)
    assert "/chat/completions', and '/chat/completions' was appended" in caught.value.message
    assert emulator.requests[-1].path.endswith("/chat/completions/chat/completions")


@pytest.mark.parametrize(
    "answer",
    [
        {"status_code": 404, "text": "<html>404 Not Found</html>"},
        {"status_code": 404, "text": "404 page not found"},
        {"status_code": 404, "json": {"detail": "Not Found"}},
        {"status_code": 405, "text": "<html>405 Not Allowed</html>"},
    ],
    ids=["html", "text", "framework", "method"],
)
@pytest.mark.parametrize("call", [CALLS["chat"], CALLS["stream"]], ids=["chat", "stream"])
def test_what_web_servers_answer_by_themselves_is_explained(at_gateway, answer, call):
    client = at_gateway(
        "xroute",
        lambda request: httpx.Response(**answer),
        base_url="https://api.xroute.ai/openai/v1/v1",
    )
    with pytest.raises(DoubaoError, match="'xroute' has the path '/openai/v1' there"):
        call(client)


def test_a_model_that_is_not_found_has_nothing_to_do_with_the_address(at_gateway):
    told = {"error": {"code": "model_not_found", "message": "The model 'x' does not exist"}}
    client = at_gateway(
        "openai-compatible",
        lambda request: httpx.Response(404, json=told),
        base_url="https://llm.example/v1",
    )
    with pytest.raises(NotFound) as caught:
        CALLS["chat"](client)
    assert caught.value.message == "The model 'x' does not exist"


def test_a_task_that_is_not_found_has_nothing_to_do_with_the_address(at_gateway):
    client = at_gateway(
        "byteplus", lambda request: httpx.Response(404), base_url="https://proxy.example/ark"
    )
    with pytest.raises(NotFound) as caught:
        client.get_video("cgt-20260717171624-cr2n9")
    assert "base_url" not in caught.value.message


def test_at_the_providers_own_path_nothing_is_guessed(at_gateway):
    client = at_gateway("ark", lambda request: httpx.Response(404))
    with pytest.raises(NotFound) as caught:
        CALLS["chat"](client)
    assert "base_url" not in caught.value.message


@pytest.mark.parametrize("url", [f" {ARK}/api/v3", f"{ARK}/api/v3 ", f"{ARK}/api /v3"])
def test_blanks_in_a_base_url_are_refused(make_client, url):
    with pytest.raises(ConfigError, match="without a query, blanks"):
        make_client(base_url=url)
