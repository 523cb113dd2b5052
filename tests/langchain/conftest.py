"""Small real files, and chat models on the emulator."""

from __future__ import annotations

import io
import wave
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.utils import message_chunk_to_message
from langchain_tests.utils.stream_lifecycle import assert_valid_event_stream
from PIL import Image

from langchain_doubao import ChatDoubao

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from doubao_emulator import Emulator

SUMMARY_MODEL = "doubao-seed-2-0-lite-260428"


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ARK_API_KEY", "BYTEPLUS_API_KEY", "DOUBAO_PROVIDER", "DOUBAO_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def chat(emulator: Emulator) -> Callable[..., ChatDoubao]:
    """Make chat models that talk to the emulator."""

    def make(**fields: Any) -> ChatDoubao:
        settings = {"model": SUMMARY_MODEL, "api_key": "test-key", "max_retries": 0, **fields}
        return ChatDoubao(base_url=emulator.base_url, **settings)

    return make


@pytest.fixture(scope="session")
def png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 48), "teal").save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="session")
def wav() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16_000))
    return file.getvalue()


@pytest.fixture(scope="session")
def pdf() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 48), "white").save(file, "PDF")
    return file.getvalue()


@pytest.fixture(scope="module")
def vcr_config() -> dict[str, Any]:
    """Cassettes of the standard suites: no header but the content type, any port."""

    def only_the_type(message: Any) -> Any:
        # vcrpy hands over requests as objects and responses as dicts.
        headers = message["headers"] if isinstance(message, dict) else message.headers
        for name in [name for name in headers if name.lower() != "content-type"]:
            del headers[name]
        return message

    return {
        "match_on": ["method", "path", "body"],
        "allow_playback_repeats": True,
        "before_record_request": only_the_type,
        "before_record_response": only_the_type,
    }


def _added(chunks: list[AIMessageChunk]) -> AIMessage:
    full = chunks[0]
    for chunk in chunks[1:]:
        full += chunk
    return message_chunk_to_message(full)


def _of_events(stream: Any) -> AIMessage:
    assert_valid_event_stream(list(stream))
    return stream.output


async def _of_async_events(started: Any) -> AIMessage:
    stream = await started
    assert_valid_event_stream([event async for event in stream])
    return await stream.output


async def _of_async_chunks(chunks: Any) -> AIMessage:
    return _added([chunk async for chunk in chunks])


async def _of_v2_events(events: Any) -> AIMessage:
    (end,) = [event async for event in events if event["event"] == "on_chat_model_end"]
    return message_chunk_to_message(end["data"]["output"])


# With a callback handler a stream goes another way.
_HEARD: Any = {"callbacks": [BaseCallbackHandler()]}
_STREAMED: dict[str, Callable[[Callable[..., ChatDoubao]], Any]] = {
    "v0": lambda chat: _added(list(chat().stream("Go"))),
    "v0, heard": lambda chat: _added(list(chat().stream("Go", _HEARD))),
    "v1": lambda chat: _added(list(chat(output_version="v1").stream("Go"))),
    "v3": lambda chat: _of_events(chat().stream_events("Go", version="v3")),
    "invoke": lambda chat: chat(streaming=True).invoke("Go"),
    "invoke v1": lambda chat: chat(streaming=True, output_version="v1").invoke("Go"),
    "async v0": lambda chat: _of_async_chunks(chat().astream("Go")),
    "async v0, heard": lambda chat: _of_async_chunks(chat().astream("Go", _HEARD)),
    "async v1": lambda chat: _of_async_chunks(chat(output_version="v1").astream("Go")),
    "async v2 events": lambda chat: _of_v2_events(chat().astream_events("Go", version="v2")),
    "async v3": lambda chat: _of_async_events(chat().astream_events("Go", version="v3")),
    "ainvoke": lambda chat: chat(streaming=True).ainvoke("Go"),
}
_WHOLE: dict[str, Callable[[Callable[..., ChatDoubao]], Any]] = {
    "invoke": lambda chat: chat().invoke("Go"),
    "invoke v1": lambda chat: chat(output_version="v1").invoke("Go"),
    "ainvoke": lambda chat: chat().ainvoke("Go"),
    "ainvoke v1": lambda chat: chat(output_version="v1").ainvoke("Go"),
}


class Views:
    """The same answer, seen in each way that LangChain offers."""

    def __init__(self, emulator: Emulator, chat: Callable[..., ChatDoubao]) -> None:
        self._emulator = emulator
        self._chat = chat

    async def streamed(self, events: list[Any], **settings: Any) -> dict[str, AIMessage]:
        """Script a stream and give the message that each view makes of it."""
        self._emulator.answer(events=events, times=len(_STREAMED))
        return {name: await self._seen(view, settings) for name, view in _STREAMED.items()}

    async def whole(self, body: Any, **settings: Any) -> dict[str, AIMessage]:
        """Script a whole answer and give the message that each view makes of it."""
        self._emulator.answer(body=body, times=len(_WHOLE))
        return {name: await self._seen(view, settings) for name, view in _WHOLE.items()}

    async def _seen(self, view: Any, settings: dict[str, Any]) -> AIMessage:
        models: list[ChatDoubao] = []

        def kept(**fields: Any) -> ChatDoubao:
            models.append(self._chat(**settings, **fields))
            return models[-1]

        message: AIMessage | Awaitable[AIMessage] = view(kept)
        try:
            return message if isinstance(message, AIMessage) else await message
        finally:
            await models[0].aclose()


@pytest.fixture
def views(emulator: Emulator, chat: Callable[..., ChatDoubao]) -> Views:
    """Script an answer and see it in every view."""
    return Views(emulator, chat)
