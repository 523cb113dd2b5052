"""A server that costs next to nothing: answers are encoded before they are asked for.

The model name says what to send: ``call`` (a plain answer), ``call-delay-200`` (after 200 ms),
``text-2000`` (a stream of 2,000 text chunks at once), ``tools-500`` (500 fragments of tool calls).
Run as a process of its own; it prints its base URL and serves until its standard input closes.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from functools import cache

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


@cache
def answer(model: str) -> bytes:
    """Give the whole HTTP answer for *model*."""
    kind, _, number = model.partition("-")
    if kind == "call":
        body = json.dumps(_completion()).encode()
        return _HEAD.format("application/json", f"Content-Length: {len(body)}\r\n").encode() + body
    deltas = _text(int(number)) if kind == "text" else _tools(int(number))
    events = [_event(delta) for delta in deltas]
    events.append(_event({"role": "assistant", "content": ""}, finish_reason="stop"))
    events.append(_sse({**_chunk(), "choices": [], "usage": _USAGE}))
    body = b"".join([*events, b"data: [DONE]\n\n"])
    chunked = b"".join(
        f"{len(part):x}\r\n".encode() + part + b"\r\n"
        for part in (body[at : at + 16384] for at in range(0, len(body), 16384))
    )
    head = _HEAD.format("text/event-stream", "Transfer-Encoding: chunked\r\n").encode()
    return head + chunked + b"0\r\n\r\n"


def _completion() -> dict[str, object]:
    message = {"role": "assistant", "content": "Hello! How can I help?", "reasoning_content": "Hi."}
    choice = {"index": 0, "finish_reason": "stop", "logprobs": None, "message": message}
    return {**_COMMON, "object": "chat.completion", "choices": [choice], "usage": _USAGE}


def _chunk() -> dict[str, object]:
    return {**_COMMON, "object": "chat.completion.chunk"}


def _sse(event: dict[str, object]) -> bytes:
    return b"data: " + json.dumps(event, ensure_ascii=False).encode() + b"\n\n"


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
        delay = re.search(r"delay-(\d+)", model)
        if delay:
            seconds = int(delay.group(1)) / 1000
            asyncio.get_running_loop().call_later(seconds, self._write, answer("call"))
        else:
            self._write(answer(model))

    def _write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)


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
