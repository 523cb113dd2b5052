"""LlamaIndex content blocks to the content parts of the wire (ark.md 4.2). Pure, table-driven.

URLs are passed on as they are and never fetched; bytes and files become data URLs whose type is
that of their bytes, because LlamaIndex guesses it from the name and is wrong for signed URLs.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import IOBase
from pathlib import Path
from typing import Any, TypeAlias

from llama_index.core.base.llms.types import (
    AudioBlock,
    CachePoint,
    CitableBlock,
    CitationBlock,
    DocumentBlock,
    ImageBlock,
    TextBlock,
    VideoBlock,
)
from llama_index.core.bridge.pydantic import BaseModel

from doubao_core import ConfigError, media

JSON: TypeAlias = dict[str, Any]
Extras: TypeAlias = Mapping[str, Any]

_UNTITLED = "input_document"
"""LlamaIndex's title of a document that was given none."""
# The service wants a name with data (ark.md 4.2).
_NAMELESS = "document.pdf"
# Four base64 characters carry three bytes; so many are enough to tell what the bytes are.
_HEAD = 64
_PDF = "application/pdf"


def parts(blocks: Iterable[BaseModel], where: str, extras: Extras) -> list[JSON]:
    """Turn the blocks of one message into content parts; empty texts are left out.

    Args:
        blocks: Blocks of the message; those that belong elsewhere are already taken out.
        where: What the message is, for errors: ``"a user message"``.
        extras: Our own keys of the message: ``fps`` of its films, which may be below 1 although
            ``VideoBlock`` cannot say so.

    Raises:
        ConfigError: A block that this API cannot take, by its name; or one without any content.
    """
    return list(_Writer(where=where, fps=extras.get("fps")).write(blocks))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Writer:
    """Writes the parts of one message; one method for each kind of block."""

    where: str
    fps: float | None

    def write(self, blocks: Iterable[BaseModel]) -> Iterator[JSON]:
        for block in blocks:
            if isinstance(block, _NOT_SENT):
                continue
            writer = next(
                (_WRITERS[kind] for kind in type(block).__mro__ if kind in _WRITERS), None
            )
            if writer is None:
                raise ConfigError(
                    f"cannot send a {type(block).__name__} in {self.where}: send text, pictures, "
                    "films, sound or PDF documents"
                )
            yield from writer(self, block)

    def text(self, block: TextBlock) -> Iterator[JSON]:
        if block.text:
            yield {"type": "text", "text": block.text}

    def image(self, block: ImageBlock) -> Iterator[JSON]:
        url = self._url(block, block.image) or _data_url(
            self._base64(block, block.image), "image", block.image_mimetype, "image/png"
        )
        yield {"type": "image_url", "image_url": _given(url=url, detail=block.detail)}

    def video(self, block: VideoBlock) -> Iterator[JSON]:
        url = self._url(block, block.video) or _data_url(
            self._base64(block, block.video), "video", block.video_mimetype, "video/mp4"
        )
        fps = self.fps or block.fps
        yield {"type": "video_url", "video_url": _given(url=url, fps=fps, detail=block.detail)}

    def audio(self, block: AudioBlock) -> Iterator[JSON]:
        if url := self._url(block, block.audio):
            yield {"type": "input_audio", "input_audio": _given(url=url, format=block.format)}
            return
        data = self._base64(block, block.audio)
        found = _sniffed(data, "audio/")
        kind = found[1] if found else (block.format or "mp3")
        yield {"type": "input_audio", "input_audio": {"data": data, "format": kind}}

    def document(self, block: DocumentBlock) -> Iterator[JSON]:
        if url := self._url(block, block.data):
            self._only_pdf(block.document_mimetype or _PDF)
            yield {"type": "file", "file": _given(file_url=url, filename=_file_name(block))}
            return
        data = self._base64(block, block.data)
        found = _sniffed(data, "")
        self._only_pdf(found[0] if found else (block.document_mimetype or "unknown"))
        name = _file_name(block) or _NAMELESS
        file = {"file_data": f"data:{_PDF};base64,{data}", "filename": name}
        yield {"type": "file", "file": file}

    def citable(self, block: CitableBlock) -> Iterator[JSON]:
        yield {"type": "text", "text": f"[{block.title}]({block.source})"}
        yield from self.write(block.content)

    def _url(self, block: Any, data: bytes | IOBase | None) -> str | None:
        """Give the block's URL, or ``None`` if its content is in it or in a file."""
        if block.url:
            if media.is_path(url := str(block.url)):
                raise ConfigError(
                    f"the {type(block).__name__} in {self.where} has a file in place of a URL "
                    f"({url[:80]!r}), which the service cannot fetch: give it as path, to have its "
                    "bytes sent in base64"
                )
            return url
        if data or block.path:
            return None
        raise ConfigError(
            f"the {type(block).__name__} in {self.where} is empty: give it content, path or url"
        )

    def _base64(self, block: Any, data: bytes | IOBase | None) -> str:
        if isinstance(data, bytes):
            # LlamaIndex has already encoded it.
            return data.decode("ascii")
        if isinstance(data, IOBase):
            # The reader may stand anywhere, and others may read it after us.
            data.seek(0)
            content = data.read()
            data.seek(0)
        else:
            try:
                content = Path(block.path).read_bytes()
            except OSError as error:
                raise ConfigError(
                    f"cannot read the file of the {type(block).__name__} in {self.where}: "
                    f"{block.path}: {error.strerror}"
                ) from error
        return base64.b64encode(content).decode("ascii")

    def _only_pdf(self, media_type: str) -> None:
        if media_type != _PDF:
            raise ConfigError(
                f"cannot send a document of type {media_type} in {self.where}: the service reads "
                "PDF only; send its text as a TextBlock"
            )


_WRITERS: dict[type, Callable[[_Writer, Any], Iterator[JSON]]] = {
    TextBlock: _Writer.text,
    ImageBlock: _Writer.image,
    VideoBlock: _Writer.video,
    AudioBlock: _Writer.audio,
    DocumentBlock: _Writer.document,
    CitableBlock: _Writer.citable,
}
# A cache point has no counterpart in implicit caching; a citation quotes what was sent before.
_NOT_SENT = (CachePoint, CitationBlock)


def _given(**fields: Any) -> JSON:
    return {name: value for name, value in fields.items() if value is not None}


def _sniffed(data: str, prefix: str) -> tuple[str, str] | None:
    found = media.sniff(base64.b64decode(data[:_HEAD] + "=="))
    return found if found and found[0].startswith(prefix) else None


def _data_url(data: str, kind: str, declared: str | None, default: str) -> str:
    found = _sniffed(data, f"{kind}/")
    if declared is None or not declared.startswith(f"{kind}/"):
        declared = default
    return f"data:{found[0] if found else declared.lower()};base64,{data}"


def _file_name(block: DocumentBlock) -> str | None:
    if block.title and block.title != _UNTITLED:
        return block.title
    return Path(block.path).name if block.path else None
