"""What goes back in a tool loop: the model's message unchanged and once, and the results."""

from __future__ import annotations

from typing import Any

import pytest

from doubao_core import InvalidRequest

QUESTION = ("user", "What is the weather in 巴黎?")
WEATHER = ("get_weather", {"city": "巴黎"})
PICTURE = {"kind": "image", "url": "https://example.com/sky.png"}


def without_empty_text(message: dict[str, Any]) -> dict[str, Any]:
    """A message with only tool calls may leave its content out (ark.md 4.2); one adapter does."""
    return {name: value for name, value in message.items() if (name, value) != ("content", "")}


async def loop(talk: Any, result: Any, **settings: Any) -> tuple[Any, list[dict[str, Any]]]:
    """Ask, answer each call with *result*; gives the first answer and the second's messages."""
    model = talk.make(**settings)
    first = await talk.ask([QUESTION], model, tools=["get_weather", "get_time"])
    results = [("tool", call_id, result) for call_id, _, _ in first.calls]
    talk.emulator.answer("Done.")
    await talk.ask([QUESTION, first, *results], model, tools=["get_weather", "get_time"])
    return first, talk.body()["messages"]


async def test_reasoning_and_its_seal_go_back_unchanged_and_once(talk):
    talk.emulator.answer("Let me look.", reasoning="I need the weather.", tool_calls=[WEATHER])
    first, messages = await loop(talk, "5 C")
    ((call_id, _, _),) = first.calls
    assert first.seal.startswith("dj")
    function = {"name": "get_weather", "arguments": '{"city":"巴黎"}'}
    assert messages == [
        {"role": "user", "content": QUESTION[1]},
        {
            "role": "assistant",
            "reasoning_content": "I need the weather.",
            "encrypted_content": first.seal,
            "content": "Let me look.",
            "tool_calls": [{"id": call_id, "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": call_id, "content": "5 C"},
    ]


async def test_reasoning_stays_here_if_wanted(talk):
    talk.emulator.answer("Look.", reasoning="I need the weather.", tool_calls=[WEATHER])
    _, messages = await loop(talk, "5 C", send_thinking=False)
    assert messages[1].keys() == {"role", "content", "tool_calls"}


async def test_a_message_of_calls_only_has_no_text(talk):
    talk.emulator.answer(tool_calls=[WEATHER, ("get_time", {})])
    _, messages = await loop(talk, "fine")
    assistant = without_empty_text(messages[1])
    assert assistant.keys() == {"role", "tool_calls"}
    functions = [call["function"] for call in assistant["tool_calls"]]
    assert functions == [
        {"name": "get_weather", "arguments": '{"city":"巴黎"}'},
        {"name": "get_time", "arguments": "{}"},
    ]
    ids = [call["id"] for call in assistant["tool_calls"]]
    assert [message["tool_call_id"] for message in messages[2:]] == ids


@pytest.mark.parametrize("arguments", ["{city: Paris}", '["Paris"]', '{"city": "Par'])
async def test_arguments_that_cannot_be_read_go_back_as_the_model_wrote_them(talk, arguments):
    talk.emulator.answer(tool_calls=[("get_weather", arguments)])
    _, messages = await loop(talk, "These arguments are no JSON object.")
    (call,) = messages[1]["tool_calls"]
    # In a stream LangChain's own sum of chunks needs an end that nobody completes.
    end = call["function"]["arguments"].removeprefix(arguments)
    assert end == "" or (talk.streams and end in {"]", '"]'})


async def test_good_and_bad_calls_of_one_answer_all_go_back(talk):
    talk.emulator.answer(tool_calls=[("get_weather", "{city: Paris}"), ("get_time", {})])
    first, messages = await loop(talk, "x")
    sent = {call["id"]: call["function"]["name"] for call in messages[1]["tool_calls"]}
    assert sent == {call_id: name for call_id, name, _ in first.calls}
    assert sorted(sent.values()) == ["get_time", "get_weather"]


async def test_a_picture_that_a_tool_gives_reaches_the_model(talk):
    talk.emulator.answer(tool_calls=[WEATHER])
    _, messages = await loop(talk, ["The sky:", PICTURE])
    assert messages[2]["content"] == [
        {"type": "text", "text": "The sky:"},
        {"type": "image_url", "image_url": {"url": PICTURE["url"]}},
    ]


async def test_an_empty_result_is_an_empty_text(talk):
    talk.emulator.answer(tool_calls=[WEATHER])
    _, messages = await loop(talk, "")
    assert messages[2]["content"] == ""


async def test_a_seal_that_was_changed_is_refused(talk):
    """The emulator checks signatures, so the other tests prove that seals go back unchanged."""
    talk.emulator.answer("Look.", reasoning="hm", tool_calls=[WEATHER])
    first = await talk.ask([QUESTION], tools=["get_weather"])
    changed = first.seal[:-8] + ("A" if first.seal[-8] != "A" else "B") + first.seal[-7:]
    kind, stored = type(first.message), first.message.model_dump_json()
    first.message = kind.model_validate_json(stored.replace(first.seal, changed))
    with pytest.raises(InvalidRequest, match=r"(?i)signature"):
        await talk.ask([QUESTION, first, ("tool", first.calls[0][0], "5 C")])


async def test_an_answer_is_remembered_with_its_reasoning(talk):
    """Shows R000-33."""
    model = talk.make()
    talk.emulator.answer("Green.", reasoning="I think of tea.")
    first = await talk.ask("Tea?", model)
    talk.emulator.answer("Black.")
    await talk.ask([("user", "Tea?"), first, ("user", "And coffee?")], model)
    assert talk.body()["messages"][1] == {
        "role": "assistant",
        "reasoning_content": "I think of tea.",
        "encrypted_content": first.seal,
        "content": "Green.",
    }


async def test_asking_again_sends_the_same_bytes(talk):
    """Prefix caching needs it (ark.md 4.7), and nothing of the conversation may be changed."""
    talk.emulator.answer("Look.", reasoning="hm", tool_calls=[WEATHER])
    model = talk.make()
    first = await talk.ask([QUESTION], model, tools=["get_weather"])
    turns = [QUESTION, first, ("tool", first.calls[0][0], "5 C")]
    sizes = []
    for _ in range(2):
        talk.emulator.answer("Done.")
        await talk.ask(turns, model, tools=["get_weather"])
        sizes.append((talk.emulator.requests[-1].size, talk.emulator.requests[-1].body))
    assert sizes[0] == sizes[1]
