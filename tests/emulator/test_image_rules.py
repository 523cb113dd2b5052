"""What the image route refuses, and in which words (ark.md 14.1, 14.3, 14.4)."""

import base64
import io

import httpx
import pytest
from PIL import Image

LITE = "doubao-seedream-5-0-260128"
V4_5 = "doubao-seedream-4-5-251128"
V4_0 = "doubao-seedream-4-0-250828"
PRO = "doubao-seedream-5-0-pro-260628"
FLASH = "doubao-seedream-5-0-flash-260915"
T2I = "doubao-seedream-3-0-t2i-250415"
EDIT = "doubao-seededit-3-0-i2i-250628"
UNSUPPORTED = "InvalidParameter.UnsupportedParameter"


def data_url(size=(64, 64), file_format="png", mode="RGB"):
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, file_format)
    return f"data:image/{file_format};base64,{base64.b64encode(buffer.getvalue()).decode()}"


@pytest.fixture
def post(emulator):
    def send(**body):
        body = {"model": LITE, "prompt": "a cat", **body}
        headers = {"Authorization": "Bearer a key"}
        url = f"{emulator.base_url}/images/generations"
        return httpx.post(url, json=body, headers=headers, timeout=30)

    return send


@pytest.fixture
def refusal(post):
    def send(**body):
        answer = post(**body)
        assert answer.status_code == 400, answer.text[:300]
        error = answer.json()["error"]
        assert error["type"] == "BadRequest"
        return error

    return send


@pytest.mark.parametrize(
    ("model", "size", "words"),
    [
        (LITE, "1024x1024", "image size must be at least 3686400 pixels."),
        (V4_5, "1024x1024", "image size must be at least 3686400 pixels."),
        (LITE, "4097x4096", "image size must be at most 16777216 pixels."),
        (V4_0, "960x959", "image size must be at least 921600 pixels."),
        (PRO, "2304x2048", "image area must be at most 4624220 pixels."),
        (FLASH, "800x800", "image area must be at least 921600 pixels."),
        (LITE, "8000x480", "image aspect ratio must be between 1/16 and 16."),
        (LITE, "1K", "`1K` is not supported, use one of 2K, 3K, 4K, WxH."),
        (V4_5, "3K", "`3K` is not supported, use one of 2K, 4K, WxH."),
        (PRO, "4K", "`4K` is not supported, use one of 1K, 1.5K, 2K, WxH."),
        (LITE, "2048X2048", "`2048X2048` is not supported"),
        (LITE, "02048x2048", "`02048x2048` is not supported"),
        (LITE, "adaptive", "`adaptive` is not supported"),
        (T2I, "2K", "`2K` is not supported, use one of WxH."),
        (T2I, "511x512", "image size must be at least 262144 pixels."),
    ],
)
def test_a_size_outside_the_models_rules_is_refused(refusal, model, size, words):
    error = refusal(model=model, size=size)
    assert (error["code"], error["param"]) == ("InvalidParameter", "size")
    assert words in error["message"]


@pytest.mark.parametrize(
    ("model", "size"),
    [
        (LITE, "1920x1920"),
        (LITE, "4096x4096"),
        (LITE, "8192x512"),
        (V4_0, "1280x720"),
        (PRO, "2150x2150"),
        (PRO, "1280x720"),
        (T2I, "512x512"),
        (T2I, "2048x2048"),
    ],
)
def test_a_size_on_the_edge_is_made_as_asked(post, model, size):
    assert post(model=model, size=size).json()["data"][0]["size"] == size


@pytest.mark.parametrize(
    ("model", "size"),
    [(LITE, "2048x2048"), (V4_0, "2048x2048"), (PRO, "2048x2048"), (T2I, "1024x1024")],
)
def test_a_request_without_a_size_gets_the_models_own(post, model, size):
    assert post(model=model).json()["data"][0]["size"] == size


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": PRO, "stream": True}, "stream"),
        ({"model": FLASH, "stream": True}, "stream"),
        ({"model": PRO, "sequential_image_generation": "auto"}, "sequential_image_generation"),
        ({"model": T2I, "sequential_image_generation": "auto"}, "sequential_image_generation"),
        ({"model": V4_5, "output_format": "png"}, "output_format"),
        ({"model": LITE, "seed": 3}, "seed"),
        ({"model": V4_0, "guidance_scale": 3}, "guidance_scale"),
        ({"model": V4_5, "tools": [{"type": "web_search"}]}, "tools"),
        ({"model": LITE, "background": "opaque"}, "background"),
        ({"model": LITE, "layer_decomposition": True}, "layer_decomposition"),
        ({"model": T2I, "image": data_url()}, "image"),
        (
            {"model": V4_5, "optimize_prompt_options": {"mode": "fast"}},
            "optimize_prompt_options.mode",
        ),
        (
            {"model": LITE, "optimize_prompt_options": {"thinking": "auto"}},
            "optimize_prompt_options.thinking",
        ),
    ],
)  # fmt: skip
def test_what_a_model_does_not_offer_is_refused(refusal, body, param):
    error = refusal(**body)
    assert (error["code"], error["param"]) == (UNSUPPORTED, param)


