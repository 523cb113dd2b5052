"""Moderation around an LLM: what goes in and what comes out, in every way to ask.

Shows R000-18, R000-19.
"""

from __future__ import annotations

from typing import Any

import pytest
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.llms import ChatMessage, MockLLM
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel

from doubao_core import ContentRejected, UnsupportedOperation
from doubao_emulator import Emulator
from llamaindex_doubao import DoubaoModeration

BAD = "EMULATED SENSITIVE CONTENT: violence"
WAYS = [
    *("chat", "achat", "stream_chat", "astream_chat"),
    *("complete", "acomplete", "stream_complete", "astream_complete"),
]


@pytest.fixture
def moderation(emulator: Emulator) -> DoubaoModeration:
    return DoubaoModeration(
        provider="openai-compatible",
        api_key="test-key",
        base_url=emulator.base_url_of("openai-compatible"),
    )


@pytest.fixture(params=WAYS)
def ask_any(request: pytest.FixtureRequest) -> Any:
    """Ask in each way; gives the texts of what came, one for each piece of a stream."""
    way = request.param

    async def ask(llm: Any, prompt: str) -> list[str]:
        given = [ChatMessage(prompt)] if "chat" in way else prompt
        answer = getattr(llm, way)(given)
        if way.startswith("a"):
            answer = await answer
        if "stream" not in way:
            pieces = [answer]
        elif way.startswith("a"):
            pieces = [each async for each in answer]
        else:
            pieces = list(answer)
        return [each.message.content if "chat" in way else each.text for each in pieces]

    return ask


def moderated(emulator: Emulator) -> list[str]:
    return [each.body["input"] for each in emulator.requests if "moderations" in each.path]


async def test_both_sides_are_checked_and_the_answer_is_the_llms(
    ask_any, moderation, llm, emulator
):
    emulator.answer("Pour water over leaves.")
    said = await ask_any(moderation.around(llm), "How is tea made?")
    assert said[-1] == "Pour water over leaves."
    assert moderated(emulator) == ["How is tea made?", "Pour water over leaves."]


async def test_a_flagged_question_never_reaches_the_llm(ask_any, moderation, llm, emulator):
    with pytest.raises(ContentRejected, match="the input was flagged by moderation: violence"):
        await ask_any(moderation.around(llm), BAD)
    assert len(emulator.requests) == 1


async def test_no_piece_of_a_flagged_answer_comes_out(ask_any, moderation, llm, emulator):
    emulator.answer(BAD)
    with pytest.raises(ContentRejected, match="the answer was flagged") as caught:
        await ask_any(moderation.around(llm), "Say something.")
    assert BAD not in str(caught.value)


async def test_any_llm_can_be_in_the_middle(ask_any, moderation, emulator):
    assert (await ask_any(moderation.around(MockLLM(max_tokens=3)), "One two"))[-1]
    assert len(moderated(emulator)) == 2


async def test_only_what_is_new_is_checked(moderation, llm, emulator):
    said = [("user", "One."), ("assistant", "Two."), ("user", "Three."), ("user", "Four.")]
    emulator.answer("Five.")
    moderation.around(llm).chat([ChatMessage(text, role=role) for role, text in said])
    assert moderated(emulator) == ["Three.\n\nFour.", "Five."]


# The framework's agents and pydantic.
@pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")
@pytest.mark.filterwarnings("ignore:is_running called from within a step")
async def test_an_agent_works_with_it(moderation, llm, emulator):
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    agent = FunctionAgent(
        tools=[FunctionTool.from_defaults(add)], llm=moderation.around(llm), streaming=False
    )
    emulator.answer(tool_calls=[("add", {"a": 2, "b": 3})])
    emulator.answer("It is 5.")
    assert str(await agent.run("What is 2 + 3?")) == "It is 5."
    assert moderated(emulator) == ["What is 2 + 3?", "It is 5."]


def test_structured_answers_work_with_it(moderation, llm, emulator):
    class Tea(BaseModel):
        """A tea."""

        name: str

    emulator.answer(tool_calls=[("Tea", {"name": "Longjing"})])
    prompt = PromptTemplate("Name a tea.")
    assert moderation.around(llm).structured_predict(Tea, prompt) == Tea(name="Longjing")


async def test_texts_can_be_checked_alone(moderation):
    assert not moderation.verdict("Tea.").flagged
    assert (await moderation.averdict(BAD)).reasons == ("violence",)
    with pytest.raises(ContentRejected, match="the title was flagged"):
        await moderation.acheck(BAD, "the title")


def test_a_provider_without_moderation_is_refused_before_anything_is_sent(llm, emulator):
    ark = DoubaoModeration(provider="ark", api_key="test-key", base_url=emulator.base_url)
    with pytest.raises(UnsupportedOperation, match="openai-compatible does"):
        ark.around(llm).complete("Hello.")
    assert not emulator.requests


def test_the_key_is_not_shown(moderation):
    assert "test-key" not in repr(moderation) + str(moderation.around(MockLLM()).to_dict())
