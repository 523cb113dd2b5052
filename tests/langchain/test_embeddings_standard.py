"""LangChain's own suites for embeddings, against the emulator, for both endpoints."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_tests.integration_tests import EmbeddingsIntegrationTests
from langchain_tests.unit_tests import EmbeddingsUnitTests

from langchain_doubao import DoubaoEmbeddings


class OnTheEmulator:
    """Constructor arguments; the emulator is there before the suite asks for them."""

    name = "doubao-embedding-vision-251215"

    @pytest.fixture(autouse=True)
    def _emulator(self, emulator: Any) -> None:
        self.emulator = emulator

    @property
    def embeddings_class(self) -> type[DoubaoEmbeddings]:
        return DoubaoEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"model": self.name, "api_key": "k", "base_url": self.emulator.base_url}


class TestEmbeddingsUnit(OnTheEmulator, EmbeddingsUnitTests):
    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        environment = {
            "BYTEPLUS_API_KEY": "sk-from-the-environment",
            "DOUBAO_PROVIDER": "byteplus",
            "DOUBAO_BASE_URL": "https://example.com/api/v3",
        }
        expected = {
            "api_key": "sk-from-the-environment",
            "provider": "byteplus",
            "base_url": "https://example.com/api/v3",
        }
        return environment, {"model": self.name}, expected


class TestEmbeddingsIntegrationMultimodal(OnTheEmulator, EmbeddingsIntegrationTests):
    """One request per document."""


class TestEmbeddingsIntegrationText(OnTheEmulator, EmbeddingsIntegrationTests):
    """Many documents per request."""

    name = "doubao-embedding-large-text-250515"
