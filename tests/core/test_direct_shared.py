"""Connections of our own that are encrypted, or shared by many tasks and threads."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import json
import ssl
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from doubao_core import (
    AsyncClient,
    Client,
    ConnectionFailed,
)
from doubao_core.pools import tls_context
from doubao_core.request import Request
from doubao_core.transport import direct
from doubao_core.transport.blocking import BlockingConnections
from doubao_core.transport.incoming import Patience
from doubao_core.transport.looped import LoopConnections

CHAT = {"model": "doubao-seed-2-1-pro-260915", "messages": [{"role": "user", "content": "Hello"}]}
BODY = json.dumps(
    {"choices": [{"index": 0, "finish_reason": "stop", "message": {"content": "Hi."}}]}
).encode()
OK = b"HTTP/1.1 200 OK\r\n"
COUNTED = OK + b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY)


@pytest.fixture
def certificate(tmp_path):
    """Write a certificate for this machine; gives its file and what a server needs."""
    secret = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    now = dt.datetime.now(dt.UTC)
    day = dt.timedelta(days=1)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder(name, name, secret.public_key(), x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(secret, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    file, key_file = tmp_path / "cert.pem", tmp_path / "key.pem"
    file.write_bytes(made.public_bytes(pem))
    plain = serialization.NoEncryption()
    key_file.write_bytes(
        secret.private_bytes(pem, serialization.PrivateFormat.TraditionalOpenSSL, plain)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key_file)
    tls_context.cache_clear()
    yield file, context
    tls_context.cache_clear()


def test_tls_works_with_the_certificates_of_the_environment(
    make_client, serve, certificate, monkeypatch
):
    file, context = certificate
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    server = serve(COUNTED, tls=context)
    client = make_client(base_url=server.base_url)
    for _ in range(3):
        assert client.chat(**CHAT).content == "Hi."
    assert len(server.requests) == 3
    assert len(server.accepted) == 2, "one connection, plain and wrapped"


def test_a_certificate_that_nobody_signed_is_refused_before_anything_is_sent(
    make_client, serve, certificate, naps
):
    _, context = certificate
    server = serve(COUNTED, tls=context)
    client = make_client(base_url=server.base_url, max_retries=1)
    with pytest.raises(ConnectionFailed, match=r"(?i)certificate"):
        client.chat(**CHAT)
    assert (server.requests, len(naps)) == ([], 1)


def test_a_server_without_tls_is_a_failed_connection(make_client, serve):
    def script(_server, connection):
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    url = serve(script=script).base_url.replace("http:", "https:")
    with pytest.raises(ConnectionFailed):
        make_client(base_url=url, max_retries=0).chat(**CHAT)


def echo(server, connection):
    """Answer with the text of the request, in two parts."""
    while request := server.read(connection):
        text = json.loads(request[1])["messages"][0]["content"]
        answer = COUNTED.replace(b"Hi.", b"%03d" % int(text))
        connection.sendall(answer[:-20])
        time.sleep(0.002)
        connection.sendall(answer[-20:])


def asking(number):
    return {**CHAT, "messages": [{"role": "user", "content": str(number)}]}


async def test_no_task_gets_the_answer_of_another_though_many_are_cancelled(serve, key):
    server = serve(script=echo)
    async with AsyncClient(base_url=server.base_url, api_key=key, max_retries=0) as client:
        for _ in range(4):
            tasks = [asyncio.create_task(client.chat(**asking(number))) for number in range(30)]
            for turn, task in enumerate(tasks[::3]):
                # Some while they connect or send, some while the answer comes in.
                await asyncio.sleep(0.001 * (turn % 3))
                task.cancel()
            answers = await asyncio.gather(*tasks, return_exceptions=True)
            given = [each.content for each in answers if not isinstance(each, BaseException)]
            assert len(given) >= 20
            assert all(
                isinstance(answer, asyncio.CancelledError) or int(answer.content) == number
                for number, answer in enumerate(answers)
            )


PLAIN = Request(method="GET", url="http://h/x", headers={})


def test_an_answer_that_is_over_takes_nothing_from_the_next_one(serve):
    """Its connection carries another request then, and comes back once."""
    server = serve(COUNTED)
    to = direct.target(server.base_url)
    connections = BlockingConnections()
    with connections.send(PLAIN, to, Patience(5.0, 5.0)) as first:
        assert first.read(1000) == BODY
    first.__exit__(None, None, None)
    with connections.send(PLAIN, to, Patience(5.0, 5.0)) as second:
        assert list(first.blocks) == []
        with connections.send(PLAIN, to, Patience(5.0, 5.0)) as third:
            assert (second.read(1000), third.read(1000)) == (BODY, BODY)
    assert len(server.accepted) == 2
    connections.close()


async def test_an_answer_of_a_task_that_is_over_takes_nothing_from_the_next_one(serve):
    server = serve(COUNTED)
    to = direct.target(server.base_url)
    connections = LoopConnections()
    async with await connections.send(PLAIN, to, Patience(5.0, 5.0)) as first:
        assert await first.read(1000) == BODY
    await first.__aexit__(None, None, None)
    async with await connections.send(PLAIN, to, Patience(5.0, 5.0)) as second:
        assert [block async for block in first.blocks] == []
        async with await connections.send(PLAIN, to, Patience(5.0, 5.0)) as third:
            assert (await second.read(1000), await third.read(1000)) == (BODY, BODY)
    assert len(server.accepted) == 2
    await connections.aclose()


def test_no_thread_gets_the_answer_of_another(serve, key):
    server = serve(script=echo)
    with Client(base_url=server.base_url, api_key=key) as client, ThreadPoolExecutor(12) as pool:
        answers = pool.map(lambda number: client.chat(**asking(number)).content, range(120))
        assert list(map(int, answers)) == list(range(120))
    assert len(server.accepted) <= 12
