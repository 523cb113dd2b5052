"""Server-sent events: bytes in, ``data`` payloads out (ark.md 1.8).

Invariant: whatever the bytes are and however they are cut into blocks, the payloads are the same,
and what is buffered never exceeds ``max_event`` bytes.
"""

from __future__ import annotations

from doubao_core.errors import TooLarge

# One event may carry a whole base64 picture; the API's own body limit is 64 MB (ark.md 1.5).
MAX_EVENT_BYTES = 96 * 1024 * 1024
DONE = b"[DONE]"
_BOM = b"\xef\xbb\xbf"


class Decoder:
    """Incremental decoder of one event stream.

    Payloads are the joined ``data`` lines of each event, still as bytes: JSON parsers decode UTF-8
    faster than Python does. ``event``, ``id``, ``retry`` and comments are passed over, since a
    consumer must dispatch on the JSON ``type`` (ark.md 1.8).
    """

    def __init__(self, max_event: int = MAX_EVENT_BYTES) -> None:
        self._max_event = max_event
        self._pending = bytearray()
        self._searched = 0
        self._carriage_return = False
        self._at_start = True

    def feed(self, block: bytes) -> list[bytes]:
        """Take the next block and give the payloads of the events that it completes."""
        if (
            # Most blocks are one event of one line: then the first blank line is also the end.
            block.find(b"\n") == len(block) - 2
            and block.startswith(b"data: ")
            and block.endswith(b"\n")
            and not (self._pending or self._carriage_return or b"\r" in block)
        ):
            self._at_start = False
            return [block[6:-2]]
        if self._at_start:
            block = self._without_bom(block)
        if self._carriage_return or b"\r" in block:
            block = self._unify_newlines(block)
        if self._pending:
            self._pending += block
            if self._pending.find(b"\n\n", self._searched) < 0:
                return self._wait_for_more()
            block = bytes(self._pending)
            self._pending.clear()
        *events, rest = block.split(b"\n\n")
        if rest:
            self._pending += rest
            self._wait_for_more()
        return [payload for event in events if (payload := _payload(event)) is not None]

    def close(self) -> list[bytes]:
        """Give the payload of a last event that no blank line ended, if there is one."""
        rest = bytes(self._pending)
        self._pending.clear()
        payload = _payload(rest.rstrip(b"\n"))
        return [] if payload is None else [payload]

    def _wait_for_more(self) -> list[bytes]:
        if len(self._pending) > self._max_event:
            raise TooLarge(f"one event of the stream is larger than {self._max_event} bytes")
        # Searching again from here keeps a long event linear; the separator may be cut in two.
        self._searched = max(0, len(self._pending) - 1)
        return []

    def _without_bom(self, block: bytes) -> bytes:
        block = bytes(self._pending) + block
        self._pending.clear()
        if len(block) < len(_BOM) and _BOM.startswith(block):
            self._pending += block
            return b""
        self._at_start = False
        return block.removeprefix(_BOM)

    def _unify_newlines(self, block: bytes) -> bytes:
        """Make every CRLF and CR an LF; a CR at the end waits for what follows it."""
        if self._carriage_return:
            block = b"\r" + block
        self._carriage_return = block.endswith(b"\r")
        if self._carriage_return:
            block = block[:-1]
        return block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _payload(event: bytes) -> bytes | None:
    # The usual event is a single line, and the space after the colon is optional.
    if event.startswith(b"data:") and b"\n" not in event:
        return event[6:] if event.startswith(b"data: ") else event[5:]
    lines = [
        line[5:].removeprefix(b" ") for line in event.split(b"\n") if line.startswith(b"data:")
    ]
    return b"\n".join(lines) if lines else None
