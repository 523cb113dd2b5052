"""Content blocks to the wire's content parts (ark.md 4.2): standard, old, other providers', ours.

A block of a type that is not in the table below is an error that names it. ``extras`` of a block,
and the options ``detail``, ``fps`` and ``image_pixel_limit`` on the block itself, go into the part.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any, TypeAlias

from doubao_core import media
from doubao_core.redaction import redact

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
# Extras of blocks that mean nothing here: other providers' caching, what a file is called, and what
# core makes extras of when it rewrites a block of another form.
_FOREIGN = frozenset(
    {"cache_control", "filename", "file_filename", "metadata", "mime_type", "index"}
)
# How a block of each type is written as a standard one with base64, to be shown in errors.
_WITH_BASE64 = {
    "image": ("image", "image/png"),
    "image_url": ("image", "image/png"),
    "video": ("video", "video/mp4"),
    "video_url": ("video", "video/mp4"),
    "audio": ("audio", "audio/mpeg"),
    "input_audio": ("audio", "audio/mpeg"),
    "text-plain": ("text-plain", "text/plain"),
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


def _plain(block: JSON) -> JSON:
    """A text file: its text, however it is given; the service takes no text file as such."""
    if block.get("text") is not None:
        return _text(block)
    key, value, _ = _source({"mime_type": "text/plain", **block})
    if key != "base64":
        raise ValueError(
            f"a {block['type']} block needs its text; the service fetches none by {key}"
        )
    return {"type": "text", "text": base64.b64decode(value.partition(",")[2]).decode()}


def _found(block: JSON) -> JSON:
    texts = [str(block[name]) for name in ("title", "source") if block.get(name)]
    texts += [_text(inner)["text"] for inner in block.get("content") or ()]
    return {"type": "text", "text": "\n".join(texts)}


def _json(block: JSON) -> JSON:
    return {"type": "text", "text": json.dumps(block.get("json"), ensure_ascii=False, default=str)}


def _output(block: JSON) -> JSON:
    """What a custom tool of OpenAI gave: text, or blocks of text."""
    output = block.get("output") or ""
    parts = [part(inner) for inner in ([output] if isinstance(output, str) else output)]
    if any(each["type"] != "text" for each in parts):
        raise ValueError("a custom_tool_call_output block can have text only")
    return {"type": "text", "text": "".join(each["text"] for each in parts)}


def _wrapped(block: JSON) -> JSON:
    """What core's content blocks make of a block that it does not know, such as ours for video."""
    value = block.get("value")
    if not isinstance(value, dict) or not value:
        raise ValueError("content block type 'non_standard' is not supported without its value")
    return part(value)


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
    source = block.get("source")
    if isinstance(source, dict) and source.get("type") == "text":
        return {"type": "text", "text": source.get("data") or ""}
    key, value, mime_type = _source(block)
    if mime_type and mime_type != _PDF:
        raise ValueError(f"files of type {mime_type!r} are not supported, only {_PDF}")
    options = _options(block)
    if key == "file_id":
        return {"type": "file", "file": {"file_id": value, **options}}
    if key == "url":
        return {"type": "file", "file": {"file_url": value, **options}}
    file = {"file_data": value, "filename": _filename(block), **options}
    return {"type": "file", "file": file}


def _filename(block: JSON) -> str:
    extras = block.get("extras")
    before = extras.get("metadata") if isinstance(extras, dict) else None
    places = (extras, block.get("metadata"), before, block)
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
    for name in ("url", "file_url"):
        _check_url(kind, str(value.get(name) or ""))
    options = {name: block[name] for name in _OPTIONS if block.get(name) is not None}
    filled = {name: inner for name, inner in value.items() if inner is not None}
    return {"type": kind, kind: {**options, **filled}}


def _source(block: JSON) -> tuple[str, str, str]:
    """Where the bytes are: ``url``, ``file_id`` or ``base64`` (a data URL), and their type."""
    kind, source = block.get("type"), block.get("source")
    if isinstance(source, dict):
        block = _of_anthropic(source)
    elif block.get("source_type"):
        block = _of_before_v1(block)
    mime_type, data = str(block.get("mime_type") or ""), block.get("base64")
    url = str(block.get("url") or "")
    if url.startswith("data:") and ";base64," in url:
        head, _, data = url.partition(";base64,")
        mime_type = head.removeprefix("data:")
    elif url:
        _check_url(kind, url)
        return "url", url, _bare(mime_type)
    elif block.get("file_id"):
        return "file_id", str(block["file_id"]), _bare(mime_type)
    if not data:
        wanted = f"a content block of type {kind!r} needs url, base64 or file_id"
        raise ValueError(f"{wanted}, not path: {_as_base64(kind)}" if "path" in block else wanted)
    if not mime_type:
        raise ValueError(f"a content block of type {kind!r} with base64 needs a mime_type")
    mime_type = _bare(mime_type)
    return "base64", f"data:{mime_type};base64,{data}", mime_type


def _check_url(kind: str | None, url: str) -> None:
    """Refuse the path of a file in place of a URL; an id that may stand there is none."""
    if media.is_path(url):
        shown = redact(url)[:80]  # It may be base64.
        raise ValueError(
            f"a content block of type {kind!r} has a file in place of a URL ({shown!r}), which the "
            f"service cannot fetch: {_as_base64(kind)}"
        )


def _as_base64(kind: str | None) -> str:
    shown, mime_type = _WITH_BASE64.get(str(kind), ("file", _PDF))
    return (
        f'read the file and send its bytes as {{"type": "{shown}", "base64": '
        f'base64.b64encode(content).decode(), "mime_type": "{mime_type}"}}'
    )


def _bare(mime_type: str) -> str:
    """The service wants the type in lower case (ark.md 4.2), and no parameters."""
    return mime_type.partition(";")[0].strip().lower()


def _of_before_v1(block: JSON) -> JSON:
    """Core rewrites these in requests, but not in what tokens are counted of."""
    by_id = block["source_type"] == "id"
    return {**block, "base64": block.get("data"), "file_id": block.get("id") if by_id else None}


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
    return {
        name: value for name, value in options.items() if value is not None and name not in _FOREIGN
    }


_PARTS: dict[str, Callable[[JSON], JSON]] = {
    "text": _text,
    "text-plain": _plain,
    "input_text": _text,
    "output_text": _text,
    "custom_tool_call_output": _output,
    "non_standard": _wrapped,
    "json": _json,
    "search_result": _found,
    "image": _image,
    "video": _video,
    "audio": _audio,
    "file": _file,
    "document": _file,
    "image_url": _native,
    "video_url": _native,
    "input_audio": _native,
}
