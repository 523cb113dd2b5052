"""Anyfast by its API document alone: texts of three roles, and no field that it does not print."""

from __future__ import annotations

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, TextBlock

from doubao_core import ProfileWarning, UnsupportedOperation
from langchain_doubao import ChatDoubao
from llamaindex_doubao import Doubao

LITE = "doubao-seed-1-6-lite-251015"
HELLO = [{"role": "user", "content": "hi"}]
PICTURE = "https://pictures.example/tea.png"
TOOL = {"type": "function", "function": {"name": "tea", "parameters": {"type": "object"}}}
PRINTED = {
    *("model", "messages", "max_tokens", "temperature", "top_p", "frequency_penalty"),
    *("presence_penalty", "stream", "stop"),
}


@pytest.fixture
def text_only(at):
    return at("anyfast-text", "anyfast")


def test_all_that_the_document_prints_is_sent(ask, text_only, emulator):
    """R001-03, R001-04, R001-09, R001-10: and nothing else, in a stream either."""
    printed = {
        "max_tokens": 50,
        "temperature": 0.5,
        "top_p": 0.9,
        "stop": "END",
        "frequency_penalty": 0.1,
        "presence_penalty": 0.1,
    }
    said = ask(text_only, lambda c: c.chat(model=LITE, messages=HELLO, **printed))
    assert said.content
    assert emulator.requests[-1].path == "/anyfast/v1/chat/completions"
    assert emulator.requests[-1].body == {"model": LITE, "messages": HELLO, **printed}
    usage = {"stream_options": {"include_usage": True}}
    ask(text_only, lambda c: c.stream_chat(model=LITE, messages=HELLO, **usage))
    assert emulator.requests[-1].body == {"model": LITE, "messages": HELLO, "stream": True}


async def test_the_models_of_both_frameworks_send_no_more(text_only, emulator):
    """R001-03: plain, streamed and awaited; a text in parts becomes one text."""
    chat, llm = ChatDoubao(model=LITE, **text_only), Doubao(model=LITE, **text_only)
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    asked = [SystemMessage("Be brief."), HumanMessage(parts), AIMessage("Yes?"), HumanMessage("3")]
    assert chat.invoke(asked).text
    assert (await chat.ainvoke(asked)).text
    assert "".join(chunk.text for chunk in chat.stream(asked))
    blocks = [TextBlock(text="one"), TextBlock(text="two")]
    assert llm.chat([ChatMessage(role="user", blocks=blocks)]).message.content
    assert llm.complete("hi").text
    assert len(emulator.requests) == 5
    for each in emulator.requests:
        assert each.body.keys() <= PRINTED
        assert all(isinstance(message["content"], str) for message in each.body["messages"])
    assert emulator.requests[0].body["messages"][1]["content"] == "one\ntwo"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"tools": [TOOL]}, "tools"),
        ({"thinking": {"type": "enabled"}}, "thinking"),
        ({"reasoning_effort": "low"}, "reasoning_effort"),
        ({"extra_body": {"brand_new": 1}}, "brand_new"),
    ],
)
def test_tools_reasoning_and_the_rest_are_refused_and_sent_by_the_usual_provider(
    ask, text_only, at, emulator, options, named
):
    """R001-03: the switch is the provider's name."""
    with pytest.raises(UnsupportedOperation, match=f"nothing for {named} in chat.create") as caught:
        ask(text_only, lambda c: c.chat(model=LITE, messages=HELLO, **options))
    assert "use provider 'anyfast', which sends it" in str(caught.value)
    assert caught.value.param == named
    assert emulator.requests == []
    emulator.answer("Yes.", times=1)
    ask(at("anyfast"), lambda c: c.chat(model=LITE, messages=HELLO, **options))
    assert named in emulator.requests[-1].body


def test_pictures_are_refused(text_only, emulator):
    seen = [{"type": "image_url", "image_url": {"url": PICTURE}}]
    with pytest.raises(UnsupportedOperation, match="parts of the type 'image_url'"):
        ChatDoubao(model=LITE, **text_only).invoke([HumanMessage(seen)])
    blocks = [TextBlock(text="What is it?"), ImageBlock(url=PICTURE)]
    with pytest.raises(UnsupportedOperation, match="image_url"):
        Doubao(model=LITE, **text_only).chat([ChatMessage(role="user", blocks=blocks)])
    assert emulator.requests == []


def test_the_talk_with_a_tool_is_refused(text_only, emulator):
    call = {"name": "tea", "args": {}, "id": "call_1"}
    talk = [HumanMessage("hi"), AIMessage("", tool_calls=[call])]
    chat = ChatDoubao(model=LITE, **text_only)
    with pytest.raises(UnsupportedOperation, match="tool_calls of a message"):
        chat.invoke([*talk, ToolMessage("Green.", tool_call_id="call_1")])
    with pytest.raises(UnsupportedOperation, match="messages of the role 'tool'"):
        chat.invoke([HumanMessage("hi"), ToolMessage("Green.", tool_call_id="call_1")])
    assert emulator.requests == []


def test_its_limits_are_told(ask, text_only):
    """R001-04."""
    with (
        pytest.warns(ProfileWarning, match="max_tokens is 9000, above 8192"),
        pytest.raises(Exception, match="max_tokens"),
    ):
        ask(text_only, lambda c: c.chat(model=LITE, messages=HELLO, max_tokens=9000))


def test_pictures_and_films_are_the_usual_providers(ask, text_only, emulator):
    with pytest.raises(UnsupportedOperation, match=r"does not offer images\.create.*anyfast"):
        ask(text_only, lambda c: c.create_images(model="m", prompt="tea"))
    assert emulator.requests == []
