"""The tool calls of a streamed answer: from any dialect to fragments that merge (ark.md 4.4).

Ids and names may be absent, empty or repeated, indices may be missing or all 0, and arguments may
begin with a blank, hold raw line breaks, or be cut off. What LangChain adds up from these fragments
is the same call in every view, and never a call with half of its arguments.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from langchain_core.messages.tool import ToolCallChunk, tool_call_chunk

from langchain_doubao.responses import made_up_id, parsed_arguments

_CONTROL = re.compile(r"[\x00-\x1f]")
_CLOSING = {"{": "}", "[": "]"}


class Calls:
    """Gives each fragment the index of its call, and tells ids and names only once."""

    def __init__(self) -> None:
        self._all: list[_Call] = []
        self._at: dict[int, _Call] = {}
        self._named: dict[str, _Call] = {}

    def place(self, fragment: Mapping[str, Any]) -> ToolCallChunk:
        """Convert a fragment; empty ids and names are none, repeated ones were told."""
        function = fragment.get("function") or {}
        id_, name = fragment.get("id") or None, function.get("name") or None
        call = self._call(fragment.get("index"), id_, name)
        told_id = id_ if call.id is None else None
        told_name = name if call.name is None else None
        call.id, call.name = call.id or id_, call.name or name
        if told_id is not None:
            self._named.setdefault(told_id, call)
        arguments = call.arguments.add(function.get("arguments") or "")
        return tool_call_chunk(name=told_name, args=arguments, id=told_id, index=call.index)

    def _call(self, index: Any, id_: str | None, name: str | None) -> _Call:
        if isinstance(index, int):
            known = self._at.get(index)
            # Some servers give every call the index 0: a new id with a name is a new call.
            if known is None or (id_ and name and known.id not in {None, id_}):
                known = self._at[index] = self._opened()
            return known
        if id_ is not None:
            return self._named.get(id_) or self._opened()
        return self._all[-1] if self._all else self._opened()

    def _opened(self) -> _Call:
        self._all.append(_Call(index=len(self._all)))
        return self._all[-1]

    def endings(self, answer: str) -> list[ToolCallChunk]:
        """Fragments for what calls lack at the end: ids that never came, an end that is not taken.

        Args:
            answer: Id of the answer, of which missing ids are made.
        """
        endings = []
        for call in self._all:
            id_ = None if call.id else made_up_id(answer, call.index)
            end = call.arguments.end()
            if id_ or end:
                endings.append(tool_call_chunk(name=None, args=end, id=id_, index=call.index))
        return endings


class _Call:
    """What has been told of one call so far."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.id: str | None = None
        self.name: str | None = None
        self.arguments = PlainJSON()


class PlainJSON:
    """A JSON text, such as a call's arguments, piece by piece."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        # How far the text was read character by character, which is seldom needed, and what was
        # open there: a string, in it a backslash, and brackets, as what closes them.
        self._read = 0
        self._in_string = False
        self._escaped = False
        self._open: list[str] = []

    def add(self, piece: str) -> str:
        """Take a piece and give it as every parser reads it.

        A blank alone would be arguments that are not JSON; a raw line break inside a string is read
        by lenient parsers only, and core's protocol events use a strict one.
        """
        if not self._pieces:
            piece = piece.lstrip()
        if _CONTROL.search(piece):
            self._read_rest()
            piece = self._follow(piece)
            self._read += 1
        if piece:
            self._pieces.append(piece)
        return piece

    def _read_rest(self) -> None:
        for piece in self._pieces[self._read :]:
            self._follow(piece)
        self._read = len(self._pieces)

    def _follow(self, piece: str) -> str:
        """Read a piece; gives it with the control characters inside strings escaped."""
        plain: list[str] = []
        for char in piece:
            if self._in_string:
                plain.append(json.dumps(char)[1:-1] if char < " " else char)
                self._in_string = char != '"' or self._escaped
                self._escaped = char == "\\" and not self._escaped
                continue
            plain.append(char)
            if char == '"':
                self._in_string = True
            elif char in _CLOSING:
                self._open.append(_CLOSING[char])
            elif self._open and char == self._open[-1]:
                self._open.pop()
        return "".join(plain)

    def end(self) -> str:
        """Give what to add so that nobody takes these arguments for what they are not.

        Core completes cut JSON by itself when it adds up chunks, so a tool would be called with
        ``{"path": "/home/a``; and its protocol events fail on JSON that is no object. Behind a
        bracket that closes nothing both see an invalid call. Whole arguments get no end.
        """
        text = "".join(self._pieces)
        if parsed_arguments(text) is not None or not (text.startswith("{") or _is_json(text)):
            return ""
        self._read_rest()
        quotes = '"' * (self._in_string + self._escaped)
        return quotes + ("}" if self._open[-1:] == ["]"] else "]")


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
