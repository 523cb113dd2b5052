"""What the seed documents ask for and only a whole call shows: limits, summaries, traces, sight."""

from __future__ import annotations

import inspect
from typing import Any, get_args

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tracers import BaseTracer
from langsmith.client import RUN_TYPE_T
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, TextBlock
from llama_index.core.response_synthesizers import TreeSummarize

from doubao_core import Client, InvalidRequest, ProfileWarning
from langchain_doubao import (
    ChatDoubao,
    DoubaoModeration,
    SeedanceVideoTool,
    SeedreamImageTool,
)
from llamaindex_doubao import Doubao, DoubaoToolSpec

MODEL = "doubao-seed-2-1-pro-260915"
LITE = "doubao-seed-1-6-lite-251015"
CHATS = ["xroute", "anyfast", "openai-compatible"]
HELLO = [{"role": "user", "content": "hi"}]
SMALL_PICTURE = "https://pictures.example/tea.png"


def answered(gate):
    message = {"role": "assistant", "content": "Hello."}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    whole = {"id": "c", "object": "chat.completion", "created": 1, "model": LITE}
    gate.answer({**whole, "choices": [choice]})


@pytest.mark.parametrize(
    ("field", "low", "high", "step"),
    [
        ("max_tokens", 1, 8192, 1),
        ("temperature", 0, 2, 0.1),
        ("top_p", 0, 1, 0.1),
        ("frequency_penalty", -2, 2, 0.1),
        ("presence_penalty", -2, 2, 0.1),
    ],
)
def test_the_ranges_of_anyfast_are_known_and_the_gateway_decides(ask, gate, field, low, high, step):
    """R001-04, R001-05, R001-06, R001-07, R001-08: to the bounds in silence, beyond with a word."""

    def chat(value):
        answered(gate)
        said = ask(
            gate.settings("anyfast"),
            lambda client: client.chat(model="m", messages=HELLO, **{field: value}),
        )
        assert said.content == "Hello."
        assert gate.asked[-1].body[field] == value

    for kept in (low, high):
        chat(kept)
    for broken, word in ((low - step, "below"), (high + step, "above")):
        with pytest.warns(ProfileWarning, match=f"{field} is .*, {word} "):
            chat(broken)


def test_a_conversation_without_a_message_is_refused(ask, at):
    """R001-03: at least one."""
    with pytest.raises(InvalidRequest, match="messages"):
        ask(at("anyfast"), lambda client: client.chat(model=LITE, messages=[]))


@pytest.mark.parametrize("provider", CHATS)
async def test_a_chain_of_each_framework_summarises(at, emulator, provider):
    """R000-43."""
    prompt = ChatPromptTemplate.from_template("Summarise in one sentence:\n{text}")
    chain = prompt | ChatDoubao(model=LITE, **at(provider)) | StrOutputParser()
    emulator.answer("Tea is picked early.", times=3)
    asked = {"text": "Longjing is picked before Qingming."}
    assert [chain.invoke(asked), await chain.ainvoke(asked)] == ["Tea is picked early."] * 2
    tree = TreeSummarize(llm=Doubao(model=LITE, **at(provider)))
    assert tree.get_response("What of tea?", [asked["text"]]) == "Tea is picked early."
    assert all(asked["text"] in str(each.body["messages"]) for each in emulator.requests)


