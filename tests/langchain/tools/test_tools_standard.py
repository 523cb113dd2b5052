"""LangChain's own suites for tools, against the emulator, for each of the three."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from langchain_tests.integration_tests import ToolsIntegrationTests
from langchain_tests.unit_tests import ToolsUnitTests

from doubao_core import Client
from langchain_doubao import SeedanceTaskTool, SeedanceVideoTool, SeedreamImageTool

if TYPE_CHECKING:
    from pathlib import Path

    from langchain_core.tools import BaseTool

    from doubao_emulator import Emulator

VIDEO_MODEL = "doubao-seedance-2-0-260128"


class OnTheEmulator:
    """Constructor arguments; the emulator is there before the suite asks for them."""

    @pytest.fixture(autouse=True)
    def _emulator(self, emulator: Emulator, tmp_path: Path) -> None:
        self.emulator = emulator
        self.folder = tmp_path

    @property
    def tool_constructor_params(self) -> dict[str, Any]:
        return {"api_key": "k", "base_url": self.emulator.base_url, "output_dir": self.folder}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        environment = {"ARK_API_KEY": "sk-env", "DOUBAO_BASE_URL": "https://example.com/api/v3"}
        expected = {"api_key": "sk-env", "base_url": "https://example.com/api/v3"}
        return environment, {}, expected


class Pictures(OnTheEmulator):
    @property
    def tool_constructor(self) -> type[BaseTool]:
        return SeedreamImageTool

    @property
    def tool_constructor_params(self) -> dict[str, Any]:
        return {**super().tool_constructor_params, "model": "doubao-seedream-4-0-250828"}

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return {"prompt": "A tea garden at dawn", "size": "1K"}


class Films(OnTheEmulator):
    @property
    def tool_constructor(self) -> type[BaseTool]:
        return SeedanceVideoTool

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return {"prompt": "Fog over a tea garden", "duration": 4, "resolution": "480p"}


class Tasks(OnTheEmulator):
    @property
    def tool_constructor(self) -> type[BaseTool]:
        return SeedanceTaskTool

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        with Client(api_key="k", base_url=self.emulator.base_url) as client:
            task = client.create_video(
                model=VIDEO_MODEL,
                content=[{"type": "text", "text": "tea"}],
                resolution="480p",
                duration=4,
            )
        return {"task_id": task.id}


class TestPicturesUnit(Pictures, ToolsUnitTests):
    pass


class TestPicturesIntegration(Pictures, ToolsIntegrationTests):
    pass


class TestFilmsUnit(Films, ToolsUnitTests):
    pass


class TestFilmsIntegration(Films, ToolsIntegrationTests):
    pass


class TestTasksUnit(Tasks, ToolsUnitTests):
    pass


class TestTasksIntegration(Tasks, ToolsIntegrationTests):
    pass
