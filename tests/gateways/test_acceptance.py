"""The acceptance checks of the gateways (gateways.md 7), one group each, over HTTP.

Checks 1 and 8 are in ``test_acceptance_answers.py``; what check 5 says of webhooks is in the tests
of the webhooks.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from langchain_core.tools import BaseTool
from llama_index.core.llms import ChatMessage
from llama_index.core.tools.calling import acall_tool, call_tool

from doubao_core import (
    AmbiguousSubmit,
    DoubaoError,
    InsufficientCredits,
    RateLimited,
    UnsupportedOperation,
)
from doubao_core.gateways import known
from doubao_core.prices import estimate
from doubao_emulator import AfterReads, Immediate
from langchain_doubao import ChatDoubao, SeedanceVideoTool, SeedreamImageTool
from llamaindex_doubao import Doubao, DoubaoToolSpec

HELLO = [{"role": "user", "content": "hi"}]
LITE = "doubao-seed-1-6-lite-251015"
TEXT = [{"type": "text", "text": "图片中的女士,开着跑车冲出展台。"}]
CITY = "A futuristic city with flying cars and neon lights"


# Check 2

STREAM = (
    'data: {"choices":[{"index":0,"delta":{"content":"Hel"}}]}\n\n'
    'data: {"choices":[{"index":0,"delta":{"content":"lo 你好"},"finish_reason":"stop"}]}\n\n'
    "data: [DONE]\n\n"
).encode()


@pytest.mark.parametrize("provider", ["openai-compatible", "xroute", "anyfast"])
def test_a_stream_is_the_same_text_wherever_it_is_cut(ask, at, emulator, provider):
    """Check 2. Shows R000-09, R000-10: at every byte, inside of a Chinese character too."""

    def stream(client):
        return client.stream_chat(model=LITE, messages=HELLO)

    for cut in range(len(STREAM) + 1):
        emulator.answer(events=[each for each in (STREAM[:cut], STREAM[cut:]) if each])
        events = ask(at(provider), stream)
        assert "".join(event.content for event in events) == "Hello 你好", cut
        assert [each.finish_reason for each in events if each.finish_reason] == ["stop"]


# Check 3


@pytest.mark.parametrize("stop", ["x", ["x"]])
def test_stop_is_sent_as_it_is_given(ask, at, emulator, stop):
    """Check 3. Shows R001-10."""
    ask(at("anyfast"), lambda client: client.chat(model=LITE, messages=HELLO, stop=stop))
    assert emulator.requests[-1].body == {"model": LITE, "messages": HELLO, "stop": stop}


def body_of(reason):
    message = {"role": "assistant", "content": "Hel"}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1760500000,
        "model": LITE,
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
    }


@pytest.mark.parametrize("reason", [None, "content_filter"])
def test_an_answer_needs_no_usage_and_no_reason_to_be_one(ask, at, emulator, reason):
    """Check 3. Shows R001-12, R001-13."""
    emulator.answer(body=body_of(reason))
    answer = ask(at("anyfast"), lambda client: client.chat(model=LITE, messages=HELLO))
    assert (answer.content, answer.finish_reason, answer.usage) == ("Hel", reason, None)


@pytest.mark.parametrize("reason", [None, "content_filter"])
def test_the_frameworks_take_such_answers_too(at, emulator, reason):
    """Check 3. Shows R001-12, R001-13."""
    emulator.answer(body=body_of(reason), times=4)
    chat = ChatDoubao(model=LITE, **at("anyfast"))
    for message in (chat.invoke("hi"), asyncio.run(chat.ainvoke("hi"))):
        assert (message.content, message.usage_metadata) == ("Hel", None)
        assert message.response_metadata.get("finish_reason") == reason
    llm = Doubao(model=LITE, **at("anyfast"))
    asked = [ChatMessage("hi")]
    for answer in (llm.chat(asked), asyncio.run(llm.achat(asked))):
        assert answer.message.content == "Hel"
        assert answer.raw["choices"][0]["finish_reason"] == reason


# Check 4


def test_the_printed_film_is_asked_for_and_read_as_it_is_printed(ask, at, emulator):
    """Check 4. Shows R002-02, R002-06, R002-12, R002-14: what was chosen replaces ``adaptive``."""
    picture = {"type": "image_url", "image_url": {"url": "https://media.example/16x9.jpeg"}}
    wanted = {
        "model": "seedance-1-0-pro-250528",
        "content": [*TEXT, picture],
        "ratio": "adaptive",
        "duration": 6,
        "watermark": False,
    }
    made = ask(at("agentsflare"), lambda client: client.create_video(**wanted))
    sent = emulator.requests[-1]
    assert (sent.method, sent.body) == ("POST", wanted)
    assert sent.path == "/agentsflare/byteplus/v3/contents/generations/tasks"
    task = ask(at("agentsflare"), lambda client: client.get_video(made.id))
    assert emulator.requests[-1].path == f"{sent.path}/{made.id}"
    assert (task.status, task.raw["ratio"], task.raw["resolution"]) == (
        "succeeded",
        "16:9",
        "1080p",
    )
    assert estimate(wanted).tokens == task.completion_tokens == 295_800


# Check 5, but for webhooks


@pytest.mark.parametrize("key", ["generate", "generateImage", "generateimage"])
def test_a_picture_of_doitong_is_found_under_each_key(ask, gate, key):
    """Check 5. Shows R003-03, R003-04, R003-09."""
    url = "https://cdn.doitong.com/outputs/abc123xyz.jpg"
    gate.answer({"data": {key: {"id": "abc123xyz", "status": "completed", "url": url}}})
    found = ask(
        gate.settings("doitong"), lambda client: client.create_images(model="seedream", prompt=CITY)
    )
    assert (found.task_id, found.images[0].url) == ("abc123xyz", url)


@pytest.mark.parametrize("status", [200, 402])
def test_missing_credits_are_an_error_under_any_status(ask, gate, status):
    """Check 5. Shows R003-15, R003-16."""
    facts = {"code": "INSUFFICIENT_CREDITS", "creditsRequired": 100, "creditsAvailable": 50}
    gate.answer({"errors": [{"message": "Insufficient credits", "extensions": facts}]}, status)
    with pytest.raises(InsufficientCredits) as caught:
        ask(
            gate.settings("doitong"),
            lambda client: client.create_images(model="seedream", prompt=CITY),
        )
    assert caught.value.body["extensions"] == facts
    assert len(gate.asked) == 1


def test_a_picture_that_nobody_can_ask_for_says_so(ask, gate):
    """Check 5. Shows R003-10: its id is not lost, and looking it up is refused by name."""
    gate.answer({"data": {"generate": {"id": "abc", "status": "processing", "url": None}}})
    settings = gate.settings("doitong")
    found = ask(settings, lambda client: client.create_images(model="seedream", prompt=CITY))
    assert (found.status, found.task_id) == ("running", "abc")
    assert "wait for the webhook" in str(found.images[0].error)
    with pytest.raises(UnsupportedOperation, match=r"'doitong' does not offer images\.get"):
        ask(settings, lambda client: client.get_images("abc"))
    assert len(gate.asked) == 1


# Check 6

DONE = {"task_id": "t1", "status": "completed", "result": {"video_url": "https://a.example/v.mp4"}}


@pytest.mark.parametrize("body", [DONE, {"status": "success", "data": DONE}])
def test_an_answer_may_be_in_an_envelope_or_bare(ask, gate, body):
    """Check 6. Shows R004-23."""
    gate.answer(body)
    task = ask(gate.settings("seedance2api"), lambda client: client.get_video("t1"))
    assert (task.status, task.video_url) == ("succeeded", "https://a.example/v.mp4")


def test_pictures_come_at_once_or_as_a_task(ask, at, emulator, naps):
    """Check 6. Shows R004-04, R004-24, R004-27."""

    def make(client):
        return client.create_images(model="seedream-4.5", prompt="tea")

    assert ask(at("seedance2api"), make).images[0].url
    assert (len(emulator.requests), naps) == (1, [])
    emulator.world.progress = AfterReads(1)
    try:
        assert ask(at("seedance2api"), make).images[0].url
    finally:
        emulator.world.progress = Immediate()
    assert naps == [2.0, 3.0]


def test_a_task_without_its_result_costs_one_more_look(ask, gate):
    """Check 6. Shows R004-24."""
    gate.answer({"task_id": "t1", "status": "completed"})
    gate.answer(DONE)
    task = ask(gate.settings("seedance2api"), lambda client: client.get_video("t1"))
    assert task.video_url == "https://a.example/v.mp4"
    assert [each.path for each in gate.asked] == ["/v1/tasks/t1", "/v1/results/t1"]


def test_a_link_to_another_host_is_not_followed(ask, gate):
    """Check 6. Shows R004-22: it may say what it likes, the documented path is asked."""
    url = "http://127.0.0.1:9/v1/tasks/t1"
    data = {"task_id": "t1", "status": "queued", "check_status_url": url}
    gate.answer({"status": "accepted", "data": data})
    gate.answer(DONE)
    settings = gate.settings("seedance2api")
    wanted = {"model": "seedance-2.0", "content": TEXT, "duration": 5}
    made = ask(settings, lambda client: client.create_video(**wanted))
    assert made.raw["native"]["data"]["check_status_url"] == url
    assert ask(settings, lambda client: client.get_video(made.id)).status == "succeeded"
    assert gate.asked[-1].path == "/v1/tasks/t1"


def test_a_waiting_time_counts_for_a_refusal_only(ask, gate, naps):
    """Check 6. Shows R004-32."""
    gate.answer(DONE, X_RateLimit_RetryAfter="3600")
    refusal = {"status": "error", "error": {"code": "RATE_LIMITED", "message": "Slower."}}
    gate.answer(refusal, 429, X_RateLimit_RetryAfter="7")
    gate.answer(DONE)
    settings = gate.settings("seedance2api", max_retries=1)
    for pauses in ([], [7.0]):
        assert ask(settings, lambda client: client.get_video("t1")).status == "succeeded"
        assert naps == pauses


# Check 7

MAKING = {
    "images.create": lambda client: client.create_images(model="m", prompt="tea"),
    "videos.create": lambda client: client.create_video(model="m", content=TEXT, duration=5),
}
CREATES = [
    (name, operation)
    for name, gateway in sorted(known().items())
    for operation in sorted(MAKING.keys() & gateway.routes.keys())
    if name not in {"ark", "byteplus", "byteplus-eu", "emulator"}
]
DIALECTS = ["agentsflare", "anyfast", "doitong", "seedance2api", "vibegen"]


@pytest.mark.filterwarnings("ignore::doubao_core.ProfileWarning")
def test_a_create_whose_answer_does_not_come_is_sent_once(ask, at, emulator):
    """Check 7. Shows R003-25: every paid request of every gateway, with retries allowed."""

    def make(case):
        name, operation = case
        dialect = next(each for each in DIALECTS if name.startswith(each))
        headers = {"X-Case": f"{name} {operation}"}
        more = {"timeout": 0.5, "max_retries": 2, "default_headers": headers}
        with pytest.raises(AmbiguousSubmit) as caught:
            ask({**at(name, dialect), **more}, MAKING[operation])
        return caught.value

    with emulator.fault("hang"), ThreadPoolExecutor(len(CREATES)) as threads:
        failures = list(threads.map(make, CREATES))
    assert {each.intent["operation"] for each in failures} == MAKING.keys()
    sent = Counter(each.headers["x-case"] for each in emulator.requests if each.method == "POST")
    assert sent == {f"{name} {operation}": 1 for name, operation in CREATES}


def test_the_creates_of_every_gateway_are_among_them():
    """Check 7."""
    assert {name for name, _ in CREATES} >= {
        *("agentsflare", "anyfast", "doitong", "doitong-generate-image", "doitong-rest"),
        *("seedance2api", "seedance2api-x-api-key", "vibegen"),
    }


# Check 9


def test_an_empty_balance_is_not_asked_again(ask, gate, naps):
    """Check 9. Shows R002-20: at Agentsflare it has the status of too many requests."""
    settings = gate.settings("agentsflare", max_retries=2)
    gate.answer({"statusCode": 429, "message": "Insufficient balance, please top up"}, 429)
    with pytest.raises(InsufficientCredits, match="balance"):
        ask(settings, lambda client: client.create_video(model="m", content=TEXT))
    assert (len(gate.asked), naps) == (1, [])
    for _ in range(3):
        gate.answer({"statusCode": 429, "message": "Too many requests"}, 429)
    with pytest.raises(RateLimited):
        ask(settings, lambda client: client.create_video(model="m", content=TEXT))
    assert (len(gate.asked), len(naps)) == (4, 2)


# Check 10

SIGNATURE = "X-Tos-Signature=5f0c9d"
PAYLOAD = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ" * 4
PICTURES = ["doitong", "doitong-rest", "seedance2api", "seedance2api-x-api-key", "anyfast"]
FILMS = ["agentsflare", "seedance2api", "anyfast", "vibegen"]


def refusal_of(provider, key):
    """A refusal that repeats all that must not be repeated, in the gateway's own form."""
    text = f"Bearer {key} {key} https://b.example/x.png?{SIGNATURE} data:image/png;base64,{PAYLOAD}"
    if provider.startswith("doitong"):
        return {"errors": [{"message": text}]}
    if provider == "agentsflare":
        return {"statusCode": 400, "message": text}
    return {"status": "error", "error": {"code": "odd", "message": text}}


