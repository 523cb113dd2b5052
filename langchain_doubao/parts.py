"""Content blocks to the wire's content parts (ark.md 4.2): standard, OpenAI's, Anthropic's, ours.

A block of a type that is not in the table below is an error that names it. ``extras`` of a block,
and the options ``detail``, ``fps`` and ``image_pixel_limit`` on the block itself, go into the part.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeAlias

JSON: TypeAlias = dict[str, Any]

_OPTIONS = ("detail", "fps", "image_pixel_limit")
_AUDIO_FORMATS = {
    "mpeg": "mp3",
    "mpga": "mp3",
    "x-wav": "wav",
    "wave": "wav",
    "vnd.wave": "wav",
    "x-aac": "aac",
    "x-m4a": "m4a",
    "mp4": "m4a",
}
_PDF = "application/pdf"
_FILENAME = "document.pdf"
"""The service wants a name with inline files (ark.md 4.2); blocks need not have one."""


def part(block: str | JSON) -> JSON:
    """Convert one content block.

    Raises:
        ValueError: The service has no such part, or the block lacks what it needs.
    """
    if isinstance(block, str):
        return {"type": "text", "text": block}
    kind = block.get("type")
    convert = _PARTS.get(kind) if isinstance(kind, str) else None
    if convert is None:
        raise ValueError(
            f"content block type {kind!r} is not supported; use one of {', '.join(sorted(_PARTS))}"
        )
    return convert(block)


def _text(block: JSON) -> JSON:
    return {"type": "text", "text": block.get("text") or ""}


def _json(block: JSON) -> JSON:
    return {"type": "text", "text": json.dumps(block.get("json"), ensure_ascii=False, default=str)}


def _image(block: JSON) -> JSON:
    return {"type": "image_url", "image_url": _linked(block)}


def _video(block: JSON) -> JSON:
    return {"type": "video_url", "video_url": _linked(block)}


def _linked(block: JSON) -> JSON:
    """Reference by URL, by data URL or by file id, with the block's options."""
    key, value, _ = _source(block)
    if key == "base64":
        return {"url": value, **_options(block)}
    return {key: value, **_options(block)}


def _audio(block: JSON) -> JSON:
    key, value, mime_type = _source(block)
    if key != "base64":
        return {"type": "input_audio", "input_audio": {key: value, **_options(block)}}
    subtype = mime_type.partition("/")[2]
    audio = {
        "data": value.partition(",")[2],
        "format": _AUDIO_FORMATS.get(subtype, subtype),
        **_options(block),
    }
    return {"type": "input_audio", "input_audio": audio}


def _file(block: JSON) -> JSON:
    if isinstance(block.get("file"), dict):
        return _native(block)
    key, value, mime_type = _source(block)
    if mime_type and mime_type != _PDF:
        raise ValueError(f"files of type {mime_type!r} are not supported, only {_PDF}")
    options = _options(block)
    options.pop("filename", None)
    if key == "file_id":
        return {"type": "file", "file": {"file_id": value, **options}}
    if key == "url":
        return {"type": "file", "file": {"file_url": value, **options}}
    file = {"file_data": value, "filename": _filename(block), **options}
    return {"type": "file", "file": file}


def _filename(block: JSON) -> str:
    places = (block.get("extras"), block.get("metadata"), block)
    names = (place.get("filename") for place in places if isinstance(place, dict))
    return next((str(name) for name in names if name), _FILENAME)


def _native(block: JSON) -> JSON:
    """A part in the wire's own form: as it is, without what LangChain adds to blocks."""
    kind = block["type"]
    value = block.get(kind)
    if isinstance(value, str):
        value = {"url": value}
    if not isinstance(value, dict) or not value:
        raise ValueError(f"a {kind} block needs a {kind} object with something in it")
    options = {name: block[name] for name in _OPTIONS if block.get(name) is not None}
    filled = {name: inner for name, inner in value.items() if inner is not None}
    return {"type": kind, kind: {**options, **filled}}


def _source(block: JSON) -> tuple[str, str, str]:
    """Where the bytes are: ``url``, ``file_id`` or ``base64`` (a data URL), and their type."""
    source = block.get("source")
    if isinstance(source, dict):
        block = _of_anthropic(source)
    mime_type = str(block.get("mime_type") or "").lower()
    for key in ("url", "file_id"):
        if value := block.get(key):
            return key, str(value), mime_type
    if not (data := block.get("base64")):
        raise ValueError(f"a {block.get('type', 'media')} block needs url, base64 or file_id")
    if not mime_type:
        raise ValueError(f"a {block.get('type', 'media')} block with base64 needs a mime_type")
    return "base64", f"data:{mime_type};base64,{data}", mime_type


def _of_anthropic(source: JSON) -> JSON:
    return {
        "type": source.get("type"),
        "url": source.get("url"),
        "file_id": source.get("file_id"),
        "base64": source.get("data"),
        "mime_type": source.get("media_type"),
    }


def _options(block: JSON) -> JSON:
    extras = block.get("extras")
    options = {name: block[name] for name in _OPTIONS if name in block}
    if isinstance(extras, dict):
        options |= extras
    return {name: value for name, value in options.items() if value is not None}


_PARTS: dict[str, Callable[[JSON], JSON]] = {
    "text": _text,
    "text-plain": _text,
    "json": _json,
    "image": _image,
    "video": _video,
    "audio": _audio,
    "file": _file,
    "document": _file,
    "image_url": _native,
    "video_url": _native,
    "input_audio": _native,
}
