"""What the flows of jobs ask of their drivers: the blocking one and the asyncio one.

As in :mod:`doubao_core.operation`, a flow is a generator that does no I/O itself, so that the order
of "write it down", "send it" and "write down what came" exists once.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from doubao_core.studio.results import ImageResult, MadeImage, Progress, VideoResult

R = TypeVar("R")
Event: TypeAlias = Progress | MadeImage | ImageResult | VideoResult


@dataclass(frozen=True, slots=True)
class Keep:
    """Use the ledger: a function that blocks, in a thread where blocking would hurt."""

    call: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Call:
    """Call a method of the client or the studio; an asyncio one is awaited."""

    call: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Next:
    """Give the next item of a generator of the studio; ``None`` at its end."""

    items: Any


@dataclass(frozen=True, slots=True)
class Pause:
    """Let *seconds* pass."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Show:
    """Give *event* to the caller."""

    event: Event


@dataclass(frozen=True, slots=True)
class Whole:
    """Run *flow*, which shows nothing, to its end even if the caller is cancelled meanwhile.

    Unless it has not *begun* then to do what must be seen through.
    """

    flow: Generator[Any, Any, Any]
    begun: Callable[[], bool]


Step: TypeAlias = Keep | Call | Next | Pause | Show | Whole
Flow: TypeAlias = Generator[Step, Any, R]