@pytest.mark.parametrize(
    ("body", "param", "words"),
    [
        ({"output_format": "webp"}, "output_format", "`webp` is not supported"),
        ({"response_format": "b64"}, "response_format", "`b64` is not supported"),
        ({"watermark": "no"}, "watermark", "a boolean is expected."),
        ({"size": 2}, "size", "a string is expected."),
        ({"prompt": ["a"]}, "prompt", "a string is expected."),
        ({"model": T2I, "seed": -2}, "seed", "it must be in [-1, 2147483647]."),
        ({"model": T2I, "seed": 2**31}, "seed", "it must be in [-1, 2147483647]."),
        ({"model": T2I, "guidance_scale": 0.5}, "guidance_scale", "it must be in [1, 10]."),
        ({"sequential_image_generation": "on"}, "sequential_image_generation", "`on` is not"),
        (
            {
                "sequential_image_generation": "auto",
                "sequential_image_generation_options": {"max_images": 16},
            },
            "sequential_image_generation_options.max_images",
            "it must be in [1, 15].",
        ),
        (
            {"sequential_image_generation_options": {"max_images": 2}},
            "sequential_image_generation_options.max_images",
            "sequential_image_generation must be auto.",
        ),
        ({"tools": [{"type": "draw"}]}, "tools[0].type", "`draw` is not supported"),
        ({"tools": [{}]}, "tools[0].type", "missing"),
        ({"image": 5}, "image", "a string or an array of strings is expected."),
        ({"image": [data_url()] * 15}, "image", "takes at most 14 images."),
        ({"model": PRO, "image": [data_url()] * 11}, "image", "takes at most 10 images."),
        ({"model": EDIT, "image": [data_url()] * 2}, "image", "takes at most 1 images."),
        ({"model": EDIT, "image": data_url(), "size": "2K"}, "size", "only adaptive"),
        ({"model": EDIT, "image": data_url((400, 100))}, "image", "[0.333333, 3]"),
    ],
)
def test_a_bad_value_names_its_field(refusal, body, param, words):
    error = refusal(**body)
    assert error["param"] == param
    assert words in error["message"]


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        ("", "InvalidImageURL.EmptyURL", "empty"),
        ("asset://abc", "InvalidParameter", "invalid url specified"),
        ("ftp://example.com/a.png", "InvalidParameter", "invalid url specified"),
        ("http://[broken/a.png", "InvalidParameter", "invalid url specified"),
        ("a.png", "InvalidParameter", "invalid url specified"),
        ("data:image/PNG;base64,AAAA", "InvalidImageURL.InvalidFormat", "must look like"),
        ("data:text/plain;base64,AAAA", "InvalidImageURL.InvalidFormat", "must look like"),
        ("data:image/png;base64,A", "InvalidImageURL.InvalidFormat", "base64 is broken"),
        ("data:image/png;base64,AAAA", "InvalidImageURL.InvalidFormat", "cannot be decoded"),
        (data_url()[:-40], "InvalidImageURL.InvalidFormat", "cannot be decoded"),
        (data_url(file_format="ppm"), "InvalidParameter.UnsupportedImageFormat", "use jpeg"),
        (data_url((14, 64)), "InvalidParameter", "image sides must be in"),
        (data_url((20, 400)), "InvalidParameter", "image aspect ratio must be in [0.0625, 16]."),
        (data_url((6001, 6000)), "InvalidParameter.OversizedImage", "36000000 pixels"),
        (data_url((20000, 10000), mode="1"), "InvalidParameter.OversizedImage", "36000000"),
    ],
)
def test_a_bad_reference_is_refused(refusal, url, code, words):
    error = refusal(image=[data_url(), url])
    assert (error["code"], error["param"]) == (code, "image")
    assert words in error["message"]
    assert "base64," not in error["message"].replace("base64,...", "")


def test_a_dead_link_of_the_emulator_itself_cannot_be_downloaded(emulator, refusal):
    url = f"{emulator.world.origin}/media/gone.png?X-Tos-Signature=0"
    assert "resource download failed" in refusal(image=url)["message"]


