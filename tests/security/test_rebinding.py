"""The address that was checked is the one that is connected to, whatever a name server says next.

Over real TLS on loopback: for these tests 127.0.0.1 passes for public, and the port for 443.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import socket
import ssl
import threading
from contextlib import suppress
from types import SimpleNamespace

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from doubao_core import AsyncClient, Client, ConfigError, ConnectionFailed
from doubao_core.pools import tls_context

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
NAMES = ["results.example", "cdn.example"]
GETADDRINFO = socket.getaddrinfo


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Make a certificate for the names of these tests; it is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(each) for each in NAMES]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    file.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return file


@pytest.fixture
def results(server, certificate, monkeypatch):
    """Turn the server into one of results at https, known under names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.greeted = []
    context.sni_callback = lambda _socket, name, _context: server.greeted.append(name)
    server.http.socket = context.wrap_socket(server.http.socket, server_side=True)
    port = server.http.server_port
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    tls_context.cache_clear()
    monkeypatch.setattr("doubao_core.media.fetch._HTTPS", port)
    monkeypatch.setattr("doubao_core.media.fetch.is_public", lambda address: address == "127.0.0.1")
    server.answers["/a.png"] = (200, {}, PNG)
    server.port = port
    # The API is elsewhere.
    server.url = "https://api.example"
    yield server
    tls_context.cache_clear()


@pytest.fixture
def names(monkeypatch):
    """Answer look-ups of names from lists, one answer after the other; gives what was asked."""
    asked, answers = [], {}

    def look_up(host, port, *arguments, **options):
        if host not in answers:
            return GETADDRINFO(host, port, *arguments, **options)
        asked.append(host)
        found = answers[host].pop(0)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port or 0)) for each in found]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return SimpleNamespace(asked=asked, answers=answers)


def test_a_name_is_looked_up_once_and_asked_for_by_name(results, names, download, tmp_path):
    """The second answer, as of a rebinding name server, is never asked for."""
    names.answers["results.example"] = [["127.0.0.1"], ["169.254.169.254"]]
    saved = download(f"https://results.example:{results.port}/a.png", tmp_path, name="x")
    assert saved.path.read_bytes() == PNG
    assert names.asked == ["results.example"]
    assert results.greeted == ["results.example"]
    ((_, headers),) = results.asked
    assert headers["Host"] == f"results.example:{results.port}"


def test_a_name_that_turns_private_before_the_second_download_is_refused(
    results, names, download, tmp_path
):
    names.answers["results.example"] = [["127.0.0.1"], ["10.0.0.1"]]
    url = f"https://results.example:{results.port}/a.png"
    download(url, tmp_path, name="x")
    with pytest.raises(ConfigError, match="its address is not public"):
        download(url, tmp_path, name="x")
    assert len(results.asked) == 1


def test_every_redirect_is_looked_up_and_connected_to_by_its_own_address(
    results, names, download, tmp_path
):
    names.answers["results.example"] = [["127.0.0.1"], ["10.0.0.1"]]
    names.answers["cdn.example"] = [["127.0.0.1"], ["10.0.0.1"]]
    away = {"location": f"https://cdn.example:{results.port}/a.png"}
    results.answers["/away"] = (302, away, b"")
    saved = download(f"https://results.example:{results.port}/away", tmp_path, name="x")
    assert saved.size == len(PNG)
    assert names.asked == ["results.example", "cdn.example"]
    # Not over the connection that was made, and whose certificate was checked, for another name.
    assert results.greeted == ["results.example", "cdn.example"]


def test_a_redirect_to_a_name_of_a_private_address_is_refused(results, names, download, tmp_path):
    names.answers["results.example"] = [["127.0.0.1"]]
    names.answers["cdn.example"] = [["127.0.0.1", "192.168.0.1"]]
    away = {"location": f"https://cdn.example:{results.port}/a.png"}
    results.answers["/away"] = (302, away, b"")
    with pytest.raises(ConfigError, match=r"cdn\.example: its address is not public"):
        download(f"https://results.example:{results.port}/away", tmp_path, name="x")
    assert len(results.asked) == 1
    assert list(tmp_path.iterdir()) == []


def test_the_certificate_must_be_that_of_the_name(results, names, download, tmp_path):
    names.answers["other.example"] = [["127.0.0.1"]]
    with pytest.raises(ConnectionFailed, match=r"cannot connect to other\.example.*certificate"):
        download(f"https://other.example:{results.port}/a.png", tmp_path, name="x")
    assert results.asked == []


def test_the_next_address_is_tried_where_one_does_not_answer(
    results, names, download, tmp_path, monkeypatch
):
    monkeypatch.setattr("doubao_core.media.fetch.is_public", lambda address: True)
    names.answers["results.example"] = [["::1", "127.0.0.1"]]
    saved = download(f"https://results.example:{results.port}/a.png", tmp_path, name="x")
    assert saved.size == len(PNG)
    names.answers["results.example"] = [["::1", "::1"]]
    with pytest.raises(ConnectionFailed):
        download(f"https://results.example:{results.port}/a.png", tmp_path, name="x")


