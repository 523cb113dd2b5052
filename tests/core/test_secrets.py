"""The key is in the request and nowhere else: no log, no error, no repr, no copy on disk."""

from __future__ import annotations

import io
import json
import logging
import pickle
import pprint
import traceback

import httpx
import pytest

from doubao_core import DoubaoError

CHAT = {
    "model": "doubao-seed-2-1-pro-260915",
    "messages": [{"role": "user", "content": "Hello"}],
}
FILM = {"model": "doubao-seedance-2-0-fast-260128", "content": [{"type": "text", "text": "cat"}]}


@pytest.fixture
def log(caplog):
    """Log everything that any library wants to say."""
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "httpcore.connection", "httpcore.http11", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    return caplog


def every_text(error):
    """Show an error in all ways in which it may end in a log."""
    written = io.StringIO()
    traceback.print_exception(error, file=written)
    return "\n".join(
        [
            written.getvalue(),
            repr(error),
            str(error),
            pprint.pformat(vars(error)),
            repr(pickle.dumps(error)),
        ]
    )


def test_no_log_line_has_the_key_even_at_debug_level(client, emulator, log, key, tmp_path):
    """Shows R000-25, R004-44."""
    client.chat(**CHAT)
    list(client.stream_chat(**CHAT))
    client.upload_file(b"x", filename="a.txt")
    with emulator.fault("server_error", times=1):
        client.list_models()
    with pytest.raises(DoubaoError):
        client.get_video("cgt-none")
    assert "httpcore" in {record.name.split(".")[0] for record in log.records}
    assert key not in log.text
    assert "Bearer" not in log.text


def test_no_log_line_has_the_signature_of_a_result(client, log, tmp_path):
    image = client.create_images(
        model="doubao-seedream-4-0-250828", prompt="a red cat", size="1K"
    ).images[0]
    log.clear()
    client.download(image.url, tmp_path, name="cat")
    # The emulator runs in this process and logs what it is asked for.
    ours = [each.getMessage() for each in log.records if not each.name.startswith("uvicorn")]
    assert "X-Tos-Signature" in image.url
    assert ours
    assert "X-Tos-Signature" not in "\n".join(ours)


FAULTS = [
    ("reset_before_answer", {}),
    ("lost_answer", {}),
    ("malformed_json", {}),
    ("rate_limit", {}),
    ("quota", {}),
    ("server_error", {"status": 502}),
    ("model_not_open", {}),
]
CALLS = {
    "chat": lambda client: client.chat(**CHAT),
    "stream": lambda client: list(client.stream_chat(**CHAT)),
    "film": lambda client: client.create_video(**FILM),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(("fault", "params"), FAULTS)
def test_no_error_has_the_key(client, emulator, key, call, fault, params):
    """Shows R000-25."""
    with emulator.fault(fault, **params), pytest.raises(DoubaoError) as caught:
        call(client)
    assert key not in every_text(caught.value)


def test_no_error_of_the_transport_has_the_key(make_client, key):
    client = make_client(base_url="http://127.0.0.1:9/api/v3", max_retries=0)
    with pytest.raises(DoubaoError) as caught:
        client.chat(**CHAT)
    assert key not in every_text(caught.value)


@pytest.mark.parametrize("status", [400, 401, 500])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_service_that_quotes_the_key_in_its_error_does_not_put_it_into_ours(
    answering, key, status, call
):
    error = {"code": "AuthenticationError", "message": f"the key {key} is wrong"}

    def answer(request):
        assert request.headers["authorization"] == f"Bearer {key}"
        return httpx.Response(status, content=json.dumps({"error": error}))

    with pytest.raises(DoubaoError, match=r"the key \*\*\* is wrong") as caught:
        call(answering(answer))
    assert key not in every_text(caught.value)


def test_no_repr_of_a_used_client_has_the_key(client, key):
    """Shows R000-25."""
    client.chat(**CHAT)
    native = client.native
    parts = [native, native._settings, native._transport, vars(native), native.chat]
    assert key not in repr(parts)
    assert key.encode() not in pickle.dumps(native)
