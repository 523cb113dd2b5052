"""`POST /images/generations` as the official SDK and the openai SDK use it (ark.md 14)."""

import base64
import io
import json

import httpx
import pytest
from openai import OpenAI
from PIL import Image
from volcenginesdkarkruntime import Ark, AsyncArk
from volcenginesdkarkruntime._exceptions import ArkAPIError, ArkBadRequestError, ArkNotFoundError
from volcenginesdkarkruntime.types.images import SequentialImageGenerationOptions

from doubao_emulator.chat_request import REFUSED_PHRASE

LITE = "doubao-seedream-5-0-260128"
PRO = "doubao-seedream-5-0-pro-260628"
KEY = "a key"
AUTO = {"sequential_image_generation": "auto"}


def most(count):
    return SequentialImageGenerationOptions(max_images=count)


def data_url(size=(64, 64), file_format="png", mode="RGB"):
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, file_format)
    return f"data:image/{file_format};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def opened(data):
    picture = Image.open(io.BytesIO(data))
    picture.load()
    return picture


@pytest.fixture
def client(emulator):
    with httpx.Client() as http_client:
        yield Ark(base_url=emulator.base_url, api_key=KEY, max_retries=0, http_client=http_client)


@pytest.fixture
def stream(emulator):
    """Return the raw bytes of a stream."""

    def read(**body):
        body = {"model": LITE, "prompt": "a cat", "stream": True, **body}
        headers = {"Authorization": f"Bearer {KEY}"}
        url = f"{emulator.base_url}/images/generations"
        answer = httpx.post(url, json=body, headers=headers, timeout=30)
        assert answer.headers["content-type"].startswith("text/event-stream")
        return answer.text

    return read


def test_a_picture_can_be_downloaded_in_the_size_that_the_answer_states(client):
    answer = client.images.generate(model=LITE, prompt="a cat, 16:9", size="2K")
    (item,) = answer.data
    assert item.size == "2848x1600"
    assert answer.model == LITE
    assert answer.created > 0
    assert answer.usage.generated_images == 1
    assert answer.usage.output_tokens == answer.usage.total_tokens == 17_800
    picture = opened(httpx.get(item.url).content)
    assert (picture.size, picture.format) == ((2848, 1600), "JPEG")


async def test_the_async_client_gets_the_same(emulator):
    async with httpx.AsyncClient() as http_client:
        client = AsyncArk(base_url=emulator.base_url, api_key=KEY, http_client=http_client)
        answer = await client.images.generate(
            model=LITE, prompt="a cat", size="2048x2048", output_format="png"
        )
        data = (await http_client.get(answer.data[0].url)).content
    assert (opened(data).size, opened(data).format) == ((2048, 2048), "PNG")


def test_the_openai_client_gets_base64(emulator):
    with OpenAI(base_url=emulator.base_url, api_key=KEY) as client:
        answer = client.images.generate(
            model=PRO, prompt="a cat", size="1024x1024", response_format="b64_json"
        )
    (item,) = answer.data
    assert item.url is None
    assert opened(base64.b64decode(item.b64_json)).size == (1024, 1024)


def test_an_endpoint_id_stands_for_the_default_model_and_the_real_name_is_answered(client):
    answer = client.images.generate(model="ep-20260101000000-abcde", prompt="a cat")
    assert answer.model == LITE


def test_byteplus_has_its_own_names(emulator):
    with httpx.Client() as http_client:
        client = Ark(base_url=emulator.byteplus_base_url, api_key=KEY, http_client=http_client)
        model = "dola-seedream-5-0-pro-260628"
        assert client.images.generate(model=model, prompt="a cat").model == model
        with pytest.raises(ArkNotFoundError):
            client.images.generate(model=PRO, prompt="a cat")


@pytest.mark.parametrize(
    ("prompt", "options", "count"),
    [
        ("four pictures of a cat", None, 4),
        ("3 images of a cat", most(15), 3),
        ("画四张猫的图", None, 4),
        ("十二张图", None, 12),
        ("Two watercolour illustrations", most(15), 2),
        ("nine pictures", most(5), 5),
        ("a cat", most(2), 2),
        ("a cat", SequentialImageGenerationOptions(max_images=None), 4),
    ],
)
def test_the_prompt_decides_how_many_up_to_the_bound(client, prompt, options, count):
    answer = client.images.generate(
        model=LITE, prompt=prompt, sequential_image_generation_options=options, **AUTO
    )
    assert len(answer.data) == answer.usage.generated_images == count
    assert len({item.url for item in answer.data}) == count


