"""Embeddings: the rules of ark.md 10 and 11, and vectors that find the right passage."""

import base64
import io

import httpx
import numpy as np
import pytest
from PIL import Image, ImageDraw

from doubao_emulator import vectors

LARGE = "doubao-embedding-large-text-250515"
VISION = "doubao-embedding-vision-251215"
VISION_JUNE = "doubao-embedding-vision-250615"
VISION_OLD = "doubao-embedding-vision-250328"
TEXT = {"type": "text", "text": "red shoe"}
PHOTO = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
FILM = {"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}}


def picture(colour="red", size=(56, 28), mark=None):
    image = Image.new("RGB", size, colour)
    if mark:
        ImageDraw.Draw(image).rectangle(mark, fill="white")
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def picture_part(raw):
    url = f"data:image/png;base64,{base64.b64encode(raw).decode()}"
    return {"type": "image_url", "image_url": {"url": url}}


@pytest.fixture
def post(emulator):
    with httpx.Client(base_url=emulator.base_url, headers={"Authorization": "Bearer k"}) as client:

        def send(path="", **body):
            return client.post(f"/embeddings{path}", json=body)

        yield send


@pytest.fixture
def embed(post):
    def send(*parts, model=VISION, **more):
        return post("/multimodal", model=model, input=list(parts), **more)

    return send


def vector(answer):
    return np.asarray(answer.json()["data"]["embedding"])


def test_a_text_answer_has_the_documented_shape(post):
    answer = post(model=LARGE, input="one").json()
    assert answer.keys() == {"id", "object", "created", "model", "data", "usage"}
    assert (answer["object"], answer["model"]) == ("list", LARGE)
    assert answer["data"][0].keys() == {"object", "index", "embedding"}


def test_base64_is_little_endian_float32(post):
    plain = post(model=LARGE, input="one").json()["data"][0]["embedding"]
    packed = post(model=LARGE, input="one", encoding_format="base64").json()["data"][0]["embedding"]
    assert np.frombuffer(base64.b64decode(packed), "<f4").tolist() == pytest.approx(plain)


def test_vectors_have_unit_length_and_the_asked_dimensions(post):
    data = post(model=LARGE, input=["one", "...", "灯塔"], dimensions=512).json()["data"]
    for entry in data:
        assert len(entry["embedding"]) == 512
        assert np.linalg.norm(entry["embedding"]) == pytest.approx(1)


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({}, "MissingParameter", "model"),
        ({"model": LARGE}, "MissingParameter", "input"),
        ({"model": LARGE, "input": []}, "InvalidParameter", "input"),
        ({"model": LARGE, "input": ["x"] * 257}, "InvalidParameter", "input"),
        ({"model": LARGE, "input": [[1, 2]]}, "InvalidParameter", "input"),
        ({"model": LARGE, "input": ["a", ""]}, "InvalidParameter", "input[1]"),
        ({"model": LARGE, "input": "灯" * 33_334}, "InvalidParameter", "input[0]"),
        ({"model": LARGE, "input": [TEXT]}, "InvalidParameter", "input"),
        ({"model": LARGE, "input": "x", "dimensions": 100}, "InvalidParameter", "dimensions"),
        ({"model": LARGE, "input": "x", "encoding_format": "hex"}, "InvalidParameter", None),
        ({"model": VISION, "input": "x"}, "InvalidParameter", "model"),
        ({"model": "nope", "input": "x"}, "InvalidEndpointOrModel.NotFound", ""),
        (
            {"model": "doubao-embedding-text-240715", "input": "word " * 4097},
            "InvalidParameter",
            "input[0]",
        ),
    ],
)
def test_a_wrong_text_request_is_refused(post, body, code, param):
    error = post(**body).json()["error"]
    assert error["code"] == code
    assert param is None or error["param"] == param


def test_256_texts_are_embedded_at_once(post):
    answer = post(model=LARGE, input=["x"] * 256, dimensions=256)
    assert [entry["index"] for entry in answer.json()["data"]] == list(range(256))


