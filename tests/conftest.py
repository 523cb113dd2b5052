"""The emulator, for every suite that talks HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doubao_emulator import Emulator


@pytest.fixture(scope="session")
def running_emulator() -> Iterator[Emulator]:
    """One server for the whole session; use `emulator` in tests."""
    from doubao_emulator import Emulator, Immediate

    with Emulator(progress=Immediate()) as emulator:
        yield emulator


@pytest.fixture
def emulator(running_emulator: Emulator) -> Iterator[Emulator]:
    """Return an emulator that remembers nothing and whose tasks are done at once."""
    running_emulator.reset()
    yield running_emulator
    running_emulator.reset()