def test_references_and_outputs_together_are_fifteen_at_most(client):
    references = [data_url()] * 13
    answer = client.images.generate(model=LITE, prompt="ten pictures", image=references, **AUTO)
    assert len(answer.data) == 2
    with pytest.raises(ArkBadRequestError, match="must not exceed 15") as caught:
        client.images.generate(
            model=LITE,
            prompt="a cat",
            image=references,
            sequential_image_generation_options=most(3),
            **AUTO,
        )
    assert caught.value.param == "sequential_image_generation_options.max_images"


def test_the_pictures_of_a_group_differ_and_are_repeatable(client):
    def pictures():
        answer = client.images.generate(
            model=LITE, prompt="two pictures", response_format="b64_json", **AUTO
        )
        return [item.b64_json for item in answer.data]

    first = pictures()
    assert first[0] != first[1]
    assert pictures() == first


def test_pro_answers_the_format_and_counts_references(client):
    answer = client.images.generate(
        model=PRO, prompt="a cat", image=data_url(), output_format="png"
    )
    assert answer.data[0].output_format == "png"
    assert answer.usage.input_images == 1


@pytest.mark.parametrize(
    ("prompt", "image", "size"),
    [
        ("a cat", None, "2048x2048"),
        ("a portrait of a cat", None, "1728x2304"),
        ("竖屏的猫", None, "1600x2848"),
        ("a cat, 3:2", None, "2496x1664"),
        ("a cat at 5:7 in the morning", None, "2048x2048"),
        ("a cat", data_url((300, 128)), "3136x1344"),
        ("a cat, 1:1", data_url((300, 128)), "2048x2048"),
    ],
)
def test_a_level_takes_its_ratio_from_the_prompt_or_the_reference(client, prompt, image, size):
    answer = client.images.generate(model=LITE, prompt=prompt, image=image, size="2K")
    assert answer.data[0].size == size


def test_seededit_adapts_to_the_shape_of_its_picture(client):
    answer = client.images.generate(
        model="doubao-seededit-3-0-i2i-250628",
        prompt="make it blue",
        image=data_url((200, 100)),
        size="adaptive",
        seed=11,
        guidance_scale=5.5,
    )
    assert answer.data[0].size == "1456x720"


def test_a_transparent_picture_keeps_the_alpha_of_its_reference(client):
    answer = client.images.generate(
        model=PRO,
        prompt="a cat",
        image=data_url(mode="RGBA"),
        output_format="png",
        response_format="b64_json",
        extra_body={"background": "transparent"},
    )
    picture = opened(base64.b64decode(answer.data[0].b64_json))
    assert picture.mode == "RGBA"
    assert picture.getextrema()[3] == (0, 0)


def test_an_earlier_result_can_be_a_reference(client):
    first = client.images.generate(model=LITE, prompt="a cat, 21:9", size="2K").data[0]
    second = client.images.generate(model=LITE, prompt="again", image=first.url, size="2K")
    assert second.data[0].size == "3136x1344"
    assert httpx.get(second.data[0].url).status_code == 200


def test_a_link_to_another_host_is_believed_and_never_fetched(client):
    answer = client.images.generate(
        model=LITE, prompt="a cat", image="https://example.com/yard.png?secret=1"
    )
    assert httpx.get(answer.data[0].url).status_code == 200


def test_web_search_is_reported_as_not_done(emulator):
    body = {"model": LITE, "prompt": "news", "tools": [{"type": "web_search"}]}
    headers = {"Authorization": f"Bearer {KEY}"}
    url = f"{emulator.base_url}/images/generations"
    answer = httpx.post(url, json=body, headers=headers).json()
    assert answer["tools"] == [{"type": "web_search"}]
    assert answer["usage"]["tool_usage"] == {"web_search": 0}


def test_a_sensitive_prompt_is_refused(client):
    with pytest.raises(ArkBadRequestError) as caught:
        client.images.generate(model=LITE, prompt=f"a cat {REFUSED_PHRASE}")
    assert caught.value.code == "InputTextSensitiveContentDetected"


