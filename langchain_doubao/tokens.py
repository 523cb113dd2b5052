"""Token counts without a request: estimates that are sane for every script.

A token of these models is about four letters of the Latin script, or one and a half Chinese
characters; other alphabets lie between the two. ``ChatDoubao.tokenize`` asks the service for exact
counts.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

# Chinese, Japanese and Korean, with the extensions beyond the first plane.
_CJK = re.compile(
    "[\u1100-\u11ff\u2e80-\ua4cf\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef"
    "\U00020000-\U0003ffff]"
)
# Latin letters with all their accents, and the punctuation that goes with them.
_LATIN = re.compile("[\u0000-\u02ff\u1e00-\u1eff\u2000-\u206f]")
_CJK_PER_TOKEN = 1.5
_LATIN_PER_TOKEN = 4
_OTHERS_PER_TOKEN = 2
_ROLE = 4
_PER_PART = {
    # What the service charges by default (ark.md 4.2): fixed for an image, the floor for a film.
    "image_url": 1280,
    "video_url": 10_000,
    # Not documented; a minute of speech, and a page or two.
    "input_audio": 1500,
    "file": 1500,
}


def count(text: str) -> int:
    """Estimate the tokens of a text."""
    if text.isascii():
        return math.ceil(len(text) / _LATIN_PER_TOKEN)
    wide, latin = len(_CJK.findall(text)), len(_LATIN.findall(text))
    others = len(text) - wide - latin
    return math.ceil(wide / _CJK_PER_TOKEN + latin / _LATIN_PER_TOKEN + others / _OTHERS_PER_TOKEN)


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
            yield _PER_PART.get(part["type"]) or part.get("text") or ""
    for call in message.get("tool_calls") or ():
        yield call["function"]["name"] + call["function"]["arguments"]
    yield message.get("reasoning_content") or ""
