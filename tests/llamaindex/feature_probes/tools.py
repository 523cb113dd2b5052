"""Probes: function calling and structured output."""

import asyncio

from llama_index.core.base.llms.types import ChatMessage, ToolCallBlock
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel


class City(BaseModel):
    """A city."""

    name: str


def weather(city: str = "Berlin") -> str:
    """Weather of a city."""
    return f"It is sunny in {city}."


def clock() -> str:
    """Time of day."""
    return "noon"


TOOLS = [FunctionTool.from_defaults(weather), FunctionTool.from_defaults(clock)]
PROMPT = PromptTemplate("Tell me about Paris as JSON.")


def fragment(index, arguments, **named):
    function = {"arguments": arguments} | ({"name": named.pop("name")} if "name" in named else {})
    return {"index": index, "function": function, "type": "function", **named}


def event(*fragments, **choice):
    delta = {"role": "assistant", "content": "", **({"tool_calls": fragments} if fragments else {})}
    return {
        "id": "0217abc",
        "object": "chat.completion.chunk",
        "created": 1790000000,
        "model": "doubao-seed-2-1-pro-260915",
        "choices": [{"index": 0, "delta": delta, **choice}],
    }


def streamed(side, events, **options):
    side.emulator.answer(events=[*events, event(finish_reason="tool_calls"), "[DONE]"])
    llm = side.llm()
    last = list(llm.stream_chat_with_tools(TOOLS, user_msg="Weather?", **options))[-1]
    return llm.get_tool_calls_from_response(last, error_on_no_tool_call=False)


def interleaved_calls(side):
    opened = event(
        fragment(0, "", id="call_1", name="weather"), fragment(1, "", id="call_2", name="clock")
    )
    rest = event(fragment(0, '{"city":'), fragment(1, "{}")), event(fragment(0, ' "Rome"}'))
    calls = []
    error = side.error(
        lambda: calls.extend(streamed(side, [opened, *rest], allow_parallel_tool_calls=True))
    )
    found = [(call.tool_name, call.tool_kwargs) for call in calls]
    if found == [("weather", {"city": "Rome"}), ("clock", {})]:
        return "both, whole"
    return "mixed up" if error is None else f"an error ({type(error).__name__})"


def one_call_in_streams(side):
    both = (
        event(
            fragment(0, "{}", id="call_1", name="weather"),
        ),
        event(fragment(1, "{}", id="call_2", name="clock")),
    )
    return f"{len(streamed(side, both, allow_parallel_tool_calls=False))} of 2 given"


def parallel_off(side):
    side.llm().chat_with_tools(TOOLS, user_msg="Hi", allow_parallel_tool_calls=False)
    return "sent" if side.body().get("parallel_tool_calls") is False else "not sent"


def required_tools(side):
    side.llm().chat_with_tools(TOOLS, user_msg="Weather?", tool_required=True)
    return "sent" if side.body().get("tool_choice") == "required" else "not sent"


def bad_arguments(side):
    side.emulator.answer(tool_calls=[("weather", "{city: Paris}")])
    try:
        result = side.llm().predict_and_call(TOOLS, user_msg="Weather?")
    except Exception:
        return "an error that shows them"
    return "the tool runs with its defaults" if "Berlin" in str(result) else "unknown"


def kept_arguments(side):
    side.emulator.answer(tool_calls=[("weather", "{city: Paris}")])
    message = side.llm().chat_with_tools(TOOLS, user_msg="Weather?").message
    blocks = [block for block in message.blocks if isinstance(block, ToolCallBlock)]
    if blocks and blocks[0].tool_kwargs == "{city: Paris}":
        return "kept as written"
    return "lost"


def long_descriptions(side):
    tool = FunctionTool.from_defaults(weather, description="x" * 2000)
    error = side.error(lambda: side.llm().chat_with_tools([tool], user_msg="Hi"))
    return "sent" if error is None else "an error"


def chinese_arguments(side):
    call = ToolCallBlock(tool_call_id="call_1", tool_name="weather", tool_kwargs={"city": "巴黎"})
    result = ChatMessage(role="tool", content="sun", additional_kwargs={"tool_call_id": "call_1"})
    side.llm().chat(
        [ChatMessage(content="?"), ChatMessage(role="assistant", blocks=[call]), result]
    )
    arguments = side.body()["messages"][1]["tool_calls"][0]["function"]["arguments"]
    return "as they are" if "巴黎" in arguments else "as `\\u` escapes"


def callers_history(side):
    history = [ChatMessage(content="first")]
    side.llm().chat_with_tools(TOOLS, user_msg="second", chat_history=history)
    return "left alone" if len(history) == 1 else "the question is appended to it"


def object_settings(side):
    side.emulator.answer('{"name": "Paris"}', tool_calls=[("City", '{"name": "Paris"}')])
    side.error(lambda: side.llm(max_tokens=77).structured_predict(City, PROMPT))
    return "sent" if side.body().get("max_tokens") == 77 else "not sent"


def system_prompts_of_objects(side):
    llm = side.llm(system_prompt="Be exact.")
    told = []
    for call in (
        lambda: llm.structured_predict(City, PROMPT),
        lambda: asyncio.run(llm.astructured_predict(City, PROMPT)),
    ):
        side.emulator.answer('{"name": "Paris"}')
        side.error(call)
        told.append("Be exact." in str(side.body()["messages"]))
    if all(told):
        return "sent, blocking and async"
    return "lost with asyncio" if told[0] else "lost"


def streamed_objects(side):
    side.emulator.answer(tool_calls=[("City", '{"name": "Paris"}')])
    error = side.error(lambda: list(side.llm().stream_structured_predict(City, PROMPT)))
    body = side.body()
    forced = body.get("tool_choice") not in {None, "auto"} or "response_format" in body
    if forced:
        return "the model must give it"
    return "the model may give it or not" if error is None else "an error"


def objects_by_schema(side):
    side.emulator.answer('{"name": "Paris"}')
    side.error(lambda: side.llm().structured_predict(City, PROMPT))
    return side.body().get("response_format", {}).get("type", "by a tool call")


def cut_objects(side):
    side.emulator.answer('{"name": "Par', finish_reason="length")
    error = side.error(lambda: side.llm().structured_predict(City, PROMPT))
    return "an error that says so" if "max_tokens" in str(error) else "an error of the parser"


PROBES = {
    "Fragments of parallel calls in turns": (interleaved_calls, "both, whole"),
    "Parallel calls off, in a stream": (one_call_in_streams, "1 of 2 given"),
    "Parallel calls off, on the wire": (parallel_off, "sent"),
    "`tool_required`": (required_tools, "sent"),
    "Arguments that are no JSON, in `predict_and_call`": (
        bad_arguments,
        "an error that shows them",
    ),
    "Arguments that are no JSON, in the message": (kept_arguments, "kept as written"),
    "A tool description of 2000 characters": (long_descriptions, "sent"),
    "Chinese arguments in the history": (chinese_arguments, "as they are"),
    "The caller's `chat_history`": (callers_history, "left alone"),
    "`structured_predict` on a model with JSON schema": (objects_by_schema, "json_schema"),
    "`structured_predict`: `max_tokens` of the object": (object_settings, "sent"),
    "`structured_predict`: `system_prompt`": (
        system_prompts_of_objects,
        "sent, blocking and async",
    ),
    "`stream_structured_predict`": (streamed_objects, "the model must give it"),
    "An object that was cut at the limit": (cut_objects, "an error that says so"),
}
