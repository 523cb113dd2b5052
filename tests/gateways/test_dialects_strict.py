"""The emulated gateways are as strict as their pages, or nobody notices what a client assumes."""

from __future__ import annotations

import httpx
import pytest

KEYS = {"Authorization": "Bearer k-0123456789", "X-API-Key": "k-0123456789"}
BEARER = {name: KEYS[name] for name in ("Authorization",)}
HEADER = {name: KEYS[name] for name in ("X-API-Key",)}
CHAT = {
    "model": "doubao-seed-1-6-lite-251015",
    "messages": [{"role": "user", "content": "hi"}],
}
FLAT = {"service": "seedream", "prompt": "tea"}
FILM = {"model": "seedance-2.0", "prompt": "tea", "duration": 5}
VIBE = {"model": "seedance-2.0", "prompt": "tea"}
PICTURE = {"model": "seedream-4.5", "prompt": "tea"}


@pytest.fixture
def post(emulator):
    def send(dialect, path, body, headers=KEYS):
        answer = httpx.post(emulator.base_url_of(dialect) + path, json=body, headers=headers)
        return answer.status_code, answer.json()

    return send


@pytest.mark.parametrize(
    ("dialect", "path", "body"),
    [
        ("anyfast", "/v1/chat/completions", {**CHAT, "max_tokens": 8193}),
        ("anyfast", "/v1/chat/completions", {**CHAT, "max_tokens": 0}),
        ("anyfast", "/v1/chat/completions", {**CHAT, "messages": []}),
        ("anyfast", "/v1/chat/completions", {**CHAT, "stop": 5}),
        ("doitong", "/v1/text_to_image", {**FLAT, "prompt": 5}),
        ("doitong", "/v1/text_to_image", {**FLAT, "webhookUrl": 5}),
        ("doitong", "/v1/text_to_image", {**FLAT, "quality": "high"}),
        ("doitong", "/v1/text_to_image", {**FLAT, "version": "seedream-5.0"}),
        ("seedance2api", "/v1/seedance/generate", {**FILM, "image_input": "a.png"}),
        ("seedance2api", "/v1/seedance/generate", {**FILM, "image_input": "data:image/png;,"}),
        ("seedance2api", "/v1/seedance/generate", {**FILM, "webhook_url": "nowhere"}),
        ("seedance2api", "/v1/seedance/generate", {**FILM, "ratio": "16:9"}),
        ("seedance2api", "/v1/seedance/generate", {**FILM, "duration": 31}),
        ("seedance2api", "/v1/seedream/generate", {**PICTURE, "num_images": 5}),
        ("seedance2api", "/v1/seedream/generate", {**PICTURE, "size": "1K"}),
        ("vibegen", "/generations", {**VIBE, "duration": 5}),
        ("vibegen", "/generations", {**VIBE, "ratio": "16:9"}),
        ("vibegen", "/generations", {**VIBE, "image_urls": ["a.png"]}),
        ("vibegen", "/generations", {**VIBE, "callback_url": "nowhere"}),
    ],
)
def test_what_a_page_does_not_allow_is_a_bad_request(post, dialect, path, body):
    assert post(dialect, path, body)[0] == 400


@pytest.mark.parametrize(
    ("dialect", "path", "body", "headers"),
    [
        ("anyfast", "/v1/chat/completions", CHAT, HEADER),
        ("xroute", "/chat/completions", CHAT, HEADER),
        ("doitong", "/graphql", {}, HEADER),
        ("doitong", "/v1/text_to_image", FLAT, BEARER),
        ("seedance2api", "/v1/seedream/generate", PICTURE, {}),
        ("vibegen", "/generations", VIBE, HEADER),
    ],
)
def test_a_key_in_another_header_than_the_page_has_is_none(post, dialect, path, body, headers):
    """R003-01, R003-02: a bearer for GraphQL and a header of its own for REST."""
    assert post(dialect, path, body, headers)[0] == 401


@pytest.mark.parametrize("headers", [BEARER, HEADER])
def test_seedance2api_takes_a_key_in_either_header(post, headers):
    """R004-01, R004-02."""
    assert post("seedance2api", "/v1/seedance/generate", FILM, headers)[0] == 200