def assert_silent(text, key):
    assert text
    assert [each for each in (key, SIGNATURE, PAYLOAD) if each in text] == []


@pytest.fixture(params=["sync", "async"])
def told(request):
    """Return what a tool of either framework tells its model."""

    def call(tool, **arguments):
        if isinstance(tool, BaseTool):
            wanted = {"name": tool.name, "args": arguments, "id": "1", "type": "tool_call"}
            if request.param == "sync":
                return tool.invoke(wanted).content
            return asyncio.run(tool.ainvoke(wanted)).content
        if request.param == "sync":
            return call_tool(tool, arguments).content
        return asyncio.run(acall_tool(tool, arguments)).content

    return call


@pytest.mark.parametrize("status", [400, 401, 429, 500])
@pytest.mark.parametrize("provider", sorted({*PICTURES, *FILMS, "xroute", "openai-compatible"}))
@pytest.mark.filterwarnings("ignore::doubao_core.ProfileWarning")
def test_no_secret_is_in_an_error_or_a_log(ask, gate, caplog, provider, status):
    """Check 10. Shows R000-25, R000-52, R003-33, R004-44."""
    caplog.set_level(logging.DEBUG)
    settings = gate.settings(provider)
    gate.answer(refusal_of(provider, settings["api_key"]), status)

    def call(client):
        if provider in PICTURES:
            return client.create_images(model="m", prompt="tea")
        if provider in FILMS:
            return client.create_video(model="m", content=TEXT)
        return client.chat(model="m", messages=HELLO)

    with pytest.raises(DoubaoError) as caught:
        ask(settings, call)
    text = "".join(traceback.format_exception(caught.value))
    assert_silent(f"{text}{caught.value!r}{caplog.text}", settings["api_key"])