@pytest.mark.parametrize("body", [{"prompt": None}, {"prompt": ""}, {"model": None}])
def test_model_and_prompt_are_required(refusal, body):
    assert refusal(**body)["code"] == "MissingParameter"


def test_seededit_needs_a_picture(refusal):
    error = refusal(model=EDIT)
    assert (error["code"], error["param"]) == ("MissingParameter", "image")


@pytest.mark.parametrize(
    ("image", "output_format", "words"),
    [
        (None, "png", "exactly one image"),
        ([data_url(mode="RGBA")] * 2, "png", "exactly one image"),
        (data_url(), "png", "alpha channel"),
        (data_url(mode="RGBA"), "jpeg", "output_format png"),
        ("https://example.com/a.png", "png", "give the transparent image as a data URL"),
    ],
)
def test_a_transparent_background_needs_one_png_with_alpha(refusal, image, output_format, words):
    error = refusal(model=PRO, background="transparent", image=image, output_format=output_format)
    assert words in error["message"]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "exactly one png or jpeg"),
        ({"image": [data_url()] * 2}, "exactly one png or jpeg"),
        ({"image": data_url((600, 600), "gif")}, "exactly one png or jpeg"),
        ({"image": data_url((600, 500))}, "image sides must be in [512, 6000] pixels"),
        ({"image": data_url((600, 600)), "size": "2048x2048"}, "use one of 1K, 1.5K, 2K, auto"),
    ],
)
def test_what_cannot_be_taken_apart_is_refused(refusal, asked, words):
    error = refusal(model=PRO, layer_decomposition=True, prompt=None, **asked)
    assert words in error["message"]


@pytest.mark.parametrize(
    ("size", "whole"), [(None, (800, 600)), ("auto", (800, 600)), ("1K", (1152, 864))]
)
def test_layers_come_with_their_places(post, size, whole):
    """ark.md 14.2: a base without a box, then from bottom to top."""
    asked = {"model": PRO, "layer_decomposition": True, "prompt": None, "size": size}
    answer = post(**asked, image=data_url((800, 600)), response_format="b64_json").json()
    base, *layers = answer["data"]
    assert (base["z_index"], base["output_format"]) == (0, "jpeg")
    assert "bounding_box" not in base
    width, height = whole
    for index, layer in enumerate(layers, start=1):
        left, top, right, bottom = layer["bounding_box"]["absolute"]
        assert (layer["z_index"], layer["output_format"]) == (index, "png")
        assert layer["size"] == f"{right - left}x{bottom - top}"
        assert layer["name"] in layer["description"]
        with Image.open(io.BytesIO(base64.b64decode(layer["b64_json"]))) as picture:
            assert picture.size == (right - left, bottom - top)
            assert picture.has_transparency_data
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        assert max(layer["bounding_box"]["normalized"]) <= 1000
    assert base["size"] == f"{width}x{height}"
    assert answer["usage"]["generated_images"] == 3
    assert answer["usage"]["output_tokens"] == round(2 * width * height / 256)


def test_layers_are_made_all_or_none(post, emulator):
    asked = {"model": PRO, "layer_decomposition": True, "image": data_url((600, 600))}
    with emulator.fault("group_image_failed"):
        answer = post(**asked).json()
    assert "error" in answer
    assert "data" not in answer


def test_null_means_absent_everywhere(post):
    fields = (
        "image", "size", "response_format", "output_format", "watermark", "seed", "stream",
        "guidance_scale", "sequential_image_generation", "optimize_prompt", "tools", "background",
        "layer_decomposition",
    )  # fmt: skip
    nested = {
        "optimize_prompt_options": {"mode": None, "thinking": None},
        "sequential_image_generation_options": {"max_images": None},
    }
    answer = post(**dict.fromkeys(fields), **nested)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "body",
    [
        {"model": PRO, "stream": False, "sequential_image_generation": "disabled"},
        {"model": PRO, "optimize_prompt_options": {"mode": "fast", "thinking": "enabled"}},
        {"model": V4_0, "optimize_prompt_options": {"mode": "fast"}, "seed": 3},
        {"model": LITE, "seed": -1},
        {"model": T2I, "seed": 5, "guidance_scale": 2.5},
        {"model": V4_5, "output_format": "jpeg"},
    ],
)
def test_what_a_model_offers_is_accepted(post, body):
    assert post(**body).status_code == 200


def test_an_unknown_or_foreign_model_is_named(post):
    answer = post(model="doubao-nope")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "InvalidEndpointOrModel.NotFound"
    answer = post(model="doubao-seedance-2-0-260128")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "model")
