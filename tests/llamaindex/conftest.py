"""Chat models on the emulator, and what the wire said to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from llamaindex_doubao import Doubao

if TYPE_CHECKING:
    from collections.abc import Callable

    from doubao_emulator import Emulator

SUMMARY_MODEL = "doubao-seed-2-1-pro-260915"


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ARK_API_KEY", "BYTEPLUS_API_KEY", "DOUBAO_PROVIDER", "DOUBAO_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def make_llm(emulator: Emulator) -> Callable[..., Doubao]:
    """Make chat models that talk to the emulator."""

    def make(**fields: Any) -> Doubao:
        settings = {"model": SUMMARY_MODEL, "api_key": "test-key", "max_retries": 0}
        return Doubao(**{"base_url": emulator.base_url, **settings, **fields})

    return make


@pytest.fixture
def llm(make_llm: Callable[..., Doubao]) -> Doubao:
    return make_llm()


@pytest.fixture
def sent(emulator: Emulator) -> Callable[[], list[Any]]:
    """Give the bodies of the chat requests that arrived, oldest first."""

    def bodies() -> list[Any]:
        return [each.body for each in emulator.requests if each.path.endswith("/chat/completions")]

    return bodies


@pytest.fixture(params=["chat", "achat", "stream_chat", "astream_chat"])
def ask(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Ask by each of the four methods in turn; gives the last response."""

    async def ask(llm: Doubao, messages: Any, **options: Any) -> Any:
        method = getattr(llm, request.param)
        if request.param == "chat":
            return method(messages, **options)
        if request.param == "achat":
            return await method(messages, **options)
        if request.param == "stream_chat":
            return list(method(messages, **options))[-1]
        return [each async for each in await method(messages, **options)][-1]

    return ask


@pytest.fixture(params=["stream_chat", "astream_chat"])
def stream(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Stream by both methods in turn; gives all responses."""

    async def stream(llm: Doubao, messages: Any, **options: Any) -> list[Any]:
        method = getattr(llm, request.param)
        if request.param == "stream_chat":
            return list(method(messages, **options))
        return [each async for each in await method(messages, **options)]

    return stream
