"""The operations through clients that nobody here wrote: volcengine-ark-runtime and openai."""

import base64
import io
import json

import httpx
import openai
import pytest
from volcenginesdkarkruntime import Ark, AsyncArk
from volcenginesdkarkruntime import _exceptions as ark_errors

SUMMARY = "doubao-seed-2-1-pro-260915"
RAW = "doubao-seed-2-0-pro-260215"
HELLO = [{"role": "user", "content": "Hello"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
JSON_SCHEMA = {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON}}
ALICE = [{"role": "user", "content": "Alice is 30 years old."}]


@pytest.fixture
def ark(emulator):
    with httpx.Client() as line:
        yield Ark(base_url=emulator.base_url, api_key="k", max_retries=0, http_client=line)


@pytest.fixture
async def async_ark(emulator):
    async with httpx.AsyncClient() as line:
        yield AsyncArk(base_url=emulator.base_url, api_key="k", max_retries=0, http_client=line)


@pytest.fixture
def oai(emulator):
    with openai.OpenAI(base_url=emulator.base_url, api_key="k", max_retries=0) as client:
        yield client


@pytest.fixture
async def async_oai(emulator):
    async with openai.AsyncOpenAI(base_url=emulator.base_url, api_key="k", max_retries=0) as client:
        yield client


@pytest.fixture(params=["ark", "openai"])
def client(request, ark, oai):
    return {"ark": ark, "openai": oai}[request.param]


@pytest.fixture(params=["ark", "openai"])
def async_client(request, async_ark, async_oai):
    return {"ark": async_ark, "openai": async_oai}[request.param]


def test_a_plain_answer(client):
    answer = client.chat.completions.create(model=RAW, messages=HELLO)
    assert answer.model == RAW
    assert answer.choices[0].message.content.startswith("Hello!")
    assert answer.choices[0].finish_reason == "stop"
    assert answer.choices[0].message.reasoning_content
    assert answer.usage.completion_tokens_details.reasoning_tokens > 0
    assert answer.usage.prompt_tokens_details.cached_tokens == 0


async def test_a_plain_answer_async(async_client):
    answer = await async_client.chat.completions.create(model=RAW, messages=HELLO)
    assert answer.choices[0].message.content.startswith("Hello!")


def test_a_stream(client):
    chunks = list(
        client.chat.completions.create(
            model=RAW, messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
    )
    text = "".join(chunk.choices[0].delta.content for chunk in chunks if chunk.choices)
    assert text.startswith("Hello!")
    assert chunks[-1].choices == []
    assert chunks[-1].usage.total_tokens > 0


async def test_a_stream_async(async_client):
    stream = await async_client.chat.completions.create(model=RAW, messages=HELLO, stream=True)
    reasons = [chunk.choices[0].finish_reason async for chunk in stream]
    assert reasons[-1] == "stop"
    assert set(reasons[:-1]) == {None}


def test_a_tool_loop_with_sealed_thoughts(client):
    messages = [{"role": "user", "content": "What is the weather in Paris?"}]
    asked = client.chat.completions.create(model=SUMMARY, messages=messages, tools=[WEATHER])
    message = asked.choices[0].message
    call = message.tool_calls[0]
    assert asked.choices[0].finish_reason == "tool_calls"
    assert json.loads(call.function.arguments) == {"city": "Paris"}
    assert message.encrypted_content.startswith("dj")
    messages += [
        message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": "It is 21 degrees and sunny."},
    ]
    told = client.chat.completions.create(model=SUMMARY, messages=messages, tools=[WEATHER])
    assert told.choices[0].finish_reason == "stop"
    assert "21 degrees" in told.choices[0].message.content
    messages[1]["encrypted_content"] = message.encrypted_content[:-8] + "AAAAAAA="
    with pytest.raises((ark_errors.ArkBadRequestError, openai.BadRequestError)) as caught:
        client.chat.completions.create(model=SUMMARY, messages=messages, tools=[WEATHER])
    assert "Invalid signature" in str(caught.value)


def test_the_openai_sdk_accumulates_a_streamed_tool_call(oai):
    messages = [{"role": "user", "content": "What is the weather in Paris and Tokyo?"}]
    with oai.chat.completions.stream(model=SUMMARY, messages=messages, tools=[WEATHER]) as stream:
        for _ in stream:
            pass
        message = stream.get_final_completion().choices[0].message
    cities = [json.loads(call.function.arguments)["city"] for call in message.tool_calls]
    assert cities == ["Paris", "Tokyo"]


def test_structured_output(client):
    answer = client.chat.completions.create(model=RAW, messages=ALICE, response_format=JSON_SCHEMA)
    assert json.loads(answer.choices[0].message.content) == {"name": "Alice", "age": 30}


@pytest.mark.parametrize("thinking", ["enabled", "disabled"])
def test_thinking_is_switched(ark, thinking):
    answer = ark.chat.completions.create(model=RAW, messages=HELLO, thinking={"type": thinking})
    thought = answer.choices[0].message.reasoning_content
    assert bool(thought) == (thinking == "enabled")
    details = answer.usage.completion_tokens_details
    assert (details.reasoning_tokens > 0) == (thinking == "enabled")


def test_effort_none_switches_thinking_off(oai):
    answer = oai.chat.completions.create(model=RAW, messages=HELLO, reasoning_effort="none")
    assert not hasattr(answer.choices[0].message, "reasoning_content")


def test_a_long_shared_prefix_is_cached(client):
    system = {"role": "system", "content": "word " * 2100}
    first = client.chat.completions.create(model=RAW, messages=[system, *HELLO])
    second = client.chat.completions.create(
        model=RAW, messages=[system, {"role": "user", "content": "Another question"}]
    )
    other = client.chat.completions.create(model=SUMMARY, messages=[system, *HELLO])
    cached = [answer.usage.prompt_tokens_details.cached_tokens for answer in (first, second, other)]
    assert cached == [0, 2048, 0]


@pytest.mark.parametrize(
    ("fault", "ark_class", "openai_class", "code"),
    [
        (
            "rate_limit",
            ark_errors.ArkRateLimitError,
            openai.RateLimitError,
            "RateLimitExceeded.EndpointTPMExceeded",
        ),
        ("quota", ark_errors.ArkRateLimitError, openai.RateLimitError, "SetLimitExceeded"),
        (
            "server_error",
            ark_errors.ArkInternalServerError,
            openai.InternalServerError,
            "InternalServiceError",
        ),
        ("model_not_open", ark_errors.ArkNotFoundError, openai.NotFoundError, "ModelNotOpen"),
    ],
)
def test_error_answers_become_the_sdks_exceptions(
    emulator, ark, oai, fault, ark_class, openai_class, code
):
    with emulator.fault(fault):
        for client, expected in ((ark, ark_class), (oai, openai_class)):
            with pytest.raises(expected) as caught:
                client.chat.completions.create(model=RAW, messages=HELLO)
            assert caught.value.code == code


def test_a_wrong_request_becomes_a_bad_request(ark, oai):
    for client, expected in ((ark, ark_errors.ArkBadRequestError), (oai, openai.BadRequestError)):
        with pytest.raises(expected) as caught:
            client.chat.completions.create(model=RAW, messages=HELLO, temperature=3)
        assert (caught.value.code, caught.value.param) == ("InvalidParameter", "temperature")


def test_an_error_in_a_stream_is_raised(emulator, ark, oai):
    with emulator.fault("error_mid_stream", after_events=1):
        for client, expected in ((ark, ark_errors.ArkAPIError), (oai, openai.APIError)):
            stream = client.chat.completions.create(model=RAW, messages=HELLO, stream=True)
            with pytest.raises(expected, match="internal error"):
                list(stream)


def test_a_dead_connection_is_a_connection_error(emulator, ark, oai):
    with emulator.fault("reset_before_answer"):
        with pytest.raises(ark_errors.ArkAPIConnectionError):
            ark.chat.completions.create(model=RAW, messages=HELLO)
        with pytest.raises(openai.APIConnectionError):
            oai.chat.completions.create(model=RAW, messages=HELLO)


def test_the_arks_sdk_retries_what_the_service_answers_with_500(emulator):
    with httpx.Client() as line, emulator.fault("server_error", times=1):
        client = Ark(base_url=emulator.base_url, api_key="k", max_retries=1, http_client=line)
        client._calculate_retry_timeout = lambda *_: 0
        client.chat.completions.create(model=RAW, messages=HELLO)
    ids = [request.headers["x-client-request-id"] for request in emulator.requests]
    assert len(set(ids)) == 2


def test_text_embeddings(client):
    answer = client.embeddings.create(
        model="doubao-embedding-large-text-250515", input=["one", "two"], encoding_format="float"
    )
    assert [entry.index for entry in answer.data] == [0, 1]
    assert {len(entry.embedding) for entry in answer.data} == {2048}
    assert answer.usage.prompt_tokens == 2


async def test_text_embeddings_async(async_client):
    answer = await async_client.embeddings.create(
        model="doubao-embedding-text-240715", input="one", encoding_format="float"
    )
    assert len(answer.data[0].embedding) == 2560


def test_the_openai_sdk_decodes_base64_vectors_itself(oai):
    model = "doubao-embedding-large-text-250515"
    asked = oai.embeddings.create(model=model, input="a lighthouse", dimensions=256)
    plain = oai.embeddings.create(
        model=model, input="a lighthouse", dimensions=256, encoding_format="float"
    )
    assert asked.data[0].embedding == pytest.approx(plain.data[0].embedding)


def test_multimodal_embeddings(ark):
    answer = ark.multimodal_embeddings.create(
        model="doubao-embedding-vision-251215",
        input=[{"type": "text", "text": "red shoe"}],
        dimensions=1024,
    )
    assert len(answer.data.embedding) == 1024
    assert answer.usage["prompt_tokens_details"]["text_tokens"] == 2


async def test_multimodal_embeddings_async(async_ark):
    answer = await async_ark.multimodal_embeddings.create(
        model="doubao-embedding-vision-251215",
        input=[{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}],
    )
    assert len(answer.data.embedding) == 2048
    assert answer.usage["prompt_tokens_details"]["image_tokens"] > 0


def test_tokenization(ark):
    answer = ark.tokenization.create(model=RAW, text=["hello world", "灯塔"])
    assert [entry.total_tokens for entry in answer.data] == [2, 2]
    assert answer.data[0].offset_mapping == [[0, 5], [5, 11]]
    assert len(answer.data[1].token_ids) == 2


async def test_tokenization_async(async_ark):
    answer = await async_ark.tokenization.create(model=RAW, text="hello")
    assert answer.data[0].total_tokens == 1


def test_a_file_from_upload_to_deletion(ark):
    content = base64.b64decode("JVBERi0xLjQK")
    file = ark.files.create(file=("a.pdf", io.BytesIO(content)), purpose="user_data")
    assert (file.filename, file.status, file.bytes) == ("a.pdf", "active", len(content))
    assert ark.files.retrieve(file.id).id == file.id
    assert [entry.id for entry in ark.files.list()] == [file.id]
    assert ark.files.delete(file.id).deleted is True
    with pytest.raises(ark_errors.ArkNotFoundError):
        ark.files.retrieve(file.id)


async def test_a_file_async(async_ark):
    file = await async_ark.files.create(file=("a.txt", b"hello"), purpose="user_data")
    assert (await async_ark.files.retrieve(file.id)).mime_type == "text/plain"
    assert (await async_ark.files.delete(file.id)).deleted is True


async def test_the_openai_sdk_lists_the_models(oai, async_oai):
    """The vendor's own SDK has no such method (ark.md 3.1)."""
    listed = oai.models.list().data
    assert RAW in {model.id for model in listed}
    assert [model.id for model in (await async_oai.models.list()).data] == [
        model.id for model in listed
    ]
    with pytest.raises(openai.AuthenticationError):
        oai.models.list(extra_headers={"Authorization": "Basic k"})
