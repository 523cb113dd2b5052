"""Chunks that are built without validation are the objects that the constructors build."""

from __future__ import annotations

import pickle
import random
from importlib.util import find_spec, module_from_spec
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core import messages
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk

from langchain_doubao import responses

if TYPE_CHECKING:
    from collections.abc import Callable

PROVIDER = {"model_provider": "doubao"}


def text_chunk(*arguments: Any) -> ChatGenerationChunk:
    return responses.generation_chunk(responses.text_chunk(*arguments))


def fragment_chunk(*arguments: Any) -> ChatGenerationChunk:
    return responses.generation_chunk(responses.fragment_chunk(*arguments))


def validated(**fields: Any) -> ChatGenerationChunk:
    return ChatGenerationChunk(message=AIMessageChunk(response_metadata=PROVIDER, **fields))


def state(generation: ChatGenerationChunk) -> list[Any]:
    """Everything that pydantic keeps of both objects."""
    return [
        {**part.__getstate__(), "__dict__": {**part.__dict__, "message": None}, "type": type(part)}
        for part in (generation, generation.message)
    ]


def fragment(arguments: str, **fields: Any) -> ChatGenerationChunk:
    piece = {"name": None, "args": arguments, "id": None, "index": 3}
    return validated(content="", tool_call_chunks=[piece], **fields)


PAIRS: dict[str, tuple[Callable[[], ChatGenerationChunk], Callable[[], ChatGenerationChunk]]] = {
    "text": (lambda: text_chunk("你好"), lambda: validated(content="你好")),
    "empty": (lambda: text_chunk(""), lambda: validated(content="")),
    "reasoning": (
        lambda: text_chunk("", {"reasoning_content": "hm"}),
        lambda: validated(content="", additional_kwargs={"reasoning_content": "hm"}),
    ),
    "fragment": (lambda: fragment_chunk(' "Paris"}', 3), lambda: fragment(' "Paris"}')),
    "named": (lambda: text_chunk("Hi", None, "run-1"), lambda: validated(content="Hi", id="run-1")),
    "named fragment": (
        lambda: fragment_chunk(' "Paris"}', 3, "run-1"),
        lambda: fragment(' "Paris"}', id="run-1"),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_an_unvalidated_chunk_is_the_validated_one(name: str) -> None:
    """Field by field, in the order of the fields, with what was set and what was not."""
    ours, theirs = (make() for make in PAIRS[name])
    assert state(ours) == state(theirs)
    assert list(ours.__dict__) == list(theirs.__dict__)
    assert list(ours.message.__dict__) == list(theirs.message.__dict__)
    assert ours == theirs
    assert ours.message == theirs.message


@pytest.mark.parametrize("name", PAIRS)
def test_an_unvalidated_chunk_can_be_used_like_the_validated_one(name: str) -> None:
    """Pickled, dumped, copied, added and assigned to."""
    ours, theirs = (make() for make in PAIRS[name])
    # Test data of this file.
    assert state(pickle.loads(pickle.dumps(ours))) == state(theirs)  # noqa: S301
    assert ours.model_dump() == theirs.model_dump()
    assert state(ours.model_copy(deep=True)) == state(theirs)
    ours.message.id = theirs.message.id = "lc_run--1"
    assert ours.message.model_fields_set == theirs.message.model_fields_set
    assert state(ours + text_chunk("!")) == state(theirs + validated(content="!"))
    assert repr(ours.message) == repr(theirs.message)


def test_chunks_have_the_fields_that_a_newer_core_adds(monkeypatch: pytest.MonkeyPatch) -> None:
    class Newer(AIMessageChunk):
        mood: str = "calm"

    monkeypatch.setattr(messages, "AIMessageChunk", Newer)
    spec = find_spec(responses.__name__)
    assert spec is not None
    assert spec.loader is not None
    newer = module_from_spec(spec)
    spec.loader.exec_module(newer)
    for chunk in (
        newer.text_chunk("Hi"),
        newer.text_chunk("", {"reasoning_content": "hm"}, "run-1"),
        newer.fragment_chunk(' "Paris"}', 3),
    ):
        assert chunk.mood == "calm"
        assert newer.generation_chunk(chunk).message is chunk
    assert newer.text_chunk("", {"reasoning_content": "hm"}, "run-1").model_dump() == {
        **responses.text_chunk("", {"reasoning_content": "hm"}, "run-1").model_dump(),
        "mood": "calm",
    }


def test_chunks_share_nothing() -> None:
    """Consumers write into chunks; another chunk must not see it."""
    first, second = text_chunk("a").message, text_chunk("b").message
    for name, value in first.__dict__.items():
        if isinstance(value, (dict, list)):
            assert value is not second.__dict__[name], name


def test_random_argument_fragments_are_what_the_constructor_makes_of_them() -> None:
    """Whatever a fragment holds: braces, quotes, escapes, numbers, spaces of any kind."""
    # Test data, the same in every run.
    rand = random.Random(20261121)  # noqa: S311
    alphabet = ' \t\n\u00a0{}[]":,\\0123456789.-eEtruefalsn市'
    for _ in range(3000):
        text = "".join(rand.choices(alphabet, k=rand.randint(1, 12)))
        if text.lstrip()[:1] == "{":
            continue
        assert state(fragment_chunk(text, 3)) == state(fragment(text)), repr(text)
