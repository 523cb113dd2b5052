"""What one call costs that follows another: short, with long messages, with tools."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from typing import Any

from contestants import ALL, FLOOR, PROMPT, Contestant, call, floor_call, question
from measure import Row, Run, compare, cpu_row

SHORT = "Short call, blocking"
LONG = "Call with 10 messages of 4 KB, blocking"
TOOLS = "Call with 5 tools that answers with a tool call, blocking"

FOUR_KB = "word " * 819
TOOL_NAMES = ("search", "read_page", "weather", "calculate", "send_mail")


def rows(run: Run) -> Iterator[Row]:
    """Measure every row about calls."""
    count = run.size(40)
    for title, work in (
        (SHORT, plain(run, PROMPT, 1)),
        (LONG, plain(run, FOUR_KB, 10)),
        (TOOLS, with_tools(run)),
    ):
        repeated = {name: partial(_repeat, one, count) for name, one in work.items()}
        yield cpu_row(title, compare(repeated, operations=count, rounds=run.rounds))


def _repeat(one: Callable[[], object], count: int) -> int:
    return sum(one() is not None for _ in range(count))


def plain(run: Run, prompt: str, messages: int) -> dict[str, Callable[[], object]]:
    """Ask with *messages* times the prompt."""
    work: dict[str, Callable[[], object]] = {
        FLOOR: floor_call(run.url, "call", prompt, messages),
    }
    for each in ALL:
        asked = question(each.framework, prompt, messages)
        work[each.name] = partial(call, each, each.make(run.url, "call"), asked)
    return work


def with_tools(run: Run) -> dict[str, Callable[[], object]]:
    """Ask as agents of each framework do: tools bound once, or handed to every call."""
    work: dict[str, Callable[[], object]] = {FLOOR: floor_call(run.url, "toolcall")}
    for each in ALL:
        work[each.name] = _tool_call(each, each.make(run.url, "toolcall"))
    return work


def _tool_call(contestant: Contestant, llm: Any) -> Callable[[], object]:
    asked = question(contestant.framework)
    if contestant.framework == "langchain":
        model = llm.bind_tools([_schema(name) for name in TOOL_NAMES])
        return lambda: model.invoke(asked).tool_calls or None
    function_tool = import_module("llama_index.core.tools").FunctionTool
    tools = [function_tool.from_defaults(_look_up, name=name) for name in TOOL_NAMES]

    def run() -> object:
        response = llm.chat_with_tools(tools, chat_history=asked)
        return llm.get_tool_calls_from_response(response) or None

    return run


def _look_up(query: str, limit: int = 10) -> str:
    """Look something up and give the best matches."""
    return query[:limit]


def _schema(name: str) -> dict[str, Any]:
    properties = {"query": {"type": "string"}, "limit": {"type": "integer", "default": 10}}
    parameters = {"type": "object", "properties": properties, "required": ["query"]}
    function = {"name": name, "description": _look_up.__doc__, "parameters": parameters}
    return {"type": "function", "function": function}
