"""What `POST /chat/completions` refuses, and what it lets pass (ark.md 4.1, 4.2, 4.5, 4.6)."""

import base64
import io
import math

import httpx
import pytest
from PIL import Image

from doubao_emulator import chat_thinking
from doubao_emulator.chat_request import REFUSED_PHRASE

PRO = "doubao-seed-2-1-pro-260915"
LITE = "doubao-seed-2-1-lite-260915"
SEED_2_0 = "doubao-seed-2-0-pro-260215"
OLD = "doubao-1-5-pro-32k-250115"
SEED_1_8 = "doubao-seed-1-8-251228"
HELLO = [{"role": "user", "content": "hello"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}


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


def strict(schema):
    """Ask for an object whose property `a` has this schema."""
    whole = {"type": "object", "properties": {"a": schema}, "$defs": {"a": {"type": "string"}}}
    named = {"name": "x", "strict": True, "schema": whole}
    return {"type": "json_schema", "json_schema": named}


@pytest.fixture
def post(emulator):
    with httpx.Client(base_url=emulator.base_url, headers={"Authorization": "Bearer k"}) as client:

        def send(**body):
            body = {"model": PRO, "messages": HELLO, **body}
            return client.post("/chat/completions", json=body)

        yield send


REFUSED = [
    # Top level.
    ({"model": None}, "MissingParameter", "model"),
    ({"model": 7}, "InvalidParameter", "model"),
    ({"messages": None}, "MissingParameter", "messages"),
    ({"messages": []}, "InvalidParameter", "messages"),
    ({"messages": "hello"}, "InvalidParameter", "messages"),
    ({"max_tokens": 5, "max_completion_tokens": 5}, "InvalidParameter", "max_tokens"),
    ({"max_tokens": 0}, "InvalidParameter", "max_tokens"),
    ({"max_tokens": 1.5}, "InvalidParameter", "max_tokens"),
    ({"max_tokens": 256 * 1024 + 1}, "InvalidParameter", "max_tokens"),
    ({"max_completion_tokens": 0}, "InvalidParameter", "max_completion_tokens"),
    ({"temperature": 2.1}, "InvalidParameter", "temperature"),
    ({"temperature": "hot"}, "InvalidParameter", "temperature"),
    ({"top_p": -0.1}, "InvalidParameter", "top_p"),
    ({"frequency_penalty": 0.5}, "InvalidParameter.UnsupportedParameter", "frequency_penalty"),
    ({"presence_penalty": 0.5}, "InvalidParameter.UnsupportedParameter", "presence_penalty"),
    ({"model": OLD, "presence_penalty": 3}, "InvalidParameter", "presence_penalty"),
    ({"n": 2}, "InvalidParameter.UnsupportedParameter", "n"),
    ({"stop": ["a", "b", "c", "d", "e"]}, "InvalidParameter", "stop"),
    ({"stop": [1]}, "InvalidParameter", "stop"),
    ({"stop": 1}, "InvalidParameter", "stop"),
    ({"logprobs": True}, "InvalidParameter.UnsupportedParameter", "logprobs"),
    ({"logit_bias": {"5": 1}}, "InvalidParameter.UnsupportedParameter", "logit_bias"),
    ({"model": OLD, "logit_bias": {"5": 101}}, "InvalidParameter", "logit_bias.5"),
    ({"model": OLD, "top_logprobs": 2}, "InvalidParameter", "top_logprobs"),
    ({"model": OLD, "logprobs": True, "top_logprobs": 21}, "InvalidParameter", "top_logprobs"),
    ({"service_tier": "gold"}, "InvalidParameter", "service_tier"),
    (
        {"model": SEED_2_0, "service_tier": "flex"},
        "InvalidParameter.UnsupportedParameter",
        "service_tier",
    ),
    ({"stream_options": {"include_usage": True}}, "InvalidParameter", "stream_options"),
    ({"stream": "yes"}, "InvalidParameter", "stream"),
    # Thinking.
    ({"thinking": {"type": "auto"}}, "InvalidParameter", "thinking.type"),
    ({"thinking": {}}, "MissingParameter", "thinking.type"),
    ({"thinking": "enabled"}, "InvalidParameter", "thinking"),
    ({"model": OLD, "thinking": {"type": "enabled"}}, "InvalidParameter", "thinking.type"),
    ({"reasoning_effort": "extreme"}, "InvalidParameter", "reasoning_effort"),
    ({"model": OLD, "reasoning_effort": "low"}, "InvalidParameter.UnsupportedParameter", None),
    (
        {"thinking": {"type": "disabled"}, "reasoning_effort": "low"},
        "InvalidParameter",
        "reasoning_effort",
    ),
    (
        {"thinking": {"type": "enabled"}, "reasoning_effort": "minimal"},
        "InvalidParameter",
        "reasoning_effort",
    ),
    # Messages.
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
    # Pictures, films, sounds, documents.
    ({"messages": said({"type": "image_url", "image_url": "x"})}, "InvalidParameter", None),
    ({"messages": said(image_part(url=""))}, "InvalidImageURL.EmptyURL", None),
    ({"messages": said(image_part())}, "InvalidImageURL.EmptyURL", None),
    ({"messages": said(image_part(url="ftp://x/y.png"))}, "InvalidImageURL.InvalidFormat", None),
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
                    "file": {"file_data": "data:application/pdf;base64,aGk=", "filename": "a.pdf"},
                }
            )
        },
        "InvalidParameter",
        "messages[0].content[0].file.file_data",
    ),
    # Tools.
    ({"tools": [{"type": "web_search"}]}, "InvalidParameter", "tools[0].type"),
    ({"tools": [{"type": "function"}]}, "MissingParameter", "tools[0].function"),
    (
        {"tools": [{"type": "function", "function": {"name": "a b"}}]},
        "InvalidParameter",
        "tools[0].function.name",
    ),
    (
        {"tools": [{"type": "function", "function": {"name": "a" * 65}}]},
        "InvalidParameter",
        "tools[0].function.name",
    ),
    (
        {
            "tools": [
                {
                    "type": "function",
                    "function": {**TOOL["function"], "strict": True},
                }
            ]
        },
        "InvalidParameter",
        "tools[0].function.parameters.required",
    ),
    ({"tool_choice": "any", "tools": [TOOL]}, "InvalidParameter", "tool_choice"),
    ({"tool_choice": "required"}, "InvalidParameter", "tool_choice"),
    (
        {"tool_choice": {"type": "function", "function": {"name": "other"}}, "tools": [TOOL]},
        "InvalidParameter",
        "tool_choice.function.name",
    ),
    (
        {"model": "doubao-seed-translation-250915", "tools": [TOOL]},
        "InvalidParameter.UnsupportedParameter",
        "tools",
    ),
    (
        {"model": "doubao-seed-translation-250915", "max_completion_tokens": 100},
        "InvalidParameter.UnsupportedParameter",
        "max_completion_tokens",
    ),
    # Structured output.
    ({"response_format": {"type": "xml"}}, "InvalidParameter", "response_format.type"),
    ({"response_format": {}}, "MissingParameter", "response_format.type"),
    ({"response_format": {"type": "json_object"}}, "InvalidParameter", "messages"),
    (
        {"response_format": {"type": "json_schema", "schema": SCHEMA}},
        "MissingParameter",
        "response_format.json_schema",
    ),
    (
        {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}},
        "MissingParameter",
        "response_format.json_schema.name",
    ),
    (
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {
                    "name": "a",
                    "strict": True,
                    "schema": {"properties": {"a": {"type": "integer", "minimum": 1}}},
                },
            }
        },
        "InvalidParameter",
        "response_format.json_schema.schema.properties.a",
    ),
    (
        {"response_format": strict({"unevaluatedItems": {"minLength": 1}})},
        "InvalidParameter",
        "response_format.json_schema.schema.properties.a.unevaluatedItems",
    ),
    (
        {"response_format": strict({"$ref": "https://example.com/a.json"})},
        "InvalidParameter",
        "response_format.json_schema.schema.properties.a",
    ),
]


