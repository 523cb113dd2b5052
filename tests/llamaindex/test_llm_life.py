"""A ``Doubao`` object: made anywhere, copied, pickled, stored, watched; it never shows its key."""

from __future__ import annotations

import asyncio
import copy
import gc
import json
import logging
import operator
import pickle
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from typing import Any

import httpx
import pytest
from llama_index.core import Settings
from llama_index.core.async_utils import asyncio_run
from llama_index.core.base.llms.types import ChatMessage, MessageRole
from llama_index.core.callbacks import CallbackManager
from llama_index.core.rate_limiter import TokenBucketRateLimiter
from pydantic import SecretStr, ValidationError

from doubao_core import ConfigError
from llamaindex_doubao import (
    Doubao,
    DoubaoEmbedding,
    DoubaoMultiModalEmbedding,
    DoubaoSparseEmbedding,
)

HI = [ChatMessage(content="hi")]
KEY = "sk-very-secret"
HEADER = "header-secret"


@pytest.fixture
def used(make_llm) -> Doubao:
    """An object with a key and headers, which has made a request."""
    llm = make_llm(api_key=KEY, default_headers={"X-Team": HEADER}, thinking="disabled", timeout=9)
    llm.chat(HI)
    return llm


def test_a_pickle_of_a_used_object_works_again_without_its_key(used, monkeypatch, emulator, caplog):
    data = pickle.dumps(used)
    assert KEY.encode() not in data
    copied = pickle.loads(data)  # noqa: S301
    monkeypatch.setenv("ARK_API_KEY", "key-of-the-worker")
    copied.chat(HI)
    assert emulator.requests[-1].headers["authorization"] == "Bearer key-of-the-worker"
    assert emulator.requests[-1].headers["x-team"] == HEADER
    assert copied.to_dict() == used.to_dict()
    assert not caplog.records


def test_a_pickle_leaves_out_headers_that_look_like_credentials(make_llm, emulator, monkeypatch):
    headers = {"X-Auth-Token": HEADER, "X-Team": "tea"}
    llm = make_llm(api_key=KEY, default_headers=headers)
    data = pickle.dumps(llm)
    assert HEADER.encode() not in data
    monkeypatch.setenv("ARK_API_KEY", "key-of-the-worker")
    pickle.loads(data).chat(HI)  # noqa: S301
    assert emulator.requests[-1].headers["x-team"] == "tea"
    assert "x-auth-token" not in emulator.requests[-1].headers
    assert llm.default_headers == headers


def test_pickling_takes_nothing_from_the_object(used, caplog):
    limiter = TokenBucketRateLimiter(requests_per_minute=600)
    used.rate_limiter = limiter
    with caplog.at_level(logging.WARNING):
        copied = pickle.loads(pickle.dumps(used))  # noqa: S301
    assert used.rate_limiter is limiter
    assert copied.rate_limiter is None
    assert "rate_limiter" in caplog.text


async def test_a_deep_copy_of_a_used_object_works_and_keeps_key_and_callbacks(used, emulator):
    await used.achat(HI)
    used.rate_limiter = TokenBucketRateLimiter(requests_per_minute=600)
    copied = copy.deepcopy(used)
    copied.additional_kwargs["seed"] = 1
    await copied.achat(HI)
    assert emulator.requests[-1].headers["authorization"] == f"Bearer {KEY}"
    assert copied.callback_manager is used.callback_manager
    assert copied.rate_limiter is used.rate_limiter
    assert used.additional_kwargs == {}


def test_an_injected_client_is_used_shared_by_copies_and_not_pickled(make_llm):
    seen = []
    with httpx.Client(event_hooks={"request": [seen.append]}) as client:
        llm = make_llm(http_client=client)
        copy.deepcopy(llm).chat(HI)
        assert len(seen) == 1
        with pytest.raises(TypeError, match="injected http_client"):
            pickle.dumps(llm)
        assert llm.http_client is client


def test_a_dict_has_no_secrets_and_makes_the_same_object(used, emulator):
    stored = json.dumps(used.to_dict())
    assert KEY not in stored
    assert HEADER not in stored
    data = json.loads(stored)
    copied = Doubao.from_dict(data, api_key="another")
    assert data == json.loads(stored)
    assert (copied.thinking, copied.timeout, copied.model) == ("disabled", 9, used.model)
    copied.chat(HI)
    assert emulator.requests[-1].headers["authorization"] == "Bearer another"
    assert all(type(value).__module__ == "builtins" for value in used.to_dict().values())


