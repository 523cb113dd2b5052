"""What can be wrong with a place that a developer named: they can mend it, an agent cannot."""

from __future__ import annotations

from typing import Any

from doubao_core.errors import ConfigError


class PlaceError(ConfigError):
    """A folder, a store or a ledger cannot be used; the message says which one, and why.

    Attributes:
        told: The same for a model, without the place: it is the developer's, and of no use to it.
    """

    told = "the place for results cannot be used: only the developer can mend that, tell the user"

    def __init__(self, message: str, *, told: str | None = None, **facts: Any) -> None:
        super().__init__(message, **facts)
        if told is not None:
            self.told = told
