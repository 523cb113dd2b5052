"""Which messages `POST /chat/completions` takes, and what pictures cost (ark.md 4.1, 4.2)."""

import base64
import io
import math

import pytest
from PIL import Image

PRO = "doubao-seed-2-1-pro-260915"
LITE = "doubao-seed-2-1-lite-260915"
OLD = "doubao-1-5-pro-32k-250115"
SEED_1_8 = "doubao-seed-1-8-251228"
HELLO = [{"role": "user", "content": "hello"}]


def picture(size=(20, 20), kind="png", file_format="PNG"):
    buffer = io.BytesIO()
    Image.new("RGB", size).save(buffer, file_format)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def image_part(**fields):
    return {"type": "image_url", "image_url": fields}


def said(part):
    return [{"role": "user", "content": [part]}]


def calls(*ids):
    return [
        {"id": i, "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
        for i in ids
    ]


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"messages": [{"content": "x"}]}, "InvalidArgumentError", "messages[0].role"),
        (
            {"messages": [{"role": "developer", "content": "x"}]},
            "InvalidArgumentError.UnknownRole",
            "messages[0].role",
        ),
        ({"messages": [{"role": "user"}]}, "MissingParameter", "messages[0].content"),
        ({"messages": [{"role": "user", "content": 5}]}, "InvalidParameter", "messages[0].content"),
        ({"messages": [{"role": "assistant"}]}, "MissingParameter", "messages[0].content"),
        (
            {"messages": [*HELLO, {"role": "tool", "content": "5", "tool_call_id": "x"}]},
            "InvalidParameter",
            "messages[1].tool_call_id",
        ),
        (
            {"messages": [{"role": "tool", "content": "5"}]},
            "MissingParameter",
            "messages[0].tool_call_id",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "a", "type": "function"}]}]},
            "MissingParameter",
            "messages[0].tool_calls[0].function",
        ),
        ({"messages": said({"text": "x"})}, "MissingParameter", "messages[0].content[0].type"),
        ({"messages": said({"type": "text"})}, "MissingParameter", "messages[0].content[0].text"),
        (
            {"messages": said({"type": "thinking", "thinking": "x"})},
            "InvalidParameter",
            "messages[0].content[0].type",
        ),
    ],
)
def test_a_wrong_message_is_refused(refused, body, code, param):
    found, named = refused(**body)
    assert found == code
    assert param in {None, named}


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"messages": said({"type": "image_url", "image_url": "x"})}, "InvalidParameter", None),
        ({"messages": said(image_part(url=""))}, "InvalidImageURL.EmptyURL", None),
        ({"messages": said(image_part())}, "InvalidImageURL.EmptyURL", None),
        (
            {"messages": said(image_part(url="ftp://x/y.png"))},
            "InvalidImageURL.InvalidFormat",
            None,
        ),
        (
            {"messages": said(image_part(url=picture(kind="PNG")))},
            "InvalidImageURL.InvalidFormat",
            None,
        ),
        (
            {"messages": said(image_part(url="data:image/png;base64,aGVsbG8="))},
            "InvalidImageURL.InvalidFormat",
            None,
        ),
        ({"messages": said(image_part(url="data:image/png;base64,a"))}, "InvalidParameter", None),
        ({"messages": said(image_part(url=picture((13, 15))))}, "InvalidParameter", None),
        (
            {"messages": said(image_part(url=picture(), detail="medium"))},
            "InvalidArgumentError.InvalidImageDetail",
            None,
        ),
        (
            {
                "messages": said(
                    image_part(
                        url=picture(), image_pixel_limit={"min_pixels": 9000, "max_pixels": 8000}
                    )
                )
            },
            "InvalidArgumentError.InvalidPixelLimit",
            None,
        ),
        (
            {"messages": said(image_part(url=picture(), image_pixel_limit={"min_pixels": 100}))},
            "InvalidArgumentError.InvalidPixelLimit",
            None,
        ),
        ({"messages": said(image_part(file_id="file-nope"))}, "NotFound.File", "id"),
        (
            {"model": SEED_1_8, "messages": said(image_part(file_id="file-nope"))},
            "InvalidParameter.UnsupportedParameter",
            "messages[0].content[0].image_url.file_id",
        ),
        (
            {
                "messages": said(
                    {"type": "video_url", "video_url": {"url": "https://e.com/v.mp4", "fps": 6}}
                )
            },
            "InvalidParameter",
            "messages[0].content[0].video_url.fps",
        ),
        (
            {
                "model": LITE,
                "messages": said({"type": "input_audio", "input_audio": {"data": "aGk="}}),
            },
            "MissingParameter",
            "messages[0].content[0].input_audio.format",
        ),
        (
            {
                "messages": said(
                    {"type": "file", "file": {"file_data": "data:application/pdf;base64,a"}}
                )
            },
            "MissingParameter",
            "messages[0].content[0].file.filename",
        ),
        (
            {
                "messages": said(
                    {
                        "type": "file",
                        "file": {
                            "file_data": "data:application/pdf;base64,aGk=",
                            "filename": "a.pdf",
                        },
                    }
                )
            },
            "InvalidParameter",
            "messages[0].content[0].file.file_data",
        ),
    ],
)
def test_a_wrong_attachment_is_refused(refused, body, code, param):
    found, named = refused(**body)
    assert found == code
    assert param in {None, named}


