"""A redirect in place of the API's answer: said with the base URL that is meant, never followed."""

from __future__ import annotations

import pytest

from doubao_core import DoubaoError, RequestError

CHAT = {"model": "doubao-seed-2-1-pro-260915", "messages": [{"role": "user", "content": "Hello"}]}
FILM = {
    "model": "doubao-seedance-2-0-260128",
    "content": [{"type": "text", "text": "Fog over a tea garden"}],
}
CALLS = {
    "chat": lambda client: client.chat(**CHAT),
    "stream": lambda client: list(client.stream_chat(**CHAT)),
    "film": lambda client: client.create_video(**FILM),
    "look": lambda client: client.get_video("cgt-20260717171624-cr2n9"),
    "list": lambda client: client.list_files(limit=3),
}


@pytest.fixture
def elsewhere(serve):
    """Serve what must never be asked."""
    return serve(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")


@pytest.fixture
def moving(serve):
    """Start servers that send every request elsewhere, as a web server does."""

    def start(to, status=301):
        def script(server, connection):
            while request := server.read(connection):
                path = request[0].split(b" ", 2)[1].decode()
                head = f"HTTP/1.1 {status} Moved\r\nlocation: {to(path)}\r\ncontent-length: 0\r\n"
                connection.sendall(f"{head}\r\n".encode())

        return serve(script=script)

    return start


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_the_base_url_that_is_meant_is_named_and_gets_no_key(
    make_client, moving, elsewhere, naps, key, status, call
):
    other = elsewhere.base_url.removesuffix("/api/v3")
    server = moving(lambda path: f"{other}{path}", status)
    with pytest.raises(RequestError) as caught:
        call(make_client(base_url=server.base_url))
    assert caught.value.message.startswith(
        f"base_url answers with a redirect to {elsewhere.base_url}: use that as base_url, if it is "
    )
    assert type(caught.value) is RequestError
    assert caught.value.status == status
    assert key not in str(caught.value)
    assert (len(server.requests), elsewhere.accepted, naps) == (1, [], [])


@pytest.mark.parametrize("provider", ["seedance2api", "xroute", "openai-compatible"])
def test_a_redirect_is_one_in_every_dialect(make_client, moving, provider):
    server = moving(lambda path: f"https://api.example{path}")
    call = CALLS["look" if provider == "seedance2api" else "chat"]
    with pytest.raises(RequestError, match=r"a redirect to https://api.example/api/v3: use that"):
        call(make_client(provider=provider, base_url=server.base_url))


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("https://ann:pw@login.example/in?to=%2Fapi&sig=4b3a2c", "https://login.example/in: check"),
        ("https://login.example", "https://login.example: check"),
        ("/", "/: check base_url"),
        ("/api/v3/chat/completions", "/api/v3/chat/completions: check base_url"),
        ("", "nowhere: check base_url"),
        ("https://[", "nowhere: check base_url"),
        ("/" + "a" * 300, "nowhere: check base_url"),
    ],
)
def test_other_redirects_are_shown_without_what_is_secret(make_client, moving, location, shown):
    client = make_client(base_url=moving(lambda _: location).base_url)
    with pytest.raises(DoubaoError, match="print before '/chat/completions'") as caught:
        client.chat(**CHAT)
    assert shown in str(caught.value)
    assert not any(secret in str(caught.value) for secret in ("ann", "pw", "4b3a2c"))


def test_what_is_proposed_works(make_client, moving, emulator):
    other = emulator.base_url.removesuffix("/api/v3")
    server = moving(lambda path: f"{other}{path}?from=here")
    with pytest.raises(RequestError) as caught:
        make_client(base_url=server.base_url).chat(**CHAT)
    proposed = caught.value.message.partition("redirect to ")[2].partition(": use")[0]
    assert make_client(base_url=proposed).chat(**CHAT).content
