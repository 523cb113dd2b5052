"""Probes: streams, reasoning, usage."""

import asyncio
import time

from langchain_core import exceptions as chain
from langchain_core.messages import HumanMessage, ToolMessage

from doubao_emulator import Emulator

USAGE = {"prompt_tokens": 10, "completion_tokens": 7, "total_tokens": 17}
TOOL = {
    "name": "get_weather",
    "description": "Weather of a city",
    "parameters": {
        "type": "object",
        "properties": {"location": {"type": "string"}},
        "required": ["location"],
    },
}


def event(delta, *, usage=None, **choice):
    return {
        "id": "0217abc",
        "object": "chat.completion.chunk",
        "created": 1790000000,
        "model": "doubao-seed-2-1-pro-260915",
        "choices": [{"index": 0, "delta": {"role": "assistant", **delta}, **choice}],
        "usage": usage,
    }


def fragment(arguments, *, content="", name=None, **fields):
    function = {"arguments": arguments} | ({} if name is None else {"name": name})
    return event({"content": content, "tool_calls": [{"index": 0, "function": function, **fields}]})


OPENED = fragment("", id="call_1", name="get_weather", type="function")
CALLED = event({"content": ""}, finish_reason="tool_calls")
PARIS = [("get_weather", {"city": "Paris"}, "call_1")]


def calls(message):
    return [(call["name"], call["args"], call["id"]) for call in message.tool_calls]


def reasoning(side):
    thought = "The moon pulls."

    def blocks(message):
        return [
            block["reasoning"] for block in message.content_blocks if block["type"] == "reasoning"
        ]

    side.emulator.answer("Tides.", reasoning=thought, times=2)
    whole, streamed = side.invoke(side.model()), side.streamed(side.model())
    if blocks(whole) == blocks(streamed) == [thought]:
        return "yes, as standard blocks"
    everything = whole.model_dump_json() + streamed.model_dump_json()
    return "no: lost" if thought not in everything else everything


def reasoning_sent_back(side):
    model = side.model().bind_tools([TOOL])
    question = HumanMessage("What is the weather in Paris?")
    called = side.invoke(model, [question])
    result = ToolMessage("5 C", tool_call_id=called.tool_calls[0]["id"])
    side.invoke(model, [question, called, result])
    sent = side.emulator.requests[-1].body["messages"][1]
    if sent.get("reasoning_content") and sent.get("encrypted_content", "").startswith("dj"):
        return "yes, once, with its seal"
    return (
        "no: not sent"
        if not sent.keys() & {"reasoning_content", "encrypted_content"}
        else str(sent)
    )


def usage_of_a_stream(side):
    usage = side.streamed(side.model()).usage_metadata
    if usage and usage["output_token_details"]["reasoning"] > 0:
        return "yes"
    asked = side.streamed(side.model(stream_usage=True)).usage_metadata
    return "no, unless `stream_usage=True`" if usage is None and asked else str(usage)


def usage_on_every_event(side):
    side.emulator.answer(
        events=[
            event({"content": "a"}, usage={**USAGE, "completion_tokens": 5, "total_tokens": 15}),
            event({"content": "b"}, usage=USAGE),
            event({"content": ""}, usage=USAGE, finish_reason="stop"),
            "[DONE]",
        ]
    )
    total = side.streamed(side.model(stream_usage=True)).usage_metadata["total_tokens"]
    return "yes" if total == 17 else f"no: {total} tokens for 17"


def text_and_a_tool_call_in_one_event(side):
    first = fragment("", content="Let me check.", id="call_1", name="get_weather")
    views = side.views([first, fragment('{"city": "Paris"}', content=" Now."), CALLED])
    seen = [(calls(view), str(view.text)) for view in views]
    return "yes" if seen == [(PARIS, "Let me check. Now.")] * 3 else str(seen)


def empty_ids_and_names(side):
    rest = [fragment(text, id="", name="") for text in ('{"city": ', '"Paris"}')]
    seen = [calls(view) for view in side.views([OPENED, *rest, CALLED])]
    if seen == [PARIS] * 3:
        return "yes"
    nameless = [("", {"city": "Paris"}, "")]
    return "no: v3 loses both" if seen == [PARIS, PARIS, nameless] else str(seen)


def repeated_ids_and_names(side):
    rest = [fragment(text, id="call_1", name="get_weather") for text in ('{"city": ', '"Paris"}')]
    seen = [calls(view)[0][0] for view in side.views([OPENED, *rest, CALLED])]
    if seen == ["get_weather"] * 3:
        return "yes"
    thrice = "get_weather" * 3
    return "no: `get_weatherget_weather…`" if seen == [thrice, thrice, "get_weather"] else str(seen)


def connection_lost_in_mid_answer(side):
    with side.emulator.fault("truncated_stream", after_events=8):
        error = side.error(lambda: side.streamed(side.model()))
        if error is None:
            text = side.streamed(side.model()).text
            return "no: half the answer, as a success" if text else "no: nothing"
    assert isinstance(error, chain.ModelConnectionError)
    assert error.partial
    return f"`{type(error).__name__}`, with the text so far"


def error_inside_a_stream(side):
    busy = {"error": {"code": "ServerOverloaded", "message": "busy", "type": "TooManyRequests"}}
    side.emulator.answer(events=[event({"content": "a"}), busy, "[DONE]"], times=3)
    error = side.error(lambda: side.streamed(side.model()))
    theirs = [kind for kind in type(error).__mro__ if kind.__module__ == chain.__name__]
    if theirs:
        return f"`{theirs[0].__name__}`"
    return f"no: `{type(error).__module__}.{type(error).__name__}`"


def _closed(busy):
    deadline = time.monotonic() + 5
    while busy.connections and time.monotonic() < deadline:
        time.sleep(0.005)
    return "yes" if busy.connections == 0 else "no"


def _endless(busy):
    busy.answer(events=[event({"content": "more "})] * 5000, interval=0.01)
    return {"base_url": busy.base_url}


def leaving_a_stream(side):
    with Emulator() as busy:
        model = side.model(**_endless(busy))
        for _ in model.stream("Go"):
            assert busy.connections == 1
            break
        return _closed(busy)


def cancelling_a_task(side):
    async def cancelled(busy):
        model, begun = side.model(**_endless(busy)), asyncio.Event()

        async def read():
            async for _ in model.astream("Go"):
                begun.set()

        task = asyncio.create_task(read())
        await begun.wait()
        assert busy.connections == 1
        task.cancel()
        await asyncio.wait([task])
        return await asyncio.to_thread(_closed, busy)

    with Emulator() as busy:
        return asyncio.run(cancelled(busy))


PROBES = {
    "the model's reasoning, on `invoke` and in streams": reasoning,
    "reasoning sent back in a tool loop": reasoning_sent_back,
    "token usage of a stream": usage_of_a_stream,
    "usage on every event of a stream, counted once": usage_on_every_event,
    "text and a tool call in one event: v0, v1, v3 agree": text_and_a_tool_call_in_one_event,
    "later fragments of a tool call with empty id and name": empty_ids_and_names,
    "later fragments that repeat id and name": repeated_ids_and_names,
    "connection lost in mid-answer": connection_lost_in_mid_answer,
    "error inside a stream, as one of `langchain_core`'s": error_inside_a_stream,
    "leaving a stream closes its connection": leaving_a_stream,
    "cancelling a task closes its connection": cancelling_a_task,
}
