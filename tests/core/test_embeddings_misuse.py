"""Vision embedding models asked at the endpoint for texts: the right method is named."""

from __future__ import annotations

import json

import pytest

from doubao_core import ConfigError, InvalidRequest, NotFound, catalogue

VISION = "doubao-embedding-vision-251215"
SEES = sorted(
    name
    for name, facts in catalogue.models().items()
    if facts.kind == "embedding" and facts.takes("image")
)


@pytest.mark.parametrize("model", SEES)
def test_a_known_vision_model_is_refused_before_anything_is_sent(client, emulator, model):
    with pytest.raises(ConfigError, match=f"^{model!r} is a vision.*use embed_multimodal") as e:
        client.embed(model=model, texts=["tea"])
    assert e.value.param == "model"
    assert not emulator.requests


def test_what_is_in_extra_body_is_sent_and_the_refusal_explained(client, emulator):
    with pytest.raises(InvalidRequest, match=r"this api\..*; if it embeds pictures, use "):
        client.embed(model=VISION, texts=["tea"], extra_body={"model": VISION})
    assert len(emulator.requests) == 1


@pytest.mark.parametrize("model", ["ep-20260101000000-abcde", "doubao-embedding-vision-271231"])
def test_a_refusal_of_an_unknown_model_names_the_other_method(make_client, serve, model):
    error = {"code": "InvalidParameter", "message": "Not for this api.", "param": "model"}
    body = json.dumps({"error": error}).encode()
    head = f"HTTP/1.1 400 Bad Request\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    with pytest.raises(InvalidRequest) as caught:
        make_client(base_url=serve(head + body).base_url).embed(model=model, texts=["tea"])
    assert caught.value.message.startswith("Not for this api; if it embeds pictures, use embed_m")
    assert "use embed_multimodal" in str(caught.value)
    assert caught.value.status == 400


def test_an_endpoint_is_sent(client, emulator):
    client.embed(model="ep-20260101000000-abcde", texts=["tea"])
    assert emulator.requests[-1].path.endswith("/embeddings")


def test_other_refusals_say_nothing_of_it(client):
    with pytest.raises(InvalidRequest) as caught:
        client.embed(model="doubao-embedding-large-text-250515", texts=["tea"], dimensions=7)
    assert "embed_multimodal" not in str(caught.value)
    with pytest.raises(InvalidRequest) as caught:
        client.embed(model="doubao-seed-2-1-pro-260915", texts=["tea"])
    assert "embed_multimodal" not in str(caught.value)
    with pytest.raises(NotFound) as caught:
        client.embed(model="nope", texts=["tea"])
    assert "embed_multimodal" not in str(caught.value)
