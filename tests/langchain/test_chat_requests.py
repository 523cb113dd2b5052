"""The body of a request: what was set, under the wire's names, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.callbacks import UsageMetadataCallbackHandler

if TYPE_CHECKING:
    from collections.abc import Callable

    from doubao_emulator import Emulator
    from langchain_doubao import ChatDoubao

MODEL = "doubao-seed-1-6-251015"
HELLO = [{"role": "user", "content": "Hello"}]
EVERYTHING: dict[str, Any] = {
    "temperature": 0.5,
    "top_p": 0.9,
    "max_tokens": 64,
    "stop": ["END"],
    "frequency_penalty": 0.1,
    "presence_penalty": 0.2,
    "logprobs": False,
    "seed": 7,
    "reasoning_effort": "low",
    "service_tier": "auto",
}


def body(emulator: Emulator) -> dict[str, Any]:
    return emulator.requests[-1].body


async def test_nothing_is_invented(emulator: Emulator, chat: Callable[..., ChatDoubao]) -> None:
    plain = {"model": MODEL, "messages": HELLO}
    streamed = {**plain, "stream": True, "stream_options": {"include_usage": True}}
    model = chat(model=MODEL)
    model.invoke("Hello")
    assert body(emulator) == plain
    await model.ainvoke("Hello")
    assert body(emulator) == plain
    list(model.stream("Hello"))
    assert body(emulator) == streamed
    [_ async for _ in model.astream("Hello")]
    assert body(emulator) == streamed


async def test_every_field_goes_out_under_its_name(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    model = chat(
        model=MODEL,
        thinking="enabled",
        extra_body={"user": "me"},
        model_kwargs={"repetition_penalty": 1.1},
        **EVERYTHING,
    )
    wanted = {
        "model": MODEL,
        "messages": HELLO,
        "thinking": {"type": "enabled"},
        "user": "me",
        "repetition_penalty": 1.1,
        **EVERYTHING,
    }
    model.invoke("Hello")
    assert body(emulator) == wanted
    await model.ainvoke("Hello")
    assert body(emulator) == wanted


async def test_the_fields_of_a_call_win(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    model = chat(
        model=MODEL,
        temperature=0.1,
        stop="A",
        extra_body={"user": "me", "x_a": 1},
        model_kwargs={"top_p": 0.1},
    )
    call: dict[str, Any] = {
        "model": "doubao-seed-2-1-pro-260915",
        "temperature": 0.0,
        "stop": ["B"],
        "top_p": 0.2,
        "thinking": "disabled",
        "extra_body": {"user": "you"},
    }
    wanted = {
        "model": "doubao-seed-2-1-pro-260915",
        "messages": HELLO,
        "temperature": 0.0,
        "stop": ["B"],
        "top_p": 0.2,
        "thinking": {"type": "disabled"},
        "user": "you",
        "x_a": 1,
    }
    assert model.invoke("Hello", **call).response_metadata["model_name"] == call["model"]
    assert body(emulator) == wanted
    await model.bind(**call).ainvoke("Hello")
    assert body(emulator) == wanted


@pytest.mark.parametrize("stop", [None, []])
def test_no_stop_words_is_no_stop(
    stop: Any, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    chat(stop=stop).invoke("Hello", stop=stop)
    assert "stop" not in body(emulator)


def test_nulls_of_a_call_are_not_sent(emulator: Emulator, chat: Callable[..., ChatDoubao]) -> None:
    chat(temperature=0.5).invoke("Hello", temperature=None, user=None, tools=None, seed=None)
    assert set(body(emulator)) == {"model", "messages"}


def test_one_token_limit_of_a_call_replaces_the_other(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    """The service refuses both together (ark.md 4.1)."""
    chat(max_tokens=100).invoke("Hello", max_completion_tokens=900)
    assert {"max_completion_tokens": 900}.items() <= body(emulator).items()
    chat(max_completion_tokens=900).invoke("Hello", max_tokens=100)
    assert "max_completion_tokens" not in body(emulator)


async def test_a_stream_argument_is_ours_to_set(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    chat().invoke("Hello", stream=True)
    assert body(emulator)["stream"] is True
    chat().invoke("Hello", stream=False)
    assert "stream" not in body(emulator)
    await chat().ainvoke("Hello", stream=True)
    assert body(emulator)["stream"] is True
    list(chat().stream("Hello", stream=True))
    assert body(emulator)["stream"] is True


def test_langsmith_sees_what_the_call_uses(chat: Callable[..., ChatDoubao]) -> None:
    """Shows R000-53."""
    model = chat(model=MODEL, temperature=0.1, max_tokens=10, stop=["A"])
    assert model._get_ls_params() == {
        "ls_provider": "doubao",
        "ls_model_name": MODEL,
        "ls_model_type": "chat",
        "ls_temperature": 0.1,
        "ls_max_tokens": 10,
        "ls_stop": ["A"],
    }
    called = model._get_ls_params(["B"], model="ep-1", temperature=0.0, max_tokens=5)
    assert called == {
        "ls_provider": "doubao",
        "ls_model_name": "ep-1",
        "ls_model_type": "chat",
        "ls_temperature": 0.0,
        "ls_max_tokens": 5,
        "ls_stop": ["B"],
    }


def test_versions_are_traced(chat: Callable[..., ChatDoubao]) -> None:
    assert {"langchain-core", "doubao-integrations"} <= set(chat().metadata["lc_versions"])


@pytest.mark.parametrize("streaming", [True, False])
def test_usage_is_added_up_by_model(
    streaming: bool, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    emulator.answer("Hello!", usage=usage, times=2)
    handler = UsageMetadataCallbackHandler()
    model = chat(streaming=streaming)
    for _ in range(2):
        model.invoke("Hello", {"callbacks": [handler]})
    (counted,) = handler.usage_metadata.values()
    assert (counted["input_tokens"], counted["output_tokens"], counted["total_tokens"]) == (
        20,
        10,
        30,
    )
    assert list(handler.usage_metadata) == [model.model]


def test_reasoning_tokens_are_part_of_the_output(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    """The service's ``completion_tokens`` has them in it already (ark.md 4.3)."""
    details = {"completion_tokens_details": {"reasoning_tokens": 40}}
    usage = {"prompt_tokens": 10, "completion_tokens": 50, "total_tokens": 60, **details}
    emulator.answer("Hello!", usage=usage)
    counted = chat().invoke("Hello").usage_metadata
    assert counted["output_tokens"] == 50
    assert counted["output_token_details"] == {"reasoning": 40}


def test_counts_that_were_not_reported_are_absent(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    reply = {
        "id": "1",
        "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"content": None}}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    }
    emulator.answer(body=reply)
    message = chat().invoke("Hello")
    assert message.content == ""
    assert message.additional_kwargs == {}
    assert message.usage_metadata == {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    emulator.answer(body={**reply, "usage": None})
    assert chat().invoke("Hello").usage_metadata is None
