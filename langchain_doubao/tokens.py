"""Token counts of messages and tools without a request; ``ChatDoubao.tokenize`` counts exactly."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from doubao_core.estimate import PART_TOKENS, count

_ROLE = 4


def count_request(
    messages: Iterable[Mapping[str, Any]],
    tools: Iterable[Any] = (),
    *,
    count: Callable[[str], int] = count,
) -> int:
    """Estimate the prompt tokens of wire messages and wire tools, texts by *count*."""
    texts = [text for message in messages for text in (_ROLE, *_texts(message))]
    texts += [json.dumps(tool, ensure_ascii=False) for tool in tools]
    return sum(text if isinstance(text, int) else count(text) for text in texts)


def _texts(message: Mapping[str, Any]) -> Iterator[str | int]:
    """The texts of a message, and a number of tokens for each part that is none."""
    content = message.get("content") or ""
    for part in [content] if isinstance(content, str) else content:
        if isinstance(part, str):
            yield part
        else:
            yield PART_TOKENS.get(part["type"]) or part.get("text") or ""
    for call in message.get("tool_calls") or ():
        yield call["function"]["name"] + call["function"]["arguments"]
    yield message.get("reasoning_content") or ""
