"""What may be downloaded: the guard of a result's URL, its redirects and its size."""

from __future__ import annotations

import pytest

from doubao_core import (
    ConfigError,
    ConnectionFailed,
    DoubaoError,
    Malformed,
    NotFound,
    PermissionDenied,
    ResponseError,
    ServerError,
    Timeout,
    TooLarge,
    Truncated,
)
from doubao_core.media import Fetch, resolve

API = "http://127.0.0.1:8765/api/v3"
URL = "https://tos.example/a.mp4?sig=SECRET"


def fetch(url=URL, api=API, most=1000):
    return Fetch(url, api, most)


@pytest.mark.parametrize(
    "url",
    [
        "http://tos.example/a.mp4",
        "file:///etc/passwd",
        "ftp://tos.example/a",
        "data:image/png;base64,AAAA",
        "asset://a",
        "//tos.example/a",
        "tos.example/a",
        "https://",
        "https://[::1",
        "",
        "http://127.0.0.1:9999/other-port",
        "http://localhost:8765/other-name",
    ],
)
def test_only_https_or_the_apis_own_host_is_fetched(url):
    with pytest.raises(ConfigError, match="will not download"):
        fetch(url)


def unknown(host):
    raise AssertionError(f"{host} was looked up")


def test_the_apis_own_origin_may_be_private_and_plain():
    """This is how the local emulator serves its files."""
    own = fetch("http://127.0.0.1:8765/media/a.mp4")
    assert own.addresses(unknown) == ()
    assert own.host == "127.0.0.1"


@pytest.mark.parametrize(
    ("url", "api"),
    [
        ("https://API.example/a", "https://api.example:443/v3"),
        ("https://api.example:443/a", "https://api.example/v3"),
    ],
)
def test_an_origin_is_the_same_however_it_is_written(url, api):
    assert fetch(url, api).addresses(unknown) == ()


@pytest.mark.parametrize(
    "url", ["http://api.example/a", "http://api.example:443/a", "https://api.example:8443/a"]
)
def test_the_apis_host_with_another_scheme_or_port_is_another_origin(url):
    with pytest.raises(ConfigError, match="will not download"):
        fetch(url, "https://api.example/v3")


def test_without_an_api_nothing_is_trusted():
    with pytest.raises(ConfigError):
        fetch("http://127.0.0.1:8765/media/a.mp4", api=None)


def answer(*addresses):
    """Make a name server that knows one answer."""
    return lambda _host: list(addresses)


def test_a_private_address_is_refused_even_among_public_ones():
    for addresses in (["10.0.0.1", "8.8.8.8"], ["8.8.8.8", "10.0.0.1"], []):
        with pytest.raises(ConfigError, match="its address is not public"):
            fetch().addresses(answer(*addresses))


def test_public_addresses_are_those_to_connect_to():
    addresses = ["8.8.8.8", "2001:4860:4860::8888"]
    assert fetch().addresses(answer(*addresses)) == addresses


def test_a_redirect_is_followed_and_checked_like_the_first_url():
    guard = fetch()
    assert guard.redirected(302, {"location": "/b.mp4?x=1"}) is True
    assert guard.url == "https://tos.example/b.mp4?x=1"
    assert guard.redirected(307, {"location": "https://cdn.example/c"}) is True
    assert guard.host == "cdn.example"
    with pytest.raises(ConfigError, match="not public"):
        guard.addresses(answer("127.0.0.1"))


@pytest.mark.parametrize("location", ["http://cdn.example/", "file:///etc/passwd", "gopher://h/"])
def test_a_redirect_cannot_leave_https(location):
    with pytest.raises(ConfigError):
        fetch().redirected(301, {"location": location})


def test_a_redirect_from_the_api_to_a_private_host_is_not_trusted():
    guard = fetch("http://127.0.0.1:8765/media/a")
    guard.redirected(302, {"location": "https://internal.example/"})
    with pytest.raises(ConfigError, match="not public"):
        guard.addresses(answer("10.0.0.1"))


def test_redirects_come_to_an_end():
    guard = fetch()
    for _ in range(5):
        assert guard.redirected(302, {"location": "/again"})
    with pytest.raises(ResponseError, match="more than 5 times"):
        guard.redirected(302, {"location": "/again"})


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, NotFound),
        (401, PermissionDenied),
        (403, PermissionDenied),
        (404, NotFound),
        (410, NotFound),
        (500, ServerError),
        (503, ServerError),
        (206, NotFound),
    ],
)
def test_a_refused_download_says_so_without_the_signature(status, kind):
    with pytest.raises(kind, match=f"HTTP {status}") as caught:
        fetch().redirected(status, {})
    assert caught.value.status == status
    assert "SECRET" not in str(caught.value)


def test_an_expired_url_says_where_a_fresh_one_comes_from():
    with pytest.raises(PermissionDenied, match="expire after 24 hours"):
        fetch().redirected(403, {})


def test_a_file_may_have_up_to_the_limit():
    guard = fetch(most=10)
    guard.redirected(200, {})
    assert guard.counted(b"x" * 10) == b"x" * 10
    with pytest.raises(TooLarge, match="10 bytes"):
        guard.counted(b"x")


def test_a_file_that_says_it_is_too_large_is_refused_before_it_comes():
    with pytest.raises(TooLarge, match="10 bytes"):
        fetch(most=10).redirected(200, {"content-length": "11"})


def test_a_download_that_takes_too_long_ends():
    now = 0.0
    guard = Fetch(URL, API, 1000, 30.0, lambda: now)
    guard.redirected(200, {})
    now = 30.0
    guard.counted(b"x")
    now = 31.0
    with pytest.raises(Timeout, match=r"tos\.example took longer than 30 s"):
        guard.counted(b"x")
    with pytest.raises(Timeout):
        guard.redirected(302, {"location": "/b"})


@pytest.mark.parametrize(
    ("headers", "size", "kind"),
    [
        ({"content-length": "4"}, 4, None),
        ({}, 4, None),
        ({"content-length": "nonsense"}, 4, None),
        ({"content-length": "9", "content-encoding": "gzip"}, 4, None),
        ({"content-length": "5"}, 4, Truncated),
        ({"content-length": "3"}, 4, Truncated),
        ({}, 0, Malformed),
        ({"content-length": "0"}, 0, Malformed),
    ],
)
def test_a_download_is_finished_only_if_it_is_whole(headers, size, kind):
    guard = fetch()
    guard.redirected(200, headers)
    guard.counted(b"x" * size)
    if kind is None:
        assert "video/" in guard.finished()
    else:
        with pytest.raises(kind):
            guard.finished()


def test_addresses_are_looked_up():
    assert resolve("127.0.0.1") == ["127.0.0.1"]
    assert set(resolve("localhost")) <= {"127.0.0.1", "::1"}


@pytest.mark.parametrize("host", ["a" * 70 + ".example", "double..dot", "\x00"])
def test_a_host_that_cannot_be_looked_up_is_a_connection_failure(host):
    with pytest.raises(ConnectionFailed) as caught:
        resolve(host)
    assert isinstance(caught.value, DoubaoError)
