"""Streams of the chat gateways in all forms that imitators of OpenAI give them; moderated chats."""

from __future__ import annotations

import json

import pytest
from langchain_core.messages import AIMessageChunk, HumanMessage
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, TextBlock

from doubao_core import ContentRejected, Truncated
from langchain_doubao import ChatDoubao, DoubaoModeration
from llamaindex_doubao import Doubao
from llamaindex_doubao import DoubaoModeration as LlamaModeration

CHATS = ["xroute", "anyfast", "openai-compatible"]
BAD = "EMULATED SENSITIVE CONTENT: violence"
USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
PICTURE = "https://pictures.example/tea.png"


def piece(finish=None, **delta):
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


THOUGHT = [piece(role="assistant"), piece(reasoning_content="Hm."), piece(content="Te")]
FORMS = {
    "usage in an event of its own": [
        *THOUGHT,
        piece(content="a."),
        piece(finish="length"),
        {"choices": [], "usage": USAGE},
    ],
    "usage in the last event with a choice": [
        *THOUGHT,
        {**piece(content="a.", finish="length"), "usage": USAGE},
    ],
    "usage in every event and null until the end": [
        *({**each, "usage": None} for each in THOUGHT),
        {**piece(content="a."), "usage": None},
        {**piece(finish="length"), "usage": USAGE},
    ],
    "no usage": [*THOUGHT, piece(content="a.", finish="length")],
}


def streamed(gate, events, end=b"data: [DONE]\n\n"):
    lines = b"".join(b": ping\n\ndata: %s\n\n" % json.dumps(each).encode() for each in events)
    gate.answers.append((200, {"Content-Type": "text/event-stream"}, lines + end))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("provider", CHATS)
async def test_text_thought_reason_and_usage_are_read_in_both_frameworks(gate, provider, form):
    """R000-09, R000-11, R000-34, R001-09, R001-12, R001-13."""
    settings = gate.settings(provider)
    for _ in range(2):
        streamed(gate, FORMS[form])
    whole = AIMessageChunk("")
    async for chunk in ChatDoubao(model="m", **settings).astream("hi"):
        whole = whole + chunk
    assert (whole.text, whole.additional_kwargs["reasoning_content"]) == ("Tea.", "Hm.")
    assert whole.response_metadata["finish_reason"] == "length"
    steps = list(Doubao(model="m", **settings).stream_chat([ChatMessage("hi")]))
    last = steps[-1]
    assert last.message.content == "Tea."
    assert last.additional_kwargs["finish_reason"] == "length"
    if form == "no usage":
        assert whole.usage_metadata is None
        assert not last.additional_kwargs.get("total_tokens")
    else:
        assert whole.usage_metadata["total_tokens"] == 7
        assert last.additional_kwargs["total_tokens"] == 7


@pytest.mark.parametrize("provider", CHATS)
async def test_a_stream_without_its_end_is_no_answer_in_either_framework(gate, provider):
    """R000-10."""
    settings = gate.settings(provider)
    for _ in range(2):
        streamed(gate, THOUGHT, end=b"")
    with pytest.raises(Truncated) as caught:
        [_ async for _ in ChatDoubao(model="m", **settings).astream("hi")]
    assert caught.value.partial == "Te"
    with pytest.raises(Truncated):
        list(Doubao(model="m", **settings).stream_complete("hi"))


def judged(emulator):
    return [each.body["input"] for each in emulator.requests if "moderations" in each.path]


async def test_the_text_beside_a_picture_is_moderated(at, emulator):
    """R000-19: and of pictures nobody is asked."""
    there = at("openai-compatible")
    parts = [{"type": "image_url", "image_url": {"url": PICTURE}}, {"type": "text", "text": BAD}]
    allowed = DoubaoModeration(**there)
    for given in (HumanMessage(parts), [HumanMessage(parts)]):
        with pytest.raises(ContentRejected):
            allowed.invoke(given)
        with pytest.raises(ContentRejected):
            await allowed.ainvoke(given)
    picture = HumanMessage(parts[:1])
    assert allowed.invoke(picture) is picture
    guarded = LlamaModeration(**there).around(Doubao(model="m", **at("xroute")))
    blocks = [ImageBlock(url=PICTURE), TextBlock(text="One."), TextBlock(text=BAD)]
    with pytest.raises(ContentRejected):
        await guarded.achat([ChatMessage(role="user", blocks=blocks)])
    assert all(BAD in each for each in judged(emulator))
    assert len(judged(emulator)) == 5
    assert not [each for each in emulator.requests if "chat" in each.path]


async def test_the_text_beside_a_call_of_a_tool_is_moderated(at, emulator):
    """R000-19."""
    emulator.answer(BAD, tool_calls=[("weather", {"city": "Paris"})], times=2)
    chat = ChatDoubao(model="doubao-seed-1-6-lite-251015", **at("xroute"))
    chain = chat | DoubaoModeration(**at("openai-compatible"))
    with pytest.raises(ContentRejected):
        chain.invoke("Weather?")
    with pytest.raises(ContentRejected):
        await chain.ainvoke("Weather?")


async def test_of_a_batch_only_what_is_flagged_is_stopped(at, emulator):
    """R000-14, R000-19."""
    allowed = DoubaoModeration(**at("openai-compatible"))
    given = ["One.", BAD, "Two."]
    for outcomes in (
        allowed.batch(given, return_exceptions=True),
        await allowed.abatch(given, return_exceptions=True),
    ):
        assert [outcomes[0], outcomes[2]] == ["One.", "Two."]
        assert isinstance(outcomes[1], ContentRejected)
