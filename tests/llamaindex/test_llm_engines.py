"""LlamaIndex's chat engines, memories and query engines with the emulator as the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, ThinkingBlock, ToolCallBlock
from llama_index.core.base.response.schema import PydanticResponse
from llama_index.core.chat_engine import (
    CondensePlusContextChatEngine,
    ContextChatEngine,
    SimpleChatEngine,
)
from llama_index.core.memory import ChatMemoryBuffer, Memory
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.response_synthesizers import get_response_synthesizer
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import create_async_engine

if TYPE_CHECKING:
    from collections.abc import Callable

    from llamaindex_doubao import Doubao

pytestmark = pytest.mark.filterwarnings(
    # What LlamaIndex's workflows do among themselves.
    "ignore::pydantic.warnings.PydanticDeprecationWarning"
)
FACT = "Longjing tea is picked before the Qingming festival."


class Picked(BaseModel):
    tea: str


class OneFact(BaseRetriever):
    """Finds the same passage for every question."""

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return [NodeWithScore(node=TextNode(text=FACT), score=1.0)]


def buffer() -> ChatMemoryBuffer:
    return ChatMemoryBuffer.from_defaults(token_limit=10_000)


ENGINES: dict[str, Callable[[Doubao], Any]] = {
    "simple": lambda llm: SimpleChatEngine.from_defaults(llm=llm, memory=buffer()),
    "context": lambda llm: ContextChatEngine.from_defaults(
        retriever=OneFact(), llm=llm, memory=buffer(), system_prompt="Be exact."
    ),
    "condense_plus_context": lambda llm: CondensePlusContextChatEngine.from_defaults(
        retriever=OneFact(), llm=llm, memory=buffer(), system_prompt="Be exact."
    ),
}


async def say(engine: Any, method: str, text: str) -> str:
    answer = getattr(engine, method)(text)
    if method.startswith("a"):
        answer = await answer
    if method == "stream_chat":
        return "".join(answer.response_gen)
    if method == "astream_chat":
        return "".join([token async for token in answer.async_response_gen()])
    return str(answer)


@pytest.mark.parametrize("method", ["chat", "achat", "stream_chat", "astream_chat"])
@pytest.mark.parametrize("kind", ENGINES)
async def test_an_engine_answers_and_remembers(emulator, llm, sent, kind, method):
    """Shows R000-49."""
    engine = ENGINES[kind](llm)
    emulator.answer("Before Qingming.", reasoning="hm")
    assert await say(engine, method, "When is Longjing picked?") == "Before Qingming."
    if kind == "condense_plus_context":
        emulator.answer("Why is Longjing picked so early?")
    emulator.answer("It is tender then.")
    assert await say(engine, method, "Why?") == "It is tender then."
    first, *_, last = sent()
    if kind != "simple":
        assert first["messages"][0]["role"] == "system"
        assert FACT in first["messages"][0]["content"]
        assert "Be exact." in first["messages"][0]["content"]
    said = [(each["role"], each["content"]) for each in last["messages"]]
    assert ("user", "When is Longjing picked?") in said
    assert ("assistant", "Before Qingming.") in said
    history = engine.chat_history
    assert [each.role.value for each in history] == ["user", "assistant"] * 2
    assert history[-1].content == "It is tender then."


async def test_a_query_engine_answers_in_words_and_as_an_object(emulator, llm, sent):
    emulator.answer("Before Qingming.", times=2)
    synthesizer = get_response_synthesizer(llm=llm)
    engine = RetrieverQueryEngine(retriever=OneFact(), response_synthesizer=synthesizer)
    assert str(engine.query("When?")) == str(await engine.aquery("When?")) == "Before Qingming."
    assert all(FACT in body["messages"][-1]["content"] for body in sent())
    emulator.answer('{"tea": "Longjing"}')
    structured = get_response_synthesizer(llm=llm.as_structured_llm(Picked))
    found = RetrieverQueryEngine(retriever=OneFact(), response_synthesizer=structured).query("?")
    assert isinstance(found, PydanticResponse)
    assert found.response == Picked(tea="Longjing")


def weather(city: str) -> str:
    """Weather of a city."""
    return f"It is sunny in {city}."


def read_again(memory: ChatMemoryBuffer) -> ChatMemoryBuffer:
    """The memory after its messages were stored as JSON and read again."""
    stored = [message.model_dump_json() for message in memory.get_all()]
    messages = [ChatMessage.model_validate_json(each) for each in stored]
    return ChatMemoryBuffer.from_defaults(chat_history=messages, token_limit=10_000)


@pytest.fixture(params=["buffer", "stored buffer", "memory"])
async def memory(request: pytest.FixtureRequest) -> Any:
    """A memory, and what becomes of it before it is used again."""
    if request.param == "memory":
        database = create_async_engine("sqlite+aiosqlite:///:memory:")
        kept = Memory.from_defaults(session_id="tea", async_engine=database)
        yield kept, lambda: kept
        await database.dispose()
    elif request.param == "buffer":
        plain = buffer()
        yield plain, lambda: plain
    else:
        plain = buffer()
        yield plain, lambda: read_again(plain)


async def test_a_memory_gives_a_tool_loop_back_to_the_wire(emulator, llm, sent, memory):
    kept, later = memory
    agent = FunctionAgent(tools=[weather], llm=llm)
    emulator.answer(tool_calls=[("weather", {"city": "巴黎"})], reasoning="I look.")
    emulator.answer("Sunny.", reasoning="I saw.")
    await agent.run("Weather?", memory=kept)
    emulator.answer("You are welcome.")
    await agent.run("Thanks", memory=later())
    question, called, result, answer, thanks = sent()[2]["messages"]
    assert [question["role"], result["role"], thanks["role"]] == ["user", "tool", "user"]
    assert called["reasoning_content"] == "I look."
    assert called["tool_calls"][0]["function"]["arguments"] == '{"city":"巴黎"}'
    assert called == sent()[1]["messages"][1]
    assert result == sent()[1]["messages"][2]
    assert (answer["content"], answer["reasoning_content"]) == ("Sunny.", "I saw.")
    assert called["encrypted_content"]
    assert answer["encrypted_content"]


async def test_what_is_kept_of_an_answer_is_lean(emulator, llm):
    """``Memory`` counts the extras of a message as tokens, and stores have to write them."""
    emulator.answer(tool_calls=[("weather", {"city": "Paris"})], reasoning="hm")
    emulator.answer("Sunny.")
    memory = buffer()
    await FunctionAgent(tools=[weather], llm=llm).run("Weather?", memory=memory)
    _, called, _, answer = memory.get_all()
    assert called.additional_kwargs.keys() == {"tool_calls"}
    assert answer.additional_kwargs == {}
    kinds = {type(block) for block in called.blocks}
    assert kinds == {ThinkingBlock, ToolCallBlock}
