"""From a Send to the exact request: URL, headers, body."""

from __future__ import annotations

import dataclasses
import json
import math
import re

import pytest

from doubao_core import Client, ConfigError, UnsupportedOperation
from doubao_core.operation import MAX_JSON_BYTES, Send, Upload
from doubao_core.request import Request, build, encode, multipart

CHAT = Send(operation="chat.create", body={"model": "m", "messages": []})


@pytest.fixture
def settings(key):
    """Resolve settings as a client does."""

    def make(**options):
        return Client(**{"api_key": key, **options})._settings

    return make


def test_a_whole_request(settings, key):
    request, _ = build(CHAT, settings())
    request_id = request.headers.pop("x-client-request-id")
    assert re.fullmatch(r"\d{14}[A-Za-z0-9]{20}", request_id)
    assert request.method == "POST"
    assert request.url == "https://ark.cn-beijing.volces.com/api/v3/chat/completions"
    assert request.headers == {
        "accept": "application/json",
        "accept-encoding": "identity",
        "authorization": f"Bearer {key}",
        "content-type": "application/json",
        "user-agent": "doubao-integrations-python",
    }
    assert request.content == b'{"model":"m","messages":[]}'


def test_each_attempt_has_a_client_request_id_of_its_own(settings):
    ids = {build(CHAT, settings())[0].headers["x-client-request-id"] for _ in range(200)}
    assert len(ids) == 200


def test_default_headers_win_over_ours_whatever_their_case_but_not_over_the_key(settings, key):
    own = {"USER-AGENT": "mine", "X-Client-Request-Id": "fixed", "AUTHORIZATION": "x", "X-New": "1"}
    request, _ = build(CHAT, settings(default_headers=own))
    assert request.headers["user-agent"] == "mine"
    assert request.headers["x-client-request-id"] == "fixed"
    assert request.headers["x-new"] == "1"
    assert request.headers["authorization"] == f"Bearer {key}"
    assert len({name.lower() for name in request.headers}) == len(request.headers)


def test_a_request_without_a_body_has_no_content_type(settings):
    request, _ = build(Send(operation="models.list"), settings())
    assert request.content is None
    assert "content-type" not in request.headers


def test_query_pairs_keep_their_order_and_may_repeat(settings):
    query = (("page_num", "1"), ("filter.task_ids", "cgt-a"), ("filter.task_ids", "cgt-b"))
    request, _ = build(Send(operation="videos.list", query=query), settings())
    assert request.url.endswith(
        "/contents/generations/tasks?page_num=1&filter.task_ids=cgt-a&filter.task_ids=cgt-b"
    )


def test_query_values_cannot_add_pairs(settings):
    query = (("after", "a&limit=9 #"),)
    request, _ = build(Send(operation="files.list", query=query), settings())
    assert request.url.endswith("/files?after=a%26limit%3D9+%23")


def test_a_base_url_may_end_with_a_slash(settings):
    """Shows R000-28."""
    request, _ = build(CHAT, settings(base_url="http://127.0.0.1:1/api/v3/"))
    assert request.url == "http://127.0.0.1:1/api/v3/chat/completions"


def test_the_key_is_looked_up_for_each_request(settings):
    keys = iter(["first", "second"])
    rotating = settings(api_key=lambda: next(keys))
    sent = [build(CHAT, rotating)[0].headers["authorization"] for _ in range(2)]
    assert sent == ["Bearer first", "Bearer second"]


def test_an_operation_that_the_provider_lacks_is_refused_before_the_key_is_needed():
    settings = Client(provider="byteplus")._settings
    with pytest.raises(UnsupportedOperation, match=r"'byteplus' does not offer token"):
        build(Send(operation="tokenization.create", body={}), settings)


def test_a_request_does_not_show_its_key_or_body(settings, key):
    request, _ = build(CHAT, settings())
    assert repr(request) == f"Request(POST {request.url})"
    assert key not in repr(request)


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        ({"text": '你好 \n"\\ é 🎬'}, '{"text":"你好 \\n\\"\\\\ é 🎬"}'),
        ({"n": 1, "x": 0.5, "t": True, "none": None}, '{"n":1,"x":0.5,"t":true,"none":null}'),
        ({"big": 2**70}, '{"big":1180591620717411303424}'),
        ({"text": "NaN and -Infinity are words"}, '{"text":"NaN and -Infinity are words"}'),
        ({"pair": [1, {"x": [2.5]}]}, '{"pair":[1,{"x":[2.5]}]}'),
    ],
)
def test_bodies_are_utf8_json(value, encoded):
    """Shows R002-19."""
    assert encode(value) == encoded.encode()
    assert json.loads(encode(value)) == value


@dataclasses.dataclass
class Point:
    x: float


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        ({"logit_bias": {1024: -100}}, b'{"logit_bias":{"1024":-100}}'),
        ({"stop": ("a", "b")}, b'{"stop":["a","b"]}'),
        ({"point": Point(x=0.5)}, b'{"point":{"x":0.5}}'),
        ({"one": {7}}, b'{"one":[7]}'),
    ],
)
def test_python_values_that_are_not_json_are_written_as_their_likes(value, encoded):
    assert encode(value) == encoded


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_json_are_refused(number):
    with pytest.raises(ConfigError, match="cannot be written as JSON: a number in it"):
        encode({"temperature": number})
    with pytest.raises(ConfigError):
        encode({"text": "NaN", "deep": [{"x": number}]})
    with pytest.raises(ConfigError, match="infinite or NaN"):
        encode({"point": Point(x=number)})
    with pytest.raises(ConfigError, match="infinite or NaN"):
        encode({"pair": (1, number)})


def deep(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


def circular():
    value = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    "value", [object(), "\ud800", deep(100_000), circular(), lambda: 1, b"\xff\xfe"]
)
def test_what_json_cannot_say_is_refused_before_anything_is_sent(value):
    with pytest.raises(ConfigError, match="cannot be written as JSON"):
        encode({"x": value})


def test_a_body_over_the_limit_of_the_service_is_refused():
    with pytest.raises(ConfigError, match="67,108,864 at most"):
        encode({"x": "a" * MAX_JSON_BYTES})


def upload(content):
    return Request(
        method="POST",
        url="http://127.0.0.1/files",
        headers={},
        form={"purpose": "user_data"},
        upload=Upload(filename="a.pdf", content=content, media_type="application/pdf"),
    )


def test_a_form_has_its_fields_and_its_file():
    with multipart(upload(b"%PDF-")) as arguments:
        assert arguments == {
            "files": {
                "purpose": (None, "user_data"),
                "file": ("a.pdf", b"%PDF-", "application/pdf"),
            }
        }


def test_a_file_is_open_while_it_is_sent_and_closed_afterwards(tmp_path):
    path = tmp_path / "a.pdf"
    path.write_bytes(b"%PDF-")
    with multipart(upload(path)) as arguments:
        _, opened, _ = arguments["files"]["file"]
        assert opened.read() == b"%PDF-"
    assert opened.closed


def test_a_file_that_cannot_be_read_is_a_config_error(tmp_path):
    with pytest.raises(ConfigError, match="cannot read"), multipart(upload(tmp_path / "none")):
        pass


def test_a_request_without_a_form_is_no_multipart():
    with multipart(Request(method="GET", url="http://127.0.0.1/", headers={})) as arguments:
        assert arguments == {}
