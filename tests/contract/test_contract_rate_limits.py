"""Rate limits: both adapters keep them, share them, and pause together when they are refused."""

from __future__ import annotations

import asyncio
import pickle
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from doubao_core import AsyncClient, Client, ConfigError, RateLimit
from langchain_doubao import ChatDoubao, DoubaoEmbeddings
from llamaindex_doubao import Doubao, DoubaoEmbedding

CHAT = "doubao-seed-2-1-pro-260915"
EMBEDDING = "doubao-embedding-text-240715"
FAST = 6000.0
"""A hundred a second after a hundred at once."""


@pytest.fixture(params=["langchain", "llamaindex"])
def embedder(request, emulator):
    """Make an embedding model of either framework, and the two ways to embed one text."""

    def make(**options):
        common = {"api_key": "key", "base_url": emulator.base_url, **options}
        if request.param == "langchain":
            model = DoubaoEmbeddings(model=EMBEDDING, **common)
            return model, model.embed_query, model.aembed_query
        model = DoubaoEmbedding(model_name=EMBEDDING, **common)
        return model, model.get_query_embedding, model.aget_query_embedding

    return make


def test_objects_with_the_same_limit_wait_for_each_other(embedder, request):
    """The frameworks differ in nothing: 60 of one object and 60 of another are 120.

    Shows R000-31.
    """
    limit = {"requests_per_minute": FAST, "rate_limit_url": None}
    _, one, _ = embedder(**limit, default_headers={"x-test": request.node.name})
    _, other, _ = embedder(**limit, timeout=30)
    started = time.monotonic()
    with ThreadPoolExecutor(8) as threads:
        for each in [threads.submit(ask, "tea") for ask in [one, other] * 60]:
            each.result()
    # The burst of this process's limit may be spent already; it cannot be larger than 100.
    assert time.monotonic() - started >= 0.15


async def test_async_calls_wait_too(embedder, tmp_path):
    _, _, ask = embedder(requests_per_minute=FAST, rate_limit_url=f"sqlite:///{tmp_path}/l.db")
    started = time.monotonic()
    await asyncio.gather(*(ask("tea") for _ in range(120)))
    assert time.monotonic() - started >= 0.15


def test_a_refusal_pauses_the_other_callers(embedder, emulator, tmp_path):
    """One is told to come back after a second; the other, which was not, waits as long."""
    limit = {"requests_per_minute": FAST, "rate_limit_url": f"sqlite:///{tmp_path}/l.db"}
    _, one, _ = embedder(**limit, max_retries=0)
    _, other, _ = embedder(**limit, timeout=30)
    with (
        emulator.fault("rate_limit", times=1, retry_after=1),
        pytest.raises(Exception, match="429"),
    ):
        one("tea")
    started = time.monotonic()
    other("tea")
    assert time.monotonic() - started >= 0.8


def test_a_used_up_quota_pauses_nobody(embedder, emulator, tmp_path):
    limit = {"requests_per_minute": FAST, "rate_limit_url": f"sqlite:///{tmp_path}/l.db"}
    _, ask, _ = embedder(**limit)
    started = time.monotonic()
    for _ in range(3):
        with emulator.fault("quota", times=1), pytest.raises(Exception, match=r"(?i)quota|limit"):
            ask("tea")
    ask("tea")
    # Pauses as after a rate's refusals would be one, two and four seconds.
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("stream", [False, True])
def test_chats_of_both_frameworks_share_a_limit(emulator, tmp_path, stream):
    common = {
        "model": CHAT,
        "api_key": "key",
        "base_url": emulator.base_url,
        "requests_per_minute": FAST,
        "rate_limit_url": f"sqlite:///{tmp_path}/l.db",
    }
    langchain, llamaindex = ChatDoubao(**common, max_retries=0), Doubao(**common)
    with (
        emulator.fault("rate_limit", times=1, retry_after=1),
        pytest.raises(Exception, match="429"),
    ):
        list(langchain.stream("hi")) if stream else langchain.invoke("hi")
    started = time.monotonic()
    list(llamaindex.stream_complete("hi")) if stream else llamaindex.complete("hi")
    assert time.monotonic() - started >= 0.8