class Runs(BaseTracer):
    """Keeps each run that ended."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: list[Any] = []

    def _persist_run(self, run: Any) -> None:
        """Nothing is kept elsewhere."""

    def _end_trace(self, run: Any) -> None:
        self.ended.append(run)
        super()._end_trace(run)


@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream", "astream"])
async def test_a_trace_has_model_usage_and_request_id(at, emulator, way):
    """R000-53."""
    runs = Runs()
    chat = ChatDoubao(model=MODEL, provider="ark", base_url=emulator.base_url, api_key="k-0123456")
    called = getattr(chat, way)("hi", config={"callbacks": [runs]})
    if way == "astream":
        [_ async for _ in called]
    elif way == "ainvoke":
        await called
    elif way == "stream":
        list(called)
    (run,) = runs.ended
    message = run.outputs["generations"][0][0]["message"]["kwargs"]
    assert run.extra["metadata"]["ls_model_name"] == MODEL
    assert message["usage_metadata"]["total_tokens"] > 0
    assert message["response_metadata"]["model_name"]
    assert message["response_metadata"]["request_id"]


async def test_moderation_is_traced_as_a_run_that_langsmith_takes(at, emulator):
    """R000-19, R000-53: a run of another type is refused there, with the whole batch of runs."""
    runs = Runs()
    allowed = DoubaoModeration(**at("openai-compatible"))
    allowed.invoke("tea", config={"callbacks": [runs]})
    await allowed.ainvoke("tea", config={"callbacks": [runs]})
    assert len(runs.ended) == 2
    assert {run.run_type for run in runs.ended} <= set(get_args(RUN_TYPE_T))
    assert at("openai-compatible")["api_key"] not in str([vars(run) for run in runs.ended])


@pytest.mark.parametrize("provider", CHATS)
async def test_pictures_go_into_chats_of_both_frameworks(ask, gate, provider):
    """R000-55."""
    answered(gate)
    seen = [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": SMALL_PICTURE}},
    ]
    ChatDoubao(model=LITE, **gate.settings(provider)).invoke([HumanMessage(seen)])
    answered(gate)
    blocks = [TextBlock(text="What is it?"), ImageBlock(url=SMALL_PICTURE)]
    Doubao(model=LITE, **gate.settings(provider)).chat([ChatMessage(role="user", blocks=blocks)])
    for asked in gate.asked:
        (message,) = asked.body["messages"]
        text, picture = message["content"]
        assert (text["text"], picture["image_url"]["url"]) == ("What is it?", SMALL_PICTURE)


@pytest.mark.parametrize(
    ("size", "pixels"), [("2K", (2048, 2048)), ("16:9", (1360, 768)), (None, (1024, 1024))]
)
@pytest.mark.parametrize("provider", ["doitong", "doitong-generate-image", "doitong-rest"])
def test_a_picture_of_doitong_has_the_size_that_was_asked_for(
    ask, emulator, at, provider, size, pixels
):
    """R003-05, R003-27, R003-30: on the wire and in the picture; none is sent for the default."""
    made = ask(
        at(provider, "doitong"),
        lambda client: client.create_images(model="seedream", prompt="tea", size=size),
    )
    sent = emulator.requests[-1].body
    sent = sent.get("variables", {"input": sent})["input"]
    sent = sent.get("options", sent)
    wanted = (None, None) if size is None else pixels
    assert (sent.get("width"), sent.get("height")) == wanted
    if provider != "doitong-rest":
        assert made.images[0].size == f"{pixels[0]}x{pixels[1]}"


@pytest.mark.parametrize("wait", [Client.watch_video.flow, SeedanceVideoTool, DoubaoToolSpec])
def test_a_film_is_waited_for_longer_than_five_minutes_if_nothing_is_said(wait):
    """R004-28: the page advises five, and films are known to take eight."""
    fields = getattr(wait, "model_fields", None)
    if fields and "wait_timeout" in fields:
        assert fields["wait_timeout"].default > 300
    else:
        assert inspect.signature(wait).parameters["wait_timeout"].default > 300


def test_the_picture_tool_of_doitong_makes_2k(at, emulator, tmp_path):
    """R003-27."""
    tool = SeedreamImageTool(model="seedream", output_dir=tmp_path, **at("doitong"))
    call = {"name": tool.name, "args": {"prompt": "tea", "size": "2K"}, "id": "1"}
    message = tool.invoke({**call, "type": "tool_call"})
    (picture,) = message.artifact.images
    assert picture.size == "2048x2048"
