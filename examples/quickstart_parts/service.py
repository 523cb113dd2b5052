"""Which service answers, with which models, and what to say about it before it does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from doubao_core import ConfigError
from doubao_core.gateways import gateway

_ARK_MODELS = {
    "chat": "doubao-seed-2-1-lite-260915",
    "embedding": "doubao-embedding-vision-251215",
    "image": "doubao-seedream-4-0-250828",
    "video": "doubao-seedance-1-0-pro-fast-251015",
}
_BYTEPLUS_MODELS = {
    "chat": "seed-2-0-lite-260428",
    "embedding": "skylark-embedding-vision-251215",
    "image": "seedream-4-0-250828",
    "video": "seedance-1-0-pro-fast-251015",
}
_MODELS = {"byteplus": _BYTEPLUS_MODELS, "byteplus-eu": _BYTEPLUS_MODELS}

# All current Seedream and Seedance models take these; a shorter or smaller film only some do.
IMAGE_SIZE = "2848x1600"
VIDEO_RESOLUTION = "480p"
VIDEO_SECONDS = 4
POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A provider and the models to use; ``provider`` is passed on to every adapter."""

    provider: str
    title: str
    chat: str
    embedding: str
    image: str
    video: str
    missing_key: str = ""

    @property
    def is_emulator(self) -> bool:
        """Whether nothing here is real and nothing costs money."""
        return self.provider == "emulator"

    def opening_lines(self, *, media: bool) -> Iterator[str]:
        """Say who will answer, and what it will cost."""
        if self.is_emulator:
            yield f"{self._why_emulator()}: this runs on the local emulator, not on Doubao."
            yield "Answers are quotes from the documents; picture and video are placeholders."
            return
        yield f"Service: {self.title}, model {self.chat}."
        if media:
            yield (
                f"An image ({self.image}) and a {VIDEO_SECONDS} s {VIDEO_RESOLUTION} video "
                f"({self.video}) per framework cost money; --no-media leaves them out."
            )

    def _why_emulator(self) -> str:
        if self.missing_key:
            return f"No API key ({self.missing_key} is not set)"
        return "DOUBAO_PROVIDER is emulator"


def choose() -> Service:
    """Take the provider of ``DOUBAO_PROVIDER``; if unset, Ark with a key, else the emulator.

    ``DOUBAO_CHAT_MODEL``, ``DOUBAO_EMBEDDING_MODEL``, ``DOUBAO_IMAGE_MODEL`` and
    ``DOUBAO_VIDEO_MODEL`` replace the models.

    Raises:
        ConfigError: There is no such provider, or no key for the one that was asked for.
    """
    named = os.environ.get("DOUBAO_PROVIDER")
    wanted = gateway(named or "ark")
    has_key = not wanted.key_env or any(map(os.environ.get, wanted.key_env))
    if named and not has_key:
        raise ConfigError(
            f"DOUBAO_PROVIDER is {named}, but there is no key: set {' or '.join(wanted.key_env)}"
        )
    chosen = wanted if has_key else gateway("emulator")
    defaults = _MODELS.get(chosen.name, _ARK_MODELS)
    models = {
        kind: os.environ.get(f"DOUBAO_{kind.upper()}_MODEL") or model
        for kind, model in defaults.items()
    }
    return Service(
        provider=chosen.name,
        title=chosen.title,
        missing_key="" if has_key else " or ".join(wanted.key_env),
        **models,
    )
