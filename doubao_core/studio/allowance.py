"""How many paid calls an object may still make."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Self

from doubao_core.errors import ConfigError, ConnectionFailed, RequestError


class Allowance:
    """A number of paid calls, shared by threads, event loops and copies in this process.

    Args:
        most: How many calls; ``None`` for any number.
    """

    def __init__(self, most: int | None = None) -> None:
        self._lock = threading.Lock()
        self._most = most
        self._used = 0

    @contextmanager
    def spent(self) -> Generator[None]:
        """Take one call; give it back if it was refused, so that nothing was paid."""
        with self._lock:
            if self._most is not None and self._used >= self._most:
                often = "once" if self._most == 1 else f"{self._most} times"
                raise ConfigError(
                    f"this tool may be used {often} at most, and no call is left: make do with "
                    "what there is, or ask the user"
                )
            self._used += 1
        try:
            yield
        except (ConfigError, ConnectionFailed, RequestError):
            with self._lock:
                self._used -= 1
            raise

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[type[Allowance], tuple[int | None]]:
        return Allowance, (None if self._most is None else self._most - self._used,)
