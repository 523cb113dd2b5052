"""What a dialect is: where it is, who may enter, what it offers, and how it refuses."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from doubao_emulator.dialects import quota
from doubao_emulator.dialects.quota import Quota
from doubao_emulator.errors import ArkError, unauthenticated

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.routing import BaseRoute

    from doubao_emulator.state import World
    from doubao_emulator.wire import JSON


class DialectError(ArkError):
    """A refusal in a gateway's own words.

    Attributes:
        payload: The whole body.
    """

    def __init__(self, status: int, payload: JSON) -> None:
        super().__init__(status=status, code="", message=str(payload), type="Gateway")
        self.payload = payload


def bearer_key(headers: Mapping[str, str]) -> str:
    """Return the key of `Authorization: Bearer`.

    Raises:
        ArkError: There is none.
    """
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise unauthenticated()
    return key.strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One gateway.

    Attributes:
        name: Its name, and the first part of its paths here.
        base: What its base URL has behind its host.
        routes: Makes the routes below `base`.
        refusal: Turns a refusal into status and body; the path and the method come with it.
        key: Finds the key of a request to a path below `base`.
        quota: What a key may do, which every answer tells in its headers; None where the gateway
            says nothing of it.
        more_headers: Further headers of every answer to a key.
    """

    name: str
    base: str = ""
    routes: Callable[[World], list[BaseRoute]] = field(repr=False)
    refusal: Callable[[ArkError, str, str], tuple[int, JSON]] = field(repr=False)
    key: Callable[[Mapping[str, str], str], str] = field(
        default=lambda headers, _path: bearer_key(headers), repr=False
    )
    quota: Quota | None = None
    more_headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def prefix(self) -> str:
        """Path that its routes are mounted at."""
        return f"/{self.name}{self.base}"

    def headers(self, world: World, key: str) -> dict[str, str]:
        """Return what every answer to a key has in its head."""
        told = {} if self.quota is None else quota.headers(world, self.name, key, self.quota)
        return {**told, **self.more_headers}

    def admitted(self, world: World, key: str) -> AbstractContextManager[None]:
        """Return the context in which one request of a key is answered."""
        if self.quota is None:
            return nullcontext()
        return quota.admitted(world, self.name, key, self.quota)

    def below(self, path: str) -> str:
        """Return the part of a path that the gateway itself would see behind its base URL."""
        return path.removeprefix(self.prefix)