@pytest.mark.parametrize(
    ("model", "parts", "more", "code", "param"),
    [
        (VISION, None, {}, "MissingParameter", "input"),
        (VISION, [], {}, "InvalidParameter", "input"),
        (VISION, "text", {}, "InvalidParameter", "input"),
        (VISION, [{"type": "text"}], {}, "MissingParameter", "input[0].text"),
        (VISION, [{"type": "audio"}], {}, "InvalidParameter", "input[0].type"),
        (VISION, [{"type": "image_url"}], {}, "MissingParameter", "input[0].image_url"),
        (VISION, [TEXT], {"dimensions": 512}, "InvalidParameter", "dimensions"),
        (
            VISION_JUNE,
            [TEXT],
            {"instructions": "x"},
            "InvalidParameter.UnsupportedParameter",
            "instructions",
        ),
        (
            VISION,
            [TEXT, PHOTO],
            {"sparse_embedding": {"type": "enabled"}},
            "InvalidParameter",
            "sparse_embedding",
        ),
        (VISION, [TEXT], {"sparse_embedding": {}}, "MissingParameter", "sparse_embedding.type"),
        (VISION, [TEXT], {"multi_embedding": {}}, "MissingParameter", "multi_embedding.type"),
        (
            VISION_JUNE,
            [TEXT],
            {"multi_embedding": {"type": "enabled"}},
            "InvalidParameter.UnsupportedParameter",
            None,
        ),
        (VISION_OLD, [TEXT, TEXT], {}, "InvalidParameter", "input"),
        (VISION_OLD, [FILM], {}, "InvalidParameter", "input[0].type"),
        (
            VISION_OLD,
            [TEXT],
            {"sparse_embedding": {"type": "enabled"}},
            "InvalidParameter.UnsupportedParameter",
            None,
        ),
        (
            VISION,
            [{"type": "video_url", "video_url": {"url": "https://e.com/a.mp4", "fps": 9}}],
            {},
            "InvalidParameter",
            None,
        ),
        (
            VISION,
            [{"type": "video_url", "video_url": {"url": "https://e.com/a.mp4", "min_frames": 4}}],
            {},
            "InvalidParameter",
            None,
        ),
        (
            VISION_JUNE,
            [{"type": "video_url", "video_url": {"url": "https://e.com/a.mp4", "min_frames": 6}}],
            {},
            "InvalidParameter.UnsupportedParameter",
            None,
        ),
        (VISION, [picture_part(picture(size=(14, 40)))], {}, "InvalidParameter", None),
        (VISION, [picture_part(picture(size=(15, 1501)))], {}, "InvalidParameter", None),
        (VISION, [picture_part(b"no picture")], {}, "InvalidImageURL.InvalidFormat", None),
        (
            VISION,
            [{"type": "image_url", "image_url": {"url": ""}}],
            {},
            "InvalidImageURL.EmptyURL",
            None,
        ),
        (LARGE, [TEXT], {}, "InvalidParameter", "model"),
    ],
)
def test_a_wrong_multimodal_request_is_refused(post, model, parts, more, code, param):
    error = post("/multimodal", model=model, input=parts, **more).json()["error"]
    assert error["code"] == code
    assert param is None or error["param"] == param


def test_a_multimodal_answer_is_one_vector_with_usage_by_kind(embed):
    answer = embed(TEXT, picture_part(picture()), instructions="Find it").json()
    assert answer["data"].keys() == {"object", "embedding"}
    assert answer["usage"] == {
        "prompt_tokens": 10,
        "total_tokens": 10,
        "prompt_tokens_details": {"text_tokens": 8, "image_tokens": 2},
    }


def test_sparse_weights_are_a_list_by_index(embed):
    data = embed(TEXT, sparse_embedding={"type": "enabled"}).json()["data"]
    assert [entry.keys() for entry in data["sparse_embedding"]] == [{"index", "value"}] * 2
    again = embed(
        {"type": "text", "text": "a shoe, red"}, sparse_embedding={"type": "enabled"}
    ).json()["data"]
    assert again["sparse_embedding"] == data["sparse_embedding"]


def test_multi_vectors_have_one_row_per_token(embed):
    data = embed(TEXT, multi_embedding={"type": "enabled"}, dimensions=1024).json()["data"]
    assert [len(row) for row in data["multi_embedding"]] == [1024, 1024]


def test_equal_pictures_are_equal_and_similar_ones_near(embed):
    red = vector(embed(picture_part(picture("red"))))
    again = vector(embed(picture_part(picture("red", size=(112, 56)))))
    marked = vector(embed(picture_part(picture("red", mark=(2, 2, 12, 12)))))
    blue = vector(embed(picture_part(picture("blue"))))
    assert red @ again == pytest.approx(1, abs=1e-3)
    assert red @ blue < red @ marked < 1


def test_the_same_link_has_the_same_vector(embed):
    assert vector(embed(PHOTO)) @ vector(embed(PHOTO)) == pytest.approx(1)
    assert abs(vector(embed(PHOTO)) @ vector(embed(FILM))) < 0.2


PASSAGES = {
    "lighthouse": "The lighthouse of Alexandria, built about 280 BC, was roughly 100 metres tall.",
    "tides": "Tides rise and fall because the gravity of the moon and the sun pulls the sea.",
    "paper": "Paper was made in China from mulberry bark, hemp and rags by Cai Lun.",
    "bees": "Honey bees dance in the hive to tell the others where flowers with nectar are.",
    "灯塔": "亚历山大灯塔建于公元前二百八十年左右，高约一百米。",
    "潮汐": "月球和太阳的引力使海水上涨和回落，形成潮汐。",
    "造纸": "蔡伦用树皮、麻头和破布造出了纸。",
    "蜜蜂": "蜜蜂在蜂巢里跳舞，告诉同伴有花蜜的花在哪里。",
}


@pytest.mark.parametrize(
    ("question", "passage"),
    [
        ("How tall was the lighthouse at Alexandria?", "lighthouse"),
        ("Why does the sea rise and fall?", "tides"),
        ("Who invented paper making?", "paper"),
        ("How do bees show each other the way to a flower?", "bees"),
        ("灯塔有多高？", "灯塔"),
        ("为什么会有潮汐？", "潮汐"),
        ("谁发明了造纸术？", "造纸"),
        ("蜜蜂怎样告诉同伴花蜜的位置？", "蜜蜂"),
    ],
)
def test_a_question_is_nearest_to_the_passage_that_answers_it(question, passage):
    asked = vectors.text_vector(question, 1024)
    nearness = {name: asked @ vectors.text_vector(text, 1024) for name, text in PASSAGES.items()}
    assert max(nearness, key=nearness.get) == passage
