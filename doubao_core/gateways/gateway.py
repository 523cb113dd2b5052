"""What a provider is: data, and pure functions that rename and move."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from doubao_core.operation import JSON, Reply


def bearer(key: str) -> dict[str, str]:
    """Authenticate as Ark does (ark.md 1.2)."""
    return {"Authorization": f"Bearer {key}"}


def _same_body(body: JSON) -> JSON:
    return body


def _same_reply(reply: Reply) -> Reply:
    return reply


@dataclass(frozen=True, slots=True)
class Route:
    """How a provider does one operation: method, path below the base URL, dialect.

    ``encode`` turns Ark's request body into the provider's, ``decode`` its answer into Ark's.
    """

    method: str
    path: str
    encode: Callable[[JSON], JSON] = _same_body
    decode: Callable[[Reply], Reply] = _same_reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A provider.

    Attributes:
        name: What users write in ``provider=``.
        title: What people call it.
        base_url: Where it is; ``None`` if the user or ``launch`` must say.
        key_env: Environment variables for the key, in order; none if it needs no key.
        routes: What it offers; an operation without a route is refused before anything is sent.
        auth: Key to headers.
        launch: Starts a local server and gives its base URL, where that is what the provider is.
    """

    name: str
    title: str
    base_url: str | None
    key_env: tuple[str, ...]
    routes: Mapping[str, Route]
    auth: Callable[[str], dict[str, str]] = bearer
    launch: Callable[[], str] | None = None

    def but(self, **changes: Any) -> Self:
        """Give a copy with *changes*, for a provider that speaks another one's protocol."""
        return dataclasses.replace(self, **changes)
