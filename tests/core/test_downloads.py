"""Downloads beyond the emulator: redirects, hosts that lie, clients with secrets of their own."""

from __future__ import annotations

import uuid

import httpx
import pytest

from doubao_core import (
    ConfigError,
    ConnectionFailed,
    Malformed,
    NotFound,
    PermissionDenied,
    ResponseError,
    ServerError,
    Timeout,
    TooLarge,
    Truncated,
)

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
URL = "https://8.8.8.8/a.png?X-Tos-Signature=SECRET"


def served(**answers):
    """Answer by the last part of the path."""

    def answer(request):
        made = answers[request.url.path.rpartition("/")[2]]
        return made(request) if callable(made) else made

    return answer


def moved(to, status=302):
    return httpx.Response(status, headers={"location": to})


def test_a_redirect_to_a_public_host_is_followed(answering, tmp_path):
    client = answering(served(a=moved("https://1.1.1.1/b"), b=httpx.Response(200, content=PNG)))
    saved = client.download("https://8.8.8.8/a", tmp_path, name="x")
    assert saved.path.read_bytes() == PNG


@pytest.mark.parametrize(
    "target",
    [
        "https://127.0.0.1/b",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/b",
        "http://8.8.8.8/b",
        "https://0x7f000001/b",
        "https://2130706433/b",
        "https://localhost/b",
    ],
)
def test_a_redirect_to_a_private_host_is_not_followed_even_if_the_client_would(
    answering, tmp_path, target
):
    asked = []

    def answer(request):
        asked.append(str(request.url))
        return moved(target)

    client = answering(answer, follow_redirects=True)
    with pytest.raises(ConfigError, match="will not download"):
        client.download("https://8.8.8.8/a", tmp_path, name="x")
    assert asked == ["https://8.8.8.8/a"]
    assert list(tmp_path.iterdir()) == []


def test_a_loop_of_redirects_ends(answering, tmp_path):
    client = answering(served(a=moved("https://8.8.8.8/a")))
    with pytest.raises(ResponseError, match="redirected more than"):
        client.download("https://8.8.8.8/a", tmp_path, name="x")


def test_the_credentials_of_an_injected_client_stay_at_home(answering, tmp_path, key):
    sent = []

    def answer(request):
        sent.append(request.headers)
        return httpx.Response(200, content=PNG)

    client = answering(answer, auth=("user", "password"))
    client.download(URL, tmp_path, name="x")
    assert "authorization" not in sent[0]
    assert key not in str(sent)


def broken(error):
    def answer(request):
        raise error(f"for {request.url}", request=request)

    return answer


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (lambda _: httpx.Response(404), NotFound),
        (lambda _: httpx.Response(403), PermissionDenied),
        (lambda _: httpx.Response(503), ServerError),
        (lambda _: httpx.Response(200, content=b"<html>login</html>"), Malformed),
        (lambda _: httpx.Response(200, content=b""), Malformed),
        (lambda _: httpx.Response(200, content=PNG, headers={"content-length": "999"}), Truncated),
        (broken(httpx.ConnectError), ConnectionFailed),
        (broken(httpx.ReadTimeout), Timeout),
        (broken(httpx.ReadError), ResponseError),
    ],
)
def test_a_download_that_fails_is_one_of_our_errors_and_leaves_nothing(
    answering, tmp_path, answer, kind
):
    client = answering(answer)
    with pytest.raises(kind) as caught:
        client.download(URL, tmp_path, name="x")
    assert "SECRET" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["", "not a url", "https://", "https://[::1", "data:image/png,AA"])
def test_what_is_no_url_of_a_result_is_refused(answering, tmp_path, url):
    client = answering(lambda request: httpx.Response(200, content=PNG))
    with pytest.raises(ConfigError, match="will not download"):
        client.download(url, tmp_path, name="x")


def test_a_packed_body_is_unpacked_and_counted(answering, tmp_path):
    import gzip

    packed = gzip.compress(PNG)
    headers = {"content-encoding": "gzip"}
    client = answering(lambda request: httpx.Response(200, content=packed, headers=headers))
    assert client.download(URL, tmp_path, name="x").size == len(PNG)


def test_a_body_that_cannot_be_unpacked_is_malformed(answering, tmp_path):
    def answer(request):
        stream = httpx.ByteStream(b"not gzip at all")
        return httpx.Response(200, headers={"content-encoding": "gzip"}, stream=stream)

    with pytest.raises(Malformed, match="cannot be unpacked"):
        answering(answer).download(URL, tmp_path, name="x")


def trickling(*blocks):
    """Answer with a body that comes in blocks, for both kinds of clients."""

    class Trickle(httpx.SyncByteStream, httpx.AsyncByteStream):
        sent = 0

        def __iter__(self):
            for block in blocks:
                type(self).sent += 1
                yield block

        async def __aiter__(self):
            for block in self:
                yield block

    return Trickle, lambda request: httpx.Response(200, stream=Trickle())


def test_a_body_that_grows_over_the_limit_is_not_read_to_its_end(answering, tmp_path):
    body, answer = trickling(PNG, *[bytes(1000)] * 100)
    with pytest.raises(TooLarge, match="larger than 5,000 bytes"):
        answering(answer).download(URL, tmp_path, name="x", max_bytes=5000)
    assert body.sent == 6
    assert list(tmp_path.iterdir()) == []


def test_a_body_that_trickles_is_given_up(answering, tmp_path):
    """No gap is long enough for a timeout, but all of them together are."""
    body, answer = trickling(PNG, *[b"x"] * 1000)
    with pytest.raises(Timeout, match=r"8\.8\.8\.8 took longer than 0 s"):
        answering(answer).download(URL, tmp_path, name="x", max_seconds=0.0)
    assert body.sent < 1000
    assert list(tmp_path.iterdir()) == []


def test_a_download_goes_to_a_store_by_its_url(answering):
    client = answering(lambda request: httpx.Response(200, content=PNG))
    where = f"memory://{uuid.uuid4().hex}/out"
    saved = client.download(URL, where, name="x")
    assert (saved.path, saved.location) == (None, f"{where}/x.png")
