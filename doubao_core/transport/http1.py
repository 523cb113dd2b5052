"""HTTP/1.1 as a client speaks it, purely: a request as bytes, and bytes as an answer (RFC 9112).

httpx reads answers with h11, which costs more per streamed event than everything else together
(``benchmarks/``). This reader takes what h11 takes and refuses what it refuses
(``tests/core/test_http1.py`` holds them side by side), but gives all that one network block brings
of a body in one piece.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from doubao_core.errors import ConfigError
from doubao_core.operation import sendable

MAX_HEAD_BYTES = 100 * 1024
"""Most bytes of an answer's head, interim answers included, and of what may follow its body."""
MAX_LINE_BYTES = 4096
"""Most bytes of the line that says the size of a chunk."""

_NO_CONTENT = frozenset({204, 304})
_WITH_CONTENT = frozenset({"POST", "PUT", "PATCH"})
_SWITCHING = 101
_FIRST_STATUS, _FIRST_FINAL = 100, 200

_HEAD_END = re.compile(rb"\n\r?\n")
_TRAILER_END = re.compile(rb"\A\r?\n|\n\r?\n")
_LINE_END = re.compile(rb"\r?\n")
_STATUS_LINE = re.compile(rb"HTTP/1\.([0-9]) ([0-9]{3})(?: [^\x00\n\v\f\r]*)?")
# The blanks around a value are cut off later: here they would be tried in every combination.
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([^\x00\n\v\f\r]*)")
_FOLD = re.compile(rb"\r?\n[ \t]+")
_LENGTH = re.compile(r"[0-9]{1,20}")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,20})[ \t]*(?:;[^\x00\r\n]*)?\r\n")


class NotHTTPError(Exception):
    """What came is no HTTP/1.1, or stopped before its end."""


def request_head(
    method: str, target: str, host: str, headers: Mapping[str, str], length: int | None
) -> bytes:
    """Write the head of a request.

    Args:
        method: Such as ``POST``.
        target: Path and query.
        host: Host and, if it is not the scheme's own, port.
        headers: Names in lower case; a ``host`` among them wins.
        length: Bytes of the body; ``None`` if there is none.

    Raises:
        ConfigError: A header holds what would end it.
    """
    fields = {"host": host, **headers}
    if length is not None:
        fields["content-length"] = str(length)
    elif method in _WITH_CONTENT:
        fields["content-length"] = "0"
    if not all(map(sendable, fields.values())):
        raise ConfigError("a header of the request cannot be sent: it has control characters")
    lines = [f"{method} {target} HTTP/1.1", *[f"{name}: {fields[name]}" for name in fields]]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


