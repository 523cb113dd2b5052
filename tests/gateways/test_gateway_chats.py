"""The frameworks' chat and embedding classes talk to every gateway that has chat."""

from __future__ import annotations

from pathlib import Path

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from llama_index.core.llms import ChatMessage
from pydantic import BaseModel

import langchain_doubao
import llamaindex_doubao
from doubao_core import ConfigError, RateLimited
from langchain_doubao import ChatDoubao, DoubaoEmbeddings
from llamaindex_doubao import Doubao, DoubaoEmbedding

CHATS = ["xroute", "anyfast", "openai-compatible"]
LITE = "doubao-seed-1-6-lite-251015"
PATHS = {
    "xroute": "/xroute/openai/v1/chat/completions",
    "anyfast": "/anyfast/v1/chat/completions",
    "openai-compatible": "/openai-compatible/v1/chat/completions",
}
EMBEDDING = "doubao-seed-1.6-embedding"


class Person(BaseModel):
    """Somebody."""

    name: str
    age: int


@pytest.mark.parametrize("provider", CHATS)
def test_a_langchain_model_asks_and_answers(at, emulator, provider):
    """R000-01, R000-02, R000-37, R000-38, R001-01, R001-03."""
    emulator.answer("Hello Li.")
    chat = ChatDoubao(model=LITE, temperature=0.5, stop=["END"], **at(provider))
    answer = chat.invoke(
        [SystemMessage("Be short."), HumanMessage("I am Li."), AIMessage("Hi."), HumanMessage("?")]
    )
    assert answer.content == "Hello Li."
    assert answer.response_metadata["finish_reason"] == "stop"
    assert answer.usage_metadata["total_tokens"] > 0
    sent = emulator.requests[-1]
    assert sent.path == PATHS[provider]
    assert [each["role"] for each in sent.body["messages"]] == [
        *("system", "user", "assistant", "user"),
    ]
    assert (sent.body["temperature"], sent.body["stop"]) == (0.5, ["END"])


@pytest.mark.parametrize("provider", CHATS)
async def test_a_langchain_model_streams(at, emulator, provider):
    """R000-09, R000-13, R001-09: with no usage where the gateway says none."""
    emulator.answer("Hello you, 你好.")
    chat = ChatDoubao(model=LITE, **at(provider))
    chunks = [chunk async for chunk in chat.astream("hi")]
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole = whole + chunk
    assert whole.content == "Hello you, 你好."
    assert (whole.usage_metadata is None) is (provider == "anyfast")


@pytest.mark.parametrize("provider", CHATS)
def test_a_langchain_model_calls_tools_and_fills_schemas(at, emulator, provider):
    """R000-48."""
    emulator.answer(tool_calls=[("Person", {"name": "Li", "age": 3})])
    chat = ChatDoubao(model=LITE, **at(provider))
    found = chat.with_structured_output(Person, method="function_calling").invoke("Li is 3.")
    assert found == Person(name="Li", age=3)


async def test_a_langchain_batch_keeps_its_order(at, emulator):
    """R000-14: by concurrent calls with a bound."""
    chat = ChatDoubao(model=LITE, **at("anyfast"))
    asked = [f"Say number {number}." for number in range(4)]
    answers = await chat.abatch(asked, config={"max_concurrency": 2})
    assert len(answers) == 4
    sent = {each.body["messages"][0]["content"] for each in emulator.requests}
    assert sent == set(asked)


def test_a_provider_is_switched_by_its_name_alone(at, emulator):
    """R000-38, R000-39: the same code, and the framework's own fallback from one to another."""
    emulator.answer("From the second.")
    first = ChatDoubao(model=LITE, **at("xroute"))
    second = ChatDoubao(model=LITE, **at("anyfast"))
    with emulator.fault("server_error", path="/xroute/", status=503):
        answer = first.with_fallbacks([second]).invoke("hi")
    assert answer.content == "From the second."
    assert [each.path for each in emulator.requests] == [PATHS["xroute"], PATHS["anyfast"]]


@pytest.mark.parametrize("provider", CHATS)
def test_a_refusal_names_the_gateway(at, emulator, provider):
    chat = ChatDoubao(model=LITE, **at(provider))
    with emulator.fault("rate_limit"), pytest.raises(RateLimited) as caught:
        chat.invoke("hi")
    assert caught.value.gateway == provider


@pytest.mark.parametrize("provider", CHATS)
def test_a_llama_index_model_asks_and_answers(at, emulator, provider):
    """R000-01, R000-37, R000-38, R001-01."""
    emulator.answer("Hello.")
    llm = Doubao(model=LITE, **at(provider))
    answer = llm.chat([ChatMessage(role="system", content="Be short."), ChatMessage("hi")])
    assert answer.message.content == "Hello."
    assert answer.raw["object"] == "chat.completion"
    assert emulator.requests[-1].path == PATHS[provider]


@pytest.mark.parametrize("provider", CHATS)
async def test_a_llama_index_model_streams(at, emulator, provider):
    """R000-09, R000-13."""
    emulator.answer("Hello you, 你好.")
    llm = Doubao(model=LITE, **at(provider))
    steps = [step async for step in await llm.astream_complete("hi")]
    assert steps[-1].text == "Hello you, 你好."


def test_the_generic_profile_asks_both_frameworks_for_an_address():
    """R000-27."""
    chat = ChatDoubao(model=LITE, provider="openai-compatible", api_key="k")
    with pytest.raises(ConfigError, match="base_url"):
        chat.invoke("hi")
    llm = Doubao(model=LITE, provider="openai-compatible", api_key="k")
    with pytest.raises(ConfigError, match="base_url"):
        llm.complete("hi")


def test_a_langchain_embedding_keeps_the_order(at):
    """R000-15, R000-16, R000-17."""
    embeddings = DoubaoEmbeddings(model=EMBEDDING, multimodal=False, **at("openai-compatible"))
    vectors = embeddings.embed_documents(["tea", "coffee", "tea"])
    assert vectors[0] == vectors[2] != vectors[1]
    assert embeddings.embed_query("tea") == vectors[0]


async def test_a_llama_index_embedding_keeps_the_order(at):
    """R000-15, R000-16."""
    embedding = DoubaoEmbedding(model_name=EMBEDDING, multimodal=False, **at("openai-compatible"))
    vectors = await embedding.aget_text_embedding_batch(["tea", "coffee", "tea"])
    assert vectors[0] == vectors[2] != vectors[1]


@pytest.mark.parametrize("package", [langchain_doubao, llamaindex_doubao])
def test_the_frameworks_know_no_gateway_by_name(package):
    """A gateway is data below the core: no adapter has a branch for one."""
    for path in Path(package.__path__[0]).rglob("*.py"):
        text = path.read_text()
        for name in ("xroute", "anyfast", "agentsflare", "doitong", "seedance2api", "vibegen"):
            assert f'"{name}"' not in text, path
