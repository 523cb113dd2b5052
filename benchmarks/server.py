"""A server that costs next to nothing: answers are encoded before they are asked for.

The model name says what to send: ``call`` (a plain answer), ``toolcall`` (one that calls a tool),
``text-2000`` (a stream of 2,000 text chunks at once), ``tools-500`` (500 fragments of tool calls).
Each event is an HTTP chunk of its own, as of servers that flush what their model writes.
``embed`` gives vectors of 2048 dimensions, as many as the request has inputs, or one at
``/embeddings/multimodal``, as numbers or base64.
``-delay-200`` lets it begin after 200 ms, ``-every-20`` sends the events of a stream 20 ms apart.
Run as a process of its own; it prints its base URL and serves until its standard input closes.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
import re
import sys
from array import array
from dataclasses import dataclass
from functools import cache

DIMENSIONS = 2048
_MODEL = re.compile(rb'"model":\s*"([^"]+)"')
_HEAD = "HTTP/1.1 200 OK\r\nContent-Type: {}\r\n{}\r\n"
_COMMON = {
    "id": "021790000000123aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "created": 1790000000,
    "model": "doubao-seed-2-0-lite-260215",
    "service_tier": "default",
}
_USAGE = {
    "prompt_tokens": 24,
    "completion_tokens": 18,
    "total_tokens": 42,
    "prompt_tokens_details": {"cached_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 12},
}
_HELLO: dict[str, object] = {
    "role": "assistant",
    "content": "Hello! How can I help?",
    "reasoning_content": "Hi.",
}
_CALL: dict[str, object] = {
    "role": "assistant",
    "content": "",
    "tool_calls": [
        {
            "id": "call_wiezxeyae8jzxl3jx8nhfgb5",
            "type": "function",
            "function": {"name": "search", "arguments": '{"query": "lighthouses", "limit": 3}'},
        }
    ],
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer in pieces, and the seconds before the first and between the pieces."""

    pieces: tuple[bytes, ...]
    delay: float
    every: float


@cache
def answer(model: str) -> Answer:
    """Give the answer for *model*."""
    kind = model.partition("-")[0]
    delay, every = (_number(f"{name}-", model) / 1000 for name in ("delay", "every"))
    if kind in ("call", "toolcall"):
        body = json.dumps(_completion(_CALL if kind == "toolcall" else _HELLO)).encode()
        head = _HEAD.format("application/json", f"Content-Length: {len(body)}\r\n").encode()
        return Answer((head + body,), delay, every)
    head = _HEAD.format("text/event-stream", "Transfer-Encoding: chunked\r\n").encode()
    pieces = [_chunked(event) for event in _events(kind, _number(f"{kind}-", model))]
    pieces[0] = head + pieces[0]
    pieces[-1] += b"0\r\n\r\n"
    return Answer(tuple(pieces) if every else (b"".join(pieces),), delay, every)


def _number(name: str, model: str) -> int:
    found = re.search(rf"{name}(\d+)", model)
    return int(found.group(1)) if found else 0


def _chunked(part: bytes) -> bytes:
    return f"{len(part):x}\r\n".encode() + part + b"\r\n"


def _events(kind: str, count: int) -> list[bytes]:
    deltas = _text(count) if kind == "text" else _tools(count)
    return [
        *(_event(delta) for delta in deltas),
        _event({"role": "assistant", "content": ""}, finish_reason="stop"),
        _sse({**_chunk(), "choices": [], "usage": _USAGE}) + b"data: [DONE]\n\n",
    ]


def _completion(message: dict[str, object]) -> dict[str, object]:
    reason = "tool_calls" if "tool_calls" in message else "stop"
    choice = {"index": 0, "finish_reason": reason, "logprobs": None, "message": message}
    return {**_COMMON, "object": "chat.completion", "choices": [choice], "usage": _USAGE}


def _chunk() -> dict[str, object]:
    return {**_COMMON, "object": "chat.completion.chunk"}


def _sse(event: dict[str, object]) -> bytes:
    return (
        b"data: " + json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"
    )


def _event(delta: dict[str, object], **choice: object) -> bytes:
    return _sse({**_chunk(), "choices": [{"delta": delta, "index": 0, **choice}], "usage": None})


def _text(count: int) -> list[dict[str, object]]:
    return [{"role": "assistant", "content": f" word{number % 97}"} for number in range(count)]


def _tools(count: int) -> list[dict[str, object]]:
    call = {"index": 0, "id": "call_wiezxeyae8jzxl3jx8nhfgb5", "type": "function"}
    first = {**call, "function": {"name": "search", "arguments": ' {"query": "'}}
    more = [{"index": 0, "function": {"arguments": f"word{n % 97} "}} for n in range(count)]
    last = {"index": 0, "function": {"arguments": '"}'}}
    fragments: list[dict[str, object]] = [first, *more, last]
    return [{"role": "assistant", "content": "", "tool_calls": [each]} for each in fragments]


def _asked(head: bytes, body: bytes) -> tuple[int, bool]:
    """Say how many vectors a request asks for (0: one, outside of a list), and whether packed."""
    request = json.loads(body)
    fused = b"/embeddings/multimodal" in head
    return (0 if fused else len(request["input"])), request.get("encoding_format") == "base64"


@cache
def vectors(model: str, count: int, packed: bool) -> Answer:
    """Give the answer with *count* vectors."""
    numbers = random.Random(7)  # noqa: S311 - not a secret
    data: list[dict[str, object]] = []
    for index in range(max(count, 1)):
        vector = array("f", (numbers.gauss(0, 0.02) for _ in range(DIMENSIONS)))
        value = base64.b64encode(vector.tobytes()).decode() if packed else vector.tolist()
        data.append({"object": "embedding", "index": index, "embedding": value})
    usage = {"prompt_tokens": 8 * len(data), "total_tokens": 8 * len(data)}
    reply = {**_COMMON, "object": "list", "data": data if count else data[0], "usage": usage}
    body = json.dumps(reply, separators=(",", ":")).encode()
    head = _HEAD.format("application/json", f"Content-Length: {len(body)}\r\n").encode()
    return Answer((head + body,), _number("delay-", model) / 1000, 0.0)


class Connection(asyncio.Protocol):
    """One keep-alive connection; requests come one after the other."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._pending = b""

    def data_received(self, data: bytes) -> None:
        """Answer each whole request."""
        self._pending += data
        head, separator, rest = self._pending.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        size = int(length.group(1)) if length else 0
        if not separator or len(rest) < size:
            return
        self._pending = rest[size:]
        found = _MODEL.search(rest)
        model = found.group(1).decode() if found else "call"
        reply = vectors(model, *_asked(head, rest)) if b"/embeddings" in head else answer(model)
        loop = asyncio.get_running_loop()
        if reply.delay or reply.every:
            loop.call_later(reply.delay, self._write, reply, 0, loop.time() + reply.delay)
            return
        for piece in reply.pieces:
            self._transport.write(piece)

    def _write(self, reply: Answer, number: int, due: float) -> None:
        """Write one piece, and have the next written when it is due, however late this one was."""
        if self._transport.is_closing():
            return
        self._transport.write(reply.pieces[number])
        if number + 1 < len(reply.pieces):
            due += reply.every
            loop = asyncio.get_running_loop()
            loop.call_at(due, self._write, reply, number + 1, due)


async def main() -> None:
    """Serve until standard input closes."""
    server = await asyncio.get_running_loop().create_server(
        Connection, "127.0.0.1", 0, backlog=4096
    )
    port = server.sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}/api/v3", flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
