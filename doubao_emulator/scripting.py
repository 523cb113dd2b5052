"""Chat answers that a test dictates instead of letting the emulator compose them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from doubao_emulator.sse import frame

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from doubao_emulator.wire import JSON

Event: TypeAlias = "Mapping[str, JSON] | str | bytes"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptedTurn:
    """What the model says; ids, framing and usage are made as usual.

    Attributes:
        content: Text of the answer.
        reasoning: Chain of thought, empty for none.
        tool_calls: ``(name, arguments)`` pairs; arguments are JSON text or a value to encode.
        finish_reason: Overrides the reason that follows from the rest.
        usage: Overrides single keys of the usage object.
    """

    content: str = ""
    reasoning: str = ""
    tool_calls: tuple[tuple[str, JSON], ...] = ()
    finish_reason: str | None = None
    usage: Mapping[str, JSON] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptedBody:
    """A JSON body sent as it stands, or exact bytes."""

    body: Mapping[str, JSON] | bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptedStream:
    """Events sent as they stand.

    Attributes:
        events: Each a JSON payload, the text after ``data: ``, or bytes sent exactly so in one
            write; bytes that end inside an event place a split point there.
        burst: Send many events in one write.
        interval: Seconds between writes.
    """

    events: Sequence[Event]
    burst: bool = False
    interval: float = 0.0

    def frames(self) -> Iterator[bytes]:
        """Yield what goes over the wire, one item per write."""
        for event in self.events:
            if isinstance(event, bytes):
                yield event
            elif isinstance(event, str):
                yield f"data: {event}\n\n".encode()
            else:
                yield frame(event)


ScriptedAnswer: TypeAlias = ScriptedTurn | ScriptedBody | ScriptedStream