def test_a_name_without_an_address_is_a_connection_failure(
    results, monkeypatch, download, tmp_path
):
    def nothing(*arguments, **options):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr("doubao_core.media.address.socket.getaddrinfo", nothing)
    with pytest.raises(ConnectionFailed, match=r"cannot find the address of gone\.example"):
        download(f"https://gone.example:{results.port}/a", tmp_path, name="x")


@pytest.fixture
def proxy():
    """Record what a client asks of a proxy, and refuse it."""
    said = []

    def serve():
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                with connection:
                    said.append(connection.recv(4096).split(b"\r\n")[0].decode())
                    connection.sendall(b"HTTP/1.1 502 no\r\ncontent-length: 0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", said
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_a_proxy_is_asked_by_name_once_the_name_was_checked(
    results, names, download, tmp_path, proxy, monkeypatch
):
    """It looks the name up itself, so the address cannot be fixed; a private one is refused."""
    url, said = proxy
    monkeypatch.setenv("https_proxy", url)
    names.answers["results.example"] = [["127.0.0.1"], ["10.0.0.1"]]
    for kind in (ConnectionFailed, ConfigError):
        with pytest.raises(kind):
            download(f"https://results.example:{results.port}/a.png", tmp_path, name="x")
    assert said == [f"CONNECT results.example:{results.port} HTTP/1.1"]


def test_a_name_that_needs_no_proxy_is_connected_to_by_its_address(
    results, names, download, tmp_path, proxy, monkeypatch
):
    url, said = proxy
    monkeypatch.setenv("https_proxy", url)
    monkeypatch.setenv("no_proxy", ".example")
    names.answers["results.example"] = [["127.0.0.1"]]
    saved = download(f"https://results.example:{results.port}/a.png", tmp_path, name="x")
    assert (saved.size, said, names.asked) == (len(PNG), [], ["results.example"])


@pytest.fixture(params=["sync", "async"])
def injected(request, tmp_path, monkeypatch):
    """Download with a client that is injected and records what it is asked."""
    asked = []
    monkeypatch.setattr("doubao_core.media.resolve", lambda host: ["2606:4700::1", "8.8.8.8"])

    def answer(sent):
        asked.append(sent)
        return httpx.Response(200, content=PNG)

    def call(url, **options):
        mock = httpx.MockTransport(answer)
        options = dict.fromkeys(options, mock)
        if request.param == "sync":
            with httpx.Client(transport=mock, mounts=options or None) as http:
                Client(api_key="k", base_url="https://api.example", http_client=http).download(
                    url, tmp_path, name="x"
                )
        else:

            async def run():
                async with httpx.AsyncClient(transport=mock, mounts=options or None) as http:
                    client = AsyncClient(
                        api_key="k", base_url="https://api.example", http_client=http
                    )
                    await client.download(url, tmp_path, name="x")

            asyncio.run(run())
        return asked[-1]

    return call


def test_an_injected_client_is_given_the_address_and_the_name(injected):
    sent = injected("https://tos.example/a.png?sig=1")
    assert str(sent.url) == "https://[2606:4700::1]/a.png?sig=1"
    assert sent.headers["host"] == "tos.example"
    assert sent.extensions["sni_hostname"] == "tos.example"


def test_an_injected_client_with_routes_of_its_own_is_given_the_name(injected):
    sent = injected("https://tos.example/a.png", **{"all://": None})
    assert str(sent.url) == "https://tos.example/a.png"
    assert "sni_hostname" not in sent.extensions


def test_the_apis_own_origin_is_connected_to_by_name(injected):
    sent = injected("https://api.example/media/a.png")
    assert str(sent.url) == "https://api.example/media/a.png"


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_connection_to_an_address_ends_with_its_answer(kind, results, names, tmp_path):
    """The next look-up may give another address: what is kept for this one would pile up."""
    names.answers["results.example"] = [["127.0.0.1"]] * 2
    url = f"https://results.example:{results.port}/a.png"
    options = {"api_key": "k", "base_url": "https://api.example"}

    async def awaited():
        async with AsyncClient(**options) as client:
            for _ in range(2):
                await client.download(url, tmp_path, name="x")
            pool = await client._transport._through_httpx.current()
            return pool._idle

    if kind == "sync":
        with Client(**options) as client:
            for _ in range(2):
                client.download(url, tmp_path, name="x")
            kept = client._transport._connections().through_httpx._transports
    else:
        kept = asyncio.run(awaited())
    assert dict(kept) == {}
    assert results.greeted == ["results.example"] * 2
