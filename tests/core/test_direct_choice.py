"""Which requests go over connections of our own, and which through httpx."""

from __future__ import annotations

import functools
import json
import sys
from types import ModuleType

import httpcore
import httpx
import pytest

from doubao_core import ConfigError
from doubao_core.pools import KEEP_ALIVE_SECONDS, environment_proxy
from doubao_core.request import Request
from doubao_core.transport import direct

CHAT = {"model": "doubao-seed-2-1-pro-260915", "messages": [{"role": "user", "content": "Hello"}]}
BODY = json.dumps(
    {"choices": [{"index": 0, "finish_reason": "stop", "message": {"content": "Hi."}}]}
).encode()
OK = b"HTTP/1.1 200 OK\r\n"
COUNTED = OK + b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY)


def seen_by_httpx(monkeypatch, serve, make_client, **options):
    """Say whether httpx is what a call is sent with."""
    seen = []
    for kind, method in (
        (httpcore.HTTPConnection, "handle_request"),
        (httpcore.AsyncHTTPConnection, "handle_async_request"),
    ):
        original = getattr(kind, method)

        def spy(self, request, original=original):
            seen.append(request)
            return original(self, request)

        monkeypatch.setattr(kind, method, spy)
    server = serve(COUNTED)
    options = {"base_url": server.base_url, **options}
    assert make_client(**options).chat(**CHAT).content == "Hi."
    return bool(seen)


def test_a_plain_request_does_without_httpx(monkeypatch, serve, make_client):
    assert not seen_by_httpx(monkeypatch, serve, make_client)


def test_one_variable_of_the_environment_sends_everything_through_httpx(
    monkeypatch, serve, make_client
):
    """For who cannot get at the client, and needs httpx below it for whatever reason."""
    monkeypatch.setenv("DOUBAO_TRANSPORT", "httpx")
    assert seen_by_httpx(monkeypatch, serve, make_client)


def test_another_value_of_that_variable_is_a_mistake_that_is_told(monkeypatch, make_client):
    monkeypatch.setenv("DOUBAO_TRANSPORT", "htpx")
    with pytest.raises(ConfigError, match="DOUBAO_TRANSPORT is 'htpx'"):
        make_client(base_url="http://127.0.0.1:9/api/v3").chat(**CHAT)


@pytest.mark.parametrize(
    "headers", [{"Host": "other"}, {"Connection": "close"}, {"Expect": "100-continue"}]
)
def test_unusual_headers_are_left_to_httpx(monkeypatch, serve, make_client, headers):
    assert seen_by_httpx(monkeypatch, serve, make_client, default_headers=headers)


@pytest.mark.parametrize(
    ("kind", "method"),
    [
        (httpx.HTTPTransport, "handle_request"),
        (httpx.AsyncHTTPTransport, "handle_async_request"),
        (httpcore.ConnectionPool, "handle_request"),
        (httpcore.AsyncConnectionPool, "handle_async_request"),
    ],
)
def test_who_stands_in_the_place_of_httpx_sees_our_requests(
    monkeypatch, serve, driver, make_client, kind, method
):
    """Recorders, mocks and tracers replace these functions."""
    original, seen = getattr(kind, method), []

    @functools.wraps(original)
    def replaced(self, request):
        seen.append(request.method)
        return original(self, request)

    server = serve(COUNTED)
    client = make_client(base_url=server.base_url)
    client.chat(**CHAT)
    monkeypatch.setattr(kind, method, replaced)
    client.chat(**CHAT)
    monkeypatch.undo()
    client.chat(**CHAT)
    is_async = method == "handle_async_request"
    assert len(seen) == (is_async == (driver.http is httpx.AsyncClient))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://h/a", (("http", "h", 80), "h", "/a")),
        ("https://h.example/a?b=c%20d", (("https", "h.example", 443), "h.example", "/a?b=c%20d")),
        ("https://h:443/a", (("https", "h", 443), "h", "/a")),
        ("http://h:443/a", (("http", "h", 443), "h:443", "/a")),
        ("http://[::1]:80/a", (("http", "::1", 80), "[::1]", "/a")),
        ("http://[::1]:8080/a", (("http", "::1", 8080), "[::1]:8080", "/a")),
        ("http://127.0.0.1:9/", (("http", "127.0.0.1", 9), "127.0.0.1:9", "/")),
        *[
            (unusual, None)
            for unusual in (
                *("http://h", "http://H/a", "HTTP://h/a", "http://u@h/a", "http://h/a b"),
                *("http://h/a/../b", "http://h/a#b", "http://h:0/a", "http://h:70000/a"),
                *("ftp://h/a", "http://h/a\r\nX: y", "http:///a", "http://h/ü", "http://h_x/a"),
            )
        ],
    ],
)
def test_only_a_url_that_cannot_be_misread_is_plain(url, expected):
    found = direct.target(url)
    assert expected == (found and (found.origin, found.authority, found.path))
    if found:
        parsed = httpx.URL(url)
        assert (parsed.host, parsed.raw_path.decode()) == (found.origin[1], found.path)
        assert parsed.netloc.decode() == found.authority


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        (None, KEEP_ALIVE_SECONDS),
        ("timeout=5", 4.0),
        ("max=100, Timeout = 5", 4.0),
        ("timeout=0", -1.0),
        ("timeout=3600", KEEP_ALIVE_SECONDS),
        ("max=100", KEEP_ALIVE_SECONDS),
        ("timeout=soon", KEEP_ALIVE_SECONDS),
    ],
)
def test_an_idle_connection_is_used_no_longer_than_the_server_says(said, seconds):
    assert direct.seconds_kept({} if said is None else {"keep-alive": said}) == seconds


def test_the_environment_is_asked_for_a_proxy_once(monkeypatch):
    asked = []
    monkeypatch.setattr(direct, "environment_proxy", lambda url: asked.append(url.host))
    plain = direct.Plain()
    request = Request(method="GET", url="http://h/a", headers={})
    assert plain.target(request) is plain.target(request)
    assert asked == ["h"]


def test_half_an_imported_httpcore_is_not_taken_for_a_watcher(monkeypatch):
    """As another thread sees it while the first one imports it."""
    monkeypatch.setitem(sys.modules, "httpcore", ModuleType("httpcore"))
    assert not direct.is_watched(httpx.HTTPTransport.handle_request, "ConnectionPool")


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("http://ark.example/x", "http://proxy.example:1"),
        ("https://ark.example/x", "http://secure.example:2"),
        ("http://inner.example/x", None),
        ("http://deep.inner.example/x", None),
        ("http://port.example:8080/x", None),
        ("http://port.example:8081/x", "http://proxy.example:1"),
        ("http://[fd00::1]/x", None),
        ("http://[fd00::2]:8080/x", "http://proxy.example:1"),
        ("http://127.0.0.1:80/x", None),
    ],
)
def test_the_environment_says_which_host_has_which_proxy(monkeypatch, url, proxy):
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:1")
    monkeypatch.setenv("HTTPS_PROXY", "secure.example:2")
    monkeypatch.setenv("NO_PROXY", "inner.example, port.example:8080, fd00::1")
    assert environment_proxy(httpx.URL(url)) == proxy