@pytest.mark.parametrize("provider", PICTURES)
def test_no_secret_is_told_to_a_model_that_wanted_a_picture(told, gate, tmp_path, provider):
    """Check 10. Shows R000-25, R003-33."""
    settings = gate.settings(provider)
    for _ in range(2):
        gate.answer(refusal_of(provider, settings["api_key"]), 400)
    tool = SeedreamImageTool(model="seedream-4.5", output_dir=tmp_path, **settings)
    assert_silent(told(tool, prompt="tea"), settings["api_key"])
    spec = DoubaoToolSpec(image_model="seedream-4.5", output_dir=tmp_path, **settings)
    by_name = {each.metadata.name: each for each in spec.to_tool_list()}
    assert_silent(told(by_name["generate_image"], prompt="tea"), settings["api_key"])
    assert len(gate.asked) == 2


@pytest.mark.parametrize("provider", FILMS)
@pytest.mark.filterwarnings("ignore::doubao_core.ProfileWarning")
def test_no_secret_is_told_to_a_model_that_wanted_a_film(told, gate, tmp_path, provider):
    """Check 10. Shows R000-25."""
    settings = gate.settings(provider)
    gate.answer(refusal_of(provider, settings["api_key"]), 400)
    tool = SeedanceVideoTool(model="seedance-1.5-pro", output_dir=tmp_path, **settings)
    said = told(tool, prompt="tea", duration=5, resolution="720p")
    assert_silent(said, settings["api_key"])
    assert len(gate.asked) == 1
