"""An environment without keys, and where each gateway's dialect is spoken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from doubao_emulator import Emulator

VARIABLES = """
    DOUBAO_PROVIDER DOUBAO_BASE_URL ARK_API_KEY BYTEPLUS_API_KEY ANYFAST_API_KEY XROUTE_API_KEY
    AGENTSFLARE_API_KEY DOITONG_API_KEY SEEDANCE2API_API_KEY SEEDANCE_API_KEY
    OPENAI_COMPATIBLE_API_KEY
"""


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES.split():
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def at(emulator: Emulator) -> Callable[[str], dict[str, Any]]:
    """Return the arguments with which a class of an adapter talks to a gateway's dialect."""

    def arguments(provider: str, dialect: str | None = None) -> dict[str, Any]:
        return {
            "provider": provider,
            "base_url": emulator.base_url_of(dialect or provider),
            "api_key": "k-0123456789",
            "max_retries": 0,
        }

    return arguments