def test_a_failed_picture_of_a_group_leaves_an_error_in_its_slot(emulator, client):
    with emulator.fault("group_image_failed", index=1):
        answer = client.images.generate(model=LITE, prompt="three pictures", **AUTO)
    good, bad, other = answer.data
    assert good.url
    assert other.url
    assert bad.url is None
    assert bad.error["code"] == "OutputImageSensitiveContentDetected"
    assert answer.usage.generated_images == 2
    assert answer.usage.output_tokens == 2 * 2048 * 2048 // 256


def test_an_internal_error_stops_the_rest_of_a_group(emulator, client):
    with emulator.fault("group_image_failed", index=1, code="InternalServiceError"):
        answer = client.images.generate(model=LITE, prompt="five pictures", **AUTO)
    assert ["error" in item.to_dict() for item in answer.data] == [False, True]


def test_when_every_picture_failed_the_error_is_at_the_top(emulator, client):
    with emulator.fault("group_image_failed", message="The picture failed."):
        answer = client.images.generate(model=LITE, prompt="a cat")
    assert answer.error.code == "OutputImageSensitiveContentDetected"
    assert answer.error.message.startswith("The picture failed. Request id: 02")
    assert not answer.data
    assert answer.usage is None


def test_a_stream_is_framed_as_the_document_prints_it(stream):
    text = stream(prompt="two pictures", **AUTO)
    *frames, end = text.split("\n\n")
    assert end == ""
    assert frames.pop() == "data: [DONE]"
    payloads = []
    for frame in frames:
        event, data = frame.split("\n")
        payload = json.loads(data.removeprefix("data: "))
        assert event == f"event: {payload['type']}"
        payloads.append(payload)
    assert [list(payload) for payload in payloads] == [
        ["type", "model", "created", "image_index", "url", "size"],
        ["type", "model", "created", "image_index", "url", "size"],
        ["type", "model", "created", "usage"],
    ]
    assert [payload["type"].removeprefix("image_generation.") for payload in payloads] == [
        "partial_succeeded",
        "partial_succeeded",
        "completed",
    ]
    assert [payload["image_index"] for payload in payloads[:2]] == [0, 1]
    assert payloads[2]["usage"]["generated_images"] == 2


def test_a_failed_picture_in_a_stream_is_an_event_and_the_others_follow(emulator, stream):
    with emulator.fault("group_image_failed", index=0):
        text = stream(prompt="two pictures", **AUTO)
    payloads = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
    failed, succeeded, completed = payloads
    assert failed["type"] == "image_generation.partial_failed"
    assert set(failed["error"]) == {"code", "message"}
    assert (succeeded["type"], succeeded["image_index"]) == (
        "image_generation.partial_succeeded",
        1,
    )
    assert completed["usage"]["generated_images"] == 1


def test_a_stream_without_any_picture_ends_with_an_error(emulator, stream):
    with emulator.fault("group_image_failed"):
        frames = stream().split("\n\n")
    assert json.loads(frames[-3].removeprefix("data: "))["error"]["code"]
    assert frames[-2] == "data: [DONE]"


def test_the_sdk_reads_the_stream(client):
    events = client.images.generate(
        model=LITE,
        prompt="two pictures",
        stream=True,
        response_format="b64_json",
        **AUTO,
    )
    *pictures, completed = list(events)
    assert [opened(base64.b64decode(event.b64_json)).size for event in pictures] == [
        (2048, 2048)
    ] * 2
    assert completed.type == "image_generation.completed"


async def test_the_async_sdk_reads_the_stream(emulator):
    async with httpx.AsyncClient() as http_client:
        client = AsyncArk(base_url=emulator.base_url, api_key=KEY, http_client=http_client)
        events = await client.images.generate(model=LITE, prompt="a cat", stream=True)
        types = [event.type async for event in events]
    assert types == ["image_generation.partial_succeeded", "image_generation.completed"]


def test_the_stock_sdk_stops_at_a_failed_picture(emulator, client):
    with emulator.fault("group_image_failed", index=0), pytest.raises(ArkAPIError):
        list(client.images.generate(model=LITE, prompt="two pictures", stream=True, **AUTO))
