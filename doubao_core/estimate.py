"""Token counts without a request: estimates that are sane for every script.

A token of these models is about four letters of the Latin script, or one and a half Chinese
characters; other alphabets lie between the two. The tokenization endpoint counts exactly.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping, Sequence

# Chinese, Japanese and Korean, with the extensions beyond the first plane.
_CJK = (
    "[\u1100-\u11ff\u2e80-\ua4cf\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef"
    "\U00020000-\U0003ffff]"
)
# Latin letters with all their accents, and the punctuation that goes with them.
_LATIN = "[\u0000-\u02ff\u1e00-\u1eff\u2000-\u206f]"
# Compiling these takes longer than importing most modules does; few processes need them.
_pattern = functools.cache(re.compile)
_CJK_PER_TOKEN = 1.5
_LATIN_PER_TOKEN = 4
_OTHERS_PER_TOKEN = 2
# What the service charges by default (ark.md 4.2): fixed for an image, the floor for a film.
IMAGE_TOKENS = 1280
VIDEO_TOKENS = 10_000
# Not documented; a minute of speech, and a page or two.
OTHER_MEDIA_TOKENS = 1500
PART_TOKENS: Mapping[str, int] = {
    "image_url": IMAGE_TOKENS,
    "video_url": VIDEO_TOKENS,
    "input_audio": OTHER_MEDIA_TOKENS,
    "file": OTHER_MEDIA_TOKENS,
}
"""Tokens of a part that is no text, by its type."""


def count(text: str) -> int:
    """Estimate the tokens of a text."""
    if text.isascii():
        return math.ceil(len(text) / _LATIN_PER_TOKEN)
    wide, latin = len(_pattern(_CJK).findall(text)), len(_pattern(_LATIN).findall(text))
    others = len(text) - wide - latin
    return math.ceil(wide / _CJK_PER_TOKEN + latin / _LATIN_PER_TOKEN + others / _OTHERS_PER_TOKEN)


def count_all(value: object) -> int:
    """Estimate the tokens of every text in a request body, and of the media in it."""
    if isinstance(value, str):
        # A picture by itself, as Seedream takes it, is not read letter by letter.
        return min(count(value), IMAGE_TOKENS) if value.startswith("data:image/") else count(value)
    if isinstance(value, Mapping):
        kind = value.get("type")
        if isinstance(kind, str) and kind in PART_TOKENS:
            return PART_TOKENS[kind]
        return sum(map(count_all, value.values()))
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return sum(map(count_all, value))
    return 0