class AnswerReader:
    """One answer: ``feed`` gives what a block brings of its body, until it is ``complete``.

    Attributes:
        status: 0 until the head is there.
        headers: By names in lower case; repeated ones are joined by commas.
        complete: Whether the whole answer has come.
        reusable: Whether the connection may carry another request after it.
    """

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.complete = False
        self.reusable = True
        self._step: Callable[[bytes], bytes] = self._head
        self._pending = b""
        self._head_bytes = 0
        # What is left of a body of known length, or of a chunk.
        self._left = 0
        # Whether the line end of a chunk is still to come.
        self._in_chunk = False
        self._until_close = False

    def feed(self, block: bytes) -> bytes:
        """Take the next block.

        Raises:
            NotHTTPError: It does not go on like HTTP.
        """
        return self._step(block)

    def end(self) -> None:
        """Say that the server closed the connection.

        Raises:
            NotHTTPError: Something is missing.
        """
        self.reusable = False
        if self._until_close:
            self.complete = True
        elif not self.status:
            raise NotHTTPError("the server closed the connection without an answer")
        elif not self.complete:
            raise NotHTTPError("the server closed the connection in the middle of the answer")

    def _head(self, block: bytes) -> bytes:
        rest = block
        # Interim answers stand before the one that was asked for.
        while rest and not self.status:
            rest = self._head_in(rest)
        return self._step(rest) if rest else b""

    def _head_in(self, block: bytes) -> bytes:
        """Read up to the end of a head, interim or not; gives what follows it."""
        searched = max(0, len(self._pending) - 3)
        self._pending += block
        if not (self._pending[:7].startswith(b"HTTP/1.") or b"HTTP/1.".startswith(self._pending)):
            raise NotHTTPError("the server does not speak HTTP/1.1")
        found = _HEAD_END.search(self._pending, searched)
        size = self._head_bytes + (found.end() if found else len(self._pending))
        if size > MAX_HEAD_BYTES:
            raise NotHTTPError(f"the head of the answer is larger than {MAX_HEAD_BYTES:,} bytes")
        if found is None:
            return b""
        self._head_bytes = size
        head, rest = self._pending[: found.start()], self._pending[found.end() :]
        self._pending = b""
        version, status, headers = _parsed(head)
        if status == _SWITCHING:
            raise NotHTTPError("the server switches to another protocol")
        if status >= _FIRST_FINAL:
            self._frame(version, status, headers)
        return rest

    def _frame(self, version: bytes, status: int, headers: dict[str, str]) -> None:
        """Find out where the body ends (RFC 9112 6.3)."""
        options = {each.strip().lower() for each in headers.get("connection", "").split(",")}
        self.reusable = version != b"0" and "close" not in options
        is_chunked, length = _framing(headers)
        if status in _NO_CONTENT or (length == 0 and not is_chunked):
            # Who announces a body where none may be might send it, as if it were the next answer.
            self.reusable = self.reusable and not is_chunked and not length
            self._finish()
        elif is_chunked:
            # Both lengths at once are how answers are smuggled past a server in between.
            self.reusable = self.reusable and length is None
            self._step = self._chunks
        elif length is not None:
            self._left = length
            self._step = self._counted
        else:
            self.reusable, self._until_close = False, True
            self._step = self._uncounted
        self.status, self.headers = status, headers

    def _finish(self) -> None:
        self.complete = True
        self._step = self._surplus

    def _surplus(self, _block: bytes) -> bytes:
        """Drop what nobody asked for, and with it the connection."""
        self.reusable = False
        return b""

    def _uncounted(self, block: bytes) -> bytes:
        return block

    def _counted(self, block: bytes) -> bytes:
        self._left -= len(block)
        if self._left <= 0:
            self._finish()
            if self._left:
                self.reusable = False
                return block[: self._left]
        return block

    def _chunks(self, block: bytes) -> bytes:
        if self._pending:
            block, self._pending = self._pending + block, b""
        parts: list[bytes] = []
        at = 0
        while at < len(block):
            if self._left:
                parts.append(block[at : at + self._left])
                at += len(parts[-1])
                self._left -= len(parts[-1])
                self._in_chunk = True
            elif self._in_chunk:
                if not block.startswith(b"\r\n", at):
                    self._wait_for(b"\r\n", block[at:])
                    break
                self._in_chunk = False
                at += 2
            elif found := _CHUNK_SIZE.match(block, at):
                at, size = found.end(), int(found[1], 16)
                if not size:
                    self._step = self._trailer
                    self._trailer(block[at:])
                    break
                end = at + size
                # Nearly always the chunk is all here.
                if block.startswith(b"\r\n", end):
                    parts.append(block[at:end])
                    at = end + 2
                else:
                    self._left = size
            else:
                self._wait_for_size(block[at:])
                break
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _wait_for(self, expected: bytes, rest: bytes) -> None:
        if not expected.startswith(rest):
            raise NotHTTPError("a chunk of the body is longer than it says")
        self._pending = rest

    def _wait_for_size(self, rest: bytes) -> None:
        if b"\n" in rest or len(rest) > MAX_LINE_BYTES:
            raise NotHTTPError(f"a chunk of the body has no size, but {rest[:20]!r}")
        self._pending = rest

    def _trailer(self, block: bytes) -> bytes:
        self._pending += block
        found = _TRAILER_END.search(self._pending)
        if (found.end() if found else len(self._pending)) > MAX_HEAD_BYTES:
            raise NotHTTPError(f"the trailer is larger than {MAX_HEAD_BYTES:,} bytes")
        if found:
            _framing(_fields(self._pending[: found.start()]))
            self._finish()
            if found.end() < len(self._pending):
                self._surplus(b"")
        return b""


def _parsed(head: bytes) -> tuple[bytes, int, dict[str, str]]:
    """Give the minor version, the status and the header fields of a head."""
    first, _, rest = head.partition(b"\n")
    line = _STATUS_LINE.fullmatch(first.removesuffix(b"\r"))
    if line is None or int(line[2]) < _FIRST_STATUS:
        raise NotHTTPError("the answer does not begin with a status line of HTTP/1.1")
    return line[1], int(line[2]), _fields(rest)


def _fields(block: bytes) -> dict[str, str]:
    """Read header fields, of which the last has no line feed."""
    fields: dict[str, str] = {}
    if not block:
        return fields
    for line in _LINE_END.split(_FOLD.sub(b" ", block.removesuffix(b"\r"))):
        found = _FIELD.fullmatch(line)
        if found is None:
            raise NotHTTPError("the head of the answer has a line that is no header field")
        name, value = found[1].decode("ascii").lower(), _text(found[2].strip(b" \t"))
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return fields


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("iso-8859-1")


def _framing(fields: dict[str, str]) -> tuple[bool, int | None]:
    """Say whether a body comes in chunks, and how long it is said to be."""
    coding = fields.get("transfer-encoding", "chunked")
    if coding.lower() != "chunked":
        raise NotHTTPError(f"the body is in the unknown transfer coding {coding[:80]!r}")
    length = fields.get("content-length")
    return "transfer-encoding" in fields, None if length is None else _length(length)


def _length(value: str) -> int:
    """Read a Content-Length; a repeated one must say the same each time."""
    lengths = {each.strip() for each in value.split(",")}
    if len(lengths) > 1 or not _LENGTH.fullmatch(value.partition(",")[0].strip()):
        raise NotHTTPError(f"the length of the answer is no number: {value[:80]!r}")
    return int(lengths.pop())
