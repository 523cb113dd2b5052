"""Tool calls whose fragments have no index: they are told apart by their ids, however many."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from langchain_doubao.fragments import Calls

if TYPE_CHECKING:
    from collections.abc import Callable

    from doubao_emulator import Emulator
    from langchain_doubao import ChatDoubao

COUNT = 200


class Id(str):
    """Counts how often ids are compared."""

    __slots__ = ()
    compared = 0

    def __eq__(self, other: object) -> bool:
        Id.compared += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def fragments(id_: Callable[[str], str] = str) -> list[dict[str, Any]]:
    """Many calls in two halves each: first all first ones, then all second ones."""
    firsts: list[dict[str, Any]] = [
        {"id": id_(f"call_{n}"), "function": {"name": "f", "arguments": '{"a":'}}
        for n in range(COUNT)
    ]
    seconds = [{"id": id_(f"call_{n}"), "function": {"arguments": f" {n}}}"}} for n in range(COUNT)]
    return firsts + seconds


async def test_interleaved_calls_without_indices_are_told_apart(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    deltas = [{"tool_calls": [{"type": "function", **each}]} for each in fragments()]
    events = [{"id": "1", "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    end = {"id": "1", "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
    emulator.answer(events=[*events, end, "[DONE]"], burst=True, times=2)
    wanted = [(f"call_{n}", "f", {"a": n}) for n in range(COUNT)]
    model = chat(streaming=True)
    for message in (model.invoke("Go"), await model.ainvoke("Go")):
        assert [(call["id"], call["name"], call["args"]) for call in message.tool_calls] == wanted


def test_finding_a_call_does_not_go_through_all_of_them() -> None:
    """Or an answer with many calls would cost their square."""
    calls = Calls()
    Id.compared = 0
    placed = [calls.place(fragment) for fragment in fragments(Id)]
    assert [each["index"] for each in placed] == [*range(COUNT)] * 2
    assert Id.compared <= 4 * COUNT
    assert json.loads("".join(each["args"] or "" for each in placed if each["index"] == 7)) == {
        "a": 7
    }