@pytest.mark.parametrize(("body", "code", "param"), REFUSED)
def test_a_wrong_request_is_refused(post, body, code, param):
    answer = post(**body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (404 if "NotFound" in code else 400, code)
    assert param is None or error["param"] == param
    assert error["message"].endswith(f"Request id: {answer.headers['x-request-id']}")


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
def test_a_model_without_a_modality_says_so(post, model, content, kind):
    error = post(model=model, messages=said(content)).json()["error"]
    assert error["message"].startswith(f"Model do not support {kind} input.")


def test_a_model_without_structured_output_answers_as_seen_on_the_wire(post):
    answer = post(model="doubao-seed-character-251128", response_format={"type": "json_object"})
    assert answer.json() == {
        "error": {
            "code": "InvalidParameter",
            "message": (
                "The parameter `response_format.type` specified in the request are not valid: "
                "`json_object` is not supported by this model. "
                f"Request id: {answer.headers['x-request-id']}"
            ),
            "param": "response_format.type",
            "type": "BadRequest",
        }
    }


@pytest.mark.parametrize(
    "body",
    [
        {"stop": None, "tools": None, "thinking": None, "max_tokens": None, "stream_options": None},
        {"temperature": 0, "top_p": 1, "user": "u", "seed": 5, "never_heard_of": {"a": 1}},
        {"stop": "a"},
        {"stop": ["a", "b", "c", "d"]},
        {"max_completion_tokens": 65_536},
        {"service_tier": "flex"},
        {"tools": [TOOL], "tool_choice": "none"},
        {"tools": [], "tool_choice": "auto"},
        {"parallel_tool_calls": False},
        {"thinking": {"type": "disabled"}, "reasoning_effort": "minimal"},
        {"thinking": {"type": "disabled"}, "reasoning_effort": "none"},
        {"response_format": {"type": "text"}},
        {"messages": [{"role": "system", "content": [{"type": "text", "text": "x"}]}, *HELLO]},
        {"messages": [{**HELLO[0], "name": "bob"}]},
        {"messages": said(image_part(url=picture(), detail="xhigh"))},
        {"messages": said(image_part(url=picture(), image_pixel_limit={"max_pixels": 9000}))},
        {"messages": said(image_part(url="https://example.com/a.png", detail=None))},
        {"messages": said({"type": "file", "file": {"file_url": "https://example.com/a.pdf"}})},
        {"messages": [*HELLO, {"role": "assistant", "content": None, "tool_calls": calls("a")}]},
        {"messages": [{"role": "assistant", "content": [image_part(url=picture())]}, *HELLO]},
        {"response_format": strict({"enum": [{"format": 1}], "default": {"minimum": 1}})},
        {"response_format": strict({"$ref": "#/$defs/a"})},
        {"thinking": {"type": "disabled"}, "logprobs": True, "logit_bias": {"1": 1}},
        {"model": "doubao-seed-character-251128", "frequency_penalty": 1},
        {"model": OLD, "frequency_penalty": -2, "presence_penalty": 2, "logit_bias": {"1": -100}},
        {"model": "deepseek-v4-pro-ga-260813", "logprobs": True, "stop": ["a"] * 16},
        {"model": "deepseek-v4-1-flash-260910", "reasoning_effort": "ultra"},
        {"model": "doubao-seed-1-6-250615", "thinking": {"type": "auto"}},
    ],
)
def test_a_right_request_is_answered(post, body):
    assert post(**body).status_code == 200


@pytest.mark.parametrize("name", ["doubao-nope", "doubao-seed-2-1-pro", "seed-2-0-pro-260328"])
def test_an_unknown_model_is_a_404(post, name):
    answer = post(model=name)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "InvalidEndpointOrModel.NotFound"
    assert name in answer.json()["error"]["message"]


def test_a_model_of_another_kind_is_refused(post):
    answer = post(model="doubao-embedding-vision-251215")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "model")


