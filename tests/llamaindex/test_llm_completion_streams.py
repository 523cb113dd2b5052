"""Chunks of a streamed completion: what a constructor makes, put together when they are read."""

from __future__ import annotations

import copy
import pickle
import tracemalloc
from typing import Any

import pytest
from llama_index.core.base.llms.types import CompletionResponse
from llama_index.core.instrumentation.events.llm import LLMCompletionInProgressEvent

DELTAS: list[dict[str, Any]] = [
    {"reasoning_content": "hm"},
    {"content": "茶 "},
    {"content": "tea"},
    {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}]},
]


def events(deltas: list[dict[str, Any]]) -> list[Any]:
    made: list[Any] = [{"choices": [{"index": 0, "delta": each}]} for each in deltas]
    made[-1]["choices"][0]["finish_reason"] = "stop"
    return [*made, "[DONE]"]


@pytest.fixture(params=["stream_complete", "astream_complete"])
def complete(request: pytest.FixtureRequest) -> Any:
    """Complete by both methods in turn; gives all responses, without the id of the request."""

    async def complete(llm: Any) -> list[CompletionResponse]:
        if request.param == "stream_complete":
            responses = list(llm.stream_complete("hi"))
        else:
            responses = [each async for each in await llm.astream_complete("hi")]
        responses[-1].additional_kwargs.pop("request_id")
        return responses

    return complete


def validated(response: CompletionResponse) -> CompletionResponse:
    """The same response through its constructor."""
    return CompletionResponse(
        text=response.text,
        delta=response.delta,
        raw=response.raw,
        logprobs=response.logprobs,
        additional_kwargs=response.additional_kwargs,
    )


@pytest.mark.parametrize(
    "look",
    [
        pytest.param(lambda response: response, id="as it is"),
        pytest.param(copy.copy, id="copy"),
        pytest.param(copy.deepcopy, id="deepcopy"),
        pytest.param(lambda response: pickle.loads(pickle.dumps(response)), id="pickle"),  # noqa: S301
        pytest.param(lambda response: response.model_copy(deep=True), id="model_copy"),
    ],
)
async def test_a_chunk_is_what_a_constructor_makes(emulator, llm, complete, look):
    emulator.answer(events=events(DELTAS), times=2)
    expected = [validated(each) for each in await complete(llm)]
    seen = [look(each) for each in await complete(llm)]
    assert seen == expected
    assert expected == seen
    assert {type(each) for each in seen} == {CompletionResponse}


@pytest.mark.parametrize(
    "show",
    [
        pytest.param(repr, id="repr"),
        pytest.param(str, id="str"),
        pytest.param(vars, id="vars"),
        pytest.param(lambda response: response.model_dump(exclude_unset=True), id="dump set"),
        pytest.param(lambda response: response.model_dump_json(), id="json"),
        pytest.param(
            lambda response: LLMCompletionInProgressEvent(prompt="", response=response).model_dump(
                exclude={"id_", "timestamp"}
            ),
            id="in an event",
        ),
    ],
)
async def test_a_chunk_shows_the_same(emulator, llm, complete, show):
    emulator.answer(events=events(DELTAS), times=2)
    expected = [show(validated(each)) for each in await complete(llm)]
    assert [show(each) for each in await complete(llm)] == expected


async def test_chunks_grow_and_the_last_one_has_what_a_completion_cannot_say(
    emulator, llm, complete
):
    emulator.answer(events=events(DELTAS))
    responses = await complete(llm)
    assert [each.text for each in responses] == ["", "茶 ", "茶 tea", "茶 tea"]
    assert [each.delta for each in responses] == ["", "茶 ", "tea", ""]
    assert responses[0].additional_kwargs == {"thinking_delta": "hm"}
    last = responses[-1].additional_kwargs
    assert (last["thinking"], last["finish_reason"]) == ("hm", "stop")
    assert [call["function"]["name"] for call in last["tool_calls"]] == ["f"]


async def test_kept_chunks_do_not_each_hold_the_whole_text(emulator, llm, complete):
    pieces, size = 2_000, 50
    emulator.answer(events=events([{"content": "x" * size}] * pieces))
    tracemalloc.start()
    try:
        responses = await complete(llm)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert responses[-1].text == "x" * size * pieces
    # All the texts together are 100 MB.
    assert held < 20_000_000
