"""Small real files, and chat models on the emulator."""

from __future__ import annotations

import io
import wave
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from langchain_doubao import ChatDoubao

if TYPE_CHECKING:
    from collections.abc import Callable

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
