"""The same wire answers mean the same, whichever adapter reads them and however it was asked."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

import pytest

USAGE = {
    "prompt_tokens": 20,
    "completion_tokens": 9,
    "total_tokens": 29,
    "prompt_tokens_details": {"cached_tokens": 8},
    "completion_tokens_details": {"reasoning_tokens": 4},
}
COUNTED = (20, 9, 29, 8, 4)
WEATHER = {"id": "call_1", "name": "get_weather"}
TIME = {"id": "call_2", "name": "get_time"}
BOTH = [("call_1", "get_weather", {"city": "Rome"}), ("call_2", "get_time", {})]
ROME = '{"city":"Rome"}'
SEAL = "djF+2EICEj3ryfEf=="


def call(index: int | None, arguments: str | None = None, **named: Any) -> dict[str, Any]:
    """A fragment of a tool call."""
    fragment: dict[str, Any] = {"function": {"arguments": arguments}}
    if "name" in named:
        fragment["function"]["name"] = named.pop("name")
    return {**fragment, **({} if index is None else {"index": index}), **named}


def calling(*fragments: dict[str, Any]) -> dict[str, Any]:
    """A delta of fragments."""
    return {"tool_calls": list(fragments)}


def event(delta: Any, reason: str | None = None, usage: Any = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, **({"finish_reason": reason} if reason else {})}
    return {
        "id": "0217abc",
        "object": "chat.completion.chunk",
        "created": 1790000000,
        "model": "doubao-seed-2-1-lite-260915",
        "service_tier": "default",
        "choices": [] if delta is None else [choice],
        "usage": usage,
    }


# Deltas; finish reason; what the answer has beside an empty text and the usual.
ANSWERS: dict[str, tuple[list[dict[str, Any]], str, dict[str, Any]]] = {
    "plain": ([{"content": "Tea "}, {"content": "is green."}], "stop", {"text": "Tea is green."}),
    "chinese and line breaks": (
        [{"content": "春茶\n"}, {"content": "\n最好 🍵"}],
        "stop",
        {"text": "春茶\n\n最好 🍵"},
    ),
    "reasoning": (
        [{"reasoning_content": "h"}, {"reasoning_content": "m"}, {"content": "Yes."}],
        "stop",
        {"text": "Yes.", "reasoning": "hm"},
    ),
    "reasoning and its seal": (
        [{"reasoning_content": "hm"}, {"encrypted_content": SEAL}, {"content": "Yes."}],
        "stop",
        {"text": "Yes.", "reasoning": "hm", "seal": SEAL},
    ),
    "a seal without reasoning": (
        [{"encrypted_content": SEAL}, {"content": "Yes."}],
        "stop",
        {"text": "Yes.", "seal": SEAL},
    ),
    "reasoning only": ([{"reasoning_content": "hm"}], "stop", {"reasoning": "hm"}),
    "text, then a call": (
        [{"content": "Let me look."}, calling(call(0, ROME, **WEATHER))],
        "tool_calls",
        {"text": "Let me look.", "calls": BOTH[:1]},
    ),
    "text and a call in one delta": (
        [{"content": "Look: ", **calling(call(0, ROME, **WEATHER))}],
        "tool_calls",
        {"text": "Look: ", "calls": BOTH[:1]},
    ),
    "parallel calls": (
        [calling(call(0, ROME, **WEATHER), call(1, "{}", **TIME))],
        "tool_calls",
        {"calls": BOTH},
    ),
    "a call without an id": (
        [calling(call(0, "{}", name="get_time"))],
        "tool_calls",
        {"calls": [("call_0217abc_0", "get_time", {})]},
    ),
    "filtered": ([{"content": "I wi"}], "content_filter", {"text": "I wi"}),
    "cut at the limit": ([{"content": "Once u"}], "length", {"text": "Once u"}),
    "empty": ([{"content": ""}], "stop", {}),
    "null": ([{"content": None}], "stop", {}),
}


def body(deltas: list[dict[str, Any]], reason: str, usage: Any) -> dict[str, Any]:
    """The same answer as one body."""
    message: dict[str, Any] = {"role": "assistant", "content": ""}
    for delta in deltas:
        for name, value in delta.items():
            if name == "tool_calls":
                plain = [{k: v for k, v in each.items() if k != "index"} for each in value]
                message[name] = [{**each, "type": "function"} for each in plain]
            else:
                message[name] = None if value is None else (message.get(name) or "") + value
    choice = {"index": 0, "message": message, "finish_reason": reason, "logprobs": None}
    return {**event(None), "choices": [choice], "object": "chat.completion", "usage": usage}


def say(talk: Any, deltas: list[dict[str, Any]], reason: str, usage: Any = USAGE) -> None:
    """Script an answer, whole or as a stream as this style of calling asks for it."""
    if not talk.streams:
        talk.emulator.answer(body=body(deltas, reason, usage))
        return
    told = [event({"role": "assistant", "content": "", **delta}) for delta in deltas]
    ending = [event({"role": "assistant", "content": ""}, reason), event(None, usage=usage)]
    talk.emulator.answer(events=[*told, *ending, "[DONE]"])


def meaning(answer: Any) -> dict[str, Any]:
    """What is in an answer, without what is empty; calls by id.

    Their order is that of their indices or, where a framework adds the chunks up itself, that in
    which they began; results are matched by id, so it means nothing.
    """
    found = {name: getattr(answer, name) for name in ("text", "reasoning", "seal")}
    found["calls"] = sorted(answer.calls, key=itemgetter(0))
    return {name: value for name, value in found.items() if value}


def spoilt(answer: Any, expected: dict[str, Any]) -> dict[str, Any]:
    """What is expected of a stream, with the end that *answer* has behind broken arguments.

    LangChain completes cut JSON when it adds chunks up; a bracket that nothing opened keeps it from
    calling a tool with half its arguments. All that the model wrote stands before it.
    """
    calls = [
        (call_id, name, got if isinstance(wrote, str) and _ends_spoilt(got, wrote) else wrote)
        for (call_id, name, wrote), (_, _, got) in zip(
            expected.get("calls", ()), meaning(answer).get("calls", ()), strict=True
        )
    ]
    return {**expected, **({"calls": calls} if calls else {})}


def _ends_spoilt(got: Any, wrote: str) -> bool:
    return isinstance(got, str) and got.removeprefix(wrote) in {"]", "}", '"]', '"}'}


@pytest.mark.parametrize("name", ANSWERS)
async def test_an_answer_has_the_same_meaning(talk, name):
    """Shows R000-42, R000-45."""
    deltas, reason, expected = ANSWERS[name]
    say(talk, deltas, reason)
    answer = await talk.ask()
    assert meaning(answer) == expected
    assert (answer.finish_reason, answer.usage) == (reason, COUNTED)
    assert answer.model == "doubao-seed-2-1-lite-260915"
    if talk.streams:
        assert "".join(answer.pieces) == answer.text


# What the model writes; what it means: the text itself if it is no object.
ARGUMENTS: dict[str, tuple[str | None, Any]] = {
    "an object behind a blank": (' {"city": "Paris"}', {"city": "Paris"}),
    "chinese": ('{"city":"巴黎"}', {"city": "巴黎"}),
    "raw line breaks": ('{"city":"New\nYork"}', {"city": "New\nYork"}),
    "an empty object": ("{}", {}),
    "empty": ("", {}),
    "blank": (" ", {}),
    "null": (None, {}),
    "no JSON": ("{city: Rome}", "{city: Rome}"),
    "a list": ('["Rome"]', '["Rome"]'),
    "cut in a string": ('{"city":"Ro', '{"city":"Ro'),
    "cut behind a key": ('{"city":', '{"city":'),
}


@pytest.mark.parametrize("name", ARGUMENTS)
@pytest.mark.parametrize("reason", ["tool_calls", "length"])
async def test_arguments_have_the_same_meaning(talk, name, reason):
    text, meant = ARGUMENTS[name]
    say(talk, [calling(call(0, text, id="call_1", name="get_weather"))], reason)
    answer = await talk.ask()
    expected = {"calls": [("call_1", "get_weather", meant)]}
    assert meaning(answer) == (spoilt(answer, expected) if talk.streams else expected)
    assert answer.finish_reason == reason


FEW = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
ZEROS = {
    "prompt_tokens_details": {"cached_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0},
}


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, None),
        (FEW, (3, 4, 7, None, None)),
        ({"prompt_tokens": 3, "completion_tokens": 4}, (3, 4, 7, None, None)),
        (FEW | {"completion_tokens": 0, "total_tokens": 3}, (3, 0, 3, None, None)),
        (FEW | ZEROS, (3, 4, 7, 0, 0)),
    ],
    ids=["none", "no details", "no total", "nothing said", "zeros"],
)
async def test_tokens_are_those_of_the_service(talk, usage, expected):
    """Shows R000-34."""
    say(talk, [{"content": "x"}], "stop", usage)
    assert (await talk.ask()).usage == expected


DONE = event({"content": ""}, "tool_calls")

# Events; what the answer has.
STREAMS: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "fragments of two calls in turns": (
        [
            event(calling(call(0, "", **WEATHER))),
            event(calling(call(0, ' {"ci'), call(1, "", **TIME))),
            event(calling(call(1, "{"), call(0, 'ty": "Ro'))),
            event(calling(call(0, 'me"}'))),
            event(calling(call(1, "}"))),
            DONE,
        ],
        {"calls": BOTH},
    ),
    "empty ids and names in later fragments": (
        [
            event(calling(call(0, '{"city"', **WEATHER))),
            event(calling(call(0, ': "Rome"}', id="", name="", type=""))),
            event(calling(call(1, "{}", **TIME))),
            event(calling(call(1, "", id=None, name=None))),
            DONE,
        ],
        {"calls": BOTH},
    ),
    "ids and names repeated in every fragment": (
        [
            event(calling(call(0, '{"city"', **WEATHER))),
            event(calling(call(0, ': "Rome"}', **WEATHER))),
            event(calling(call(1, "{}", **TIME))),
            DONE,
        ],
        {"calls": BOTH},
    ),
    "one index for two calls": (
        [
            event(calling(call(0, ROME, **WEATHER))),
            event(calling(call(0, "{}", **TIME))),
            DONE,
        ],
        {"calls": BOTH},
    ),
    "no index": (
        [
            event(calling(call(None, '{"city":', **WEATHER))),
            event(calling(call(None, '"Rome"}'))),
            event(calling(call(None, "{}", **TIME))),
            DONE,
        ],
        {"calls": BOTH},
    ),
    "indices that begin at one": (
        [
            event(calling(call(1, ROME, **WEATHER))),
            event(calling(call(2, "{}", **TIME))),
            DONE,
        ],
        {"calls": BOTH},
    ),
    "the second call first": (
        [
            event(calling(call(1, "{}", **TIME))),
            event(calling(call(0, ROME, **WEATHER))),
            DONE,
        ],
        {"calls": BOTH},
    ),
    "a whole call with the finish reason": (
        [event(calling(call(0, ROME, **WEATHER)), "tool_calls")],
        {"calls": BOTH[:1]},
    ),
    "a name after the id": (
        [
            event(calling(call(0, "", id="call_2"))),
            event(calling(call(0, "{}", name="get_time"))),
            DONE,
        ],
        {"calls": BOTH[1:]},
    ),
    "the finish reason said twice": (
        [event({"content": "x"}), event({}, "stop"), event({"content": ""}, "stop")],
        {"text": "x"},
    ),
    "text after the finish reason": (
        [event({"content": "x"}, "stop"), event({"content": "y"})],
        {"text": "xy"},
    ),
    "deltas without anything, and events without choices": (
        [
            event({"role": "assistant"}),
            event(None),
            event({}),
            event({"content": None, "reasoning_content": None, "tool_calls": None}),
            event({"content": "x"}),
            event({"content": ""}, "stop"),
        ],
        {"text": "x"},
    ),
    "a first event with reasoning only": (
        [event({"reasoning_content": "h"}), event({"content": "x"}, "stop")],
        {"text": "x", "reasoning": "h"},
    ),
    "reasoning and text in one event": (
        [event({"reasoning_content": "h", "content": "x"}), event({}, "stop")],
        {"text": "x", "reasoning": "h"},
    ),
    "the seal said twice": (
        [
            event({"encrypted_content": SEAL}),
            event({"encrypted_content": SEAL}),
            event({"content": "x"}, "stop"),
        ],
        {"text": "x", "seal": SEAL},
    ),
    "comments and unframed lines": (
        [b": keep-alive\n\n", event({"content": "x"}), b"id: 7\nretry: 3\n\n", event({}, "stop")],
        {"text": "x"},
    ),
    "other choices": (
        [
            {**event(None), "choices": [{"index": 1, "delta": {"content": "no"}}]},
            event({"content": "x"}),
            event({}, "stop"),
        ],
        {"text": "x"},
    ),
}


@pytest.mark.parametrize("name", STREAMS)
async def test_a_stream_has_the_same_meaning(streamed, name):
    """Shows R000-09."""
    events, expected = STREAMS[name]
    streamed.emulator.answer(events=[*events, event(None, usage=USAGE), "[DONE]"])
    answer = await streamed.ask()
    assert meaning(answer) == expected
    assert answer.finish_reason == ("tool_calls" if "calls" in expected else "stop")
    assert answer.usage == COUNTED
    assert "".join(answer.pieces) == answer.text


async def test_the_first_finish_reason_counts(streamed):
    """Shows R000-11."""
    events = [event(calling(call(0, "{}", **TIME)), "tool_calls"), event({}, "stop")]
    streamed.emulator.answer(events=[*events, "[DONE]"])
    assert (await streamed.ask()).finish_reason == "tool_calls"


@pytest.mark.parametrize("place", ["each event", "the last choice", "an event of its own"])
async def test_usage_counts_once_wherever_it_comes(streamed, place):
    """As ``chunk_include_usage`` sends it, each is the sum so far (ark.md 4.4)."""
    first = {**USAGE, "completion_tokens": 1, "total_tokens": 21}
    events = {
        "each event": [event({"content": "x"}, usage=first), event({}, "stop", usage=USAGE)],
        "the last choice": [event({"content": "x"}), event({}, "stop", usage=USAGE)],
        "an event of its own": [
            event({"content": "x"}),
            event({}, "stop"),
            event(None, None, USAGE),
        ],
    }[place]
    streamed.emulator.answer(events=[*events, "[DONE]"])
    assert (await streamed.ask()).usage == COUNTED


async def test_an_index_that_changes_its_id_without_a_name_is_one_call(streamed):
    """Servers that make an id for each fragment exist; a new call always has a name."""
    events = [
        event(calling(call(0, '{"city":', **WEATHER))),
        event(calling(call(0, '"Rome"}', id="call_9"))),
        DONE,
    ]
    streamed.emulator.answer(events=[*events, "[DONE]"])
    assert (await streamed.ask()).calls == BOTH[:1]
