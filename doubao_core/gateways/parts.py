"""What films start from, for providers that take a prompt and the URLs of pictures. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from doubao_core.errors import ConfigError, UnsupportedOperation

# The other roles say of a picture what such providers have no field for.
_ROLES = frozenset({None, "first_frame", "reference_image"})


def prompt_and_pictures(
    provider: str, content: Iterable[Mapping[str, Any]], *, single: bool = False
) -> tuple[str, list[str]]:
    """Read Ark's parts of a film (ark.md 15.2) as a prompt and the URLs of its pictures.

    Args:
        provider: Whose film it is, for the errors.
        content: The parts.
        single: Whether there may be one picture at most.

    Raises:
        UnsupportedOperation: A part is something else, or a picture is no URL that others can
            fetch.
        ConfigError: There is no text.
    """
    texts: list[str] = []
    pictures: list[str] = []
    for part in content:
        if part.get("type") == "text":
            texts.append(part["text"])
        elif _is_picture(part) and not (single and pictures):
            pictures.append(part["image_url"]["url"])
        else:
            kind = part.get("role") or part.get("type")
            raise _unsupported(
                f"provider {provider!r} starts a film from a text and "
                f"{'one picture' if single else 'pictures'}, and has nothing for {kind!r} beside "
                "them: leave it out; ark and byteplus can have it",
                provider,
            )
    prompt = "\n".join(texts)
    if not prompt.strip():
        raise ConfigError(
            f"provider {provider!r} needs a prompt beside a picture: give content a text",
            param="content",
        )
    if not all(each.startswith(("http://", "https://")) for each in pictures):
        raise _unsupported(
            f"provider {provider!r} takes a picture by its URL only, and fetches it: put the "
            "picture where that can be done; ark and byteplus take the picture itself, too",
            provider,
        )
    return prompt, pictures


def _is_picture(part: Mapping[str, Any]) -> bool:
    return part.get("type") == "image_url" and part.get("role") in _ROLES


def _unsupported(said: str, provider: str) -> UnsupportedOperation:
    return UnsupportedOperation(said, gateway=provider, operation="videos.create", param="content")
