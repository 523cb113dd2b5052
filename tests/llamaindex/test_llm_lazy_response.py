"""A streamed response, made without validation, is what LlamaIndex's constructors make."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)
from llama_index.core.instrumentation.events.llm import LLMChatInProgressEvent

from doubao_core.api.answers import delta
from llamaindex_doubao.responses import Reading
from llamaindex_doubao.streaming import GrowingText, StreamedAnswer

EVENTS = [
    {"choices": [{"delta": {"reasoning_content": "hm"}}], "usage": None},
    {"choices": [{"delta": {"content": "茶 "}}], "usage": None},
    {
        "choices": [
            {
                "delta": {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f"}}]},
                "finish_reason": "tool_calls",
            }
        ]
    },
]


def responses() -> list[ChatResponse]:
    answer = StreamedAnswer(Reading(names={}))
    return [answer.add(delta(event)) for event in EVENTS]


def validated(response: ChatResponse) -> ChatResponse:
    """The same response through the constructors, as a client of LlamaIndex would make it."""
    message = response.message
    blocks = [type(block)(**block.model_dump(exclude_unset=True)) for block in message.blocks]
    return ChatResponse(
        message=ChatMessage(
            role=MessageRole.ASSISTANT, blocks=blocks, additional_kwargs=message.additional_kwargs
        ),
        raw=response.raw,
        delta=response.delta,
        logprobs=response.logprobs,
        additional_kwargs=response.additional_kwargs,
    )


@pytest.fixture(params=range(len(EVENTS)))
def pair(request: pytest.FixtureRequest) -> tuple[ChatResponse, ChatResponse]:
    """A response that nobody has looked into, and its validated twin."""
    return responses()[request.param], validated(responses()[request.param])


@pytest.mark.parametrize(
    "look",
    [
        pytest.param(lambda response: response, id="as it is"),
        pytest.param(copy.copy, id="copy"),
        pytest.param(copy.deepcopy, id="deepcopy"),
        pytest.param(lambda response: pickle.loads(pickle.dumps(response)), id="pickle"),  # noqa: S301
        pytest.param(lambda response: response.model_copy(deep=True), id="model_copy"),
        pytest.param(
            lambda response: ChatResponse.model_validate(response.model_dump()), id="dump and load"
        ),
    ],
)
def test_it_equals_the_validated_one(pair, look):
    lazy, expected = pair
    seen = look(lazy)
    assert seen == expected
    assert expected == seen
    assert type(seen) is ChatResponse


@pytest.mark.parametrize(
    "show",
    [
        pytest.param(repr, id="repr"),
        pytest.param(str, id="str"),
        pytest.param(vars, id="vars"),
        pytest.param(dict, id="dict"),
        pytest.param(lambda response: response.model_dump(), id="dump"),
        pytest.param(lambda response: response.model_dump(exclude_unset=True), id="dump set"),
        pytest.param(lambda response: response.model_dump_json(), id="json"),
        pytest.param(lambda response: response.model_fields_set, id="fields set"),
        pytest.param(lambda response: response.message.model_fields_set, id="message's"),
        pytest.param(
            lambda response: LLMChatInProgressEvent(messages=[], response=response).model_dump(
                exclude={"id_", "timestamp"}
            ),
            id="in an event",
        ),
    ],
)
def test_it_shows_the_same(pair, show):
    lazy, expected = pair
    assert show(lazy) == show(expected)


def test_its_blocks_are_what_their_constructors_make():
    *_, last = responses()
    expected = [
        ThinkingBlock(content="hm", num_tokens=None, additional_information={}),
        TextBlock(text="茶 "),
        ToolCallBlock(tool_call_id="c", tool_name="f", tool_kwargs={}),
    ]
    assert last.message.blocks == expected
    for block, made in zip(last.message.blocks, expected, strict=True):
        assert repr(block) == repr(made)
        assert block.model_fields_set == made.model_fields_set
        assert block.model_copy(deep=True) == pickle.loads(pickle.dumps(block)) == made  # noqa: S301


def test_it_can_be_given_another_message():
    (first, *_) = responses()
    first.message = ChatMessage(content="mine")
    assert first.message.content == "mine"
    assert first.raw == EVENTS[0]


def test_it_has_no_attributes_of_its_own():
    (first, *_) = responses()
    with pytest.raises(AttributeError):
        _ = first.no_such_thing


def test_delta_and_raw_are_there_without_putting_the_message_together():
    asked: list[Any] = []
    answer = StreamedAnswer(Reading(names={}))
    response = answer.add(delta(EVENTS[1]))
    answer._message = asked.append
    assert (response.delta, response.raw["choices"]) == ("茶 ", EVENTS[1]["choices"])
    assert not asked


def test_growing_text_gives_every_prefix_in_any_order():
    text = GrowingText()
    text.pieces.extend("abcd")
    assert [text.upto(count) for count in (2, 4, 1, 0, 3)] == ["ab", "abcd", "a", "", "abc"]