@pytest.mark.parametrize("key", [KEY, SecretStr(KEY), lambda: KEY], ids=["str", "secret", "call"])
def test_no_text_of_the_object_shows_the_key(make_llm, emulator, key):
    llm = make_llm(api_key=key, default_headers={"X-Team": HEADER})
    llm.chat(HI)
    assert emulator.requests[-1].headers["authorization"] == f"Bearer {KEY}"
    shown = f"{llm!r}{llm}{llm.model_dump()}{llm.to_json()}{llm.to_payload()}{vars(llm)['api_key']}"
    assert KEY not in shown
    assert HEADER not in shown


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("temprature", "temperature"),
        ("openai_api_key", "api_key"),
        ("api_base", "base_url"),
        ("model_kwargs", "additional_kwargs"),
    ],
)
def test_a_misspelt_argument_is_refused_with_the_right_name(name, other):
    with pytest.raises(ValidationError, match=f"no argument '{name}': did you mean '{other}'") as e:
        Doubao(model="m", **{name: KEY})
    assert KEY not in str(e.value)


@pytest.mark.parametrize(
    ("kind", "name", "other"),
    [
        (Doubao, "model_name", "model"),
        (DoubaoEmbedding, "model", "model_name"),
        (DoubaoMultiModalEmbedding, "model", "model_name"),
        (DoubaoSparseEmbedding, "model", "model_name"),
    ],
)
def test_the_model_under_the_name_of_another_class_is_refused_with_the_right_name(
    kind, name, other
):
    with pytest.raises(ValidationError, match=f"no argument '{name}': did you mean '{other}'"):
        kind(**{name: "doubao-embedding-vision-251215"})


def test_an_argument_like_no_other_is_refused():
    with pytest.raises(ValidationError, match="color"):
        Doubao(model="m", color=1)


def test_a_misspelt_argument_is_refused_without_showing_it():
    with pytest.raises(ValidationError, match="apikey") as caught:
        Doubao(model="m", apikey=KEY)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"provider": "nope"},
        {"base_url": "ftp://x"},
        {"timeout": 0},
        {"max_retries": -1},
        {"thinking": "perhaps"},
        {"max_tokens": 1, "max_completion_tokens": 1},
    ],
)
def test_a_wrong_argument_is_refused_when_the_object_is_made(wrong):
    with pytest.raises(ValueError) as caught:
        Doubao(model="m", api_key=KEY, **wrong)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("name", ["api_key", "base_url", "timeout", "http_client"])
def test_a_connection_cannot_be_changed_behind_the_clients_back(used, name):
    with pytest.raises(ConfigError, match=f"{name} cannot be set later: make another Doubao"):
        setattr(used, name, None)


def test_a_key_that_is_set_too_late_is_not_shown(used):
    with pytest.raises(ConfigError) as caught:
        used.api_key = "sk-another"
    assert "sk-another" not in str(caught.value)


def test_the_requests_of_an_updated_copy_go_where_it_says(used, emulator):
    copied = used.model_copy(update={"api_key": "sk-another", "default_headers": None})
    copied.chat(HI)
    assert emulator.requests[-1].headers["authorization"] == "Bearer sk-another"
    assert "x-team" not in emulator.requests[-1].headers
    used.chat(HI)
    assert emulator.requests[-1].headers["authorization"] == f"Bearer {KEY}"
    assert b"sk-another" not in pickle.dumps(copied)


def test_models_and_callbacks_can_be_changed(used, sent):
    used.model = "doubao-seed-2-0-mini-260215"
    used.callback_manager = CallbackManager([])
    used.temperature = 0.3
    used.chat(HI)
    assert (sent()[-1]["model"], sent()[-1]["temperature"]) == (used.model, 0.3)


@pytest.mark.parametrize(
    ("fields", "window", "output", "tools"),
    [
        ({"model": "doubao-seed-2-1-pro-260915"}, 1_048_576, -1, True),
        ({"model": "doubao-seed-2-0-lite-260215", "max_tokens": 500}, 262_144, 500, True),
        ({"model": "doubao-seed-translation-250915"}, 4096, -1, False),
        ({"model": "ep-20260101000000-abcde", "max_completion_tokens": 9}, 131_072, 9, True),
        ({"model": "of-next-year"}, 131_072, -1, True),
        ({"model": "of-next-year", "context_window": 1000, "max_tokens": 5000}, 1000, 500, True),
        ({"model": "m", "is_function_calling_model": False}, 131_072, -1, False),
    ],
)
def test_metadata_is_there_for_any_model_without_a_request(fields, window, output, tools):
    metadata = Doubao(**fields).metadata
    assert (metadata.context_window, metadata.num_output) == (window, output)
    assert (metadata.is_function_calling_model, metadata.is_chat_model) == (tools, True)
    assert (metadata.model_name, metadata.system_role) == (fields["model"], MessageRole.SYSTEM)
    assert Doubao.class_name() == "Doubao"


