"""Answers of another shape than documented are the same error, and nothing else is raised."""

from __future__ import annotations

from typing import Any

import pytest

from doubao_core import errors

CALL = {"index": 0, "id": "call_1", "function": {"name": "get_weather", "arguments": "{}"}}


def calling(**fields: Any) -> dict[str, Any]:
    return {"tool_calls": [CALL | fields]}


def scored(*tokens: Any) -> dict[str, Any]:
    return {"logprobs": {"content": list(tokens)}}


# What is odd in the message, in its choice, or beside it.
MESSAGES: dict[str, dict[str, Any]] = {
    "content as a list": {"content": [{"type": "text", "text": "x"}]},
    "content as a number": {"content": 7},
    "reasoning as a number": {"reasoning_content": 7},
    "reasoning as an object beside a text": {"reasoning_content": {"a": 1}, "content": "x"},
    "a seal as an object": {"encrypted_content": {"a": 1}},
    "calls as an object": {"tool_calls": {"name": "get_weather"}},
    "a call as a text": {"tool_calls": ["get_weather"]},
    "a function as a text": calling(function="get_weather"),
    "arguments as a list": calling(function={"name": "get_weather", "arguments": ["Rome"]}),
    "a name as a number": calling(function={"name": 7, "arguments": "{}"}),
    "an id as a number": calling(id=7),
}
CHOICES: dict[str, dict[str, Any]] = {
    "the finish reason as a number": {"finish_reason": 7},
    "log probabilities as a text": {"logprobs": "x"},
    "log probabilities as a list": {"logprobs": [{"token": "x"}]},
    "tokens as a text": {"logprobs": {"content": "x"}},
    "a token as a text": scored("x"),
    "a token's text as a number": scored({"token": 7, "logprob": -1}),
    "a probability as a text": scored({"token": "x", "logprob": "-1"}),
    "bytes as texts": scored({"token": "x", "logprob": -1, "bytes": ["x"]}),
    "an alternative as a text": scored({"token": "x", "top_logprobs": ["y"]}),
    "alternatives as an object": scored({"token": "x", "top_logprobs": {"y": -1}}),
}
ANSWERS: dict[str, dict[str, Any]] = {
    "usage as a text": {"usage": "much"},
    "usage as a list": {"usage": [1]},
    "a count as a text": {"usage": {"prompt_tokens": "1", "completion_tokens": 2}},
    "a count as a fraction": {"usage": {"prompt_tokens": 1, "completion_tokens": 2.5}},
    "details as a text": {"usage": {"prompt_tokens": 1, "prompt_tokens_details": "x"}},
    "a detail as a text": {"usage": {"completion_tokens_details": {"reasoning_tokens": "x"}}},
    "the model as an object": {"model": {"name": "m"}},
    "the id as a number": {"id": 7},
    "choices as an object": {"choices": {"a": 1}},
    "choices as a text": {"choices": "abc"},
    "choices as texts": {"choices": ["x"]},
    "a choice without a message": {"choices": [{"index": 0, "delta": "x", "message": "x"}]},
}
ODD = {
    **{name: (message, {}, {}) for name, message in MESSAGES.items()},
    **{name: ({}, choice, {}) for name, choice in CHOICES.items()},
    **{name: ({}, {}, answer) for name, answer in ANSWERS.items()},
}


def say(talk: Any, message: Any, choice: Any, answer: Any) -> None:
    """Script one answer, all of it in one event if it is streamed."""
    said = {"role": "assistant", "content": "", **message}
    form = {"delta": said} if talk.streams else {"message": said}
    only = {"index": 0, "finish_reason": "stop", **form, **choice}
    raw = {"id": "0217abc", "model": "m", "choices": [only], **answer}
    if talk.streams:
        talk.emulator.answer(events=[raw, "[DONE]"])
    else:
        talk.emulator.answer(body=raw)


@pytest.mark.parametrize("name", ODD)
async def test_an_answer_of_an_unknown_shape_is_malformed(talk, name):
    """Shows R000-12."""
    message, choice, answer = ODD[name]
    say(talk, message, choice, answer)
    model = talk.make(max_retries=2, model="doubao-1-5-pro-32k-250115")
    with pytest.raises(errors.Malformed) as caught:
        await talk.ask(model=model, logprobs=True)
    assert type(caught.value).__name__ == "Malformed"
    assert caught.value.request_id.startswith("02")
    assert caught.value.operation == "chat.create"
    assert len(talk.emulator.requests) == 1


@pytest.mark.parametrize("number", [5, -1.5, 2**60])
async def test_arguments_that_came_as_an_object_are_arguments(talk, number):
    arguments = {"city": "罗马", "number": number, "nested": {"a": [None, True]}}
    say(talk, calling(function={"name": "get_weather", "arguments": arguments}), {}, {})
    assert (await talk.ask()).calls == [("call_1", "get_weather", arguments)]


async def test_arguments_that_came_as_an_empty_object_are_none(talk):
    say(talk, calling(function={"name": "get_weather", "arguments": {}}), {}, {})
    assert (await talk.ask()).calls == [("call_1", "get_weather", {})]


async def test_of_several_choices_everything_is_that_of_the_first(talk):
    """Whatever their order: text, finish reason and all."""
    form = "delta" if talk.streams else "message"
    choices = [
        {"index": 1, "finish_reason": "length", form: {"content": "no"}},
        {"index": 0, "finish_reason": "stop", form: {"content": "yes"}},
    ]
    say(talk, {}, {}, {"choices": choices})
    answer = await talk.ask()
    assert (answer.text, answer.finish_reason) == ("yes", "stop")


SEAL = {"choices": [{"index": 0, "delta": {"content": "", "encrypted_content": "djF="}}]}
USAGE = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 0, "total_tokens": 3}}
OTHER = {"choices": [{"index": 1, "delta": {"content": "x"}, "finish_reason": "stop"}]}
TEXT = {"choices": [{"index": 0, "delta": {"content": "x"}}]}


@pytest.mark.parametrize(
    ("events", "kind"),
    [
        ([], errors.Malformed),
        ([b": keep-alive\n\n"], errors.Malformed),
        ([USAGE], errors.Truncated),
        ([SEAL], errors.Truncated),
        ([OTHER], errors.Truncated),
        ([TEXT], errors.Truncated),
        ([TEXT, USAGE], errors.Truncated),
    ],
    ids=["nothing", "a comment", "usage", "a seal", "another choice", "text", "text and usage"],
)
async def test_an_end_marker_without_a_finish_reason_is_no_success(streamed, events, kind):
    streamed.emulator.answer(events=[*events, "[DONE]"])
    with pytest.raises(errors.ResponseError) as caught:
        await streamed.ask()
    assert type(caught.value).__name__ == kind.__name__
    assert isinstance(caught.value, kind)
    assert caught.value.partial == ("x" if TEXT in events else "")
    assert caught.value.request_id.startswith("02")


async def test_a_stream_of_nothing_but_its_end_is_an_empty_answer(streamed):
    ending = {"id": "0217", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    streamed.emulator.answer(events=[ending, USAGE, "[DONE]"])
    answer = await streamed.ask()
    assert (answer.text, answer.calls, answer.finish_reason) == ("", [], "stop")
    assert answer.usage[:3] == (3, 0, 3)