def test_an_endpoint_id_is_answered_by_a_real_model(post):
    assert post(model="ep-20260901120000-abcde").json()["model"] == PRO


def test_the_context_limit_is_arks_error(post):
    answer = post(model=OLD, messages=[{"role": "user", "content": "word " * 33_000}])
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "OutofContextError"


def test_a_marked_prompt_is_refused_by_content_safety(post):
    answer = post(messages=[{"role": "user", "content": f"please: {REFUSED_PHRASE}"}])
    assert answer.json()["error"]["code"] == "InputTextSensitiveContentDetected"


EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


@pytest.mark.parametrize(
    ("model", "default", "mapped"),
    [
        (PRO, "high", " , , low, medium, high, high, high"),
        (SEED_2_0, "medium", " , , low, medium, high, high, high"),
        ("glm-5-3-flash-260828", "max", "low, low, low, high, high, max, max"),
        ("glm-5-2-260617", "high", " , , high, high, high, max, max"),
        ("deepseek-v4-1-flash-260910", "high", " , low, low, high, high, high, max"),
        ("deepseek-v4-pro-ga-260813", "high", " , , low, low, high, high, max"),
    ],
)
def test_efforts_are_mapped_as_each_model_does(model, default, mapped):
    from doubao_emulator.clouds import ARK
    from doubao_emulator.models import ChatModel
    from doubao_emulator.wire import Fields

    found = ARK.find(model, ChatModel)
    decided = [
        chat_thinking.decide(Fields({"reasoning_effort": effort}), found, hard=True)
        for effort in (None, *EFFORTS)
    ]
    wanted = [default, *(level.strip() for level in mapped.split(","))]
    assert decided == [(bool(level), level) for level in wanted]