def test_it_serves_several_event_loops_one_after_another(used):
    async def ask() -> str:
        return str(await used.acomplete("hi"))

    assert len({asyncio.run(ask()) for _ in range(3)}) == 1


def test_it_serves_several_event_loops_at_once(used):
    def ask(_: int) -> str:
        return asyncio.run(used.acomplete("hi")).text

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1


async def test_it_serves_the_loops_that_llamaindex_makes_inside_a_running_one(used, capfd):
    own = (await used.acomplete("hi")).text
    # LlamaIndex closes these loops without letting anything close its connections.
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        others = [asyncio_run(used.acomplete("hi")).text for _ in range(3)]
        await used.aclose()
        # Beginning anew lets go of what belonged to closed loops.
        assert {own, *others, (await used.acomplete("hi")).text} == {own}
        gc.collect()
    assert capfd.readouterr().err == ""


async def test_blocking_calls_work_inside_a_loop_and_from_threads(used):
    assert used.complete("hi").text
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(lambda _: used.complete("hi").text, range(8)))) == 1


async def test_it_closes_its_connections_and_opens_new_ones(make_llm):
    with make_llm() as llm:
        llm.chat(HI)
    assert llm.chat(HI).message.content
    async with make_llm() as llm:
        await llm.achat(HI)
    assert (await llm.achat(HI)).message.content
    await llm.aclose()


async def test_a_cancelled_call_leaves_a_usable_object(emulator, make_llm):
    llm = make_llm()
    with emulator.fault("stall"):
        task = asyncio.create_task(llm.achat(HI))
        while not emulator.requests:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert (await llm.achat(HI)).message.content


def test_settings_take_it(used, monkeypatch):
    monkeypatch.setattr(Settings, "_llm", None)
    monkeypatch.setattr(Settings, "_callback_manager", None)
    Settings.llm = used
    assert Settings.llm is used


def test_making_one_reads_no_key_and_starts_nothing(monkeypatch, emulator):
    def forbidden(*_: Any, **__: Any) -> None:
        raise AssertionError("nothing may be opened yet")

    with monkeypatch.context() as patched:
        for opened in (httpx.Client, httpx.AsyncClient, threading.Thread):
            patched.setattr(opened, "__init__", forbidden)
        patched.setattr("socket.getaddrinfo", forbidden)
        llm = Doubao(model="ep-20260101000000-abcde", base_url=emulator.base_url)
        assert llm.metadata.model_name == llm.model
    # The key may come after the object.
    monkeypatch.setenv("ARK_API_KEY", "late")
    llm.chat(HI)
    assert emulator.requests[-1].headers["authorization"] == "Bearer late"


def test_without_llamaindex_the_import_names_the_extra():
    code = "import sys; sys.modules['llama_index'] = None; import llamaindex_doubao"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert last == (
        "ImportError: llamaindex_doubao needs LlamaIndex: "
        'pip install ".[llamaindex]" in the folder of doubao-integrations'
    )


def test_a_spawned_worker_uses_a_pickle(used, monkeypatch, emulator):
    monkeypatch.setenv("ARK_API_KEY", "key-of-the-worker")
    with get_context("spawn").Pool(1) as pool:
        text = pool.apply(operator.methodcaller("complete", "hi"), (used,)).text
    assert emulator.requests[-1].headers["authorization"] == "Bearer key-of-the-worker"
    assert text == used.complete("hi").text


def test_unpickling_and_using_it_says_nothing(used, tmp_path):
    pickled = tmp_path / "llm.pickle"
    pickled.write_bytes(pickle.dumps(used))
    code = (
        "import pathlib, pickle, sys\n"
        "llm = pickle.loads(pathlib.Path(sys.argv[1]).read_bytes())\n"
        "print(llm.complete('hi').text)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(pickled)],
        capture_output=True,
        text=True,
        check=True,
        env={"ARK_API_KEY": "key-of-the-worker"},
    )
    assert done.stdout.strip() == used.complete("hi").text
    assert not done.stderr
