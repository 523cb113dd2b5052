"""Pictures inside an answer, written to storage while the answer arrives.

An answer with ``b64_json`` is JSON of a few hundred bytes and some megabytes of base64. The
:class:`Sieve` lets the JSON through, with a mark where each picture was, and decodes the pictures
to files. Invariant: however the bytes are cut into blocks, the files and the rest are the same.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from orjson import JSONDecodeError, loads

from doubao_core.errors import ConfigError, DoubaoError, Malformed, TooLarge
from doubao_core.media.save import Saved, Storage, Target

MAX_PICTURE_BYTES = 96 * 1024 * 1024
"""Largest picture to take out of an answer; the API's own are up to 30 MB (ark.md 14.4)."""
_FIELD = "b64_json"
_LIST = "data"
_STRUCTURE = re.compile(rb'["{}\[\]:,]')
_STRING_END = re.compile(rb'["\\]')
# Every character of the longest name that matters may be written as an escape of six bytes.
_LONGEST_KEY = 6 * len(_FIELD)
_UNICODE_ESCAPE = 6
# No base64 has a NUL.
_MARK = re.compile(r"\0(\d{1,9})")
_QUARTET = 4
_WHITESPACE = b" \t\r\n"
_PASSES = ("image/",)


class Picture:
    """One picture on its way to storage: base64 in, bytes into a target.

    Attributes:
        claimed: Whether somebody has found it in the answer, and saves it.
    """

    def __init__(self, target: Target) -> None:
        self.claimed = False
        self._target = target
        self._entered = False
        self._size = 0
        self._carry = b""
        self._padded = False
        self._kept: bytearray | None = None
        self._outcome: Saved | DoubaoError | None = None

    def feed(self, text: bytes) -> None:
        """Take the next part of the base64 text; a part may end anywhere."""
        if self._is_lost:
            return
        text = self._carry + text.translate(None, _WHITESPACE)
        if self._padded and text:
            self._broken(Malformed("a picture is no base64: it goes on after its padding"))
            return
        whole = len(text) - len(text) % _QUARTET
        self._carry = text[whole:]
        try:
            data = binascii.a2b_base64(text[:whole], strict_mode=True)
        except binascii.Error as error:
            self._broken(Malformed(f"a picture is no base64: {error}"))
            return
        self._padded = self._padded or text.endswith(b"=", 0, whole)
        self._size += len(data)
        if self._size > MAX_PICTURE_BYTES:
            self._broken(TooLarge(f"a picture is larger than {MAX_PICTURE_BYTES:,} bytes"))
        elif data:
            self._write(data)

    def _write(self, data: bytes) -> None:
        if self._kept is not None:
            self._kept += data
            return
        try:
            if not self._entered:
                self._target.__enter__()
                self._entered = True
            self._target.write(data)
        except ConfigError as error:
            self._outcome = error
            self._keep(data)

    def end(self) -> None:
        """Say that the base64 text has ended."""
        if self._is_lost:
            return
        if self._carry:
            self._broken(Malformed("a picture is no base64: it ends within four characters"))
        elif not self._size:
            self._broken(Malformed("a picture is empty"))

    def save(self) -> Saved | DoubaoError:
        """Give the picture its name; what keeps it from that is the answer, and is not raised."""
        if self._outcome is None:
            try:
                self._outcome = self._target.commit(_PASSES)
            except DoubaoError as error:
                # Also what is of no known type: it may be a picture of a new one.
                self._outcome = error
                self._keep(b"")
        self.drop()
        return self._outcome

    @property
    def kept(self) -> bytes | None:
        """The whole picture, if it is good but could not be saved: it was paid for."""
        return None if self._kept is None else bytes(self._kept)

    def drop(self) -> None:
        """Forget what has not been saved."""
        if self._entered:
            self._entered = False
            self._target.__exit__(None, None, None)

    @property
    def _is_lost(self) -> bool:
        return self._outcome is not None and self._kept is None

    def _broken(self, error: DoubaoError) -> None:
        self._outcome, self._kept = error, None
        self.drop()

    def _keep(self, data: bytes) -> None:
        """Hold in memory what storage did not take, from its beginning."""
        before = b""
        if self._entered:
            with suppress(OSError):
                before = self._target.written()
        kept = bytearray(before + data[len(before) + len(data) - self._size :])
        if len(kept) == self._size:
            self._kept = kept
        self.drop()


