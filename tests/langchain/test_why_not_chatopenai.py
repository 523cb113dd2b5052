"""The README's "why not ChatOpenAI" table: each line, run against both classes, same answers.

When a line here fails because the peer has become better, the README's line goes.
"""

import pytest
from langchain_core.messages import AIMessageChunk, HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

from doubao_core import QuotaExceeded, Truncated
from langchain_doubao import ChatDoubao, DoubaoEmbeddings

MODEL = "doubao-seed-2-1-pro-260915"
TOOL = {
    "name": "get_weather",
    "description": "Weather of a city",
    "parameters": {
        "type": "object",
        "properties": {"location": {"type": "string"}},
        "required": ["location"],
    },
}


@pytest.fixture
def peer(emulator):
    return ChatOpenAI(model=MODEL, api_key="key", base_url=emulator.base_url)


@pytest.fixture
def ours(emulator):
    return ChatDoubao(model=MODEL, api_key="key", base_url=emulator.base_url)


def _whole(model, prompt):
    whole = None
    for chunk in model.stream(prompt):
        whole = chunk if whole is None else whole + chunk
    assert isinstance(whole, AIMessageChunk)
    return whole


def _reasoning(message):
    return [block for block in message.content_blocks if block["type"] == "reasoning"]


def test_reasoning_is_lost_there_and_kept_here(peer, ours):
    for ask in (lambda model: model.invoke("Hello"), lambda model: _whole(model, "Hello")):
        assert not _reasoning(ask(peer))
        assert "reasoning_content" not in ask(peer).additional_kwargs
        assert _reasoning(ask(ours))[0]["reasoning"]


def test_reasoning_goes_back_in_a_tool_loop_only_here(emulator, peer, ours):
    def second_request(model):
        bound = model.bind_tools([TOOL])
        question = HumanMessage("What is the weather in Paris?")
        call = bound.invoke([question])
        assert call.tool_calls
        bound.invoke([question, call, ToolMessage("5 C", tool_call_id=call.tool_calls[0]["id"])])
        return emulator.requests[-1].body["messages"][1]

    assert "encrypted_content" not in second_request(peer)
    sent = second_request(ours)
    assert sent["encrypted_content"].startswith("dj")
    assert sent["reasoning_content"]


def test_streamed_token_usage_is_off_there_and_on_here(peer, ours):
    assert _whole(peer, "Hello").usage_metadata is None
    usage = _whole(ours, "Hello").usage_metadata
    assert usage["output_token_details"]["reasoning"] > 0
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


def test_half_an_answer_is_a_success_there_and_an_error_here(emulator, peer, ours):
    with emulator.fault("truncated_stream", after_events=8):
        half = _whole(peer, "Hello").content
        assert half
        with pytest.raises(Truncated) as caught:
            _whole(ours, "Hello")
    assert caught.value.partial == half


def test_a_spent_quota_is_asked_three_times_there_and_once_here(emulator, peer, ours):
    def requests(model, error):
        before = len(emulator.requests)
        with emulator.fault("quota"), pytest.raises(error):
            model.invoke("Hello")
        return len(emulator.requests) - before

    assert requests(peer, Exception) == 3
    assert requests(ours, QuotaExceeded) == 1


def test_a_film_in_a_message_is_refused_there_and_sent_here(emulator, peer, ours):
    film = {"type": "video", "url": "https://example.com/a.mp4", "extras": {"fps": 0.5}}
    message = HumanMessage([{"type": "text", "text": "What happens?"}, film])
    with pytest.raises(ValueError, match="video"):
        peer.invoke([message])
    assert ours.invoke([message]).content
    part = emulator.requests[-1].body["messages"][0]["content"][1]
    assert part == {"type": "video_url", "video_url": {"url": film["url"], "fps": 0.5}}


def test_vision_embeddings_fail_there_and_work_here(emulator):
    model = "doubao-embedding-vision-251215"
    common = {"model": model, "api_key": "key", "base_url": emulator.base_url}
    with pytest.raises(Exception, match=r"(?i)multimodal|not support|InvalidParameter"):
        OpenAIEmbeddings(**common, check_embedding_ctx_length=False).embed_query("a red shoe")
    assert len(DoubaoEmbeddings(**common).embed_query("a red shoe")) == 2048