def test_less_effort_means_shorter_thoughts(post):
    spent = [
        post(reasoning_effort=effort).json()["usage"]["completion_tokens_details"]
        for effort in ("minimal", "low", "high")
    ]
    thought = [details["reasoning_tokens"] for details in spent]
    assert thought[0] == 0
    assert 0 < thought[1] < thought[2]


def test_auto_thinks_only_about_hard_questions(post):
    def thinks(question):
        message = [{"role": "user", "content": question}]
        body = {"model": "doubao-seed-1-6-250615", "thinking": {"type": "auto"}}
        answer = post(**body, messages=message).json()
        return "reasoning_content" in answer["choices"][0]["message"]

    assert not thinks("hi")
    assert thinks("Why does the moon raise two tides a day and not one?")


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
def test_pictures_cost_what_their_detail_says(post, model, fields, tokens):
    messages = said(image_part(url=picture((100, 60)), **fields))
    usage = post(model=model, messages=messages).json()["usage"]
    assert usage["prompt_tokens_details"]["image_tokens"] == tokens
    assert usage["prompt_tokens"] == tokens + usage["prompt_tokens_details"]["text_tokens"]


def test_byteplus_lacks_schemas_where_the_probe_says_so(emulator):
    body = {
        "messages": HELLO,
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}},
    }
    url = f"{emulator.byteplus_base_url}/chat/completions"
    headers = {"Authorization": "Bearer k"}
    answers = {
        model: httpx.post(url, json={"model": model, **body}, headers=headers)
        for model in ("seed-2-0-pro-260328", "seed-2-0-lite-260428", "glm-4-7-251222")
    }
    assert answers["seed-2-0-lite-260428"].status_code == 400
    content = answers["seed-2-0-pro-260328"].json()["choices"][0]["message"]["content"]
    assert content.startswith("{")
    ignored = answers["glm-4-7-251222"].json()["choices"][0]["message"]["content"]
    assert not ignored.startswith("{")
