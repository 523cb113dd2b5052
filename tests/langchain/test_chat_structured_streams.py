"""Streamed structured output: what a long answer costs, and what traces and events show of it."""

from __future__ import annotations

import asyncio
import json
import pickle
import time
from contextlib import aclosing, closing
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage, ai
from langchain_core.runnables import RunnableLambda
from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Callable

    from doubao_emulator import Emulator
    from langchain_doubao import ChatDoubao

PROMPT = "Reply in json."
LENGTH = 300


class Report(BaseModel):
    """A report."""

    text: str


SCHEMA = Report.model_json_schema()
WANTED = {"text": "".join(f"word {number} " for number in range(LENGTH))}
KINDS: dict[str, Any] = {"class": Report, "dict": SCHEMA}
METHODS = ("function_calling", "json_schema")


def event(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return {"id": "021", "created": 1, "model": "m", "choices": [choice]}


def call(arguments: str, **more: Any) -> dict[str, Any]:
    fragment = {"index": 0, "function": {"arguments": arguments}, **more}
    return event({"tool_calls": [fragment]})


def events(method: str, *, reason: str | None = None) -> list[Any]:
    """One answer in many pieces, by a call or as fenced text."""
    pieces = ['{"text": "', *(f"word {number} " for number in range(LENGTH)), '"}']
    if method == "function_calling":
        first = call("", id="call_1", type="function")
        first["choices"][0]["delta"]["tool_calls"][0]["function"]["name"] = "Report"
        made = [first, *map(call, pieces)]
    else:
        made = [event({"content": piece}) for piece in ("```json\n", *pieces, "\n```")]
    usual = "tool_calls" if method == "function_calling" else "stop"
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    counted = {"id": "021", "created": 1, "model": "m", "choices": [], "usage": usage}
    return [*made, event({}, reason or usual), counted, "[DONE]"]


def plain(value: Any) -> Any:
    return value.model_dump() if isinstance(value, Report) else value


@pytest.fixture
def sums(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many chunks were added up, each time that it happened."""
    counted: list[int] = []
    add = ai.add_ai_message_chunks

    def counting(left: Any, *others: Any) -> Any:
        counted.append(len(others))
        return add(left, *others)

    monkeypatch.setattr(ai, "add_ai_message_chunks", counting)
    return counted


@pytest.mark.parametrize("include_raw", [True, False])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", METHODS)
async def test_a_streams_chunks_are_added_up_all_at_once(
    method: str,
    kind: str,
    include_raw: bool,
    sums: list[int],
    emulator: Emulator,
    chat: Callable[..., ChatDoubao],
) -> None:
    """For the parser, once a stream: one by one would be quadratic in core."""
    emulator.answer(events=events(method), burst=True, times=2)
    model = chat().with_structured_output(KINDS[kind], method=method, include_raw=include_raw)
    for parts in (list(model.stream(PROMPT)), [part async for part in model.astream(PROMPT)]):
        value = parts[-1]["parsed"] if include_raw else parts[-1]
        assert plain(value) == WANTED
    assert len(sums) == 2
    assert min(sums) > LENGTH


async def test_dicts_grow_with_every_piece(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    for method in METHODS:
        emulator.answer(events=events(method), times=2)
        model = chat().with_structured_output(SCHEMA, method=method)
        for parts in (list(model.stream(PROMPT)), [part async for part in model.astream(PROMPT)]):
            texts = [part["text"] for part in parts if part]
            assert len(texts) == LENGTH + 1
            assert texts == sorted(texts, key=len)
            assert all(WANTED["text"].startswith(text) for text in texts)
            assert parts[-1] == WANTED


async def test_raw_line_breaks_in_strings_do_not_stop_growth(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    """Models write them, though JSON has none; strict parsers stop there."""
    pieces = ['{"text": "one', "\ntwo", " three", ' four"}']
    emulator.answer(
        events=[*(event({"content": piece}) for piece in pieces), event({}, "stop"), "[DONE]"],
        times=2,
    )
    model = chat().with_structured_output(SCHEMA, method="json_schema")
    for parts in (list(model.stream(PROMPT)), [part async for part in model.astream(PROMPT)]):
        assert [part["text"] for part in parts] == [
            "one",
            "one\ntwo",
            "one\ntwo three",
            "one\ntwo three four",
        ]


@pytest.mark.parametrize("method", ["json_schema", "json_mode"])
async def test_a_fenced_answer_with_a_run_of_blanks_is_read(
    method: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    """A pattern that backtracks would take longer than anybody waits."""
    blanks = " " * 1000
    inner = ['{"text":', *[blanks] * 100, '"a"', *[blanks] * 100, "}"]
    pieces = [*[blanks] * 100, "```json\n", *inner, *[blanks] * 100, "```", *[blanks] * 100]
    whole = {"choices": [{"message": {"content": "".join(pieces)}, "finish_reason": "stop"}]}
    streamed = [*(event({"content": piece}) for piece in pieces), event({}, "stop"), "[DONE]"]
    for schema in (Report, SCHEMA):
        model = chat().with_structured_output(schema, method=method)
        emulator.answer(body={**event({}), **whole}, times=2)
        for value in (model.invoke(PROMPT), await model.ainvoke(PROMPT)):
            assert plain(value) == {"text": "a"}
        emulator.answer(events=streamed, burst=True, times=2)
        for parts in (list(model.stream(PROMPT)), [part async for part in model.astream(PROMPT)]):
            assert plain(parts[-1]) == {"text": "a"}


@pytest.mark.parametrize("method", METHODS)
async def test_a_growing_answer_that_is_cut_off_ends_in_an_error(
    method: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    emulator.answer(events=events(method, reason="length"), times=2)
    model = chat().with_structured_output(SCHEMA, method=method)
    seen: list[Any] = []
    with pytest.raises(OutputParserException, match="max_tokens"):
        seen.extend(model.stream(PROMPT))
    with pytest.raises(OutputParserException, match="max_tokens"):
        [seen.append(part) async for part in model.astream(PROMPT)]
    assert seen


class Runs(BaseCallbackHandler):
    """The runs of a call: kind, name, whether inside another; what the chains and parsers gave."""

    def __init__(self) -> None:
        self.started: list[tuple[str, str, bool]] = []
        self.outputs: list[Any] = []

    def on_chat_model_start(self, *_: Any, parent_run_id: Any, **__: Any) -> None:
        self.started.append(("model", "", parent_run_id is not None))

    def on_chain_start(self, *_: Any, name: str, parent_run_id: Any, **more: Any) -> None:
        self.started.append((more.get("run_type") or "chain", name, parent_run_id is not None))

    def on_chain_end(self, outputs: Any, **_: Any) -> None:
        self.outputs.append(outputs)


async def test_traces_show_one_model_and_one_parser(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    emulator.answer(events=events("function_calling"), times=4)
    for kind in KINDS.values():
        model = chat().with_structured_output(kind)
        for awaited in (False, True):
            runs = Runs()
            if awaited:
                [_ async for _ in model.astream(PROMPT, {"callbacks": [runs]})]
            else:
                list(model.stream(PROMPT, {"callbacks": [runs]}))
            assert sorted(runs.started) == [
                ("chain", "RunnableSequence", False),
                ("model", "", True),
                ("parser", "StructuredParser", True),
            ]
            assert [plain(output) for output in runs.outputs] == [WANTED, WANTED]


async def test_traces_show_the_outcome_around_one_model(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    """Named by the caller's run name, as any chain is; streamed and whole."""
    emulator.answer(events=events("json_schema"), times=2)
    model = chat().with_structured_output(SCHEMA, method="json_schema", include_raw=True)
    for awaited in (False, True):
        runs = Runs()
        config: Any = {"callbacks": [runs], "run_name": "report"}
        if awaited:
            [_ async for _ in model.astream(PROMPT, config)]
        else:
            list(model.stream(PROMPT, config))
        assert runs.started == [("chain", "report", False), ("model", "", True)]
        assert runs.outputs == [{"parsed": WANTED, "parsing_error": None}]
    emulator.answer(json.dumps(WANTED), times=2)
    for awaited in (False, True):
        runs = Runs()
        config = {"callbacks": [runs]}
        outcome = await model.ainvoke(PROMPT, config) if awaited else model.invoke(PROMPT, config)
        assert runs.started == [
            ("chain", "StructuredOutcome", False),
            ("model", "", True),
        ]
        assert runs.outputs == [outcome]


async def test_events_show_the_growing_answer(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    emulator.answer(events=events("json_schema"), times=2)
    model = chat().with_structured_output(SCHEMA, method="json_schema")
    seen = [each async for each in model.astream_events(PROMPT, version="v2")]
    grown = [each for each in seen if each["event"] == "on_chain_stream"]
    assert len(grown) > LENGTH
    assert grown[-1]["data"]["chunk"] == WANTED
    raw = chat().with_structured_output(SCHEMA, method="json_schema", include_raw=True)
    seen = [each async for each in raw.astream_events(PROMPT, version="v2")]
    given = [each["data"]["chunk"] for each in seen if each["event"] == "on_chain_stream"]
    assert len(given) > LENGTH
    assert given[-1]["parsed"] == WANTED


@pytest.mark.parametrize("include_raw", [True, False])
@pytest.mark.parametrize("kind", KINDS)
async def test_copies_that_went_through_pickle_answer(
    kind: str,
    include_raw: bool,
    emulator: Emulator,
    chat: Callable[..., ChatDoubao],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without the key, which the copy takes from the environment."""
    emulator.answer(json.dumps(WANTED), times=3)
    model = chat().with_structured_output(
        KINDS[kind], method="json_schema", include_raw=include_raw
    )
    monkeypatch.setenv("ARK_API_KEY", "test-key")
    copied = pickle.loads(pickle.dumps(model))  # noqa: S301 - our own object, just pickled
    ends = [copied.invoke(PROMPT), await copied.ainvoke(PROMPT), list(copied.stream(PROMPT))[-1]]
    for end in ends:
        assert plain(end["parsed"] if include_raw else end) == WANTED


async def test_it_works_inside_a_chain(emulator: Emulator, chat: Callable[..., ChatDoubao]) -> None:
    """Input that comes in pieces is put together first, and options of the call reach the model."""
    emulator.answer(json.dumps(WANTED), times=4)
    outcome = chat().with_structured_output(Report, method="json_schema", include_raw=True)
    chain = RunnableLambda(lambda asked: f"{asked} in json") | outcome
    parts = list(chain.stream("Report"))
    assert parts[-1]["parsed"].model_dump() == WANTED
    assert emulator.requests[-1].body["messages"][0]["content"] == "Report in json"
    parts = [part async for part in chain.astream("Report")]
    assert parts[-1]["parsed"].model_dump() == WANTED
    outcome.invoke(PROMPT, temperature=0.5)
    await outcome.ainvoke(PROMPT, temperature=0.5)
    assert [request.body.get("temperature") for request in emulator.requests[-2:]] == [0.5, 0.5]


async def test_a_model_that_may_not_stream_answers_streams_whole(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    emulator.answer(tool_calls=[("Report", json.dumps(WANTED))], times=4)
    for include_raw in (False, True):
        model = chat(disable_streaming=True).with_structured_output(SCHEMA, include_raw=include_raw)
        for parts in (list(model.stream(PROMPT)), [part async for part in model.astream(PROMPT)]):
            assert (parts[-1]["parsed"] if include_raw else parts[-1]) == WANTED


async def test_the_parser_takes_texts_and_messages_of_others(
    chat: Callable[..., ChatDoubao],
) -> None:
    """It is a step of a chain, which may be asked to read anything."""
    parser = chat().with_structured_output(SCHEMA, method="json_mode").last
    text = json.dumps(WANTED)

    async def pieces() -> Any:
        for piece in (text[:10], text[10:]):
            yield piece

    assert list(parser.transform(iter([text[:10], text[10:]]))) == [{"text": ""}, WANTED]
    assert [value async for value in parser.atransform(pieces())] == [{"text": ""}, WANTED]
    assert list(parser.transform(iter([]))) == []
    assert parser.invoke(AIMessage(text)) == WANTED


# Far less than the answer takes, far more than a loopback connection needs.
AT_ONCE_S = 1.0


def left(server: Emulator) -> bool:
    """Whether the server sees, soon, that nobody is connected any more."""
    deadline = time.monotonic() + AT_ONCE_S
    while server.connections and time.monotonic() < deadline:
        time.sleep(0.002)
    return server.connections == 0


@pytest.mark.parametrize("include_raw", [True, False])
async def test_whoever_stops_listening_closes_the_connection(include_raw: bool) -> None:
    """Though several generators lie between the reader and it."""
    from doubao_emulator import Emulator
    from langchain_doubao import ChatDoubao

    pieces = [event({"content": '{"text": "'}), *[event({"content": "more "})] * 5000]
    with Emulator() as server:
        server.answer(events=pieces, interval=0.01, times=4)
        model = ChatDoubao(
            model="ep-1", api_key="k", base_url=server.base_url
        ).with_structured_output(SCHEMA, method="json_schema", include_raw=include_raw)
        for _ in model.stream(PROMPT):
            assert server.connections == 1
            break
        assert left(server)
        with closing(model.stream(PROMPT)) as stream:
            next(stream)
        assert left(server)
        async with aclosing(model.astream(PROMPT)) as awaited:
            await anext(awaited)
            assert server.connections == 1
        assert await asyncio.to_thread(left, server)
        async for _ in model.astream(PROMPT):
            assert server.connections == 1
            break
        assert await asyncio.to_thread(left, server)