def test_tokens_are_corrected_by_the_answer(emulator, tmp_path):
    """An estimate that is far too high holds the next request up only until the answer came."""
    limit = RateLimit(tokens_per_minute=60_000, url=f"sqlite:///{tmp_path}/l.db")
    client = Client(api_key="key", base_url=emulator.base_url, rate_limit=limit)
    usage = {"prompt_tokens": 10, "completion_tokens": 0, "total_tokens": 10}
    emulator.answer("ok", usage=usage, times=9)
    started = time.monotonic()
    for _ in range(9):
        client.chat(model=CHAT, messages=[{"role": "user", "content": "word " * 800}])
    # 9 × 1,000 estimated tokens at 1,000 a second would take eight seconds.
    assert time.monotonic() - started < 6


async def test_tokens_of_an_answer_count(emulator, tmp_path):
    limit = RateLimit(tokens_per_minute=60_000, url=f"sqlite:///{tmp_path}/l.db")
    usage = {"prompt_tokens": 10, "completion_tokens": 1490, "total_tokens": 1500}
    emulator.answer("ok", usage=usage, times=2)
    messages = [{"role": "user", "content": "hi"}]
    async with AsyncClient(api_key="key", base_url=emulator.base_url, rate_limit=limit) as client:
        started = time.monotonic()
        await client.chat(model=CHAT, messages=messages)
        await client.chat(model=CHAT, messages=messages)
        assert time.monotonic() - started >= 0.4


def test_look_ups_are_not_counted(emulator):
    """Polling a task is not what the limit of a model is about."""
    limit = RateLimit(requests_per_minute=1)
    client = Client(api_key="key", base_url=emulator.base_url, rate_limit=limit)
    started = time.monotonic()
    for _ in range(5):
        client.list_models()
    assert time.monotonic() - started < 5


def test_a_url_that_limits_nothing_is_refused(embedder):
    with pytest.raises((ConfigError, ValueError), match="limits nothing"):
        embedder(rate_limit_url="sqlite:///limits.db")


def test_limits_pickle_and_passwords_do_not(embedder, tmp_path):
    kept = f"sqlite:///{tmp_path}/l.db"
    model, _, _ = embedder(requests_per_minute=60, rate_limit_url=kept)
    copy = pickle.loads(pickle.dumps(model))  # noqa: S301 - of the line itself
    assert (copy.requests_per_minute, copy.rate_limit_url) == (60, kept)
    model, _, _ = embedder(
        requests_per_minute=60, rate_limit_url="postgresql://me:secret@127.0.0.1/limits"
    )
    assert "secret" not in repr(model)
    with pytest.raises(TypeError, match="DOUBAO_RATE_LIMIT_URL"):
        pickle.dumps(model)


@pytest.mark.parametrize("kind", [ChatDoubao, Doubao])
def test_a_request_that_no_minute_has_room_for_is_refused_and_waits_for_nothing(kind, emulator):
    options = {"api_key": "key", "base_url": emulator.base_url, "tokens_per_minute": 5}
    model = kind(model=CHAT, **options)
    ask, aask = (
        (model.invoke, model.ainvoke) if kind is ChatDoubao else (model.complete, model.acomplete)
    )
    with pytest.raises(ConfigError, match="more than tokens_per_minute=5"):
        ask("hi " * 100)
    with pytest.raises(ConfigError, match="more than tokens_per_minute=5"):
        asyncio.run(aask("hi " * 100))
    assert not emulator.requests


@pytest.mark.parametrize("kind", [ChatDoubao, Doubao])
def test_thinking_as_a_truth_value_is_refused_at_call_time(kind, emulator):
    model = kind(model=CHAT, api_key="key", base_url=emulator.base_url)
    ask, aask = (
        (model.invoke, model.ainvoke) if kind is ChatDoubao else (model.complete, model.acomplete)
    )
    with pytest.raises(ConfigError, match='say "enabled" or "disabled"'):
        ask("hi", thinking=False)
    with pytest.raises(ConfigError, match='say "enabled" or "disabled"'):
        asyncio.run(aask("hi", thinking=True))
    assert not emulator.requests
