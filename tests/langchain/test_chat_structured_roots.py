"""Structured output that is no object by itself: root models, and types that are no classes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.exceptions import OutputParserException
from pydantic import BaseModel, RootModel
from pydantic.v1 import BaseModel as BaseModelV1

if TYPE_CHECKING:
    from collections.abc import Callable

    from doubao_emulator import Emulator
    from langchain_doubao import ChatDoubao


class Ticket(BaseModel):
    """A ticket."""

    number: int


class Node(BaseModel):
    """A part of a tree."""

    name: str
    below: list[Node] = []


class Tickets(RootModel[list[Ticket]]):
    """All tickets."""


class NumbersV1(BaseModelV1):
    """Some numbers."""

    __root__: list[int]


ROOTS: dict[str, tuple[Any, Any]] = {
    "list": (Tickets, [{"number": 7}]),
    "generic": (RootModel[list[Ticket]], [{"number": 7}, {"number": 8}]),
    "dict": (RootModel[dict[str, int]], {"answer": 12}),
    "object": (RootModel[Ticket], {"number": 7}),
    "number": (RootModel[int], 12),
    "recursive": (RootModel[list[Node]], [{"name": "a", "below": [{"name": "b", "below": []}]}]),
    "pydantic v1": (NumbersV1, [1, 2]),
}
METHODS = ("function_calling", "json_schema")


def made(schema: Any, value: Any) -> Any:
    return schema.parse_obj(value) if schema is NumbersV1 else schema.model_validate(value)


def say(emulator: Emulator, method: str, schema: Any, value: Any) -> None:
    """Let the model answer with *value*, in an object under ``answer``."""
    text = json.dumps({"answer": value})
    if method == "function_calling":
        name = schema.__name__.replace("[", "_").replace("]", "_").replace(", ", "_").strip("_")
        emulator.answer(tool_calls=[(name, text)])
    else:
        emulator.answer(text)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("schema", "value"), ROOTS.values(), ids=ROOTS)
async def test_what_a_root_model_holds_is_asked_for_in_an_object_and_unwrapped(
    chat: Callable[..., ChatDoubao], emulator: Emulator, method: str, schema: Any, value: Any
) -> None:
    model = chat().with_structured_output(schema, method=method)
    wanted = made(schema, value)
    found = []
    say(emulator, method, schema, value)
    found.append(model.invoke("Hi"))
    say(emulator, method, schema, value)
    found.append(await model.ainvoke("Hi"))
    say(emulator, method, schema, value)
    found.extend(model.stream("Hi"))
    say(emulator, method, schema, value)
    found.extend([part async for part in model.astream("Hi")])
    assert found == [wanted] * 4
    body = emulator.requests[-1].body
    if method == "function_calling":
        asked = body["tools"][0]["function"]["parameters"]
    else:
        asked = body["response_format"]["json_schema"]["schema"]
    assert (asked["type"], asked["required"]) == ("object", ["answer"])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("strict", [True, False])
async def test_the_message_comes_along_with_what_a_root_model_holds(
    chat: Callable[..., ChatDoubao], emulator: Emulator, method: str, *, strict: bool
) -> None:
    model = chat().with_structured_output(Tickets, method=method, strict=strict, include_raw=True)
    say(emulator, method, Tickets, [{"number": 7}])
    blocking = model.invoke("Hi")
    say(emulator, method, Tickets, [{"number": 7}])
    awaited = await model.ainvoke("Hi")
    say(emulator, method, Tickets, [{"number": 7}])
    streamed = list(model.stream("Hi"))[-1]
    for each in (blocking, awaited, streamed):
        assert each["parsed"] == Tickets([Ticket(number=7)])
        assert each["parsing_error"] is None


@pytest.mark.parametrize("text", ["[]", '{"answer": {}}', '{"other": []}'])
def test_what_does_not_fit_a_root_model_is_an_error(
    chat: Callable[..., ChatDoubao], emulator: Emulator, text: str
) -> None:
    model = chat().with_structured_output(RootModel[int], method="json_schema")
    emulator.answer(text)
    with pytest.raises(OutputParserException, match=r"does not fit RootModel\[int\]"):
        model.invoke("Hi")


@pytest.mark.parametrize("method", [*METHODS, "json_mode"])
@pytest.mark.parametrize(
    ("schema", "shown"),
    [
        (list[Ticket], "list[Ticket]"),
        (dict[str, Ticket], "dict[str, Ticket]"),
        (Ticket | None, "Ticket | None"),
        (int, "int"),
    ],
    ids=str,
)
def test_a_type_that_is_no_class_is_refused_with_what_to_use(
    chat: Callable[..., ChatDoubao], emulator: Emulator, method: Any, schema: Any, shown: str
) -> None:
    with pytest.raises(ValueError, match="no class with fields") as caught:
        chat().with_structured_output(schema, method=method)
    assert str(caught.value).startswith(f"{shown} is")
    assert f"RootModel[{shown}]" in str(caught.value)
    assert not emulator.requests
