"""LangChain's own suites for chat models, with every toggle on that Ark's models can have."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from langchain_core.messages import AIMessageChunk
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

from langchain_doubao import ChatDoubao

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage

    from doubao_emulator import Emulator

MODEL = "doubao-seed-2-0-lite-260428"


class Toggles:
    """What these models can do (langchain.md 16)."""

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatDoubao

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def supports_image_inputs(self) -> bool:
        return True

    @property
    def supports_image_urls(self) -> bool:
        return True

    @property
    def supports_pdf_inputs(self) -> bool:
        return True

    @property
    def supports_audio_inputs(self) -> bool:
        return True

    @property
    def supports_video_inputs(self) -> bool:
        return True

    @property
    def supports_image_tool_message(self) -> bool:
        return True

    @property
    def supports_pdf_tool_message(self) -> bool:
        return True

    @property
    def supports_anthropic_inputs(self) -> bool:
        return True

    @property
    def model_override_value(self) -> str:
        return "doubao-seed-2-1-pro-260915"

    @property
    def supported_usage_metadata_details(self) -> dict[str, list[str]]:
        details = ["reasoning_output", "cache_read_input"]
        return {"invoke": details, "stream": details}


class TestUnit(Toggles, ChatModelUnitTests):
    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": MODEL}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        environment = {
            "ARK_API_KEY": "from-the-environment",
            "DOUBAO_PROVIDER": "ark",
            "DOUBAO_BASE_URL": "http://127.0.0.1:1/api/v3",
        }
        expected = {
            "api_key": environment["ARK_API_KEY"],
            "provider": environment["DOUBAO_PROVIDER"],
            "base_url": environment["DOUBAO_BASE_URL"],
        }
        return environment, {"model": MODEL}, expected

    @pytest.mark.xfail(
        reason="load(allowed_objects='all') admits only the classes of LangChain's own list; "
        "the round trip that works is in test_chat_life.py"
    )
    def test_serdes(self, model: BaseChatModel, snapshot: Any) -> None:
        super().test_serdes(model, snapshot)


# The suite stops a thinking model by a text, which is sent, with a warning.
@pytest.mark.filterwarnings("ignore:.* stop is not supported by thinking models:UserWarning")
class TestIntegration(Toggles, ChatModelIntegrationTests):
    @property
    def enable_vcr_tests(self) -> bool:
        return True

    @pytest.fixture(autouse=True)
    def _service(self, emulator: Emulator) -> None:
        self.base_url = emulator.base_url

    @pytest.fixture(autouse=True)
    def _files(self, monkeypatch: pytest.MonkeyPatch, png: bytes, pdf: bytes, wav: bytes) -> None:
        """The suite fetches public files; these are as real, and here."""
        files = {".png": png, ".pdf": pdf, ".wav": wav}

        def get(url: str, **_: Any) -> types.SimpleNamespace:
            return types.SimpleNamespace(content=files[url[-4:]])

        monkeypatch.setattr(httpx, "get", get)
        monkeypatch.setenv("LANGCHAIN_TESTS_USER_AGENT", "nothing is fetched")

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": MODEL, "base_url": self.base_url, "api_key": "test-key"}

    def invoke_with_reasoning_output(self, *, stream: bool = False) -> AIMessage:
        return self._asked("How many r are in strawberry?", stream=stream)

    def invoke_with_cache_read_input(self, *, stream: bool = False) -> AIMessage:
        long_prompt = "The implicit cache keeps prompts of more than 1024 tokens. " * 200
        self._asked(long_prompt, stream=stream)
        message = self._asked(long_prompt, stream=stream)
        assert message.usage_metadata["input_token_details"]["cache_read"] > 0
        return message

    def _asked(self, prompt: str, *, stream: bool) -> AIMessage:
        model = ChatDoubao(**self.chat_model_params)
        if not stream:
            return model.invoke(prompt)
        full: AIMessageChunk | None = None
        for chunk in model.stream(prompt):
            full = chunk if full is None else full + chunk
        assert full is not None
        return full


class TestIntegrationJsonSchema(TestIntegration):
    @property
    def structured_output_kwargs(self) -> dict[str, Any]:
        return {"method": "json_schema"}


@pytest.mark.parametrize("suite", [TestIntegration, TestIntegrationJsonSchema])
def test_no_toggle_of_the_suite_is_off(suite: type) -> None:
    """A test whose toggle is off is skipped without a word."""
    prefixes = ("supports_", "has_", "returns_", "enable_")
    toggles = [name for name in dir(suite) if name.startswith(prefixes)]
    assert len(toggles) >= 15
    assert [name for name in toggles if getattr(suite(), name) is not True] == []
