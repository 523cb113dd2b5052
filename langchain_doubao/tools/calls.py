"""Which call of a tool this is: the same call, made again after a crash, must be recognised."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

from langchain_core.runnables.config import ensure_config

from doubao_core.studio.keys import call_key

_CALL_ID: ContextVar[str | None] = ContextVar("doubao_tool_call_id", default=None)


@contextmanager
def made_as(tool_call_id: str | None) -> Generator[None]:
    """Remember the id that the model gave to the call which runs now."""
    token = _CALL_ID.set(tool_call_id)
    try:
        yield
    finally:
        _CALL_ID.reset(token)


def call_id() -> str | None:
    """Give the id of the call that runs now, if the model gave one."""
    return _CALL_ID.get()


def asks_alone() -> bool:
    """Say whether the call that runs now is the only one of its LangGraph node.

    It is where each call is a task of its own, as in ``create_agent``; a ``ToolNode`` that an edge
    leads to runs all calls of the last message. What cannot be found out is taken for one call.
    """
    known = ensure_config()
    path = known.get("metadata", {}).get("langgraph_path") or ("",)
    read = known.get("configurable", {}).get("__pregel_read")
    if path[0] == "__pregel_push" or read is None:
        return True
    try:
        messages = read("messages")
    except (KeyError, TypeError):
        return True
    last = messages[-1] if isinstance(messages, list) and messages else None
    return len(getattr(last, "tool_calls", ())) <= 1


def job_key(tool: str, digest: str) -> str | None:
    """Name the call that runs now: by its thread, its tool call id and what it orders.

    A node that LangGraph runs again, after a crash or a resume, gives the same name. A call
    without an id, such as ``tool.invoke({"prompt": …})``, has none: it is another one each time.
    """
    known = call_id()
    if known is None:
        return None
    thread = ensure_config().get("configurable", {}).get("thread_id")
    return call_key(tool, None if thread is None else str(thread), known, digest)
