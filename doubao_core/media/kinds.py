"""What a file is, by its first bytes: names and headers lie."""

from __future__ import annotations

_SIGNATURES: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png", "png"),
    (0, b"\xff\xd8\xff", "image/jpeg", "jpeg"),
    (0, b"GIF87a", "image/gif", "gif"),
    (0, b"GIF89a", "image/gif", "gif"),
    (8, b"WEBP", "image/webp", "webp"),
    (0, b"BM", "image/bmp", "bmp"),
    (0, b"II*\x00", "image/tiff", "tiff"),
    (0, b"MM\x00*", "image/tiff", "tiff"),
    (4, b"ftypheic", "image/heic", "heic"),
    (4, b"ftypqt", "video/quicktime", "mov"),
    (4, b"ftyp", "video/mp4", "mp4"),
    (8, b"AVI ", "video/x-msvideo", "avi"),
    (8, b"WAVE", "audio/wav", "wav"),
    (0, b"ID3", "audio/mpeg", "mp3"),
    (0, b"\xff\xfb", "audio/mpeg", "mp3"),
    (0, b"%PDF-", "application/pdf", "pdf"),
    (0, b"PK\x03\x04", "application/zip", "zip"),
)

LONGEST_SIGNATURE = 16
"""So many first bytes are enough for :func:`sniff`."""


def sniff(head: bytes) -> tuple[str, str] | None:
    """Tell ``(media type, extension)`` from the first bytes, or ``None`` if they say nothing."""
    for offset, signature, media_type, extension in _SIGNATURES:
        if head.startswith(signature, offset):
            return media_type, extension
    return None