@pytest.mark.parametrize(
    ("model", "content", "kind"),
    [
        (OLD, image_part(url=picture()), "image"),
        ("deepseek-v4-pro-260425", image_part(url=picture()), "image"),
        (
            "doubao-seed-character-260628",
            {"type": "video_url", "video_url": {"url": "https://e.com/v.mp4"}},
            "video",
        ),
        (
            PRO,
            {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
            "audio",
        ),
    ],
)
def test_a_model_without_a_modality_says_so(send_chat, model, content, kind):
    error = send_chat(model=model, messages=said(content)).json()["error"]
    assert error["message"].startswith(f"Model do not support {kind} input.")


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"role": "system", "content": [{"type": "text", "text": "x"}]}, *HELLO]},
        {"messages": [{**HELLO[0], "name": "bob"}]},
        {"messages": said(image_part(url=picture(), detail="xhigh"))},
        {"messages": said(image_part(url=picture(), image_pixel_limit={"max_pixels": 9000}))},
        {"messages": said(image_part(url="https://example.com/a.png", detail=None))},
        {"messages": said({"type": "file", "file": {"file_url": "https://example.com/a.pdf"}})},
        {"messages": [*HELLO, {"role": "assistant", "content": None, "tool_calls": calls("a")}]},
        {"messages": [{"role": "assistant", "content": [image_part(url=picture())]}, *HELLO]},
    ],
)
def test_a_right_message_is_answered(send_chat, body):
    assert send_chat(**body).status_code == 200


@pytest.mark.parametrize(
    ("model", "fields", "tokens"),
    [
        (PRO, {}, 1280),
        (PRO, {"detail": "low"}, math.floor(100 * 60 / 1764)),
        (PRO, {"detail": "xhigh"}, 1280),
        (PRO, {"image_pixel_limit": {"min_pixels": 1764, "max_pixels": 5000}}, 5000 // 1764),
        (SEED_1_8, {"detail": "low"}, 100 * 60 // 784),
    ],
)
def test_pictures_cost_what_their_detail_says(send_chat, model, fields, tokens):
    messages = said(image_part(url=picture((100, 60)), **fields))
    usage = send_chat(model=model, messages=messages).json()["usage"]
    assert usage["prompt_tokens_details"]["image_tokens"] == tokens
    assert usage["prompt_tokens"] == tokens + usage["prompt_tokens_details"]["text_tokens"]