class Sieve:
    """Takes the pictures out of one answer or stream; leaving its ``with`` is :meth:`close`.

    Args:
        storage: Where the pictures go.
        name: Their name; from the second on with a number.
        events: Whether it is a stream of events, each with a picture at its top, instead of an
            answer with a list of them.
    """

    def __init__(self, storage: Storage, name: str, *, events: bool = False) -> None:
        self._storage = storage
        self._name = name
        self._events = events
        self._pictures: list[Picture] = []
        self._open = bytearray()
        self._list: str | None = None
        self._key: str | None = None
        self._at_key = False
        self._text = bytearray()
        self._escape = bytearray()
        self._step: Callable[[bytes, int, list[bytes]], int] = self._outside

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop what is half, and save what came whole and nobody claimed: it was paid for."""
        self.save()
        for picture in self._pictures:
            picture.drop()

    def feed(self, block: bytes) -> bytes:
        """Take the next block, and give what of it is no picture."""
        rest: list[bytes] = []
        at = 0
        while at < len(block):
            at = self._step(block, at, rest)
        return b"".join(rest)

    def picture(self, value: str | None) -> Picture | None:
        """Find the picture that a value of ``b64_json`` stands for, or make it of that value.

        A provider's own dialect may have brought it elsewhere in the answer than Ark does.
        """
        if value is None:
            return None
        if (found := _MARK.fullmatch(value)) and int(found[1]) < len(self._pictures):
            picture = self._pictures[int(found[1])]
        else:
            picture = self._new()
            picture.feed(value.encode(errors="replace"))
            picture.end()
        picture.claimed = True
        return picture

    def _new(self) -> Picture:
        self._pictures.append(Picture(self._storage.target(self._name)))
        return self._pictures[-1]

    def save(self) -> tuple[Saved, ...]:
        """Save what came whole and nobody claimed, in order; gives what could be saved."""
        whole = self._pictures[:-1] if self._step == self._inside else self._pictures
        outcomes = [picture.save() for picture in whole if not picture.claimed]
        return tuple(each for each in outcomes if isinstance(each, Saved))

    def _outside(self, block: bytes, at: int, rest: list[bytes]) -> int:
        found = _STRUCTURE.search(block, at)
        end = found.end() if found else len(block)
        rest.append(block[at:end])
        if found:
            self._structure(found[0], rest)
        return end

    def _structure(self, character: bytes, rest: list[bytes]) -> None:
        if character == b'"':
            self._begin_string(rest)
        elif character in b"{[":
            if len(self._open) == 1:
                self._list = self._key
            self._open += character
            self._key, self._at_key = None, character == b"{"
        elif character in b"}]":
            del self._open[-1:]
            self._key = None
        elif character == b",":
            self._key, self._at_key = None, self._open.endswith(b"{")
        else:
            self._at_key = False

    def _begin_string(self, rest: list[bytes]) -> None:
        if self._at_key or self._key != _FIELD or not self._is_place:
            self._text.clear()
            self._step = self._string
            return
        rest.append(b"\\u0000%d" % len(self._pictures))
        self._new()
        self._step = self._inside

    @property
    def _is_place(self) -> bool:
        """Whether a picture can be here: in an event, or in an item of the answer's list."""
        if self._events:
            return self._open == b"{"
        return self._open == b"{[{" and self._list == _LIST

    def _string(self, block: bytes, at: int, rest: list[bytes]) -> int:
        # An escape is passed over whole, because its second character may be a quote.
        if self._escape:
            self._escape.clear()
            end, closed = at + 1, False
        else:
            found = _STRING_END.search(block, at)
            end = found.end() if found else len(block)
            closed = found is not None and found[0] == b'"'
            if found and not closed:
                self._escape += b"\\"
        rest.append(block[at:end])
        if self._at_key and len(self._text) <= _LONGEST_KEY:
            self._text += block[at : min(end, at + _LONGEST_KEY + 1)]
        if closed:
            self._end_string()
        return end

    def _end_string(self) -> None:
        self._step = self._outside
        if self._at_key:
            # What is no JSON is said by whoever parses the rest.
            with suppress(JSONDecodeError):
                self._key = loads(b'"' + self._text)

    def _inside(self, block: bytes, at: int, rest: list[bytes]) -> int:
        picture = self._pictures[-1]
        if self._escape:
            self._escape += block[at : at + 1]
            self._unescape(picture)
            return at + 1
        # Searching for one byte is many times faster than for one of two.
        escape = block.find(b"\\", at)
        end = escape if escape >= 0 else len(block)
        if (quote := block.find(b'"', at, end)) >= 0:
            picture.feed(block[at:quote])
            picture.end()
            rest.append(b'"')
            self._step = self._outside
            return quote + 1
        picture.feed(block[at:end])
        if escape >= 0:
            self._escape += b"\\"
            return end + 1
        return end

    def _unescape(self, picture: Picture) -> None:
        """Decode an escape as soon as it is whole: base64 needs none, but some escape a slash."""
        if self._escape[1:2] == b"u" and len(self._escape) < _UNICODE_ESCAPE:
            return
        try:
            character = str(loads(b'"' + self._escape + b'"')).encode()
        except JSONDecodeError:
            # No base64 has a backslash: the picture says that it is broken.
            character = bytes(self._escape)
        self._escape.clear()
        picture.feed(character)
