"""What the model says, before limits and accounting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from doubao_emulator.wire import JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One reply.

    Attributes:
        calls: ``(tool name, arguments)`` pairs; arguments are a value, or JSON text as it stands.
        finish_reason: Set only when it does not follow from the rest.
        usage: Keys that override the computed usage.
    """

    content: str = ""
    reasoning: str = ""
    calls: tuple[tuple[str, JSON], ...] = ()
    finish_reason: str | None = None
    usage: Mapping[str, JSON] | None = None
