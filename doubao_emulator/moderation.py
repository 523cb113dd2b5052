"""Content safety for image and video prompts, struck on purpose by a phrase."""

from __future__ import annotations

from doubao_emulator.chat_request import REFUSED_PHRASE
from doubao_emulator.errors import sensitive_content


def check_text(text: str) -> None:
    """Refuse a prompt that has the phrase which chat refuses too (ark.md 2.2).

    Raises:
        ArkError: 400 `InputTextSensitiveContentDetected`.
    """
    if REFUSED_PHRASE in text:
        raise sensitive_content("InputTextSensitiveContentDetected")
